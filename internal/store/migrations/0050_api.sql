-- +goose Up
CREATE TABLE api_key (
    principal    TEXT NOT NULL, -- who sent it: "user:<id>"; one person's tokens share their keys
    key          TEXT NOT NULL, -- as the caller chose it
    hash         TEXT NOT NULL, -- SHA-256 of method, path, query and body, secrets left out
    object       TEXT NOT NULL, -- what the first run made so far, so that a second run goes on with it; '' = nothing
    status       BIGINT NOT NULL, -- of the answer; 0 = in flight
    body         TEXT NOT NULL, -- of the answer, secrets left out
    run          TEXT NOT NULL, -- names the run that holds the row
    leased_until BIGINT NOT NULL, -- a run that died gives the row free then
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (principal, key)
);

-- +goose Down
DROP TABLE api_key;
