-- Who is logged in to the pages, and how often somebody tried. Secrets are kept as hashes only.

CREATE TABLE sessions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL REFERENCES users,
    token_hash  text NOT NULL UNIQUE,                     -- SHA-256 of the cookie's 32 random bytes, in hex
    created_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,                     -- to the minute; too long ago, and the session is over
    expires_at  timestamptz NOT NULL                      -- over then, however much it is used
);

-- How often a password was tried from an address, or for an e-mail, in the window that began at `since`. The key is an HMAC of
-- what it counts: people type passwords into the wrong field.
CREATE TABLE login_attempts (
    key       text PRIMARY KEY,
    attempts  integer NOT NULL,
    since     timestamptz NOT NULL
);

-- A way in without a password, once and for some minutes: the sandbox's only (services/logins.py). A new one replaces the last.
CREATE TABLE sign_in_links (
    user_id     bigint PRIMARY KEY REFERENCES users,
    token_hash  text NOT NULL UNIQUE,
    expires_at  timestamptz NOT NULL
);
