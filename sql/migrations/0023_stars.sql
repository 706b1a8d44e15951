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

-- Likewise what goes back: a return in Stars counts as one, with no cents.
CREATE OR REPLACE VIEW sale_returns AS
SELECT payments.account_id, payments.bot_id, payments.step, payments.click_id, payment_returns.id, payment_returns.returned_at AS at,
    CASE payments.currency WHEN 'BRL' THEN payment_returns.amount_cents ELSE 0 END AS amount_cents
FROM payment_returns
JOIN payment_receipts ON payment_receipts.id = payment_returns.receipt_id
JOIN payments ON payments.id = payment_receipts.payment_id AND payments.end_to_end_id = payment_receipts.end_to_end_id
WHERE payment_returns.status = 'settled'
    AND payment_returns.kind <> 'dispute';

-- As it was, but that the installation keeps nothing of a sale in Stars: its terms are in reais, and Telegram holds the Stars.
CREATE OR REPLACE FUNCTION book(payment payments, receipt bigint, kind text, cause text, debit text, credit text, cents bigint, at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cents <> 0 AND (kind <> 'commission' OR payment.currency = 'BRL') THEN
        INSERT INTO ledger_entries (account_id, payment_id, receipt_id, kind, cause, debit, credit, amount_cents, currency, booked_at)
        VALUES (payment.account_id, payment.id, receipt, kind, cause, CASE WHEN cents > 0 THEN debit ELSE credit END,
            CASE WHEN cents > 0 THEN credit ELSE debit END, abs(cents), payment.currency, at);
    END IF;
END $$;
