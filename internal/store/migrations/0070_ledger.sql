-- +goose Up
-- What is posted stays: there is no UPDATE or DELETE of these two tables in the
-- program, and the hash of each entry covers its postings.
CREATE TABLE ledger_entry (
    key       TEXT PRIMARY KEY, -- what it is the result of, e.g. invoice:<id>
    day       TEXT NOT NULL,    -- the UTC day it counts for
    period    TEXT NOT NULL,    -- the month of that day
    note      TEXT NOT NULL,
    reverses  TEXT NOT NULL,    -- key of the entry that it takes back, '' = none
    postings  BIGINT NOT NULL,
    hash      TEXT NOT NULL,
    posted_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX ledger_reversed_once ON ledger_entry (reverses) WHERE reverses <> '';
CREATE INDEX ledger_entry_period ON ledger_entry (period);

-- One row has both sides, so that no row can make or lose money: whatever is
-- written here sums to zero in its currency. The amount is text because SQLite adds
-- NUMERIC as a float; sums are made in Go.
CREATE TABLE ledger_posting (
    entry    TEXT NOT NULL REFERENCES ledger_entry (key),
    seq      BIGINT NOT NULL,
    period   TEXT NOT NULL,
    debit    TEXT NOT NULL,
    credit   TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount   TEXT NOT NULL, -- above zero; the other direction is the other side
    memo     TEXT NOT NULL,
    PRIMARY KEY (entry, seq),
    CHECK (debit <> credit AND debit <> '' AND credit <> ''),
    CHECK (length(currency) = 3),
    CHECK (amount <> '' AND amount <> '0' AND amount NOT LIKE '-%')
);
CREATE INDEX ledger_posting_period ON ledger_posting (period, entry, seq);
CREATE INDEX ledger_posting_debit ON ledger_posting (debit, period);
CREATE INDEX ledger_posting_credit ON ledger_posting (credit, period);

-- entries is counted by each posting, so that an entry that was taken away shows.
CREATE TABLE ledger_period (
    period    TEXT PRIMARY KEY,
    entries   BIGINT NOT NULL,
    closed_at BIGINT NOT NULL, -- 0 = open
    closed_by TEXT NOT NULL
);

-- +goose Down
DROP TABLE ledger_period;
DROP TABLE ledger_posting;
DROP TABLE ledger_entry;
