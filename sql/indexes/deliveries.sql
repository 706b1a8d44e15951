-- Serves what begins at a message: messages.plan_again and sales.list_mishaps, where a person sends one again.
-- Plan: Index Scan, one row.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_message ON deliveries (message_id);

-- Serves deliveries.plan_again: what a buyer who comes back is still owed. Asked at every update of a lead that was away.
-- Plan: Index Scan, nearly always no row. Partial: failures are few.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_failed ON deliveries (lead_id) WHERE status = 'failed';

-- Serves deliveries.count_owed, asked at every scrape: what is paid for and not delivered.
-- Plan: Index Scan, up to its LIMIT. Partial: it holds what is on its way or failed, not the thousands delivered.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_owed ON deliveries (created_at) WHERE status <> 'delivered';

-- Serves sales.count_by_bot: what was delivered in some days.
-- Plan: Index Scan over those days of one account.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_account_delivered ON deliveries (account_id, delivered_at)
    WHERE delivered_at IS NOT NULL;

-- Serves sales.count_trouble: what is paid and not handed over.
-- Plan: Index Only Scan. Partial: it holds the few on their way and the few that failed.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_account_owed ON deliveries (account_id, id) WHERE status <> 'delivered';
