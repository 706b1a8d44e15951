-- Serves provider_events.list_stale, the sweep over every account for events stored and not acted upon.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: it holds the events of the last seconds, not every one.
CREATE INDEX CONCURRENTLY IF NOT EXISTS provider_events_received ON provider_events (id) WHERE status = 'received';
