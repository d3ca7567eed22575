-- name: Newest :one
SELECT * FROM guardrail_catalogue ORDER BY version DESC LIMIT 1;

-- name: NewestVersion :one
SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS version FROM guardrail_catalogue;

-- name: OneVersion :one
SELECT * FROM guardrail_catalogue WHERE version = @version;

-- name: AddVersion :exec
INSERT INTO guardrail_catalogue (version, body, note, changed_at, changed_by) VALUES (@version, @body, @note, @changed_at, @changed_by);

-- name: History :many
SELECT * FROM guardrail_catalogue ORDER BY version DESC LIMIT @batch;
