-- How far each sink has been told. A sink itself is a definition.
CREATE TABLE sink_cursor (
    sink_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    -- The last event that was taken up: delivered, or kept in sink_message.
    seq BIGINT NOT NULL,
    -- The place of the next message.
    next_place BIGINT NOT NULL,
    -- The last period about which activity was told.
    activity_period BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    -- Messages of a sink that forgets what did not arrive.
    lost BIGINT NOT NULL,
    last_delivered_at BIGINT NULL,
    last_error TEXT NULL,
    last_error_at BIGINT NULL,
    -- Which node delivers, as with campaign groups.
    lease_owner UUID NULL,
    lease_epoch BIGINT NOT NULL,
    lease_until BIGINT NOT NULL
);

-- Messages that did not arrive at once, and those behind them.
CREATE TABLE sink_message (
    sink_id UUID NOT NULL,
    id UUID NOT NULL,
    tenant_id UUID NOT NULL,
    place BIGINT NOT NULL,
    -- Messages of one lane, a campaign group, are delivered in the order of their places.
    lane UUID NULL,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL,
    body TEXT NOT NULL,
    -- 0 to be tried again, 1 given up.
    state SMALLINT NOT NULL,
    tries INTEGER NOT NULL,
    next_try_at BIGINT NOT NULL,
    error TEXT NULL,
    PRIMARY KEY (sink_id, id)
) /* clustered */;
CREATE INDEX sink_message_place ON sink_message (sink_id, state, place);

-- Kept apart from the definition, which is shown to whoever may read.
CREATE TABLE sink_credentials (
    sink_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    body TEXT NOT NULL
) /* clustered */;

-- agent_runtime: since when the agent has been there for calls without a break; NULL while they are not.
-- group_runtime: what was last asked of the group and by whom (engine::GroupAction::code, engine::Actor::code).
-- [sqlite]
ALTER TABLE agent_runtime ADD COLUMN at_work_since INTEGER NULL;
ALTER TABLE group_runtime ADD COLUMN last_action INTEGER NULL;
ALTER TABLE group_runtime ADD COLUMN last_actor INTEGER NULL;
-- [postgres]
ALTER TABLE agent_runtime ADD COLUMN at_work_since BIGINT NULL;
ALTER TABLE group_runtime ADD COLUMN last_action SMALLINT NULL;
ALTER TABLE group_runtime ADD COLUMN last_actor SMALLINT NULL;
-- [both]
