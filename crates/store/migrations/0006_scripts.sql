-- What went wrong with server scripts, the newest of it.
CREATE TABLE script_error (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    script_id UUID NOT NULL,
    campaign_id UUID NULL,
    contact_id UUID NULL,
    phase TEXT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    stack TEXT NULL
);
CREATE INDEX script_error_page ON script_error (tenant_id, script_id, at, id);
CREATE INDEX script_error_age ON script_error (at);

-- What scripts remember, for each campaign.
CREATE TABLE script_value (
    tenant_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (campaign_id, key)
) /* clustered */;
