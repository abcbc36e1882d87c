-- Tenants, container groups, the fleet, and the feed that tells replicas what has changed.
-- Ids and hashes are text, times are microseconds since the Unix epoch. Whatever the feed carries has a revision.

CREATE TABLE control_state (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL,
    -- Tombstones up to this revision are incomplete.
    pruned_revision BIGINT NOT NULL,
    deployment_id TEXT
);

INSERT INTO control_state (id, revision, pruned_revision) VALUES (1, 0, 0);

CREATE TABLE control_organizations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE control_projects (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES control_organizations (id),
    name TEXT NOT NULL,
    UNIQUE (organization_id, name)
);

CREATE TABLE control_container_groups (
    id TEXT NOT NULL PRIMARY KEY,
    project_id TEXT NOT NULL REFERENCES control_projects (id),
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    revision BIGINT NOT NULL,
    UNIQUE (project_id, name)
);

CREATE INDEX control_container_groups_revision ON control_container_groups (revision);

CREATE TABLE control_deleted_groups (
    id TEXT NOT NULL PRIMARY KEY,
    ended_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);

CREATE INDEX control_deleted_groups_revision ON control_deleted_groups (revision);

CREATE TABLE control_nodes (
    machine_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    key_fingerprint TEXT NOT NULL UNIQUE,
    capacity BIGINT NOT NULL,
    capacity_max BIGINT,
    state TEXT NOT NULL CHECK (state IN ('active', 'banned')),
    enrolled_at BIGINT NOT NULL,
    certificate_not_after BIGINT NOT NULL,
    revision BIGINT NOT NULL
);

CREATE INDEX control_nodes_revision ON control_nodes (revision);

CREATE TABLE control_removed_nodes (
    id TEXT NOT NULL PRIMARY KEY,
    ended_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);

CREATE INDEX control_removed_nodes_revision ON control_removed_nodes (revision);

-- Outlives the node, so that removing a banned node does not let its key back in.
CREATE TABLE control_banned_keys (
    key_fingerprint TEXT NOT NULL PRIMARY KEY,
    banned_at BIGINT NOT NULL
);

-- The node that a token enrolled may be gone: no reference.
CREATE TABLE control_join_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    secret_hash TEXT NOT NULL UNIQUE,
    expires_at BIGINT NOT NULL,
    capacity_max BIGINT,
    machine_id TEXT,
    key_fingerprint TEXT,
    revoked_at BIGINT,
    CHECK ((machine_id IS NULL) = (key_fingerprint IS NULL))
);

CREATE TABLE control_instances (
    id TEXT NOT NULL PRIMARY KEY,
    container_group_id TEXT NOT NULL REFERENCES control_container_groups (id),
    machine_id TEXT NOT NULL REFERENCES control_nodes (machine_id),
    deletion_cost BIGINT NOT NULL,
    placed_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);

CREATE INDEX control_instances_container_group ON control_instances (container_group_id);
CREATE INDEX control_instances_machine ON control_instances (machine_id);
CREATE INDEX control_instances_revision ON control_instances (revision);

CREATE TABLE control_ended_instances (
    id TEXT NOT NULL PRIMARY KEY,
    machine_id TEXT NOT NULL,
    ended_at BIGINT NOT NULL,
    revision BIGINT NOT NULL
);

CREATE INDEX control_ended_instances_revision ON control_ended_instances (revision);
CREATE INDEX control_ended_instances_ended_at ON control_ended_instances (ended_at);

CREATE TABLE control_certificate_authorities (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    certificate_der BYTEA NOT NULL,
    key_encryption_key TEXT NOT NULL,
    envelope BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
