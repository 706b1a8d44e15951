-- name: add :exec
-- A picture's content is stored once in an account, whatever its name.
INSERT INTO assets (account_id, sha256, content_type, content, created_at)
VALUES (%(account_id)s, %(sha256)s, %(content_type)s, %(content)s, %(now)s)
ON CONFLICT (account_id, sha256) DO NOTHING;

-- name: find :one
SELECT id, sha256, content_type, content
FROM assets
WHERE account_id = %(account_id)s
    AND sha256 = %(sha256)s;
