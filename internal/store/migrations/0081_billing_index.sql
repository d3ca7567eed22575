-- +goose Up
-- A page about one account looks for what was assigned to it; one about all accounts
-- reads a month's totals, without the cells that stand beside them.
CREATE INDEX billing_assignment_account ON billing_assignment (account);
DROP INDEX billing_month_month;
CREATE INDEX billing_month_month ON billing_month (month, account, currency, billed, as_of, rated_at, sell, cost, cost_currency, sold, margin, earned, gain);

-- +goose Down
DROP INDEX billing_month_month;
CREATE INDEX billing_month_month ON billing_month (month, account);
DROP INDEX billing_assignment_account;
