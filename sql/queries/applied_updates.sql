-- name: add :exec
-- The lead's row is locked before `exists` is asked and this is written (services/updates.py).
INSERT INTO applied_updates (applied_on, account_id, bot_id, update_id)
VALUES (%(applied_on)s, %(account_id)s, %(bot_id)s, %(update_id)s);

-- name: exists :value
-- Over every day that is kept: an update that is sent again after midnight is still the same update.
-- hot
SELECT EXISTS (
    SELECT 1
    FROM applied_updates
    WHERE account_id = %(account_id)s
        AND bot_id = %(bot_id)s
        AND update_id = %(update_id)s
);
