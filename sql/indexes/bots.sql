-- Serves bots.claim_new and bots.postpone: bots that wait to be brought to life.
-- Plan: Index Scan in the order of due_at, up to its LIMIT. Partial: it is empty but after an import.
CREATE INDEX CONCURRENTLY IF NOT EXISTS bots_new ON bots (due_at, id) WHERE status = 'new';

-- Serves bots.count_shown: how many tokens Telegram was shown within the last minute and hour.
-- Plan: Index Only Scan, up to its LIMIT.
CREATE INDEX CONCURRENTLY IF NOT EXISTS bots_token_shown ON bots (token_shown_at);

-- Serves bots.list_cold: the few bots with a storage chat.
-- Plan: Index Scan.
CREATE INDEX CONCURRENTLY IF NOT EXISTS bots_storage ON bots (account_id, id) WHERE storage_chat_id IS NOT NULL;

-- Serves sales.count_trouble: bots that Telegram disowns.
-- Plan: Index Scan. Partial: it holds the few that a person must look at.
CREATE INDEX CONCURRENTLY IF NOT EXISTS bots_dead ON bots (account_id) WHERE status = 'dead';
