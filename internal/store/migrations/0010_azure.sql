-- +goose Up
CREATE TABLE partner_credential (
    tenant_id     TEXT PRIMARY KEY,            -- the partner's own tenant
    app_id        TEXT NOT NULL,
    app_secret    TEXT NOT NULL,               -- sealed
    refresh_token TEXT NOT NULL DEFAULT '',    -- sealed; '' = nobody has consented yet
    consented_by  TEXT NOT NULL DEFAULT '',
    consented_at  BIGINT NOT NULL DEFAULT 0,
    redeemed_at   BIGINT NOT NULL DEFAULT 0,   -- the last redemption that was stored
    unknown_at    BIGINT NOT NULL DEFAULT 0,   -- since when a redemption's answer is lost; 0 = none
    alarm_code    TEXT NOT NULL DEFAULT '',
    alarm_at      BIGINT NOT NULL DEFAULT 0,
    worker        TEXT NOT NULL DEFAULT '',    -- who redeems now: its name …
    nonce         TEXT NOT NULL DEFAULT '',    -- … and which start of it
    leased_until  BIGINT NOT NULL DEFAULT 0,
    fence         BIGINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL
);

CREATE TABLE partner_access (
    partner    TEXT NOT NULL,
    tenant_id  TEXT NOT NULL, -- whose tenant the token opens
    resource   TEXT NOT NULL,
    token      TEXT NOT NULL, -- sealed
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (partner, tenant_id, resource)
);

-- +goose Down
DROP TABLE partner_access;
DROP TABLE partner_credential;
