-- name: add :one
-- Asked first; with `is_backup` after all others.
INSERT INTO gateway_accounts (account_id, gateway, key, credentials_encrypted, is_active, backup_place, created_at)
VALUES (%(account_id)s, %(gateway)s, %(key)s, %(credentials_encrypted)s, NOT %(is_backup)s,
    CASE WHEN %(is_backup)s THEN (
        SELECT coalesce(max(backup_place), 0) + 1
        FROM gateway_accounts
        WHERE account_id = %(account_id)s
    ) END, %(now)s)
RETURNING id, account_id, gateway, key, credentials_encrypted, is_active, backup_place, least_cents, most_cents, most_day_cents,
    most_day_charges, trips, broken_since, broken_until, broken_reason, compared_at;

-- name: add_of_bot :one
-- The bot's own, for Stars, made at its first charge and with its token as it is now. It has no place: only Stars are asked of it.
INSERT INTO gateway_accounts (account_id, bot_id, gateway, key, credentials_encrypted, is_active, created_at)
SELECT account_id, id, 'stars', %(key)s, token_encrypted, false, %(now)s
FROM bots
WHERE account_id = %(account_id)s
    AND id = %(bot_id)s
ON CONFLICT (account_id, bot_id) WHERE bot_id IS NOT NULL DO UPDATE
SET credentials_encrypted = excluded.credentials_encrypted
RETURNING id;

-- name: announce_change :exec
-- Tells every process to read it again (services/gateway_accounts.py); sent when the transaction commits.
SELECT pg_notify('gateway_accounts', %(gateway_account_id)s::bigint::text);

-- name: claim_comparisons :many
-- Of every account: those whose provider's statement has not been gone through since, that have made charges, in the small hours of
-- their sellers; the longest ago first. Until it was gone through to its end it stands as not done. A bot's own is left out: Telegram lists
-- no charges, so each charge in Stars is asked about by itself (services/checks.py).
UPDATE gateway_accounts
SET compared_at = %(now)s,
    compare_error = 'not gone through to its end'
WHERE id IN (
    SELECT due.id
    FROM gateway_accounts AS due
    JOIN accounts ON accounts.id = due.account_id
    WHERE due.bot_id IS NULL
        AND (due.compared_at IS NULL OR due.compared_at < %(before)s)
        AND extract(hour FROM %(now)s::timestamptz AT TIME ZONE accounts.time_zone) BETWEEN 2 AND 5
        AND EXISTS (SELECT FROM payments WHERE payments.gateway_account_id = due.id AND payments.txid IS NOT NULL)
    ORDER BY due.compared_at NULLS FIRST
    LIMIT %(limit)s
    FOR UPDATE OF due SKIP LOCKED
)
RETURNING id, account_id, gateway;

-- name: close_breaker :one
UPDATE gateway_accounts
SET trips = 0,
    broken_since = NULL,
    broken_until = NULL,
    broken_reason = NULL
WHERE account_id = %(account_id)s
    AND id = %(gateway_account_id)s
RETURNING id, account_id, gateway, key, credentials_encrypted, is_active, backup_place, least_cents, most_cents, most_day_cents,
    most_day_charges, trips, broken_since, broken_until, broken_reason, compared_at;

-- name: count_by_state :many
-- Of every account: those that take new charges, by the state of their breakers.
SELECT CASE WHEN broken_until IS NULL THEN 'closed' WHEN broken_until > %(now)s THEN 'open' ELSE 'half_open' END AS state,
    count(*) AS gateway_accounts
FROM gateway_accounts
WHERE is_active
    OR backup_place IS NOT NULL
GROUP BY 1
ORDER BY 1;

-- name: find_by_id :one
-- The id comes from our own rows, never from outside.
-- hot
SELECT id, account_id, gateway, key, credentials_encrypted, is_active, backup_place, least_cents, most_cents, most_day_cents,
    most_day_charges, trips, broken_since, broken_until, broken_reason, compared_at
