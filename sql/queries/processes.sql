-- name: list_heard :many
-- Of those that have told of themselves lately.
SELECT heard
FROM processes
WHERE seen_at > %(since)s;

-- name: list_seen :many
-- Those that have told of themselves lately.
SELECT name, queues, claims, lag_seconds, seen_at
FROM processes
WHERE seen_at > %(since)s
ORDER BY name;

-- name: report :exec
-- A process tells how it is; what has not for long is forgotten.
WITH forgotten AS (
    DELETE FROM processes
    WHERE seen_at < %(forget_before)s
        AND name <> %(name)s
)
INSERT INTO processes (name, queues, claims, lag_seconds, heard, seen_at)
VALUES (%(name)s, %(queues)s::text[], %(claims)s, %(lag_seconds)s, %(heard)s, %(now)s)
ON CONFLICT (name) DO UPDATE
SET queues = EXCLUDED.queues,
    claims = EXCLUDED.claims,
    lag_seconds = EXCLUDED.lag_seconds,
    heard = EXCLUDED.heard,
    seen_at = EXCLUDED.seen_at;
