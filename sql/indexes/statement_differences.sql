-- Serves statement_differences.list_shown and count_open: what nobody has closed.
-- Plan: Index Scan. Partial: what was looked into is not in it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS statement_differences_open ON statement_differences (account_id, id) WHERE closed_at IS NULL;

-- Serves statement_differences.list_shown and count_open: what was found of late and settled itself.
-- Plan: Index Scan over the last days. Partial: the two kinds that do.
CREATE INDEX CONCURRENTLY IF NOT EXISTS statement_differences_settled ON statement_differences (found_at)
    WHERE kind IN ('unseen', 'returned');
