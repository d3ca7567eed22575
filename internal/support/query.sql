-- name: NextNumber :one
INSERT INTO support_counter (name, last) VALUES ('request', 1001)
ON CONFLICT (name) DO UPDATE SET last = support_counter.last + 1 RETURNING last;

-- name: AddRequest :exec
INSERT INTO support_request (id, number, kind, org, alias, state, subject, payload, asked_by, asked_name, asked_email, asked_at, answer_by)
VALUES (@id, @number, @kind, @org, @alias, 'open', @subject, @payload, @asked_by, @asked_name, @asked_email, @asked_at, @answer_by);

-- name: GetRequest :one
SELECT * FROM support_request WHERE id = @id;

-- name: RequestByNumber :one
SELECT * FROM support_request WHERE number = @number;

-- name: LockRequest :one
SELECT * FROM support_request WHERE id = @id FOR UPDATE;

-- name: OpenException :one
SELECT * FROM support_request WHERE kind = 'exception' AND state = 'open' AND org = @org AND alias = @alias FOR UPDATE;

-- name: WidenRequest :execrows
UPDATE support_request SET payload = @payload, version = version + 1 WHERE id = @id AND state = 'open';

-- name: DecideRequest :execrows
UPDATE support_request SET state = @state, decided_by = @decided_by, decided_name = @decided_name, decided_at = @decided_at, reason = @reason,
    until = @until, version = version + 1
WHERE id = @id AND state = @was;

-- name: GrantedExceptions :many
SELECT * FROM support_request WHERE kind = 'exception' AND state = 'granted' AND alias = @alias AND (until = 0 OR until > @at)
ORDER BY decided_at, id;

-- name: ListRequests :many
SELECT * FROM support_request
WHERE (CAST(sqlc.narg(org) AS TEXT) IS NULL OR org = sqlc.narg(org))
  AND (CAST(sqlc.narg(alias) AS TEXT) IS NULL OR alias = sqlc.narg(alias))
  AND (CAST(sqlc.narg(kind) AS TEXT) IS NULL OR kind = sqlc.narg(kind))
  AND (CAST(sqlc.narg(state) AS TEXT) IS NULL OR state = sqlc.narg(state))
  AND (asked_at < @before OR (asked_at = @before AND id < @before_id))
ORDER BY asked_at DESC, id DESC LIMIT @batch;

-- name: CountRequests :many
SELECT kind, state, COUNT(*) AS n FROM support_request
WHERE (CAST(sqlc.narg(org) AS TEXT) IS NULL OR org = sqlc.narg(org))
GROUP BY kind, state ORDER BY kind, state;

-- name: AddEntry :exec
INSERT INTO support_entry (id, request_id, at, actor, name, staff, kind, body) VALUES (@id, @request_id, @at, @actor, @name, @staff, @kind, @body);

-- name: Entries :many
SELECT * FROM support_entry WHERE request_id = @request_id ORDER BY at, id;

-- name: AddMail :execrows
INSERT INTO support_mail (id, key, recipient, name, subject, body, html, attachments, secret, state, made_at)
VALUES (@id, @key, @recipient, @name, @subject, @body, @html, @attachments, @secret, 'waiting', @made_at)
ON CONFLICT (key) DO NOTHING;

-- name: GetMail :one
SELECT * FROM support_mail WHERE id = @id;

-- name: MoveMail :execrows
UPDATE support_mail SET state = @state, attempt = attempt + 1, answer = @answer, sent_at = @sent_at,
    body = CASE WHEN secret AND @state = 'sent' THEN '' ELSE body END, html = CASE WHEN secret AND @state = 'sent' THEN '' ELSE html END
WHERE id = @id AND state = 'waiting';

-- name: RetryMail :execrows
UPDATE support_mail SET state = 'waiting', recipient = @recipient WHERE id = @id AND state = 'stuck';

-- name: WaitingMail :many
SELECT id FROM support_mail WHERE state = 'waiting' ORDER BY made_at, id;

-- name: ListMail :many
SELECT * FROM support_mail
WHERE (CAST(sqlc.narg(state) AS TEXT) IS NULL OR state = sqlc.narg(state))
  AND (made_at < @before OR (made_at = @before AND id < @before_id))
ORDER BY made_at DESC, id DESC LIMIT @batch;
