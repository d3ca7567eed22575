-- +goose Up
-- A migration that takes something away, or changes what it means, writes here the
-- oldest version of the tables that a program must know to go on working on them.
-- See docs/decisions/expand-only-migrations.md.
CREATE TABLE schema_floor (
    version BIGINT PRIMARY KEY
);

-- The backups that were restored into this database.
CREATE TABLE restored (
    backup      TEXT PRIMARY KEY, -- id of the backup
    taken_at    BIGINT NOT NULL,  -- what is known is from then
    restored_at BIGINT NOT NULL
);

-- A text sealed with each key ring, by which a replica notices that its key files
-- are not those of this database.
CREATE TABLE key_proof (
    name  TEXT PRIMARY KEY, -- of the key file
    proof TEXT NOT NULL
);

-- +goose Down
DROP TABLE key_proof;
DROP TABLE restored;
DROP TABLE schema_floor;
