-- Serves ledger.find_commission, and the same question of the function find_commission at every sale.
-- Plan: Index Scan, a row.
CREATE INDEX CONCURRENTLY IF NOT EXISTS commissions_account ON commissions (account_id, begins_at);
