-- What looks after money by itself: charges asked about until they are paid or too old, deliveries tried until Telegram takes them.

ALTER TABLE payments
    ADD COLUMN next_check_at  timestamptz,                          -- when its provider is asked about it next; null: not any more
    ADD COLUMN checks         integer NOT NULL DEFAULT 0,           -- times that was done, each with a job of its own
    ADD COLUMN asked_at       timestamptz,                          -- when anybody asked last: nobody does again within seconds
    ADD CHECK (next_check_at IS NULL OR state IN ('pending', 'expired'));

ALTER TABLE messages
    ADD COLUMN is_lasting     boolean NOT NULL DEFAULT false;       -- failed for a reason that does not pass: refused, or the chat is dead

ALTER TABLE deliveries
    ADD COLUMN tries          integer NOT NULL DEFAULT 0;           -- times it was tried to the end: accepted or not

-- Every end of a try, so that "paid and not delivered" can be explained.
CREATE TABLE delivery_attempts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   bigint NOT NULL,
    delivery_id  bigint NOT NULL,
    status       text NOT NULL CHECK (status IN ('delivered', 'failed')),
    error        text,
    at           timestamptz NOT NULL,
    FOREIGN KEY (account_id, delivery_id) REFERENCES deliveries (account_id, id)
);
