-- name: add :value
-- Its id; None when it was noted before.
INSERT INTO statement_differences (account_id, gateway_account_id, payment_id, kind, reference, detail, found_at, closed_at)
VALUES (%(account_id)s, %(gateway_account_id)s, %(payment_id)s, %(kind)s, %(reference)s, %(detail)s, %(now)s, %(closed_at)s)
ON CONFLICT (gateway_account_id, kind, reference) DO NOTHING
RETURNING id;

-- name: close :one
UPDATE statement_differences
SET closed_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(difference_id)s
    AND closed_at IS NULL
RETURNING id, kind, reference;

-- name: count_open :many
-- Of every account, by kind: those nobody has closed, and those found since an instant that settled themselves.
SELECT kind, count(*) AS differences
FROM (
    SELECT kind
    FROM statement_differences
    WHERE closed_at IS NULL
    UNION ALL
    SELECT kind
    FROM statement_differences
    WHERE kind IN ('unseen', 'returned')
        AND found_at > %(since)s
    LIMIT %(limit)s
) AS found
GROUP BY kind
ORDER BY kind;

-- name: forget_old :value
-- Of every account: looks at the next ones behind an id, and deletes of those found before an instant what is closed, and strangers, which
-- nobody need close. The last id that was old; null: no more.
WITH looked AS MATERIALIZED (
    SELECT id, found_at
    FROM statement_differences
    WHERE id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
), forgotten AS (
    DELETE FROM statement_differences
    WHERE id = ANY (ARRAY(SELECT id FROM looked WHERE found_at < %(before)s))
        AND (closed_at < %(before)s OR kind = 'stranger')
)
SELECT max(id)
FROM looked
WHERE found_at < %(before)s;

-- name: list_shown :many
-- Those nobody has closed, and those found since an instant that settled themselves; the newest first.
SELECT statement_differences.id, gateway_accounts.gateway, gateway_account_id, payment_id, kind, reference, detail, found_at, closed_at
FROM statement_differences
JOIN gateway_accounts ON gateway_accounts.id = gateway_account_id
WHERE statement_differences.account_id = %(account_id)s
    AND (closed_at IS NULL OR (kind IN ('unseen', 'returned') AND found_at > %(since)s))
ORDER BY statement_differences.id DESC
LIMIT 200;
