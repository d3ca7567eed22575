-- name: Newest :one
SELECT * FROM partner_setting WHERE kind = @kind ORDER BY version DESC LIMIT 1;

-- name: NewestVersion :one
SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS version FROM partner_setting WHERE kind = @kind;

-- name: AddVersion :exec
INSERT INTO partner_setting (kind, version, body, changed_at, changed_by) VALUES (@kind, @version, @body, @changed_at, @changed_by);

-- name: History :many
SELECT * FROM partner_setting WHERE kind = @kind ORDER BY version DESC LIMIT @batch;
