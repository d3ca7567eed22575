-- +goose Up
-- A state of one of Microsoft's exports, as received. A newer one of the same export
-- replaces it whole; it stays readable.
CREATE TABLE usage_snapshot (
    id          TEXT PRIMARY KEY,
    partner     TEXT NOT NULL,   -- tenant
    feed        TEXT NOT NULL,   -- rated, invoiced
    invoice     TEXT NOT NULL,   -- '' = unbilled
    month       TEXT NOT NULL,   -- the billing period
    currency    TEXT NOT NULL,
    etag        TEXT NOT NULL,
    fetched_at  BIGINT NOT NULL,
    replaced_at BIGINT NOT NULL, -- 0 = it is the newest
    replaced_by TEXT NOT NULL
);
CREATE UNIQUE INDEX usage_snapshot_newest ON usage_snapshot (partner, feed, invoice, month, currency) WHERE replaced_at = 0;
CREATE INDEX usage_snapshot_month ON usage_snapshot (month, fetched_at);

CREATE TABLE usage_file (
    snapshot TEXT NOT NULL,
    seq      BIGINT NOT NULL, -- its place in the manifest
    name     TEXT NOT NULL,   -- Microsoft's
    size     BIGINT NOT NULL, -- bytes, compressed
    sha256   TEXT NOT NULL,
    place    TEXT NOT NULL,   -- where it lies below the address of the exports
    PRIMARY KEY (snapshot, seq)
);
CREATE UNIQUE INDEX usage_file_name ON usage_file (snapshot, name);

-- An export that is fetched: how far it is, or how the last time ended.
CREATE TABLE usage_fetch (
    key        TEXT PRIMARY KEY,
    partner    TEXT NOT NULL,
    feed       TEXT NOT NULL,
    invoice    TEXT NOT NULL,
    month      TEXT NOT NULL,
    currency   TEXT NOT NULL,
    state      TEXT NOT NULL,   -- fetching, kept, unchanged, none, refused
    snapshot   TEXT NOT NULL,   -- id of the snapshot that is being made
    operation  TEXT NOT NULL,   -- Microsoft's, '' = not asked for
    etag       TEXT NOT NULL,   -- of the manifest that the files are of
    restarts   BIGINT NOT NULL, -- how often it was asked for anew
    note       TEXT NOT NULL,   -- what it waits for, or why it was refused
    exchange   TEXT NOT NULL,   -- JSON: the last call that did not work, without secrets
    started_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL  -- of the last time that it came to an end; 0 = never
);
CREATE INDEX usage_fetch_month ON usage_fetch (month, key);

CREATE TABLE usage_fetch_file (
    key    TEXT NOT NULL,
    seq    BIGINT NOT NULL,
    name   TEXT NOT NULL,
    size   BIGINT NOT NULL,
    sha256 TEXT NOT NULL, -- '' = not here yet
    place  TEXT NOT NULL,
    tries  BIGINT NOT NULL,
    note   TEXT NOT NULL, -- why it could not be read, and where
    PRIMARY KEY (key, seq)
);

-- What Microsoft billed.
CREATE TABLE microsoft_invoice (
    id        TEXT PRIMARY KEY,  -- G…
    currency  TEXT NOT NULL,
    total     TEXT NOT NULL,     -- with tax
    month     TEXT NOT NULL,     -- the billing period
    date      BIGINT NOT NULL,
    document  TEXT NOT NULL,     -- invoice, void_note, adjustment_note, credit_note
    amends    TEXT NOT NULL,     -- of a note: the invoice
    pdf       TEXT NOT NULL,     -- its place, '' = not here yet
    pdf_size  BIGINT NOT NULL,
    pdf_hash  TEXT NOT NULL,     -- SHA-256
    seen_at   BIGINT NOT NULL
);
CREATE INDEX microsoft_invoice_month ON microsoft_invoice (month, id);

-- +goose Down
DROP TABLE microsoft_invoice;
DROP TABLE usage_fetch_file;
DROP TABLE usage_fetch;
DROP TABLE usage_file;
DROP TABLE usage_snapshot;
