-- The tables of the walking road. Every tenant row carries its account_id; money is integer cents; instants are timestamptz (UTC);
-- Telegram ids are bigint; tokens and credentials are ciphertexts that name their key (services/secrets.py).

CREATE TABLE accounts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    time_zone   text NOT NULL DEFAULT 'America/Sao_Paulo',
    created_at  timestamptz NOT NULL
);

CREATE TABLE users (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email            text NOT NULL CHECK (email = lower(email)),
    password_hash    text NOT NULL,
    is_administrator boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL,
    UNIQUE (email)
);

CREATE TABLE memberships (
    account_id  bigint NOT NULL REFERENCES accounts,
    user_id     bigint NOT NULL REFERENCES users,
    role        text NOT NULL CHECK (role IN ('owner', 'editor', 'operator', 'viewer')),
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, user_id)
);

CREATE TABLE funnels (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id         bigint NOT NULL REFERENCES accounts,
    name               text NOT NULL,
    current_version_id bigint,
    created_at         timestamptz NOT NULL,
    UNIQUE (account_id, name),
    UNIQUE (account_id, id)
);

CREATE TABLE funnel_versions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES accounts,
    funnel_id     bigint NOT NULL,
    number        integer NOT NULL CHECK (number > 0),
    definition    jsonb NOT NULL,
    published_at  timestamptz NOT NULL,
    UNIQUE (funnel_id, number),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, funnel_id) REFERENCES funnels (account_id, id)
);

ALTER TABLE funnels ADD FOREIGN KEY (account_id, current_version_id) REFERENCES funnel_versions (account_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% rows are immutable', TG_TABLE_NAME;
END $$;

CREATE TRIGGER funnel_versions_immutable BEFORE UPDATE OR DELETE ON funnel_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The bytes of a picture belong to an account; what Telegram calls them belongs to a bot (bot_files).
CREATE TABLE assets (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES accounts,
    sha256        text NOT NULL,
    content_type  text NOT NULL,
    content       bytea NOT NULL,
    created_at    timestamptz NOT NULL,
    UNIQUE (account_id, sha256),
    UNIQUE (account_id, id)
);

CREATE TABLE bots (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id         bigint NOT NULL REFERENCES accounts,
    telegram_id        bigint NOT NULL,
    username           text NOT NULL,
    name               text NOT NULL,
    key                text NOT NULL UNIQUE,              -- opaque, in the webhook's path
    token_encrypted    text NOT NULL,
    secret_generation  integer NOT NULL DEFAULT 1 CHECK (secret_generation > 0),
    funnel_id          bigint,
    status             text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'dead', 'removed')),
    status_reason      text,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, funnel_id) REFERENCES funnels (account_id, id)
);
CREATE UNIQUE INDEX bots_telegram_id_live ON bots (telegram_id) WHERE status <> 'removed';

CREATE TABLE bot_files (
    account_id  bigint NOT NULL,
    bot_id      bigint NOT NULL,
    sha256      text NOT NULL,
    file_id     text NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (bot_id, sha256),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id)
);

CREATE TABLE leads (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id     bigint NOT NULL,
    bot_id         bigint NOT NULL,
    chat_id        bigint NOT NULL,
    first_name     text NOT NULL DEFAULT '',
    last_name      text NOT NULL DEFAULT '',
    username       text NOT NULL DEFAULT '',
    language_code  text NOT NULL DEFAULT '',
    status         text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'blocked', 'gone')),
    start_param    text NOT NULL DEFAULT '',              -- of the last /start
    version_id     bigint,                                -- the funnel version this lead walks
    step           text NOT NULL DEFAULT '',              -- where it stands; '' before the first /start and after the end
    state          jsonb NOT NULL DEFAULT '{}',           -- advance()'s own memory: variables, the open offer
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (bot_id, chat_id),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, version_id) REFERENCES funnel_versions (account_id, id)
);

-- One row per update that acted. Exact because the lead's row is locked before it is asked for and written (services/updates.py):
-- the unique key holds within a day, the lock and the look-up hold across midnight. Days are dropped after three (upkeep duty).
CREATE TABLE applied_updates (
    applied_on  date NOT NULL,
    account_id  bigint NOT NULL,
    bot_id      bigint NOT NULL,
    update_id   bigint NOT NULL,
    PRIMARY KEY (bot_id, update_id, applied_on)
) PARTITION BY RANGE (applied_on);
CREATE TABLE applied_updates_default PARTITION OF applied_updates DEFAULT;

