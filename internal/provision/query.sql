-- name: AddDraft :exec
INSERT INTO draft (provider, body, version, updated_at, keep_until) VALUES (@provider, @body, 1, @updated_at, @keep_until);

-- name: GetDraft :one
SELECT * FROM draft WHERE provider = @provider;

-- name: SaveDraft :execrows
UPDATE draft SET body = @body, version = version + 1, updated_at = @updated_at, keep_until = @keep_until
WHERE provider = @provider AND version = @version AND begun_at = 0;

-- name: BeginDraft :execrows
UPDATE draft SET begun_at = @begun_at, version = version + 1 WHERE provider = @provider AND version = @version AND begun_at = 0;

-- name: DropDraft :execrows
DELETE FROM draft WHERE provider = @provider AND begun_at = 0;

-- name: AddTenant :exec
INSERT INTO tenant (id, org, legal_entity, domain, state, stage, holder, account, details, attestation, azure_id, born_at, cart, order_id, plan, first_by, relationship, principal, admin_upn, admin_object, credentials, credentials_until, created_at)
VALUES (@id, @org, @legal_entity, @domain, 'intended', '', '', @account, @details, @attestation, '', 0, '', '', '', '', '', '', '', '', '', 0, @created_at);

-- name: GetTenant :one
SELECT * FROM tenant WHERE id = @id;

-- name: TenantOfEntity :one
SELECT * FROM tenant WHERE org = @org AND legal_entity = @legal_entity AND state <> 'gone';

-- name: TenantsOfOrg :many
SELECT * FROM tenant WHERE org = @org AND state <> 'gone' ORDER BY created_at;

-- name: TenantByDomain :one
SELECT * FROM tenant WHERE domain = @domain AND state <> 'gone';

-- name: TenantByAzure :one
SELECT * FROM tenant WHERE azure_id = @azure_id;

-- name: LiveTenants :many
SELECT * FROM tenant WHERE azure_id <> '' ORDER BY created_at, id;

-- name: HoldTenant :execrows
UPDATE tenant SET holder = @holder WHERE id = @id AND (holder = '' OR holder = @holder);

-- name: FreeTenant :execrows
UPDATE tenant SET holder = '' WHERE id = @id AND holder = @holder;

-- name: SaveTenant :exec
UPDATE tenant SET domain = @domain, state = @state, stage = @stage, details = @details, attestation = @attestation, azure_id = @azure_id, born_at = @born_at, cart = @cart,
    order_id = @order_id, plan = @plan, first_by = @first_by, relationship = @relationship, principal = @principal,
    admin_upn = @admin_upn, admin_object = @admin_object, credentials = @credentials, credentials_until = @credentials_until
WHERE id = @id;

-- name: ClaimFirst :execrows
UPDATE tenant SET first_by = @first_by WHERE id = @id AND (first_by = '' OR first_by = @first_by);

-- name: DropCredentials :many
UPDATE tenant SET credentials = '' WHERE credentials <> '' AND credentials_until > 0 AND credentials_until < @now RETURNING id, org;

-- name: OthersOnTenant :many
SELECT * FROM onboarding WHERE tenant = @tenant AND id <> @id AND state <> 'cancelled' ORDER BY started_at;

-- name: AddOnboarding :exec
INSERT INTO onboarding (id, provider, org, person, login, account, tenant, correlation, state, step, refusal, cancel_by, name, budget, verdict, subscription, alias_used, receipt, mail_me, started_at, changed_at, finished_at, stuck_at)
VALUES (@id, @provider, @org, @person, @login, @account, @tenant, @correlation, 'running', @step, '', '', @name, @budget, @verdict, '', @alias_used, '', @mail_me, @started_at, @changed_at, 0, 0);

-- name: GetOnboarding :one
SELECT * FROM onboarding WHERE id = @id;

-- name: OnboardingOf :one
SELECT * FROM onboarding WHERE provider = @provider;

-- name: SaveOnboarding :exec
UPDATE onboarding SET state = @state, step = @step, refusal = @refusal, cancel_by = @cancel_by, subscription = @subscription, alias_used = @alias_used,
    receipt = @receipt, mail_me = @mail_me, changed_at = @changed_at, finished_at = @finished_at, stuck_at = @stuck_at
WHERE id = @id;

