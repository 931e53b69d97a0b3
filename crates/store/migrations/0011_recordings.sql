-- Recordings of calls, at most one of an attempt: noted before recording begins, and kept after the file is gone.
CREATE TABLE recording (
    attempt_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    group_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    name TEXT NOT NULL,
    -- 0 pending (on the switch), 1 stored, 2 expired, 3 deleted, 4 missing (the switch does not have it).
    state SMALLINT NOT NULL,
    started_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Which storage has the file, and under which name; null while or once none has it.
    place TEXT NULL,
    file TEXT NULL,
    length_ms BIGINT NULL,
    bytes BIGINT NULL,
    sha256 BYTEA NULL,
    stored_at BIGINT NULL,
    -- When it was deleted or expired.
    removed_at BIGINT NULL,
    -- 1 until the switch's file is known to be gone.
    on_switch SMALLINT NOT NULL,
    -- When something is to be done about it: the file fetched from the switch or removed somewhere; null for nothing.
    due_at BIGINT NULL,
    -- How often that was tried.
    tries SMALLINT NOT NULL
);
CREATE INDEX recording_started ON recording (tenant_id, started_at, attempt_id);
CREATE INDEX recording_campaign ON recording (campaign_id, started_at);
CREATE INDEX recording_contact ON recording (contact_id, started_at);
CREATE INDEX recording_agent ON recording (agent_id, started_at);
CREATE INDEX recording_due ON recording (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX recording_expires ON recording (expires_at) WHERE state < 2;
