-- Serves bot_invitations.find: was this bot announced to this manager.
-- Plan: Index Scan of one manager's. Partial: those that were used are asked about no more.
CREATE INDEX CONCURRENTLY IF NOT EXISTS bot_invitations_open ON bot_invitations (manager_id, lower(username)) WHERE bot_id IS NULL;
