-- Serves deliveries.list_attempts: why a paid product is not with its buyer.
-- Plan: Index Scan, a few rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS delivery_attempts_delivery ON delivery_attempts (delivery_id);
