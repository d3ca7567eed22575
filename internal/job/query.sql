-- name: AddJob :exec
INSERT INTO job (id, kind, key, args, due_at, created_at) VALUES (@id, @kind, @key, @args, @due_at, @created_at)
ON CONFLICT (kind, key) WHERE done_at IS NULL DO UPDATE SET due_at = CASE WHEN job.due_at < excluded.due_at THEN job.due_at ELSE excluded.due_at END,
    wake_at = excluded.due_at;

-- name: ClaimJobs :many
UPDATE job SET leased_until = @lease, fence = fence + 1, attempt = attempt + 1, worker = @worker, wake_at = 0
WHERE id IN (SELECT j.id FROM job j WHERE j.done_at IS NULL AND j.due_at <= @now AND j.leased_until <= @now
               AND (CAST(sqlc.narg(kind) AS TEXT) IS NULL OR j.kind = sqlc.narg(kind))
             ORDER BY j.due_at, j.id LIMIT @batch FOR UPDATE SKIP LOCKED)
RETURNING *;

-- name: RenewLease :execrows
UPDATE job SET leased_until = @lease WHERE id = @id AND fence = @fence AND done_at IS NULL;

-- name: FinishJob :execrows
UPDATE job SET done_at = @now, leased_until = 0 WHERE id = @id AND fence = @fence AND done_at IS NULL;

-- name: EndJob :execrows
UPDATE job SET done_at = @now, leased_until = 0 WHERE id = @id AND fence = @fence AND done_at IS NULL AND wake_at = 0;

-- name: AgainJob :execrows
UPDATE job SET due_at = wake_at, wake_at = 0, leased_until = 0, attempt = 0, last_error = '' WHERE id = @id AND fence = @fence AND done_at IS NULL;

-- name: LaterJob :execrows
UPDATE job SET due_at = CASE WHEN wake_at > 0 AND wake_at < @due_at THEN wake_at ELSE @due_at END, wake_at = 0,
    leased_until = 0, attempt = @attempt, last_error = @last_error
WHERE id = @id AND fence = @fence AND done_at IS NULL;

-- name: WakeJob :execrows
UPDATE job SET due_at = CASE WHEN due_at < @now THEN due_at ELSE @now END, wake_at = @now WHERE kind = @kind AND key = @key AND done_at IS NULL;

-- name: DropJob :execrows
UPDATE job SET done_at = @now, fence = fence + 1 WHERE kind = @kind AND key = @key AND done_at IS NULL;

-- name: FreeWorker :execrows
UPDATE job SET leased_until = 0 WHERE worker LIKE @name AND worker <> @worker AND leased_until > 0 AND done_at IS NULL;

-- name: FreeOwn :execrows
UPDATE job SET leased_until = 0 WHERE worker = @worker AND leased_until > 0 AND done_at IS NULL;

-- name: FreeAll :execrows
UPDATE job SET leased_until = 0, fence = fence + 1 WHERE done_at IS NULL;

-- name: OpenJobs :many
SELECT * FROM job WHERE done_at IS NULL ORDER BY due_at, id;

-- name: OpenOf :one
SELECT * FROM job WHERE kind = @kind AND key = @key AND done_at IS NULL;

-- name: NextDue :one
SELECT CAST(COALESCE(MIN(CASE WHEN leased_until > due_at THEN leased_until ELSE due_at END), 0) AS BIGINT) AS due FROM job WHERE done_at IS NULL;

-- name: Purge :execrows
DELETE FROM job WHERE done_at IS NOT NULL AND done_at < @before;
