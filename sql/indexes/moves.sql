-- Serves moves.list_all: a lead's past, in order.
-- Plan: Index Scan of one lead.
CREATE INDEX CONCURRENTLY IF NOT EXISTS moves_lead ON moves (lead_id, id);
