-- Conversions: what is reported to ad networks and to sellers' own servers (services/conversion_events.py, conversion_sends.py).

-- Where an account's conversions go. A paused one goes on collecting: its credentials were refused, and a person has to look.
CREATE TABLE conversion_destinations (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id             bigint NOT NULL REFERENCES accounts,
    network                text NOT NULL,                 -- a file of services/conversions/
    credentials_encrypted  text NOT NULL,
    events                 text[] NOT NULL,               -- which of them it is told
    bot_ids                bigint[] NOT NULL DEFAULT '{}',    -- only what happens in these; {}: in all
    pool_ids               bigint[] NOT NULL DEFAULT '{}',    -- only what came by these links; {}: all, and what came by none
    test_event_code        text NOT NULL DEFAULT '',      -- the network shows the events as tests
    keeps_seconds          integer NOT NULL CHECK (keeps_seconds > 0),    -- for so long after it happened the network takes an event
    status                 text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'removed')),
    reason                 text,                          -- why it is paused
    rounds                 integer NOT NULL DEFAULT 0,    -- of sending, so that only the newest one writes how it ended
    failures               integer NOT NULL DEFAULT 0,    -- rounds in a row that got nothing through
    due_at                 timestamptz NOT NULL,          -- not sent to before
    created_at             timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL,
    UNIQUE (account_id, id),
    CHECK (status <> 'paused' OR reason IS NOT NULL)
);

-- One event for one destination: the outbox, and afterwards what was sent and what came back. No name, address or hash of anybody's is
-- kept here: they are read when it is sent. No foreign key to clicks: they are forgotten first (services/retention.py).
CREATE TABLE conversions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id      bigint NOT NULL,
    destination_id  bigint NOT NULL,
    event           text NOT NULL CHECK (event IN ('PageView', 'ViewContent', 'InitiateCheckout', 'Purchase', 'Refund', 'Chargeback')),
    event_key        text NOT NULL,                        -- the network knows a repeat by it; the browser's pixel says the same
    bot_id          bigint NOT NULL,
    lead_id         bigint,
    payment_id      bigint,
    click_id        bigint,
    occurred_at     timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    status          text NOT NULL DEFAULT 'planned'
                    CHECK (status IN ('planned', 'sent', 'skipped', 'refused', 'expired', 'uncertain')),
    tries           integer NOT NULL DEFAULT 0,
    is_doubtful     boolean NOT NULL DEFAULT false,       -- a try left and nobody knows whether it arrived
    sent            jsonb,                                -- what the network was told, of a person only which things
    answer          text,                                 -- what it said, or why it was told nothing
    planned_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    UNIQUE (destination_id, event_key),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, destination_id) REFERENCES conversion_destinations (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id),
    CHECK ((status = 'planned') = (ended_at IS NULL))
);

-- Nothing is reported of who does not want it.
ALTER TABLE leads ADD COLUMN is_reported boolean NOT NULL DEFAULT true;

-- Which kinds of alarms there are is said once, by their texts (services/alarms.py).
ALTER TABLE alarms
    DROP CONSTRAINT alarms_kind_check,
    ADD CONSTRAINT alarms_kind_check CHECK (kind ~ '^[a-z]{2,20}$');
