-- The organizations whose instances a node may run, ids with a space between; NULL: everyone's. A node has them from its join token.
ALTER TABLE control_join_tokens ADD COLUMN organizations TEXT;

ALTER TABLE control_nodes ADD COLUMN organizations TEXT;
