-- Serves domains.has_pools: the links that stand on a domain.
-- Plan: Index Scan, a few rows. Partial: most links stand on no domain of their own.
CREATE INDEX CONCURRENTLY IF NOT EXISTS pools_domain ON pools (domain_id) WHERE domain_id IS NOT NULL;
