-- +goose Up
CREATE TABLE partner_setting (
    kind       TEXT NOT NULL,   -- brand, rules, microsoft
    version    BIGINT NOT NULL, -- 1, 2, 3 …; every version is kept. The key is the optimistic lock: two writers of one version, one row
    body       TEXT NOT NULL,   -- JSON; no secrets
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (kind, version)
);

-- +goose Down
DROP TABLE partner_setting;
