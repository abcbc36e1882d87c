-- How often private keys were removed since the files of the tables were last cleaned of them: whoever removed them may have been cut off
-- before it did that.
ALTER TABLE control_state ADD COLUMN scrub_due BIGINT NOT NULL DEFAULT 0;
