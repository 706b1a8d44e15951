-- name: add :one
-- The row of this cause and ordinal, old or new (the update changes nothing: it makes a known row come back). Takes the account's
-- gateway account that is asked first, if it has one, or the bot's own for Stars, and the click that brought the lead last.
INSERT INTO payments (account_id, bot_id, lead_id, gateway_account_id, click_id, version_id, step, cause, ordinal, items, description,
    amount_cents, currency, expires_in_seconds, idempotency_key, created_at, updated_at)
VALUES (%(account_id)s, %(bot_id)s, %(lead_id)s,
    (SELECT id FROM gateway_accounts WHERE account_id = %(account_id)s
         AND CASE %(currency)s WHEN 'XTR' THEN bot_id = %(bot_id)s ELSE is_active OR backup_place IS NOT NULL END
     ORDER BY is_active DESC, backup_place, id LIMIT 1),
    (SELECT last_click_id FROM leads WHERE account_id = %(account_id)s AND id = %(lead_id)s),
    %(version_id)s, %(step)s, %(cause)s, %(ordinal)s, %(items)s, %(description)s,
    %(amount_cents)s, %(currency)s, %(expires_in_seconds)s, %(idempotency_key)s, %(now)s, %(now)s)
ON CONFLICT (cause, ordinal) DO UPDATE
SET cause = excluded.cause
WHERE payments.account_id = excluded.account_id
RETURNING id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, currency, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, checks, created_at;

-- name: add_receipt :value
-- Its id; None when this transfer was noted before.
INSERT INTO payment_receipts (account_id, payment_id, end_to_end_id, amount_cents, paid_at, fee_cents, noted_at)
VALUES (%(account_id)s, %(payment_id)s, %(end_to_end_id)s, %(amount_cents)s, %(paid_at)s, %(fee_cents)s, %(now)s)
ON CONFLICT (payment_id, end_to_end_id) DO NOTHING
RETURNING id;

-- name: add_transition :later
INSERT INTO payment_transitions (account_id, payment_id, from_state, to_state, actor, reason, event_id, at)
VALUES (%(account_id)s, %(payment_id)s, %(from_state)s, %(to_state)s, %(actor)s, %(reason)s, %(event_id)s, %(now)s);

-- name: ask_at :later
-- From now on this gateway account may have its charge, and no other. Nothing happens where it is being made no more.
WITH forgotten AS (
    DELETE FROM payment_refusals
    WHERE account_id = %(account_id)s
        AND payment_id = %(payment_id)s
        AND gateway_account_id = %(gateway_account_id)s
)
UPDATE payments
SET gateway_account_id = %(gateway_account_id)s,
    state = 'creating',
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s
    AND state IN ('new', 'creating');

-- name: claim_checks :many
-- Of every account: charges to ask about now. Of each gateway account the few that are due longest, so that one with thousands
-- starves nobody; of all those the ones due longest. Each is due again at claimed_until, should the question get lost.
-- hot
WITH RECURSIVE owners AS (
    (
        SELECT gateway_account_id AS id
        FROM payments
        WHERE next_check_at IS NOT NULL
        ORDER BY gateway_account_id
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT gateway_account_id
        FROM payments
        WHERE next_check_at IS NOT NULL
            AND gateway_account_id > owners.id
        ORDER BY gateway_account_id
        LIMIT 1
    )
    FROM owners
    WHERE owners.id IS NOT NULL
), due AS (
    SELECT oldest.id
    FROM owners
    CROSS JOIN LATERAL (
        SELECT id, next_check_at
        FROM payments
        WHERE gateway_account_id = owners.id
            AND next_check_at <= %(now)s
        ORDER BY next_check_at
        LIMIT %(limit_each)s
    ) AS oldest
    ORDER BY oldest.next_check_at
    LIMIT %(limit)s
), mine AS (
    SELECT payments.id
    FROM payments
    WHERE payments.id IN (SELECT due.id FROM due)
        AND next_check_at <= %(now)s
    FOR UPDATE SKIP LOCKED
)
UPDATE payments
SET next_check_at = %(claimed_until)s
FROM mine
WHERE payments.id = mine.id
RETURNING payments.id, payments.account_id, payments.gateway_account_id, payments.checks;

-- name: correct_fee :exec
-- What the provider keeps of a transfer, where it said something else before, or nothing.
UPDATE payment_receipts
SET fee_cents = %(fee_cents)s,
    fee_revision = fee_revision + 1,
    fee_noted_at = %(now)s
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s
    AND end_to_end_id = %(end_to_end_id)s
    AND fee_cents IS DISTINCT FROM %(fee_cents)s::bigint;

-- name: count_flagged :many
-- Of every account: payments by flag; one with two flags counts for both.
SELECT flag, count(*) AS payments
FROM (
    SELECT unnest(flags) AS flag
    FROM payments
    WHERE flags <> '{}'
    LIMIT %(limit)s
) AS found
GROUP BY flag
ORDER BY flag;

-- name: find :one
-- hot
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, currency, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, checks, created_at
FROM payments
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s;

