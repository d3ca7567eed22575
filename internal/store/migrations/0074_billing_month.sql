-- +goose Up
-- One row an account and month: a page that shows thirteen months reads thirteen rows.
CREATE TABLE billing_month (
    month         TEXT NOT NULL,   -- of the service
    account       TEXT NOT NULL,   -- '' = usage that belongs to nobody
    currency      TEXT NOT NULL,   -- the account's
    billed        BOOLEAN NOT NULL,
    as_of         TEXT NOT NULL,   -- last UTC day that has usage
    rated_at      BIGINT NOT NULL,
    sell          TEXT NOT NULL,
    cost          TEXT NOT NULL,   -- in cost_currency
    cost_currency TEXT NOT NULL,   -- Microsoft's
    sold          TEXT NOT NULL,
    margin        TEXT NOT NULL,
    earned        TEXT NOT NULL,
    gain          TEXT NOT NULL,
    cells         BYTEA NOT NULL,  -- gzip of JSON
    PRIMARY KEY (account, month)
);
CREATE INDEX billing_month_month ON billing_month (month, account);

-- +goose Down
DROP TABLE billing_month;
