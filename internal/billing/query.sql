-- name: SaveMonth :exec
INSERT INTO billing_month (month, account, currency, billed, as_of, rated_at, sell, cost, cost_currency, sold, margin, earned, gain, cells)
VALUES (@month, @account, @currency, @billed, @as_of, @rated_at, @sell, @cost, @cost_currency, @sold, @margin, @earned, @gain, @cells)
ON CONFLICT (account, month) DO UPDATE SET currency = excluded.currency, billed = excluded.billed, as_of = excluded.as_of, rated_at = excluded.rated_at,
    sell = excluded.sell, cost = excluded.cost, cost_currency = excluded.cost_currency, sold = excluded.sold, margin = excluded.margin,
    earned = excluded.earned, gain = excluded.gain, cells = excluded.cells;

-- name: MonthsOf :many
SELECT * FROM billing_month WHERE account = @account AND month >= @first AND month <= @last ORDER BY month;

-- name: MonthTotals :many
SELECT account, month, currency, billed, as_of, rated_at, sell, cost, cost_currency, sold, margin, earned, gain
FROM billing_month WHERE month = @month ORDER BY account;

-- name: ForgetMonth :exec
DELETE FROM billing_month WHERE account = @account AND month = @month;

-- name: NewestSetting :one
SELECT * FROM billing_setting WHERE kind = @kind ORDER BY version DESC LIMIT 1;

-- name: AddSetting :exec
INSERT INTO billing_setting (kind, version, body, changed_at, changed_by) VALUES (@kind, @version, @body, @changed_at, @changed_by);

-- name: AddSnapshot :execrows
INSERT INTO billing_snapshot (id, partner, feed, invoice, month, currency, fetched_at, first_day, last_day, body, loaded_at, replaced_at, dropped_at)
VALUES (@id, @partner, @feed, @invoice, @month, @currency, @fetched_at, @first_day, @last_day, @body, @loaded_at, @replaced_at, 0)
ON CONFLICT (id) DO NOTHING;

-- name: NewestSnapshot :one
SELECT * FROM billing_snapshot
WHERE partner = @partner AND feed = @feed AND invoice = @invoice AND month = @month AND currency = @currency AND replaced_at = 0 FOR UPDATE;

-- name: ReplaceSnapshot :exec
UPDATE billing_snapshot SET replaced_at = @now WHERE id = @id AND replaced_at = 0;

-- name: SnapshotsOfDays :many
SELECT * FROM billing_snapshot
WHERE replaced_at = 0 AND ((first_day <= @last_day AND last_day >= @first_day AND first_day <> '') OR month = @month)
ORDER BY month, currency, feed, invoice, id;

-- name: SnapshotsOfInvoice :many
SELECT * FROM billing_snapshot WHERE invoice = @invoice AND invoice <> '' AND replaced_at = 0 ORDER BY feed, id;

-- name: LastEstimate :one
SELECT * FROM billing_snapshot
WHERE partner = @partner AND feed = 'rated' AND invoice = '' AND month = @month AND currency = @currency AND dropped_at = 0 AND first_day <> ''
ORDER BY fetched_at DESC, id DESC LIMIT 1;

-- name: OldSnapshots :many
SELECT * FROM billing_snapshot WHERE replaced_at > 0 AND replaced_at < @before AND dropped_at = 0 ORDER BY fetched_at LIMIT 100;

-- name: DropSnapshot :exec
UPDATE billing_snapshot SET dropped_at = @now WHERE id = @id;

-- name: OwnersOf :many
SELECT t.azure_id, a.entitlement, a.account, a.from_day, a.to_day
FROM association a JOIN tenant t ON t.id = a.tenant
WHERE a.state = 'confirmed' AND t.azure_id <> '' AND a.from_day <= @last_day AND (a.to_day = '' OR (a.to_day >= @first_day AND a.to_day >= a.from_day))
ORDER BY t.azure_id, a.entitlement, a.from_day, a.id;

