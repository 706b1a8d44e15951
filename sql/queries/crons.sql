-- name: add :exec
-- A cron that this installation's database has not met yet is due at once.
INSERT INTO crons (name, due_at)
VALUES (%(name)s, %(now)s)
ON CONFLICT (name) DO NOTHING;

-- name: claim_due :many
-- Those of this program's crons that are due and that no other process hands to the queue at this moment.
WITH due AS (
    SELECT name
    FROM crons
    WHERE name = ANY (%(names)s::text[])
        AND due_at <= %(now)s
        AND (claimed_until IS NULL OR claimed_until <= %(now)s)
    FOR UPDATE SKIP LOCKED
)
UPDATE crons
SET claimed_until = %(claimed_until)s
FROM due
WHERE crons.name = due.name
RETURNING crons.name, crons.due_at;

-- name: finish :exec
-- It was done to its end. Done twice for one instant, the first to say so decides.
UPDATE crons
SET due_at = %(next_due_at)s,
    claimed_until = NULL,
    finished_at = %(now)s
WHERE name = %(name)s
    AND due_at = %(due_at)s;

-- name: list_all :many
-- What this program knows of and the database too.
SELECT name, due_at, finished_at
FROM crons
WHERE name = ANY (%(names)s::text[])
ORDER BY name;