-- Effects on a chat. `cause` names what made them (an update, a timer, a payment) and includes ids enough to be unique in the
-- installation; (cause, ordinal) is planned once, however often the cause is handled.
CREATE TABLE messages (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id           bigint NOT NULL,
    bot_id               bigint NOT NULL,
    lead_id              bigint NOT NULL,
    chat_id              bigint NOT NULL,
    cause                text NOT NULL,
    ordinal              integer NOT NULL,
    version_id           bigint,
    step                 text NOT NULL DEFAULT '',
    payment_id           bigint,                          -- the charge its text or its "I have paid" button speaks of
    method               text NOT NULL,                   -- Bot API method
    body                 jsonb NOT NULL,                  -- its parameters without chat_id; a file is {"asset": "<sha256>"} or {"qr": "<code>"}
    nonce                text,                            -- of its buttons; binds a tap to this bot, lead and message
    policy               text NOT NULL CHECK (policy IN ('retry', 'once')),
    status               text NOT NULL DEFAULT 'planned'
                         CHECK (status IN ('planned', 'sending', 'sent', 'failed', 'uncertain', 'discarded')),
    attempts             integer NOT NULL DEFAULT 0,
    regrants             integer NOT NULL DEFAULT 0,      -- times it was planned anew after it had failed; each has a job of its own
    resent               boolean NOT NULL DEFAULT false,  -- an earlier attempt may have arrived too
    telegram_message_id  bigint,
    error                text,
    planned_at           timestamptz NOT NULL,
    sending_at           timestamptz,
    sent_at              timestamptz,
    UNIQUE (cause, ordinal),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id),
    FOREIGN KEY (account_id, version_id) REFERENCES funnel_versions (account_id, id),
    CHECK (status NOT IN ('sending', 'uncertain') OR sending_at IS NOT NULL),
    CHECK (status <> 'sent' OR sent_at IS NOT NULL)
);

-- A task to run at an instant of the application's clock. What it assumes is checked again when it runs.
CREATE TABLE timers (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id     bigint NOT NULL REFERENCES accounts,
    bot_id         bigint NOT NULL,
    payment_id     bigint,
    kind           text NOT NULL,                         -- the task's name
    cause          text NOT NULL,
    ordinal        integer NOT NULL,
    payload        jsonb NOT NULL,                        -- the task's arguments besides timer_id
    due_at         timestamptz NOT NULL,
    status         text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'fired', 'cancelled', 'dead')),
    claimed_until  timestamptz,                           -- a process has handed it to the queue; after this it is handed again
    fired_at       timestamptz,
    created_at     timestamptz NOT NULL,
    UNIQUE (cause, ordinal),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    CHECK (status <> 'fired' OR fired_at IS NOT NULL)
);

CREATE TABLE gateway_accounts (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id             bigint NOT NULL REFERENCES accounts,
    gateway                text NOT NULL,
    key                    text NOT NULL UNIQUE,          -- opaque, in the provider webhook's path
    credentials_encrypted  text NOT NULL,
    is_active              boolean NOT NULL DEFAULT true,
    created_at             timestamptz NOT NULL,
    UNIQUE (account_id, id)
);
CREATE UNIQUE INDEX gateway_accounts_one_active ON gateway_accounts (account_id) WHERE is_active;

CREATE TABLE payments (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id          bigint NOT NULL,
    bot_id              bigint NOT NULL,
    lead_id             bigint NOT NULL,
    gateway_account_id  bigint,                           -- null: the seller had connected none, so it is cancelled
    version_id          bigint NOT NULL,
    step                text NOT NULL,                    -- the charge step that asked for it
    cause               text NOT NULL,
    ordinal             integer NOT NULL,
    items               jsonb NOT NULL,                   -- [{"offer": step id, "name": .., "price_cents": ..}]
    description         text NOT NULL,
    amount_cents        bigint NOT NULL CHECK (amount_cents > 0),
    currency            text NOT NULL DEFAULT 'BRL' CHECK (currency ~ '^[A-Z]{3}$'),
    state               text NOT NULL DEFAULT 'new' CHECK (state IN
                        ('new', 'creating', 'pending', 'expired', 'cancelled', 'paid', 'partially_refunded',
                         'refund_pending', 'refunded', 'disputed', 'charged_back')),
    idempotency_key     text NOT NULL UNIQUE,             -- ours, stored before the call: uuid4 hex, also the txid where we choose it
    txid                text,
    provider_id         text,
    end_to_end_id       text,
    code                text,                             -- PIX copy and paste, byte for byte as the provider gave it
    expires_in_seconds  integer NOT NULL CHECK (expires_in_seconds > 0),
    expires_at          timestamptz,
    paid_cents          bigint,
    paid_at             timestamptz,
    flags               text[] NOT NULL DEFAULT '{}',     -- services/receipts.py
    error               text,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    UNIQUE (cause, ordinal),
    UNIQUE (account_id, id),
    UNIQUE (gateway_account_id, txid),
    UNIQUE (gateway_account_id, provider_id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id),
    FOREIGN KEY (account_id, gateway_account_id) REFERENCES gateway_accounts (account_id, id),
    FOREIGN KEY (account_id, version_id) REFERENCES funnel_versions (account_id, id),
    CHECK (state NOT IN ('paid', 'partially_refunded', 'refund_pending', 'refunded', 'disputed', 'charged_back')
           OR (paid_at IS NOT NULL AND paid_cents IS NOT NULL AND paid_cents > 0)),
    CHECK (gateway_account_id IS NOT NULL OR state IN ('new', 'cancelled')),
    CHECK (state IN ('new', 'creating', 'cancelled') OR paid_at IS NOT NULL
           OR (code IS NOT NULL AND txid IS NOT NULL AND provider_id IS NOT NULL AND expires_at IS NOT NULL))    -- I1
);

