-- Personal data: sealed under a key of each lead's own, found by keyed hash, erased for good (services/erasures.py).

-- What a seller says instead of ours to /privacidade and /paysupport.
ALTER TABLE accounts
    ADD COLUMN privacy_text text NOT NULL DEFAULT '',
    ADD COLUMN support_text text NOT NULL DEFAULT '';

-- An erased lead keeps its row, for its payments are somebody's books; nothing in it names anybody.
ALTER TABLE leads
    ADD COLUMN key_encrypted text,                        -- of what it told (services/lead_keys.py); null: it has told nothing
    ADD COLUMN marks text[],                              -- keyed hashes of the answers it may be looked for by
    DROP CONSTRAINT leads_status_check,
    ADD CONSTRAINT leads_status_check CHECK (status IN ('active', 'blocked', 'gone', 'erased')) NOT VALID;    -- it only allows more

-- Who was erased: so that neither an import nor a backup of before brings them back. The digest, of bot and chat, needs the master key.
CREATE TABLE tombstones (
    account_id  bigint NOT NULL,
    lead_id     bigint NOT NULL,
    bot_id      bigint NOT NULL,
    digest      text NOT NULL,
    actor       text NOT NULL,
    made_at     timestamptz NOT NULL,
    PRIMARY KEY (account_id, lead_id),
    FOREIGN KEY (account_id, lead_id) REFERENCES leads (account_id, id),
    FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id)
);

-- How far each night's work of forgetting has come (services/retention.py).
CREATE TABLE forgotten (
    what      text PRIMARY KEY,
    after_id  bigint NOT NULL
);

-- What a provider tells of an erased lead's payment after that: whoever closes the event, it keeps no word of its buyer.
CREATE FUNCTION forget_event_of_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT
        FROM payments
        JOIN leads ON leads.id = payments.lead_id
        WHERE payments.id = NEW.payment_id
            AND leads.status = 'erased'
    ) THEN
        NEW.query := '';
        NEW.headers := '{}';
        NEW.body := '';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER provider_events_erased BEFORE UPDATE OF status ON provider_events
    FOR EACH ROW WHEN (NEW.payment_id IS NOT NULL AND NEW.status <> 'received')
    EXECUTE FUNCTION forget_event_of_erased();
