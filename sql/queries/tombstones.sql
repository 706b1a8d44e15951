-- name: add :exec
-- Once per lead.
INSERT INTO tombstones (account_id, lead_id, bot_id, digest, actor, made_at)
VALUES (%(account_id)s, %(lead_id)s, %(bot_id)s, %(digest)s, %(actor)s, %(now)s)
ON CONFLICT (account_id, lead_id) DO NOTHING;

-- name: find_erased :value
-- Which of some chats of a bot were erased, by their digests.
SELECT coalesce(array_agg(digest), '{}')
FROM tombstones
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND digest = ANY(%(digests)s::text[]);

-- name: list_page :many
-- Of every account, for backups, behind the id `after`.
SELECT account_id, lead_id, bot_id, digest, actor, made_at
FROM tombstones
WHERE lead_id > %(after)s
ORDER BY lead_id
LIMIT %(limit)s;

-- name: list_recent :many
SELECT tombstones.lead_id, bots.username AS bot, tombstones.actor, tombstones.made_at
FROM tombstones
JOIN bots ON bots.id = tombstones.bot_id
WHERE tombstones.account_id = %(account_id)s
ORDER BY tombstones.made_at DESC, tombstones.lead_id DESC
LIMIT %(limit)s;
