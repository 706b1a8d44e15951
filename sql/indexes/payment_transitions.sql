-- Serves payments.list_transitions: the history of one payment, in order.
-- Plan: Index Scan, a handful of rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payment_transitions_payment ON payment_transitions (payment_id, id);
