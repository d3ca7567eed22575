-- +goose Up
CREATE TABLE audit_entry (
    org     TEXT NOT NULL,   -- '' = the partner's own chain
    seq     BIGINT NOT NULL, -- 1, 2, 3 … without a gap, per organization
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    detail  TEXT NOT NULL,   -- JSON, no secrets
    address TEXT NOT NULL,
    prev    TEXT NOT NULL,
    hash    TEXT NOT NULL,
    PRIMARY KEY (org, seq)
);
CREATE INDEX audit_object ON audit_entry (object, at);
CREATE INDEX audit_at ON audit_entry (at);

CREATE TABLE audit_head (
    org  TEXT PRIMARY KEY,
    seq  BIGINT NOT NULL,
    hash TEXT NOT NULL
);

-- +goose Down
DROP TABLE audit_head;
DROP TABLE audit_entry;
