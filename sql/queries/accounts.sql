-- name: add :one
-- None when the name is taken.
INSERT INTO accounts (name, created_at)
VALUES (%(name)s, %(now)s)
ON CONFLICT (name) DO NOTHING
RETURNING id, name, time_zone, created_at;

-- name: change :one
-- What is null stays as it is. None where there is no such account, or the new name is another's.
UPDATE accounts
SET name = coalesce(%(new_name)s::text, name),
    time_zone = coalesce(%(time_zone)s::text, time_zone)
WHERE name = %(name)s
    AND NOT EXISTS (SELECT FROM accounts AS others WHERE others.name = %(new_name)s::text AND others.id <> accounts.id)
RETURNING id, name, time_zone, created_at;

-- name: find :one
SELECT id, name, time_zone, created_at
FROM accounts
WHERE name = %(name)s;

-- name: list_all :many
SELECT id, name, time_zone, created_at
FROM accounts
ORDER BY name;

-- name: list_names :many
-- What the accounts with these ids are called.
SELECT id, name
FROM accounts
WHERE id = ANY (%(ids)s::bigint[])
ORDER BY id;
