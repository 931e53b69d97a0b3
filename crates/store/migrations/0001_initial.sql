-- The whole of what Outdial keeps. One text for both databases (see src/migrate.rs): it is written in PostgreSQL's
-- type words; on SQLite they are replaced by the storage classes, and every table becomes STRICT. A table marked
-- "clustered" is stored by its primary key on SQLite (WITHOUT ROWID), which spares a second look-up.
--
-- Instants are microseconds since 1970-01-01T00:00:00Z. Numbers are the digits of E.164. Flags are 0 and 1.
-- There are no foreign keys: rows are written in bulk (COPY), where a check per row costs more than the row, and every
-- reference is made by the functions of this crate, in the transaction that makes the row it refers to.

CREATE TABLE tenant (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

-- Configuration objects: skill, agent, campaign, campaign_group, source, source_map, calling_hours, treatment_set,
-- suppression_list. Their bodies are typed and checked above the store.
CREATE TABLE definition (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    kind TEXT NOT NULL,
    parent_id UUID NULL,
    name TEXT NOT NULL,
    body JSONB NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX definition_parent ON definition (parent_id);
-- [sqlite]
CREATE UNIQUE INDEX definition_name ON definition (tenant_id, kind, COALESCE(parent_id, tenant_id), lower(name));
-- [postgres]
-- Collation "C" folds ASCII letters only, as SQLite does.
CREATE UNIQUE INDEX definition_name
    ON definition (tenant_id, kind, COALESCE(parent_id, tenant_id), lower(name COLLATE "C"));
-- [both]

CREATE TABLE api_key (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    prefix TEXT NOT NULL,
    secret_sha256 BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NULL,
    revoked_at BIGINT NULL,
    last_used_at BIGINT NULL
);
CREATE INDEX api_key_tenant ON api_key (tenant_id);

CREATE TABLE user_account (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    login TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    agent_id UUID NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT NULL,
    version BIGINT NOT NULL
);
-- [sqlite]
CREATE UNIQUE INDEX user_account_login ON user_account (tenant_id, lower(login));
-- [postgres]
CREATE UNIQUE INDEX user_account_login ON user_account (tenant_id, lower(login COLLATE "C"));
-- [both]

CREATE TABLE session (
    token_sha256 BYTEA PRIMARY KEY,
    tenant_id UUID NOT NULL,
    user_id UUID NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
) /* clustered */;
CREATE INDEX session_expires ON session (expires_at);
CREATE INDEX session_user_id ON session (user_id);

-- Texts of engine::Bucket by their ids.
CREATE TABLE bucket (
    id BIGINT PRIMARY KEY,
    text TEXT NOT NULL
);

-- The buckets that a campaign has, or had, contacts under.
CREATE TABLE campaign_bucket (
    campaign_id UUID NOT NULL,
    bucket_id BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, bucket_id)
) /* clustered */;

CREATE TABLE contact (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    source_id UUID NOT NULL,
    external_id TEXT NOT NULL,
    fields JSONB NOT NULL,
    priority SMALLINT NOT NULL,
    -- Grows with arrival; what the order rule looks at.
    sequence BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    import_id UUID NULL,
    -- Hash of what was imported, to tell an unchanged record from an updated one.
    fingerprint BIGINT NOT NULL,
    -- 0 waits for next_at, 1 ready, 2 claimed, 3 final.
    feed_state SMALLINT NOT NULL,
    bucket_id BIGINT NOT NULL,
    rank BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    expires_at BIGINT NULL,
    next_phone SMALLINT NOT NULL,
    is_callback SMALLINT NOT NULL,
    preferred_agent UUID NULL,
    attempts INTEGER NOT NULL,
    last_result SMALLINT NULL,
    last_result_in_a_row SMALLINT NOT NULL,
    last_attempt_at BIGINT NULL,
    final_reason SMALLINT NULL,
    -- The group in whose hopper it is, and under which epoch of that group's lease.
    claimed_by UUID NULL,
    claim_epoch BIGINT NULL,
    UNIQUE (source_id, external_id)
);
CREATE INDEX contact_ready ON contact (campaign_id, bucket_id, rank, id) WHERE feed_state = 1;
CREATE INDEX contact_waiting ON contact (campaign_id, next_at) WHERE feed_state = 0;
CREATE INDEX contact_claimed ON contact (claimed_by) WHERE feed_state = 2;
CREATE INDEX contact_expiring ON contact (campaign_id, expires_at) WHERE feed_state < 2 AND expires_at IS NOT NULL;
CREATE INDEX contact_page ON contact (campaign_id, id);
CREATE INDEX contact_customer ON contact (tenant_id, external_id);

CREATE TABLE phone (
    contact_id UUID NOT NULL,
    position SMALLINT NOT NULL,
    number BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    status SMALLINT NOT NULL,
    attempts SMALLINT NOT NULL,
    attempts_max SMALLINT NULL,
    caller_id BIGINT NULL,
    bucket_id BIGINT NOT NULL,
    PRIMARY KEY (contact_id, position)
) /* clustered */;
CREATE INDEX phone_number ON phone (number);

CREATE TABLE attempt (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    group_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    phone SMALLINT NOT NULL,
    number BIGINT NOT NULL,
    attempt_number INTEGER NOT NULL,
    dial_mode SMALLINT NOT NULL,
    caller_id BIGINT NULL,
    agent_id UUID NULL,
    epoch BIGINT NOT NULL,
    -- 0 open, 1 ended on the network's side, 2 settled.
    state SMALLINT NOT NULL,
    started_at BIGINT NOT NULL,
    ringing_at BIGINT NULL,
    answered_at BIGINT NULL,
    connected_at BIGINT NULL,
    ended_at BIGINT NULL,
    settled_at BIGINT NULL,
    result SMALLINT NULL,
    disposition TEXT NULL,
    notes TEXT NULL
);
CREATE INDEX attempt_contact ON attempt (contact_id);
CREATE INDEX attempt_group_unsettled ON attempt (group_id) WHERE state < 2;
-- Nobody is dialled twice at once: the database itself refuses a second unsettled attempt on a contact. The name is the
-- one PostgreSQL would give a constraint on the column, for of a violation SQLite tells only the columns.
CREATE UNIQUE INDEX attempt_contact_id_key ON attempt (contact_id) WHERE state < 2;
CREATE INDEX attempt_started ON attempt (tenant_id, started_at, id);
CREATE INDEX attempt_campaign ON attempt (campaign_id, started_at);

CREATE TABLE group_runtime (
    group_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    state SMALLINT NOT NULL,
    dial_mode SMALLINT NULL,
    changed_at BIGINT NOT NULL,
    lease_owner UUID NULL,
    lease_epoch BIGINT NOT NULL,
    lease_until BIGINT NOT NULL
);
CREATE INDEX group_runtime_tenant ON group_runtime (tenant_id);

CREATE TABLE agent_runtime (
    agent_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    state SMALLINT NOT NULL,
    reason TEXT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX agent_runtime_tenant ON agent_runtime (tenant_id);

-- A list whose id is a campaign's id is that campaign's own list.
CREATE TABLE suppressed_number (
    list_id UUID NOT NULL,
    number BIGINT NOT NULL,
    tenant_id UUID NOT NULL,
    until BIGINT NULL,
    added_at BIGINT NOT NULL,
    note TEXT NULL,
    PRIMARY KEY (list_id, number)
) /* clustered */;
CREATE INDEX suppressed_number_number ON suppressed_number (number);

CREATE TABLE suppressed_customer (
    list_id UUID NOT NULL,
    external_id TEXT NOT NULL,
    tenant_id UUID NOT NULL,
    until BIGINT NULL,
    added_at BIGINT NOT NULL,
    note TEXT NULL,
    PRIMARY KEY (list_id, external_id)
) /* clustered */;

CREATE TABLE import_job (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    source_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    -- queued, running, completed, failed, cancelled.
    state TEXT NOT NULL,
    settings JSONB NOT NULL,
    file_path TEXT NOT NULL,
    file_size BIGINT NOT NULL,
    file_sha256 BYTEA NOT NULL,
    rows_done BIGINT NOT NULL,
    bytes_done BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    error TEXT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT NULL,
    finished_at BIGINT NULL,
    heartbeat_at BIGINT NULL,
    owner UUID NULL
);
CREATE INDEX import_job_tenant ON import_job (tenant_id, created_at, id);
CREATE INDEX import_job_unfinished ON import_job (created_at) WHERE state IN ('queued', 'running');

CREATE TABLE import_reject (
    import_id UUID NOT NULL,
    row BIGINT NOT NULL,
    code TEXT NOT NULL,
    field TEXT NOT NULL,
    message TEXT NOT NULL,
    raw TEXT NOT NULL,
    PRIMARY KEY (import_id, row)
) /* clustered */;

-- Batches that write to one source, or look for duplicates in one campaign or tenant, wait for each other here.
CREATE TABLE intake_lock (
    scope_id UUID PRIMARY KEY,
    batches BIGINT NOT NULL
) /* clustered */;

-- The outbox. A transaction takes its tenant's counter as its last act, so order of seq is order of commit, without
-- gaps.
CREATE TABLE event (
    tenant_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body JSONB NOT NULL,
    PRIMARY KEY (tenant_id, seq)
) /* clustered */;

CREATE TABLE event_counter (
    tenant_id UUID PRIMARY KEY,
    last BIGINT NOT NULL
) /* clustered */;

CREATE TABLE audit (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id UUID NULL,
    before JSONB NULL,
    after JSONB NULL
);
CREATE INDEX audit_page ON audit (tenant_id, at, id);

CREATE TABLE idempotency (
    tenant_id UUID NOT NULL,
    key TEXT NOT NULL,
    request_sha256 BYTEA NOT NULL,
    status SMALLINT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key)
) /* clustered */;
CREATE INDEX idempotency_created ON idempotency (created_at);

-- For people who query by hand.
-- [sqlite]
CREATE VIEW contact_readable AS
SELECT hex(id) AS id, hex(campaign_id) AS campaign_id, hex(source_id) AS source_id, external_id, fields, priority,
       CASE feed_state WHEN 0 THEN 'waiting' WHEN 1 THEN 'ready' WHEN 2 THEN 'claimed' ELSE 'final' END AS feed_state,
       strftime('%Y-%m-%dT%H:%M:%fZ', next_at / 1000000.0, 'unixepoch') AS next_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', expires_at / 1000000.0, 'unixepoch') AS expires_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', last_attempt_at / 1000000.0, 'unixepoch') AS last_attempt_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000000.0, 'unixepoch') AS created_at,
       attempts, last_result, final_reason, hex(claimed_by) AS claimed_by
