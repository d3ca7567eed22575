// Package pgserver runs a real PostgreSQL of this machine for as long as this
// process lives: for tests, and for commands that measure or torture. It owns
// the server's process and folder; what is in its databases is its caller's.
//
// It is no way to run a database that anybody needs: it trusts every local
// user and does not wait for the disk (fsync=off). It survives being killed, not
// a power cut.
package pgserver

import (
	"context"
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
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is one PostgreSQL, on a socket in its folder.
type Server struct {
	dir  string
	own  bool // we made the folder and remove it
	bin  string
	attr *syscall.SysProcAttr

	mu   sync.Mutex
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
}

// patience is how long a start may take. 0.6 s is usual; after Kill the old
// processes must first notice that theirs is gone.
const patience = 60 * time.Second

// Start makes a server in dir, or runs again what an earlier one left there; ""
// is a fresh folder that goes with it. The folder's path must be short: a socket's
// name holds 107 bytes. It dies with this process, however that ends.
func Start(dir string) (*Server, error) {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bins) == 0 {
		return nil, errors.New("PostgreSQL is not installed (apt-get install postgresql)")
	}
	slices.Sort(bins)
	s := &Server{dir: dir, bin: bins[len(bins)-1], attr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	if dir == "" {
		sweep()
		s.own = true
		if s.dir, err = os.MkdirTemp("", "cwpg"); err != nil {
			return nil, err
		}
	}
	if err := s.asPostgres(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		c := s.command("initdb", "-D", s.data(), "-A", "trust", "-U", "causeway", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
		if out, err := c.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("initdb: %w\n%s", err, out)
		}
	}
	return s, s.Restart()
}

// asPostgres takes the system's user postgres where we are root: PostgreSQL
// refuses to run as root.
func (s *Server) asPostgres() error {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(s.dir, int(uid), int(gid))); err != nil { // #nosec G115 -- parsed as 32 bits
		return err
	}
	s.attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} // #nosec G115 -- parsed as 32 bits
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(context.Background(), filepath.Join(s.bin, name), args...) // #nosec G204 -- a fixed program with our own folder
	c.Dir, c.SysProcAttr = s.dir, s.attr
	return c
}

// DSN is how to reach a database of this server.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("host=%s user=causeway dbname=%s", s.dir, database)
}

// CreateDatabase makes an empty database.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	c, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return errors.Join(err, c.Close(ctx))
}

// Restart runs the server on the same data and the same socket, after Stop or
// Kill; one that runs is stopped in order first. Its clients connect anew.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(syscall.SIGINT)
	until := time.Now().Add(patience)
	for {
		err := s.launch(until)
		// After Kill the old server's children live on for a moment, and hold its memory.
		if err == nil || time.Now().After(until) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// launch starts the process and waits until it answers.
func (s *Server) launch(until time.Time) error {
	log, err := os.Create(filepath.Join(s.dir, "log")) // a file: a pipe would hold Wait up until the last child is gone
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	c := s.command("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
	c.Stderr = log
	gone := make(chan struct{})
	started := make(chan error)
	go keep(c, started, gone)
	if err := <-started; err != nil {
		return err
	}
	s.cmd, s.gone = c, gone
	for {
		ctx, cancel := context.WithDeadline(context.Background(), until)
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			err = conn.Close(ctx)
			cancel()
			return err
		}
		cancel()
		select {
		case <-gone:
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("PostgreSQL ended: %s", said)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			s.end(syscall.SIGKILL)
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		}
	}
}

// keep is the thread of a server: Pdeathsig is sent when the *thread* that started
// a process ends, so it stays with it.
func keep(c *exec.Cmd, started chan<- error, gone chan<- struct{}) {
	runtime.LockOSThread()
	err := c.Start()
	started <- err
	if err == nil {
		_ = c.Wait() // how it ended stands in its log
	}
	close(gone)
}

// Stop ends the server in order: its clients lose their connections, nothing
// that was committed is lost. A folder that it made itself goes too.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(syscall.SIGINT)
	if !s.own {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// Kill ends the server as a crash would, in the middle of whatever it does.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	// Its children would notice within moments, and answer until then.
	all := children(s.cmd.Process.Pid)
	s.end(syscall.SIGKILL)
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// children are the processes that a process started and that still run.
func children(parent int) (all []int) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, name := range stats {
		body, err := os.ReadFile(name) // #nosec G304 -- the kernel's
		if err != nil {
			continue // it ended meanwhile
		}
		_, rest, _ := strings.Cut(string(body), ") ") // after the name: state, parent
		pid, err1 := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if f := strings.Fields(rest); len(f) > 1 && err1 == nil && f[1] == strconv.Itoa(parent) {
			all = append(all, pid)
		}
	}
	return all
}

func (s *Server) end(how syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(how) // it may have ended by itself
	select {
	case <-s.gone:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.gone
	}
	s.cmd = nil
}

// sweep removes what servers of earlier programs left behind: they die with
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
