-- Money that goes back, and the book in which every cent stands twice (services/returns.py, refunds.py, ledger.py).

-- Rates in which the installation's administrator keeps a part of what is sold; the last one before a sale counts. None: nothing.
CREATE TABLE commissions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id  bigint NOT NULL REFERENCES accounts,
    points      integer NOT NULL CHECK (points BETWEEN 0 AND 10000),      -- hundredths of one per cent
    cents       bigint NOT NULL CHECK (cents >= 0),                       -- and so much of each sale
    begins_at   timestamptz NOT NULL
);
CREATE TRIGGER commissions_immutable BEFORE UPDATE OR DELETE ON commissions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

ALTER TABLE payment_receipts
    ADD COLUMN fee_cents      bigint CHECK (fee_cents >= 0),              -- what the provider keeps; null: it has not said
    ADD COLUMN fee_revision   integer NOT NULL DEFAULT 0,                 -- times it said something else
    ADD COLUMN fee_noted_at   timestamptz,                                -- when it did last
    ADD UNIQUE (account_id, id);

-- Money of one receipt that goes back: asked for by us, or by whoever told the provider.
CREATE TABLE payment_returns (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id       bigint NOT NULL,
    payment_id       bigint NOT NULL,
    receipt_id       bigint NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('refund', 'dispute', 'chargeback')),
    status           text NOT NULL CHECK (status IN ('asked', 'open', 'settled', 'void')),
    return_id        text,                                -- the provider's; null: asked, and not answered yet
    amount_cents     bigint NOT NULL CHECK (amount_cents > 0),
    idempotency_key  text UNIQUE,                         -- ours, stored before the call; null: somebody else asked
    request_key      text,                                -- of the form that asked: sent twice it asks once
    actor            text NOT NULL,
    reason           text,                                -- of void: the provider's
    error            text,                                -- why its job is dead: a person looks at it
    noted_at         timestamptz NOT NULL,
    returned_at      timestamptz,                         -- the provider's instant
    settled_at       timestamptz,                         -- when we knew that it was settled or void
    asked_at         timestamptz,                         -- when its provider was asked last how it stands
    UNIQUE (payment_id, kind, return_id),
    UNIQUE (account_id, request_key),
    UNIQUE (account_id, id),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id),
    FOREIGN KEY (account_id, receipt_id) REFERENCES payment_receipts (account_id, id),
    CHECK (return_id IS NOT NULL OR idempotency_key IS NOT NULL),
    CHECK (status <> 'asked' OR idempotency_key IS NOT NULL),
    CHECK ((status IN ('settled', 'void')) = (settled_at IS NOT NULL)),
    CHECK (status <> 'settled' OR returned_at IS NOT NULL)
);

-- What was never handed over and is not to be any more: its money went back.
ALTER TABLE deliveries DROP CONSTRAINT deliveries_status_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_status_check CHECK (status IN ('planned', 'delivered', 'failed', 'revoked'));

-- The book. A row moves an amount from one of its accounts to another: it stands in both, so all of them always add up to nothing.
--   provider     what the provider holds of the seller's              disputed     ... and keeps back until a dispute is decided
--   buyers       paid, and neither handed over nor given back         revenue      handed over
--   refunds      of that, given back                                  chargebacks  of that, taken back
--   fees         the provider's part                                  commission   the installation's part
--   platform     ... which the seller owes it
CREATE TABLE ledger_entries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint NOT NULL,
    payment_id    bigint NOT NULL,
    receipt_id    bigint NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('charge', 'fee', 'commission', 'delivery', 'refund', 'dispute', 'chargeback')),
    cause         text NOT NULL,                          -- the fact that it records, once
    debit         text NOT NULL,
    credit        text NOT NULL,
    amount_cents  bigint NOT NULL CHECK (amount_cents > 0),
    currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    booked_at     timestamptz NOT NULL,
    UNIQUE (payment_id, kind, cause),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id),
    CHECK (debit <> credit),
    CHECK (debit IN ('provider', 'disputed', 'buyers', 'revenue', 'refunds', 'chargebacks', 'fees', 'commission', 'platform')),
    CHECK (credit IN ('provider', 'disputed', 'buyers', 'revenue', 'refunds', 'chargebacks', 'fees', 'commission', 'platform'))
);
CREATE TRIGGER ledger_entries_immutable BEFORE UPDATE OR DELETE ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What a recount found to be otherwise than the book (services/ledger.py); gone when a later one does not.
CREATE TABLE ledger_differences (
    account_id      bigint NOT NULL,
    payment_id      bigint NOT NULL,
    place           text NOT NULL,                        -- an account of the book
    booked_cents    bigint NOT NULL,
    counted_cents   bigint NOT NULL,
    found_at        timestamptz NOT NULL,
    PRIMARY KEY (payment_id, place),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id)
);

