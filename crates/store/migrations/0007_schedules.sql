-- Until when it was seen what a schedule wants done.
CREATE TABLE schedule_state (
    schedule_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    seen_until BIGINT NOT NULL
);

-- What schedules and sequences did. A schedule's row is made before the act, so that no two nodes act and no restart acts
-- twice.
CREATE TABLE planned_run (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    -- The schedule or sequence.
    plan_id UUID NOT NULL,
    due_at BIGINT NOT NULL,
    step INTEGER NOT NULL,
    group_id UUID NOT NULL,
    action TEXT NOT NULL,
    -- started, done, refused, missed.
    outcome TEXT NOT NULL,
    detail TEXT NULL,
    at BIGINT NOT NULL,
    UNIQUE (plan_id, due_at, step, group_id, action)
);
CREATE INDEX planned_run_page ON planned_run (tenant_id, plan_id, due_at, id);

-- Sequences that run: which of their groups they are at, and since when.
CREATE TABLE sequence_state (
    sequence_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    step INTEGER NOT NULL,
    since BIGINT NOT NULL,
    version BIGINT NOT NULL
);
