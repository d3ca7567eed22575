-- name: AddSnapshot :exec
INSERT INTO usage_snapshot (id, partner, feed, invoice, month, currency, etag, fetched_at, replaced_at, replaced_by)
VALUES (@id, @partner, @feed, @invoice, @month, @currency, @etag, @fetched_at, 0, '');

-- name: ReplaceSnapshot :exec
UPDATE usage_snapshot SET replaced_at = @now, replaced_by = @by
WHERE partner = @partner AND feed = @feed AND invoice = @invoice AND month = @month AND currency = @currency AND replaced_at = 0;

-- name: NewestSnapshot :one
SELECT * FROM usage_snapshot
WHERE partner = @partner AND feed = @feed AND invoice = @invoice AND month = @month AND currency = @currency AND replaced_at = 0;

-- name: GetSnapshot :one
SELECT * FROM usage_snapshot WHERE id = @id;

-- name: SnapshotsAt :many
SELECT * FROM usage_snapshot
WHERE fetched_at <= @at AND (replaced_at = 0 OR replaced_at > @at)
  AND (CAST(sqlc.narg(partner) AS TEXT) IS NULL OR partner = sqlc.narg(partner))
  AND (CAST(sqlc.narg(feed) AS TEXT) IS NULL OR feed = sqlc.narg(feed))
  AND (CAST(sqlc.narg(invoice) AS TEXT) IS NULL OR invoice = sqlc.narg(invoice))
  AND (CAST(sqlc.narg(month) AS TEXT) IS NULL OR month = sqlc.narg(month))
  AND (CAST(sqlc.narg(currency) AS TEXT) IS NULL OR currency = sqlc.narg(currency))
ORDER BY month, invoice, currency, feed, id;

-- name: SnapshotHistory :many
SELECT * FROM usage_snapshot
WHERE partner = @partner AND feed = @feed AND invoice = @invoice AND month = @month AND currency = @currency
ORDER BY fetched_at DESC, id DESC;

-- name: AddFile :exec
INSERT INTO usage_file (snapshot, seq, name, size, sha256, place) VALUES (@snapshot, @seq, @name, @size, @sha256, @place);

-- name: Files :many
SELECT * FROM usage_file WHERE snapshot = @snapshot ORDER BY seq;

-- name: GetFile :one
SELECT * FROM usage_file WHERE snapshot = @snapshot AND name = @name;

-- name: AddFetch :exec
INSERT INTO usage_fetch (key, partner, feed, invoice, month, currency, state, snapshot, operation, etag, restarts, note, exchange, started_at, ended_at)
VALUES (@key, @partner, @feed, @invoice, @month, @currency, @state, @snapshot, '', '', 0, '', '', @started_at, 0)
ON CONFLICT DO NOTHING;

-- name: GetFetch :one
SELECT * FROM usage_fetch WHERE key = @key;

-- name: SaveFetch :exec
UPDATE usage_fetch SET partner = @partner, state = @state, snapshot = @snapshot, operation = @operation, etag = @etag, restarts = @restarts, note = @note, exchange = @exchange,
    started_at = @started_at, ended_at = @ended_at
WHERE key = @key;

-- name: FetchesOf :many
SELECT * FROM usage_fetch WHERE (CAST(sqlc.narg(month) AS TEXT) IS NULL OR month = sqlc.narg(month)) ORDER BY month, key;

-- name: AddFetchFile :exec
INSERT INTO usage_fetch_file (key, seq, name, size, sha256, place, tries, note) VALUES (@key, @seq, @name, 0, '', '', 0, '');

-- name: SaveFetchFile :exec
UPDATE usage_fetch_file SET size = @size, sha256 = @sha256, place = @place, tries = @tries, note = @note WHERE key = @key AND seq = @seq;

-- name: FetchFiles :many
SELECT * FROM usage_fetch_file WHERE key = @key ORDER BY seq;

-- name: ForgetFetchFiles :exec
DELETE FROM usage_fetch_file WHERE key = @key;

-- name: SeeInvoice :exec
INSERT INTO microsoft_invoice (id, currency, total, month, date, document, amends, pdf, pdf_size, pdf_hash, seen_at)
VALUES (@id, @currency, @total, @month, @date, @document, @amends, '', 0, '', @seen_at)
ON CONFLICT (id) DO UPDATE SET total = excluded.total, document = excluded.document, amends = excluded.amends, seen_at = excluded.seen_at;

-- name: KeepStatement :exec
UPDATE microsoft_invoice SET pdf = @pdf, pdf_size = @pdf_size, pdf_hash = @pdf_hash WHERE id = @id;

-- name: GetInvoice :one
SELECT * FROM microsoft_invoice WHERE id = @id;

-- name: Invoices :many
SELECT * FROM microsoft_invoice WHERE (CAST(sqlc.narg(month) AS TEXT) IS NULL OR month = sqlc.narg(month)) ORDER BY month, id;