-- name: ListOnboardings :many
SELECT * FROM onboarding
WHERE (CAST(sqlc.narg(state) AS TEXT) IS NULL OR state = sqlc.narg(state))
  AND (CAST(sqlc.narg(org) AS TEXT) IS NULL OR org = sqlc.narg(org))
  AND (NOT CAST(@only_open AS BOOLEAN) OR state IN ('running', 'waiting', 'stuck', 'cancelling'))
  AND NOT imported
  AND (started_at < @before OR (started_at = @before AND id < @before_id))
ORDER BY started_at DESC, id DESC LIMIT @batch;

-- name: CountOnboardings :many
SELECT state, COUNT(*) AS n FROM onboarding WHERE NOT imported GROUP BY state;

-- name: OpenOfAccount :many
SELECT id, started_at, state, budget, imported FROM onboarding WHERE account = @account AND state <> 'cancelled';

-- name: StartedSince :one
SELECT COUNT(*) FROM onboarding WHERE account = @account AND started_at >= @since;

-- name: Durations :many
SELECT s.name, s.started_at, s.finished_at, s.held FROM onboarding_step s JOIN onboarding o ON o.id = s.onboarding
WHERE o.state = 'ready' AND s.state = 'done' ORDER BY s.finished_at DESC LIMIT 900;

-- name: AddStep :exec
INSERT INTO onboarding_step (onboarding, seq, name, state, started_at, finished_at, note, facts, asked, next_at)
VALUES (@onboarding, @seq, @name, 'pending', 0, 0, '', '[]', 0, 0);

-- name: Steps :many
SELECT * FROM onboarding_step WHERE onboarding = @onboarding ORDER BY seq;

-- name: SaveStep :exec
UPDATE onboarding_step SET state = @state, started_at = @started_at, finished_at = @finished_at, note = @note, facts = @facts, asked = @asked, next_at = @next_at, held = @held
WHERE onboarding = @onboarding AND name = @name;

-- name: AddIntent :exec
INSERT INTO intent (id, scope, name, request_id, correlation, state, tries, first_sent, last_sent, result, created_at)
VALUES (@id, @scope, @name, @request_id, @correlation, 'new', 0, 0, 0, '', @created_at) ON CONFLICT (scope, name) DO NOTHING;

-- name: GetIntent :one
SELECT * FROM intent WHERE scope = @scope AND name = @name;

-- name: SaveIntent :exec
UPDATE intent SET request_id = @request_id, state = @state, tries = @tries, first_sent = @first_sent, last_sent = @last_sent, result = @result WHERE id = @id;

-- name: Intents :many
SELECT * FROM intent WHERE scope = @scope ORDER BY created_at, id;

-- name: DropIntent :exec
DELETE FROM intent WHERE scope = @scope AND name = @name;

-- name: AddExchange :exec
INSERT INTO exchange (id, onboarding, step, at, method, path, status, body) VALUES (@id, @onboarding, @step, @at, @method, @path, @status, @body)
ON CONFLICT (id) DO UPDATE SET at = excluded.at, status = excluded.status, body = excluded.body;

-- name: LockOnboarding :one
SELECT * FROM onboarding WHERE id = @id FOR UPDATE;

-- name: LockTenant :one
SELECT * FROM tenant WHERE id = @id FOR UPDATE;

-- name: LockStep :one
SELECT * FROM onboarding_step WHERE onboarding = @onboarding AND name = @name FOR UPDATE;

-- name: LockIntent :one
SELECT * FROM intent WHERE scope = @scope AND name = @name FOR UPDATE;

-- name: Exchanges :many
SELECT * FROM exchange WHERE onboarding = @onboarding ORDER BY at DESC, id DESC LIMIT @batch;

-- name: AddAsk :exec
INSERT INTO ask (id, org, kind, args, answer, error, asked_at, answered_at) VALUES (@id, @org, @kind, @args, '', '', @asked_at, 0);

-- name: GetAsk :one
SELECT * FROM ask WHERE id = @id;

-- name: AnswerAsk :exec
UPDATE ask SET answer = @answer, error = @error, answered_at = @answered_at WHERE id = @id;

-- name: PurgeAsks :exec
DELETE FROM ask WHERE asked_at < @before;

-- name: TenantAccount :exec
UPDATE tenant SET account = @account WHERE id = @id;

-- name: OldDrafts :many
SELECT provider FROM draft WHERE begun_at = 0 AND keep_until < @now ORDER BY keep_until LIMIT 100;

