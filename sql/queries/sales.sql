-- What a seller's pages read. Every statement takes the account; pages go backwards from an id that was seen.

-- name: count_by_bot :many
-- Each bot's figures between two instants; a bot that was removed only where it has any.
WITH arrived AS (
    SELECT bot_id, count(*) AS leads
    FROM leads
    WHERE account_id = %(account_id)s
        AND created_at >= %(since)s
        AND created_at < %(until)s
    GROUP BY bot_id
), charged AS (
    SELECT bot_id, count(*) AS charges, (sum(amount_cents) FILTER (WHERE currency = 'BRL'))::bigint AS cents
    FROM payments
    WHERE account_id = %(account_id)s
        AND created_at >= %(since)s
        AND created_at < %(until)s
        AND txid IS NOT NULL
    GROUP BY bot_id
), paid AS (
    SELECT bot_id, count(*) AS sales, (sum(paid_cents) FILTER (WHERE currency = 'BRL'))::bigint AS cents
    FROM payments
    WHERE account_id = %(account_id)s
        AND paid_at >= %(since)s
        AND paid_at < %(until)s
    GROUP BY bot_id
), delivered AS (
    SELECT payments.bot_id, count(*) AS deliveries
    FROM deliveries
    JOIN payments ON payments.id = deliveries.payment_id
    WHERE deliveries.account_id = %(account_id)s
        AND deliveries.delivered_at >= %(since)s
        AND deliveries.delivered_at < %(until)s
    GROUP BY payments.bot_id
)
SELECT bots.username, bots.name, bots.status, coalesce(arrived.leads, 0) AS leads, coalesce(charged.charges, 0) AS charges,
    coalesce(charged.cents, 0) AS charged_cents, coalesce(paid.sales, 0) AS paid, coalesce(paid.cents, 0) AS paid_cents,
    coalesce(delivered.deliveries, 0) AS delivered
FROM bots
LEFT JOIN arrived ON arrived.bot_id = bots.id
LEFT JOIN charged ON charged.bot_id = bots.id
LEFT JOIN paid ON paid.bot_id = bots.id
LEFT JOIN delivered ON delivered.bot_id = bots.id
WHERE bots.account_id = %(account_id)s
    AND (bots.status <> 'removed' OR arrived.leads > 0 OR charged.charges > 0 OR paid.sales > 0 OR delivered.deliveries > 0)
ORDER BY bots.username, bots.id;

-- name: count_trouble :one
-- What waits for a person, each counted up to a limit.
SELECT (
    SELECT count(*)
    FROM (
        SELECT
        FROM messages
        WHERE account_id = %(account_id)s
            AND status IN ('failed', 'uncertain')
            AND (campaign_id IS NULL OR status = 'uncertain')
        LIMIT %(limit)s
    ) AS found
) AS messages, (
    SELECT count(*)
    FROM (
        SELECT
        FROM provider_events
        WHERE account_id = %(account_id)s
            AND status IN ('unmatched', 'unconfirmed', 'failed')
        LIMIT %(limit)s
    ) AS found
) AS events, (
    SELECT count(*)
    FROM (
        SELECT
        FROM deliveries
        WHERE account_id = %(account_id)s
            AND status IN ('planned', 'failed')
        LIMIT %(limit)s
    ) AS found
) AS owed, (
    SELECT count(*)
    FROM (
        SELECT
        FROM bot_webhooks
        WHERE account_id = %(account_id)s
            AND state IN ('missing', 'taken')
        UNION ALL
        SELECT
        FROM bots
        WHERE account_id = %(account_id)s
            AND status = 'dead'
        LIMIT %(limit)s
    ) AS found
) AS bots, (
    SELECT count(*)
    FROM (
        SELECT
        FROM groups
        WHERE account_id = %(account_id)s
            AND status = 'lost'
            AND is_sold
        LIMIT %(limit)s
    ) AS found
) AS groups, (
    SELECT count(*)
    FROM (
        SELECT
        FROM group_acts
        WHERE account_id = %(account_id)s
            AND status IN ('waiting', 'failed')
        LIMIT %(limit)s
    ) AS found
) AS acts;

-- name: find_payment :one
SELECT payments.id, bots.username AS bot, leads.first_name, payments.description, payments.amount_cents, payments.currency, payments.state, payments.flags,
    payments.error, payments.created_at, payments.expires_at, payments.paid_at, gateway_accounts.gateway, pools.slug, clicks.clicked_at,
    clicks.utm_source, clicks.utm_medium, clicks.utm_campaign, clicks.utm_content, clicks.utm_term, clicks.fbclid, clicks.ttclid,
    clicks.gclid
FROM payments
JOIN bots ON bots.id = payments.bot_id
JOIN leads ON leads.id = payments.lead_id
LEFT JOIN clicks ON clicks.id = payments.click_id
LEFT JOIN pools ON pools.id = clicks.pool_id
LEFT JOIN gateway_accounts ON gateway_accounts.id = payments.gateway_account_id
WHERE payments.account_id = %(account_id)s
    AND payments.id = %(payment_id)s;

-- name: list_accesses :many
-- The places in groups that a payment gave, and what last went wrong about each.
SELECT access_grants.step, access_grants.days, access_grants.taken_at, groups.title, groups.chat_id, accesses.status, accesses.entered_at,
    accesses.ends_at, accesses.days_owed, accesses.removed_at, mishap.error
