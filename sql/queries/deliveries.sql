-- name: add :exec
-- Once per payment and step.
INSERT INTO deliveries (account_id, payment_id, lead_id, step, message_id, created_at)
VALUES (%(account_id)s, %(payment_id)s, %(lead_id)s, %(step)s, %(message_id)s, %(now)s)
ON CONFLICT (payment_id, step) DO NOTHING;

-- name: close :exec
-- A late word that it was sent after all beats an earlier one that it failed.
UPDATE deliveries
SET status = %(status)s,
    error = %(error)s,
    delivered_at = %(delivered_at)s
WHERE account_id = %(account_id)s
    AND message_id = %(message_id)s
    AND status <> 'delivered';

-- name: list_by_payment :many
SELECT id, step, message_id, status, error, created_at, delivered_at
FROM deliveries
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s
ORDER BY id;

-- name: plan_again :many
-- Failed deliveries of a lead become planned, and their messages with them; once per failure.
WITH again AS (
    UPDATE messages
    SET status = 'planned',
        error = NULL,
        regrants = messages.regrants + 1,
        planned_at = %(now)s
    FROM deliveries
    WHERE deliveries.account_id = %(account_id)s
        AND deliveries.lead_id = %(lead_id)s
        AND deliveries.status = 'failed'
        AND messages.id = deliveries.message_id
        AND messages.account_id = %(account_id)s
        AND messages.status = 'failed'
    RETURNING messages.id, messages.account_id, messages.bot_id, messages.chat_id, messages.cause, messages.ordinal, messages.regrants
), marked AS (
    UPDATE deliveries
    SET status = 'planned',
        error = NULL
    FROM again
    WHERE deliveries.account_id = %(account_id)s
        AND deliveries.message_id = again.id
)
SELECT id, account_id, bot_id, chat_id, cause, ordinal, regrants
FROM again
ORDER BY id;
