-- +goose Up
-- Where the partner's accounting is told of documents and ledger entries: one row, id hook.
CREATE TABLE accounting_hook (
    id         TEXT PRIMARY KEY,
    url        TEXT NOT NULL,   -- '' = nowhere
    secret     TEXT NOT NULL,   -- sealed; it signs what is sent
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL
);

-- What is told, and whether it arrived. The content is made of the document or the
-- entry when it is sent: neither ever changes.
CREATE TABLE accounting_event (
    id           TEXT PRIMARY KEY, -- document:<id> or entry:<key>
    made_at      BIGINT NOT NULL,
    due_at       BIGINT NOT NULL,  -- of the next try
    attempts     BIGINT NOT NULL,
    answer       TEXT NOT NULL,    -- to the last try, in words
    delivered_at BIGINT NOT NULL   -- 0 = not yet
);
CREATE INDEX accounting_event_due ON accounting_event (delivered_at, due_at);
CREATE INDEX invoice_issued ON invoice_document (issued_at);

-- +goose Down
DROP INDEX invoice_issued;
DROP TABLE accounting_event;
DROP TABLE accounting_hook;
