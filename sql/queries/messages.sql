-- name: add :later
-- Nothing happens when this effect of its cause is planned already.
-- hot
INSERT INTO messages (account_id, bot_id, lead_id, chat_id, cause, ordinal, version_id, step, payment_id, method, body, nonce, policy,
    campaign_id, planned_at)
VALUES (%(account_id)s, %(bot_id)s, %(lead_id)s, %(chat_id)s, %(cause)s, %(ordinal)s, %(version_id)s, %(step)s, %(payment_id)s,
    %(method)s, %(body)s, %(nonce)s, %(policy)s, %(campaign_id)s, %(planned_at)s)
ON CONFLICT (cause, ordinal) DO NOTHING;

-- name: claim :one
-- Begins an attempt, or gives None: done already, or not to be sent (see close_unsendable). Found in `sending`, an earlier attempt
-- ended without telling: this one is a repeat. `sending_at` begins with the first of the attempts in doubt and stands still while
-- nothing is attempted (see mark_planned); `chat_id` is where the lead is now.
-- `delivers`: it is a part of a delivery. Cause and ordinal come from our own job.
-- hot
UPDATE messages
SET status = 'sending',
    attempts = messages.attempts + 1,
    resent = messages.resent OR messages.status = 'sending',
    sending_at = coalesce(messages.sending_at, %(now)s)
FROM leads
WHERE messages.cause = %(cause)s
    AND messages.ordinal = %(ordinal)s
    AND leads.id = messages.lead_id
    AND leads.status = 'active'
    AND (messages.status = 'planned' OR messages.status = 'sending' AND messages.policy = 'retry')
RETURNING messages.id, messages.account_id, messages.bot_id, messages.lead_id, leads.chat_id, messages.payment_id, messages.method,
    messages.body, messages.policy, messages.attempts, messages.sending_at,
    EXISTS (SELECT FROM deliveries WHERE payment_id = messages.payment_id AND step = messages.step) AS delivers;

-- name: close_unsendable :one
-- What claim refuses and nobody may send: a `once` message whose attempt ended without telling, and whatever goes to a dead chat.
UPDATE messages
SET status = CASE WHEN messages.status = 'sending' AND messages.policy = 'once' THEN 'uncertain' ELSE 'failed' END,
    error = CASE WHEN messages.status = 'sending' AND messages.policy = 'once' THEN 'the attempt ended without an answer'
        ELSE 'the chat is ' || leads.status END,
    is_lasting = messages.status = 'planned' OR messages.policy = 'retry'
FROM leads
WHERE messages.cause = %(cause)s
    AND messages.ordinal = %(ordinal)s
    AND leads.id = messages.lead_id
    AND (messages.status = 'sending' AND messages.policy = 'once'
        OR messages.status IN ('planned', 'sending') AND leads.status <> 'active')
RETURNING messages.id, messages.account_id, messages.payment_id, messages.status, messages.error;

-- name: discard :one
-- By a person. None: it is neither failed nor uncertain any more.
UPDATE messages
SET status = 'discarded'
WHERE account_id = %(account_id)s
    AND id = %(message_id)s
    AND status IN ('failed', 'uncertain')
RETURNING id, account_id, payment_id, status, error;

-- name: find :one
SELECT id, account_id, bot_id, lead_id, chat_id, cause, ordinal, regrants, campaign_id, payment_id, status
FROM messages
WHERE account_id = %(account_id)s
    AND id = %(message_id)s;

-- name: find_by_nonce :one
-- The message whose button was tapped.
-- hot
SELECT id, account_id, bot_id, lead_id, chat_id, version_id, step, payment_id, status
FROM messages
WHERE bot_id = %(bot_id)s
    AND nonce = %(nonce)s;

-- name: list_open_by_cause :many
-- hot
SELECT id, account_id, bot_id, lead_id, chat_id, cause, ordinal, regrants, campaign_id, payment_id, status
FROM messages
WHERE account_id = %(account_id)s
    AND cause = %(cause)s
    AND status IN ('planned', 'sending')
ORDER BY ordinal;

