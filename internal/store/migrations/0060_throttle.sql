-- +goose Up
-- What was learned of Microsoft's limits. All processes share it, and one that
-- starts again knows it. Times are microseconds since 1970, lengths microseconds.
CREATE TABLE throttle_budget (
    service     TEXT NOT NULL,
    endpoints   TEXT NOT NULL, -- throttle group of the service: orders, reads, …
    customer    TEXT NOT NULL, -- '' = the limit of all customers together
    calls       BIGINT NOT NULL DEFAULT 0, -- a period takes so many; 0 = no limit is known
    ceiling     BIGINT NOT NULL DEFAULT 0, -- so many were taken when one was refused
    period      BIGINT NOT NULL DEFAULT 0,
    since       BIGINT NOT NULL DEFAULT 0, -- begin of the present period
    spent       BIGINT NOT NULL DEFAULT 0, -- allotted in it
    closed      BIGINT NOT NULL DEFAULT 0, -- nothing before that
    refusals    BIGINT NOT NULL DEFAULT 0, -- in a row, that did not say until when
    probing     BOOLEAN NOT NULL DEFAULT FALSE, -- after closed, one call tries alone
    probe       BIGINT NOT NULL DEFAULT 0, -- that one is on its way until then
    calm        BIGINT NOT NULL DEFAULT 0, -- full periods without a refusal
    lessons     BIGINT NOT NULL DEFAULT 0,
    epoch       BIGINT NOT NULL DEFAULT 0, -- raised by each lesson
    window_from BIGINT NOT NULL DEFAULT 0, -- the last lesson counted calls from here on
    met         BIGINT NOT NULL DEFAULT 0, -- the limit was last met
    passed      BIGINT NOT NULL DEFAULT 0, -- fading sums: so many places were gained by who waited …
    periods     BIGINT NOT NULL DEFAULT 0, -- … in so many periods; so many turns …
    turns       BIGINT NOT NULL DEFAULT 0,
    taken       BIGINT NOT NULL DEFAULT 0, -- … took so many calls
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (service, endpoints, customer)
);
CREATE INDEX throttle_budget_changed ON throttle_budget (changed_at);

-- Who waits for a limit, and who had a turn in the present period.
CREATE TABLE throttle_wait (
    service   TEXT NOT NULL,
    endpoints TEXT NOT NULL,
    key       TEXT NOT NULL, -- onboarding, question, sweep
    org       TEXT NOT NULL,
    class     BIGINT NOT NULL, -- 0 a person asks, 1 work, 2 asking again, 3 sweep
    began     BIGINT NOT NULL, -- the work: the oldest goes first
    since     BIGINT NOT NULL, -- waits since
    due       BIGINT NOT NULL, -- was told to come then
    turn      BIGINT NOT NULL DEFAULT 0, -- had its turn then; 0 = waits
    ahead     BIGINT NOT NULL, -- so many were before it when it came
    PRIMARY KEY (service, endpoints, key)
);
CREATE INDEX throttle_wait_key ON throttle_wait (key);

-- How long a step waited for its turn; it does not count against Microsoft's time.
ALTER TABLE onboarding_step ADD COLUMN held BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE onboarding_step DROP COLUMN held;
DROP TABLE throttle_wait;
DROP TABLE throttle_budget;
