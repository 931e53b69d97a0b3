-- What a contact waits in: the lane of its campaign, from which any of the campaign's groups takes, or that of the one
-- group it is bound to. The id is the campaign's or the group's.
ALTER TABLE contact ADD COLUMN lane_id UUID NULL;
UPDATE contact SET lane_id = campaign_id;
-- [postgres]
ALTER TABLE contact ALTER COLUMN lane_id SET NOT NULL;
-- [both]
-- The batch that its source says it came with.
ALTER TABLE contact ADD COLUMN tag TEXT NULL;

DROP INDEX contact_ready;
DROP INDEX contact_waiting;
CREATE INDEX contact_ready ON contact (lane_id, bucket_id, rank, id) WHERE feed_state = 1;
CREATE INDEX contact_waiting ON contact (lane_id, next_at) WHERE feed_state = 0;

-- Small whole numbers for objects, for interfaces whose ids are such.
CREATE TABLE short_number (
    tenant_id UUID NOT NULL,
    kind TEXT NOT NULL,
    number BIGINT NOT NULL,
    object_id UUID NOT NULL,
    PRIMARY KEY (tenant_id, kind, number)
) /* clustered */;
CREATE UNIQUE INDEX short_number_object ON short_number (tenant_id, kind, object_id);
