-- Each agent makes a random id when it starts. One that comes back after another has come in between is of a second agent with the same key.
ALTER TABLE control_nodes ADD COLUMN boot_id TEXT;

ALTER TABLE control_nodes ADD COLUMN boot_id_before TEXT;

-- When that was last noticed.
ALTER TABLE control_nodes ADD COLUMN duplicated_at BIGINT;
