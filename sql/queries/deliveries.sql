-- name: add :later
-- Once per payment and step. Its message is planned in the same transaction; the foreign key sees that it is the account's.
INSERT INTO deliveries (account_id, payment_id, lead_id, step, message_id, created_at)
VALUES (%(account_id)s, %(payment_id)s, %(lead_id)s, %(step)s,
    (SELECT id FROM messages WHERE cause = %(cause)s AND ordinal = %(ordinal)s), %(now)s)
ON CONFLICT (payment_id, step) DO NOTHING;

-- name: add_attempt :later
INSERT INTO delivery_attempts (account_id, delivery_id, status, error, at)
VALUES (%(account_id)s, %(delivery_id)s, %(status)s, %(error)s, %(now)s);

-- name: close :one
-- What the messages of a delivery say together, now that one of them has ended: delivered when all are sent, failed when one was lost
-- and none is on its way. A late word that one was sent after all counts. `is_passing`: it is worth trying again. None: the message is
-- no part of a delivery, or others are on their way, or it is delivered already.
WITH known AS (
    SELECT deliveries.id, payments.bot_id, every(parts.status = 'sent') AS is_whole,
        bool_or(parts.status IN ('planned', 'sending')) AS is_on_its_way,
        bool_or(parts.status = 'failed' AND NOT parts.is_lasting) AS is_passing,
        (array_agg(coalesce(parts.error, parts.status) ORDER BY parts.ordinal) FILTER (WHERE parts.status <> 'sent'))[1] AS lost,
        (array_agg(parts.error ORDER BY parts.ordinal) FILTER (WHERE parts.error IS NOT NULL))[1] AS remark
    FROM messages AS told
    JOIN payments ON payments.id = told.payment_id
    JOIN deliveries ON deliveries.payment_id = payments.id
    JOIN messages AS carrier ON carrier.id = deliveries.message_id AND (carrier.cause, carrier.step) = (told.cause, told.step)
    JOIN messages AS parts ON parts.cause = carrier.cause AND parts.step = carrier.step
    WHERE told.id = %(message_id)s
        AND told.account_id = %(account_id)s
        AND deliveries.account_id = %(account_id)s
    GROUP BY deliveries.id, payments.bot_id
)
UPDATE deliveries
SET status = CASE WHEN known.is_whole THEN 'delivered' ELSE 'failed' END,
    error = CASE WHEN known.is_whole THEN known.remark ELSE known.lost END,
    delivered_at = CASE WHEN known.is_whole THEN %(now)s::timestamptz END,
    tries = deliveries.tries + 1
FROM known
WHERE deliveries.id = known.id
    AND deliveries.account_id = %(account_id)s
    AND deliveries.status <> 'delivered'
    AND (known.is_whole OR (NOT known.is_on_its_way AND deliveries.status <> 'revoked'))
RETURNING deliveries.id, deliveries.account_id, deliveries.payment_id, known.bot_id, deliveries.tries, deliveries.status,
    deliveries.error, known.is_passing;

-- name: count_owed :many
-- Of every account: what was paid for before an instant and is not delivered, by status.
SELECT status, count(*) AS deliveries
FROM (
    SELECT status
    FROM deliveries
    WHERE status IN ('planned', 'failed')
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
-- Failed deliveries of a lead, or the one that is named, become planned, and those of their messages that were lost; once per failure.
WITH again AS (
    UPDATE messages
    SET status = 'planned',
        error = NULL,
        is_lasting = false,
        regrants = messages.regrants + 1,
        planned_at = %(now)s,
        sending_at = NULL
    FROM deliveries
    JOIN messages AS carrier ON carrier.id = deliveries.message_id AND carrier.account_id = deliveries.account_id
    WHERE deliveries.account_id = %(account_id)s
        AND deliveries.lead_id = %(lead_id)s
        AND (%(delivery_id)s::bigint IS NULL OR deliveries.id = %(delivery_id)s)
        AND deliveries.status = 'failed'
        AND messages.account_id = %(account_id)s
        AND messages.cause = carrier.cause
        AND messages.step = carrier.step
        AND messages.status = 'failed'
    RETURNING messages.id, messages.account_id, messages.bot_id, messages.chat_id, messages.cause, messages.ordinal, messages.regrants,
        deliveries.id AS delivery_id
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

-- name: reinstate :many
-- What was not handed over because its money was disputed is planned; those who hold a row hand it over just now.
WITH again AS (
    UPDATE messages
    SET status = 'planned',
        error = NULL,
        is_lasting = false,
        regrants = messages.regrants + 1,
        planned_at = %(now)s,
        sending_at = NULL
    FROM deliveries
    JOIN messages AS carrier ON carrier.id = deliveries.message_id AND carrier.account_id = deliveries.account_id
    WHERE deliveries.account_id = %(account_id)s
        AND deliveries.payment_id = %(payment_id)s
        AND deliveries.status = 'revoked'
        AND messages.account_id = %(account_id)s
        AND messages.cause = carrier.cause
        AND messages.step = carrier.step
        AND messages.status IN ('failed', 'discarded')
    RETURNING messages.id, messages.account_id, messages.bot_id, messages.chat_id, messages.cause, messages.ordinal, messages.regrants,
        deliveries.id AS delivery_id
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

-- name: revoke :value
-- What a payment paid for and is not handed over is not to be any more. Rows that somebody holds are being handed over: they are left,
-- for whoever holds them may wait for the payment, which the caller has locked. Returns how many deliveries those were.
WITH revoked AS (
    UPDATE deliveries
    SET status = 'revoked'
    WHERE id IN (
        SELECT id
        FROM deliveries
        WHERE account_id = %(account_id)s
            AND payment_id = %(payment_id)s
            AND status IN ('planned', 'failed')
        FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING message_id
), discarded AS (
    UPDATE messages
    SET status = 'discarded'
    WHERE account_id = %(account_id)s
        AND id IN (
            SELECT parts.id
            FROM revoked
            JOIN messages AS carrier ON carrier.id = revoked.message_id
            JOIN messages AS parts ON parts.cause = carrier.cause AND parts.step = carrier.step
            WHERE parts.status = 'planned'
            FOR NO KEY UPDATE OF parts SKIP LOCKED
        )
)
SELECT count(*)
FROM revoked;
