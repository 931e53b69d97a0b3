-- The name under which an attempt's call is recorded, or may be if its agent asks for it.
ALTER TABLE attempt ADD COLUMN recording TEXT NULL;

-- Recordings that were taken from the switch; one of a call.
CREATE TABLE recording (
    attempt_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    group_id UUID NOT NULL,
    agent_id UUID NULL,
    -- When the attempt began.
    started_at BIGINT NOT NULL,
    length_ms BIGINT NOT NULL,
    -- Which storage has the files.
    place TEXT NOT NULL,
    -- 0 stored, 1 its files are to be deleted, 2 they are.
    state SMALLINT NOT NULL,
    stored_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    deleted_at BIGINT NULL
);
CREATE INDEX recording_started ON recording (tenant_id, started_at, attempt_id);
CREATE INDEX recording_campaign ON recording (campaign_id, started_at);
CREATE INDEX recording_agent ON recording (agent_id, started_at);
CREATE INDEX recording_expires ON recording (expires_at) WHERE state = 0;
CREATE INDEX recording_to_delete ON recording (place) WHERE state = 1;

-- The files of a recording: 0 both voices, 1 the called party, 2 the agent.
CREATE TABLE recording_leg (
    attempt_id UUID NOT NULL,
    leg SMALLINT NOT NULL,
    file TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    length_ms BIGINT NOT NULL,
    PRIMARY KEY (attempt_id, leg)
);
