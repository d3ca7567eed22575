-- name: AddDocument :exec
INSERT INTO agreement_document (id, kind, country, language, version, title, body, link, hash, note, valid_from, published_at, published_by)
VALUES (@id, @kind, @country, @language, @version, @title, @body, @link, @hash, @note, @valid_from, @published_at, @published_by);

-- name: GetDocument :one
SELECT * FROM agreement_document WHERE id = @id;

-- name: Documents :many
SELECT * FROM agreement_document ORDER BY kind, country, language, version DESC;

-- name: DocumentsFor :many
SELECT * FROM agreement_document WHERE kind = @kind AND (country = @country OR country = '*') AND valid_from <= @at
ORDER BY version DESC, id;

-- name: DocumentsOf :many
SELECT * FROM agreement_document WHERE kind = @kind AND country = @country ORDER BY version DESC, valid_from DESC, id;

-- name: AddAcceptance :execrows
INSERT INTO agreement_acceptance (id, org, alias, attempt, document_id, user_id, name, email, login, at, address, hash, way, reference)
VALUES (@id, @org, @alias, @attempt, @document_id, @user_id, @name, @email, @login, @at, @address, @hash, @way, @reference)
ON CONFLICT (alias, attempt, document_id, user_id, email) DO NOTHING;

-- name: CountAcceptances :many
SELECT document_id, COUNT(DISTINCT alias) AS accounts FROM agreement_acceptance GROUP BY document_id;

-- name: AcceptancesOf :many
SELECT sqlc.embed(a), sqlc.embed(d) FROM agreement_acceptance a JOIN agreement_document d ON d.id = a.document_id
WHERE a.alias = @alias ORDER BY a.at DESC, a.id DESC;

-- name: AcceptancesFor :many
SELECT sqlc.embed(a), sqlc.embed(d) FROM agreement_acceptance a JOIN agreement_document d ON d.id = a.document_id
WHERE a.attempt = @attempt ORDER BY a.at DESC, a.id DESC;

-- name: AddInvitation :exec
INSERT INTO agreement_invitation (id, org, alias, attempt, company, name, email, country, language, login, asked_by, asked_name, asked_email,
    asked_at, expires_at, remind_at, state)
VALUES (@id, @org, @alias, @attempt, @company, @name, @email, @country, @language, @login, @asked_by, @asked_name, @asked_email,
    @asked_at, @expires_at, @remind_at, 'asked');

-- name: AddToken :exec
INSERT INTO agreement_invitation_token (hash, invitation_id) VALUES (@hash, @invitation_id);

-- name: GetInvitation :one
SELECT * FROM agreement_invitation WHERE id = @id;

-- name: LockInvitation :one
SELECT * FROM agreement_invitation WHERE id = @id FOR UPDATE;

-- name: InvitationByToken :one
SELECT i.* FROM agreement_invitation i JOIN agreement_invitation_token t ON t.invitation_id = i.id WHERE t.hash = @hash;

-- name: InvitationFor :one
SELECT * FROM agreement_invitation WHERE attempt = @attempt ORDER BY asked_at DESC, id DESC LIMIT 1;

-- name: MoveInvitation :execrows
UPDATE agreement_invitation SET state = @state, opened_at = @opened_at, closed_at = @closed_at, signed_name = @signed_name, why = @why
WHERE id = @id AND state = @was;

-- name: RemindInvitation :execrows
UPDATE agreement_invitation SET remind_at = @remind_at, reminders = @reminders
WHERE id = @id AND state IN ('asked', 'opened') AND reminders = @was;

-- name: AddReceipt :execrows
INSERT INTO agreement_receipt (id, org, alias, attempt, stage, body, made_at) VALUES (@id, @org, @alias, @attempt, @stage, @body, @made_at)
ON CONFLICT (attempt, stage) DO NOTHING;

-- name: GetReceipt :one
SELECT * FROM agreement_receipt WHERE id = @id;

-- name: ReceiptOf :one
SELECT * FROM agreement_receipt WHERE attempt = @attempt AND stage = @stage;

-- name: ReceiptsOf :many
SELECT * FROM agreement_receipt WHERE alias = @alias ORDER BY made_at DESC, id DESC;

-- name: ReceiptsFor :many
SELECT * FROM agreement_receipt WHERE attempt = @attempt ORDER BY made_at DESC, id DESC;
