-- Domains of accounts for their tracked links; how a pool chooses among its bots; what it shows on the way.
CREATE TABLE domains (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   bigint NOT NULL REFERENCES accounts,
    host         text NOT NULL CHECK (host ~ '^[a-z0-9.-]{1,253}$'),
    status       text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'verified', 'removed')),
    created_at   timestamptz NOT NULL,
    verified_at  timestamptz,
    UNIQUE (account_id, id),
    CHECK (status <> 'verified' OR verified_at IS NOT NULL)
);
CREATE UNIQUE INDEX domains_own ON domains (account_id, host) WHERE status <> 'removed';
CREATE UNIQUE INDEX domains_verified ON domains (host) WHERE status = 'verified';    -- whoever only claims it keeps nobody from it

-- On a domain of its own a pool's slug is `<host>/<word>`, so one unique key holds for all, and a program of before this, which looks
-- for words only, finds none of these.
ALTER TABLE pools
    DROP CONSTRAINT pools_slug_check,
    ADD CONSTRAINT pools_slug_check CHECK (slug ~ '^([a-z0-9.-]{1,253}/)?[a-z0-9][a-z0-9_-]{0,63}$'),
    ADD COLUMN domain_id bigint,
    ADD COLUMN strategy text NOT NULL DEFAULT 'round_robin',        -- services/pool_strategies/
    ADD COLUMN landing jsonb,                                       -- of the page shown on the way (services/landings.py); null: none is
    ADD FOREIGN KEY (account_id, domain_id) REFERENCES domains (account_id, id),
    ADD CHECK ((domain_id IS NULL) = (position('/' IN slug) = 0));

ALTER TABLE pool_bots
    ADD COLUMN weight integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
    ADD COLUMN priority integer NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100);   -- the highest first
