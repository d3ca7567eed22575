-- +goose Up
CREATE TABLE guardrail_catalogue (
    version    BIGINT PRIMARY KEY, -- 1, 2, 3 …; every version is kept, the key is the optimistic lock
    body       TEXT NOT NULL,      -- JSON
    note       TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL
);

-- +goose Down
DROP TABLE guardrail_catalogue;
