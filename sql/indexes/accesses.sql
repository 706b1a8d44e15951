-- Serves what begins at a lead: accesses.find_by_user, is_live.
-- Plan: Index Scan, a few rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS accesses_lead ON accesses (lead_id);

-- Serves accesses.find_by_link: who came in by a link that was another's.
-- Plan: Index Scan, one row.
CREATE INDEX CONCURRENTLY IF NOT EXISTS accesses_link ON accesses (link) WHERE link IS NOT NULL;
