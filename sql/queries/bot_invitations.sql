-- Managed bots that sellers announced (services/managed_bots.py).

-- name: add :exec
INSERT INTO bot_invitations (account_id, manager_id, username, funnel_id, created_at, expires_at)
VALUES (%(account_id)s, %(manager_id)s, %(username)s, %(funnel_id)s, %(now)s, %(expires_at)s);

-- name: close :exec
UPDATE bot_invitations
SET bot_id = %(bot_id)s
WHERE account_id = %(account_id)s
    AND id = %(invitation_id)s;

-- name: find :one
-- The newest that is open.
SELECT id, account_id, funnel_id
FROM bot_invitations
WHERE account_id = %(account_id)s
    AND manager_id = %(manager_id)s
    AND lower(username) = lower(%(username)s)
    AND expires_at > %(now)s
    AND bot_id IS NULL
ORDER BY id DESC
LIMIT 1;
