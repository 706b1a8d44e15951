-- Figures: clicks, starts, charges and payments counted by an account's days, bots, steps, sources and campaigns.

-- A start: the first /start of a lead, and each later one that brings a click the lead had not brought before.
CREATE TABLE starts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL,
    bot_id      bigint NOT NULL,
    lead_id     bigint NOT NULL,
    click_id    bigint,                                   -- null: it brought none
    started_at  timestamptz NOT NULL,
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id),
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id),
    FOREIGN KEY (account_id, click_id) REFERENCES clicks (account_id, id)
);
CREATE UNIQUE INDEX starts_click ON starts (lead_id, click_id);
CREATE UNIQUE INDEX starts_first ON starts (lead_id) WHERE click_id IS NULL;

-- What is counted, one row per key. Only services/figures.py writes here, one process at a time, so no event waits for a counter.
CREATE TABLE figures (
    account_id     bigint NOT NULL REFERENCES accounts,
    day            date NOT NULL,                         -- of the account's time zone
    bot_id         bigint NOT NULL,
    step           text NOT NULL,                         -- that charged; '' of clicks and starts
    source         text NOT NULL,                         -- utm_source and utm_campaign of the click; '' where there is none
    campaign       text NOT NULL,
    clicks         bigint NOT NULL,
    starts         bigint NOT NULL,
    matched        bigint NOT NULL,                       -- of the starts: with a click
    charges        bigint NOT NULL,
    charged_cents  bigint NOT NULL,
    paid           bigint NOT NULL,
    paid_cents     bigint NOT NULL,
    PRIMARY KEY (account_id, day, bot_id, step, source, campaign),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id)
);

-- What is yet to be added to them: written by the triggers below in the transaction of the event itself. One whose click is not stored
-- yet stays until it is, for only then its source is known; reports add what is here.
CREATE TABLE figure_entries (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id     bigint NOT NULL,
    bot_id         bigint NOT NULL,
    step           text NOT NULL DEFAULT '',
    click_id       bigint,
    at             timestamptz NOT NULL,
    clicks         integer NOT NULL DEFAULT 0,
    starts         integer NOT NULL DEFAULT 0,
    matched        integer NOT NULL DEFAULT 0,
    charges        integer NOT NULL DEFAULT 0,
    charged_cents  bigint NOT NULL DEFAULT 0,
    paid           integer NOT NULL DEFAULT 0,
    paid_cents     bigint NOT NULL DEFAULT 0
);

-- The time zone, or UTC where this Postgres does not know it.
CREATE FUNCTION find_zone(zone text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM now() AT TIME ZONE zone;
    RETURN zone;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN 'UTC';
END $$;

CREATE FUNCTION enter_clicks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO figure_entries (account_id, bot_id, click_id, at, clicks)
    SELECT account_id, bot_id, id, clicked_at, 1
    FROM added
    WHERE clicked_at IS NOT NULL
        AND NOT is_crawler;
    RETURN NULL;
END $$;
CREATE TRIGGER clicks_entered AFTER INSERT ON clicks
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION enter_clicks();

-- A click whose /start came first.
CREATE FUNCTION enter_filled_clicks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO figure_entries (account_id, bot_id, click_id, at, clicks)
    SELECT filled.account_id, filled.bot_id, filled.id, filled.clicked_at, 1
    FROM filled
    JOIN awaited USING (id)
    WHERE awaited.clicked_at IS NULL
        AND filled.clicked_at IS NOT NULL
        AND NOT filled.is_crawler;
    RETURN NULL;
END $$;
CREATE TRIGGER clicks_filled AFTER UPDATE ON clicks
    REFERENCING OLD TABLE AS awaited NEW TABLE AS filled
    FOR EACH STATEMENT EXECUTE FUNCTION enter_filled_clicks();

CREATE FUNCTION enter_start() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO figure_entries (account_id, bot_id, click_id, at, starts, matched)
    VALUES (NEW.account_id, NEW.bot_id, NEW.click_id, NEW.started_at, 1, CASE WHEN NEW.click_id IS NULL THEN 0 ELSE 1 END);
    RETURN NULL;
END $$;
CREATE TRIGGER starts_entered AFTER INSERT ON starts
    FOR EACH ROW EXECUTE FUNCTION enter_start();

-- A charge counts once its provider has made it, on the day it was asked for; what was paid, on the day it was. What changes is taken
-- back as it was and entered as it is.
CREATE FUNCTION enter_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.txid IS NULL, NEW.click_id) IS DISTINCT FROM (OLD.txid IS NULL, OLD.click_id) THEN
        INSERT INTO figure_entries (account_id, bot_id, step, click_id, at, charges, charged_cents)
        SELECT NEW.account_id, NEW.bot_id, NEW.step, found.click_id, NEW.created_at, found.sign, found.sign * NEW.amount_cents
        FROM (VALUES (OLD.txid, OLD.click_id, -1), (NEW.txid, NEW.click_id, 1)) AS found (txid, click_id, sign)
        WHERE found.txid IS NOT NULL;
    END IF;
    IF (NEW.paid_at, NEW.paid_cents, NEW.click_id) IS DISTINCT FROM (OLD.paid_at, OLD.paid_cents, OLD.click_id) THEN
        INSERT INTO figure_entries (account_id, bot_id, step, click_id, at, paid, paid_cents)
        SELECT NEW.account_id, NEW.bot_id, NEW.step, found.click_id, found.at, found.sign, found.sign * found.cents
        FROM (VALUES (OLD.paid_at, OLD.paid_cents, OLD.click_id, -1), (NEW.paid_at, NEW.paid_cents, NEW.click_id, 1))
            AS found (at, cents, click_id, sign)
        WHERE found.at IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payments_entered AFTER INSERT OR UPDATE OF txid, paid_at, paid_cents, click_id ON payments
    FOR EACH ROW EXECUTE FUNCTION enter_payment();

-- What there is already. A lead of before counts as one start, with the click that brought it first.
INSERT INTO starts (account_id, bot_id, lead_id, click_id, started_at)
SELECT account_id, bot_id, id, first_click_id, created_at
FROM leads
WHERE walked_at IS NOT NULL
    OR first_click_id IS NOT NULL;

INSERT INTO figure_entries (account_id, bot_id, click_id, at, clicks)
SELECT account_id, bot_id, id, clicked_at, 1
FROM clicks
WHERE clicked_at IS NOT NULL
    AND NOT is_crawler;

INSERT INTO figure_entries (account_id, bot_id, step, click_id, at, charges, charged_cents)
SELECT account_id, bot_id, step, click_id, created_at, 1, amount_cents
FROM payments
WHERE txid IS NOT NULL;

INSERT INTO figure_entries (account_id, bot_id, step, click_id, at, paid, paid_cents)
SELECT account_id, bot_id, step, click_id, paid_at, 1, paid_cents
FROM payments
WHERE paid_at IS NOT NULL;