-- name: list_stale :many
-- Of every account, for the sweep, a page behind the id `after`: planned long ago and still open, also where an attempt ended without
-- telling (`sending`). A dead bot's wait for its return.
SELECT messages.id, messages.account_id, messages.bot_id, messages.chat_id, messages.cause, messages.ordinal, messages.regrants,
    messages.campaign_id
FROM messages
JOIN bots ON bots.id = messages.bot_id
WHERE messages.status IN ('planned', 'sending')
    AND messages.planned_at < %(before)s
    AND messages.id > %(after)s
    AND bots.status = 'active'
ORDER BY messages.id
LIMIT %(limit)s;

-- name: mark_failed :one
-- By the attempt that knows it. An attempt that a later one has overtaken (`attempts`) leaves the word to that one.
UPDATE messages
SET status = 'failed',
    error = %(error)s,
    is_lasting = %(is_lasting)s
WHERE id = %(message_id)s
    AND attempts = %(attempts)s
    AND status IN ('sending', 'uncertain')
RETURNING id, account_id, payment_id, status, error;

-- name: mark_given_up :one
-- By whoever finds its job dead.
UPDATE messages
SET status = 'failed',
    error = %(error)s,
    is_lasting = false
WHERE id = %(message_id)s
    AND account_id = %(account_id)s
    AND status IN ('planned', 'sending')
RETURNING id, account_id, payment_id, status, error;

-- name: mark_planned :exec
-- This attempt was surely not executed, so it is as if it had not been; what an earlier one left in doubt stays so, less the wait.
UPDATE messages
SET status = 'planned',
    sending_at = CASE WHEN resent THEN sending_at + make_interval(secs => %(wait_seconds)s) END,
    error = %(error)s
WHERE id = %(message_id)s
    AND attempts = %(attempts)s
    AND status = 'sending';

-- name: mark_sent :one
-- By whoever knows it, whatever was written meanwhile: the first to know wins. `recent`: messages of the chat in the last seconds.
-- hot
UPDATE messages
SET status = 'sent',
    telegram_message_id = %(telegram_message_id)s,
    error = %(error)s,
    sent_at = %(now)s
WHERE id = %(message_id)s
    AND status <> 'sent'
RETURNING id, account_id, payment_id, status, error, 1 + (
    SELECT count(*)
    FROM messages AS earlier
    WHERE earlier.lead_id = messages.lead_id
        AND earlier.sent_at > %(since)s
) AS recent;

-- name: mark_uncertain :exec
UPDATE messages
SET status = 'uncertain',
    error = %(error)s
WHERE id = %(message_id)s
    AND attempts = %(attempts)s
    AND status = 'sending';

-- name: move_lead :exec
-- Its group has a new id; unless a lead has come from there already.
UPDATE leads
SET chat_id = %(chat_id)s
WHERE id = %(lead_id)s
    AND account_id = %(account_id)s
    AND NOT EXISTS (SELECT FROM leads AS other WHERE other.bot_id = leads.bot_id AND other.chat_id = %(chat_id)s);

-- name: plan_again :one
-- By a person: as if for the first time, and the delivery it is a part of with it. None: it is neither failed nor uncertain any more.
WITH again AS (
    UPDATE messages
    SET status = 'planned',
        error = NULL,
        is_lasting = false,
        regrants = regrants + 1,
        resent = resent OR status = 'uncertain',
        planned_at = %(now)s,
        sending_at = NULL
    WHERE account_id = %(account_id)s
        AND id = %(message_id)s
        AND status IN ('failed', 'uncertain')
    RETURNING id, account_id, bot_id, chat_id, cause, ordinal, step, regrants
), owed AS (
    UPDATE deliveries
    SET status = 'planned',
        error = NULL
    FROM again
    JOIN messages AS carrier ON carrier.cause = again.cause AND carrier.step = again.step
    WHERE deliveries.account_id = %(account_id)s
        AND deliveries.message_id = carrier.id
        AND deliveries.status = 'failed'
)
SELECT id, account_id, bot_id, chat_id, cause, ordinal, regrants
FROM again;

-- name: silence_lead :later
-- Telegram says the chat is dead; unless the lead has come back since the attempt began.
UPDATE leads
SET status = %(status)s
WHERE id = %(lead_id)s
    AND account_id = %(account_id)s
    AND status = 'active'
    AND updated_at <= %(since)s;
