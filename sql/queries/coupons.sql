-- name: count :value
-- One more of the coupon a payment is to be made by, and how many that makes; null where `uses` are taken already.
INSERT INTO coupons (account_id, funnel_id, code, taken)
SELECT payments.account_id, funnel_versions.funnel_id, %(code)s, 1
FROM payments
JOIN funnel_versions ON funnel_versions.id = payments.version_id
WHERE payments.account_id = %(account_id)s
    AND payments.id = %(payment_id)s
ON CONFLICT (funnel_id, code) DO UPDATE
SET taken = coupons.taken + 1
WHERE coupons.account_id = excluded.account_id
    AND (%(uses)s::integer IS NULL OR coupons.taken < %(uses)s)
RETURNING taken;

-- name: list_all :many
-- How often each coupon of an account's funnels is taken, how often that was paid, and what it took off then.
SELECT (SELECT name FROM funnels WHERE funnels.id = coupons.funnel_id) AS funnel, coupons.code, coupons.taken, used.paid,
    used.discount_cents
FROM coupons
CROSS JOIN LATERAL (
    SELECT count(*) AS paid, coalesce(sum(coupon_uses.discount_cents), 0)::bigint AS discount_cents
    FROM coupon_uses
    JOIN payments ON payments.id = coupon_uses.payment_id
    WHERE coupon_uses.funnel_id = coupons.funnel_id
        AND coupon_uses.code = coupons.code
        AND payments.paid_at IS NOT NULL
) AS used
WHERE coupons.account_id = %(account_id)s
ORDER BY funnel, coupons.code;
