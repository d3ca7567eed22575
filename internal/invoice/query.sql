-- name: AddDocument :execrows
INSERT INTO invoice_document (id, key, kind, status, entity, org, account, cost_center, period, first_month, currency, total, number, seq, takes_back, body, hash, created_at, issued_at, changed_at)
VALUES (@id, @key, @kind, @status, @entity, @org, @account, @cost_center, @period, @first_month, @currency, @total, '', 0, @takes_back, @body, @hash, @created_at, 0, @created_at)
ON CONFLICT DO NOTHING;

-- name: ChangeDraft :execrows
UPDATE invoice_document SET first_month = @first_month, total = @total, body = @body, hash = @hash, changed_at = @now
WHERE id = @id AND status = 'draft';

-- name: LockDocument :one
SELECT * FROM invoice_document WHERE id = @id FOR UPDATE;

-- name: LockByKey :one
SELECT * FROM invoice_document WHERE key = @key FOR UPDATE;

-- name: GetDocument :one
SELECT * FROM invoice_document WHERE id = @id;

-- name: IssueDocument :execrows
UPDATE invoice_document SET status = 'issued', number = @number, seq = @seq, total = @total, body = @body, hash = @hash, issued_at = @now, changed_at = @now
WHERE id = @id AND status = 'draft';

-- name: MoveDocument :execrows
UPDATE invoice_document SET status = @status, changed_at = @now WHERE id = @id AND status = @was;

-- name: NumberedOfAccount :many
SELECT * FROM invoice_document
WHERE account = @account AND currency = @currency AND seq > 0 AND period >= @since AND first_month <= @since
ORDER BY seq;

-- name: DocumentsOfAccount :many
SELECT * FROM invoice_document
WHERE account = @account AND (period < @before OR (period = @before AND id < @before_id))
ORDER BY period DESC, id DESC LIMIT @batch;

-- name: DocumentsOfPeriod :many
SELECT * FROM invoice_document
WHERE period = @period AND (CAST(sqlc.narg(status) AS TEXT) IS NULL OR status = sqlc.narg(status)) AND id > @after
ORDER BY id LIMIT @batch;

-- name: DocumentsOfEntity :many
SELECT * FROM invoice_document WHERE entity = @entity AND seq > @after ORDER BY seq LIMIT @batch;

-- name: MakeSeries :exec
INSERT INTO invoice_series (entity, prefix, last) VALUES (@entity, @prefix, 0) ON CONFLICT (entity) DO NOTHING;

-- name: NextNumber :one
UPDATE invoice_series SET last = last + 1 WHERE entity = @entity RETURNING prefix, last;

-- name: GetSeries :one
SELECT * FROM invoice_series WHERE entity = @entity;
