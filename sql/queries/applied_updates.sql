-- name: forget :exec
-- Of a bot that another took the place of.
DELETE FROM applied_updates
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s;
