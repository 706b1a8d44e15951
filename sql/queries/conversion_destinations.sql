-- Where conversions go (services/conversion_destinations.py).

-- name: add :value
-- Its id.
INSERT INTO conversion_destinations (account_id, network, credentials_encrypted, events, bot_ids, pool_ids, test_event_code,
    keeps_seconds, due_at, created_at, updated_at)
VALUES (%(account_id)s, %(network)s, %(credentials_encrypted)s, %(events)s::text[], %(bot_ids)s::bigint[], %(pool_ids)s::bigint[],
    %(test_event_code)s, %(keeps_seconds)s, %(now)s, %(now)s, %(now)s)
RETURNING id;

-- name: announce_change :exec
-- Tells every process to read anew who reports anything; sent when the transaction commits.
SELECT pg_notify('conversion_destinations', %(account_id)s::bigint::text);

-- name: claim_due :many
-- Of every account: destinations with something to send whose time has come. Each is due again at claimed_until, should its round get lost.
-- hot
UPDATE conversion_destinations
SET due_at = %(claimed_until)s,
    rounds = rounds + 1
WHERE id = ANY (ARRAY(
    SELECT id
    FROM conversion_destinations AS waiting
    WHERE status = 'active'
        AND due_at <= %(now)s
        AND EXISTS (
            SELECT
            FROM conversions
            WHERE destination_id = waiting.id
                AND status = 'planned'
                AND planned_at <= %(before)s
                AND expires_at > %(now)s
        )
    ORDER BY due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
))
RETURNING id, account_id, rounds;

-- name: count_paused :many
-- Of every account, by network.
SELECT network, count(*) AS destinations
FROM conversion_destinations
WHERE status = 'paused'
GROUP BY network
ORDER BY network;

-- name: find :one
SELECT id, account_id, network, credentials_encrypted, events, bot_ids, pool_ids, test_event_code, keeps_seconds, status, reason, rounds,
    failures
FROM conversion_destinations
WHERE account_id = %(account_id)s
    AND id = %(destination_id)s;

-- name: finish_round :exec
-- Of the newest round only: when the next may begin.
UPDATE conversion_destinations
SET failures = %(failures)s,
    due_at = %(due_at)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(destination_id)s
    AND rounds = %(round)s;

-- name: list_all :many
SELECT id, network, events, bot_ids, pool_ids, test_event_code, status, reason, failures, created_at
FROM conversion_destinations
WHERE account_id = %(account_id)s
    AND status <> 'removed'
ORDER BY id;

-- name: list_reporting :many
-- Of every account, for each process's memory: who reports anything.
SELECT DISTINCT account_id
FROM conversion_destinations
WHERE status <> 'removed';

-- name: pause :value
-- True where it was active: its credentials are refused, until a person resumes it.
UPDATE conversion_destinations
SET status = 'paused',
    reason = %(reason)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(destination_id)s
    AND status = 'active'
RETURNING true;

-- name: remove :value
UPDATE conversion_destinations
SET status = 'removed',
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(destination_id)s
    AND status <> 'removed'
RETURNING true;

-- name: resume :value
-- True where there is one. With other credentials, unless they are null.
UPDATE conversion_destinations
SET status = 'active',
    reason = NULL,
    credentials_encrypted = coalesce(%(credentials_encrypted)s, credentials_encrypted),
    failures = 0,
    due_at = %(now)s,
    updated_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(destination_id)s
    AND status <> 'removed'
RETURNING true;
