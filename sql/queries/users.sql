-- name: add :value
-- None when the e-mail is taken.
INSERT INTO users (email, password_hash, is_administrator, created_at)
VALUES (%(email)s, %(password_hash)s, %(is_administrator)s, %(now)s)
ON CONFLICT (email) DO NOTHING
RETURNING id;

-- name: grant_role :exec
INSERT INTO memberships (account_id, user_id, role, created_at)
VALUES (%(account_id)s, %(user_id)s, %(role)s, %(now)s)
ON CONFLICT (account_id, user_id) DO UPDATE
SET role = EXCLUDED.role;
