-- The brake for emergencies withdraws lines whenever agents are short, and is called by what it does. Groups that had switched
-- it off go on without it.
-- [sqlite]
UPDATE definition SET version = version + 1,
    body = REPLACE(body, '"emergency_brake":', '"withdraw_when_short":')
WHERE kind = 'campaign_group' AND body LIKE '%"emergency_brake":%';
-- [postgres]
UPDATE definition SET version = version + 1,
    body = CAST(REPLACE(CAST(body AS TEXT), '"emergency_brake":', '"withdraw_when_short":') AS JSONB)
WHERE kind = 'campaign_group' AND CAST(body AS TEXT) LIKE '%"emergency_brake":%';
