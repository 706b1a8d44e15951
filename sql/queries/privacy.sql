-- name: count_kept :one
-- A lead that is not erased, and how many rows of each table (services/personal_data.py) hold something of it.
WITH sale AS MATERIALIZED (
    SELECT id
    FROM payments
    WHERE account_id = %(account_id)s
        AND lead_id = %(lead_id)s
), move AS MATERIALIZED (
    SELECT cause
    FROM moves
    WHERE account_id = %(account_id)s
        AND lead_id = %(lead_id)s
)
SELECT leads.id, leads.account_id, leads.bot_id, leads.chat_id, leads.first_name, leads.last_name, leads.username, leads.created_at,
    bots.username AS bot,
    jsonb_build_object(
        'leads', 1,
        'clicks', (
            SELECT count(*)
            FROM (
                SELECT click_id
                FROM starts
                WHERE lead_id = leads.id
                    AND click_id IS NOT NULL
                UNION
                SELECT unnest(ARRAY[leads.first_click_id, leads.last_click_id])
            ) AS own
            JOIN clicks ON clicks.id = own.click_id AND clicks.account_id = leads.account_id
        ),
        'messages', (
            SELECT count(*)
            FROM (
                SELECT id
                FROM messages
                WHERE lead_id = leads.id
                    AND sent_at IS NOT NULL
                UNION
                SELECT id
                FROM messages
                WHERE lead_id = leads.id
                    AND status IN ('planned', 'sending')
                UNION
                SELECT id
                FROM messages
                WHERE lead_id = leads.id
                    AND status IN ('failed', 'uncertain', 'discarded')
            ) AS own
        ),
        'moves', (SELECT count(*) FROM move),
        'posts', (SELECT count(*) FROM move JOIN posts ON posts.cause = move.cause AND posts.lead_id = leads.id),
        'timers', (SELECT count(*) FROM move JOIN timers ON timers.cause = move.cause AND timers.account_id = leads.account_id),
        'accesses', (SELECT count(*) FROM accesses WHERE user_id = leads.chat_id AND lead_id = leads.id),
        'provider_events', (SELECT count(*) FROM sale JOIN provider_events ON provider_events.payment_id = sale.id),
        'deliveries', (SELECT count(*) FROM sale JOIN deliveries ON deliveries.payment_id = sale.id),
        'payments', (SELECT count(*) FROM sale),
        'payment_receipts', (SELECT count(*) FROM sale JOIN payment_receipts ON payment_receipts.payment_id = sale.id),
        'payment_returns', (SELECT count(*) FROM sale JOIN payment_returns ON payment_returns.payment_id = sale.id),
        'ledger_entries', (SELECT count(*) FROM sale JOIN ledger_entries ON ledger_entries.payment_id = sale.id)
    ) AS counts
FROM leads
JOIN bots ON bots.id = leads.bot_id
WHERE leads.account_id = %(account_id)s
    AND leads.id = %(lead_id)s
    AND leads.status <> 'erased';

-- name: find_leads :many
-- Of all bots of an account: by chat id, by user name, or by what was answered. Null is nobody's.
WITH found AS (
    SELECT leads.id, leads.bot_id, leads.chat_id
    FROM bots
    JOIN leads ON leads.bot_id = bots.id AND leads.chat_id = %(chat_id)s::bigint
    WHERE bots.account_id = %(account_id)s
    UNION
    SELECT id, bot_id, chat_id
    FROM leads
    WHERE account_id = %(account_id)s
        AND lower(username) = lower(%(username)s::text)
    UNION
    SELECT id, bot_id, chat_id
    FROM leads
    WHERE account_id = %(account_id)s
        AND marks @> ARRAY[%(mark)s::text]
        AND marks IS NOT NULL
)
SELECT found.id AS lead_id, bots.username AS bot, found.chat_id
FROM found
JOIN bots ON bots.id = found.bot_id
ORDER BY found.id
LIMIT %(limit)s;

