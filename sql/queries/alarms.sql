-- What a seller must know of a bot at once (services/alarms.py).

-- name: add :exec
INSERT INTO alarms (account_id, bot_id, kind, detail, made_at)
VALUES (%(account_id)s, %(bot_id)s, %(kind)s, %(detail)s, %(now)s);

-- name: claim_due :many
-- Of every account: what nobody has tried to tell yet, the oldest first. Claimed it is tried, for good unless put back.
-- hot
UPDATE alarms
SET told_at = %(now)s
WHERE id = ANY (ARRAY(
    SELECT id
    FROM alarms
    WHERE told_at IS NULL
    ORDER BY id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
))
RETURNING id, account_id, bot_id, kind, detail;

-- name: list_tellers :many
-- The account's bots that can tell its seller, another one than the bot itself first.
SELECT id
FROM bots
WHERE account_id = %(account_id)s
    AND storage_chat_id IS NOT NULL
    AND status = 'active'
ORDER BY id = %(bot_id)s, id
LIMIT %(limit)s;

-- name: put_back :exec
-- Telegram surely was not told: to be tried again.
UPDATE alarms
SET told_at = NULL
WHERE account_id = %(account_id)s
    AND id = %(alarm_id)s;

-- name: tell :exec
-- A bot told it.
UPDATE alarms
SET told_by = %(teller_id)s
WHERE account_id = %(account_id)s
    AND id = %(alarm_id)s;
