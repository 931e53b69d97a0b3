-- Every version of a server script, also the one that counts.
CREATE TABLE script_version (
    tenant_id UUID NOT NULL,
    script_id UUID NOT NULL,
    version BIGINT NOT NULL,
    name TEXT NOT NULL,
    body JSONB NOT NULL,
    -- Who made it; not known of versions from before this table.
    actor TEXT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (script_id, version)
);
INSERT INTO script_version (tenant_id, script_id, version, name, body, actor, made_at)
    SELECT tenant_id, id, version, name, body, NULL, updated_at FROM definition WHERE kind = 'script';

-- Which version went wrong; not known of errors from before.
ALTER TABLE script_error ADD COLUMN version BIGINT NULL;
