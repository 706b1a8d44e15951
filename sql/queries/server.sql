-- name: read_connections :one
-- Of the whole server, whoever holds them.
SELECT count(*) AS used, current_setting('max_connections')::integer AS allowed
FROM pg_stat_activity
WHERE datid IS NOT NULL;

-- name: read_replicas :one
-- How many standbys there are, and how far the slowest is behind; its figures are null where this role may not see them (pg_monitor).
SELECT count(*) AS replicas, max(pg_wal_lsn_diff(CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END, replay_lsn))::bigint
    AS lag_bytes, extract(epoch FROM max(replay_lag))::float AS lag_seconds
FROM pg_stat_replication;

-- name: read_version :value
-- As in 150018.
SELECT current_setting('server_version_num')::integer;
