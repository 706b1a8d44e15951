-- name: add :one
-- Its funnel's row is locked by the caller.
INSERT INTO funnel_versions (account_id, funnel_id, number, definition, published_at)
SELECT %(account_id)s, %(funnel_id)s, coalesce(max(number), 0) + 1, %(definition)s, %(now)s
FROM funnel_versions
WHERE account_id = %(account_id)s
    AND funnel_id = %(funnel_id)s
RETURNING id, number;

-- name: find_by_id :one
-- The id comes from our own rows, never from outside.
-- hot
SELECT id, account_id, definition
FROM funnel_versions
WHERE id = %(version_id)s;

-- name: find_current :one
SELECT funnel_versions.id, funnel_versions.number, funnel_versions.definition
FROM funnels
JOIN funnel_versions ON funnel_versions.id = funnels.current_version_id
WHERE funnels.account_id = %(account_id)s
    AND funnels.id = %(funnel_id)s;

-- name: find_with_old_buttons :value
-- The newest version that says what buttons of the system before this one do.
SELECT id
FROM funnel_versions
WHERE account_id = %(account_id)s
    AND funnel_id = %(funnel_id)s
    AND jsonb_exists(definition -> 'funnel', 'old_buttons')
ORDER BY number DESC
LIMIT 1;
