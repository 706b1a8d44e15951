-- name: add_first :exec
-- A /start that brought no click: it counts if it is the lead's first.
INSERT INTO starts (account_id, bot_id, lead_id, started_at)
SELECT %(account_id)s, %(bot_id)s, %(lead_id)s, %(now)s
WHERE NOT EXISTS (
    SELECT
    FROM starts
    WHERE lead_id = %(lead_id)s
)
ON CONFLICT DO NOTHING;
