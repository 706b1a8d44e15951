-- name: add :later
-- What became of the coupon that a payment was to be made by.
INSERT INTO coupon_uses (payment_id, account_id, funnel_id, code, discount_cents, state)
SELECT payments.id, payments.account_id, funnel_versions.funnel_id, %(code)s, %(discount_cents)s, %(state)s
FROM payments
JOIN funnel_versions ON funnel_versions.id = payments.version_id
WHERE payments.account_id = %(account_id)s
    AND payments.id = %(payment_id)s;

-- name: was_refused :value
-- hot
SELECT state = 'refused'
FROM coupon_uses
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s;