-- A negative amount goes the other way, nothing goes nowhere.
CREATE FUNCTION book(payment payments, receipt bigint, kind text, cause text, debit text, credit text, cents bigint, at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cents <> 0 THEN
        INSERT INTO ledger_entries (account_id, payment_id, receipt_id, kind, cause, debit, credit, amount_cents, currency, booked_at)
        VALUES (payment.account_id, payment.id, receipt, kind, cause, CASE WHEN cents > 0 THEN debit ELSE credit END,
            CASE WHEN cents > 0 THEN credit ELSE debit END, abs(cents), payment.currency, at);
    END IF;
END $$;

-- The installation's part of a sale of `paid` cents, of which `returned` went back: so much of it as of the sale itself.
CREATE FUNCTION find_commission(account bigint, paid bigint, returned bigint, at timestamptz) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT least(paid * points / 10000 + cents, paid) - least(paid * points / 10000 + cents, paid) * least(returned, paid) / paid
        FROM commissions
        WHERE account_id = account
            AND begins_at <= at
        ORDER BY begins_at DESC, id DESC
        LIMIT 1
    ), 0)
$$;

CREATE FUNCTION book_receipt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    payment payments;
BEGIN
    SELECT * INTO payment FROM payments WHERE id = NEW.payment_id;
    IF TG_OP = 'INSERT' THEN
        PERFORM book(payment, NEW.id, 'charge', 'receipt:' || NEW.id, 'provider', 'buyers', NEW.amount_cents, NEW.noted_at);
        PERFORM book(payment, NEW.id, 'fee', 'receipt:' || NEW.id, 'fees', 'provider', coalesce(NEW.fee_cents, 0), NEW.noted_at);
    ELSE
        PERFORM book(payment, NEW.id, 'fee', 'receipt:' || NEW.id || ':' || NEW.fee_revision, 'fees', 'provider',
            coalesce(NEW.fee_cents, 0) - coalesce(OLD.fee_cents, 0), NEW.fee_noted_at);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_receipts_booked AFTER INSERT ON payment_receipts
    FOR EACH ROW EXECUTE FUNCTION book_receipt();
CREATE TRIGGER payment_receipts_corrected AFTER UPDATE OF fee_cents ON payment_receipts
    FOR EACH ROW WHEN (NEW.fee_cents IS DISTINCT FROM OLD.fee_cents) EXECUTE FUNCTION book_receipt();

-- The receipt that pays; those held or kept apart owe no commission.
CREATE FUNCTION book_sale() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    receipt payment_receipts;
BEGIN
    SELECT * INTO receipt FROM payment_receipts WHERE payment_id = NEW.id AND end_to_end_id = NEW.end_to_end_id;
    PERFORM book(NEW, receipt.id, 'commission', 'receipt:' || receipt.id, 'commission', 'platform',
        find_commission(NEW.account_id, NEW.paid_cents, 0, receipt.noted_at), receipt.noted_at);
    RETURN NULL;
END $$;
CREATE TRIGGER payments_booked AFTER UPDATE OF paid_at ON payments
    FOR EACH ROW WHEN (OLD.paid_at IS NULL AND NEW.paid_at IS NOT NULL) EXECUTE FUNCTION book_sale();

-- Handed over: what is owed to the buyer of what he paid is earned, once. The payment is locked, so that money which goes back at the same
-- moment is either not owed any more or given back out of what was earned.
CREATE FUNCTION book_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    payment  payments;
    receipt  bigint;
    owed     bigint;
BEGIN
    SELECT * INTO payment FROM payments WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM ledger_entries WHERE payment_id = payment.id AND kind = 'delivery') THEN
        RETURN NULL;
    END IF;
    SELECT id INTO receipt FROM payment_receipts WHERE payment_id = payment.id AND end_to_end_id = payment.end_to_end_id;
    SELECT sum(CASE WHEN credit = 'buyers' THEN amount_cents ELSE -amount_cents END) INTO owed
    FROM ledger_entries
    WHERE payment_id = payment.id
        AND receipt_id = receipt
        AND 'buyers' IN (debit, credit);
    PERFORM book(payment, receipt, 'delivery', 'delivery', 'buyers', 'revenue', greatest(coalesce(owed, 0), 0), NEW.delivered_at);
    RETURN NULL;
END $$;
CREATE TRIGGER deliveries_booked AFTER UPDATE OF status ON deliveries
    FOR EACH ROW WHEN (NEW.status = 'delivered' AND OLD.status <> 'delivered') EXECUTE FUNCTION book_delivery();

-- Whoever writes a return has locked its payment.
CREATE FUNCTION book_return() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    payment   payments;
    pays      boolean;
    was       text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.status ELSE '' END;
    held      bigint := CASE WHEN NEW.status = 'open' THEN NEW.amount_cents ELSE 0 END
        - CASE WHEN was = 'open' THEN OLD.amount_cents ELSE 0 END;
    returned  bigint;
    place     text;
