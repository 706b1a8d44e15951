-- name: find :value
SELECT value
FROM installation
WHERE name = %(name)s;

-- name: remember :value
-- Keep the first value ever given for a name, and return the one kept.
INSERT INTO installation (name, value)
VALUES (%(name)s, %(value)s)
ON CONFLICT (name) DO UPDATE
SET value = installation.value
RETURNING value;