FROM gateway_accounts
WHERE id = %(gateway_account_id)s;

-- name: find_by_key :one
-- Also of one that is active no more: its charges may still be paid.
-- hot
SELECT id, account_id, gateway, key, credentials_encrypted, is_active, backup_place, least_cents, most_cents, most_day_cents,
    most_day_charges, trips, broken_since, broken_until, broken_reason, compared_at
FROM gateway_accounts
WHERE key = %(key)s;

-- name: forget_days :exec
-- Of every account: what was asked on days that are over everywhere.
DELETE FROM gateway_days
WHERE day < %(before)s::date;

-- name: give_back :exec
-- A charge that was not made counts for no limit. The day it was taken on, should it be over, is not looked for.
UPDATE gateway_days
SET charges = charges - 1,
    cents = cents - %(amount_cents)s
FROM accounts
WHERE gateway_days.account_id = %(account_id)s
    AND gateway_days.gateway_account_id = %(gateway_account_id)s
    AND accounts.id = gateway_days.account_id
    AND gateway_days.day = (%(now)s::timestamptz AT TIME ZONE accounts.time_zone)::date
    AND charges > 0
    AND cents >= %(amount_cents)s;

-- name: list_all :many
-- Those that take new charges first, in their order.
SELECT id, gateway, key, is_active, backup_place, least_cents, most_cents, most_day_cents, most_day_charges, trips, broken_since,
    broken_until, broken_reason, compared_at, compare_error, created_at
FROM gateway_accounts
WHERE account_id = %(account_id)s
ORDER BY is_active DESC, backup_place, id;

-- name: list_in_service :many
-- Those that take new charges, in the order they are asked.
SELECT id, account_id, gateway, key, credentials_encrypted, is_active, backup_place, least_cents, most_cents, most_day_cents,
    most_day_charges, trips, broken_since, broken_until, broken_reason, compared_at
FROM gateway_accounts
WHERE account_id = %(account_id)s
    AND (is_active OR backup_place IS NOT NULL)
ORDER BY is_active DESC, backup_place, id;

-- name: list_page :many
-- Of every account, for each process's cache: those before an id, the newest first.
SELECT id, account_id, gateway, key, credentials_encrypted, is_active, backup_place, least_cents, most_cents, most_day_cents,
    most_day_charges, trips, broken_since, broken_until, broken_reason, compared_at
FROM gateway_accounts
WHERE id < %(before_id)s
ORDER BY id DESC
LIMIT %(limit)s;

-- name: list_shown :many
-- For their seller's page, in the order they are asked, with what they were asked for on his day; no credentials.
SELECT own.id, own.gateway, own.key, own.is_active, own.backup_place, bots.username AS bot, own.least_cents, own.most_cents,
    own.most_day_cents, own.most_day_charges, own.trips, own.broken_since, own.broken_until, own.broken_reason, own.compared_at,
    own.compare_error, own.created_at, coalesce(today.charges, 0) AS day_charges, coalesce(today.cents, 0) AS day_cents
FROM gateway_accounts AS own
JOIN accounts ON accounts.id = own.account_id
LEFT JOIN bots ON bots.id = own.bot_id
LEFT JOIN gateway_days AS today ON today.gateway_account_id = own.id
    AND today.day = (%(now)s::timestamptz AT TIME ZONE accounts.time_zone)::date
WHERE own.account_id = %(account_id)s
ORDER BY own.is_active DESC, own.backup_place, own.id;

-- name: note_compared :exec
-- Its provider's statement was gone through, or could not be: then `error` says why.
UPDATE gateway_accounts
SET compared_at = %(now)s,
    compare_error = %(error)s
WHERE account_id = %(account_id)s
    AND id = %(gateway_account_id)s;

