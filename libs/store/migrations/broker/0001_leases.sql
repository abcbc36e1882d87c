-- What the broker has given out. Ids are text, times are microseconds since the Unix epoch, keys of answers are SHA-256.

CREATE TABLE broker_state (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    deployment_id TEXT,
    -- When a broker was last seen alive on this store, and how often one told so.
    alive_at BIGINT,
    beats BIGINT NOT NULL
);

INSERT INTO broker_state (id, beats) VALUES (1, 0);

-- Times in which, as far as this store knows, no broker was alive.
CREATE TABLE broker_gaps (
    from_at BIGINT NOT NULL,
    to_at BIGINT NOT NULL PRIMARY KEY
);

CREATE TABLE broker_leases (
    id TEXT NOT NULL PRIMARY KEY,
    credential TEXT NOT NULL,
    provider TEXT NOT NULL,
    issuer TEXT NOT NULL,
    owner_kind TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    group_id TEXT,
    -- intended, active, revoking or gone.
    status TEXT NOT NULL,
    -- lapses: forgotten when due. revoked: the provider is called when due.
    ending TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    renew_until BIGINT NOT NULL,
    activated_at BIGINT,
    -- When something has to be done about it next.
    due_at BIGINT NOT NULL,
    -- Since when the provider has owed its revocation.
    owed_since BIGINT,
    attempts BIGINT NOT NULL DEFAULT 0,
    last_error TEXT
);

CREATE INDEX broker_leases_owner ON broker_leases (owner_id, credential) WHERE status <> 'gone';
CREATE INDEX broker_leases_due ON broker_leases (provider, due_at) WHERE ending = 'revoked';
CREATE INDEX broker_leases_lapse ON broker_leases (due_at) WHERE ending = 'lapses';
CREATE INDEX broker_leases_owed ON broker_leases (provider, owed_since) WHERE owed_since IS NOT NULL;

-- Leases that are not gone, by group and credential and by provider.
CREATE TABLE broker_counts (
    name TEXT NOT NULL PRIMARY KEY,
    leases BIGINT NOT NULL
);

-- Answers that are given again: under envelope encryption, and for a while only. Without an envelope: the first one is still being made.
CREATE TABLE broker_answers (
    key BYTEA NOT NULL PRIMARY KEY,
    request BYTEA NOT NULL,
    lease TEXT NOT NULL,
    until BIGINT NOT NULL,
    key_encryption_key TEXT,
    envelope BYTEA
);

CREATE INDEX broker_answers_until ON broker_answers (until);

-- How it stands with each target's accounts.
CREATE TABLE broker_targets (
    provider TEXT NOT NULL PRIMARY KEY,
    claimed_until BIGINT NOT NULL,
    compared_at BIGINT,
    strays BIGINT NOT NULL,
    held_since BIGINT,
    held_reason TEXT,
    released_until BIGINT NOT NULL
);
