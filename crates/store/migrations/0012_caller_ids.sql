-- How often a number was shown in an hour, on a day and in a week.
CREATE INDEX attempt_caller_id ON attempt (tenant_id, caller_id, started_at);