ALTER TABLE messages ADD FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id);
ALTER TABLE timers ADD FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id);

-- Every transfer that came in for a charge, once. The first that covers the price pays it; the others are there to be given back.
CREATE TABLE payment_receipts (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id     bigint NOT NULL,
    payment_id     bigint NOT NULL,
    end_to_end_id  text NOT NULL,                         -- the transfer's id in PIX, or the provider's own
    amount_cents   bigint NOT NULL CHECK (amount_cents > 0),
    paid_at        timestamptz NOT NULL,
    noted_at       timestamptz NOT NULL,
    UNIQUE (payment_id, end_to_end_id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id)
);

CREATE TABLE payment_transitions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL,
    payment_id  bigint NOT NULL,
    from_state  text NOT NULL,
    to_state    text NOT NULL,
    actor       text NOT NULL,                            -- task, webhook, buyer, timer, reconciler, user:<id>
    reason      text NOT NULL,
    event_id    bigint,
    at          timestamptz NOT NULL,
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id)
);

CREATE TABLE provider_events (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id          bigint NOT NULL,
    gateway_account_id  bigint NOT NULL,
    dedup_key           text NOT NULL,
    suffix              text NOT NULL DEFAULT '',
    query               text NOT NULL DEFAULT '',
    headers             jsonb NOT NULL,
    body                bytea NOT NULL,
    verified            text NOT NULL CHECK (verified IN ('yes', 'no', 'requery')),
    status              text NOT NULL DEFAULT 'received' CHECK (status IN ('received', 'applied', 'ignored', 'unmatched', 'unconfirmed', 'failed')),
    reason              text,
    payment_id          bigint,
    received_at         timestamptz NOT NULL,
    settled_at          timestamptz,
    UNIQUE (gateway_account_id, dedup_key),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, gateway_account_id) REFERENCES gateway_accounts (account_id, id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id),
    CHECK ((status = 'received') = (settled_at IS NULL))
);

ALTER TABLE payment_transitions ADD FOREIGN KEY (account_id, event_id) REFERENCES provider_events (account_id, id);

CREATE TABLE deliveries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL,
    payment_id    bigint NOT NULL,
    lead_id       bigint NOT NULL,
    step          text NOT NULL,
    message_id    bigint,
    status        text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'delivered', 'failed')),
    error         text,
    created_at    timestamptz NOT NULL,
    delivered_at  timestamptz,
    UNIQUE (payment_id, step),
    UNIQUE (account_id, id),
    CHECK (status <> 'delivered' OR delivered_at IS NOT NULL),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id),
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id),
    FOREIGN KEY (account_id, message_id) REFERENCES messages (account_id, id)
);

CREATE TABLE audit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint REFERENCES accounts,               -- null: the installation's
    actor       text NOT NULL,                            -- user:<id>, command, task
    action      text NOT NULL,                            -- bot.add, funnel.publish, user.add ...
    subject     text NOT NULL,
    details     jsonb NOT NULL DEFAULT '{}',              -- never a secret
    at          timestamptz NOT NULL
);

-- What must be the same in every process and survive Redis: the master key's id, noticed at start (services/secrets.py).
CREATE TABLE installation (
    name   text PRIMARY KEY,
    value  text NOT NULL
);

-- Partitions of applied_updates: yesterday to the day after tomorrow exist, older than three days are dropped. Rows that came while a
-- day had no partition yet (the installation was off) are in the default one and move to their day.
CREATE FUNCTION keep_applied_updates_days(today date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    day        date;
    partition  text;
BEGIN
    FOR day IN SELECT generate_series(today - 1, today + 2, interval '1 day')::date LOOP
        partition := 'applied_updates_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(partition) IS NOT NULL;
        LOCK TABLE applied_updates;                       -- the table before its partitions, as every reader does: no deadlock
        EXECUTE format('CREATE TABLE %I (LIKE applied_updates INCLUDING ALL)', partition);
        EXECUTE format('WITH moved AS (DELETE FROM applied_updates_default WHERE applied_on = %L RETURNING *)
                        INSERT INTO %I SELECT * FROM moved', day, partition);
        EXECUTE format('ALTER TABLE applied_updates ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, day, day + 1);
    END LOOP;
    FOR partition IN
        SELECT relname FROM pg_class
        WHERE relname ~ '^applied_updates_\d{8}$' AND right(relname, 8) < to_char(today - 3, 'YYYYMMDD')
    LOOP
        LOCK TABLE applied_updates;
        EXECUTE format('DROP TABLE %I', partition);
    END LOOP;
    DELETE FROM applied_updates_default WHERE applied_on < today - 3;
END $$;
SELECT keep_applied_updates_days(current_date);
