-- The book of every cent (services/ledger.py). Its rows are written by triggers (migration 0020) and never changed.

-- name: add_commission :later
-- From now on, of every sale of the account.
INSERT INTO commissions (account_id, points, cents, begins_at)
VALUES (%(account_id)s, %(points)s, %(cents)s, %(now)s);

-- name: count_differences :value
-- Of every account.
SELECT count(*)
FROM ledger_differences;

-- name: count_stuck :value
-- Of every account: refunds whose job is dead.
SELECT count(*)
FROM payment_returns
WHERE status IN ('asked', 'open')
    AND error IS NOT NULL;

-- name: count_unknown_fees :value
-- Receipts of one currency, noted between two instants, of which the provider has not said what it keeps.
SELECT count(*)
FROM payment_receipts
JOIN payments ON payments.id = payment_receipts.payment_id
WHERE payments.account_id = %(account_id)s
    AND payments.currency = %(currency)s
    AND payment_receipts.fee_cents IS NULL
    AND payment_receipts.noted_at >= %(since)s
    AND payment_receipts.noted_at < %(until)s;

-- name: find_commission :one
SELECT points, cents
FROM commissions
WHERE account_id = %(account_id)s
ORDER BY begins_at DESC, id DESC
LIMIT 1;

-- name: find_last_payment :value
-- Of every account.
SELECT max(id)
FROM payments;

-- name: find_slice_end :value
-- Of every account: the last of so many payments from an id on; null where there are none.
SELECT max(id)
FROM (
    SELECT id
    FROM payments
    WHERE id >= %(first_id)s
    ORDER BY id
    LIMIT %(limit)s
) AS slice;

-- name: forget_differences :exec
-- Of every account, or of one: those of a slice of payments, which is counted anew.
DELETE FROM ledger_differences
WHERE payment_id BETWEEN %(first_id)s AND %(last_id)s
    AND (%(of_account_id)s::bigint IS NULL OR account_id = %(of_account_id)s);

-- name: list_by_payment :many
SELECT kind, debit, credit, amount_cents, currency, booked_at
FROM ledger_entries
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s
ORDER BY id;

-- name: list_entries :many
-- An account's book of one currency between two instants, a page behind the last row seen.
SELECT id, payment_id, kind, debit, credit, amount_cents, currency, booked_at
FROM ledger_entries
WHERE account_id = %(account_id)s
    AND currency = %(currency)s
    AND booked_at >= %(since)s
    AND booked_at < %(until)s
    AND (booked_at, id) > (%(after_at)s, %(after_id)s)
ORDER BY booked_at, id
LIMIT %(limit)s;

-- name: note_difference :exec
INSERT INTO ledger_differences (account_id, payment_id, place, booked_cents, counted_cents, found_at)
VALUES (%(account_id)s, %(payment_id)s, %(place)s, %(booked_cents)s, %(counted_cents)s, %(now)s)
ON CONFLICT (payment_id, place) DO UPDATE
SET booked_cents = EXCLUDED.booked_cents,
    counted_cents = EXCLUDED.counted_cents,
    found_at = EXCLUDED.found_at
WHERE ledger_differences.account_id = EXCLUDED.account_id;

-- name: recount :many
-- Of every account, or of one: where the book of a slice of payments says otherwise than their receipts, returns and deliveries.
WITH sale AS (
    SELECT payments.id, payments.account_id, payments.paid_cents, payments.currency, payments.end_to_end_id, EXISTS (
        SELECT FROM deliveries WHERE deliveries.payment_id = payments.id AND deliveries.status = 'delivered'
    ) AS is_delivered
    FROM payments
    WHERE payments.id BETWEEN %(first_id)s AND %(last_id)s
        AND (%(of_account_id)s::bigint IS NULL OR payments.account_id = %(of_account_id)s)
), receipt AS (
    SELECT sale.account_id, receipt.payment_id, receipt.noted_at, receipt.amount_cents AS cents, coalesce(receipt.fee_cents, 0) AS fee,
        coalesce(back.returned, 0) AS returned, coalesce(back.held, 0) AS held, sale.paid_cents, sale.is_delivered,
        receipt.end_to_end_id IS NOT DISTINCT FROM sale.end_to_end_id AS pays,
        receipt.end_to_end_id IS NOT DISTINCT FROM sale.end_to_end_id AND sale.currency = 'BRL' AS owes
    FROM sale
    JOIN payment_receipts AS receipt ON receipt.payment_id = sale.id
    LEFT JOIN LATERAL (
        SELECT sum(amount_cents) FILTER (WHERE status = 'settled' AND kind <> 'dispute') AS returned,
            sum(amount_cents) FILTER (WHERE status = 'open' AND kind = 'dispute') AS held
        FROM payment_returns
        WHERE receipt_id = receipt.id
    ) AS back ON true
), counted AS (
    SELECT account_id, payment_id, place, sum(part)::bigint AS cents
    FROM receipt
    CROSS JOIN LATERAL (
        VALUES ('provider', cents - fee - returned - held), ('disputed', held), ('fees', fee),
            ('buyers', CASE WHEN pays AND is_delivered THEN 0 ELSE returned - cents END),
            ('earned', CASE WHEN pays AND is_delivered THEN returned - cents ELSE 0 END),
            ('commission', CASE WHEN owes THEN find_commission(account_id, paid_cents, returned::bigint, noted_at) ELSE 0 END),
            ('platform', CASE WHEN owes THEN -find_commission(account_id, paid_cents, returned::bigint, noted_at) ELSE 0 END)
    ) AS told (place, part)
    GROUP BY account_id, payment_id, place
), booked AS (
    SELECT sale.account_id, sale.id AS payment_id, sided.place, sum(sided.part)::bigint AS cents
    FROM sale
    JOIN ledger_entries AS entry ON entry.payment_id = sale.id
    CROSS JOIN LATERAL (
        VALUES (CASE WHEN entry.debit IN ('revenue', 'refunds', 'chargebacks') THEN 'earned' ELSE entry.debit END, entry.amount_cents),
            (CASE WHEN entry.credit IN ('revenue', 'refunds', 'chargebacks') THEN 'earned' ELSE entry.credit END, -entry.amount_cents)
    ) AS sided (place, part)
    GROUP BY sale.account_id, sale.id, sided.place
)
SELECT account_id, payment_id, place, coalesce(booked.cents, 0) AS booked_cents, coalesce(counted.cents, 0) AS counted_cents
FROM booked
FULL JOIN counted USING (account_id, payment_id, place)
WHERE coalesce(booked.cents, 0) <> coalesce(counted.cents, 0)
ORDER BY payment_id, place;

-- name: sum_before :many
-- The balances of an account's book of one currency before an instant, with what kinds moved them.
SELECT place, sum(part)::bigint AS cents
FROM ledger_entries
CROSS JOIN LATERAL (VALUES (debit, amount_cents), (credit, -amount_cents)) AS sided (place, part)
WHERE account_id = %(account_id)s
    AND currency = %(currency)s
    AND booked_at < %(until)s
GROUP BY place
ORDER BY place;
