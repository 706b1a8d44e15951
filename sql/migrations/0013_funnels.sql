-- What funnels do besides messages and charges: a server of the seller's is told, the seller is told, a person takes a chat over; and
-- what happened to each lead, so that it can be replayed and explained (services/moves.py).
CREATE TABLE posts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL,
    bot_id      bigint NOT NULL,
    lead_id     bigint NOT NULL,
    cause       text NOT NULL,
    ordinal     integer NOT NULL,
    step        text NOT NULL,
    url         text NOT NULL,
    body        jsonb NOT NULL,
    status      text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'waiting', 'sent', 'failed')),
    tries       integer NOT NULL DEFAULT 0,            -- that ended without a yes
    error       text,                                  -- of the last of them
    planned_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    UNIQUE (cause, ordinal),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id),
    CHECK ((status IN ('sent', 'failed')) = (ended_at IS NOT NULL))
);

-- The seller's own chat with a bot, where its notices go.
ALTER TABLE bots
    ADD COLUMN notices_lead_id bigint,
    ADD FOREIGN KEY (account_id, notices_lead_id) REFERENCES leads (account_id, id);

-- Who has or had a chat in the bot's place. Whether the bot is silent says leads.state; these rows say since when and by whom.
CREATE TABLE takeovers (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL,
    bot_id      bigint NOT NULL,
    lead_id     bigint NOT NULL,
    actor       text NOT NULL,
    began_at    timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    ended_at    timestamptz,                           -- given back, or taken over by somebody else
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id)
);

-- What happened to a lead, in the funnel's words (services/funnels/journals.py), on which version. Old rows are forgotten.
CREATE TABLE moves (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL,
    lead_id     bigint NOT NULL,
    version_id  bigint NOT NULL,
    cause       text NOT NULL,
    event       jsonb NOT NULL,
    at          timestamptz NOT NULL,
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id),
    FOREIGN KEY (account_id, version_id) REFERENCES funnel_versions (account_id, id)
);
