-- Promises to call at a time.
CREATE TABLE callback (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    group_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    -- As it was agreed on; the contact says which numbers are tried.
    number BIGINT NULL,
    first_name TEXT NULL,
    last_name TEXT NULL,
    -- The agent whom it is promised with; none leaves it to any agent of the group.
    agent_id UUID NULL,
    due_at BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    -- engine::CallbackState: 0 scheduled, 1 offered, 2 dialled; from 3 on it is over.
    state SMALLINT NOT NULL,
    reason TEXT NULL,
    notes TEXT NULL,
    offers INTEGER NOT NULL,
    dials INTEGER NOT NULL,
    -- The callback whose place it took.
    follows UUID NULL,
    -- Its contact was made for it and ends with it.
    owns_contact SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
-- The zone in which instants without an offset are read.
ALTER TABLE tenant ADD COLUMN zone TEXT NULL;

-- A contact has one promise at a time.
CREATE UNIQUE INDEX callback_contact_id_key ON callback (contact_id) WHERE state < 3;
CREATE INDEX callback_page ON callback (tenant_id, due_at, id);
CREATE INDEX callback_agent ON callback (agent_id, due_at) WHERE agent_id IS NOT NULL;
CREATE INDEX callback_group ON callback (group_id, due_at);
CREATE INDEX callback_of_contact ON callback (contact_id);
CREATE INDEX callback_number ON callback (tenant_id, number) WHERE state < 3;
CREATE INDEX callback_overdue ON callback (valid_until) WHERE state < 3;