-- name: open_breaker :one
-- Nobody asks it for 5 s, then 10, 20, 30, and no longer: buyers wait. None: it is open already, unless who asks was sent to see.
UPDATE gateway_accounts
SET trips = trips + 1,
    broken_since = coalesce(broken_since, %(now)s),
    broken_until = %(now)s + least(interval '5 seconds' * power(2, least(trips, 3)), interval '30 seconds'),
    broken_reason = %(reason)s
WHERE account_id = %(account_id)s
    AND id = %(gateway_account_id)s
    AND (broken_until IS NULL OR %(is_probe)s)
RETURNING id, account_id, gateway, key, credentials_encrypted, is_active, backup_place, least_cents, most_cents, most_day_cents,
    most_day_charges, trips, broken_since, broken_until, broken_reason, compared_at;

-- name: place :one
-- Give one its place: 0 is asked first, null is not asked. A bot's own has none.
UPDATE gateway_accounts
SET is_active = %(place)s IS NOT DISTINCT FROM 0,
    backup_place = nullif(%(place)s::integer, 0)
WHERE account_id = %(account_id)s
    AND id = %(gateway_account_id)s
    AND bot_id IS NULL
RETURNING id;

-- name: renew_of_bot :value
-- The bot has another token; None where it never charged in Stars.
UPDATE gateway_accounts
SET credentials_encrypted = bots.token_encrypted
FROM bots
WHERE gateway_accounts.account_id = %(account_id)s
    AND gateway_accounts.bot_id = %(bot_id)s
    AND bots.account_id = gateway_accounts.account_id
    AND bots.id = gateway_accounts.bot_id
RETURNING gateway_accounts.id;

-- name: retire_active :exec
UPDATE gateway_accounts
SET is_active = false
WHERE account_id = %(account_id)s
    AND is_active;

-- name: retire_all :exec
UPDATE gateway_accounts
SET is_active = false,
    backup_place = NULL
WHERE account_id = %(account_id)s
    AND (is_active OR backup_place IS NOT NULL);

-- name: set_limits :one
-- In reais, so not of a bot's own.
UPDATE gateway_accounts
SET least_cents = %(least_cents)s,
    most_cents = %(most_cents)s,
    most_day_cents = %(most_day_cents)s,
    most_day_charges = %(most_day_charges)s
WHERE account_id = %(account_id)s
    AND id = %(gateway_account_id)s
    AND bot_id IS NULL
RETURNING id;

-- name: take_day :value
-- Count a charge on the seller's day; None where that would be over a limit.
INSERT INTO gateway_days (account_id, gateway_account_id, day, charges, cents)
SELECT gateway_accounts.account_id, gateway_accounts.id, (%(now)s::timestamptz AT TIME ZONE accounts.time_zone)::date, 1, %(amount_cents)s
FROM gateway_accounts
JOIN accounts ON accounts.id = gateway_accounts.account_id
WHERE gateway_accounts.account_id = %(account_id)s
    AND gateway_accounts.id = %(gateway_account_id)s
    AND (most_day_cents IS NULL OR most_day_cents >= %(amount_cents)s)
ON CONFLICT (gateway_account_id, day) DO UPDATE
SET charges = gateway_days.charges + 1,
    cents = gateway_days.cents + excluded.cents
WHERE gateway_days.charges < coalesce(%(most_day_charges)s, gateway_days.charges + 1)
    AND gateway_days.cents + excluded.cents <= coalesce(%(most_day_cents)s, gateway_days.cents + excluded.cents)
RETURNING true;

-- name: take_probe :one
-- For one caller, once the time is over: he may ask it to see whether it makes charges again. None for all others.
UPDATE gateway_accounts
SET broken_until = %(until)s
WHERE account_id = %(account_id)s
    AND id = %(gateway_account_id)s
    AND broken_until <= %(now)s
RETURNING id, account_id, gateway, key, credentials_encrypted, is_active, backup_place, least_cents, most_cents, most_day_cents,
    most_day_charges, trips, broken_since, broken_until, broken_reason, compared_at;
