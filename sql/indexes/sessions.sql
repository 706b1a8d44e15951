-- Serves sessions.remove_all, "log out everywhere", and sessions.list_open, where a person is logged in.
-- Plan: Index Scan, a handful of rows.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_user ON sessions (user_id);

-- Serves sessions.forget_old, once an hour.
-- Plan: Index Scan over what is over.
CREATE INDEX CONCURRENTLY IF NOT EXISTS sessions_expires ON sessions (expires_at);
