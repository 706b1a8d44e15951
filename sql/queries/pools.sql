-- name: add :value
-- Its id; None when the slug is taken in the installation.
INSERT INTO pools (account_id, slug, domain_id, created_at, updated_at)
VALUES (%(account_id)s, %(slug)s, %(domain_id)s, %(now)s, %(now)s)
ON CONFLICT (slug) WHERE status <> 'removed' DO NOTHING
RETURNING id;

-- name: add_bot :exec
INSERT INTO pool_bots (account_id, pool_id, bot_id, position, weight, priority)
VALUES (%(account_id)s, %(pool_id)s, %(bot_id)s, %(position)s, %(weight)s, %(priority)s);

-- name: announce_change :exec
-- Tells every process to read this pool again (services/pools.py), or, as `<host>/`, whether that host is one of ours; sent when the
-- transaction commits.
SELECT pg_notify('pools', %(slug)s::text);

-- name: change :exec
UPDATE pools
SET strategy = %(strategy)s,
    landing = %(landing)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(pool_id)s;

-- name: clear_bots :exec
DELETE FROM pool_bots
WHERE account_id = %(account_id)s
    AND pool_id = %(pool_id)s;

-- name: list_all :many
-- With the state of each bot, so that a link that leads nowhere shows; `deaf`: its webhook is lost.
SELECT pools.slug, accounts.name AS account, pools.strategy, pools.landing IS NOT NULL AS landing, pools.created_at,
    coalesce(string_agg('@' || bots.username || CASE WHEN bots.status <> 'active' THEN ' (' || bots.status || ')'
        WHEN bot_webhooks.state IN ('missing', 'taken') THEN ' (deaf)' ELSE '' END, ' '
        ORDER BY pool_bots.position), '') AS bots
FROM pools
JOIN accounts ON accounts.id = pools.account_id
LEFT JOIN pool_bots ON pool_bots.pool_id = pools.id
LEFT JOIN bots ON bots.id = pool_bots.bot_id
LEFT JOIN bot_webhooks ON bot_webhooks.bot_id = bots.id
WHERE pools.status = 'active'
    AND (%(account_id)s::bigint IS NULL OR pools.account_id = %(account_id)s)
GROUP BY pools.id, accounts.name
ORDER BY accounts.name, pools.slug;

-- name: list_live :many
-- A page of pools for every process's memory, the newest first: a row per living bot, one row without a bot where none lives.
SELECT pools.id, pools.account_id, pools.slug, pools.strategy, pools.landing, bots.id AS bot_id, bots.username, pool_bots.weight,
    pool_bots.priority, coalesce(bot_webhooks.state, 'unseen') NOT IN ('missing', 'taken') AS hears
FROM (
    SELECT id, account_id, slug, strategy, landing
    FROM pools
    WHERE status = 'active'
        AND id < %(before_id)s
    ORDER BY id DESC
    LIMIT %(limit)s
) AS pools
LEFT JOIN (pool_bots JOIN bots ON bots.id = pool_bots.bot_id AND bots.status = 'active') ON pool_bots.pool_id = pools.id
LEFT JOIN bot_webhooks ON bot_webhooks.bot_id = bots.id
ORDER BY pools.id DESC, pool_bots.position;

-- name: list_live_by_slug :many
-- The same for one pool, by the word in its link.
-- hot
SELECT pools.id, pools.account_id, pools.slug, pools.strategy, pools.landing, bots.id AS bot_id, bots.username, pool_bots.weight,
    pool_bots.priority, coalesce(bot_webhooks.state, 'unseen') NOT IN ('missing', 'taken') AS hears
FROM pools
LEFT JOIN (pool_bots JOIN bots ON bots.id = pool_bots.bot_id AND bots.status = 'active') ON pool_bots.pool_id = pools.id
LEFT JOIN bot_webhooks ON bot_webhooks.bot_id = bots.id
WHERE pools.slug = %(slug)s
    AND pools.status <> 'removed'
ORDER BY pool_bots.position;

-- name: lock_by_slug :value
-- Its id, if the account has such a pool.
SELECT id
FROM pools
WHERE account_id = %(account_id)s
    AND slug = %(slug)s
    AND status <> 'removed'
FOR UPDATE;

-- name: remove :exec
UPDATE pools
SET status = 'removed',
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(pool_id)s;
