-- Secrets that the operator put in to be given out. Times are microseconds since the Unix epoch. No value is here but under envelope
-- encryption, and none at all once its version was retired.

CREATE TABLE broker_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    -- Counts the versions that were ever put.
    newest BIGINT NOT NULL,
    -- The version that is given out.
    active BIGINT
);

CREATE TABLE broker_secret_versions (
    name TEXT NOT NULL REFERENCES broker_secrets (name),
    version BIGINT NOT NULL,
    -- One a line.
    field_names TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT,
    key_encryption_key TEXT NOT NULL,
    envelope BYTEA NOT NULL,
    PRIMARY KEY (name, version)
);

-- By its number replicas notice that something was changed.
CREATE TABLE broker_secret_changes (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    revision BIGINT NOT NULL
);

INSERT INTO broker_secret_changes (id, revision) VALUES (1, 0);
