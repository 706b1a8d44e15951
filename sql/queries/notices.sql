-- name: find_lead :one
-- The seller's own chat with a bot.
SELECT leads.id, leads.account_id, leads.bot_id, leads.chat_id
FROM bots
JOIN leads ON leads.id = bots.notices_lead_id
WHERE bots.account_id = %(account_id)s
    AND bots.id = %(bot_id)s;

-- name: set_lead :exec
UPDATE bots
SET notices_lead_id = %(lead_id)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;