-- name: MoveOnboarding :exec
UPDATE onboarding SET account = @account, changed_at = @changed_at WHERE id = @id;

-- name: AddRestored :exec
INSERT INTO restored (backup, taken_at, restored_at) VALUES (@backup, @taken_at, @restored_at);

-- name: RestoredSince :one
SELECT COUNT(*) FROM restored WHERE restored_at >= @since;

-- name: DoubtIntents :execrows
UPDATE intent SET state = 'unknown', first_sent = CASE WHEN first_sent = 0 THEN created_at ELSE first_sent END WHERE state <> 'confirmed';

-- name: UnmadeTenants :many
SELECT t.id, t.created_at, o.correlation FROM tenant t JOIN onboarding o ON o.tenant = t.id
WHERE t.azure_id = '' AND o.state IN ('running', 'waiting', 'stuck', 'cancelling') ORDER BY t.id, o.started_at, o.id;

-- name: AddDoubt :execrows
INSERT INTO intent (id, scope, name, request_id, correlation, state, tries, first_sent, last_sent, result, created_at)
VALUES (@id, @scope, @name, @request_id, @correlation, 'unknown', 0, @first_sent, 0, '', @created_at) ON CONFLICT (scope, name) DO NOTHING;

-- name: CountOpen :one
SELECT COUNT(*) FROM onboarding WHERE state IN ('running', 'waiting', 'stuck', 'cancelling');

-- name: TenantsAfter :many
SELECT * FROM tenant WHERE azure_id <> '' AND id > @after ORDER BY id LIMIT @batch;

-- name: TenantsOfDomain :many
SELECT * FROM tenant WHERE domain = @domain AND azure_id = '' ORDER BY created_at DESC, id;

-- name: ListedTenant :exec
INSERT INTO tenant_listing (tenant, listed_at) VALUES (@tenant, @listed_at) ON CONFLICT (tenant) DO UPDATE SET listed_at = excluded.listed_at;

-- name: TenantListed :one
SELECT listed_at FROM tenant_listing WHERE tenant = @tenant;

-- name: AdoptTenant :exec
INSERT INTO tenant (id, org, legal_entity, domain, state, stage, holder, account, details, attestation, azure_id, born_at, cart, order_id, plan, first_by, relationship, principal, admin_upn, admin_object, credentials, credentials_until, created_at)
VALUES (@id, @org, @legal_entity, @domain, 'live', @stage, '', @account, @details, '', @azure_id, @born_at, '', @order_id, @plan, @first_by, '', '', '', '', '', 0, @created_at);

-- name: ImportOnboarding :exec
INSERT INTO onboarding (id, provider, org, person, login, account, tenant, correlation, state, step, refusal, cancel_by, name, budget, verdict, subscription, alias_used, receipt, mail_me, started_at, changed_at, finished_at, stuck_at, imported)
VALUES (@id, @provider, @org, '', '', @account, @tenant, @correlation, 'ready', 'ready', '', '', @name, @budget, '[]', @subscription, TRUE, '', FALSE, @at, @at, @at, 0, TRUE);

-- name: ImportStep :exec
INSERT INTO onboarding_step (onboarding, seq, name, state, started_at, finished_at, note, facts, asked, next_at)
VALUES (@onboarding, @seq, @name, 'skipped', 0, 0, '', '[]', 0, 0);

-- name: RenameOnboarding :exec
UPDATE onboarding SET name = @name, changed_at = @changed_at WHERE id = @id;

-- name: OnboardingOfSubscription :one
SELECT * FROM onboarding WHERE subscription = @subscription AND state <> 'cancelled' ORDER BY started_at DESC LIMIT 1;

-- name: OfTenant :many
SELECT * FROM onboarding WHERE tenant = @tenant ORDER BY started_at, id;

