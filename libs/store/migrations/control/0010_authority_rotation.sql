-- Certificate authorities follow one another: each is told to nodes before it signs, and stays trusted for a while when the next one signs.
-- The first one signs from its beginning.
ALTER TABLE control_certificate_authorities ADD COLUMN signs_from BIGINT NOT NULL DEFAULT 0;

-- Unknown while no other is to follow it.
ALTER TABLE control_certificate_authorities ADD COLUMN retires_at BIGINT;

-- Certificates for it by the one before it, for that one by the one before, and so on: DER, one after the other. With these, whoever trusts
-- only an earlier one can verify it.
ALTER TABLE control_certificate_authorities ADD COLUMN cross_der BYTEA;
