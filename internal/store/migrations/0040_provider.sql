-- +goose Up
CREATE TABLE provider (
    id           TEXT PRIMARY KEY,
    org          TEXT NOT NULL,
    owner        TEXT NOT NULL, -- user who made it
    type         TEXT NOT NULL,
    mode         TEXT NOT NULL,
    name         TEXT NOT NULL,
    folded       TEXT NOT NULL, -- name, domain, account: for search, folded in Go
    state        TEXT NOT NULL,
    note         TEXT NOT NULL, -- one line: what goes on, or why not
    account      TEXT NOT NULL, -- alias of the billing account, '' = not chosen
    tenant       TEXT NOT NULL, -- our tenant row, '' = none yet
    tenant_id    TEXT NOT NULL, -- Microsoft's id
    domain       TEXT NOT NULL,
    subscription TEXT NOT NULL, -- Azure subscription id = entitlement id
    created_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    changed_by   TEXT NOT NULL,
    version      BIGINT NOT NULL
);
CREATE INDEX provider_org ON provider (org, changed_at);
CREATE INDEX provider_account ON provider (account);
CREATE UNIQUE INDEX provider_subscription ON provider (subscription) WHERE subscription <> '';

CREATE TABLE provider_log (
    provider TEXT NOT NULL,
    seq      BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    level    BIGINT NOT NULL, -- 20 info, 30 warning, 40 done (the level of the original), 50 error
    step     TEXT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (provider, seq)
);

-- Who pays, in whole UTC days: entitlement '' is the tenant's own answer.
CREATE TABLE association (
    id          TEXT PRIMARY KEY,
    tenant      TEXT NOT NULL,
    entitlement TEXT NOT NULL,
    account     TEXT NOT NULL,
    org         TEXT NOT NULL,
    provider    TEXT NOT NULL,
    from_day    TEXT NOT NULL, -- first UTC day it holds
    to_day      TEXT NOT NULL, -- last UTC day it holds, '' = still
    state       TEXT NOT NULL, -- intended, confirmed
    made_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX association_open ON association (tenant, entitlement) WHERE to_day = '';
CREATE INDEX association_account ON association (account);

CREATE TABLE access_grant (
    id             TEXT PRIMARY KEY,
    provider       TEXT NOT NULL,
    tenant         TEXT NOT NULL,
    scope          TEXT NOT NULL,
    principal      TEXT NOT NULL,
    principal_name TEXT NOT NULL,
    role           TEXT NOT NULL,
    intent         TEXT NOT NULL,
    since          BIGINT NOT NULL
);
CREATE UNIQUE INDEX access_grant_once ON access_grant (provider, scope, principal, role);

-- +goose Down
DROP TABLE access_grant;
DROP TABLE association;
DROP TABLE provider_log;
DROP TABLE provider;