-- name: OwnersOfTenants :many
SELECT t.azure_id, a.entitlement, a.account, a.from_day, a.to_day
FROM association a JOIN tenant t ON t.id = a.tenant
WHERE a.state = 'confirmed' AND t.azure_id <> '' AND a.from_day <= @last_day AND (a.to_day = '' OR (a.to_day >= @first_day AND a.to_day >= a.from_day))
    AND t.azure_id IN (
        SELECT t2.azure_id FROM association a2 JOIN tenant t2 ON t2.id = a2.tenant WHERE a2.account = @account
        UNION SELECT b.tenant FROM billing_assignment b WHERE b.account = @account)
ORDER BY t.azure_id, a.entitlement, a.from_day, a.id;

-- name: AddAssignment :exec
INSERT INTO billing_assignment (id, tenant, entitlement, account, from_day, to_day, why, made_at, made_by)
VALUES (@id, @tenant, @entitlement, @account, @from_day, @to_day, @why, @made_at, @made_by);

-- name: Assignments :many
SELECT * FROM billing_assignment WHERE from_day <= @last_day AND to_day >= @first_day ORDER BY made_at, id;

-- name: AssignmentsOfTenants :many
SELECT b.* FROM billing_assignment b
WHERE b.from_day <= @last_day AND b.to_day >= @first_day AND b.tenant IN (
    SELECT t.azure_id FROM association a JOIN tenant t ON t.id = a.tenant WHERE a.account = @account
    UNION SELECT x.tenant FROM billing_assignment x WHERE x.account = @account)
ORDER BY b.made_at, b.id;

-- name: SaveRated :exec
INSERT INTO billing_rated (month, basis, billed, accounts, rated_at) VALUES (@month, @basis, @billed, @accounts, @rated_at)
ON CONFLICT (month) DO UPDATE SET basis = excluded.basis, billed = excluded.billed, accounts = excluded.accounts, rated_at = excluded.rated_at;

-- name: GetRated :one
SELECT * FROM billing_rated WHERE month = @month;

-- name: RatedMonths :many
SELECT * FROM billing_rated ORDER BY month DESC LIMIT @batch;

-- name: SaveCharge :exec
INSERT INTO billing_charge (account, month, currency, billed, trouble, body, hash, billed_hash)
VALUES (@account, @month, @currency, @billed, @trouble, @body, @hash, '')
ON CONFLICT (account, month) DO UPDATE SET currency = excluded.currency, billed = excluded.billed, trouble = excluded.trouble, body = excluded.body, hash = excluded.hash;

-- name: ChargeHashes :many
SELECT account, hash FROM billing_charge WHERE month = @month ORDER BY account;

-- name: ChargesToBill :many
SELECT account, month, billed, hash, billed_hash FROM billing_charge
WHERE account = @account AND month >= @first AND month <= @last ORDER BY month;

-- name: GetCharge :one
SELECT * FROM billing_charge WHERE account = @account AND month = @month;

-- name: AccountsToBill :many
SELECT DISTINCT account FROM billing_charge WHERE month >= @first AND month <= @last AND account <> '' ORDER BY account;

-- name: AccountsCharged :many
SELECT account, currency, billed, trouble FROM billing_charge WHERE month = @month AND account <> '' ORDER BY account;

-- name: ChargeIssued :exec
UPDATE billing_charge SET billed_hash = @billed_hash WHERE account = @account AND month = @month;

-- name: ChargeTakenBack :exec
UPDATE billing_charge SET billed_hash = '' WHERE account = @account;

-- name: FirstBilled :one
SELECT CAST(COALESCE(MIN(first_month), '') AS TEXT) AS month FROM invoice_document WHERE seq > 0;

-- name: DocumentKeys :many
SELECT id, key, status FROM invoice_document WHERE account = @account AND period = @period ORDER BY created_at, id;

-- name: CostCenters :many
SELECT DISTINCT cost_center FROM invoice_document WHERE account = @account AND seq > 0 ORDER BY cost_center;

-- name: EarlierDrafts :many
SELECT key FROM invoice_document WHERE account = @account AND period < @period AND status = 'draft' ORDER BY period;

-- name: DraftIDs :many
SELECT id FROM invoice_document WHERE period = @period AND status = 'draft' ORDER BY account, key;

