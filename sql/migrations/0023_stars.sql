-- Telegram Stars: a bot is paid by its own token, so each bot that charges in Stars has a gateway account of its own. Nobody connects
-- it, and it never takes a charge in another currency.
ALTER TABLE gateway_accounts
    ADD COLUMN bot_id bigint,
    ADD FOREIGN KEY (account_id, bot_id) REFERENCES bots (account_id, id);
CREATE UNIQUE INDEX gateway_accounts_of_bot ON gateway_accounts (account_id, bot_id) WHERE bot_id IS NOT NULL;

-- As it was, but that cents are of one currency: a charge in Stars counts as a charge and a payment, with no cents.
CREATE OR REPLACE FUNCTION enter_payment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    unit bigint := CASE NEW.currency WHEN 'BRL' THEN 1 ELSE 0 END;
BEGIN
    IF (NEW.txid IS NULL, NEW.click_id) IS DISTINCT FROM (OLD.txid IS NULL, OLD.click_id) THEN
        INSERT INTO figure_entries (account_id, bot_id, step, click_id, at, charges, charged_cents)
        SELECT NEW.account_id, NEW.bot_id, NEW.step, found.click_id, NEW.created_at, found.sign, found.sign * NEW.amount_cents * unit
        FROM (VALUES (OLD.txid, OLD.click_id, -1), (NEW.txid, NEW.click_id, 1)) AS found (txid, click_id, sign)
        WHERE found.txid IS NOT NULL;
    END IF;
    IF (NEW.paid_at, NEW.paid_cents, NEW.click_id) IS DISTINCT FROM (OLD.paid_at, OLD.paid_cents, OLD.click_id) THEN
        INSERT INTO figure_entries (account_id, bot_id, step, click_id, at, paid, paid_cents)
        SELECT NEW.account_id, NEW.bot_id, NEW.step, found.click_id, found.at, found.sign, found.sign * found.cents * unit
        FROM (VALUES (OLD.paid_at, OLD.paid_cents, OLD.click_id, -1), (NEW.paid_at, NEW.paid_cents, NEW.click_id, 1))
            AS found (at, cents, click_id, sign)
        WHERE found.at IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;
