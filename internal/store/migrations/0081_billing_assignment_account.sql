-- +goose Up
-- A page about one account looks for what was assigned to it.
CREATE INDEX billing_assignment_account ON billing_assignment (account);

-- +goose Down
DROP INDEX billing_assignment_account;
