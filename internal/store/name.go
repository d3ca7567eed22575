package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"causeway/internal/fault"
)

// nameCheck is how often a name's connection is looked at. A database that was
// restarted has forgotten the name, and a second process could take it.
const nameCheck = 3 * time.Second

// HoldName takes a name for this process until release: a second process that
// asks for it is refused. On SQLite the file's lock says so already. After a
// restart of the database the name is taken again.
func (db *DB) HoldName(ctx context.Context, name string) (release func() error, err error) {
	if db.lite {
		return func() error { return nil }, nil
	}
	c, err := db.takeName(ctx, name)
	if err != nil {
		return nil, err
	}
	hold, end := context.WithCancel(context.WithoutCancel(ctx))
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(nameCheck)
		defer tick.Stop()
		for {
			select {
			case <-hold.Done():
				return
			case <-db.closed:
				return
			case <-tick.C:
			}
			if c != nil && c.PingContext(hold) == nil || hold.Err() != nil {
				continue
			}
			if c != nil {
				_ = c.Close() // broken
			}
			c, _ = db.takeName(hold, name) // away, or somebody else was quicker: the fences keep both honest meanwhile
		}
	})
	return func() error {
		end()
		watching.Wait()
		if c == nil {
			return nil
		}
		_, err := c.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
		if IsAway(err) {
			err = nil // it went with the connection
		}
		return errors.Join(err, c.Close())
	}, nil
}

// takeName takes it on a connection of its own: an advisory lock belongs to its
// connection and dies with it.
func (db *DB) takeName(ctx context.Context, name string) (*sql.Conn, error) {
	c, err := db.write.Conn(ctx)
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
	return c, nil
}
