-- Serves tombstones.list_page: all of them, a page at a time.
-- Plan: Index Scan in the order of lead_id, up to its LIMIT.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tombstones_lead ON tombstones (lead_id);

-- Serves tombstones.find_erased: an import asks about 500 chats at a time.
-- Plan: Index Scan, a row each.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tombstones_digest ON tombstones (bot_id, digest);

-- Serves tombstones.list_recent: an account's latest erasures.
-- Plan: Index Scan, up to its LIMIT.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tombstones_account_made ON tombstones (account_id, made_at DESC, lead_id DESC);
