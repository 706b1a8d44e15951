-- Serves conversions.take and conversion_destinations.claim_due: what is to be sent to a destination, the oldest first.
-- Plan: Index Scan, up to its LIMIT. Partial: nearly all is sent.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversions_planned ON conversions (destination_id, id) WHERE status = 'planned';

-- Serves conversions.expire_old and count_waiting: what was planned and not sent, the oldest first.
-- Plan: Index Scan, a few rows. Partial: nearly all is sent.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversions_expiring ON conversions (expires_at) WHERE status = 'planned';

-- Serves conversions.list_by_payment: what was told of a sale.
-- Plan: Index Scan, a few rows. Partial: most events are clicks and starts. The column never changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS conversions_payment ON conversions (payment_id) WHERE payment_id IS NOT NULL;
