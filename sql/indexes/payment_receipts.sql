-- Serves payments.find_by_transfer: whose a transfer was that goes back.
-- Plan: Index Scan, a row.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payment_receipts_transfer ON payment_receipts (end_to_end_id);
