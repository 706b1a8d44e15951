-- Serves posts.list_stale, the sweep over every account.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: it holds the few on their way.
CREATE INDEX CONCURRENTLY IF NOT EXISTS posts_open ON posts (id) WHERE status = 'planned';

-- Serves posts.list_troubled: what did not arrive, newest first.
-- Plan: Index Scan Backward, up to its LIMIT. Partial: what arrived is history.
CREATE INDEX CONCURRENTLY IF NOT EXISTS posts_troubled ON posts (account_id, id) WHERE status IN ('waiting', 'failed');