-- name: SeeDifference :one
INSERT INTO difference (id, kind, object, org, tenant, azure_id, title, text, proposal, remedy, body, mark, state, since, seen_at)
VALUES (@id, @kind, @object, @org, @tenant, @azure_id, @title, @text, @proposal, @remedy, @body, @mark, 'open', @seen_at, @seen_at)
ON CONFLICT (kind, object) DO UPDATE SET org = excluded.org, tenant = excluded.tenant, azure_id = excluded.azure_id, title = excluded.title, text = excluded.text,
    proposal = excluded.proposal, remedy = excluded.remedy, body = excluded.body, mark = excluded.mark, seen_at = excluded.seen_at,
    details = CASE WHEN difference.mark = excluded.mark THEN difference.details ELSE '' END,
    sure = CASE WHEN difference.mark = excluded.mark THEN difference.sure ELSE FALSE END,
    state = CASE WHEN difference.state = 'resolved' AND difference.ended_at >= @read_at THEN 'resolved'
        WHEN difference.state = 'ignored' AND difference.mark = excluded.mark THEN 'ignored' ELSE 'open' END,
    since = CASE WHEN difference.state = 'resolved' AND difference.ended_at < @read_at OR difference.state = 'ignored' AND difference.mark <> excluded.mark
        THEN excluded.since ELSE difference.since END,
    trouble = CASE WHEN difference.state = 'resolved' AND difference.ended_at < @read_at THEN '' ELSE difference.trouble END
RETURNING *;

-- name: GetDifference :one
SELECT * FROM difference WHERE id = @id;

-- name: LockDifference :one
SELECT * FROM difference WHERE id = @id FOR UPDATE;

-- name: DifferenceOf :one
SELECT * FROM difference WHERE kind = @kind AND object = @object;

-- name: ListDifferences :many
SELECT * FROM difference
WHERE (CAST(sqlc.narg(state) AS TEXT) IS NULL OR state = sqlc.narg(state))
  AND (CAST(sqlc.narg(kind) AS TEXT) IS NULL OR kind = sqlc.narg(kind))
  AND (NOT CAST(@only_sure AS BOOLEAN) OR sure)
  AND (since > @after OR (since = @after AND id > @after_id))
ORDER BY since, id LIMIT @batch;

-- name: CountDifferences :many
SELECT kind, state, COUNT(*) AS n, CAST(COALESCE(MIN(since), 0) AS BIGINT) AS oldest FROM difference WHERE state <> 'resolved' GROUP BY kind, state ORDER BY kind, state;

-- name: CountDoing :one
SELECT COUNT(*) FROM difference WHERE doing <> '' AND state <> 'resolved';

-- name: UndetailedDifferences :many
SELECT * FROM difference WHERE kind = 'customer' AND state <> 'resolved' AND tenant = '' AND details = '' AND id > @after ORDER BY id LIMIT @batch;

-- name: DetailDifference :exec
UPDATE difference SET details = @details, sure = @sure WHERE id = @id AND mark = @mark;

-- name: TouchDifferences :exec
UPDATE difference SET seen_at = @seen_at WHERE tenant = @tenant AND state <> 'resolved';

-- name: GoneDifferences :execrows
UPDATE difference SET state = 'resolved', ending = 'gone', reason = '', ended_by = 'system', ended_at = @now
WHERE state <> 'resolved' AND seen_at < @before AND doing = '';

-- name: SettleDifference :exec
UPDATE difference SET state = @state, doing = @doing, doing_by = @doing_by, doing_at = @doing_at, to_org = @to_org, to_account = @to_account, next_at = @next_at,
    tries = @tries, trouble = @trouble, ending = @ending, reason = @reason, ended_by = @ended_by, ended_at = @ended_at WHERE id = @id;

-- name: DueDifferences :many
SELECT * FROM difference WHERE doing <> '' AND next_at <= @now ORDER BY next_at, id LIMIT @batch;

-- name: NextDifference :one
SELECT CAST(COALESCE(MIN(next_at), 0) AS BIGINT) AS due FROM difference WHERE doing <> '';

-- name: AddSweep :execrows
INSERT INTO sweep (id, slot, phase, place, asked_by, note, started_at) VALUES (@id, @slot, 'list', '', @asked_by, '', @started_at) ON CONFLICT (slot) DO NOTHING;

-- name: SweepIn :one
SELECT * FROM sweep WHERE slot = @slot;

-- name: GetSweep :one
SELECT * FROM sweep WHERE id = @id;

-- name: LastSweep :one
SELECT * FROM sweep WHERE phase = 'done' ORDER BY started_at DESC, id DESC LIMIT 1;

-- name: SaveSweep :exec
UPDATE sweep SET slot = @slot, phase = @phase, place = @place, note = @note, customers = @customers, subscriptions = @subscriptions, found = @found, resolved = @resolved,
    adopted = @adopted, unseen = @unseen, started_at = @started_at, ended_at = @ended_at WHERE id = @id;

-- name: OldSweeps :exec
DELETE FROM sweep WHERE phase = 'done' AND ended_at < @before;
