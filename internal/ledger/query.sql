-- name: AddEntry :execrows
INSERT INTO ledger_entry (key, day, period, note, reverses, postings, hash, posted_at)
VALUES (@key, @day, @period, @note, @reverses, @postings, @hash, @posted_at)
ON CONFLICT DO NOTHING;

-- name: AddPosting :exec
INSERT INTO ledger_posting (entry, seq, period, debit, credit, currency, amount, memo)
VALUES (@entry, @seq, @period, @debit, @credit, @currency, @amount, @memo);

-- name: GetEntry :one
SELECT * FROM ledger_entry WHERE key = @key;

-- name: ReversalOf :one
SELECT * FROM ledger_entry WHERE reverses = @key AND reverses <> '';

-- name: PostingsOf :many
SELECT * FROM ledger_posting WHERE entry = @entry ORDER BY seq;

-- name: Entries :many
SELECT * FROM ledger_entry
WHERE key > @after AND (CAST(sqlc.narg(period) AS TEXT) IS NULL OR period = sqlc.narg(period))
ORDER BY key LIMIT @batch;

-- name: PostingsOfPeriod :many
SELECT * FROM ledger_posting
WHERE period = @period AND (entry > @after OR (entry = @after AND seq > @after_seq))
ORDER BY entry, seq LIMIT @batch;

-- name: PostingsOfAccount :many
SELECT * FROM ledger_posting
WHERE (debit = @account OR credit = @account)
  AND (CAST(sqlc.narg(period) AS TEXT) IS NULL OR period = sqlc.narg(period))
  AND (entry > @after OR (entry = @after AND seq > @after_seq))
ORDER BY entry, seq LIMIT @batch;

-- name: Periods :many
SELECT * FROM ledger_period ORDER BY period;

-- name: MakePeriod :exec
INSERT INTO ledger_period (period, entries, closed_at, closed_by) VALUES (@period, 0, 0, '') ON CONFLICT (period) DO NOTHING;

-- name: CountEntry :execrows
UPDATE ledger_period SET entries = entries + 1 WHERE period = @period AND closed_at = 0;

-- name: ClosePeriod :execrows
UPDATE ledger_period SET closed_at = @now, closed_by = @actor WHERE period = @period AND closed_at = 0;
