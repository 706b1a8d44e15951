-- name: add :one
-- None when its cause has planned it before.
INSERT INTO group_acts (account_id, group_id, user_id, act, cause, planned_at)
VALUES (%(account_id)s, %(group_id)s, %(user_id)s, %(act)s, %(cause)s, %(now)s)
ON CONFLICT (cause) DO NOTHING
RETURNING id, account_id, group_id, rounds, (
    SELECT bot_id
    FROM groups
    WHERE groups.account_id = %(account_id)s
        AND groups.id = %(group_id)s
) AS bot_id;

-- name: close :exec
-- The id comes from our own jobs.
UPDATE group_acts
SET status = %(status)s,
    outcome = %(outcome)s,
    error = %(error)s,
    done_at = %(now)s
WHERE id = %(act_id)s
    AND account_id = %(account_id)s
    AND status = 'planned';

-- name: find_by_id :one
-- The id comes from our own jobs.
SELECT group_acts.id, group_acts.account_id, group_acts.group_id, groups.bot_id, groups.chat_id, group_acts.user_id, group_acts.act,
    group_acts.status, group_acts.planned_at
FROM group_acts
JOIN groups ON groups.id = group_acts.group_id
WHERE group_acts.id = %(act_id)s;

-- name: list_stale :many
-- Of every account, for the sweep, a page behind the id `after`. A dead bot's wait for its return.
SELECT group_acts.id, group_acts.account_id, groups.bot_id, group_acts.rounds
FROM group_acts
JOIN groups ON groups.id = group_acts.group_id
JOIN bots ON bots.id = groups.bot_id
WHERE group_acts.status = 'planned'
    AND group_acts.planned_at < %(before)s
    AND group_acts.id > %(after)s
    AND bots.status = 'active'
ORDER BY group_acts.id
LIMIT %(limit)s;

-- name: plan_again :many
-- What waited for the bot's rights.
UPDATE group_acts
SET status = 'planned',
    rounds = rounds + 1,
    planned_at = %(now)s,
    done_at = NULL
FROM groups
WHERE groups.id = group_acts.group_id
    AND group_acts.account_id = %(account_id)s
    AND group_acts.group_id = %(group_id)s
    AND group_acts.status = 'waiting'
RETURNING group_acts.id, group_acts.account_id, groups.bot_id, group_acts.rounds;
