-- +goose Up
-- A snapshot that the lake holds. Of each export the newest one counts.
CREATE TABLE billing_snapshot (
    id          TEXT PRIMARY KEY,
    partner     TEXT NOT NULL,
    feed        TEXT NOT NULL,   -- rated, invoiced
    invoice     TEXT NOT NULL,   -- '' = unbilled
    month       TEXT NOT NULL,   -- the billing period
    currency    TEXT NOT NULL,
    fetched_at  BIGINT NOT NULL,
    first_day   TEXT NOT NULL,   -- of the service
    last_day    TEXT NOT NULL,
    body        TEXT NOT NULL,   -- JSON: what came of loading it
    loaded_at   BIGINT NOT NULL,
    replaced_at BIGINT NOT NULL, -- 0 = it is the newest
    dropped_at  BIGINT NOT NULL  -- 0 = the lake still has it
);
CREATE UNIQUE INDEX billing_snapshot_newest ON billing_snapshot (partner, feed, invoice, month, currency) WHERE replaced_at = 0;
CREATE INDEX billing_snapshot_days ON billing_snapshot (first_day, last_day);

-- A month that was rated as a whole: what of, and whether all of it is final.
CREATE TABLE billing_rated (
    month    TEXT PRIMARY KEY,
    basis    TEXT NOT NULL,    -- hash of the snapshots, who pays and the prices
    billed   BOOLEAN NOT NULL, -- Microsoft's invoices are there, in every currency
    accounts BIGINT NOT NULL,
    rated_at BIGINT NOT NULL
);

-- The charges of an account and month, added up as invoices show them.
CREATE TABLE billing_charge (
    account     TEXT NOT NULL,
    month       TEXT NOT NULL,
    currency    TEXT NOT NULL,
    billed      BOOLEAN NOT NULL,
    trouble     TEXT NOT NULL, -- why it could not be priced, '' = it was
    body        BYTEA NOT NULL, -- gzip of JSON
    hash        TEXT NOT NULL, -- of the body, and whether it is final
    billed_hash TEXT NOT NULL, -- the hash that documents were issued of, '' = none
    PRIMARY KEY (account, month)
);
CREATE INDEX billing_charge_month ON billing_charge (month, account);

-- One invoice of Microsoft, explained and posted.
CREATE TABLE billing_statement (
    invoice     TEXT PRIMARY KEY,
    month       TEXT NOT NULL,
    currency    TEXT NOT NULL,
    body        TEXT NOT NULL,   -- JSON
    posted      TEXT NOT NULL,   -- JSON: cost by account as it was posted, '' = not yet
    revision    BIGINT NOT NULL, -- how often cost was moved after that
    carried     TEXT NOT NULL,   -- why what belongs to nobody does not stop the close, '' = it does
    carried_of  TEXT NOT NULL,   -- the amount that was carried
    computed_at BIGINT NOT NULL
);
CREATE INDEX billing_statement_month ON billing_statement (month);

-- From the last estimate to Microsoft's invoice, by account and cause.
CREATE TABLE billing_difference (
    invoice  TEXT NOT NULL,
    bridge   TEXT NOT NULL, -- estimate, invoice
    account  TEXT NOT NULL, -- '' = nobody's, or of the invoice as a whole
    class    TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount   TEXT NOT NULL,
    things   BIGINT NOT NULL,
    evidence TEXT NOT NULL, -- JSON: the largest of them
    PRIMARY KEY (invoice, bridge, account, class)
);

-- Who pays for what no association answers.
CREATE TABLE billing_assignment (
    id          TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL, -- Microsoft's id
    entitlement TEXT NOT NULL, -- '' = all that no other answer names
    account     TEXT NOT NULL,
    from_day    TEXT NOT NULL,
    to_day      TEXT NOT NULL, -- last UTC day
    why         TEXT NOT NULL,
    made_at     BIGINT NOT NULL,
    made_by     TEXT NOT NULL
);
CREATE INDEX billing_assignment_tenant ON billing_assignment (tenant);

-- A bill that could not be drafted, and why.
CREATE TABLE billing_undrafted (
    month       TEXT NOT NULL,
    account     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    waits       BOOLEAN NOT NULL, -- for Microsoft's invoice; else a person has to act
    since       BIGINT NOT NULL,
    PRIMARY KEY (month, account)
);

-- The file of an issued document.
CREATE TABLE billing_file (
    document TEXT PRIMARY KEY,
    sha256   TEXT NOT NULL,
    size     BIGINT NOT NULL,
    kept_at  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE billing_file;
DROP TABLE billing_undrafted;
DROP TABLE billing_assignment;
DROP TABLE billing_difference;
DROP TABLE billing_statement;
DROP TABLE billing_charge;
DROP TABLE billing_rated;
DROP TABLE billing_snapshot;
