// Package storetest gives tests a real database: SQLite in a temporary file,
// and a real PostgreSQL that is started once for the test program.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"causeway/internal/store"
)

// Each runs f on SQLite and on PostgreSQL.
func Each(t *testing.T, f func(*testing.T, *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Open(t, Postgres(t))) })
}

// SQLite is a fresh embedded database.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, filepath.Join(t.TempDir(), "state.db"))
}

// Open opens url and closes it when the test ends.
func Open(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return db
}

// Postgres makes an empty database on the test program's PostgreSQL and gives
// its connection string.
func Postgres(t testing.TB) string {
	t.Helper()
	dir, err := server()
	if err != nil {
		t.Fatalf("PostgreSQL for tests: %v (install it with: apt-get install postgresql)", err)
	}
	name := "t" + strings.ReplaceAll(store.NewID(), "-", "")
	admin, err := sql.Open("pgx", dsn(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return dsn(dir, name)
}

func dsn(dir, name string) string {
	return fmt.Sprintf("host=%s user=causeway dbname=%s", dir, name)
}

// server starts PostgreSQL once; it dies with this process, by Pdeathsig.
var server = sync.OnceValues(start)

func start() (string, error) {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bins) == 0 {
		return "", errors.New("not installed")
	}
	slices.Sort(bins)
	bin := bins[len(bins)-1]
	sweep()
	dir, err := os.MkdirTemp("", "cwpg") // short: a socket's path holds 107 bytes
	if err != nil {
		return "", err
	}
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 { // PostgreSQL refuses root
		u, err := user.Lookup("postgres")
		if err != nil {
			return "", err
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
			return "", err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	run := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(bin, name), args...) // #nosec G204 -- a fixed program with our own folder
		c.Dir, c.SysProcAttr = dir, attr
		return c
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-A", "trust", "-U", "causeway", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	// Pdeathsig is sent when the starting *thread* ends, so that thread lives on.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		c := run("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
		err := c.Start()
		started <- err
		if err == nil {
			_ = c.Wait() // it ends with us
		}
	}()
	if err := <-started; err != nil {
		return "", err
	}
	db, err := sql.Open("pgx", dsn(dir, "postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil || ctx.Err() != nil {
			return dir, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// sweep removes what servers of earlier test programs left behind: they die with
// their program and cannot tidy up.
func sweep() {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), "cwpg*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < 2*time.Hour {
			continue // perhaps initdb at work: its process id is of no server and dies at once
		}
		body, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid")) // #nosec G304 -- our own folders
		if err != nil {
			continue // nothing says whose it was
		}
		first, _, _ := strings.Cut(string(body), "\n")
		pid, err := strconv.Atoi(first)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // somebody else may be quicker
		}
	}
}
