-- Lookbacks: what was paid is asked about again until nobody can contest it any more (services/lookbacks.py).
ALTER TABLE payments
    ADD COLUMN next_look_at timestamptz;                  -- null: not paid, or over

-- What was paid before: a look in the next days, spread by the ids, so that no provider gets all of them at once.
UPDATE payments
SET next_look_at = now() + make_interval(mins => (id % 2880)::integer)
WHERE paid_at > now() - interval '96 days';
