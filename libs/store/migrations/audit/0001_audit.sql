-- Records of decisions, where the store keeps them, and the keys that vouch for records wherever they are kept. Times are microseconds
-- since the Unix epoch. Private keys are here only under envelope encryption.

CREATE TABLE broker_audit_chains (
    chain TEXT NOT NULL PRIMARY KEY,
    begun_at BIGINT NOT NULL,
    last_seq BIGINT NOT NULL
);
CREATE INDEX broker_audit_chains_by_begin ON broker_audit_chains (begun_at);

-- Lines are kept to the byte: each holds the hash of the one before.
CREATE TABLE broker_audit_lines (
    chain TEXT NOT NULL,
    seq BIGINT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (chain, seq)
);

CREATE TABLE broker_audit_keys (
    name TEXT NOT NULL PRIMARY KEY,
    made_at BIGINT NOT NULL,
    -- NULL: it signs nothing.
    public_jwk TEXT,
    key_encryption_key TEXT NOT NULL,
    envelope BYTEA NOT NULL
);
