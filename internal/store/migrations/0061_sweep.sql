-- +goose Up
-- Something that is so here and not so at Microsoft, or the other way round.
CREATE TABLE difference (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    object     TEXT NOT NULL, -- customer:<id>, subscription:<id>/policy:<name>, …: with kind its stable name
    org        TEXT NOT NULL, -- '' = nobody's that we know
    tenant     TEXT NOT NULL, -- our tenant row, '' = none
    azure_id   TEXT NOT NULL, -- Microsoft's id of the tenant
    title      TEXT NOT NULL, -- the company, the provider
    text       TEXT NOT NULL,
    proposal   TEXT NOT NULL, -- adopt, repair, cancel, ignore
    remedy     TEXT NOT NULL, -- the proposal in words
    body       TEXT NOT NULL, -- JSON: what may be done, evidence, what it is about
    mark       TEXT NOT NULL, -- hash of what it says: an ignored one comes back when that changes
    details    TEXT NOT NULL DEFAULT '', -- JSON, of a customer: country, number, and whose it may be; '' = not asked yet
    sure       BOOLEAN NOT NULL DEFAULT FALSE, -- the details leave no doubt whose it is
    state      TEXT NOT NULL, -- open, resolved, ignored
    doing      TEXT NOT NULL DEFAULT '', -- the action on its way
    doing_by   TEXT NOT NULL DEFAULT '',
    doing_at   BIGINT NOT NULL DEFAULT 0,
    to_org     TEXT NOT NULL DEFAULT '', -- of an adoption: whose it becomes
    to_account TEXT NOT NULL DEFAULT '',
    next_at    BIGINT NOT NULL DEFAULT 0,
    tries      BIGINT NOT NULL DEFAULT 0,
    trouble    TEXT NOT NULL DEFAULT '', -- why the last action did not work, or what it waits for
    ending     TEXT NOT NULL DEFAULT '', -- adopt, repair, cancel, ignore; gone = by itself
    reason     TEXT NOT NULL DEFAULT '',
    ended_by   TEXT NOT NULL DEFAULT '',
    since      BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX difference_object ON difference (kind, object);
CREATE INDEX difference_state ON difference (state, since);
CREATE INDEX difference_tenant ON difference (tenant);
CREATE INDEX difference_doing ON difference (next_at) WHERE doing <> '';

-- One pass over both sides. Phase and place are where it goes on after a restart.
CREATE TABLE sweep (
    id            TEXT PRIMARY KEY,
    slot          TEXT NOT NULL, -- open = runs now, next = asked for meanwhile, else its id
    phase         TEXT NOT NULL, -- list, details, tenants, end, done
    place         TEXT NOT NULL, -- within the phase
    asked_by      TEXT NOT NULL,
    note          TEXT NOT NULL, -- what it waits for
    customers     BIGINT NOT NULL DEFAULT 0,
    subscriptions BIGINT NOT NULL DEFAULT 0,
    found         BIGINT NOT NULL DEFAULT 0, -- differences that were not open before
    resolved      BIGINT NOT NULL DEFAULT 0,
    adopted       BIGINT NOT NULL DEFAULT 0, -- by itself, because our own intent proves them
    unseen        BIGINT NOT NULL DEFAULT 0, -- tenants that could not be looked into
    started_at    BIGINT NOT NULL, -- 0 = not yet
    ended_at      BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX sweep_slot ON sweep (slot);
CREATE INDEX sweep_started ON sweep (started_at);

-- When Microsoft's list last had a tenant. A table of its own: a migration that
-- waits for two tables in use can meet a transaction that waits the other way round.
CREATE TABLE tenant_listing (
    tenant    TEXT PRIMARY KEY,
    listed_at BIGINT NOT NULL
);

ALTER TABLE onboarding ADD COLUMN imported BOOLEAN NOT NULL DEFAULT FALSE; -- adopted, not made here

-- +goose Down
ALTER TABLE onboarding DROP COLUMN imported;
DROP TABLE tenant_listing;
DROP TABLE sweep;
DROP TABLE difference;
