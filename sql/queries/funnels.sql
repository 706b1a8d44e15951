-- name: find_by_name :one
SELECT id, name, current_version_id
FROM funnels
WHERE account_id = %(account_id)s
    AND name = %(name)s;

-- name: list_all :many
SELECT funnels.id, funnels.name, funnel_versions.number, funnel_versions.published_at
FROM funnels
LEFT JOIN funnel_versions ON funnel_versions.id = funnels.current_version_id
WHERE funnels.account_id = %(account_id)s
ORDER BY funnels.name;

-- name: lock_or_add :one
-- The row stays locked to the end of the transaction, so that versions get their numbers one after the other.
INSERT INTO funnels (account_id, name, created_at)
VALUES (%(account_id)s, %(name)s, %(now)s)
ON CONFLICT (account_id, name) DO UPDATE SET name = EXCLUDED.name
RETURNING id;

-- name: set_current :exec
UPDATE funnels
SET current_version_id = %(version_id)s
WHERE account_id = %(account_id)s
    AND id = %(funnel_id)s;
