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
