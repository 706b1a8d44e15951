-- What the operator's pages stand on: the queues' last half hour, from where a session is used, second factors.

-- A ring: the slot is the time in steps of ten seconds, modulo 180, so that it stays as large as half an hour (services/samples.py).
CREATE TABLE queue_samples (
    slot                integer NOT NULL,
    queue               text NOT NULL,
    at                  timestamptz NOT NULL,
    pending             bigint NOT NULL,
    in_flight           bigint NOT NULL,
    dead                bigint NOT NULL,
    oldest_age_seconds  real NOT NULL,
    enqueued            bigint NOT NULL,                  -- since the data began; rates are differences
    settled             bigint NOT NULL,
    PRIMARY KEY (slot, queue)
) WITH (fillfactor = 50);

-- Where its login came from, for its owner to recognise: the address, a newline, what the browser called itself.
ALTER TABLE sessions ADD COLUMN origin_encrypted text;

-- Codes by time (RFC 6238), as one person's telephone makes them. Not in force before the first code was typed in.
CREATE TABLE second_factors (
    user_id           bigint PRIMARY KEY REFERENCES users,
    secret_encrypted  text NOT NULL,
    last_step         bigint NOT NULL DEFAULT 0,          -- of the last code that was taken: none is taken twice
    created_at        timestamptz NOT NULL,
    confirmed_at      timestamptz
);

-- For who lost the telephone: each once. The hash is an HMAC under the master key.
CREATE TABLE recovery_codes (
    user_id    bigint NOT NULL REFERENCES users,
    code_hash  text NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);
