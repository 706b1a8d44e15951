-- Bots at scale (services/tokens.py, births.py, managed_bots.py, warmups.py, alarms.py).
ALTER TABLE bots
    DROP CONSTRAINT bots_status_check,
    ADD CONSTRAINT bots_status_check CHECK (status IN ('new', 'active', 'dead', 'removed')),
    ADD COLUMN previous_secret_until timestamptz,  -- the webhook's secret before is taken until then; null: Telegram may not know the new one yet
    ADD COLUMN token_shown_at timestamptz,         -- when Telegram was shown its token: it takes few new ones at a time
    ADD COLUMN due_at timestamptz,                 -- of a new one: when it may be brought to life
    ADD COLUMN manager_id bigint,                  -- the bot that may fetch its token
    ADD COLUMN storage_chat_id bigint,             -- where it keeps its media and tells its seller what is wrong
    ADD COLUMN warmed_version_id bigint,           -- the version whose media it has at Telegram, or has been refused
    ADD COLUMN warm_error text,
    ADD FOREIGN KEY (account_id, manager_id) REFERENCES bots (account_id, id);
UPDATE bots SET previous_secret_until = now() + interval '1 hour' WHERE secret_generation > 1;

-- A managed bot that a seller announced: whoever else makes one by the same link gets nothing of ours.
CREATE TABLE bot_invitations (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL,
    manager_id  bigint NOT NULL,
    username    text NOT NULL,
    funnel_id   bigint,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    bot_id      bigint,                            -- what became of it
    FOREIGN KEY (account_id, manager_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, funnel_id) REFERENCES funnels (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id)
);

-- What a seller must know of a bot at once. Told in Telegram by a bot of the account that has a storage chat, at most once.
CREATE TABLE alarms (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL,
    bot_id      bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('dead', 'taken', 'missing', 'stranger')),
    detail      text NOT NULL DEFAULT '',
    made_at     timestamptz NOT NULL,
    told_at     timestamptz,                       -- when somebody tried to tell it, for good
    told_by     bigint,                            -- the bot that told it; null: nobody could
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id)
);
