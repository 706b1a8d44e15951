-- Serves figures.rebuild: an account's starts, when its time zone changes.
-- Plan: Index Scan. The column never changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS starts_account ON starts (account_id);
