-- Serves takeovers.list_open and takeovers.finish.
-- Plan: Index Scan, the account's chats that a person has. Partial: what was given back is history.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS takeovers_open ON takeovers (account_id, lead_id) WHERE ended_at IS NULL;
