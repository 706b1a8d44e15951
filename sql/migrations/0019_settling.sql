-- Settling: several gateway accounts for one seller, who passed which charge on, and where a provider's statement says otherwise.

-- `is_active` stays with one account at most, which is all that the code before this one knows: the account that is asked first. Those
-- behind it have a place. So both can be at work, and a roll-back finds what it needs.
ALTER TABLE gateway_accounts
    ADD COLUMN backup_place      integer CHECK (backup_place > 0),      -- null: takes new charges only if is_active
    ADD COLUMN least_cents       bigint CHECK (least_cents > 0),        -- of one charge; null: no limit
    ADD COLUMN most_cents        bigint CHECK (most_cents > 0),
    ADD COLUMN most_day_cents    bigint CHECK (most_day_cents > 0),     -- of all charges asked of it on one day of the seller's
    ADD COLUMN most_day_charges  integer CHECK (most_day_charges > 0),
    ADD COLUMN trips             integer NOT NULL DEFAULT 0,            -- how often its breaker opened since it last made a charge
    ADD COLUMN broken_since      timestamptz,
    ADD COLUMN broken_until      timestamptz,                           -- nobody asks it before; then one does, to see
    ADD COLUMN broken_reason     text,
    ADD COLUMN compared_at       timestamptz,                           -- when its provider's statement was last gone through
    ADD COLUMN compare_error     text,                                  -- why that could not be done to the end
    ADD CHECK ((broken_since IS NULL) = (broken_until IS NULL));

-- What was asked of a gateway account on one day of its seller's; only of those with a limit a day.
CREATE TABLE gateway_days (
    account_id          bigint NOT NULL,
    gateway_account_id  bigint NOT NULL,
    day                 date NOT NULL,
    charges             integer NOT NULL,
    cents               bigint NOT NULL,
    PRIMARY KEY (gateway_account_id, day),
    FOREIGN KEY (account_id, gateway_account_id) REFERENCES gateway_accounts (account_id, id)
);

-- Gateway accounts that surely have no charge of a payment, though it was theirs to make. Most payments have none of these.
CREATE TABLE payment_refusals (
    account_id          bigint NOT NULL,
    payment_id          bigint NOT NULL,
    gateway_account_id  bigint NOT NULL,
    reason              text NOT NULL,
    at                  timestamptz NOT NULL,
    PRIMARY KEY (payment_id, gateway_account_id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id),
    FOREIGN KEY (account_id, gateway_account_id) REFERENCES gateway_accounts (account_id, id)
);

-- What a provider's statement says otherwise than our rows (services/statements.py has the table of kinds).
CREATE TABLE statement_differences (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id          bigint NOT NULL,
    gateway_account_id  bigint NOT NULL,
    payment_id          bigint,
    kind                text NOT NULL CHECK (kind IN ('unseen', 'returned', 'amount', 'unpaid', 'missing', 'stranger')),
    reference           text NOT NULL,                 -- the provider's id of what differs: a charge, a transfer, a return
    detail              text NOT NULL,
    found_at            timestamptz NOT NULL,
    closed_at           timestamptz,                   -- settled by itself, or closed by a person
    UNIQUE (gateway_account_id, kind, reference),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, gateway_account_id) REFERENCES gateway_accounts (account_id, id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id)
);

-- How often a person had an event applied again: a dead job's id is not taken twice.
ALTER TABLE provider_events ADD COLUMN retries integer NOT NULL DEFAULT 0;
