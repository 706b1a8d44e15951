-- name: add :one
INSERT INTO gateway_accounts (account_id, gateway, key, credentials_encrypted, created_at)
VALUES (%(account_id)s, %(gateway)s, %(key)s, %(credentials_encrypted)s, %(now)s)
RETURNING id, account_id, gateway, key, credentials_encrypted, is_active;

-- name: announce_change :exec
-- Tells every process to read it again (services/gateway_accounts.py); sent when the transaction commits.
SELECT pg_notify('gateway_accounts', %(gateway_account_id)s::bigint::text);

-- name: find_by_id :one
-- The id comes from our own rows, never from outside.
-- hot
SELECT id, account_id, gateway, key, credentials_encrypted, is_active
FROM gateway_accounts
WHERE id = %(gateway_account_id)s;

-- name: find_by_key :one
-- Also of one that is active no more: its charges may still be paid.
-- hot
SELECT id, account_id, gateway, key, credentials_encrypted, is_active
FROM gateway_accounts
WHERE key = %(key)s;

-- name: list_all :many
SELECT id, gateway, key, is_active, created_at
FROM gateway_accounts
WHERE account_id = %(account_id)s
ORDER BY id;

-- name: list_page :many
-- Of every account, for each process's cache: those before an id, the newest first.
SELECT id, account_id, gateway, key, credentials_encrypted, is_active
FROM gateway_accounts
WHERE id < %(before_id)s
ORDER BY id DESC
LIMIT %(limit)s;

-- name: retire_active :exec
UPDATE gateway_accounts
SET is_active = false
WHERE account_id = %(account_id)s
    AND is_active;
