-- What Telegram says of each active bot's webhook. A row comes with its bot and goes with its end.

-- name: claim_due :many
-- Of every account: those asked about longest ago. Whoever claims asks; one that dies meanwhile leaves them for the next turn.
-- hot
UPDATE bot_webhooks
SET asked_at = %(now)s
WHERE bot_id = ANY (ARRAY(
    SELECT bot_id
    FROM bot_webhooks
    WHERE asked_at <= %(asked_before)s
    ORDER BY asked_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
))
RETURNING bot_id;

-- name: count_asked :value
-- How many were asked about since, up to a limit.
-- hot
SELECT count(*)
FROM (
    SELECT
    FROM bot_webhooks
    WHERE asked_at > %(since)s
    LIMIT %(limit)s
) AS asked;

-- name: forget :exec
-- The bot is out of service.
DELETE FROM bot_webhooks
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s;

-- name: list_lost :many
-- Of every account: whose webhook is not ours any more, the oldest bots first.
SELECT bots.username AS bot, bot_webhooks.state, bot_webhooks.host, bot_webhooks.state_since
FROM bot_webhooks
JOIN bots ON bots.id = bot_webhooks.bot_id
WHERE bot_webhooks.state IN ('missing', 'taken')
ORDER BY bot_webhooks.account_id, bot_webhooks.bot_id
LIMIT %(limit)s;

-- name: note :one
-- What Telegram answered, and the state before. None: the bot is out of service meanwhile.
WITH known AS (
    SELECT bot_id, state
    FROM bot_webhooks
    WHERE account_id = %(account_id)s
        AND bot_id = %(bot_id)s
    FOR UPDATE
)
UPDATE bot_webhooks
SET state = %(state)s,
    state_since = CASE WHEN bot_webhooks.state = %(state)s AND bot_webhooks.host IS NOT DISTINCT FROM %(host)s
        THEN bot_webhooks.state_since ELSE %(now)s END,
    host = %(host)s,
    pending_count = %(pending_count)s,
    error = %(error)s,
    error_at = %(error_at)s,
    seen_at = %(now)s
FROM known
WHERE bot_webhooks.bot_id = known.bot_id
RETURNING known.state AS was;

-- name: sum_up :one
-- Of every account: how many webhooks are in which state, how many updates wait at Telegram, how old the oldest look is.
SELECT count(*) AS bots, count(*) FILTER (WHERE state = 'unseen') AS unseen, count(*) FILTER (WHERE state = 'ours') AS ours,
    count(*) FILTER (WHERE state = 'missing') AS missing, count(*) FILTER (WHERE state = 'taken') AS taken,
    count(*) FILTER (WHERE state IN ('missing', 'taken') AND state_since > %(lost_since)s) AS lost_lately,
    count(*) FILTER (WHERE error_at > %(failed_since)s) AS failing, coalesce(sum(pending_count), 0)::bigint AS pending,
    coalesce(max(pending_count), 0) AS most_pending, min(coalesce(seen_at, state_since)) AS oldest_look_at
FROM bot_webhooks;

-- name: watch :exec
-- The bot is in service, its webhook about to be set; it is asked about in a minute.
INSERT INTO bot_webhooks (bot_id, account_id, state_since, asked_at)
VALUES (%(bot_id)s, %(account_id)s, %(now)s, %(now)s)
ON CONFLICT (bot_id) DO UPDATE
SET state = 'unseen',
    state_since = EXCLUDED.state_since,
    host = NULL,
    asked_at = EXCLUDED.asked_at
WHERE bot_webhooks.account_id = EXCLUDED.account_id;

-- name: watch_missing :exec
-- Of every account: active bots that are not watched, as one may be that a program of before this table added.
INSERT INTO bot_webhooks (bot_id, account_id, state_since, asked_at)
SELECT id, account_id, %(now)s, %(now)s
FROM bots
WHERE status = 'active'
    AND NOT EXISTS (SELECT FROM bot_webhooks WHERE bot_webhooks.bot_id = bots.id)
ON CONFLICT (bot_id) DO NOTHING;
