package job

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// killAt is the place where this process kills itself, for the crash tests:
// CAUSEWAY_KILL=name#3 dies, as by kill -9, when the point "name" is reached for
// the third time; CAUSEWAY_KILL=? lists the points on standard error as they are
// reached. Without the variable a point costs one comparison.
var killAt, killHit = parseKill(os.Getenv("CAUSEWAY_KILL"))

var hits struct {
	sync.Mutex
	n int
}

func parseKill(s string) (string, int) {
	name, count, _ := strings.Cut(s, "#")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		n = 1
	}
	return name, n
}

// hook is what OnPoint was given.
var hook atomic.Pointer[func(name string)]

// OnPoint calls f at every point from now on, in the goroutine that reached it;
// nil ends that. f may never return (runtime.Goexit) or return late: to this
// package that is a worker that died, or that was paused. It is for tests that
// crash a program without ending the process, and one at a time may use it.
func OnPoint(f func(name string)) {
	if f == nil {
		hook.Store(nil)
		return
	}
	hook.Store(&f)
}

// Point names a place at which a crash test may kill the process.
func Point(name string) {
	if f := hook.Load(); f != nil {
		(*f)(name)
	}
	if killAt == "?" {
		_, _ = os.Stderr.WriteString("point " + name + "\n")
	}
	if killAt == "" || name != killAt {
		return
	}
	hits.Lock()
	defer hits.Unlock()
	if hits.n++; hits.n == killHit {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way; nothing more may happen
	}
}
