-- What ends a restore, in its transaction: what may have happened between the backup and the end is not taken for undone.
SET search_path = public;

-- Whatever was open may have been sent since. An answer is sent again, and its row says that it may be the second one; what is said
-- once is left to a person (services/messages.py).
UPDATE messages
SET status = 'planned',
    sending_at = NULL,
    resent = true
WHERE policy = 'retry'
    AND status IN ('planned', 'sending');

UPDATE messages
SET status = 'uncertain',
    sending_at = coalesce(sending_at, now()),
    error = 'restored from a backup: it may have been sent since'
WHERE policy = 'once'
    AND status IN ('planned', 'sending');

-- A campaign may have gone further than its cursor says: a person decides whether it goes on.
UPDATE campaigns
SET status = 'paused',
    claimed_until = NULL
WHERE status = 'running';

-- Told again by the same ids; what would be counted twice is left to a person (services/conversion_sends.py).
UPDATE conversions
SET is_doubtful = true
WHERE status = 'planned';

-- Who was logged out since must not be logged in again.
DELETE FROM sessions;

INSERT INTO audit (actor, action, subject, at)
VALUES ('command', 'installation.restore', 'installation', now());
