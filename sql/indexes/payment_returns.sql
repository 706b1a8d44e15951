-- Serves payment_returns.list_by_payment and every sum over a receipt's returns.
-- Plan: Index Scan, a row or two.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payment_returns_receipt ON payment_returns (receipt_id);

-- Serves payment_returns.list_stale and claim_open: money on its way back.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: nearly all is settled.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payment_returns_open ON payment_returns (id) WHERE status IN ('asked', 'open');

-- Serves figures.rebuild by the view sale_returns, and ledger statements of an account.
-- Plan: Index Scan over one account's.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payment_returns_account ON payment_returns (account_id, id);
