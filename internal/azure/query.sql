-- name: PartnerCredential :one
SELECT * FROM partner_credential
WHERE CAST(@tenant_id AS TEXT) = '' OR tenant_id = @tenant_id
ORDER BY created_at, tenant_id LIMIT 1;

-- name: SetApplication :exec
INSERT INTO partner_credential (tenant_id, app_id, app_secret, created_at)
VALUES (@tenant_id, @app_id, @app_secret, @now)
ON CONFLICT (tenant_id) DO UPDATE SET app_id = excluded.app_id, app_secret = excluded.app_secret,
    refresh_token = CASE WHEN partner_credential.app_id = excluded.app_id THEN partner_credential.refresh_token ELSE '' END,
    fence = partner_credential.fence + 1, leased_until = 0, unknown_at = 0, alarm_code = '', alarm_at = 0;

-- name: SetConsent :execrows
UPDATE partner_credential SET refresh_token = @refresh_token, consented_by = @consented_by, consented_at = @now, redeemed_at = @now,
    unknown_at = 0, alarm_code = '', alarm_at = 0, leased_until = 0, fence = fence + 1
WHERE tenant_id = @tenant_id;

-- name: ClaimCredential :one
UPDATE partner_credential SET worker = @worker, nonce = @nonce, leased_until = @lease, fence = fence + 1
WHERE tenant_id = @tenant_id AND (leased_until <= @now OR (worker = @worker AND nonce <> @nonce))
RETURNING *;

-- name: StoreRedeemed :execrows
UPDATE partner_credential SET refresh_token = @refresh_token, redeemed_at = @now, unknown_at = 0,
    alarm_code = @alarm_code, alarm_at = @alarm_at, leased_until = 0
WHERE tenant_id = @tenant_id AND fence = @fence;

-- name: ReleaseCredential :execrows
UPDATE partner_credential SET leased_until = 0, unknown_at = @unknown_at, alarm_code = @alarm_code, alarm_at = @alarm_at
WHERE tenant_id = @tenant_id AND fence = @fence;

-- name: Access :one
SELECT * FROM partner_access WHERE partner = @partner AND tenant_id = @tenant_id AND resource = @resource;

-- name: PutAccess :exec
INSERT INTO partner_access (partner, tenant_id, resource, token, expires_at)
VALUES (@partner, @tenant_id, @resource, @token, @expires_at)
ON CONFLICT (partner, tenant_id, resource) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at;

-- name: DropAccess :exec
DELETE FROM partner_access WHERE partner = @partner AND tenant_id = @tenant_id AND resource = @resource AND token = @token;

-- name: DropTenantAccess :exec
DELETE FROM partner_access WHERE partner = @partner AND tenant_id = @tenant_id;

-- name: DropPartnerAccess :exec
DELETE FROM partner_access WHERE partner = @partner;

-- name: DropExpiredAccess :exec
DELETE FROM partner_access WHERE expires_at < @now;

-- name: NoteAlarm :execrows
UPDATE partner_credential SET alarm_code = @alarm_code, alarm_at = @alarm_at
WHERE tenant_id = @tenant_id AND leased_until <= @now;

-- name: MakeBudget :exec
INSERT INTO throttle_budget (service, endpoints, customer, changed_at) VALUES (@service, @endpoints, '', @changed_at)
ON CONFLICT (service, endpoints, customer) DO NOTHING;

-- name: LockBudgets :many
SELECT * FROM throttle_budget WHERE service = @service AND endpoints = @endpoints ORDER BY customer FOR UPDATE;

-- name: BudgetsSince :many
SELECT * FROM throttle_budget WHERE changed_at >= @since ORDER BY service, endpoints, customer;

-- name: PutBudget :exec
INSERT INTO throttle_budget (service, endpoints, customer, calls, ceiling, period, since, spent, closed, refusals, probing, probe, calm, lessons, epoch,
    window_from, met, passed, periods, turns, taken, changed_at)
VALUES (@service, @endpoints, @customer, @calls, @ceiling, @period, @since, @spent, @closed, @refusals, @probing, @probe, @calm, @lessons, @epoch,
    @window_from, @met, @passed, @periods, @turns, @taken, @changed_at)
ON CONFLICT (service, endpoints, customer) DO UPDATE SET calls = excluded.calls, ceiling = excluded.ceiling, period = excluded.period, since = excluded.since,
    spent = excluded.spent, closed = excluded.closed, refusals = excluded.refusals, probing = excluded.probing, probe = excluded.probe, calm = excluded.calm,
    lessons = excluded.lessons, epoch = excluded.epoch, window_from = excluded.window_from, met = excluded.met, passed = excluded.passed,
    periods = excluded.periods, turns = excluded.turns, taken = excluded.taken, changed_at = excluded.changed_at;

-- name: TicketsOf :many
SELECT * FROM throttle_wait WHERE service = @service AND endpoints = @endpoints;

-- name: TicketsOfKey :many
SELECT * FROM throttle_wait WHERE key = @key AND turn = 0 ORDER BY service, endpoints;

-- name: AllTickets :many
SELECT * FROM throttle_wait;

-- name: PutTicket :exec
INSERT INTO throttle_wait (service, endpoints, key, org, class, began, since, due, turn, ahead)
VALUES (@service, @endpoints, @key, @org, @class, @began, @since, @due, @turn, @ahead)
ON CONFLICT (service, endpoints, key) DO UPDATE SET org = excluded.org, class = excluded.class, began = excluded.began, since = excluded.since,
    due = excluded.due, turn = excluded.turn, ahead = excluded.ahead;

-- name: DropTicket :exec
DELETE FROM throttle_wait WHERE service = @service AND endpoints = @endpoints AND key = @key;

-- name: DropTicketsBefore :exec
DELETE FROM throttle_wait WHERE due < @before;

-- name: DropBudgetsBefore :exec
DELETE FROM throttle_budget WHERE customer <> '' AND changed_at < @before;
