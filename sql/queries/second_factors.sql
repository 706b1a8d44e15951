-- name: confirm :exec
UPDATE second_factors
SET confirmed_at = %(now)s
WHERE user_id = %(user_id)s
    AND confirmed_at IS NULL;

-- name: find :one
SELECT secret_encrypted, confirmed_at
FROM second_factors
WHERE user_id = %(user_id)s;

-- name: offer :value
-- The secret that waits for its first code, this one or one offered before. None where codes are in force.
INSERT INTO second_factors (user_id, secret_encrypted, created_at)
VALUES (%(user_id)s, %(secret_encrypted)s, %(now)s)
ON CONFLICT (user_id) DO UPDATE
SET created_at = EXCLUDED.created_at
WHERE second_factors.confirmed_at IS NULL
RETURNING secret_encrypted;

-- name: remove :exec
DELETE FROM second_factors
WHERE user_id = %(user_id)s;

-- name: take_step :value
-- True once per step, and never for one before a step that was taken.
UPDATE second_factors
SET last_step = %(step)s
WHERE user_id = %(user_id)s
    AND last_step < %(step)s
RETURNING true;
