-- Domains of accounts on which their tracked links stand. A verified one is one account's in the installation.

-- name: add :value
-- Its id; None when the account has it already.
INSERT INTO domains (account_id, host, created_at)
VALUES (%(account_id)s, %(host)s, %(now)s)
ON CONFLICT (account_id, host) WHERE status <> 'removed' DO NOTHING
RETURNING id;

-- name: find :one
SELECT id, host, status
FROM domains
WHERE account_id = %(account_id)s
    AND host = %(host)s
    AND status <> 'removed';

-- name: has_pools :value
-- Whether links stand on it.
SELECT EXISTS (
    SELECT
    FROM pools
    WHERE account_id = %(account_id)s
        AND domain_id = %(domain_id)s
        AND status <> 'removed'
);

-- name: is_verified :value
-- Of every account, for every process's memory: whether a host is one of ours.
SELECT EXISTS (
    SELECT
    FROM domains
    WHERE host = %(host)s
        AND status = 'verified'
);

-- name: list_all :many
SELECT domains.host, accounts.name AS account, domains.status, domains.verified_at
FROM domains
JOIN accounts ON accounts.id = domains.account_id
WHERE domains.status <> 'removed'
    AND (%(account_id)s::bigint IS NULL OR domains.account_id = %(account_id)s)
ORDER BY domains.host, accounts.name;

-- name: list_verified :many
-- Of every account, for every process's memory.
SELECT host
FROM domains
WHERE status = 'verified';

-- name: lock :one
SELECT id, host, status
FROM domains
WHERE account_id = %(account_id)s
    AND host = %(host)s
    AND status <> 'removed'
FOR UPDATE;

-- name: remove :exec
UPDATE domains
SET status = 'removed'
WHERE account_id = %(account_id)s
    AND id = %(domain_id)s;

-- name: verify :exec
UPDATE domains
SET status = 'verified',
    verified_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(domain_id)s
    AND status <> 'removed';
