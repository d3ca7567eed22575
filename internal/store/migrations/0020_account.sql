-- +goose Up
CREATE TABLE organization (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    folded     TEXT NOT NULL, -- for the search
    status     TEXT NOT NULL,
    account    TEXT NOT NULL, -- billing account in organization mode, '' = none
    placement  TEXT NOT NULL, -- JSON
    created_at BIGINT NOT NULL,
    version    BIGINT NOT NULL
);

CREATE TABLE person (
    id              TEXT PRIMARY KEY,
    org             TEXT NOT NULL, -- '' = the partner's staff
    role            TEXT NOT NULL,
    name            TEXT NOT NULL,
    email           TEXT NOT NULL,
    email_key       TEXT NOT NULL UNIQUE, -- folded; one person signs in with one address
    language        TEXT NOT NULL,
    password        TEXT NOT NULL, -- argon2id, '' = cannot sign in by password
    active          BOOLEAN NOT NULL,
    created_at      BIGINT NOT NULL,
    last_sign_in_at BIGINT NOT NULL,
    sessions_from   BIGINT NOT NULL, -- sessions begun before it are over
    version         BIGINT NOT NULL
);
CREATE INDEX person_org ON person (org, id);

CREATE TABLE billing_account (
    alias               TEXT PRIMARY KEY, -- rows are never deleted, so an alias is never used again
    org                 TEXT NOT NULL,
    name                TEXT NOT NULL,
    legal_name          TEXT NOT NULL,
    registration_number TEXT NOT NULL,
    country             TEXT NOT NULL,
    entity              TEXT NOT NULL, -- staff's correction
    legal_entity        TEXT NOT NULL, -- what counts
    address             TEXT NOT NULL, -- JSON
    contact             TEXT NOT NULL, -- JSON
    parent              TEXT NOT NULL, -- '' = a root; may name one that only the remote directory knows
    billable            BOOLEAN NOT NULL,
    reseller            BOOLEAN NOT NULL,
    demo                BOOLEAN NOT NULL,
    internal            BOOLEAN NOT NULL,
    public_sector       BOOLEAN NOT NULL,
    disabled            BOOLEAN NOT NULL,
    credit_limit        TEXT NOT NULL,
    currency            TEXT NOT NULL,
    language            TEXT NOT NULL,
    source              TEXT NOT NULL,
    folded              TEXT NOT NULL, -- for the search
    created_at          BIGINT NOT NULL,
    changed_at          BIGINT NOT NULL,
    version             BIGINT NOT NULL
);
CREATE INDEX billing_account_org ON billing_account (org, alias);
CREATE INDEX billing_account_parent ON billing_account (parent, alias);
CREATE INDEX billing_account_entity ON billing_account (legal_entity);

-- One row: whoever changes a parent holds it, so that two changes at once
-- cannot make two accounts each other's parents.
CREATE TABLE billing_tree (
    id BIGINT PRIMARY KEY
);
INSERT INTO billing_tree (id) VALUES (1);

CREATE TABLE account_login (
    login      TEXT PRIMARY KEY, -- folded
    own        TEXT NOT NULL,    -- the account it belongs to
    password   TEXT NOT NULL,    -- argon2id
    active     BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE account_administrator (
    login    TEXT NOT NULL,
    alias    TEXT NOT NULL, -- and with it all accounts below
    added_at BIGINT NOT NULL,
    PRIMARY KEY (login, alias)
);
CREATE INDEX account_administrator_alias ON account_administrator (alias, login);

CREATE TABLE account_connection (
    id       TEXT PRIMARY KEY,
    person   TEXT NOT NULL,
    org      TEXT NOT NULL,
    login    TEXT NOT NULL,
    own      TEXT NOT NULL,
    accounts TEXT NOT NULL, -- JSON
    made_at  BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    source   TEXT NOT NULL
);

CREATE TABLE attempt (
    key      TEXT PRIMARY KEY,
    tries    BIGINT NOT NULL,
    since_at BIGINT NOT NULL
);
CREATE INDEX attempt_since ON attempt (since_at);

CREATE TABLE session (
    key        TEXT PRIMARY KEY, -- SHA-256 of the cookie's token
    data       TEXT NOT NULL,    -- base64
    expires_at BIGINT NOT NULL
);
CREATE INDEX session_expires ON session (expires_at);

CREATE TABLE api_token (
    id           TEXT PRIMARY KEY,
    person       TEXT NOT NULL,
    name         TEXT NOT NULL,
    scope        TEXT NOT NULL,
    hash         TEXT NOT NULL UNIQUE, -- SHA-256 of the secret
    hint         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    revoked_at   BIGINT NOT NULL
);
CREATE INDEX api_token_person ON api_token (person, id);

-- +goose Down
DROP TABLE api_token;
DROP TABLE session;
DROP TABLE attempt;
DROP TABLE account_connection;
DROP TABLE account_administrator;
DROP TABLE account_login;
DROP TABLE billing_tree;
DROP TABLE billing_account;
DROP TABLE person;
DROP TABLE organization;
