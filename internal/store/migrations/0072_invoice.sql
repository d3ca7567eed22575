-- +goose Up
CREATE TABLE invoice_document (
    id          TEXT PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE, -- what it is for: a second document of the same cannot be
    kind        TEXT NOT NULL,        -- invoice, settlement, credit-note
    status      TEXT NOT NULL,        -- draft, issued, paid, void
    entity      TEXT NOT NULL,        -- which company of the partner sells
    org         TEXT NOT NULL,
    account     TEXT NOT NULL,
    cost_center TEXT NOT NULL,
    period      TEXT NOT NULL,        -- the month that it closes
    first_month TEXT NOT NULL,        -- the earliest month of service that one of its lines is of
    currency    TEXT NOT NULL,
    total       TEXT NOT NULL,
    number      TEXT NOT NULL,        -- '' until it is issued
    seq         BIGINT NOT NULL,      -- its place in the entity's series, 0 until then
    takes_back  TEXT NOT NULL,        -- of a credit note: the document's id
    body        TEXT NOT NULL,        -- JSON; never written again once it has a number
    hash        TEXT NOT NULL,        -- SHA-256 of the body
    created_at  BIGINT NOT NULL,
    issued_at   BIGINT NOT NULL,      -- 0 = not yet
    changed_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX invoice_number ON invoice_document (entity, seq) WHERE seq > 0;
CREATE INDEX invoice_account ON invoice_document (account, period);
CREATE INDEX invoice_org ON invoice_document (org, period);
CREATE INDEX invoice_period ON invoice_document (period, status);

-- The last number that an entity gave. It is taken in the transaction of the issue,
-- so that a number is never lost: whatever fails gives it back.
CREATE TABLE invoice_series (
    entity TEXT PRIMARY KEY,
    prefix TEXT NOT NULL,
    last   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE invoice_series;
DROP TABLE invoice_document;
