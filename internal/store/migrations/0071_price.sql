-- +goose Up
-- A version is a draft, then active from a day on; its body is written only while it
-- is a draft, because charges name it by its hash.
CREATE TABLE price_list (
    list       TEXT NOT NULL,
    version    BIGINT NOT NULL, -- 1, 2, 3 …
    state      TEXT NOT NULL,   -- draft, active, withdrawn
    currency   TEXT NOT NULL,
    body       TEXT NOT NULL,   -- JSON
    hash       TEXT NOT NULL,
    note       TEXT NOT NULL,
    from_day   TEXT NOT NULL,   -- first UTC day it holds, '' while it is a draft
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (list, version)
);
CREATE UNIQUE INDEX price_list_draft ON price_list (list) WHERE state = 'draft';
CREATE UNIQUE INDEX price_list_day ON price_list (list, from_day) WHERE state = 'active';

-- Which list an account has from a day on; no row = the standard list.
CREATE TABLE price_assignment (
    account  TEXT NOT NULL,
    from_day TEXT NOT NULL,
    list     TEXT NOT NULL,
    made_at  BIGINT NOT NULL,
    made_by  TEXT NOT NULL,
    PRIMARY KEY (account, from_day)
);

-- The partner's own exchange rates.
CREATE TABLE price_rate (
    from_currency TEXT NOT NULL,
    to_currency   TEXT NOT NULL,
    month         TEXT NOT NULL,
    rate          TEXT NOT NULL,
    day           TEXT NOT NULL, -- the day that the rate is of
    set_at        BIGINT NOT NULL,
    set_by        TEXT NOT NULL,
    PRIMARY KEY (from_currency, to_currency, month)
);

-- +goose Down
DROP TABLE price_rate;
DROP TABLE price_assignment;
DROP TABLE price_list;
