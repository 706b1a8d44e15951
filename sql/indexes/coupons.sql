-- Serves coupons.list_all, of which an account has a few.
-- Plan: Index Scan.
CREATE INDEX CONCURRENTLY IF NOT EXISTS coupons_account ON coupons (account_id);
