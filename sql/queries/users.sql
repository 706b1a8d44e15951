-- name: add :value
-- None when the e-mail is taken.
INSERT INTO users (email, password_hash, is_administrator, created_at)
VALUES (%(email)s, %(password_hash)s, %(is_administrator)s, %(now)s)
ON CONFLICT (email) DO NOTHING
RETURNING id;

-- name: find_by_email :one
SELECT id, email, password_hash, is_administrator
FROM users
WHERE email = %(email)s;

-- name: grant_role :exec
INSERT INTO memberships (account_id, user_id, role, created_at)
VALUES (%(account_id)s, %(user_id)s, %(role)s, %(now)s)
ON CONFLICT (account_id, user_id) DO UPDATE
SET role = EXCLUDED.role;

-- name: list_memberships :many
-- The accounts a person belongs to, by name.
-- hot
SELECT memberships.account_id, accounts.name AS account, accounts.time_zone, memberships.role
FROM memberships
JOIN accounts ON accounts.id = memberships.account_id
WHERE memberships.user_id = %(user_id)s
ORDER BY accounts.name;

-- name: set_password :exec
UPDATE users
SET password_hash = %(password_hash)s
WHERE id = %(user_id)s;
