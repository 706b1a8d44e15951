-- name: add :one
-- The row of this cause and ordinal, old or new (the update changes nothing: it makes a known row come back). Takes the account's
-- active gateway account, if it has one, and the click that brought the lead last.
INSERT INTO payments (account_id, bot_id, lead_id, gateway_account_id, click_id, version_id, step, cause, ordinal, items, description,
    amount_cents, expires_in_seconds, idempotency_key, created_at, updated_at)
VALUES (%(account_id)s, %(bot_id)s, %(lead_id)s,
    (SELECT id FROM gateway_accounts WHERE account_id = %(account_id)s AND is_active),
    (SELECT last_click_id FROM leads WHERE account_id = %(account_id)s AND id = %(lead_id)s),
    %(version_id)s, %(step)s, %(cause)s, %(ordinal)s, %(items)s, %(description)s,
    %(amount_cents)s, %(expires_in_seconds)s, %(idempotency_key)s, %(now)s, %(now)s)
ON CONFLICT (cause, ordinal) DO UPDATE
SET cause = excluded.cause
WHERE payments.account_id = excluded.account_id
RETURNING id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, created_at;

-- name: add_receipt :value
-- Its id; None when this transfer was noted before.
INSERT INTO payment_receipts (account_id, payment_id, end_to_end_id, amount_cents, paid_at, noted_at)
VALUES (%(account_id)s, %(payment_id)s, %(end_to_end_id)s, %(amount_cents)s, %(paid_at)s, %(now)s)
ON CONFLICT (payment_id, end_to_end_id) DO NOTHING
RETURNING id;

-- name: add_transition :exec
INSERT INTO payment_transitions (account_id, payment_id, from_state, to_state, actor, reason, event_id, at)
VALUES (%(account_id)s, %(payment_id)s, %(from_state)s, %(to_state)s, %(actor)s, %(reason)s, %(event_id)s, %(now)s);

-- name: find :one
-- hot
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, created_at
FROM payments
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s;

-- name: find_by_id :one
-- The id comes from our own rows and jobs, never from outside.
-- hot
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, created_at
FROM payments
WHERE id = %(payment_id)s;

-- name: find_by_reference :one
-- By any id the provider may name a charge with, inside one gateway account. Before `create` answered only our own key is known.
-- hot
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, created_at
FROM payments
WHERE gateway_account_id = %(gateway_account_id)s
    AND (txid = %(txid)s OR idempotency_key = %(txid)s OR provider_id = %(provider_id)s)
ORDER BY id
LIMIT 1;

-- name: list_open_by_cause :many
-- hot
SELECT id, account_id, bot_id, cause, ordinal
FROM payments
WHERE account_id = %(account_id)s
    AND cause = %(cause)s
    AND state IN ('new', 'creating')
ORDER BY ordinal;

-- name: list_receipts :many
SELECT end_to_end_id, amount_cents, paid_at
FROM payment_receipts
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s
ORDER BY id;

-- name: list_stale :many
-- Of every account, for the sweep, a page behind the id `after`: charges asked for and not made.
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, created_at
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
SELECT id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, created_at
FROM payments
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s
FOR UPDATE;

-- name: mark_paid :one
-- The one door to paid. None: it was paid before, or its charge was never asked for.
UPDATE payments
SET state = 'paid',
    paid_cents = %(paid_cents)s,
    paid_at = %(paid_at)s,
    end_to_end_id = %(end_to_end_id)s,
    flags = %(flags)s::text[],
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s
    AND state IN ('creating', 'pending', 'expired', 'cancelled')
RETURNING id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, created_at;

-- name: move :one
-- None when it is not in from_state any more.
UPDATE payments
SET state = %(to_state)s,
    error = coalesce(%(error)s, error),
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s
    AND state = %(from_state)s
RETURNING id, account_id, bot_id, lead_id, gateway_account_id, version_id, step, cause, ordinal, description, amount_cents, state,
    idempotency_key, txid, provider_id, code, expires_in_seconds, expires_at, flags, created_at;

-- name: note_charge :exec
-- What the provider made, whatever has become of the payment meanwhile.
UPDATE payments
SET txid = %(txid)s,
    provider_id = %(provider_id)s,
    code = %(code)s,
    expires_at = %(expires_at)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s;

-- name: set_flags :exec
UPDATE payments
SET flags = %(flags)s::text[],
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(payment_id)s;
