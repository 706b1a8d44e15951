-- name: claim :value
-- The right to upload, until an instant: true for one process at a time, and while there is no file id.
INSERT INTO bot_files (account_id, bot_id, sha256, form, uploading_until, created_at)
VALUES (%(account_id)s, %(bot_id)s, %(sha256)s, %(form)s, %(until)s, %(now)s)
ON CONFLICT (bot_id, sha256, form) DO UPDATE
SET uploading_until = excluded.uploading_until
WHERE bot_files.account_id = excluded.account_id
    AND bot_files.file_id IS NULL
    AND (bot_files.uploading_until IS NULL OR bot_files.uploading_until <= excluded.created_at)
RETURNING true;

-- name: find_file_id :value
-- hot
SELECT file_id
FROM bot_files
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND sha256 = %(sha256)s
    AND form = %(form)s;

-- name: forget :exec
-- This one only: another attempt may have stored a good one meanwhile.
UPDATE bot_files
SET file_id = NULL,
    uploading_until = NULL
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND sha256 = %(sha256)s
    AND form = %(form)s
    AND file_id = %(file_id)s;

-- name: forget_all :exec
-- Of a bot that another took the place of: a file id belongs to one bot.
DELETE FROM bot_files
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s;

-- name: release :exec
-- An upload came to nothing: the next may try at once.
UPDATE bot_files
SET uploading_until = NULL
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND sha256 = %(sha256)s
    AND form = %(form)s;

-- name: remember :exec
INSERT INTO bot_files (account_id, bot_id, sha256, form, file_id, created_at)
VALUES (%(account_id)s, %(bot_id)s, %(sha256)s, %(form)s, %(file_id)s, %(now)s)
ON CONFLICT (bot_id, sha256, form) DO UPDATE
SET file_id = excluded.file_id,
    uploading_until = NULL,
    created_at = excluded.created_at
WHERE bot_files.account_id = excluded.account_id;
