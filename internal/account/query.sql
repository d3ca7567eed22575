-- name: AddOrg :exec
INSERT INTO organization (id, name, folded, status, account, placement, created_at, version)
VALUES (@id, @name, @folded, @status, @account, @placement, @created_at, @version);

-- name: GetOrg :one
SELECT * FROM organization WHERE id = @id;

-- name: ListOrgs :many
SELECT * FROM organization
WHERE id > @after AND folded LIKE CAST(@pattern AS TEXT) ESCAPE '!'
ORDER BY id LIMIT @batch;

-- name: SetOrg :execrows
UPDATE organization SET name = @name, folded = @folded, status = @status, account = @account, placement = @placement, version = version + 1
WHERE id = @id AND version = @version;

-- name: AddPerson :exec
INSERT INTO person (id, org, role, name, email, email_key, language, password, active, created_at, last_sign_in_at, sessions_from, version)
VALUES (@id, @org, @role, @name, @email, @email_key, @language, @password, @active, @created_at, @last_sign_in_at, @sessions_from, @version);

-- name: GetPerson :one
SELECT * FROM person WHERE id = @id;

-- name: GetPersonByEmail :one
SELECT * FROM person WHERE email_key = @email_key;

-- name: ListPeople :many
SELECT * FROM person WHERE org = @org ORDER BY id;

-- name: LockPeople :many
SELECT id, role FROM person WHERE org = @org AND active ORDER BY id FOR UPDATE;

-- name: LockPerson :one
SELECT id FROM person WHERE id = @id FOR UPDATE;

-- name: SetPerson :execrows
UPDATE person SET role = @role, name = @name, email = @email, email_key = @email_key, language = @language, active = @active,
    sessions_from = @sessions_from, version = version + 1
WHERE id = @id AND version = @version;

-- name: SetPassword :execrows
UPDATE person SET password = @password, sessions_from = @sessions_from WHERE id = @id;

-- name: Rehash :execrows
UPDATE person SET password = @password WHERE id = @id AND password = @former;

-- name: SignedIn :execrows
UPDATE person SET last_sign_in_at = @last_sign_in_at WHERE id = @id AND active AND password = @password;

-- name: EndSessions :execrows
UPDATE person SET sessions_from = @sessions_from WHERE id = @id;

-- name: AddAccount :exec
INSERT INTO billing_account (alias, org, name, legal_name, registration_number, country, entity, legal_entity, address, contact, parent,
    billable, reseller, demo, internal, public_sector, disabled, credit_limit, currency, language, source, folded, created_at, changed_at, version)
VALUES (@alias, @org, @name, @legal_name, @registration_number, @country, @entity, @legal_entity, @address, @contact, @parent,
    @billable, @reseller, @demo, @internal, @public_sector, @disabled, @credit_limit, @currency, @language, @source, @folded, @created_at, @changed_at, @version);

-- name: GetAccount :one
SELECT * FROM billing_account WHERE alias = @alias;

-- name: ListAccounts :many
SELECT * FROM billing_account
WHERE alias > @after AND folded LIKE CAST(@pattern AS TEXT) ESCAPE '!'
  AND (CAST(sqlc.narg(org) AS TEXT) IS NULL OR org = sqlc.narg(org))
  AND (CAST(sqlc.narg(parent) AS TEXT) IS NULL OR parent = sqlc.narg(parent))
  AND (CAST(sqlc.narg(entity) AS TEXT) IS NULL OR legal_entity = sqlc.narg(entity))
ORDER BY alias LIMIT @batch;

-- name: SetAccount :execrows
UPDATE billing_account SET name = @name, legal_name = @legal_name, registration_number = @registration_number, country = @country,
    entity = @entity, legal_entity = @legal_entity, address = @address, contact = @contact, parent = @parent, billable = @billable,
    reseller = @reseller, demo = @demo, internal = @internal, public_sector = @public_sector, disabled = @disabled,
    credit_limit = @credit_limit, currency = @currency, language = @language, folded = @folded, changed_at = @changed_at, version = version + 1
WHERE alias = @alias AND version = @version;

