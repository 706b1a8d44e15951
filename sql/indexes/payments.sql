-- Serves payments.list_stale, the sweep over every account for charges asked for and not made.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: it holds the charges of the last seconds, not every sale.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_unmade ON payments (id) WHERE state IN ('new', 'creating');

-- Serves sales.count_by_bot: the charges of some days.
-- Plan: Index Scan over those days of one account.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_account_created ON payments (account_id, created_at);

-- Serves sales.count_by_bot: what was paid in some days.
-- Plan: Index Scan over those days of one account. Partial: most charges are never paid.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_account_paid ON payments (account_id, paid_at) WHERE paid_at IS NOT NULL;