FROM contact;
CREATE VIEW attempt_readable AS
SELECT hex(id) AS id, hex(campaign_id) AS campaign_id, hex(group_id) AS group_id, hex(contact_id) AS contact_id,
       '+' || number AS number, attempt_number, result, disposition,
       CASE state WHEN 0 THEN 'open' WHEN 1 THEN 'ended' ELSE 'settled' END AS state,
       strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000000.0, 'unixepoch') AS started_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', answered_at / 1000000.0, 'unixepoch') AS answered_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', connected_at / 1000000.0, 'unixepoch') AS connected_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000000.0, 'unixepoch') AS ended_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', settled_at / 1000000.0, 'unixepoch') AS settled_at
FROM attempt;
CREATE VIEW event_readable AS
SELECT hex(tenant_id) AS tenant_id, seq, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000000.0, 'unixepoch') AS at, kind, body
FROM event;
-- [postgres]
CREATE VIEW contact_readable AS
SELECT id, campaign_id, source_id, external_id, fields, priority,
       CASE feed_state WHEN 0 THEN 'waiting' WHEN 1 THEN 'ready' WHEN 2 THEN 'claimed' ELSE 'final' END AS feed_state,
       to_char(to_timestamp(next_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS next_at,
       to_char(to_timestamp(expires_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS expires_at,
       to_char(to_timestamp(last_attempt_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
           AS last_attempt_at,
       to_char(to_timestamp(created_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at,
       attempts, last_result, final_reason, claimed_by
FROM contact;
CREATE VIEW attempt_readable AS
SELECT id, campaign_id, group_id, contact_id, '+' || number AS number, attempt_number, result, disposition,
       CASE state WHEN 0 THEN 'open' WHEN 1 THEN 'ended' ELSE 'settled' END AS state,
       to_char(to_timestamp(started_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS started_at,
       to_char(to_timestamp(answered_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
           AS answered_at,
       to_char(to_timestamp(connected_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
           AS connected_at,
       to_char(to_timestamp(ended_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ended_at,
       to_char(to_timestamp(settled_at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS settled_at
FROM attempt;
CREATE VIEW event_readable AS
SELECT tenant_id, seq, to_char(to_timestamp(at / 1000000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at,
       kind, body
FROM event;
-- [both]
