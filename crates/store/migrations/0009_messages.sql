-- What messages sound like. A message itself is a definition.
CREATE TABLE message_sound (
    message_id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL,
    -- Of what it was spoken by a machine; NULL if it was uploaded.
    spoken_sha256 BYTEA NULL,
    sha256 BYTEA NOT NULL,
    length_ms BIGINT NOT NULL,
    rate INTEGER NOT NULL,
    made_at BIGINT NOT NULL,
    wav BYTEA NOT NULL
);
CREATE INDEX message_sound_tenant ON message_sound (tenant_id);

-- Until now `preview` showed contacts to agents who had not asked: that is `push_preview` from here on. Groups, schedules
-- and sequences that said `preview` go on as they did, and rejections go on without a reason.
-- [sqlite]
UPDATE definition SET version = version + 1,
    body = REPLACE(body, '"dial_mode":"preview"', '"dial_mode":"push_preview","reject_needs_reason":false')
WHERE kind = 'campaign_group' AND body LIKE '%"dial_mode":"preview"%';
UPDATE definition SET version = version + 1,
    body = REPLACE(body, '"dial_mode":"preview"', '"dial_mode":"push_preview"')
WHERE kind IN ('schedule', 'sequence') AND body LIKE '%"dial_mode":"preview"%';
-- [postgres]
UPDATE definition SET version = version + 1,
    body = CAST(REPLACE(CAST(body AS TEXT), '"dial_mode": "preview"',
                        '"dial_mode": "push_preview", "reject_needs_reason": false') AS JSONB)
WHERE kind = 'campaign_group' AND CAST(body AS TEXT) LIKE '%"dial_mode": "preview"%';
UPDATE definition SET version = version + 1,
    body = CAST(REPLACE(CAST(body AS TEXT), '"dial_mode": "preview"', '"dial_mode": "push_preview"') AS JSONB)
WHERE kind IN ('schedule', 'sequence') AND CAST(body AS TEXT) LIKE '%"dial_mode": "preview"%';
-- [both]
UPDATE group_runtime SET dial_mode = 8 WHERE dial_mode = 3;
