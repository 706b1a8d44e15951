-- Serves ledger.list_entries and ledger.sum_before: an account's book of some days.
-- Plan: Index Scan over those days of one account.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ledger_entries_account ON ledger_entries (account_id, booked_at, id);
