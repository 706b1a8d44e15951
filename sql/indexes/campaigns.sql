-- Serves campaigns.claim_due, asked every second by every process.
-- Plan: Index Scan, up to its LIMIT. Partial: what has finished is history.
CREATE INDEX CONCURRENTLY IF NOT EXISTS campaigns_due ON campaigns (next_slice_at) WHERE status = 'running';
