-- What Telegram says of each active bot's webhook (services/webhooks.py), and what each process says of itself (services/processes.py).
CREATE TABLE bot_webhooks (
    bot_id        bigint PRIMARY KEY,
    account_id    bigint NOT NULL,
    state         text NOT NULL DEFAULT 'unseen' CHECK (state IN ('unseen', 'ours', 'missing', 'taken')),
    state_since   timestamptz NOT NULL,
    host          text,                      -- of whom it was taken over by; the rest of the address may hold a secret
    pending_count integer NOT NULL DEFAULT 0 CHECK (pending_count >= 0),
    error         text,                      -- why Telegram's last attempt that failed did, in its words
    error_at      timestamptz,
    asked_at      timestamptz NOT NULL,
    seen_at       timestamptz,               -- the last answer; null before the first
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    CHECK ((state = 'taken') = (host IS NOT NULL))
);

INSERT INTO bot_webhooks (bot_id, account_id, state_since, asked_at)
SELECT id, account_id, now(), now()
FROM bots
WHERE status = 'active';

CREATE TABLE processes (
    name         text PRIMARY KEY,           -- host:slot
    queues       text[] NOT NULL,
    claims       boolean NOT NULL,           -- it does take jobs of these queues
    lag_seconds  real NOT NULL,              -- the worst of its loop in the last minute
    heard        bytea NOT NULL,             -- of whom, as bits (services/crowds.py)
    seen_at      timestamptz NOT NULL
);
