-- name: bind_order :later
-- The newest order of leads.state (services/funnels/walks.py) gets the payment that was opened for it.
UPDATE leads
SET state = jsonb_set(state, '{orders,-1,payment_id}', to_jsonb(%(payment_id)s::bigint))
WHERE account_id = %(account_id)s
    AND id = %(lead_id)s;

-- name: block_all :exec
-- Of a bot that another took the place of: nobody has let that one write yet.
UPDATE leads
SET status = 'blocked'
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND status = 'active';

-- name: bring_in :many
-- Leads of the system before this one; who is known stays as he is.
INSERT INTO leads (account_id, bot_id, chat_id, first_name, username, status, state, created_at, updated_at)
SELECT %(account_id)s, %(bot_id)s, old.chat_id, old.first_name, old.username, old.status,
    CASE WHEN jsonb_array_length(old.tags) > 0 THEN jsonb_build_object('tags', old.tags) ELSE '{}' END,
    old.created_at, old.updated_at
FROM jsonb_to_recordset(%(leads)s::jsonb) AS old (chat_id bigint, first_name text, username text, status text,
    tags jsonb, created_at timestamptz, updated_at timestamptz)
ON CONFLICT (bot_id, chat_id) DO NOTHING
RETURNING id;

-- name: find_by_chat :one
SELECT id, account_id, bot_id, chat_id, first_name, last_name, username, language_code, status, start_param, version_id, step, state,
    key_encrypted
FROM leads
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND chat_id = %(chat_id)s;

-- name: find_by_username :one
-- The one that was heard of last: a user name may have moved on to somebody else.
SELECT id, account_id, bot_id, chat_id, first_name, last_name, username, language_code, status, start_param, version_id, step, state,
    key_encrypted
FROM leads
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s
    AND lower(username) = lower(%(username)s)
ORDER BY updated_at DESC
LIMIT 1;

-- name: lock_by_id :one
SELECT id, account_id, bot_id, chat_id, first_name, last_name, username, language_code, status, start_param, version_id, step, state,
    key_encrypted
FROM leads
WHERE account_id = %(account_id)s
    AND id = %(lead_id)s
FOR UPDATE;

-- name: lock_or_add :one
-- A language Telegram leaves out is kept as last known. The row stays locked to the end of the transaction.
-- In one with it, what an update asks of every lead: `is_news` tells that this update was never applied before, on whichever of the
-- days that are kept (sent again after midnight it is still the same); a null one is news. A /start that brought no click is noted
-- if it is the lead's first. `is_new`: there was none.
-- hot
WITH met AS (
    INSERT INTO leads (account_id, bot_id, chat_id, first_name, last_name, username, language_code, created_at, updated_at)
    VALUES (%(account_id)s, %(bot_id)s, %(chat_id)s, %(first_name)s, %(last_name)s, %(username)s, %(language_code)s, %(now)s, %(now)s)
    ON CONFLICT (bot_id, chat_id) DO UPDATE SET
        first_name = EXCLUDED.first_name,
        last_name = EXCLUDED.last_name,
        username = EXCLUDED.username,
        language_code = coalesce(nullif(EXCLUDED.language_code, ''), leads.language_code),
        updated_at = EXCLUDED.updated_at
    WHERE leads.account_id = EXCLUDED.account_id
    RETURNING id, account_id, bot_id, chat_id, first_name, last_name, username, language_code, status, start_param, version_id, step, state,
        key_encrypted, walked_at, walked_update_id, xmax = 0 AS is_new
), noted AS (
    INSERT INTO applied_updates (applied_on, account_id, bot_id, update_id)
    SELECT %(applied_on)s, account_id, bot_id, %(update_id)s
    FROM met
    WHERE NOT EXISTS (
        SELECT
        FROM applied_updates
        WHERE account_id = %(account_id)s
            AND bot_id = %(bot_id)s
            AND update_id = %(update_id)s
    )
        AND %(update_id)s IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING update_id
), begun AS (
    INSERT INTO starts (account_id, bot_id, lead_id, started_at)
    SELECT account_id, bot_id, id, %(now)s
    FROM met
    WHERE %(is_start)s
        AND walked_at IS NULL
        AND NOT EXISTS (
            SELECT
            FROM starts
            WHERE lead_id = met.id
        )
    ON CONFLICT DO NOTHING
)
SELECT id, account_id, bot_id, chat_id, first_name, last_name, username, language_code, status, start_param, version_id, step, state,
    key_encrypted, walked_at, walked_update_id, is_new,
    %(update_id)s IS NULL OR EXISTS (SELECT FROM noted) AS is_news,
    (SELECT current_version_id FROM funnels WHERE account_id = %(account_id)s AND id = %(funnel_id)s) AS current_version_id
FROM met;

-- name: save_walk :later
-- And what moved it, unless `event` is null.
WITH saved AS (
    UPDATE leads
    SET version_id = %(version_id)s,
        step = %(step)s,
        state = %(state)s,
        start_param = %(start_param)s,
        key_encrypted = %(key_encrypted)s,
        marks = coalesce(%(marks)s::text[], marks),
        walked_at = %(now)s,
        walked_update_id = coalesce(%(update_id)s, walked_update_id),
        updated_at = %(now)s
    WHERE account_id = %(account_id)s
        AND id = %(lead_id)s
    RETURNING id, account_id
)
INSERT INTO moves (account_id, lead_id, version_id, cause, event, at)
SELECT account_id, id, %(moved_on)s, %(cause)s, %(event)s, %(now)s
FROM saved
WHERE %(event)s::jsonb IS NOT NULL;

-- name: set_reported :value
-- Whether ad networks and the like may be told of the lead. Its id, where the account has it; the row stays locked.
UPDATE leads
SET is_reported = %(is_reported)s
WHERE account_id = %(account_id)s
    AND id = %(lead_id)s
RETURNING id;

-- name: set_status :later
UPDATE leads
SET status = %(status)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(lead_id)s;

-- name: touch :later
-- The lead came by this click: its last one, and its first if there was none. Brought for the first time, it counts as a start.
WITH started AS (
    INSERT INTO starts (account_id, bot_id, lead_id, click_id, started_at)
    SELECT account_id, bot_id, id, %(click_id)s, %(now)s
    FROM leads
    WHERE account_id = %(account_id)s
        AND id = %(lead_id)s
    ON CONFLICT DO NOTHING
)
UPDATE leads
SET first_click_id = coalesce(first_click_id, %(click_id)s),
    last_click_id = %(click_id)s
WHERE account_id = %(account_id)s
    AND id = %(lead_id)s;
