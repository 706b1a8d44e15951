-- When a lead last moved in its funnel, and by which update: what tells a /start of yesterday from one of now, and a swap
-- that came too late to be put right (services/updates.py).
ALTER TABLE leads
    ADD COLUMN walked_at timestamptz,
    ADD COLUMN walked_update_id bigint;

-- The bytes of a file a seller gives, in pieces: 50 MB at once would be several times that in a process's memory, on their
-- way in and on their way out. They stay in Postgres, and not on a disk, because any process of any machine may have to
-- upload them, and a backup of the database has to be enough to sell.
CREATE TABLE asset_chunks (
    account_id  bigint NOT NULL,
    asset_id    bigint NOT NULL,
    number      integer NOT NULL CHECK (number >= 0),
    content     bytea NOT NULL,
    PRIMARY KEY (asset_id, number),
    FOREIGN KEY (account_id, asset_id) REFERENCES assets (account_id, id)
);
ALTER TABLE asset_chunks ALTER COLUMN content SET STORAGE EXTERNAL;  -- media are compressed already

INSERT INTO asset_chunks (account_id, asset_id, number, content)
SELECT account_id, id, 0, content FROM assets;

ALTER TABLE assets ADD COLUMN size_bytes bigint CHECK (size_bytes >= 0);
UPDATE assets SET size_bytes = length(content);
ALTER TABLE assets
    ALTER COLUMN size_bytes SET NOT NULL,
    DROP COLUMN content;

-- What Telegram calls a content depends on how it was sent (`form`: "photo", "document:curso.pdf"). Without a file_id a row
-- is the right of one process to upload it, until an instant.
ALTER TABLE bot_files
    ADD COLUMN form text NOT NULL DEFAULT 'photo',
    ADD COLUMN uploading_until timestamptz,
    ALTER COLUMN file_id DROP NOT NULL,
    DROP CONSTRAINT bot_files_pkey;
ALTER TABLE bot_files
    ALTER COLUMN form DROP DEFAULT,
    ADD PRIMARY KEY (bot_id, sha256, form);
