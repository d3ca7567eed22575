-- name: AddProvider :exec
INSERT INTO provider (id, org, owner, type, mode, name, folded, state, note, account, tenant, tenant_id, domain, subscription, created_at, changed_at, changed_by, version)
VALUES (@id, @org, @owner, @type, @mode, @name, @folded, @state, @note, @account, @tenant, @tenant_id, @domain, @subscription, @created_at, @changed_at, @changed_by, 1);

-- name: GetProvider :one
SELECT * FROM provider WHERE id = @id;

-- name: ProviderOfSubscription :one
SELECT * FROM provider WHERE subscription = @subscription AND subscription <> '';

-- name: SaveProvider :execrows
UPDATE provider SET type = @type, mode = @mode, name = @name, folded = @folded, state = @state, note = @note, account = @account, tenant = @tenant,
    tenant_id = @tenant_id, domain = @domain, subscription = @subscription, changed_at = @changed_at, changed_by = @changed_by, version = version + 1
WHERE id = @id;

-- name: TouchProvider :exec
UPDATE provider SET version = version + 1 WHERE id = @id;

-- name: ProviderVersion :one
SELECT version, state FROM provider WHERE id = @id;

-- name: DropProvider :execrows
DELETE FROM provider WHERE id = @id AND state = 'draft';

-- name: ListProviders :many
SELECT * FROM provider
WHERE (CAST(sqlc.narg(org) AS TEXT) IS NULL OR org = sqlc.narg(org))
  AND (CAST(sqlc.narg(state) AS TEXT) IS NULL OR state = sqlc.narg(state))
  AND (CAST(sqlc.narg(account) AS TEXT) IS NULL OR account = sqlc.narg(account))
  AND (CAST(sqlc.narg(tenant) AS TEXT) IS NULL OR tenant = sqlc.narg(tenant))
  AND (CAST(sqlc.narg(search) AS TEXT) IS NULL OR folded LIKE sqlc.narg(search))
  AND (changed_at < @before OR (changed_at = @before AND id < @before_id))
ORDER BY changed_at DESC, id DESC LIMIT @batch;

-- name: CountStates :many
SELECT state, COUNT(*) AS n FROM provider WHERE (CAST(sqlc.narg(org) AS TEXT) IS NULL OR org = sqlc.narg(org)) GROUP BY state;

-- name: AddLog :exec
INSERT INTO provider_log (provider, seq, at, level, step, text)
SELECT @provider, COALESCE(MAX(l.seq), 0) + 1, @at, @level, @step, @text FROM provider_log l WHERE l.provider = @provider;

-- name: Log :many
SELECT * FROM provider_log WHERE provider = @provider AND seq > @after ORDER BY seq LIMIT @batch;

-- name: LogTail :many
SELECT * FROM provider_log WHERE provider = @provider ORDER BY seq DESC LIMIT @batch;

-- name: CountLog :one
SELECT COUNT(*) FROM provider_log WHERE provider = @provider;

-- name: AddAssociation :exec
INSERT INTO association (id, tenant, entitlement, account, org, provider, from_day, to_day, state, made_at)
VALUES (@id, @tenant, @entitlement, @account, @org, @provider, @from_day, '', @state, @made_at);

-- name: OpenAssociation :one
SELECT * FROM association WHERE tenant = @tenant AND entitlement = @entitlement AND to_day = '';

-- name: LastAssociation :one
SELECT * FROM association WHERE tenant = @tenant AND entitlement = @entitlement AND state = 'confirmed' AND to_day <> '' ORDER BY to_day DESC LIMIT 1;

-- name: ConfirmAssociation :exec
UPDATE association SET state = 'confirmed', from_day = @from_day WHERE id = @id;

-- name: EndAssociation :exec
UPDATE association SET to_day = @to_day WHERE id = @id;

-- name: DropAssociation :exec
DELETE FROM association WHERE id = @id AND state = 'intended';

-- name: AssociationsOfTenant :many
SELECT * FROM association WHERE tenant = @tenant ORDER BY from_day, id;

-- name: AssociationsOfAccount :many
SELECT * FROM association WHERE account = @account ORDER BY from_day, id;

-- name: AddGrant :exec
INSERT INTO access_grant (id, provider, tenant, scope, principal, principal_name, role, intent, since)
VALUES (@id, @provider, @tenant, @scope, @principal, @principal_name, @role, @intent, @since)
ON CONFLICT (provider, scope, principal, role) DO UPDATE SET intent = excluded.intent, principal_name = excluded.principal_name;

-- name: Grants :many
SELECT * FROM access_grant WHERE provider = @provider ORDER BY since, id;

-- name: FillAssociation :exec
INSERT INTO association (id, tenant, entitlement, account, org, provider, from_day, to_day, state, made_at)
VALUES (@id, @tenant, @entitlement, @account, @org, @provider, @from_day, @to_day, 'confirmed', @made_at);

-- name: DropGrant :exec
DELETE FROM access_grant WHERE provider = @provider AND scope = @scope AND principal = @principal AND role = @role;
