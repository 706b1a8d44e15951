-- Serves what begins at a person: accesses.find_by_user, is_live, mark_removed.
-- Plan: Index Scan, a few rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS accesses_user ON accesses (user_id);

-- Serves accesses.find_by_link: who came in by a link that was another's.
-- Plan: Index Scan, one row.
CREATE INDEX CONCURRENTLY IF NOT EXISTS accesses_link ON accesses (link) WHERE link IS NOT NULL;