-- name: AccountsWithDocuments :many
SELECT DISTINCT account FROM invoice_document WHERE seq > 0 AND period >= @month AND first_month <= @month ORDER BY account;

-- name: SaveUndrafted :exec
INSERT INTO billing_undrafted (month, account, reason, waits, since) VALUES (@month, @account, @reason, @waits, @since)
ON CONFLICT (month, account) DO UPDATE SET reason = excluded.reason, waits = excluded.waits;

-- name: ForgetUndrafted :exec
DELETE FROM billing_undrafted WHERE month = @month AND account = @account;

-- name: UndraftedOf :many
SELECT * FROM billing_undrafted WHERE month = @month ORDER BY waits, account;

-- name: LockStatement :one
SELECT * FROM billing_statement WHERE invoice = @invoice FOR UPDATE;

-- name: SaveStatement :exec
INSERT INTO billing_statement (invoice, month, currency, body, posted, revision, carried, carried_of, computed_at)
VALUES (@invoice, @month, @currency, @body, @posted, @revision, '', '', @computed_at)
ON CONFLICT (invoice) DO UPDATE SET body = excluded.body, posted = excluded.posted, revision = excluded.revision, computed_at = excluded.computed_at;

-- name: CarryStatement :execrows
UPDATE billing_statement SET carried = @carried, carried_of = @carried_of WHERE invoice = @invoice;

-- name: StatementsOf :many
SELECT * FROM billing_statement WHERE month = @month ORDER BY invoice;

-- name: ForgetDifferences :exec
DELETE FROM billing_difference WHERE invoice = @invoice AND bridge = @bridge;

-- name: AddDifference :exec
INSERT INTO billing_difference (invoice, bridge, account, class, currency, amount, things, evidence)
VALUES (@invoice, @bridge, @account, @class, @currency, @amount, @things, @evidence);

-- name: DifferencesOf :many
SELECT * FROM billing_difference WHERE invoice = @invoice ORDER BY bridge, class, account;

-- name: AddFile :exec
INSERT INTO billing_file (document, sha256, size, kept_at) VALUES (@document, @sha256, @size, @kept_at) ON CONFLICT (document) DO NOTHING;

-- name: GetFile :one
SELECT * FROM billing_file WHERE document = @document;

-- name: NumberedOfMonth :many
SELECT id FROM invoice_document WHERE account = @account AND period = @period AND seq > 0 ORDER BY entity, seq;

-- name: SnapshotsAt :many
SELECT * FROM billing_snapshot
WHERE loaded_at <= @at AND (replaced_at = 0 OR replaced_at > @at) AND ((first_day <= @last_day AND last_day >= @first_day AND first_day <> '') OR month = @month)
ORDER BY month, currency, feed, invoice, id;

-- name: SnapshotInPlace :one
SELECT id FROM billing_snapshot
WHERE partner = @partner AND feed = @feed AND invoice = @invoice AND month = @month AND currency = @currency AND dropped_at = 0
ORDER BY fetched_at DESC, id DESC LIMIT 1;

-- name: IssuedBetween :many
SELECT id, kind, entity, seq, body FROM invoice_document WHERE seq > 0 AND issued_at >= @first AND issued_at < @until AND (entity > @after_entity OR (entity = @after_entity AND seq > @after_seq))
ORDER BY entity, seq LIMIT @batch;

-- name: DocumentBody :one
SELECT kind, body FROM invoice_document WHERE id = @id AND seq > 0;

-- name: AccountingHook :one
SELECT * FROM accounting_hook WHERE id = 'hook';

-- name: SaveAccountingHook :exec
INSERT INTO accounting_hook (id, url, secret, changed_at, changed_by) VALUES ('hook', @url, @secret, @changed_at, @changed_by)
ON CONFLICT (id) DO UPDATE SET url = excluded.url, secret = excluded.secret, changed_at = excluded.changed_at, changed_by = excluded.changed_by;

-- name: AddAccountingEvent :exec
INSERT INTO accounting_event (id, made_at, due_at, attempts, answer, delivered_at) VALUES (@id, @made_at, @made_at, 0, '', 0)
ON CONFLICT (id) DO NOTHING;

