-- Serves provider_events.list_stale, the sweep over every account for events stored and not acted upon.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: it holds the events of the last seconds, not every one.
CREATE INDEX CONCURRENTLY IF NOT EXISTS provider_events_received ON provider_events (id) WHERE status = 'received';

-- Serves provider_events.count_left_over, asked at every scrape, and the sellers' list of them (sales.list_events, sales.count_trouble):
-- events that no charge could be settled with.
-- Plan: Index Only Scan, up to its LIMIT; backward for the list. Partial: it holds what was left over.
CREATE INDEX CONCURRENTLY IF NOT EXISTS provider_events_left_over ON provider_events (account_id, id)
    WHERE status IN ('unmatched', 'unconfirmed', 'failed');

-- Serves erasures.blank_events: what was told of a lead's payments.
-- Plan: Index Scan of a few payments. Partial: not every event is of a payment of ours.
CREATE INDEX CONCURRENTLY IF NOT EXISTS provider_events_payment ON provider_events (payment_id) WHERE payment_id IS NOT NULL;
