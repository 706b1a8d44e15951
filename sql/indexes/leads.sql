-- Serves sales.count_by_bot: the leads of some days.
-- Plan: Index Scan over those days of one account. The column never changes, so updates of leads stay heap-only.
CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_account_created ON leads (account_id, created_at);
