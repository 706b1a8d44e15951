-- Serves audit.list_recent: the last actions in an account.
-- Plan: Index Scan Backward, up to its LIMIT.
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_account ON audit (account_id, id);

-- Serves audit.list_by_subject: what operators did to one job.
-- Plan: Index Scan, a handful of rows. Partial: what accounts do is not asked for by subject.
CREATE INDEX CONCURRENTLY IF NOT EXISTS audit_subject ON audit (subject, id) WHERE account_id IS NULL;
