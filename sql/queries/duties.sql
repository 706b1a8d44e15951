-- name: keep_days :exec
-- Make the day partitions of applied_updates to come, drop those over three days old.
SELECT keep_applied_updates_days(%(today)s);

-- name: take_turn :value
-- True for one process at a time, until its transaction ends.
SELECT pg_try_advisory_xact_lock(hashtext('grimbots duty ' || %(duty)s));
