package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"causeway/internal/fault"
)

// fileLock keeps a second process away from an SQLite file. The system gives it
// free when the process dies, however it dies.
type fileLock struct{ f *os.File }

func lockFile(name string) (*fileLock, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- the operator names the database file
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // #nosec G115 -- a file descriptor is small
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fault.New(fault.Conflict, "another process uses this database (%s is locked); stop it, or use PostgreSQL for several processes", name)
		}
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	return &fileLock{f}, nil
}

func (l *fileLock) Close() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}
