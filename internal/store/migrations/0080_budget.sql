-- +goose Up
-- What an account, or one of its subscriptions, should cost in a month at most.
CREATE TABLE billing_budget (
    account     TEXT NOT NULL,
    entitlement TEXT NOT NULL,   -- one subscription, '' = the whole account
    amount      TEXT NOT NULL,   -- exact, before tax
    currency    TEXT NOT NULL,
    thresholds  TEXT NOT NULL,   -- JSON: percent and basis
    recipients  TEXT NOT NULL,   -- JSON: addresses, none = whoever gets the account's documents
    ask         BOOLEAN NOT NULL,-- the partner is asked when it is used up
    from_month  TEXT NOT NULL,   -- first month that is watched as this is written
    owner       TEXT NOT NULL,   -- user who set it last, '' = none
    version     BIGINT NOT NULL, -- counts changes
    changed_at  BIGINT NOT NULL,
    changed_by  TEXT NOT NULL,
    PRIMARY KEY (account, entitlement)
);

-- What was told of a budget. At most one of each threshold and month is in force.
CREATE TABLE billing_budget_alert (
    id          TEXT PRIMARY KEY,
    account     TEXT NOT NULL,
    entitlement TEXT NOT NULL,
    month       TEXT NOT NULL,   -- of the usage, UTC
    basis       TEXT NOT NULL,   -- actual, forecast; request = the partner was asked
    percent     BIGINT NOT NULL,
    amount      TEXT NOT NULL,   -- of the budget then
    currency    TEXT NOT NULL,
    spent       TEXT NOT NULL,
    month_end   TEXT NOT NULL,   -- forecast with its range; '' = none
    low         TEXT NOT NULL,
    high        TEXT NOT NULL,
    recipients  TEXT NOT NULL,   -- JSON: who was told
    request     BIGINT NOT NULL, -- number of the request, 0 = none
    made_at     BIGINT NOT NULL,
    rearmed_at  BIGINT NOT NULL  -- 0 = in force: it is not told again
);
CREATE UNIQUE INDEX billing_budget_alert_once ON billing_budget_alert (account, entitlement, month, basis, percent) WHERE rearmed_at = 0;
CREATE INDEX billing_budget_alert_time ON billing_budget_alert (account, made_at, id);

-- +goose Down
DROP TABLE billing_budget_alert;
DROP TABLE billing_budget;