-- name: find_by_id :one
-- The id comes from our own rows and jobs, never from outside.
-- hot
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, currency, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, checks, created_at
FROM payments
WHERE id = %(payment_id)s;

-- name: find_by_key :one
-- By our own key, as Telegram gives it back; only a charge of this bot. With its buyer's chat.
-- hot
SELECT payments.id, payments.account_id, payments.bot_id, payments.lead_id, payments.gateway_account_id, payments.version_id, payments.step,
    payments.cause, payments.ordinal, payments.description, payments.amount_cents, payments.currency, payments.state,
    payments.idempotency_key, payments.txid, payments.provider_id, payments.code, payments.expires_in_seconds, payments.expires_at,
    payments.flags, payments.checks, payments.created_at, leads.chat_id
FROM payments
JOIN leads ON leads.id = payments.lead_id
WHERE payments.account_id = %(account_id)s
    AND payments.bot_id = %(bot_id)s
    AND payments.idempotency_key = %(idempotency_key)s;

-- name: find_by_reference :one
-- By any id the provider may name a charge with, inside one gateway account. Before `create` answered only our own key is known.
-- hot
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, currency, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, checks, created_at
FROM payments
WHERE gateway_account_id = %(gateway_account_id)s
    AND (txid = %(txid)s OR idempotency_key = %(txid)s OR provider_id = %(provider_id)s)
ORDER BY id
LIMIT 1;

-- name: find_by_transfer :one
-- By the id of a transfer that was noted for it, inside one gateway account: what goes back is often named by nothing else.
-- hot
SELECT payments.id, payments.account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description,
    payments.amount_cents, state, idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, checks, created_at
FROM payment_receipts
JOIN payments ON payments.id = payment_receipts.payment_id
WHERE payment_receipts.end_to_end_id = %(end_to_end_id)s
    AND payments.gateway_account_id = %(gateway_account_id)s
ORDER BY payments.id
LIMIT 1;

-- name: find_refused :one
-- Of a charge that this gateway account surely had not made when the next one was asked, by our key: should it speak of it all the same.
SELECT payments.id, payments.account_id, bot_id, lead_id, payments.gateway_account_id, version_id, step, cause, ordinal, description,
    amount_cents, state, idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, checks, created_at
FROM payments
JOIN payment_refusals ON payment_refusals.payment_id = payments.id
WHERE payments.idempotency_key = %(key)s
    AND payment_refusals.gateway_account_id = %(gateway_account_id)s;

-- name: has_paid_twin :value
-- Whether the same lead has paid for the same things at the same step while this charge was open: then it is one order, paid twice.
-- What it bought before this charge was made, or asked for after this one was paid, is another.
SELECT EXISTS (
    SELECT
    FROM payments AS twin
    JOIN payments AS mine ON mine.lead_id = twin.lead_id
    WHERE mine.account_id = %(account_id)s
        AND mine.id = %(payment_id)s
        AND twin.account_id = %(account_id)s
        AND twin.id <> mine.id
        AND twin.step = mine.step
        AND twin.items = mine.items
        AND twin.paid_at >= mine.created_at
        AND twin.created_at <= %(paid_at)s
);

-- name: hasten_check :exec
-- Ask about it then, unless that is to be done earlier.
UPDATE payments
SET next_check_at = least(next_check_at, %(next_check_at)s)
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s
    AND state IN ('pending', 'expired');

-- name: is_on_sale :value
-- Whether what a charge was made for can still be bought: its bot is in service, and its funnel, as it is now, offers all of it.
SELECT bots.status <> 'removed' AND NOT EXISTS (
    SELECT
    FROM jsonb_array_elements(payments.items) AS item
    WHERE NOT jsonb_path_exists(latest.definition, '$.funnel.steps[*] ? (@.id == $offer)',
        jsonb_build_object('offer', item -> 'offer'))
)
FROM payments
JOIN bots ON bots.id = payments.bot_id
JOIN funnel_versions AS own ON own.id = payments.version_id
JOIN funnels ON funnels.id = own.funnel_id
JOIN funnel_versions AS latest ON latest.id = funnels.current_version_id
WHERE payments.account_id = %(account_id)s
    AND payments.id = %(payment_id)s;

-- name: is_refused :value
-- Whether a gateway account surely has no charge of this payment.
SELECT EXISTS (
    SELECT
    FROM payment_refusals
    WHERE account_id = %(account_id)s
        AND payment_id = %(payment_id)s
        AND gateway_account_id = %(gateway_account_id)s
);

-- name: list_open_by_cause :many
-- hot
SELECT id, account_id, bot_id, cause, ordinal
FROM payments
WHERE account_id = %(account_id)s
    AND cause = %(cause)s
    AND state IN ('new', 'creating')
ORDER BY ordinal;

-- name: list_paid :many
-- What was paid through a gateway account between two instants.
SELECT id, txid, provider_id, idempotency_key, paid_cents, paid_at
FROM payments
WHERE account_id = %(account_id)s
    AND gateway_account_id = %(gateway_account_id)s
    AND paid_at >= %(since)s
    AND paid_at < %(until)s