-- name: find_texts :one
SELECT privacy_text, support_text, time_zone
FROM accounts
WHERE id = %(account_id)s;

-- name: list_latest_payments :many
SELECT id, created_at, amount_cents, currency, description, state
FROM payments
WHERE account_id = %(account_id)s
    AND lead_id = %(lead_id)s
ORDER BY id DESC
LIMIT %(limit)s;

-- name: read_lead :one
-- All that is kept of a lead, the newest `limit` of each kind; its answers and moves are sealed still.
SELECT leads.id, leads.account_id, leads.status, leads.state, leads.key_encrypted,
    jsonb_build_object(
        'lead', jsonb_build_object('id', leads.id, 'bot', bots.username, 'telegram_id', leads.chat_id, 'first_name', leads.first_name,
            'last_name', leads.last_name, 'username', leads.username, 'language', leads.language_code, 'status', leads.status,
            'start', leads.start_param, 'tags', leads.state -> 'tags', 'reported_to_ad_networks', leads.is_reported,
            'since', leads.created_at, 'last_seen', leads.updated_at),
        'clicks', (
            SELECT jsonb_agg(to_jsonb(clicks) - '{id,account_id,bot_id,pool_id}'::text[])
            FROM clicks
            WHERE clicks.account_id = leads.account_id
                AND clicks.id IN (
                    SELECT starts.click_id
                    FROM starts
                    WHERE starts.lead_id = leads.id
                    UNION
                    SELECT unnest(ARRAY[leads.first_click_id, leads.last_click_id])
                )
        ),
        'payments', (
            SELECT jsonb_agg(jsonb_build_object('id', found.id, 'description', found.description, 'amount_cents', found.amount_cents,
                'currency', found.currency, 'state', found.state, 'asked_at', found.created_at, 'paid_at', found.paid_at))
            FROM (
                SELECT *
                FROM payments
                WHERE payments.lead_id = leads.id
                ORDER BY payments.id DESC
                LIMIT %(limit)s
            ) AS found
        ),
        'messages', (
            SELECT jsonb_agg(jsonb_build_object('at', found.sent_at, 'text', coalesce(found.body ->> 'text', found.body ->> 'caption')))
            FROM (
                SELECT *
                FROM messages
                WHERE messages.lead_id = leads.id
                    AND messages.sent_at IS NOT NULL
                ORDER BY messages.sent_at DESC
                LIMIT %(limit)s
            ) AS found
        ),
        'groups', (
            SELECT jsonb_agg(jsonb_build_object('group', groups.title, 'status', accesses.status, 'since', accesses.entered_at,
                'until', accesses.ends_at))
            FROM accesses
            JOIN groups ON groups.id = accesses.group_id
            WHERE accesses.user_id = leads.chat_id
                AND accesses.lead_id = leads.id
        ),
        'told_to_the_seller', (
            SELECT jsonb_agg(jsonb_build_object('at', posts.planned_at, 'step', posts.step, 'values', posts.body -> 'data' -> 'values'))
            FROM moves
            JOIN posts ON posts.cause = moves.cause AND posts.lead_id = moves.lead_id
            WHERE moves.lead_id = leads.id
        )
    ) AS found,
    (
        SELECT jsonb_agg(jsonb_build_object('at', found.at, 'event', found.event))
        FROM (
            SELECT *
            FROM moves
            WHERE moves.lead_id = leads.id
            ORDER BY moves.id DESC
            LIMIT %(limit)s
        ) AS found
    ) AS moves
FROM leads
JOIN bots ON bots.id = leads.bot_id
WHERE leads.account_id = %(account_id)s
    AND leads.id = %(lead_id)s;

-- name: set_texts :value
-- The account's id. Null leaves a text as it is; empty: ours.
UPDATE accounts
SET privacy_text = coalesce(%(privacy_text)s, privacy_text),
    support_text = coalesce(%(support_text)s, support_text)
WHERE id = %(account_id)s
RETURNING id;
