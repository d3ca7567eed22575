-- +goose Up
-- A page about one account looks for what was assigned to it; one about all accounts
-- reads a month's totals, without the cells that stand beside them. Whoever issues asks
-- for the first month that was ever billed.
CREATE INDEX invoice_first ON invoice_document (first_month) WHERE seq > 0;
CREATE INDEX billing_assignment_account ON billing_assignment (account);
DROP INDEX billing_month_month;
CREATE INDEX billing_month_month ON billing_month (month, account, currency, billed, as_of, rated_at, sell, cost, cost_currency, sold, margin, earned, gain);

-- +goose Down
DROP INDEX billing_month_month;
CREATE INDEX billing_month_month ON billing_month (month, account);
DROP INDEX billing_assignment_account;
DROP INDEX invoice_first;
