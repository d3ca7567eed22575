-- name: AddKey :execrows
INSERT INTO api_key (principal, key, hash, object, status, body, run, leased_until, created_at)
VALUES (@principal, @key, @hash, '', 0, '', @run, @leased_until, @created_at)
ON CONFLICT (principal, key) DO NOTHING;

-- name: GetKey :one
SELECT * FROM api_key WHERE principal = @principal AND key = @key;

-- name: TakeKey :execrows
UPDATE api_key SET run = @run, leased_until = @leased_until
WHERE principal = @principal AND key = @key AND status = 0 AND leased_until <= @now;

-- name: NoteObject :execrows
UPDATE api_key SET object = @object WHERE principal = @principal AND key = @key AND run = @run AND status = 0;

-- name: KeepAnswer :execrows
UPDATE api_key SET status = @status, body = @body WHERE principal = @principal AND key = @key AND run = @run AND status = 0;

-- name: DropKey :execrows
DELETE FROM api_key WHERE principal = @principal AND key = @key AND run = @run AND status = 0 AND object = '';

-- name: FreeKey :execrows
UPDATE api_key SET leased_until = 0 WHERE principal = @principal AND key = @key AND run = @run AND status = 0;
