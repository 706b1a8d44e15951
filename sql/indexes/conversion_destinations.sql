-- Serves conversion_events: an account's destinations, asked for in the transaction of what is reported.
-- Plan: Index Scan, a few rows. Partial: what is removed is history.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversion_destinations_account ON conversion_destinations (account_id, id) WHERE status <> 'removed';

-- Serves conversion_destinations.claim_due: those whose time has come.
-- Plan: Index Scan up to its LIMIT.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversion_destinations_due ON conversion_destinations (due_at) WHERE status = 'active';

-- Serves conversion_destinations.count_paused, asked at every scrape.
-- Plan: Index Scan. Partial: nearly all are active.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversion_destinations_paused ON conversion_destinations (id) WHERE status = 'paused';
