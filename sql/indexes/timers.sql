-- Serves timers.claim_due, asked every second by every process.
-- Plan: Index Scan from the oldest up to now, up to its LIMIT. Partial: timers that fired are history.
CREATE INDEX CONCURRENTLY IF NOT EXISTS timers_due ON timers (due_at) WHERE status = 'pending';

-- Serves timers.cancel: a payment was settled, so its expiry and reminders are off.
-- Plan: Index Scan, a few rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS timers_payment ON timers (payment_id) WHERE status = 'pending';
