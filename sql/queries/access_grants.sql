-- name: add :value
-- Its id; None: this payment's step has given it before.
INSERT INTO access_grants (account_id, access_id, payment_id, step, days, granted_at)
VALUES (%(account_id)s, %(access_id)s, %(payment_id)s, %(step)s, %(days)s, %(now)s)
ON CONFLICT (payment_id, step) DO NOTHING
RETURNING id;

-- name: give_back :exec
UPDATE access_grants
SET taken_at = NULL
WHERE account_id = %(account_id)s
    AND id = %(grant_id)s;

-- name: list_by_payment :many
-- What a payment gave and has, or has not any more.
SELECT id, account_id, access_id, payment_id, days
FROM access_grants
WHERE account_id = %(account_id)s
    AND payment_id = %(payment_id)s
    AND (taken_at IS NOT NULL) = %(is_taken)s::boolean
ORDER BY id;

-- name: list_open :many
-- What was given of an access and not taken back.
SELECT id, payment_id, step, days, granted_at
FROM access_grants
WHERE account_id = %(account_id)s
    AND access_id = %(access_id)s
    AND taken_at IS NULL
ORDER BY id;

-- name: take_back :value
-- None: it was taken back before.
UPDATE access_grants
SET taken_at = %(now)s
WHERE account_id = %(account_id)s
    AND id = %(grant_id)s
    AND taken_at IS NULL
RETURNING id;
