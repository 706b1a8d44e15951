-- name: claim_lost :many
-- Of every account: groups that something is sold for and whose bot has not its rights, to be asked about again; the longest ago first.
WITH due AS (
    SELECT id
    FROM groups
    WHERE status = 'lost'
        AND is_sold
        AND asked_at < %(before)s
    ORDER BY asked_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE groups
SET asked_at = %(now)s
FROM due
WHERE groups.id = due.id
RETURNING groups.id, groups.account_id, groups.bot_id, groups.chat_id;

-- name: drop_unused :exec
DELETE FROM groups
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND chat_id = %(chat_id)s
    AND NOT EXISTS (SELECT FROM accesses WHERE accesses.group_id = groups.id)
    AND NOT EXISTS (SELECT FROM group_acts WHERE group_acts.group_id = groups.id);

-- name: find :one
-- By its id of now or by the one it had as a group.
SELECT id, account_id, bot_id, chat_id, title, status, reason, asked_at, is_sold
FROM groups
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND (chat_id = %(chat_id)s OR former_chat_id = %(chat_id)s)
ORDER BY chat_id = %(chat_id)s DESC
LIMIT 1;

-- name: get :one
SELECT id, account_id, bot_id, chat_id, title, status, reason, asked_at, is_sold
FROM groups
WHERE account_id = %(account_id)s
    AND id = %(group_id)s;

-- name: hasten_deliveries :exec
-- What could not be handed over while the bot had not its rights is tried now.
UPDATE timers
SET due_at = %(now)s
FROM accesses
JOIN access_grants ON access_grants.access_id = accesses.id
WHERE accesses.account_id = %(account_id)s
    AND accesses.group_id = %(group_id)s
    AND timers.account_id = %(account_id)s
    AND timers.payment_id = access_grants.payment_id
    AND timers.kind = 'deliveries.retry'
    AND timers.status = 'pending'
    AND timers.due_at > %(now)s;

-- name: mark_sold :exec
UPDATE groups
SET is_sold = true
WHERE account_id = %(account_id)s
    AND id = %(group_id)s;

-- name: move :exec
-- A group became a supergroup.
UPDATE groups
SET chat_id = %(to_chat_id)s,
    former_chat_id = %(chat_id)s
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND chat_id = %(chat_id)s
    AND NOT EXISTS (SELECT FROM groups AS other WHERE other.bot_id = %(bot_id)s AND other.chat_id = %(to_chat_id)s);

-- name: name_former :exec
UPDATE groups
SET former_chat_id = %(former_chat_id)s
WHERE account_id = %(account_id)s
    AND id = %(group_id)s
    AND chat_id <> %(former_chat_id)s;

-- name: note :one
-- What Telegram says of a bot in a group. `was`: the status before, null where the group is new.
INSERT INTO groups (account_id, bot_id, chat_id, title, status, reason, status_since, asked_at)
VALUES (%(account_id)s, %(bot_id)s, %(chat_id)s, %(title)s, %(status)s, %(reason)s, %(now)s, %(now)s)
ON CONFLICT (bot_id, chat_id) DO UPDATE SET
    title = coalesce(nullif(excluded.title, ''), groups.title),
    status = excluded.status,
    reason = excluded.reason,
    status_since = CASE WHEN groups.status = excluded.status THEN groups.status_since ELSE excluded.status_since END,
    asked_at = excluded.asked_at
WHERE groups.account_id = excluded.account_id
RETURNING id, account_id, bot_id, chat_id, title, status, reason, is_sold, (
    SELECT earlier.status
    FROM groups AS earlier
    WHERE earlier.account_id = %(account_id)s
        AND earlier.bot_id = %(bot_id)s
        AND earlier.chat_id = %(chat_id)s
) AS was;
