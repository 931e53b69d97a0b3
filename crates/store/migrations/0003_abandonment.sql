-- Calls that people answered and those of them that nobody was connected to, by quarter of an hour: what the law limits.
-- A campaign that is called for on several nodes adds to the same rows.
CREATE TABLE answered_slot (
    campaign_id UUID NOT NULL,
    slot_start BIGINT NOT NULL,
    answered BIGINT NOT NULL,
    abandoned BIGINT NOT NULL,
    PRIMARY KEY (campaign_id, slot_start)
) /* clustered */;
