-- name: add :exec
INSERT INTO recovery_codes (user_id, code_hash)
VALUES (%(user_id)s, %(code_hash)s);

-- name: forget_all :exec
DELETE FROM recovery_codes
WHERE user_id = %(user_id)s;

-- name: take :value
-- True once.
DELETE FROM recovery_codes
WHERE user_id = %(user_id)s
    AND code_hash = %(code_hash)s
RETURNING true;
