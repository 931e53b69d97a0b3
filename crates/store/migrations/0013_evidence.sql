-- Who picked a call up and what they heard without an agent, and whether they pressed the key to be called no more:
-- 0 while they heard what the call was for, 1 while they heard that no agent is free.
ALTER TABLE attempt ADD COLUMN detected BIGINT NULL;
ALTER TABLE attempt ADD COLUMN detected_at BIGINT NULL;
ALTER TABLE attempt ADD COLUMN message BIGINT NULL;
ALTER TABLE attempt ADD COLUMN message_at BIGINT NULL;
ALTER TABLE attempt ADD COLUMN message_ended_at BIGINT NULL;
ALTER TABLE attempt ADD COLUMN opted_out BIGINT NULL;
