-- name: blank_accesses :exec
-- After blank_group_acts, which looks for the person's id here.
UPDATE accesses
SET user_id = -accesses.lead_id,
    status = 'removed',
    link = NULL,
    link_expires_at = NULL
FROM leads
WHERE leads.account_id = %(account_id)s
    AND leads.id = %(lead_id)s
    AND accesses.user_id = leads.chat_id
    AND accesses.lead_id = leads.id;

-- name: blank_clicks :exec
-- Of the clicks that brought the lead: where from stays, for it is counted; who does not.
WITH own AS (
    SELECT click_id AS id
    FROM starts
    WHERE account_id = %(account_id)s
        AND lead_id = %(lead_id)s
    UNION
    SELECT unnest(ARRAY[first_click_id, last_click_id])
    FROM leads
    WHERE account_id = %(account_id)s
        AND id = %(lead_id)s
    UNION
    SELECT click_id
    FROM payments
    WHERE account_id = %(account_id)s
        AND lead_id = %(lead_id)s
)
UPDATE clicks
SET fbclid = NULL,
    fbp = NULL,
    fbc = NULL,
    ttclid = NULL,
    gclid = NULL,
    parameters = NULL,
    address = NULL,
    user_agent = NULL
FROM own
WHERE clicks.account_id = %(account_id)s
    AND clicks.id = own.id;

-- name: blank_deliveries :exec
UPDATE deliveries
SET status = CASE status WHEN 'planned' THEN 'failed' ELSE status END,
    error = CASE status WHEN 'planned' THEN 'the buyer was erased' END
WHERE account_id = %(account_id)s
    AND payment_id IN (SELECT id FROM payments WHERE account_id = %(account_id)s AND lead_id = %(lead_id)s);

-- name: blank_events :exec
-- What providers told of the lead's payments.
UPDATE provider_events
SET query = '',
    headers = '{}',
    body = ''
WHERE account_id = %(account_id)s
    AND payment_id IN (SELECT id FROM payments WHERE account_id = %(account_id)s AND lead_id = %(lead_id)s);

-- name: blank_group_acts :exec
UPDATE group_acts
SET user_id = -accesses.lead_id,
    status = CASE WHEN group_acts.status IN ('planned', 'waiting') THEN 'dropped' ELSE group_acts.status END,
    done_at = coalesce(group_acts.done_at, group_acts.planned_at)
FROM accesses
JOIN leads ON leads.id = accesses.lead_id AND leads.chat_id = accesses.user_id
WHERE leads.account_id = %(account_id)s
    AND leads.id = %(lead_id)s
    AND group_acts.group_id = accesses.group_id
    AND group_acts.user_id = leads.chat_id;

-- name: blank_lead :exec
-- The last of them: the others look for what is taken here. A chat's id is nobody's below nought.
UPDATE leads
SET chat_id = -id,
    first_name = '',
    last_name = '',
    username = '',
    language_code = '',
    status = 'erased',
    start_param = '',
    step = '',
    state = '{}',
    key_encrypted = NULL,
    marks = NULL
WHERE account_id = %(account_id)s
    AND id = %(lead_id)s;

-- name: blank_messages :exec
-- What it was told, and what was still to be told to it.
WITH own AS (
    SELECT id
    FROM messages
    WHERE account_id = %(account_id)s
        AND lead_id = %(lead_id)s
        AND sent_at IS NOT NULL
    UNION ALL
    SELECT id
    FROM messages
    WHERE account_id = %(account_id)s
        AND lead_id = %(lead_id)s
        AND status IN ('planned', 'sending')
    UNION ALL
    SELECT id
    FROM messages
    WHERE account_id = %(account_id)s
        AND lead_id = %(lead_id)s
        AND status IN ('failed', 'uncertain', 'discarded')
)
UPDATE messages
SET chat_id = -messages.lead_id,
    body = '{}',
    nonce = NULL,
    error = NULL,
    status = CASE messages.status WHEN 'sent' THEN 'sent' ELSE 'discarded' END
FROM own
WHERE messages.account_id = %(account_id)s
    AND messages.id = own.id;

-- name: blank_notices :exec
-- What its seller was told of it: by the same causes, in another chat.
UPDATE messages
SET body = '{}',
    error = NULL,
    status = CASE messages.status WHEN 'sent' THEN 'sent' ELSE 'discarded' END
FROM moves
WHERE moves.account_id = %(account_id)s
    AND moves.lead_id = %(lead_id)s
    AND messages.cause = moves.cause
    AND messages.account_id = moves.account_id
    AND messages.lead_id <> moves.lead_id;

-- name: blank_payments :exec
-- The money stays. A provider's reason may name its buyer.
UPDATE payments
SET error = NULL
WHERE account_id = %(account_id)s
    AND lead_id = %(lead_id)s;

-- name: blank_posts :exec
UPDATE posts
SET url = '',
    body = '{}',
    error = NULL,
    status = CASE WHEN posts.ended_at IS NULL THEN 'failed' ELSE posts.status END,
    ended_at = coalesce(posts.ended_at, posts.planned_at)
FROM moves
WHERE moves.account_id = %(account_id)s
    AND moves.lead_id = %(lead_id)s
    AND posts.cause = moves.cause
    AND posts.account_id = moves.account_id
    AND posts.lead_id = moves.lead_id;

-- name: blank_reasons :exec
-- In a provider's own words: why it made no charge, why it gave nothing back.
WITH own AS (
    SELECT id
    FROM payments
    WHERE account_id = %(account_id)s
        AND lead_id = %(lead_id)s
), refusals AS (
    UPDATE payment_refusals
    SET reason = ''
    FROM own
    WHERE payment_id = own.id
), returns AS (
    UPDATE payment_returns
    SET reason = NULL,
        error = NULL
    FROM own
    WHERE payment_id = own.id
)
UPDATE payment_transitions
SET reason = ''
FROM own
WHERE payment_id = own.id
    AND to_state = 'cancelled';

-- name: cancel_timers :exec
-- What its moves left for later. Those of its payments go on, for the money may still come.
UPDATE timers
SET status = 'cancelled',
    payload = '{}'
FROM moves
WHERE moves.account_id = %(account_id)s
    AND moves.lead_id = %(lead_id)s
    AND timers.cause = moves.cause
    AND timers.account_id = moves.account_id
    AND timers.payment_id IS NULL
    AND timers.status = 'pending';

-- name: end_notices :exec
-- Where it was its bot's seller who had himself erased.
UPDATE bots
SET notices_lead_id = NULL
FROM leads
WHERE leads.account_id = %(account_id)s
    AND leads.id = %(lead_id)s
    AND bots.id = leads.bot_id
    AND bots.notices_lead_id = leads.id;

-- name: forget_moves :exec
-- After all that is found by the causes of moves.
DELETE FROM moves
WHERE account_id = %(account_id)s
    AND lead_id = %(lead_id)s;

-- name: list_groups :many
-- Where a lead may be: after its erasure as before it.
SELECT accesses.group_id
FROM leads
JOIN accesses ON accesses.user_id = leads.chat_id AND accesses.lead_id = leads.id
WHERE leads.account_id = %(account_id)s
    AND leads.id = %(lead_id)s
ORDER BY accesses.group_id;

-- name: lock_lead :one
-- One that a backup may have brought back.
SELECT id, account_id, bot_id, chat_id, status, created_at
FROM leads
WHERE account_id = %(account_id)s
    AND id = %(lead_id)s
FOR UPDATE;
