-- What became of a call that its agent left to somebody else, and when that was known: 0 the third party was there,
-- 1 busy, 2 no answer, 3 unreachable, 4 the called party did not wait.
ALTER TABLE attempt ADD COLUMN transfer BIGINT NULL;
ALTER TABLE attempt ADD COLUMN transfer_at BIGINT NULL;

-- Supervisors' parts in calls, from the request to the end; what is over is in the events and the audit log.
CREATE TABLE supervision (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    -- The node whose switch has the call.
    node_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    attempt_id UUID NOT NULL,
    -- Who asked, as in the audit log.
    supervisor TEXT NOT NULL,
    part TEXT NOT NULL,
    -- 1 once they hear the call.
    is_started SMALLINT NOT NULL
);
