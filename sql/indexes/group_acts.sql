-- Serves group_acts.list_stale, the sweep for what nobody does any more.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: it holds what is on its way.
CREATE INDEX CONCURRENTLY IF NOT EXISTS group_acts_open ON group_acts (id) WHERE status = 'planned';

-- Serves group_acts.plan_again: what waits for a bot's rights.
-- Plan: Index Scan. Partial: mostly none.
CREATE INDEX CONCURRENTLY IF NOT EXISTS group_acts_waiting ON group_acts (group_id) WHERE status = 'waiting';

-- Serves sales.list_accesses, sales.list_acts and sales.count_trouble: what a person must look at.
-- Plan: Index Scan, up to its LIMIT. Partial: it holds what went wrong.
CREATE INDEX CONCURRENTLY IF NOT EXISTS group_acts_mishaps ON group_acts (account_id, group_id, user_id)
    WHERE status IN ('waiting', 'failed');

-- Serves groups.drop_unused, where a group becomes a supergroup.
-- Plan: Index Only Scan, one row at most.
CREATE INDEX CONCURRENTLY IF NOT EXISTS group_acts_group ON group_acts (group_id);
