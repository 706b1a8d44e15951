-- name: add :value
INSERT INTO sessions (user_id, token_hash, created_at, seen_at, expires_at, origin_encrypted)
VALUES (%(user_id)s, %(token_hash)s, %(now)s, %(now)s, %(expires_at)s, %(origin_encrypted)s)
RETURNING id;

-- name: find :one
-- The session of a cookie, while it lasts.
-- hot
SELECT sessions.id, sessions.user_id, sessions.seen_at, users.email, users.is_administrator
FROM sessions
JOIN users ON users.id = sessions.user_id
WHERE sessions.token_hash = %(token_hash)s
    AND sessions.expires_at > %(now)s
    AND sessions.seen_at > %(idle_since)s;

-- name: forget_old :exec
DELETE FROM sessions
WHERE expires_at <= %(now)s;

-- name: list_open :many
-- Where a person is logged in, the session used last first.
SELECT id, created_at, seen_at, origin_encrypted
FROM sessions
WHERE user_id = %(user_id)s
    AND expires_at > %(now)s
    AND seen_at > %(idle_since)s
ORDER BY seen_at DESC, id DESC;

-- name: remove :exec
DELETE FROM sessions
WHERE id = %(session_id)s
    AND user_id = %(user_id)s;

-- name: remove_all :exec
DELETE FROM sessions
WHERE user_id = %(user_id)s;

-- name: touch :exec
UPDATE sessions
SET seen_at = %(now)s
WHERE id = %(session_id)s;