-- name: DueAccountingEvents :many
SELECT * FROM accounting_event WHERE delivered_at = 0 AND due_at <= @now ORDER BY made_at, id LIMIT @batch;

-- name: NextAccountingEvent :one
SELECT CAST(COALESCE(MIN(due_at), 0) AS BIGINT) AS due FROM accounting_event WHERE delivered_at = 0;

-- name: AccountingDelivered :exec
UPDATE accounting_event SET delivered_at = @now, attempts = attempts + 1, answer = @answer WHERE id = @id AND delivered_at = 0;

-- name: AccountingFailed :exec
UPDATE accounting_event SET attempts = attempts + 1, answer = @answer, due_at = @due_at WHERE id = @id AND delivered_at = 0;

-- name: OpenAccountingEvents :many
SELECT * FROM accounting_event WHERE delivered_at = 0 ORDER BY made_at, id LIMIT @batch;

-- name: CountDocuments :many
SELECT status, COUNT(*) AS many, CAST(SUM(CASE WHEN seq > 0 THEN 1 ELSE 0 END) AS BIGINT) AS numbered FROM invoice_document WHERE period = @period GROUP BY status ORDER BY status;

-- name: BudgetsOf :many
SELECT * FROM billing_budget WHERE account = @account ORDER BY entitlement;

-- name: GetBudget :one
SELECT * FROM billing_budget WHERE account = @account AND entitlement = @entitlement;

-- name: LockBudget :one
SELECT * FROM billing_budget WHERE account = @account AND entitlement = @entitlement FOR UPDATE;

-- name: BudgetsToWatch :many
SELECT account, entitlement FROM billing_budget
WHERE from_month <= @month AND (account > @after_account OR (account = @after_account AND entitlement > @after_entitlement))
ORDER BY account, entitlement LIMIT @batch;

-- name: AddBudget :exec
INSERT INTO billing_budget (account, entitlement, amount, currency, thresholds, recipients, ask, from_month, owner, version, changed_at, changed_by)
VALUES (@account, @entitlement, @amount, @currency, @thresholds, @recipients, @ask, @from_month, @owner, 1, @changed_at, @changed_by);

-- name: SetBudget :execrows
UPDATE billing_budget SET amount = @amount, currency = @currency, thresholds = @thresholds, recipients = @recipients, ask = @ask, from_month = @from_month,
    owner = @owner, version = version + 1, changed_at = @changed_at, changed_by = @changed_by
WHERE account = @account AND entitlement = @entitlement AND version = @version;

-- name: DropBudget :execrows
DELETE FROM billing_budget WHERE account = @account AND entitlement = @entitlement;

-- name: AlertsInForce :many
SELECT * FROM billing_budget_alert WHERE account = @account AND entitlement = @entitlement AND month = @month AND rearmed_at = 0 ORDER BY basis, percent;

-- name: AddAlert :exec
INSERT INTO billing_budget_alert (id, account, entitlement, month, basis, percent, amount, currency, spent, month_end, low, high, recipients, request, made_at, rearmed_at)
VALUES (@id, @account, @entitlement, @month, @basis, @percent, @amount, @currency, @spent, @month_end, @low, @high, @recipients, @request, @made_at, 0);

-- name: RearmAlert :exec
UPDATE billing_budget_alert SET rearmed_at = @now WHERE id = @id AND rearmed_at = 0;

-- name: RearmAll :exec
UPDATE billing_budget_alert SET rearmed_at = @now WHERE account = @account AND entitlement = @entitlement AND rearmed_at = 0;

-- name: AlertsOf :many
SELECT * FROM billing_budget_alert WHERE account = @account ORDER BY made_at DESC, id DESC LIMIT @batch;

-- name: PaysForSubscription :one
SELECT CAST((SELECT COUNT(*) FROM provider p WHERE p.account = @account AND p.subscription = @entitlement)
    + (SELECT COUNT(*) FROM association a WHERE a.account = @account AND a.entitlement = @entitlement) AS BIGINT) AS many;

-- name: ChargeTrouble :one
SELECT trouble FROM billing_charge WHERE account = @account AND month = @month;
