-- Serves sales.count_by_bot: the leads of some days.
-- Plan: Index Scan over those days of one account. The column never changes, so updates of leads stay heap-only.
CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_account_created ON leads (account_id, created_at);

-- Serves campaigns.find_page_end and campaigns.list_slice: a bot's leads, a page at a time.
-- Plan: Index Scan of one page. Neither column ever changes, so updates of leads stay heap-only.
CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_bot ON leads (bot_id, id);

-- Serve clicks.forget_old, and Postgres itself when a click is deleted: whose click it is.
-- Plan: Index Scans, a row each. Partial: most leads came by themselves. They change with a /start out of an ad alone.
CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_first_click ON leads (first_click_id) WHERE first_click_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_last_click ON leads (last_click_id) WHERE last_click_id IS NOT NULL;

-- Serves privacy.find_leads: who answered an e-mail, a CPF or a telephone, by its keyed hash.
-- Plan: Bitmap Index Scan, a few rows. Partial: most leads have told nothing. It changes with an answer only.
CREATE INDEX CONCURRENTLY IF NOT EXISTS leads_marks ON leads USING gin (marks) WHERE marks IS NOT NULL;
