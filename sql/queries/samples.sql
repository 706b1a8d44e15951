-- name: is_taken :value
-- Whether some process has looked in this step already.
-- hot
SELECT EXISTS (
    SELECT 1
    FROM queue_samples
    WHERE slot = %(slot)s
        AND at >= %(since)s
);

-- name: list_since :many
SELECT queue, at, pending, in_flight, dead, oldest_age_seconds, enqueued, settled
FROM queue_samples
WHERE at >= %(since)s
ORDER BY queue, at;

-- name: put :exec
-- Write one queue's figures over those of half an hour ago; whoever was first in this step stays.
INSERT INTO queue_samples (slot, queue, at, pending, in_flight, dead, oldest_age_seconds, enqueued, settled)
VALUES (%(slot)s, %(queue)s, %(at)s, %(pending)s, %(in_flight)s, %(dead)s, %(oldest_age_seconds)s, %(enqueued)s, %(settled)s)
ON CONFLICT (slot, queue) DO UPDATE
SET at = EXCLUDED.at,
    pending = EXCLUDED.pending,
    in_flight = EXCLUDED.in_flight,
    dead = EXCLUDED.dead,
    oldest_age_seconds = EXCLUDED.oldest_age_seconds,
    enqueued = EXCLUDED.enqueued,
    settled = EXCLUDED.settled
WHERE queue_samples.at < %(since)s;
