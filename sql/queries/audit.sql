-- name: list_recent :many
SELECT actor, action, subject, details, at
FROM audit
WHERE account_id = %(account_id)s
ORDER BY id DESC
LIMIT %(limit)s;

-- name: note :exec
-- account_id is null for what concerns the whole installation.
INSERT INTO audit (account_id, actor, action, subject, details, at)
VALUES (%(account_id)s, %(actor)s, %(action)s, %(subject)s, %(details)s, %(at)s);
