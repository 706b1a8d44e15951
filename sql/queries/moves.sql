-- name: forget_old :exec
-- The oldest, in bites; ids rise with time.
DELETE FROM moves
WHERE id = ANY(ARRAY(
    SELECT id
    FROM moves
    ORDER BY id
    LIMIT %(limit)s
))
    AND at < %(before)s;

-- name: list_all :many
-- A lead's past, oldest first.
SELECT id, version_id, cause, event, at
FROM moves
WHERE account_id = %(account_id)s
    AND lead_id = %(lead_id)s
ORDER BY id;

-- name: list_charges :many
-- Which payment each cause opened for a lead.
SELECT payments.cause, payments.id
FROM moves
JOIN payments ON payments.cause = moves.cause
WHERE moves.account_id = %(account_id)s
    AND moves.lead_id = %(lead_id)s
    AND payments.lead_id = moves.lead_id
ORDER BY payments.id;

-- name: list_messages :many
-- What became of what a step said to a lead.
SELECT messages.id, messages.status, messages.error, messages.planned_at, messages.sent_at
FROM moves
JOIN messages ON messages.cause = moves.cause
WHERE moves.account_id = %(account_id)s
    AND moves.lead_id = %(lead_id)s
    AND messages.lead_id = moves.lead_id
    AND messages.step = %(step)s
ORDER BY messages.id;
