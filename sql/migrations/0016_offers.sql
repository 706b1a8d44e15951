-- Coupons: how often each was used, counted when a charge is opened by it and given back when that charge ends unpaid.
CREATE TABLE coupons (
    account_id  bigint NOT NULL,
    funnel_id   bigint NOT NULL,
    code        text NOT NULL,
    taken       integer NOT NULL CHECK (taken >= 0),
    PRIMARY KEY (funnel_id, code),
    FOREIGN KEY (account_id, funnel_id) REFERENCES funnels (account_id, id)
);

-- One row per charge that was to be made by a coupon: `refused` where none was left of it.
CREATE TABLE coupon_uses (
    payment_id      bigint PRIMARY KEY,
    account_id      bigint NOT NULL,
    funnel_id       bigint NOT NULL,
    code            text NOT NULL,
    discount_cents  bigint NOT NULL CHECK (discount_cents >= 0),
    state           text NOT NULL CHECK (state IN ('taken', 'refused', 'given_back')),
    FOREIGN KEY (account_id, payment_id) REFERENCES payments (account_id, id),
    FOREIGN KEY (account_id, funnel_id) REFERENCES funnels (account_id, id)
);

-- By the payment's state, whoever changes it and however: no road to an end can forget it. Money that comes in late takes its use again,
-- even over the limit: it was sold.
CREATE FUNCTION count_coupon() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was text := CASE WHEN NEW.state IN ('expired', 'cancelled') THEN 'taken' ELSE 'given_back' END;
    changed coupon_uses;
BEGIN
    UPDATE coupon_uses
    SET state = CASE was WHEN 'taken' THEN 'given_back' ELSE 'taken' END
    WHERE payment_id = NEW.id
        AND state = was
    RETURNING * INTO changed;
    UPDATE coupons
    SET taken = taken + CASE was WHEN 'taken' THEN -1 ELSE 1 END
    WHERE funnel_id = changed.funnel_id
        AND code = changed.code;
    RETURN NULL;
END $$;
CREATE TRIGGER payments_coupon AFTER UPDATE OF state ON payments
    FOR EACH ROW WHEN ((OLD.state IN ('expired', 'cancelled')) <> (NEW.state IN ('expired', 'cancelled')))
    EXECUTE FUNCTION count_coupon();
