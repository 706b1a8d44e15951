-- name: find_file_id :value
-- hot
SELECT file_id
FROM bot_files
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND sha256 = %(sha256)s;

-- name: forget :exec
-- This one only: another attempt may have stored a good one meanwhile.
DELETE FROM bot_files
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND sha256 = %(sha256)s
    AND file_id = %(file_id)s;

-- name: remember :exec
INSERT INTO bot_files (account_id, bot_id, sha256, file_id, created_at)
VALUES (%(account_id)s, %(bot_id)s, %(sha256)s, %(file_id)s, %(now)s)
ON CONFLICT (bot_id, sha256) DO UPDATE
SET file_id = excluded.file_id,
    created_at = excluded.created_at
WHERE bot_files.account_id = excluded.account_id;
