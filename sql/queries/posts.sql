-- name: add :one
-- None when this effect of its cause is planned already.
INSERT INTO posts (account_id, bot_id, lead_id, cause, ordinal, step, url, body, planned_at)
VALUES (%(account_id)s, %(bot_id)s, %(lead_id)s, %(cause)s, %(ordinal)s, %(step)s, %(url)s, %(body)s, %(now)s)
ON CONFLICT (cause, ordinal) DO NOTHING
RETURNING id, account_id, bot_id, cause, ordinal, tries;

-- name: end :exec
UPDATE posts
SET status = %(status)s,
    error = %(error)s,
    ended_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(post_id)s
    AND status = 'planned';

-- name: find_by_cause :one
SELECT id, account_id, bot_id, cause, ordinal, tries
FROM posts
WHERE account_id = %(account_id)s
    AND cause = %(cause)s
    AND ordinal = %(ordinal)s;

-- name: find_by_id :one
-- The id comes from our own job.
SELECT id, account_id, bot_id, url, body, status, tries
FROM posts
WHERE id = %(post_id)s;

-- name: list_open_by_cause :many
SELECT id, account_id, bot_id, cause, ordinal, tries
FROM posts
WHERE account_id = %(account_id)s
    AND cause = %(cause)s
    AND status = 'planned'
ORDER BY ordinal;

-- name: list_stale :many
-- Of every account, for the sweep, a page behind the id `after`.
SELECT id, account_id, bot_id, cause, ordinal, tries
FROM posts
WHERE status = 'planned'
    AND planned_at < %(before)s
    AND id > %(after)s
ORDER BY id
LIMIT %(limit)s;

-- name: list_troubled :many
SELECT posts.id, bots.username AS bot, posts.step, posts.url, posts.status, posts.tries, posts.error, posts.planned_at
FROM posts
JOIN bots ON bots.id = posts.bot_id
WHERE posts.account_id = %(account_id)s
    AND posts.status IN ('waiting', 'failed')
ORDER BY posts.id DESC
LIMIT %(limit)s;

-- name: plan_again :one
UPDATE posts
SET status = 'planned',
    planned_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(post_id)s
    AND status = 'waiting'
RETURNING id, account_id, bot_id, cause, ordinal, tries;

-- name: put_off :exec
-- To be tried again by a timer; nothing where another run of the same job was faster.
UPDATE posts
SET status = 'waiting',
    tries = tries + 1,
    error = %(error)s
WHERE account_id = %(account_id)s
    AND id = %(post_id)s
    AND tries = %(tries)s
    AND status = 'planned';
