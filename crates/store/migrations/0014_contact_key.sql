-- What a source calls a contact, in a table of its own. It never changes, whereas the contact's row does with every claim
-- and every plan: there PostgreSQL made a new entry in each index on the row each time, and claims from a list that is
-- mostly closed wrote a page of such an index for each contact (docs/benchmarks.md, "feed").
CREATE TABLE contact_key (
    source_id UUID NOT NULL,
    external_id TEXT NOT NULL,
    contact_id UUID NOT NULL,
    PRIMARY KEY (source_id, external_id)
) /* clustered */;
INSERT INTO contact_key (source_id, external_id, contact_id)
    SELECT source_id, external_id, id FROM contact ORDER BY source_id, external_id;

-- No query used it.
DROP INDEX contact_customer;
-- [postgres]
ALTER TABLE contact DROP CONSTRAINT contact_source_id_external_id_key;
-- [sqlite]
-- A constraint can only be left out of a new table.
DROP VIEW contact_readable;
CREATE TABLE contact_without_key (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    source_id UUID NOT NULL,
    external_id TEXT NOT NULL,
    fields JSONB NOT NULL,
    priority SMALLINT NOT NULL,
    sequence BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    import_id UUID NULL,
    fingerprint BIGINT NOT NULL,
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
    claimed_by UUID NULL,
    claim_epoch BIGINT NULL,
    lane_id UUID NOT NULL,
    tag TEXT NULL,
    last_caller_id BIGINT NULL
);
INSERT INTO contact_without_key
    SELECT id, tenant_id, campaign_id, source_id, external_id, fields, priority, sequence, created_at, updated_at,
           import_id, fingerprint, feed_state, bucket_id, rank, next_at, expires_at, next_phone, is_callback,
           preferred_agent, attempts, last_result, last_result_in_a_row, last_attempt_at, final_reason, claimed_by,
           claim_epoch, lane_id, tag, last_caller_id
    FROM contact ORDER BY rowid;
DROP TABLE contact;
ALTER TABLE contact_without_key RENAME TO contact;
CREATE INDEX contact_ready ON contact (lane_id, bucket_id, rank, id) WHERE feed_state = 1;
CREATE INDEX contact_waiting ON contact (lane_id, next_at) WHERE feed_state = 0;
CREATE INDEX contact_claimed ON contact (claimed_by) WHERE feed_state = 2;
CREATE INDEX contact_expiring ON contact (campaign_id, expires_at) WHERE feed_state < 2 AND expires_at IS NOT NULL;
CREATE INDEX contact_page ON contact (campaign_id, id);
CREATE VIEW contact_readable AS
SELECT hex(id) AS id, hex(campaign_id) AS campaign_id, hex(source_id) AS source_id, external_id, fields, priority,
       CASE feed_state WHEN 0 THEN 'waiting' WHEN 1 THEN 'ready' WHEN 2 THEN 'claimed' ELSE 'final' END AS feed_state,
       strftime('%Y-%m-%dT%H:%M:%fZ', next_at / 1000000.0, 'unixepoch') AS next_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', expires_at / 1000000.0, 'unixepoch') AS expires_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', last_attempt_at / 1000000.0, 'unixepoch') AS last_attempt_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1000000.0, 'unixepoch') AS created_at,
       attempts, last_result, final_reason, hex(claimed_by) AS claimed_by
FROM contact;
-- [both]
