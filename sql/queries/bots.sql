-- name: add :one
-- None when a bot with this Telegram id is alive in the installation already.
INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, funnel_id, token_shown_at, created_at, updated_at)
VALUES (%(account_id)s, %(telegram_id)s, %(username)s, %(name)s, %(key)s, %(token_encrypted)s, %(funnel_id)s, %(now)s, %(now)s,
    %(now)s)
ON CONFLICT (telegram_id) WHERE status <> 'removed' DO NOTHING
RETURNING id, account_id, telegram_id, username, key, token_encrypted, secret_generation, previous_secret_until, funnel_id, status,
    manager_id, storage_chat_id;

-- name: add_new :value
-- One whose token Telegram was not shown yet; None when it is known in this installation already.
INSERT INTO bots (account_id, telegram_id, username, name, key, token_encrypted, funnel_id, status, due_at, created_at, updated_at)
VALUES (%(account_id)s, %(telegram_id)s, %(telegram_id)s::bigint::text, '', %(key)s, %(token_encrypted)s, %(funnel_id)s, 'new', %(now)s, %(now)s,
    %(now)s)
ON CONFLICT (telegram_id) WHERE status <> 'removed' DO NOTHING
RETURNING id;

-- name: announce_change :exec
-- Tells every process to drop its cached copy (services/bots.py) and those of the pools it is in (services/pools.py); sent when the
-- transaction commits.
SELECT pg_notify('bots', %(bot_id)s::bigint::text)
UNION ALL
SELECT pg_notify('pools', pools.slug)
FROM pools
JOIN pool_bots ON pool_bots.pool_id = pools.id
WHERE pool_bots.bot_id = %(bot_id)s;

-- name: bury :value
-- Telegram disowns this token. None: the bot has another one meanwhile, or is out of service already.
UPDATE bots
SET status = 'dead',
    status_reason = %(reason)s,
    due_at = NULL,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s
    AND status IN ('new', 'active')
    AND token_encrypted = %(token_encrypted)s
RETURNING id;

-- name: claim_new :many
-- Of every account: those that wait to be brought to life, the longest waiting first. Whoever claims does it, or it is due again.
-- hot
UPDATE bots
SET token_shown_at = %(now)s,
    due_at = %(again_at)s
WHERE id = ANY (ARRAY(
    SELECT id
    FROM bots
    WHERE status = 'new'
        AND due_at <= %(now)s
    ORDER BY due_at, id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
))
RETURNING id;

-- name: count_by_status :many
-- Of every account.
SELECT status, count(*) AS bots
FROM bots
WHERE status <> 'removed'
GROUP BY status;

-- name: count_shown :value
-- Of every account: how many tokens Telegram was shown since, up to a limit.
-- hot
SELECT count(*)
FROM (
    SELECT
    FROM bots
    WHERE token_shown_at > %(since)s
    ORDER BY token_shown_at DESC
    LIMIT %(limit)s
) AS shown;

-- name: end_previous_secret :exec
-- Telegram knows the newest secret of this generation; the one before is taken for a while yet.
UPDATE bots
SET previous_secret_until = %(until)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s
    AND secret_generation = %(generation)s
    AND previous_secret_until IS NULL;

-- name: enliven :value
-- Telegram knows a new bot's token. None: it is no new one any more.
UPDATE bots
SET status = 'active',
    status_reason = NULL,
    due_at = NULL,
    username = %(username)s,
    name = %(name)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s
    AND status = 'new'
RETURNING id;

-- name: find_by_id :one
-- The id comes from our own rows and jobs, never from outside.
-- hot
SELECT id, account_id, telegram_id, username, key, token_encrypted, secret_generation,
    previous_secret_until, funnel_id, status, manager_id, storage_chat_id
FROM bots
WHERE id = %(bot_id)s;

-- name: find_by_key :one
-- hot
SELECT id, account_id, telegram_id, username, key, token_encrypted, secret_generation,
    previous_secret_until, funnel_id, status, manager_id, storage_chat_id
FROM bots
WHERE key = %(key)s
    AND status <> 'removed';

-- name: find_by_telegram_id :one
SELECT id, account_id, telegram_id, username, key, token_encrypted, secret_generation,
    previous_secret_until, funnel_id, status, manager_id, storage_chat_id
FROM bots
WHERE telegram_id = %(telegram_id)s
    AND status <> 'removed';

-- name: find_by_username :one
SELECT id, account_id, telegram_id, username, key, token_encrypted, secret_generation,
    previous_secret_until, funnel_id, status, manager_id, storage_chat_id
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

-- name: list_cold :many
-- Of every account: bots in service that have a storage chat, and a funnel whose current version is not warm.
SELECT bots.id, bots.account_id, bots.storage_chat_id, funnels.current_version_id AS version_id
FROM bots
JOIN funnels ON funnels.id = bots.funnel_id
WHERE bots.storage_chat_id IS NOT NULL
    AND bots.status = 'active'
    AND funnels.current_version_id IS NOT NULL
    AND funnels.current_version_id IS DISTINCT FROM bots.warmed_version_id
ORDER BY bots.id
LIMIT %(limit)s;

-- name: list_names :many
-- What the bots with these ids are called, and whose they are.
SELECT id, username, account_id, (SELECT name FROM accounts WHERE accounts.id = bots.account_id) AS account
FROM bots
WHERE id = ANY (%(ids)s::bigint[])
ORDER BY id;

-- name: note_warm :exec
-- What the version shows is at Telegram, or was refused for this reason.
UPDATE bots
SET warmed_version_id = %(version_id)s,
    warm_error = %(error)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;

-- name: postpone :exec
-- Of every account: Telegram takes no more new tokens before this instant.
UPDATE bots
SET due_at = %(until)s
WHERE status = 'new'
    AND due_at < %(until)s;

-- name: put_off :exec
-- A new bot could not be brought to life now, for this reason.
UPDATE bots
SET status_reason = %(reason)s,
    due_at = %(until)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s
    AND status = 'new';

-- name: raise_secret_generation :value
-- Not while Telegram may not know the newest: it would go on sending one that is two behind, which nobody takes.
UPDATE bots
SET secret_generation = secret_generation + CASE WHEN secret_generation > 1 AND previous_secret_until IS NULL THEN 0 ELSE 1 END,
    previous_secret_until = NULL,
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
    due_at = NULL,
    token_shown_at = %(now)s,
    warmed_version_id = NULL,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;

-- name: replace :exec
-- Another bot of Telegram's takes this one's place: its funnel, its leads, its sales.
UPDATE bots
SET telegram_id = %(telegram_id)s,
    manager_id = NULL,
    storage_chat_id = NULL,
    warmed_version_id = NULL,
    warm_error = NULL
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;

-- name: set_funnel :exec
UPDATE bots
SET funnel_id = %(funnel_id)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;

-- name: set_manager :exec
-- The manager is a bot of the same account.
UPDATE bots
SET manager_id = %(manager_id)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;

-- name: set_status :exec
UPDATE bots
SET status = %(status)s,
    status_reason = %(reason)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;

-- name: set_storage :exec
UPDATE bots
SET storage_chat_id = %(chat_id)s,
    warmed_version_id = NULL,
    warm_error = NULL
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s;
