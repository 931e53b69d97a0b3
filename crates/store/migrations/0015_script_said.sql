-- What a server script that was asked about who picked up said, when, and the message that it named.
ALTER TABLE attempt ADD COLUMN script_said BIGINT NULL;
ALTER TABLE attempt ADD COLUMN script_said_at BIGINT NULL;
ALTER TABLE attempt ADD COLUMN script_message UUID NULL;
