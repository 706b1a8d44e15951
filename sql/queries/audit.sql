-- name: list_by_subject :many
-- What was done to one thing of the whole installation, the first act first.
SELECT audit.at, audit.action, audit.actor, users.email
FROM audit
LEFT JOIN users ON users.id = substring(audit.actor FROM '^user:([0-9]{1,18})$')::bigint
WHERE audit.subject = %(subject)s
    AND audit.account_id IS NULL
ORDER BY audit.id
LIMIT %(limit)s;

-- name: list_page :many
-- Of the whole installation, the newest first. Of what accounts do the details are theirs.
SELECT audit.id, audit.at, audit.action, audit.actor, audit.subject, users.email, accounts.name AS account,
    CASE WHEN audit.account_id IS NULL THEN audit.details ELSE '{}' END AS details
FROM audit
LEFT JOIN users ON users.id = substring(audit.actor FROM '^user:([0-9]{1,18})$')::bigint
LEFT JOIN accounts ON accounts.id = audit.account_id
WHERE audit.id < %(before_id)s
ORDER BY audit.id DESC
LIMIT %(limit)s;

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