FROM access_grants
JOIN accesses ON accesses.id = access_grants.access_id
JOIN groups ON groups.id = accesses.group_id
LEFT JOIN LATERAL (
    SELECT error
    FROM group_acts
    WHERE group_acts.account_id = %(account_id)s
        AND group_acts.group_id = groups.id
        AND group_acts.user_id = accesses.user_id
        AND group_acts.status IN ('waiting', 'failed')
    ORDER BY group_acts.id DESC
    LIMIT 1
) AS mishap ON true
WHERE access_grants.account_id = %(account_id)s
    AND access_grants.payment_id = %(payment_id)s
ORDER BY access_grants.id;

-- name: list_acts :many
-- Whom a bot could not let in or put out, the newest first. `first_name` is null for somebody who is no lead.
SELECT group_acts.id, group_acts.act, group_acts.status, group_acts.error, group_acts.planned_at, groups.title, groups.chat_id,
    bots.username AS bot, leads.first_name, group_acts.user_id
FROM group_acts
JOIN groups ON groups.id = group_acts.group_id
JOIN bots ON bots.id = groups.bot_id
LEFT JOIN leads ON leads.bot_id = groups.bot_id AND leads.chat_id = group_acts.user_id
WHERE group_acts.account_id = %(account_id)s
    AND group_acts.status IN ('waiting', 'failed')
ORDER BY group_acts.id DESC
LIMIT %(limit)s;

-- name: list_bots :many
-- The account's living bots, and what Telegram says of their webhooks.
SELECT bots.id, bots.username, bots.name, bots.status, bots.status_reason, bots.storage_chat_id, bots.warm_error, funnels.name AS funnel, bot_webhooks.state,
    bot_webhooks.state_since, bot_webhooks.host, bot_webhooks.pending_count, bot_webhooks.error, bot_webhooks.error_at,
    bot_webhooks.seen_at
FROM bots
LEFT JOIN bot_webhooks ON bot_webhooks.bot_id = bots.id
LEFT JOIN funnels ON funnels.id = bots.funnel_id
WHERE bots.account_id = %(account_id)s
    AND bots.status <> 'removed'
    AND bots.id < %(before_id)s
ORDER BY bots.id DESC
LIMIT %(limit)s;

-- name: list_events :many
-- Events that no charge could be settled with, the newest first.
SELECT provider_events.id, gateway_accounts.gateway, provider_events.verified, provider_events.status, provider_events.payment_id,
    provider_events.received_at
FROM provider_events
JOIN gateway_accounts ON gateway_accounts.id = provider_events.gateway_account_id
WHERE provider_events.account_id = %(account_id)s
    AND provider_events.status IN ('unmatched', 'unconfirmed', 'failed')
    AND provider_events.id < %(before_id)s
ORDER BY provider_events.id DESC
LIMIT %(limit)s;

-- name: list_groups :many
-- The groups and channels that the account's living bots have heard of, those without rights first.
SELECT groups.id, groups.title, groups.chat_id, groups.status, groups.reason, groups.status_since, groups.is_sold, bots.username AS bot
FROM groups
JOIN bots ON bots.id = groups.bot_id
WHERE groups.account_id = %(account_id)s
    AND bots.status <> 'removed'
ORDER BY groups.status = 'ready', groups.id
LIMIT %(limit)s;

-- name: list_mishaps :many
-- Messages that did not arrive, or may not have, the newest first; whom a campaign did not reach is counted there. With the payment whose delivery they are a part of.
SELECT messages.id, bots.username AS bot, leads.first_name, leads.status AS lead_status, messages.method, messages.step,
    messages.status, messages.error, messages.attempts, messages.planned_at, delivery.payment_id AS delivers_payment_id
FROM messages
JOIN bots ON bots.id = messages.bot_id
JOIN leads ON leads.id = messages.lead_id
LEFT JOIN LATERAL (
    SELECT deliveries.payment_id
    FROM messages AS carrier
    JOIN deliveries ON deliveries.message_id = carrier.id
    WHERE carrier.cause = messages.cause
        AND carrier.step = messages.step
    LIMIT 1
) AS delivery ON true
WHERE messages.account_id = %(account_id)s
    AND messages.status IN ('failed', 'uncertain')
    AND (messages.campaign_id IS NULL OR messages.status = 'uncertain')
    AND messages.id < %(before_id)s
ORDER BY messages.id DESC
LIMIT %(limit)s;

-- name: list_payments :many
-- The newest first. `received_cents`: all that came in for it. `delivery`: the worst of its deliveries', null while there is none.
SELECT payments.id, bots.username AS bot, leads.first_name, payments.description, payments.amount_cents, payments.currency, payments.state, payments.flags,
    payments.created_at, payments.paid_at, received.cents AS received_cents, handed.status AS delivery, pools.slug, clicks.utm_source,
    clicks.utm_campaign
FROM payments
JOIN bots ON bots.id = payments.bot_id
JOIN leads ON leads.id = payments.lead_id
LEFT JOIN clicks ON clicks.id = payments.click_id
LEFT JOIN pools ON pools.id = clicks.pool_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_cents), 0)::bigint AS cents
    FROM payment_receipts
    WHERE payment_id = payments.id
) AS received
CROSS JOIN LATERAL (
    SELECT (array_agg(status ORDER BY array_position(ARRAY['failed', 'planned', 'delivered'], status)))[1] AS status
    FROM deliveries
    WHERE payment_id = payments.id
) AS handed
WHERE payments.account_id = %(account_id)s
    AND payments.id < %(before_id)s
ORDER BY payments.id DESC
LIMIT %(limit)s;
