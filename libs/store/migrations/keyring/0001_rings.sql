-- Key rings. Times are microseconds since the Unix epoch. Private keys are here only under envelope encryption.

CREATE TABLE keyring_rings (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

CREATE TABLE keyring_keys (
    ring TEXT NOT NULL REFERENCES keyring_rings (name),
    kid TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    signs_until BIGINT NOT NULL,
    published_until BIGINT NOT NULL,
    revoked_at BIGINT,
    public_jwk TEXT NOT NULL,
    key_encryption_key TEXT NOT NULL,
    envelope BYTEA NOT NULL,
    PRIMARY KEY (ring, kid)
);
