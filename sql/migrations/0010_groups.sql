-- Groups and channels that bots let buyers into, who may be in them until when, and what the bots do to people there.

-- A group or channel as one bot of an account sees it (services/groups.py).
CREATE TABLE groups (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id      bigint NOT NULL,
    bot_id          bigint NOT NULL,
    chat_id         bigint NOT NULL CHECK (chat_id < 0),
    former_chat_id  bigint,                               -- of the group that became this supergroup: funnels still name it
    title           text NOT NULL DEFAULT '',
    status          text NOT NULL CHECK (status IN ('ready', 'lost')),
    reason          text,                                 -- of lost: what is missing (services/groups.py, find_reason)
    status_since    timestamptz NOT NULL,
    asked_at        timestamptz NOT NULL,                 -- when Telegram last said so
    is_sold         boolean NOT NULL DEFAULT false,       -- somebody wanted to buy what lets into it
    UNIQUE (bot_id, chat_id),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    CHECK ((status = 'lost') = (reason IS NOT NULL))
);

-- The right of a lead to be in a group: one row, however often it is paid for (services/accesses.py).
CREATE TABLE accesses (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id       bigint NOT NULL,
    group_id         bigint NOT NULL,
    lead_id          bigint NOT NULL,
    user_id          bigint NOT NULL,                     -- Telegram's id of the lead's person
    payment_id       bigint NOT NULL,                     -- the last that paid for it, and the step that gave it
    step             text NOT NULL,
    status           text NOT NULL DEFAULT 'granted' CHECK (status IN ('granted', 'inside', 'outside', 'ending', 'removed')),
    by_request       boolean NOT NULL,                    -- its link asks to be let in; else it works once
    link             text,                                -- null: made when it is shown
    link_expires_at  timestamptz,
    lasts            boolean NOT NULL,                    -- it has no end
    days_owed        integer NOT NULL DEFAULT 0 CHECK (days_owed >= 0),   -- paid; they begin when the lead comes in
    ends_at          timestamptz,
    remind_days      integer[] NOT NULL DEFAULT '{}',     -- so many days before the end
    grace_days       integer NOT NULL DEFAULT 0 CHECK (grace_days >= 0),
    told_at          timestamptz NOT NULL,                -- what was to be told up to here is told, or is not any more
    ticks            integer NOT NULL DEFAULT 0,          -- timers planned
    seen_at          timestamptz,                         -- the instant of the last chat_member that was believed
    entered_at       timestamptz,                         -- the first proof that the lead was in
    removed_at       timestamptz,
    created_at       timestamptz NOT NULL,
    UNIQUE (group_id, lead_id),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, group_id) REFERENCES groups (account_id, id),
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id),
    CHECK (status <> 'inside' OR entered_at IS NOT NULL),
    CHECK (NOT lasts OR ends_at IS NULL)
);

-- What each payment gave of an access, once; a refund takes it back.
CREATE TABLE access_grants (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL,
    access_id   bigint NOT NULL,
    payment_id  bigint NOT NULL,
    step        text NOT NULL,
    days        integer CHECK (days > 0),                 -- null: without end
    granted_at  timestamptz NOT NULL,
    taken_at    timestamptz,
    UNIQUE (payment_id, step),
    FOREIGN KEY (account_id, access_id) REFERENCES accesses (account_id, id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id)
);

-- What a bot does to a person in a group; each may be repeated, so it is tried until Telegram's answer is clear
-- (services/admissions.py). What is right to do (approve or decline, remove or not) is asked when it is done.
CREATE TABLE group_acts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL,
    group_id    bigint NOT NULL,
    user_id     bigint NOT NULL,
    act         text NOT NULL CHECK (act IN ('answer', 'remove')),
    cause       text NOT NULL UNIQUE,
    status      text NOT NULL DEFAULT 'planned' CHECK (status IN ('planned', 'waiting', 'done', 'dropped', 'failed')),
    outcome     text,                                     -- what was done: approved, declined, removed
    error       text,
    rounds      integer NOT NULL DEFAULT 0,               -- times it was planned anew; each has a job of its own
    planned_at  timestamptz NOT NULL,
    done_at     timestamptz,
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, group_id) REFERENCES groups (account_id, id),
    CHECK (status NOT IN ('done', 'dropped') OR done_at IS NOT NULL)
);
