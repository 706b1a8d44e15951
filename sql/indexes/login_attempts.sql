-- Serves login_attempts.forget_old, once an hour.
-- Plan: Index Scan over the windows that have passed.
CREATE INDEX CONCURRENTLY IF NOT EXISTS login_attempts_since ON login_attempts (since);
