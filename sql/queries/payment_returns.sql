-- Money that goes back (services/returns.py, refunds.py). Whoever writes here has locked the payment.

-- name: add :one
INSERT INTO payment_returns (account_id, payment_id, receipt_id, kind, status, return_id, amount_cents, idempotency_key, request_key, actor,
    noted_at, returned_at, settled_at)
SELECT %(account_id)s, receipt.payment_id, receipt.id, %(kind)s, %(status)s, %(return_id)s, %(amount_cents)s, %(idempotency_key)s,
    %(request_key)s, %(actor)s, %(now)s, %(returned_at)s,
    CASE WHEN %(status)s IN ('settled', 'void') THEN %(now)s::timestamptz END
FROM payment_receipts AS receipt
WHERE receipt.account_id = %(account_id)s
    AND receipt.id = %(receipt_id)s
RETURNING id, account_id, payment_id, receipt_id, kind, status, return_id, amount_cents, idempotency_key, actor, noted_at,
    (SELECT bot_id FROM payments WHERE payments.id = payment_id) AS bot_id;

-- name: change :one
UPDATE payment_returns
SET status = %(status)s,
    return_id = coalesce(%(return_id)s, return_id),
    amount_cents = %(amount_cents)s,
    reason = %(reason)s,
    error = NULL,
    returned_at = coalesce(%(returned_at)s, returned_at),
    settled_at = CASE WHEN %(status)s IN ('settled', 'void') THEN %(now)s::timestamptz END
WHERE account_id = %(account_id)s
    AND id = %(id)s
RETURNING id, account_id, payment_id, receipt_id, kind, status, return_id, amount_cents, idempotency_key, actor, noted_at;

-- name: claim_open :many
-- Of every account: payments with money whose way back is not decided, and of which nobody asked for a while; each is due again later.
UPDATE payment_returns
SET asked_at = %(now)s
FROM payments
WHERE payments.id = payment_returns.payment_id
    AND payment_returns.id = ANY (ARRAY(
        SELECT id
        FROM payment_returns
        WHERE status IN ('asked', 'open')
            AND coalesce(asked_at, noted_at) < %(before)s
        ORDER BY id
        LIMIT %(limit)s
    ))
RETURNING payment_returns.id, payment_returns.account_id, payment_returns.payment_id, payments.gateway_account_id;

-- name: close_disputes :many
-- A dispute that was decided: its money is counted by the chargeback.
UPDATE payment_returns
SET status = 'settled',
    returned_at = %(now)s,
    settled_at = %(now)s
WHERE account_id = %(account_id)s
    AND receipt_id = %(receipt_id)s
    AND kind = 'dispute'
    AND status = 'open'
RETURNING id;

-- name: find_by_id :one
-- The id comes from our own jobs.
SELECT payment_returns.id, payment_returns.account_id, payment_returns.payment_id, payment_returns.receipt_id, payment_returns.kind,
    payment_returns.status, payment_returns.return_id, payment_returns.amount_cents, payment_returns.idempotency_key,
    payment_returns.actor, payment_returns.noted_at, payment_receipts.end_to_end_id
FROM payment_returns
JOIN payment_receipts ON payment_receipts.id = payment_returns.receipt_id
WHERE payment_returns.id = %(id)s;

-- name: find_by_request :one
SELECT id, account_id, payment_id, receipt_id, kind, status, return_id, amount_cents, idempotency_key, actor, noted_at,
    (SELECT bot_id FROM payments WHERE payments.id = payment_id) AS bot_id
FROM payment_returns
WHERE account_id = %(account_id)s
    AND request_key = %(request_key)s;

-- name: list_by_payment :many
SELECT payment_returns.id, payment_returns.account_id, payment_returns.payment_id, payment_returns.receipt_id, payment_returns.kind,
    payment_returns.status, payment_returns.return_id, payment_returns.amount_cents, payment_returns.idempotency_key,
    payment_returns.actor, payment_returns.reason, payment_returns.error, payment_returns.noted_at, payment_returns.returned_at,
    payment_returns.settled_at, payment_receipts.end_to_end_id
FROM payment_returns
JOIN payment_receipts ON payment_receipts.id = payment_returns.receipt_id
WHERE payment_returns.account_id = %(account_id)s
    AND payment_returns.payment_id = %(payment_id)s
ORDER BY payment_returns.id;

-- name: list_receipts :many
-- With what of each has not gone back, is not on its way back and is not disputed.
SELECT receipt.id, receipt.end_to_end_id, receipt.amount_cents, receipt.paid_at, receipt.fee_cents, receipt.amount_cents - coalesce((
    SELECT sum(back.amount_cents)
    FROM payment_returns AS back
    WHERE back.receipt_id = receipt.id
        AND (back.status IN ('asked', 'open') OR (back.status = 'settled' AND back.kind <> 'dispute'))
), 0)::bigint AS left_cents
FROM payment_receipts AS receipt
WHERE receipt.account_id = %(account_id)s
    AND receipt.payment_id = %(payment_id)s
ORDER BY receipt.id;

-- name: list_stale :many
-- Of every account, for the sweep, a page behind the id `after`: refunds of ours that no provider has settled.
SELECT payment_returns.id, payment_returns.account_id, payments.bot_id
FROM payment_returns
JOIN payments ON payments.id = payment_returns.payment_id
WHERE payment_returns.status IN ('asked', 'open')
    AND payment_returns.idempotency_key IS NOT NULL
    AND payment_returns.error IS NULL
    AND payment_returns.noted_at < %(before)s
    AND payment_returns.id > %(after)s
ORDER BY payment_returns.id
LIMIT %(limit)s;

-- name: note_error :exec
UPDATE payment_returns
SET error = %(error)s
WHERE account_id = %(account_id)s
    AND id = %(id)s
    AND status IN ('asked', 'open');
