-- The indexes of messages that are not a constraint's. It is the biggest table and each row is updated twice, so no more than these.

-- Serves messages.find_by_nonce: a tap names the nonce of its message's buttons.
-- Plan: Index Scan, one row. Unique, so that a nonce can never open two messages.
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS messages_nonce ON messages (bot_id, nonce) WHERE nonce IS NOT NULL;

-- Serves messages.list_stale, the sweep over every account for what nobody sends any more.
-- Plan: Index Scan in the order of id, up to its LIMIT. Partial: it holds the few messages on their way, not the millions sent.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_open ON messages (id) WHERE status IN ('planned', 'sending');

-- Serves messages.mark_sent, which counts the chat's messages of the last seconds for the pacing.
-- Plan: Index Only Scan over those seconds, however long the chat's past is.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_lead_sent ON messages (lead_id, sent_at) WHERE sent_at IS NOT NULL;

-- Serves sales.list_mishaps and sales.count_trouble: what a person must look at.
-- Plan: Index Scan Backward, up to its LIMIT. Partial: it holds what went wrong, not the millions sent.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_mishaps ON messages (account_id, id) WHERE status IN ('failed', 'uncertain');

-- Serves campaigns.count_unsent and campaigns.discard_planned, and the figures of campaigns.list_all.
-- Plan: Index Only Scan of one campaign. Partial: most messages answer somebody.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_campaign ON messages (campaign_id, status) WHERE campaign_id IS NOT NULL;

-- Serves erasures.blank_messages: what was never sent to a lead.
-- Plan: Index Scan, a few rows. Partial: most messages were sent, and are found by messages_lead_sent.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_lead_unsent ON messages (lead_id) WHERE status IN ('failed', 'uncertain', 'discarded');
