-- +goose Up
-- What was decided of billing, version after version: by the partner, and of each account.
CREATE TABLE billing_setting (
    kind       TEXT NOT NULL,   -- partner, account:<alias>
    version    BIGINT NOT NULL, -- 1, 2, 3 …; every version is kept, and the key is the optimistic lock
    body       TEXT NOT NULL,   -- JSON
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (kind, version)
);

-- +goose Down
DROP TABLE billing_setting;
