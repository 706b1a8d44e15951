-- Serves users.list_memberships: what a person may see, asked at every page.
-- Plan: Index Scan, nearly always one row. The primary key begins with the account.
CREATE INDEX CONCURRENTLY IF NOT EXISTS memberships_user ON memberships (user_id);
