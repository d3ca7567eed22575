-- name: Newest :one
SELECT * FROM price_list WHERE list = @list ORDER BY version DESC LIMIT 1;

-- name: OneVersion :one
SELECT * FROM price_list WHERE list = @list AND version = @version FOR UPDATE;

-- name: Versions :many
SELECT * FROM price_list WHERE list = @list ORDER BY version DESC;

-- name: Active :many
SELECT * FROM price_list WHERE list = @list AND state = 'active' ORDER BY from_day;

-- name: Lists :many
SELECT * FROM price_list ORDER BY list, version DESC;

-- name: AddVersion :exec
INSERT INTO price_list (list, version, state, currency, body, hash, note, from_day, changed_at, changed_by)
VALUES (@list, @version, 'draft', @currency, @body, @hash, @note, '', @now, @actor);

-- name: ChangeDraft :execrows
UPDATE price_list SET currency = @currency, body = @body, hash = @hash, note = @note, changed_at = @now, changed_by = @actor
WHERE list = @list AND version = @version AND state = 'draft' AND hash = @was;

-- name: Activate :execrows
UPDATE price_list SET state = 'active', from_day = @from_day, changed_at = @now, changed_by = @actor
WHERE list = @list AND version = @version AND state = 'draft';

-- name: Withdraw :execrows
UPDATE price_list SET state = 'withdrawn', changed_at = @now, changed_by = @actor
WHERE list = @list AND version = @version AND state IN ('draft', 'active') AND (state = 'draft' OR from_day > @today);

-- name: Assignments :many
SELECT * FROM price_assignment WHERE account = @account ORDER BY from_day;

-- name: Assign :exec
INSERT INTO price_assignment (account, from_day, list, made_at, made_by) VALUES (@account, @from_day, @list, @now, @actor)
ON CONFLICT (account, from_day) DO UPDATE SET list = excluded.list, made_at = excluded.made_at, made_by = excluded.made_by;

-- name: Assigned :many
SELECT account, list, from_day FROM price_assignment WHERE list = @list ORDER BY account, from_day;

-- name: GetRate :one
SELECT * FROM price_rate WHERE from_currency = @from_currency AND to_currency = @to_currency AND month = @month;

-- name: RatesTo :many
SELECT * FROM price_rate WHERE to_currency = @to_currency AND month = @month ORDER BY from_currency;

-- name: SetRate :exec
INSERT INTO price_rate (from_currency, to_currency, month, rate, day, set_at, set_by)
VALUES (@from_currency, @to_currency, @month, @rate, @day, @now, @actor)
ON CONFLICT (from_currency, to_currency, month) DO UPDATE SET rate = excluded.rate, day = excluded.day, set_at = excluded.set_at, set_by = excluded.set_by;