ORDER BY paid_at;

-- name: list_receipts :many
SELECT end_to_end_id, amount_cents, paid_at
FROM payment_receipts
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s
ORDER BY id;

-- name: list_stale :many
-- Of every account, for the sweep, a page behind the id `after`: charges asked for and not made.
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, currency, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, checks, created_at
FROM payments
WHERE state IN ('new', 'creating')
    AND updated_at < %(before)s
    AND id > %(after)s
ORDER BY id
LIMIT %(limit)s;

-- name: list_transitions :many
SELECT from_state, to_state, actor, reason, event_id, at
FROM payment_transitions
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s
ORDER BY id;

-- name: lock :one
-- After the lead's lock, never before it.
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, currency, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, checks, created_at, end_to_end_id, paid_cents
FROM payments
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s
FOR UPDATE;

-- name: lock_with_lead :one
-- The lead first, so that nobody deadlocks.
-- hot
WITH lead AS MATERIALIZED (
    SELECT id, account_id, bot_id, chat_id, first_name, last_name, username, language_code, status, start_param, version_id, step, state,
        key_encrypted
    FROM leads
    WHERE account_id = %(account_id)s
        AND id = %(lead_id)s
    FOR UPDATE
)
SELECT payments.id, payments.account_id, payments.bot_id, lead_id, gateway_account_id, payments.version_id, payments.step, cause, ordinal,
    description, amount_cents, currency, payments.state, idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags,
    checks, created_at, end_to_end_id, paid_cents,
    lead.id AS "lead.id", lead.account_id AS "lead.account_id", lead.bot_id AS "lead.bot_id", lead.chat_id AS "lead.chat_id",
    lead.first_name AS "lead.first_name", lead.last_name AS "lead.last_name", lead.username AS "lead.username",
    lead.language_code AS "lead.language_code", lead.status AS "lead.status", lead.start_param AS "lead.start_param",
    lead.version_id AS "lead.version_id", lead.step AS "lead.step", lead.state AS "lead.state",
    lead.key_encrypted AS "lead.key_encrypted"
FROM lead
JOIN payments ON payments.lead_id = lead.id
WHERE payments.account_id = %(account_id)s
    AND payments.id = %(payment_id)s
FOR UPDATE OF payments;

-- name: mark_paid :one
-- The one door to paid. None: it was paid before, or its charge was never asked for.
UPDATE payments
SET state = 'paid',
    paid_cents = %(paid_cents)s,
    paid_at = %(paid_at)s,
    end_to_end_id = %(end_to_end_id)s,
    flags = %(flags)s::text[],
    next_check_at = NULL,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s
    AND state IN ('creating', 'pending', 'expired', 'cancelled')
RETURNING id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, currency, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, checks, created_at;

-- name: move :later
-- And who did so, and why. Nothing happens when it is not in from_state any more.
WITH moved AS (
    UPDATE payments
    SET state = %(to_state)s,
        error = coalesce(%(error)s, error),
        updated_at = %(now)s
    WHERE account_id = %(account_id)s
        AND id = %(payment_id)s
        AND state = %(from_state)s
    RETURNING id, account_id
)
INSERT INTO payment_transitions (account_id, payment_id, from_state, to_state, actor, reason, event_id, at)
SELECT account_id, id, %(from_state)s, %(to_state)s, %(actor)s, %(reason)s, %(event_id)s, %(now)s
FROM moved;

-- name: note_charge :later
-- What the provider made, whatever has become of the payment meanwhile; the state it comes into by that, or stays in. It is asked
-- about then, unless that is to be done earlier; null: no earlier than before.
UPDATE payments
SET txid = %(txid)s,
    provider_id = %(provider_id)s,
    code = %(code)s,
    expires_at = %(expires_at)s,
    state = %(to_state)s,
    next_check_at = least(next_check_at, %(next_check_at)s),
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s;

-- name: note_check :exec
-- It was asked about; `checks`: how often before, so that whoever comes late changes nothing. Null: not to be asked about again.
UPDATE payments
SET checks = checks + 1,
    next_check_at = %(next_check_at)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s
    AND checks = %(checks)s
    AND state IN ('pending', 'expired');

-- name: refuse :exec
-- Note that a gateway account surely has no charge of this payment.
INSERT INTO payment_refusals (account_id, payment_id, gateway_account_id, reason, at)
VALUES (%(account_id)s, %(payment_id)s, %(gateway_account_id)s, %(reason)s, %(now)s)
ON CONFLICT (payment_id, gateway_account_id) DO UPDATE
SET reason = excluded.reason,
    at = excluded.at
WHERE payment_refusals.account_id = excluded.account_id;

-- name: set_flags :exec
UPDATE payments
SET flags = %(flags)s::text[],
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s;

-- name: take_turn_to_ask :value
-- True for one caller in a while: the provider may be asked now. The others learn from the row what he has found.
UPDATE payments
SET asked_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s
    AND (asked_at IS NULL OR asked_at <= %(before)s)
RETURNING true;
