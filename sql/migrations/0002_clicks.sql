-- Tracked links (pools of bots) and the visits to them.

CREATE TABLE pools (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL REFERENCES accounts,
    slug        text NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),       -- in the link: /go/<slug>
    status      text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'removed')),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    UNIQUE (account_id, id)
);
CREATE UNIQUE INDEX pools_slug_live ON pools (slug) WHERE status <> 'removed';

CREATE TABLE pool_bots (
    account_id  bigint NOT NULL,
    pool_id     bigint NOT NULL,
    bot_id      bigint NOT NULL,
    position    integer NOT NULL,                         -- whose turn comes first
    PRIMARY KEY (pool_id, bot_id),
    FOREIGN KEY (account_id, pool_id) REFERENCES pools (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id)
);

-- A click is known by its token, which the visitor's /start brings back. A /start may come before the click is stored: it makes the
-- row, with no more than the token, and the click fills it when it comes (services/clicks.py).
CREATE TABLE clicks (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL REFERENCES accounts,
    bot_id        bigint NOT NULL,
    token         text NOT NULL UNIQUE,
    noted_at      timestamptz NOT NULL,                   -- when the row was made
    clicked_at    timestamptz,                            -- null while only its /start is known, and so is all below
    pool_id       bigint,
    is_crawler    boolean,                                -- a program's visit or a browser's guess, not a person's
    utm_source    text,
    utm_medium    text,
    utm_campaign  text,
    utm_content   text,
    utm_term      text,
    fbclid        text,
    fbp           text,                                   -- Meta's cookies, or what its rules make of fbclid; never invented
    fbc           text,
    ttclid        text,
    gclid         text,
    parameters    jsonb,                                  -- what else the link carried
    address       text,
    user_agent    text,
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, pool_id) REFERENCES pools (account_id, id),
    CHECK ((clicked_at IS NULL) = (pool_id IS NULL))
);

-- The click that brought a lead first, and the one that brought it last.
ALTER TABLE leads
    ADD COLUMN first_click_id bigint,
    ADD COLUMN last_click_id bigint,
    ADD FOREIGN KEY (account_id, first_click_id) REFERENCES clicks (account_id, id),
    ADD FOREIGN KEY (account_id, last_click_id) REFERENCES clicks (account_id, id);

-- The lead's last click when the charge was asked for.
ALTER TABLE payments
    ADD COLUMN click_id bigint,
    ADD FOREIGN KEY (account_id, click_id) REFERENCES clicks (account_id, id);
