-- The indexes of ledger_differences that are not a constraint's.

-- Serves ledger.list_differences: what a seller's page of his book says of it.
-- Plan: Index Scan, nearly always no row.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ledger_differences_account ON ledger_differences (account_id, payment_id, place);
