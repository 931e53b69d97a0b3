-- The attempts of a campaign group and of an agent, the latest first: without these, all attempts of the tenant were
-- gone through.
CREATE INDEX attempt_group ON attempt (tenant_id, group_id, started_at, id);
CREATE INDEX attempt_agent ON attempt (tenant_id, agent_id, started_at, id) WHERE agent_id IS NOT NULL;
