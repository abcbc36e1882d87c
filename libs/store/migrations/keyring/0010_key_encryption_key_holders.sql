-- Which running replica can open what: asked before private keys are sealed under another key-encryption key. Times are microseconds
-- since the Unix epoch. No key is here, only ids and short hashes.

CREATE TABLE keyring_holders (
    replica TEXT NOT NULL PRIMARY KEY,
    -- One a line, the one that it seals with first.
    key_encryption_keys TEXT NOT NULL,
    seen_at BIGINT NOT NULL
);
