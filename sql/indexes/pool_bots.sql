-- Serves bots.announce_change: a bot has changed, and every process reads the pools it is in again.
-- Plan: Index Scan, a few rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS pool_bots_bot ON pool_bots (bot_id);
