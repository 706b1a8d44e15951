-- The outbox of conversions (services/conversion_events.py, conversion_sends.py).

-- name: add_of_click :later
-- Of a click that a lead has brought: one row for each destination that wants it, none where the lead does not want to be reported. Of a
-- click that is not stored yet nobody knows the link: whether a destination wants that one is decided when it is sent.
-- hot
INSERT INTO conversions (account_id, destination_id, event, event_key, bot_id, lead_id, click_id, occurred_at, expires_at, planned_at)
SELECT destinations.account_id, destinations.id, %(event)s, %(event_key)s, leads.bot_id, leads.id, clicks.id,
    %(now)s::timestamptz, %(now)s::timestamptz + make_interval(secs => destinations.keeps_seconds), %(now)s
FROM conversion_destinations AS destinations
JOIN leads ON leads.account_id = destinations.account_id
JOIN clicks ON clicks.account_id = destinations.account_id
WHERE destinations.account_id = %(account_id)s
    AND leads.id = %(lead_id)s
    AND clicks.id = %(click_id)s
    AND leads.is_reported
    AND destinations.status <> 'removed'
    AND %(event)s = ANY (destinations.events)
    AND (destinations.bot_ids = '{}' OR leads.bot_id = ANY (destinations.bot_ids))
    AND (destinations.pool_ids = '{}' OR clicks.pool_id IS NULL OR clicks.pool_id = ANY (destinations.pool_ids))
ON CONFLICT (destination_id, event_key) DO NOTHING;

-- name: add_of_payment :later
-- Likewise of a payment in reais: networks know no Stars, and what they were worth in reais nobody knows. A purchase happened when it was
-- paid.
INSERT INTO conversions (account_id, destination_id, event, event_key, bot_id, lead_id, payment_id, click_id, occurred_at, expires_at,
    planned_at)
SELECT destinations.account_id, destinations.id, %(event)s, %(event_key)s, payments.bot_id, leads.id, payments.id, payments.click_id,
    happened.at, happened.at + make_interval(secs => destinations.keeps_seconds), %(now)s
FROM conversion_destinations AS destinations
JOIN payments ON payments.account_id = destinations.account_id
JOIN leads ON leads.id = payments.lead_id
LEFT JOIN clicks ON clicks.id = payments.click_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN %(event)s = 'Purchase' THEN least(payments.paid_at, %(now)s) ELSE %(now)s END
) AS happened (at)
WHERE destinations.account_id = %(account_id)s
    AND payments.id = %(payment_id)s
    AND payments.currency = 'BRL'
    AND leads.is_reported
    AND destinations.status <> 'removed'
    AND %(event)s = ANY (destinations.events)
    AND (destinations.bot_ids = '{}' OR payments.bot_id = ANY (destinations.bot_ids))
    AND (destinations.pool_ids = '{}' OR clicks.pool_id = ANY (destinations.pool_ids)
        OR clicks.id IS NOT NULL AND clicks.pool_id IS NULL)
ON CONFLICT (destination_id, event_key) DO NOTHING;

-- name: add_page_views :exec
-- Of clicks of any account, just stored by their tokens: people's, since the destination is there.
INSERT INTO conversions (account_id, destination_id, event, event_key, bot_id, click_id, occurred_at, expires_at, planned_at)
SELECT destinations.account_id, destinations.id, 'PageView', 'pageview_' || clicks.token, clicks.bot_id, clicks.id, clicks.clicked_at,
    clicks.clicked_at + make_interval(secs => destinations.keeps_seconds), %(now)s
FROM clicks
JOIN conversion_destinations AS destinations ON destinations.account_id = clicks.account_id
WHERE clicks.token = ANY (%(tokens)s::text[])
    AND NOT clicks.is_crawler
    AND clicks.clicked_at >= destinations.created_at
    AND destinations.status <> 'removed'
    AND 'PageView' = ANY (destinations.events)
    AND (destinations.bot_ids = '{}' OR clicks.bot_id = ANY (destinations.bot_ids))
    AND (destinations.pool_ids = '{}' OR clicks.pool_id = ANY (destinations.pool_ids))
