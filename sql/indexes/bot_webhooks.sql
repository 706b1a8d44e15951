-- Serves webhooks.claim_due and webhooks.count_asked: whose turn it is to be asked about, and how many were in the last minute.
-- Plan: Index Scan in the order of asked_at, up to its LIMIT. Each bot's row moves in it once a minute at most.
CREATE INDEX CONCURRENTLY IF NOT EXISTS bot_webhooks_asked ON bot_webhooks (asked_at);

-- Serves webhooks.list_lost and sales.count_trouble: webhooks that are not ours any more.
-- Plan: Index Scan. Partial: it holds the few that a person must look at.
CREATE INDEX CONCURRENTLY IF NOT EXISTS bot_webhooks_lost ON bot_webhooks (account_id, bot_id) WHERE state IN ('missing', 'taken');
