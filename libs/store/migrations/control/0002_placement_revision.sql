-- The latest revision that changed something which placement depends on: groups, nodes and placements. A plan that was made at this
-- revision or a later one is still good, whatever else has been written since.
ALTER TABLE control_state ADD COLUMN placement_revision BIGINT NOT NULL DEFAULT 0;

UPDATE control_state SET placement_revision = revision;
