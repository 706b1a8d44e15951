-- A campaign says the beginning of a published funnel to the leads of a bot, a slice at a time. What a lead gets are rows of
-- `messages`, so each is said once, and whoever it did not reach can be seen (services/campaigns.py).
CREATE TABLE campaigns (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id      bigint NOT NULL,
    bot_id          bigint NOT NULL,
    version_id      bigint NOT NULL,
    audience        text NOT NULL CHECK (audience IN ('all', 'buyers', 'others', 'unpaid')),
    quiet_days      integer NOT NULL CHECK (quiet_days >= 0),   -- only those who have not been heard of for so long
    status          text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'paused', 'stopped', 'finished')),
    cursor_lead_id  bigint NOT NULL DEFAULT 0,                  -- every lead up to this one has its messages, or is passed over
    last_lead_id    bigint NOT NULL,                            -- the newest when it was made: who comes later is not meant
    recipients      integer NOT NULL DEFAULT 0,                 -- leads it was planned for so far
    slices          integer NOT NULL DEFAULT 0,                 -- planned so far
    next_slice_at   timestamptz NOT NULL,                       -- the first: when it begins
    claimed_until   timestamptz,                                -- its next slice is in the queue
    created_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, version_id) REFERENCES funnel_versions (account_id, id)
);

ALTER TABLE messages
    ADD COLUMN campaign_id bigint,
    ADD FOREIGN KEY (account_id, campaign_id) REFERENCES campaigns (account_id, id);
