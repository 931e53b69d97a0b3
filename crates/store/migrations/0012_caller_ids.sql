-- The number that a contact's last call showed.
ALTER TABLE contact ADD COLUMN last_caller_id BIGINT NULL;
-- How often a number was shown in an hour and on a day.
CREATE INDEX attempt_caller_id ON attempt (tenant_id, caller_id, started_at);
