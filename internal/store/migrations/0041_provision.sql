-- +goose Up
CREATE TABLE draft (
    provider   TEXT PRIMARY KEY,
    body       TEXT NOT NULL, -- JSON
    version    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    keep_until BIGINT NOT NULL,
    begun_at   BIGINT NOT NULL DEFAULT 0
);

-- One row for every Azure tenant that we made or mean to make.
CREATE TABLE tenant (
    id            TEXT PRIMARY KEY,
    org           TEXT NOT NULL,
    legal_entity  TEXT NOT NULL,
    domain        TEXT NOT NULL,
    state         TEXT NOT NULL, -- intended, live, released, gone
    stage         TEXT NOT NULL, -- how far it is: '', customer, agreement, plan, entered
    holder        TEXT NOT NULL, -- the onboarding that works on it now
    account       TEXT NOT NULL, -- who pays for the tenant itself
    details       TEXT NOT NULL, -- JSON: what Microsoft is told
    attestation   TEXT NOT NULL,
    azure_id      TEXT NOT NULL,
    born_at       BIGINT NOT NULL, -- when Microsoft made it
    cart          TEXT NOT NULL,
    order_id      TEXT NOT NULL,
    plan          TEXT NOT NULL,
    first_by      TEXT NOT NULL, -- the onboarding that has the plan's first entitlement
    relationship  TEXT NOT NULL, -- GDAP
    principal     TEXT NOT NULL, -- object id of our app in that tenant
    admin_upn     TEXT NOT NULL,
    admin_object  TEXT NOT NULL,
    credentials   TEXT NOT NULL, -- sealed, '' once the customer has stored them
    credentials_until BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);
CREATE UNIQUE INDEX tenant_entity ON tenant (org, legal_entity) WHERE state <> 'gone';
CREATE UNIQUE INDEX tenant_domain ON tenant (domain) WHERE state <> 'gone';
CREATE UNIQUE INDEX tenant_azure ON tenant (azure_id) WHERE azure_id <> '';

CREATE TABLE onboarding (
    id           TEXT PRIMARY KEY,
    provider     TEXT NOT NULL UNIQUE,
    org          TEXT NOT NULL,
    person       TEXT NOT NULL, -- user id
    login        TEXT NOT NULL, -- connected account administrator, '' in organization mode
    account      TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    correlation  TEXT NOT NULL, -- MS-CorrelationId of all its calls
    state        TEXT NOT NULL, -- running, waiting, stuck, ready, cancelling, cancelled
    step         TEXT NOT NULL, -- the step it is at
    refusal      TEXT NOT NULL, -- JSON: why it is stuck
    cancel_by    TEXT NOT NULL, -- who asked to cancel it
    name         TEXT NOT NULL,
    budget       TEXT NOT NULL, -- JSON money
    verdict      TEXT NOT NULL, -- JSON: the eligibility answers of Begin
    subscription TEXT NOT NULL,
    alias_used   BOOLEAN NOT NULL,
    receipt      TEXT NOT NULL,
    mail_me      BOOLEAN NOT NULL,
    started_at   BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    finished_at  BIGINT NOT NULL,
    stuck_at     BIGINT NOT NULL
);
CREATE INDEX onboarding_state ON onboarding (state, changed_at);
CREATE INDEX onboarding_tenant ON onboarding (tenant);
CREATE INDEX onboarding_account ON onboarding (account, started_at);

CREATE TABLE onboarding_step (
    onboarding  TEXT NOT NULL,
    seq         BIGINT NOT NULL,
    name        TEXT NOT NULL,
    state       TEXT NOT NULL, -- pending, running, waiting, stuck, done, skipped
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    note        TEXT NOT NULL,
    facts       TEXT NOT NULL, -- JSON list of what is done, for people
    asked       BIGINT NOT NULL, -- how often Microsoft was asked
    next_at     BIGINT NOT NULL,
    PRIMARY KEY (onboarding, name)
);

-- What we mean to do at Microsoft, written before it is sent.
CREATE TABLE intent (
    id           TEXT PRIMARY KEY,
    scope        TEXT NOT NULL, -- tenant:<id> or onboarding:<id>
    name         TEXT NOT NULL,
    request_id   TEXT NOT NULL,
    correlation  TEXT NOT NULL,
    state        TEXT NOT NULL, -- new, sent, answered, confirmed
    tries        BIGINT NOT NULL,
    first_sent   BIGINT NOT NULL,
    last_sent    BIGINT NOT NULL,
    result       TEXT NOT NULL, -- JSON, no secrets
    created_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX intent_once ON intent (scope, name);

-- Every call and its answer, secrets removed.
CREATE TABLE exchange (
    id         TEXT PRIMARY KEY,
    onboarding TEXT NOT NULL,
    step       TEXT NOT NULL,
    at         BIGINT NOT NULL,
    method     TEXT NOT NULL,
    path       TEXT NOT NULL,
    status     BIGINT NOT NULL, -- 0 = no answer
    body       TEXT NOT NULL    -- JSON: the whole exchange
);
CREATE INDEX exchange_onboarding ON exchange (onboarding, at);

-- A question to Microsoft that the portal asks through a worker.
CREATE TABLE ask (
    id       TEXT PRIMARY KEY,
    org      TEXT NOT NULL,
    kind     TEXT NOT NULL,
    args     TEXT NOT NULL,
    answer   TEXT NOT NULL, -- JSON, '' = not yet
    error    TEXT NOT NULL, -- JSON refusal, '' = none
    asked_at BIGINT NOT NULL,
    answered_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE ask;
DROP TABLE exchange;
DROP TABLE intent;
DROP TABLE onboarding_step;
DROP TABLE onboarding;
DROP TABLE tenant;
DROP TABLE draft;
