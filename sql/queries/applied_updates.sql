-- name: forget :exec
-- Of a bot that another took the place of.
DELETE FROM applied_updates
WHERE account_id = %(account_id)s
    AND bot_id = %(bot_id)s;

-- name: note :exec
-- 0: applied before, on whichever of the days that are kept: an update sent again after midnight is still the same update.
-- The lead's row is locked before (services/updates.py).
-- hot
INSERT INTO applied_updates (applied_on, account_id, bot_id, update_id)
SELECT %(applied_on)s, %(account_id)s, %(bot_id)s, %(update_id)s
WHERE NOT EXISTS (
    SELECT 1
    FROM applied_updates
    WHERE account_id = %(account_id)s
        AND bot_id = %(bot_id)s
        AND update_id = %(update_id)s
);
