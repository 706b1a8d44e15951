-- name: add :value
-- A content is stored once in an account, whatever its name: its id, or None where it is there already.
INSERT INTO assets (account_id, sha256, content_type, size_bytes, created_at)
VALUES (%(account_id)s, %(sha256)s, %(content_type)s, %(size_bytes)s, %(now)s)
ON CONFLICT (account_id, sha256) DO NOTHING
RETURNING id;

-- name: add_chunk :exec
INSERT INTO asset_chunks (account_id, asset_id, number, content)
VALUES (%(account_id)s, %(asset_id)s, %(number)s, %(content)s);

-- name: find :one
SELECT id, account_id, sha256, content_type, size_bytes
FROM assets
WHERE account_id = %(account_id)s
    AND sha256 = %(sha256)s;

-- name: find_chunk :value
SELECT content
FROM asset_chunks
WHERE account_id = %(account_id)s
    AND asset_id = %(asset_id)s
    AND number = %(number)s;