ON CONFLICT (destination_id, event_key) DO NOTHING;

-- name: count_waiting :many
-- Of every account: since when the oldest event waits for an active destination, by network.
SELECT destinations.network, min(waiting.planned_at) AS oldest_at
FROM (
    SELECT destination_id, planned_at
    FROM conversions
    WHERE status = 'planned'
    ORDER BY expires_at
    LIMIT %(limit)s
) AS waiting
JOIN conversion_destinations AS destinations ON destinations.id = waiting.destination_id
WHERE destinations.status = 'active'
GROUP BY destinations.network
ORDER BY destinations.network;

-- name: end_all :exec
-- Events of one destination that end alike; `told`: [{"id", "sent"}], what was sent of each.
UPDATE conversions
SET status = %(status)s,
    answer = %(answer)s,
    sent = told.sent,
    is_doubtful = %(status)s = 'uncertain',
    ended_at = %(now)s
FROM jsonb_to_recordset(%(told)s::jsonb) AS told (id bigint, sent jsonb)
WHERE conversions.account_id = %(account_id)s
    AND conversions.destination_id = %(destination_id)s
    AND conversions.id = told.id
    AND conversions.status = 'planned';

-- name: end_of_destination :exec
-- What waited for a destination that is no more.
UPDATE conversions
SET status = 'skipped',
    answer = %(answer)s,
    ended_at = %(now)s
WHERE account_id = %(account_id)s
    AND destination_id = %(destination_id)s
    AND status = 'planned';

-- name: expire_old :many
-- Of every account: what the network would not take any more. A row each with its network.
UPDATE conversions
SET status = 'expired',
    answer = coalesce(conversions.answer || '; ', '') || 'not sent in time',
    ended_at = %(now)s
FROM conversion_destinations AS destinations
WHERE conversions.status = 'planned'
    AND conversions.expires_at <= %(now)s
    AND destinations.id = conversions.destination_id
RETURNING destinations.network;

-- name: find :one
SELECT conversions.id, destinations.network, conversions.destination_id, conversions.event, conversions.event_key, conversions.payment_id,
    conversions.lead_id, conversions.occurred_at, conversions.expires_at, conversions.status, conversions.tries, conversions.answer,
    conversions.planned_at, conversions.ended_at, destinations.status AS destination_status, destinations.reason, conversions.sent
FROM conversions
JOIN conversion_destinations AS destinations ON destinations.id = conversions.destination_id
WHERE conversions.account_id = %(account_id)s
    AND conversions.id = %(conversion_id)s;

-- name: forget_old :value
-- Of every account: looks at the next ones behind an id, and deletes of those planned before an instant what is over and of no sale. The
-- last id that was old; null: no more.
WITH looked AS MATERIALIZED (
    SELECT id, planned_at, status <> 'planned' AND payment_id IS NULL AS is_over
    FROM conversions
    WHERE id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
), forgotten AS (
    DELETE FROM conversions
    WHERE id = ANY (ARRAY(SELECT looked.id FROM looked WHERE looked.is_over AND looked.planned_at < %(before)s))
)
SELECT max(id)
FROM looked
WHERE planned_at < %(before)s;

-- name: list_by_payment :many
SELECT conversions.id, destinations.network, conversions.event, conversions.status, conversions.tries, conversions.answer,
    conversions.planned_at, conversions.ended_at, destinations.reason
FROM conversions
JOIN conversion_destinations AS destinations ON destinations.id = conversions.destination_id
WHERE conversions.account_id = %(account_id)s
    AND conversions.payment_id = %(payment_id)s
ORDER BY conversions.id;

-- name: list_page :many
-- The newest first, of one status or of all.
SELECT conversions.id, destinations.network, conversions.event, conversions.payment_id, conversions.status, conversions.tries,
    conversions.answer, conversions.planned_at, conversions.ended_at
