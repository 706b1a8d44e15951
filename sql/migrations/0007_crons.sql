-- When each periodic piece of work of the installation is due; a process that finds it due hands it to the queue, any other
-- finds it claimed, and whoever ran it says when it is due again (services/crons.py).
CREATE TABLE crons (
    name           text PRIMARY KEY,
    due_at         timestamptz NOT NULL,
    claimed_until  timestamptz,
    finished_at    timestamptz              -- the last time it was done to its end
);
