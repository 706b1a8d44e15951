-- Serves audit.list_recent: the last actions in an account.
-- Plan: Index Scan Backward, up to its LIMIT.
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_account ON audit (account_id, id);
