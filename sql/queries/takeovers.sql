-- name: add :one
INSERT INTO takeovers (account_id, bot_id, lead_id, actor, began_at, until)
VALUES (%(account_id)s, %(bot_id)s, %(lead_id)s, %(actor)s, %(now)s, %(until)s)
RETURNING id;

-- name: finish :exec
-- 0: nobody has the chat.
UPDATE takeovers
SET ended_at = %(now)s
WHERE account_id = %(account_id)s
    AND lead_id = %(lead_id)s
    AND ended_at IS NULL;

-- name: list_open :many
SELECT takeovers.id, takeovers.lead_id, leads.first_name, leads.username, leads.chat_id, leads.step, bots.username AS bot,
    takeovers.actor, takeovers.began_at, takeovers.until
FROM takeovers
JOIN leads ON leads.id = takeovers.lead_id
JOIN bots ON bots.id = takeovers.bot_id
WHERE takeovers.account_id = %(account_id)s
    AND takeovers.ended_at IS NULL
ORDER BY takeovers.id DESC
LIMIT %(limit)s;
