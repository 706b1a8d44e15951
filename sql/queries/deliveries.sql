-- name: add :exec
-- Once per payment and step.
INSERT INTO deliveries (account_id, payment_id, lead_id, step, message_id, created_at)
VALUES (%(account_id)s, %(payment_id)s, %(lead_id)s, %(step)s, %(message_id)s, %(now)s)
ON CONFLICT (payment_id, step) DO NOTHING;

-- name: add_attempt :exec
INSERT INTO delivery_attempts (account_id, delivery_id, status, error, at)
VALUES (%(account_id)s, %(delivery_id)s, %(status)s, %(error)s, %(now)s);

-- name: close :one
-- A late word that it was sent after all beats an earlier one that it failed. What takes several messages is carried by the
-- last: it is judged when that one ends, and again whenever one before it does that was tried anew; it is delivered only if
-- none of them is lost. None: nothing is delivered by this message, it is delivered already, or another is on its way.
UPDATE deliveries
SET status = CASE WHEN lost.error IS NULL THEN %(status)s ELSE 'failed' END,
    error = coalesce(%(error)s, lost.error),
    delivered_at = CASE WHEN lost.error IS NULL THEN %(delivered_at)s::timestamptz END,
    tries = deliveries.tries + 1
FROM payments, messages AS told, messages AS last
LEFT JOIN LATERAL (
    SELECT
        min(coalesce(earlier.error, earlier.status)) FILTER (WHERE earlier.status <> 'sent') AS error,
        bool_or(earlier.status IN ('planned', 'sending')) AS is_open
    FROM messages AS earlier
    WHERE earlier.cause = last.cause
        AND earlier.step = last.step
        AND earlier.ordinal < last.ordinal
) AS lost ON true
WHERE told.id = %(message_id)s
    AND told.account_id = %(account_id)s
    AND last.cause = told.cause
    AND last.step = told.step
    AND last.account_id = %(account_id)s
    AND (last.id = told.id OR last.ordinal > told.ordinal AND last.status = 'sent')
    AND lost.is_open IS NOT TRUE
    AND deliveries.account_id = %(account_id)s
    AND deliveries.message_id = last.id
    AND deliveries.status <> 'delivered'
    AND payments.account_id = %(account_id)s
    AND payments.id = deliveries.payment_id
RETURNING
    deliveries.id,
    deliveries.account_id,
    deliveries.payment_id,
    payments.bot_id,
    deliveries.tries,
    deliveries.status,
    deliveries.error;

-- name: count_owed :many
-- Of every account: what was paid for before an instant and is not delivered, by status.
SELECT status, count(*) AS deliveries
FROM (
    SELECT status
    FROM deliveries
    WHERE status <> 'delivered'
        AND created_at < %(before)s
    LIMIT %(limit)s
) AS found
GROUP BY status
ORDER BY status;

-- name: find_by_id :one
-- The id comes from our own timers.
SELECT id, account_id, payment_id, lead_id, status, tries
FROM deliveries
WHERE id = %(delivery_id)s;

-- name: list_attempts :many
SELECT delivery_attempts.status, delivery_attempts.error, delivery_attempts.at
FROM delivery_attempts
WHERE account_id = %(account_id)s
    AND delivery_id = %(delivery_id)s
ORDER BY id;

-- name: list_by_payment :many
SELECT id, step, message_id, status, error, tries, created_at, delivered_at
FROM deliveries
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s
ORDER BY id;

-- name: plan_again :many
-- Failed deliveries of a lead, or the one that is named, become planned, and with them those of their messages that were lost:
-- the one that carries it, those before it; once per failure. What has arrived is not said again.
WITH again AS (
    UPDATE messages
    SET status = 'planned',
        error = NULL,
        regrants = messages.regrants + 1,
        planned_at = %(now)s
    FROM deliveries
    JOIN messages AS last ON last.id = deliveries.message_id AND last.account_id = deliveries.account_id
    WHERE deliveries.account_id = %(account_id)s
        AND deliveries.lead_id = %(lead_id)s
        AND (%(delivery_id)s::bigint IS NULL OR deliveries.id = %(delivery_id)s)
        AND deliveries.status = 'failed'
        AND messages.account_id = %(account_id)s
        AND messages.cause = last.cause
        AND messages.step = last.step
        AND messages.ordinal <= last.ordinal
        AND messages.status = 'failed'
    RETURNING deliveries.id AS delivery_id, messages.id, messages.account_id, messages.bot_id, messages.chat_id, messages.cause, messages.ordinal, messages.regrants
), marked AS (
    UPDATE deliveries
    SET status = 'planned',
        error = NULL
    FROM again
    WHERE deliveries.account_id = %(account_id)s
        AND deliveries.id = again.delivery_id
)
SELECT id, account_id, bot_id, chat_id, cause, ordinal, regrants
FROM again
ORDER BY id;