-- name: Up :many
WITH RECURSIVE up(alias, parent, depth) AS (
    SELECT b.alias, b.parent, 0 FROM billing_account b WHERE b.alias = @alias
    UNION ALL
    SELECT b.alias, b.parent, up.depth + 1 FROM billing_account b JOIN up ON b.alias = up.parent WHERE up.depth < 64
)
SELECT billing_account.* FROM up JOIN billing_account ON billing_account.alias = up.alias ORDER BY up.depth;

-- name: Below :many
WITH RECURSIVE below(alias) AS (
    SELECT r.alias FROM account_administrator r WHERE r.login = @login
    UNION
    SELECT b.alias FROM billing_account b JOIN below ON b.parent = below.alias
)
SELECT billing_account.* FROM below JOIN billing_account ON billing_account.alias = below.alias ORDER BY billing_account.alias;

-- name: LockTree :one
SELECT id FROM billing_tree WHERE id = 1 FOR UPDATE;

-- name: AddLogin :exec
INSERT INTO account_login (login, own, password, active, created_at) VALUES (@login, @own, @password, @active, @created_at);

-- name: GetLogin :one
SELECT * FROM account_login WHERE login = @login;

-- name: AddAdministrator :execrows
INSERT INTO account_administrator (login, alias, added_at) VALUES (@login, @alias, @added_at) ON CONFLICT (login, alias) DO NOTHING;

-- name: DropAdministrator :execrows
DELETE FROM account_administrator WHERE login = @login AND alias = @alias;

-- name: ListAdministrators :many
SELECT r.login, r.added_at, l.active FROM account_administrator r JOIN account_login l ON l.login = r.login
WHERE r.alias = @alias ORDER BY r.login;

-- name: AddConnection :exec
INSERT INTO account_connection (id, person, org, login, own, accounts, made_at, until_at, source)
VALUES (@id, @person, @org, @login, @own, @accounts, @made_at, @until_at, @source);

-- name: GetConnection :one
SELECT * FROM account_connection WHERE id = @id;

-- name: Try :one
INSERT INTO attempt (key, tries, since_at) VALUES (@key, 1, @now)
ON CONFLICT (key) DO UPDATE SET
    tries = CASE WHEN attempt.since_at <= @expired THEN 1 ELSE attempt.tries + 1 END,
    since_at = CASE WHEN attempt.since_at <= @expired THEN excluded.since_at ELSE attempt.since_at END
RETURNING tries, since_at;

-- name: Forgive :exec
UPDATE attempt SET tries = tries - 1 WHERE key = @key AND tries > 0;

-- name: Forget :exec
DELETE FROM attempt WHERE key = @key;

-- name: SweepAttempts :execrows
DELETE FROM attempt WHERE since_at <= @expired;

-- name: FindSession :one
SELECT data FROM session WHERE key = @key AND expires_at > @now;

-- name: CommitSession :exec
INSERT INTO session (key, data, expires_at) VALUES (@key, @data, @expires_at)
ON CONFLICT (key) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at;

-- name: DropSession :exec
DELETE FROM session WHERE key = @key;

-- name: SweepSessions :execrows
DELETE FROM session WHERE expires_at <= @now;

-- name: SweepConnections :execrows
DELETE FROM account_connection WHERE until_at <= @expired;

-- name: AddToken :exec
INSERT INTO api_token (id, person, name, scope, hash, hint, created_at, expires_at, last_used_at, revoked_at)
VALUES (@id, @person, @name, @scope, @hash, @hint, @created_at, @expires_at, 0, 0);

-- name: GetToken :one
SELECT * FROM api_token WHERE id = @id;

-- name: GetTokenByHash :one
SELECT * FROM api_token WHERE hash = @hash;

-- name: ListTokens :many
SELECT * FROM api_token WHERE person = @person ORDER BY id;

-- name: LiveTokens :one
SELECT count(*) FROM api_token WHERE person = @person AND revoked_at = 0 AND expires_at > @now;

-- name: TouchToken :exec
UPDATE api_token SET last_used_at = @now WHERE id = @id AND last_used_at < @before;

-- name: RevokeToken :execrows
UPDATE api_token SET revoked_at = @now WHERE id = @id AND revoked_at = 0;

-- name: Disable :execrows
UPDATE billing_account SET disabled = TRUE, changed_at = @changed_at, version = version + 1 WHERE alias = @alias AND NOT disabled;

-- name: DropSessions :execrows
DELETE FROM session;
