package store

import (
	"context"
	"errors"
	"fmt"

	"causeway/internal/fault"
)

// HoldName takes a name for this process until release: a second process that
// asks for it is refused. On SQLite the file's lock says so already.
func (db *DB) HoldName(ctx context.Context, name string) (release func() error, err error) {
	if db.lite {
		return func() error { return nil }, nil
	}
	c, err := db.write.Conn(ctx) // an advisory lock belongs to its connection and dies with it
	if err != nil {
		return nil, fmt.Errorf("hold name: %w", err)
	}
	var got bool
	if err := c.QueryRowContext(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name).Scan(&got); err != nil {
		return nil, errors.Join(fmt.Errorf("hold name: %w", err), c.Close())
	}
	if !got {
		_ = c.Close()
		return nil, fault.New(fault.Conflict, "another process holds the name %q; give each replica its own (--worker-name)", name)
	}
	return func() error {
		_, err := c.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
		return errors.Join(err, c.Close())
	}, nil
}