FROM conversions
JOIN conversion_destinations AS destinations ON destinations.id = conversions.destination_id
WHERE conversions.account_id = %(account_id)s
    AND conversions.id < %(before_id)s
    AND (%(status)s::text IS NULL OR conversions.status = %(status)s)
ORDER BY conversions.id DESC
LIMIT %(limit)s;

-- name: plan_again :value
-- By a person: what was not taken, unless it is too old, or the network has heard of a later event of the same sale.
UPDATE conversions
SET status = 'planned',
    is_doubtful = false,
    ended_at = NULL,
    planned_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(conversion_id)s
    AND status IN ('skipped', 'refused', 'expired', 'uncertain')
    AND expires_at > %(now)s
    AND NOT EXISTS (
        SELECT
        FROM conversions AS later
        WHERE later.payment_id = conversions.payment_id
            AND later.destination_id = conversions.destination_id
            AND later.id > conversions.id
            AND later.status = 'sent'
    )
RETURNING true;

-- name: put_off :exec
-- Events of one destination that are to be sent later.
UPDATE conversions
SET answer = coalesce(%(answer)s, answer),
    is_doubtful = %(is_doubtful)s
WHERE account_id = %(account_id)s
    AND destination_id = %(destination_id)s
    AND id = ANY (%(conversion_ids)s::bigint[])
    AND status = 'planned';

-- name: take :many
-- What a destination is told next, the oldest first, with all that is known of it; each counts as tried from now on. `was_doubtful`: an
-- earlier try may have arrived. A click that is not stored yet is none.
-- hot
WITH due AS MATERIALIZED (
    SELECT id, is_doubtful
    FROM conversions
    WHERE account_id = %(account_id)s
        AND destination_id = %(destination_id)s
        AND status = 'planned'
        AND planned_at <= %(before)s
        AND expires_at > %(now)s
    ORDER BY id
    LIMIT %(limit)s
), taken AS (
    UPDATE conversions
    SET tries = tries + 1,
        is_doubtful = true
    FROM due
    WHERE conversions.id = due.id
    RETURNING conversions.id, conversions.account_id, event, event_key, occurred_at, bot_id, lead_id, payment_id, click_id,
        due.is_doubtful AS was_doubtful
)
SELECT taken.id, taken.event, taken.event_key, taken.occurred_at, taken.was_doubtful, taken.bot_id, taken.lead_id, taken.payment_id,
    clicks.clicked_at, clicks.pool_id, pools.slug, clicks.utm_source, clicks.utm_medium, clicks.utm_campaign, clicks.utm_content,
    clicks.utm_term, clicks.fbp, clicks.fbc, clicks.ttclid, clicks.gclid, clicks.parameters, clicks.address, clicks.user_agent,
    payments.idempotency_key, payments.amount_cents, payments.paid_cents, payments.currency, payments.items,
    payments.created_at AS asked_at, payments.paid_at,
    leads.first_name, leads.state, leads.key_encrypted, leads.version_id
FROM taken
LEFT JOIN clicks ON clicks.id = taken.click_id AND clicks.account_id = taken.account_id AND clicks.clicked_at IS NOT NULL
LEFT JOIN pools ON pools.id = clicks.pool_id
LEFT JOIN payments ON payments.id = taken.payment_id AND payments.account_id = taken.account_id
LEFT JOIN leads ON leads.id = taken.lead_id AND leads.account_id = taken.account_id
ORDER BY taken.id;

-- name: withdraw :later
-- What was to be said of a lead and its clicks, and was not yet.
DELETE FROM conversions
USING leads
WHERE leads.account_id = %(account_id)s
    AND leads.id = %(lead_id)s
    AND conversions.account_id = leads.account_id
    AND conversions.status = 'planned'
    AND (conversions.lead_id = leads.id OR conversions.click_id IN (leads.first_click_id, leads.last_click_id));
