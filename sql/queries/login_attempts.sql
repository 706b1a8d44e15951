-- name: count :one
-- Count one more attempt and tell how many the window has now. One statement, so that attempts side by side are all counted.
INSERT INTO login_attempts AS known (key, attempts, since)
VALUES (%(key)s, 1, %(now)s)
ON CONFLICT (key) DO UPDATE
SET attempts = CASE WHEN known.since <= %(window_begin)s THEN 1 ELSE known.attempts + 1 END,
    since = CASE WHEN known.since <= %(window_begin)s THEN excluded.since ELSE known.since END
RETURNING attempts, since;

-- name: forget :exec
DELETE FROM login_attempts
WHERE key = %(key)s;

-- name: forget_old :exec
DELETE FROM login_attempts
WHERE since <= %(window_begin)s;
