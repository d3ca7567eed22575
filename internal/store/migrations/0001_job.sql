-- +goose Up
CREATE TABLE job (
    id           TEXT PRIMARY KEY,
    kind         TEXT NOT NULL,
    key          TEXT NOT NULL, -- one open job per kind and key
    args         TEXT NOT NULL, -- JSON
    due_at       BIGINT NOT NULL,
    attempt      BIGINT NOT NULL DEFAULT 0,
    worker       TEXT NOT NULL DEFAULT '',
    leased_until BIGINT NOT NULL DEFAULT 0,
    fence        BIGINT NOT NULL DEFAULT 0,
    wake_at      BIGINT NOT NULL DEFAULT 0, -- somebody asked for it while it ran: it runs again at once
    last_error   TEXT NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    done_at      BIGINT
);
CREATE UNIQUE INDEX job_open ON job (kind, key) WHERE done_at IS NULL;
CREATE INDEX job_due ON job (due_at, id) WHERE done_at IS NULL;

-- +goose Down
DROP TABLE job;
