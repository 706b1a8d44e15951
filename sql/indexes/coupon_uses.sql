-- Serves coupons.list_all: what was paid by one coupon.
-- Plan: Index Scan; as many rows as the coupon was used.
CREATE INDEX CONCURRENTLY IF NOT EXISTS coupon_uses_coupon ON coupon_uses (funnel_id, code);
