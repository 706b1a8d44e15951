"""SCHEMA: the sandbox's tables. Instants are Unix seconds, money is integer cents, bodies are JSON texts."""

VERSION = 3
UPGRADE = "DROP TABLE IF EXISTS faults; DROP TABLE IF EXISTS refunds;"
"""What a file of an earlier version needs before SCHEMA: nothing anybody would miss is lost."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT OR IGNORE INTO counters VALUES ('change', 0);

CREATE TABLE IF NOT EXISTS bots (
    id                  INTEGER PRIMARY KEY,
    token               TEXT NOT NULL UNIQUE,
    username            TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name                TEXT NOT NULL,
    last_update_id      INTEGER NOT NULL,
    last_message_id     INTEGER NOT NULL DEFAULT 0,
    webhook_url         TEXT NOT NULL DEFAULT '',
    webhook_secret      TEXT NOT NULL DEFAULT '',
    max_connections     INTEGER NOT NULL DEFAULT 40,
    allowed_updates     TEXT NOT NULL DEFAULT '[]',
    last_error_at       INTEGER,
    last_error_message  TEXT
);

CREATE TABLE IF NOT EXISTS managed_bots (
    bot_id      INTEGER PRIMARY KEY REFERENCES bots,
    manager_id  INTEGER NOT NULL REFERENCES bots,
    owner       TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS banned_bots (bot_id INTEGER PRIMARY KEY REFERENCES bots);

CREATE TABLE IF NOT EXISTS chats (
    bot_id         INTEGER NOT NULL REFERENCES bots,
    id             INTEGER NOT NULL,
    first_name     TEXT NOT NULL,
    last_name      TEXT NOT NULL,
    username       TEXT NOT NULL,
    language_code  TEXT NOT NULL,
    is_blocked     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (bot_id, id)
);

CREATE TABLE IF NOT EXISTS messages (
    bot_id      INTEGER NOT NULL,
    id          INTEGER NOT NULL,
    chat_id     INTEGER NOT NULL,
    body        TEXT NOT NULL,
    is_deleted  INTEGER NOT NULL DEFAULT 0,
    change      INTEGER NOT NULL,
    PRIMARY KEY (bot_id, id)
);
CREATE INDEX IF NOT EXISTS messages_of_chat ON messages (bot_id, chat_id, id);
CREATE INDEX IF NOT EXISTS messages_changed ON messages (bot_id, chat_id, change);

CREATE TABLE IF NOT EXISTS files (
    id            TEXT PRIMARY KEY,
    bot_id        INTEGER NOT NULL,
    unique_id     TEXT NOT NULL,
    content_type  TEXT NOT NULL,
    width         INTEGER NOT NULL,
    height        INTEGER NOT NULL,
    content       BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS files_by_content ON files (bot_id, unique_id);

CREATE TABLE IF NOT EXISTS media (
    id            TEXT PRIMARY KEY,
    bot_id        INTEGER NOT NULL,
    kind          TEXT NOT NULL,
    unique_id     TEXT NOT NULL,
    content_type  TEXT NOT NULL,
    name          TEXT NOT NULL,
    content       BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS groups (
    id        INTEGER PRIMARY KEY, -- negative
    type      TEXT NOT NULL,
    title     TEXT NOT NULL,
    moved_to  INTEGER
);

CREATE TABLE IF NOT EXISTS group_members (
    group_id  INTEGER NOT NULL REFERENCES groups,
    user_id   INTEGER NOT NULL,
    status    TEXT NOT NULL,
    rights    TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (group_id, user_id)
);

CREATE TABLE IF NOT EXISTS invite_links (
    link          TEXT PRIMARY KEY,
    group_id      INTEGER NOT NULL REFERENCES groups,
    bot_id        INTEGER NOT NULL,
    name          TEXT NOT NULL,
    expires_at    INTEGER,
    member_limit  INTEGER,
    by_request    INTEGER NOT NULL,
    uses          INTEGER NOT NULL DEFAULT 0,
    is_revoked    INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS join_requests (
    group_id  INTEGER NOT NULL REFERENCES groups,
    user_id   INTEGER NOT NULL,
    link      TEXT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);

CREATE TABLE IF NOT EXISTS queries (
    id        TEXT PRIMARY KEY,
    bot_id    INTEGER NOT NULL,
    chat_id   INTEGER NOT NULL,
    kind      TEXT NOT NULL,
    asked_at  REAL NOT NULL,
    answer    TEXT,
    change    INTEGER
);
CREATE INDEX IF NOT EXISTS queries_changed ON queries (bot_id, chat_id, change);

CREATE TABLE IF NOT EXISTS invoices (
    slug         TEXT PRIMARY KEY,
    bot_id       INTEGER NOT NULL,
    title        TEXT NOT NULL,
    description  TEXT NOT NULL,
    payload      TEXT NOT NULL,
    amount       INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS checkouts (
    query_id  TEXT PRIMARY KEY REFERENCES queries,
    payload   TEXT NOT NULL,
    amount    INTEGER NOT NULL,
    currency  TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS star_transactions (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL, -- of the payment; what gives it back has the same
    bot_id     INTEGER NOT NULL,
    chat_id    INTEGER NOT NULL,
    payload    TEXT NOT NULL,
    amount     INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    is_refund  INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS star_transactions_of_bot ON star_transactions (bot_id, seq);

CREATE TABLE IF NOT EXISTS parcels (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    owner       TEXT NOT NULL,
    queue       TEXT NOT NULL,
    body        TEXT NOT NULL,
    made_at     REAL NOT NULL, -- it does not leave before
    expires_at  REAL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT,
    outcome     TEXT,
    done_at     REAL
);
CREATE INDEX IF NOT EXISTS parcels_waiting ON parcels (queue, id) WHERE outcome IS NULL;
CREATE INDEX IF NOT EXISTS parcels_done ON parcels (id) WHERE outcome IS NOT NULL;
CREATE INDEX IF NOT EXISTS parcels_of_owner ON parcels (owner) WHERE outcome IS NULL;

CREATE TABLE IF NOT EXISTS calls (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      REAL NOT NULL,
    bot     TEXT NOT NULL,
    method  TEXT NOT NULL,
    params  TEXT NOT NULL,
    answer  TEXT,
    via     TEXT NOT NULL,
    fault   INTEGER
);

CREATE TABLE IF NOT EXISTS faults (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    place    TEXT NOT NULL,
    bot      TEXT COLLATE NOCASE,
    method   TEXT COLLATE NOCASE,
    chat_id  INTEGER,
    txid     TEXT,
    times    INTEGER NOT NULL,
    chance   REAL NOT NULL,
    acts     TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS charges (
    txid              TEXT PRIMARY KEY,
    id                TEXT NOT NULL,
    owner             TEXT NOT NULL,
    amount_cents      INTEGER NOT NULL,
    description       TEXT NOT NULL,
    code              TEXT NOT NULL,
    notification_url  TEXT NOT NULL,
    webhook_secret    TEXT NOT NULL,
    created_at        REAL NOT NULL,
    expires_at        REAL NOT NULL
);

CREATE TABLE IF NOT EXISTS payments (
    end_to_end_id  TEXT PRIMARY KEY,
    txid           TEXT NOT NULL REFERENCES charges,
    amount_cents   INTEGER NOT NULL,
    at             REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS payments_of_charge ON payments (txid, at);

CREATE TABLE IF NOT EXISTS returns (
    id             TEXT PRIMARY KEY,
    txid           TEXT NOT NULL REFERENCES charges,
    end_to_end_id  TEXT NOT NULL REFERENCES payments,
    kind           TEXT NOT NULL, -- refund, dispute, chargeback
    status         TEXT NOT NULL, -- pending, done, void
    amount_cents   INTEGER NOT NULL,
    at             REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS returns_of_payment ON returns (end_to_end_id);
CREATE INDEX IF NOT EXISTS returns_of_charge ON returns (txid, at);

CREATE TABLE IF NOT EXISTS refund_modes (txid TEXT PRIMARY KEY REFERENCES charges, mode TEXT NOT NULL);
"""
