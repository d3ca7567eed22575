-- +goose Up
CREATE TABLE agreement_document (
    id           TEXT PRIMARY KEY,
    kind         TEXT NOT NULL,   -- partner, microsoft
    country      TEXT NOT NULL,   -- ISO 3166 alpha-2, or * for the rest of the world
    language     TEXT NOT NULL,   -- BCP 47
    version      BIGINT NOT NULL,
    title        TEXT NOT NULL,
    body         TEXT NOT NULL,   -- Markdown subset; for Microsoft's agreement a reference
    link         TEXT NOT NULL,   -- where the original is, '' = here
    hash         TEXT NOT NULL,   -- hex SHA-256 of title and text
    note         TEXT NOT NULL,   -- what changed since the former version
    valid_from   BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    published_by TEXT NOT NULL,
    UNIQUE (kind, country, language, version)
);

CREATE TABLE agreement_acceptance (
    id          TEXT PRIMARY KEY,
    org         TEXT NOT NULL,
    alias       TEXT NOT NULL, -- billing account
    attempt     TEXT NOT NULL, -- what it was accepted for, e.g. a provider's id
    document_id TEXT NOT NULL REFERENCES agreement_document (id),
    user_id     TEXT NOT NULL, -- portal user, '' = a signatory without an account
    name        TEXT NOT NULL,
    email       TEXT NOT NULL,
    login       TEXT NOT NULL, -- connected account administrator, '' in organization mode
    at          BIGINT NOT NULL,
    address     TEXT NOT NULL, -- network address
    hash        TEXT NOT NULL, -- of the text that was shown
    way         TEXT NOT NULL, -- portal, attestation, direct, legacy, signatory
    reference   TEXT NOT NULL, -- attestation id, invitation id
    UNIQUE (alias, attempt, document_id, user_id, email) -- each person once per attempt
);
CREATE INDEX agreement_acceptance_alias ON agreement_acceptance (alias, at);

CREATE TABLE agreement_invitation (
    id          TEXT PRIMARY KEY,
    org         TEXT NOT NULL,
    alias       TEXT NOT NULL,
    attempt     TEXT NOT NULL,
    company     TEXT NOT NULL,
    name        TEXT NOT NULL,
    email       TEXT NOT NULL,
    country     TEXT NOT NULL,
    language    TEXT NOT NULL,
    login       TEXT NOT NULL,   -- account administrator who was connected when the person was asked
    asked_by    TEXT NOT NULL,
    asked_name  TEXT NOT NULL,
    asked_email TEXT NOT NULL,
    asked_at    BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    remind_at   BIGINT NOT NULL, -- 0 = no further reminder
    reminders   BIGINT NOT NULL DEFAULT 0,
    state       TEXT NOT NULL,   -- asked, opened, signed, declined, withdrawn, expired
    opened_at   BIGINT NOT NULL DEFAULT 0,
    closed_at   BIGINT NOT NULL DEFAULT 0,
    signed_name TEXT NOT NULL DEFAULT '',
    why         TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX agreement_invitation_open ON agreement_invitation (attempt) WHERE state IN ('asked', 'opened');

-- Each mail, the invitation and its reminders, has a token of its own: the link in the first mail must go on working.
CREATE TABLE agreement_invitation_token (
    hash          TEXT PRIMARY KEY, -- hex SHA-256; the token itself is only in the mail
    invitation_id TEXT NOT NULL REFERENCES agreement_invitation (id)
);

CREATE TABLE agreement_receipt (
    id      TEXT PRIMARY KEY,
    org     TEXT NOT NULL,
    alias   TEXT NOT NULL,
    attempt TEXT NOT NULL,
    stage   TEXT NOT NULL, -- terms (accepted), ready (with what came of it)
    body    TEXT NOT NULL, -- the signed file, byte for byte
    made_at BIGINT NOT NULL,
    UNIQUE (attempt, stage)
);
CREATE INDEX agreement_receipt_alias ON agreement_receipt (alias, made_at);

-- +goose Down
DROP TABLE agreement_receipt;
DROP TABLE agreement_invitation_token;
DROP TABLE agreement_invitation;
DROP TABLE agreement_acceptance;
DROP TABLE agreement_document;
