-- name: add :one
-- None when a bot with this Telegram id is alive in the installation already.
INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, funnel_id, created_at, updated_at)
VALUES (%(account_id)s, %(telegram_id)s, %(username)s, %(name)s, %(key)s, %(token_encrypted)s, %(funnel_id)s, %(now)s, %(now)s)
ON CONFLICT (telegram_id) WHERE status <> 'removed' DO NOTHING
RETURNING id, account_id, telegram_id, username, key, token_encrypted, secret_generation, funnel_id, status;

-- name: announce_change :exec
-- Tells every process to drop its cached copy (services/bots.py) and those of the pools it is in (services/pools.py); sent when the
-- transaction commits.
SELECT pg_notify('bots', %(bot_id)s::bigint::text)
UNION ALL
SELECT pg_notify('pools', pools.slug)
FROM pools
JOIN pool_bots ON pool_bots.pool_id = pools.id
WHERE pool_bots.bot_id = %(bot_id)s;

-- name: find_by_id :one
-- The id comes from our own rows and jobs, never from outside.
-- hot
SELECT id, account_id, telegram_id, username, key, token_encrypted, secret_generation, funnel_id, status
FROM bots
WHERE id = %(bot_id)s;

-- name: find_by_key :one
-- hot
SELECT id, account_id, telegram_id, username, key, token_encrypted, secret_generation, funnel_id, status
FROM bots
WHERE key = %(key)s
    AND status <> 'removed';

-- name: find_by_telegram_id :one
SELECT id, account_id, telegram_id, username, key, token_encrypted, secret_generation, funnel_id, status
FROM bots
WHERE telegram_id = %(telegram_id)s
    AND status <> 'removed';

-- name: find_by_username :one
SELECT id, account_id, telegram_id, username, key, token_encrypted, secret_generation, funnel_id, status
FROM bots
WHERE account_id = %(account_id)s
    AND lower(username) = lower(%(username)s)
    AND status <> 'removed';

-- name: list_all :many
SELECT bots.id, accounts.name AS account, bots.username, bots.name, bots.status, bots.status_reason, funnels.name AS funnel, bots.created_at
FROM bots
JOIN accounts ON accounts.id = bots.account_id
LEFT JOIN funnels ON funnels.id = bots.funnel_id
WHERE bots.status <> 'removed'
    AND (%(account_id)s::bigint IS NULL OR bots.account_id = %(account_id)s)
ORDER BY accounts.name, bots.username;

-- name: list_names :many
-- What the bots with these ids are called, and whose they are.
SELECT id, username, account_id, (SELECT name FROM accounts WHERE accounts.id = bots.account_id) AS account
FROM bots
WHERE id = ANY (%(ids)s::bigint[])
ORDER BY id;

-- name: raise_secret_generation :value
UPDATE bots
SET secret_generation = secret_generation + 1,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s
RETURNING secret_generation;

-- name: renew :exec
-- A known bot added again: its token, name and funnel as given now, alive again.
UPDATE bots
SET token_encrypted = %(token_encrypted)s,
    username = %(username)s,
    name = %(name)s,
    funnel_id = coalesce(%(funnel_id)s, funnel_id),
    status = 'active',
    status_reason = NULL,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;

-- name: set_status :exec
UPDATE bots
SET status = %(status)s,
    status_reason = %(reason)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;
