-- Serves access_grants.list_open and groups.hasten_deliveries.
-- Plan: Index Scan, a few rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS access_grants_access ON access_grants (access_id);
