-- Serves payments.list_stale, the sweep over every account for charges asked for and not made.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: it holds the charges of the last seconds, not every sale.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_unmade ON payments (id) WHERE state IN ('new', 'creating');
