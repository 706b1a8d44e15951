-- Serves alarms.claim_due: what nobody has tried to tell yet.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: it is empty most of the time.
CREATE INDEX CONCURRENTLY IF NOT EXISTS alarms_untold ON alarms (id) WHERE told_at IS NULL;