BEGIN
    SELECT * INTO payment FROM payments WHERE id = NEW.payment_id;
    IF NEW.kind = 'dispute' THEN
        PERFORM book(payment, NEW.receipt_id, 'dispute', 'return:' || NEW.id || ':' || NEW.status, 'disputed', 'provider', held,
            coalesce(NEW.settled_at, NEW.noted_at));
    ELSIF NEW.status = 'settled' AND was <> 'settled' THEN
        SELECT end_to_end_id IS NOT DISTINCT FROM payment.end_to_end_id INTO pays FROM payment_receipts WHERE id = NEW.receipt_id;
        place := CASE
            WHEN NOT pays OR NOT EXISTS (SELECT FROM ledger_entries WHERE payment_id = payment.id AND kind = 'delivery') THEN 'buyers'
            WHEN NEW.kind = 'refund' THEN 'refunds' ELSE 'chargebacks' END;
        PERFORM book(payment, NEW.receipt_id, NEW.kind, 'return:' || NEW.id, place, 'provider', NEW.amount_cents, NEW.settled_at);
        IF pays THEN
            SELECT sum(amount_cents) INTO returned FROM payment_returns
            WHERE receipt_id = NEW.receipt_id AND status = 'settled' AND kind <> 'dispute';
            PERFORM book(payment, NEW.receipt_id, 'commission', 'return:' || NEW.id, 'commission', 'platform',
                find_commission(NEW.account_id, payment.paid_cents, returned, receipt.noted_at)
                - find_commission(NEW.account_id, payment.paid_cents, returned - NEW.amount_cents, receipt.noted_at), NEW.settled_at)
            FROM payment_receipts AS receipt
            WHERE receipt.id = NEW.receipt_id;
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_returns_booked AFTER INSERT OR UPDATE OF status ON payment_returns
    FOR EACH ROW EXECUTE FUNCTION book_return();

-- Figures: what went back of sales, on the day it did.
ALTER TABLE figures
    ADD COLUMN refunds         bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_cents  bigint NOT NULL DEFAULT 0;
ALTER TABLE figure_entries
    ADD COLUMN refunds         integer NOT NULL DEFAULT 0,
    ADD COLUMN refunded_cents  bigint NOT NULL DEFAULT 0;

-- Returns of sales, as they are counted: not of what was kept apart, which was no revenue either.
CREATE VIEW sale_returns AS
SELECT payments.account_id, payments.bot_id, payments.step, payments.click_id, payment_returns.id, payment_returns.returned_at AS at,
    payment_returns.amount_cents
FROM payment_returns
JOIN payment_receipts ON payment_receipts.id = payment_returns.receipt_id
JOIN payments ON payments.id = payment_receipts.payment_id AND payments.end_to_end_id = payment_receipts.end_to_end_id
WHERE payment_returns.status = 'settled'
    AND payment_returns.kind <> 'dispute';

CREATE FUNCTION enter_return() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO figure_entries (account_id, bot_id, step, click_id, at, refunds, refunded_cents)
    SELECT account_id, bot_id, step, click_id, at, 1, amount_cents
    FROM sale_returns
    WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_returns_entered AFTER INSERT OR UPDATE OF status ON payment_returns
    FOR EACH ROW WHEN (NEW.status = 'settled') EXECUTE FUNCTION enter_return();

-- The book of what there is already. A sale of before that was given back by hand has no return: its money is at the provider.
INSERT INTO ledger_entries (account_id, payment_id, receipt_id, kind, cause, debit, credit, amount_cents, currency, booked_at)
SELECT receipt.account_id, receipt.payment_id, receipt.id, 'charge', 'receipt:' || receipt.id, 'provider', 'buyers', receipt.amount_cents,
    payments.currency, receipt.noted_at
FROM payment_receipts AS receipt
JOIN payments ON payments.id = receipt.payment_id
ORDER BY receipt.id;

INSERT INTO ledger_entries (account_id, payment_id, receipt_id, kind, cause, debit, credit, amount_cents, currency, booked_at)
SELECT payments.account_id, payments.id, receipt.id, 'delivery', 'delivery', 'buyers', 'revenue', receipt.amount_cents, payments.currency,
    min(deliveries.delivered_at)
FROM deliveries
JOIN payments ON payments.id = deliveries.payment_id
JOIN payment_receipts AS receipt ON receipt.payment_id = payments.id AND receipt.end_to_end_id = payments.end_to_end_id
WHERE deliveries.status = 'delivered'
GROUP BY payments.id, receipt.id
ORDER BY receipt.id;

-- Disputes take places back too: the index for the look at what was given back is another (sql/indexes/payments.sql).
DROP INDEX IF EXISTS payments_given_back;
