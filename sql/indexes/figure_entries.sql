-- Serves figures.report and figures.rebuild: what of an account is yet to be added.
-- Plan: Index Scan over what came in since the last roll-up, some seconds of it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS figure_entries_account ON figure_entries (account_id, at);
