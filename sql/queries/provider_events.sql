-- name: add :one
-- The event's row, old or new: the update changes nothing, it makes a known row come back.
INSERT INTO provider_events (account_id, gateway_account_id, dedup_key, suffix, query, headers, body, verified, received_at)
VALUES (%(account_id)s, %(gateway_account_id)s, %(dedup_key)s, %(suffix)s, %(query)s, %(headers)s, %(body)s, %(verified)s, %(received_at)s)
ON CONFLICT (gateway_account_id, dedup_key) DO UPDATE
SET dedup_key = excluded.dedup_key
WHERE provider_events.account_id = excluded.account_id
RETURNING id, account_id, status, retries;

-- name: close :exec
UPDATE provider_events
SET status = %(status)s,
    reason = %(reason)s,
    payment_id = %(payment_id)s,
    settled_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(event_id)s
    AND status = 'received';

-- name: count_left_over :many
-- Of every account: events that no charge could be settled with, by status.
SELECT status, count(*) AS events
FROM (
    SELECT status
    FROM provider_events
    WHERE status IN ('unmatched', 'unconfirmed', 'failed')
    LIMIT %(limit)s
) AS found
GROUP BY status
ORDER BY status;

-- name: find :one
SELECT provider_events.id, provider_events.account_id, gateway_accounts.gateway, gateway_account_id, suffix, query, headers, body, verified, status, reason,
    payment_id, retries, received_at, settled_at
FROM provider_events
JOIN gateway_accounts ON gateway_accounts.id = gateway_account_id
WHERE provider_events.account_id = %(account_id)s
    AND provider_events.id = %(event_id)s;

-- name: find_by_id :one
-- The id comes from our own rows and jobs, never from outside.
-- hot
SELECT id, account_id, gateway_account_id, suffix, query, headers, body, verified, status, payment_id, received_at
FROM provider_events
WHERE id = %(event_id)s;

-- name: list_stale :many
-- Of every account, for the sweep, a page behind the id `after`: events stored and not yet acted upon.
SELECT id, account_id, status, retries
FROM provider_events
WHERE status = 'received'
    AND received_at < %(before)s
    AND id > %(after)s
ORDER BY id
LIMIT %(limit)s;

-- name: reopen :one
-- Have what was left over acted upon again. None: it is not left over.
UPDATE provider_events
SET status = 'received',
    reason = NULL,
    settled_at = NULL,
    retries = retries + 1
WHERE account_id = %(account_id)s
    AND id = %(event_id)s
    AND status IN ('unmatched', 'unconfirmed', 'failed')
RETURNING id, account_id, status, retries;
