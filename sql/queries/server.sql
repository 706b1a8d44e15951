-- name: read_version :value
-- As in 150018.
SELECT current_setting('server_version_num')::integer;
