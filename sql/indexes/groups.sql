-- Serves groups.find of a funnel that names a group by the id it had before it became a supergroup.
-- Plan: Index Scan, one row. Partial: few groups have moved.
CREATE INDEX CONCURRENTLY IF NOT EXISTS groups_former ON groups (bot_id, former_chat_id) WHERE former_chat_id IS NOT NULL;

-- Serves groups.list_lost, sales.count_trouble and sales.list_groups: where something cannot be sold.
-- Plan: Index Scan, up to its LIMIT. Partial: most are ready.
CREATE INDEX CONCURRENTLY IF NOT EXISTS groups_lost ON groups (account_id, asked_at) WHERE status = 'lost' AND is_sold;

-- Serves groups.claim_lost: of every account, whom Telegram is asked about again, the longest ago first.
-- Plan: Index Scan, up to its LIMIT. Partial: most are ready.
CREATE INDEX CONCURRENTLY IF NOT EXISTS groups_to_ask ON groups (asked_at) WHERE status = 'lost' AND is_sold;

-- Serves accesses.is_live: the same chat as several bots of an account see it.
-- Plan: Index Scan, a few rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS groups_chat ON groups (account_id, chat_id);
