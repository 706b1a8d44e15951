-- name: put :exec
INSERT INTO sign_in_links (user_id, token_hash, expires_at)
VALUES (%(user_id)s, %(token_hash)s, %(expires_at)s)
ON CONFLICT (user_id) DO UPDATE
SET token_hash = excluded.token_hash,
    expires_at = excluded.expires_at;

-- name: remove :exec
DELETE FROM sign_in_links
WHERE user_id = %(user_id)s;

-- name: take :value
-- Whose it is, once.
DELETE FROM sign_in_links
WHERE token_hash = %(token_hash)s
    AND expires_at > %(now)s
RETURNING user_id;
