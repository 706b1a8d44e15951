-- Serves sales.count_by_bot: the leads of some days.
-- Plan: Index Scan over those days of one account. The column never changes, so updates of leads stay heap-only.
CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_account_created ON leads (account_id, created_at);

-- Serves campaigns.find_page_end and campaigns.list_slice: a bot's leads, a page at a time.
-- Plan: Index Scan of one page. Neither column ever changes, so updates of leads stay heap-only.
CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_bot ON leads (bot_id, id);
