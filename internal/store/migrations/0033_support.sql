-- +goose Up
CREATE TABLE support_counter (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);

CREATE TABLE support_request (
    id          TEXT PRIMARY KEY,
    number      BIGINT NOT NULL UNIQUE, -- R-1042; a gap is allowed
    kind        TEXT NOT NULL,
    org         TEXT NOT NULL,
    alias       TEXT NOT NULL,          -- '' = no billing account
    state       TEXT NOT NULL,          -- open, granted, refused, withdrawn
    subject     TEXT NOT NULL,
    payload     TEXT NOT NULL,          -- JSON by kind
    asked_by    TEXT NOT NULL,          -- user id
    asked_name  TEXT NOT NULL,
    asked_email TEXT NOT NULL,
    asked_at    BIGINT NOT NULL,
    answer_by   BIGINT NOT NULL,
    decided_by  TEXT NOT NULL DEFAULT '',
    decided_name TEXT NOT NULL DEFAULT '',
    decided_at  BIGINT NOT NULL DEFAULT 0,
    reason      TEXT NOT NULL DEFAULT '',
    until       BIGINT NOT NULL DEFAULT 0, -- of a granted one: end of its effect, 0 = none
    version     BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX support_request_open ON support_request (org, alias) WHERE kind = 'exception' AND state = 'open';
CREATE INDEX support_request_time ON support_request (asked_at, id);
CREATE INDEX support_request_org ON support_request (org, asked_at, id);
CREATE INDEX support_request_alias ON support_request (alias, kind);

CREATE TABLE support_entry (
    id         TEXT PRIMARY KEY,
    request_id TEXT NOT NULL REFERENCES support_request (id),
    at         BIGINT NOT NULL,
    actor      TEXT NOT NULL,
    name       TEXT NOT NULL,
    staff      BOOLEAN NOT NULL,
    kind       TEXT NOT NULL, -- asked, widened, comment, granted, refused, withdrawn
    body       TEXT NOT NULL
);
CREATE INDEX support_entry_request ON support_entry (request_id, at, id);

CREATE TABLE support_mail (
    id          TEXT PRIMARY KEY, -- also the left side of the Message-ID
    key         TEXT NOT NULL UNIQUE, -- what it is for; the same key is never sent twice
    recipient   TEXT NOT NULL,    -- address
    name        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    body        TEXT NOT NULL,
    html        TEXT NOT NULL,
    attachments TEXT NOT NULL,    -- JSON
    secret      BOOLEAN NOT NULL, -- holds a token: text and HTML are erased once it is sent
    state       TEXT NOT NULL,    -- waiting, sent, stuck
    attempt     BIGINT NOT NULL DEFAULT 0,
    answer      TEXT NOT NULL DEFAULT '', -- the mail server's last words
    made_at     BIGINT NOT NULL,
    sent_at     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX support_mail_time ON support_mail (made_at, id);

-- +goose Down
DROP TABLE support_mail;
DROP TABLE support_entry;
DROP TABLE support_request;
DROP TABLE support_counter;
