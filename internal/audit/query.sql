-- name: LockHead :one
SELECT seq, hash FROM audit_head WHERE org = @org FOR UPDATE;

-- name: MakeHead :exec
INSERT INTO audit_head (org, seq, hash) VALUES (@org, 0, '') ON CONFLICT (org) DO NOTHING;

-- name: MoveHead :exec
UPDATE audit_head SET seq = @seq, hash = @hash WHERE org = @org;

-- name: AddEntry :exec
INSERT INTO audit_entry (org, seq, at, actor, action, object, detail, address, prev, hash)
VALUES (@org, @seq, @at, @actor, @action, @object, @detail, @address, @prev, @hash);

-- name: Chain :many
SELECT * FROM audit_entry WHERE org = @org AND seq > @after ORDER BY seq LIMIT @batch;

-- name: Orgs :many
SELECT org, seq, hash FROM audit_head ORDER BY org;

-- name: Newest :many
SELECT * FROM audit_entry
WHERE (CAST(sqlc.narg(org) AS TEXT) IS NULL OR org = sqlc.narg(org))
  AND (CAST(sqlc.narg(object) AS TEXT) IS NULL OR object = sqlc.narg(object))
  AND at < @before
ORDER BY at DESC, org, seq DESC LIMIT @batch;
