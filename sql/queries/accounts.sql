-- name: add :one
-- None when the name is taken.
INSERT INTO accounts (name, created_at)
VALUES (%(name)s, %(now)s)
ON CONFLICT (name) DO NOTHING
RETURNING id, name, time_zone, created_at;

-- name: find :one
SELECT id, name, time_zone, created_at
FROM accounts
WHERE name = %(name)s;

-- name: list_all :many
SELECT id, name, time_zone, created_at
FROM accounts
ORDER BY name;
