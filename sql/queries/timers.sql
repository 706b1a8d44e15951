-- name: add :later
-- Once per cause and ordinal.
INSERT INTO timers (account_id, bot_id, payment_id, kind, cause, ordinal, payload, due_at, created_at)
VALUES (%(account_id)s, %(bot_id)s, %(payment_id)s, %(kind)s, %(cause)s, %(ordinal)s, %(payload)s, %(due_at)s, %(now)s)
ON CONFLICT (cause, ordinal) DO NOTHING;

-- name: bury :exec
-- Its job is dead: a person looks at it.
UPDATE timers
SET status = 'dead'
WHERE id = %(timer_id)s
    AND status = 'pending';

-- name: cancel :later
UPDATE timers
SET status = 'cancelled'
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s
    AND kind = %(kind)s
    AND status = 'pending';

-- name: claim_due :many
-- Of every account: what is due, oldest first, that no other process hands to the queue at this moment.
-- hot
WITH due AS (
    SELECT id
    FROM timers
    WHERE status = 'pending'
        AND due_at <= %(now)s
        AND (claimed_until IS NULL OR claimed_until <= %(now)s)
    ORDER BY due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE timers
SET claimed_until = %(claimed_until)s
FROM due
WHERE timers.id = due.id
RETURNING timers.id, timers.account_id, timers.bot_id, timers.kind, timers.payload;

-- name: count_by_minute :many
-- Of every account: how much comes due in each minute until then, of the next so many.
WITH coming AS (
    SELECT due_at, kind
    FROM timers
    WHERE status = 'pending'
        AND due_at < %(until)s
    ORDER BY due_at
    LIMIT %(limit)s
)
SELECT date_trunc('minute', due_at) AS minute, kind, count(*) AS timers
FROM coming
GROUP BY minute, kind
ORDER BY minute, kind;

-- name: finish :exec
-- The id comes from our own jobs.
UPDATE timers
SET status = 'fired',
    fired_at = %(now)s
WHERE id = %(timer_id)s
    AND status = 'pending';

-- name: forget_old :value
-- Of every account: looks at the next ones behind an id, and deletes of those made before an instant what is over. The last id
-- that was old; null: no more.
WITH looked AS MATERIALIZED (
    SELECT id, created_at
    FROM timers
    WHERE id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
), forgotten AS (
    DELETE FROM timers
    WHERE id = ANY (ARRAY(SELECT id FROM looked WHERE created_at < %(before)s))
        AND due_at < %(before)s
        AND status IN ('fired', 'cancelled')
)
SELECT max(id)
FROM looked
WHERE created_at < %(before)s;
