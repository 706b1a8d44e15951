-- When a lead last moved in its funnel, and by which update: what tells a /start of yesterday from one of now, and a swap
-- that came too late to be put right (services/updates.py).
ALTER TABLE leads
    ADD COLUMN walked_at timestamptz,
    ADD COLUMN walked_update_id bigint;
