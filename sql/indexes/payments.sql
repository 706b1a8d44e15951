-- Serves payments.list_stale, the sweep over every account for charges asked for and not made.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: it holds the charges of the last seconds, not every sale.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_unmade ON payments (id) WHERE state IN ('new', 'creating');

-- Serves payments.claim_checks: of each gateway account, what is due to be asked about, the oldest first.
-- Plan: Index Only Scans, one per gateway account that has any, each up to a few rows. Partial: paid and forgotten ones are not in it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_checks ON payments (gateway_account_id, next_check_at) WHERE next_check_at IS NOT NULL;

-- Serves payments.claim_looks: what was paid and is due to be looked back at, the oldest first.
-- Plan: Index Scan up to its LIMIT. Partial: what is unpaid, or was paid a hundred days ago, is not in it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_looks ON payments (next_look_at) WHERE next_look_at IS NOT NULL;

-- Serves payments.has_paid_twin: what else a lead has paid for. Asked once per payment, when it is paid.
-- Plan: Index Scan, a few rows. Partial: most charges are never paid.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_lead_paid ON payments (lead_id) WHERE paid_at IS NOT NULL;

-- Serves payments.count_flagged, asked at every scrape: what a person should look at.
-- Plan: Index Scan, up to its LIMIT. Partial: nearly every payment is as it should be.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_flagged ON payments (id) WHERE flags <> '{}';

-- Serves sales.count_by_bot: the charges of some days.
-- Plan: Index Scan over those days of one account.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_account_created ON payments (account_id, created_at);

-- Serves sales.count_by_bot: what was paid in some days.
-- Plan: Index Scan over those days of one account. Partial: most charges are never paid.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_account_paid ON payments (account_id, paid_at) WHERE paid_at IS NOT NULL;

-- Serves campaigns.list_slice: who has asked for a charge and not paid it.
-- Plan: Index Scan, a few rows per lead. Partial: paid ones have payments_lead_paid.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_lead_unpaid ON payments (lead_id) WHERE state IN ('pending', 'expired');

-- Serves clicks.forget_old, and Postgres itself when a click is deleted: whose click it is.
-- Plan: Index Scan, a row. Partial: many charges are of people who came by themselves. The column never changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_click ON payments (click_id) WHERE click_id IS NOT NULL;

-- Serves accesses.list_taken_back, asked every minute: what was paid for and given back, or may be.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: little is given back.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_taken_back ON payments (id)
    WHERE state IN ('refunded', 'disputed', 'charged_back');

-- Serves all that asks for a lead's payments whatever their state: its erasure, its data, /paysupport.
-- Plan: Index Scan of one lead. The column never changes.
CREATE INDEX CONCURRENTLY IF NOT EXISTS payments_lead ON payments (lead_id);
