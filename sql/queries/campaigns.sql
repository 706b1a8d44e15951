-- name: add :one
INSERT INTO campaigns (account_id, bot_id, version_id, audience, quiet_days, last_lead_id, next_slice_at, created_at)
SELECT %(account_id)s, %(bot_id)s, %(version_id)s, %(audience)s, %(quiet_days)s, coalesce(max(id), 0), %(starts_at)s, %(now)s
FROM leads
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
RETURNING id, account_id, bot_id, status, next_slice_at;

-- name: claim_due :many
-- Of every account: what is due for its next slice and that no other process hands to the queue at this moment. A dead bot's wait.
-- hot
WITH due AS (
    SELECT campaigns.id
    FROM campaigns
    JOIN bots ON bots.id = campaigns.bot_id
    WHERE campaigns.status = 'running'
        AND campaigns.next_slice_at <= %(now)s
        AND (campaigns.claimed_until IS NULL OR campaigns.claimed_until <= %(now)s)
        AND bots.status = 'active'
    ORDER BY campaigns.next_slice_at
    LIMIT %(limit)s
    FOR UPDATE OF campaigns SKIP LOCKED
)
UPDATE campaigns
SET claimed_until = %(claimed_until)s
FROM due
WHERE campaigns.id = due.id
RETURNING campaigns.id, campaigns.account_id, campaigns.bot_id, campaigns.slices;

-- name: count_unsent :value
-- How many of its messages are on their way, up to a limit.
-- hot
SELECT count(*)
FROM (
    SELECT
    FROM messages
    WHERE account_id = %(account_id)s
        AND campaign_id = %(campaign_id)s
        AND status IN ('planned', 'sending')
    LIMIT %(limit)s
) AS unsent;

-- name: discard_planned :exec
-- It was stopped: what Telegram was not asked for yet is not said.
UPDATE messages
SET status = 'discarded',
    error = 'the campaign was stopped'
WHERE account_id = %(account_id)s
    AND campaign_id = %(campaign_id)s
    AND status = 'planned';

-- name: find_page_end :value
-- The last lead of the next page of a bot's leads; none: the campaign has met them all.
-- hot
SELECT max(id)
FROM (
    SELECT id
    FROM leads
    WHERE account_id = %(account_id)s
        AND bot_id = %(bot_id)s
        AND id > %(after)s
        AND id <= %(last_lead_id)s
    ORDER BY id
    LIMIT %(limit)s
) AS page;

-- name: list_all :many
-- The newest first, each with what became of its messages.
SELECT campaigns.id, accounts.name AS account, bots.username AS bot, funnels.name AS funnel, campaigns.audience, campaigns.status,
    campaigns.recipients, said.sent, said.failed, said.uncertain, said.waiting, campaigns.next_slice_at, campaigns.finished_at
FROM campaigns
JOIN accounts ON accounts.id = campaigns.account_id
JOIN bots ON bots.id = campaigns.bot_id
JOIN funnel_versions ON funnel_versions.id = campaigns.version_id
JOIN funnels ON funnels.id = funnel_versions.funnel_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE messages.status = 'sent') AS sent,
        count(*) FILTER (WHERE messages.status IN ('failed', 'discarded')) AS failed,
        count(*) FILTER (WHERE messages.status = 'uncertain') AS uncertain,
        count(*) FILTER (WHERE messages.status IN ('planned', 'sending')) AS waiting
    FROM messages
    WHERE messages.campaign_id = campaigns.id
) AS said
WHERE campaigns.account_id = %(account_id)s
ORDER BY campaigns.id DESC
LIMIT %(limit)s;

-- name: list_slice :many
-- The leads of a page that belong to the audience, by id. Asked anew for every slice: who buys meanwhile is left in peace.
-- hot
SELECT id, account_id, bot_id, chat_id, first_name, last_name, username, language_code, status, start_param, version_id, step, state,
    key_encrypted
FROM leads
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND id > %(after)s
    AND id <= %(page_end)s
    AND status = 'active'
    AND updated_at <= %(quiet_since)s
    AND CASE %(audience)s::text
        WHEN 'all' THEN true
        WHEN 'buyers' THEN EXISTS (SELECT FROM payments WHERE payments.lead_id = leads.id AND payments.paid_at IS NOT NULL)
        ELSE NOT EXISTS (SELECT FROM payments WHERE payments.lead_id = leads.id AND payments.paid_at IS NOT NULL)
    END
    AND (%(audience)s::text <> 'unpaid' OR EXISTS (
        SELECT
        FROM payments
        WHERE payments.lead_id = leads.id
            AND payments.state IN ('pending', 'expired')
    ))
ORDER BY id
LIMIT %(limit)s;

-- name: lock :one
SELECT id, account_id, bot_id, version_id, audience, quiet_days, status, cursor_lead_id, last_lead_id, slices, next_slice_at
FROM campaigns
WHERE account_id = %(account_id)s
    AND id = %(campaign_id)s
FOR UPDATE;

-- name: move_on :exec
-- A slice was planned. `finished_at` with the last one.
UPDATE campaigns
SET cursor_lead_id = %(cursor_lead_id)s,
    recipients = recipients + %(recipients)s,
    slices = slices + 1,
    claimed_until = NULL,
    next_slice_at = %(next_slice_at)s,
    finished_at = %(finished_at)s,
    status = CASE WHEN %(finished_at)s::timestamptz IS NULL THEN status ELSE 'finished' END
WHERE account_id = %(account_id)s
    AND id = %(campaign_id)s;

-- name: set_status :exec
UPDATE campaigns
SET status = %(status)s,
    claimed_until = NULL,
    next_slice_at = greatest(next_slice_at, %(now)s)
WHERE account_id = %(account_id)s
    AND id = %(campaign_id)s;
