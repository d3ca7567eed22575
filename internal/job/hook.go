package job

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// deaths are the places where this process kills itself, for the crash tests:
// CAUSEWAY_KILL=name#3,other#1 dies, as by kill -9, when the point "name" is
// reached for the third time or "other" for the first, whichever comes first, and
// says so on standard error; CAUSEWAY_KILL=? lists the points as they are reached.
// Without the variable a point costs one comparison.
var deaths, listing = parseKill(os.Getenv("CAUSEWAY_KILL"))

var hits struct {
	sync.Mutex
	of map[string]int
}

func parseKill(s string) (map[string]int, bool) {
	if s == "" || s == "?" {
		return nil, s == "?"
	}
	m := map[string]int{}
	for one := range strings.SplitSeq(s, ",") {
		name, count, _ := strings.Cut(one, "#")
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 {
			n = 1
		}
		m[name] = n
	}
	return m, false
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
	if listing {
		_, _ = os.Stderr.WriteString("point " + name + "\n")
	}
	at := deaths[name]
	if at == 0 {
		return
	}
	hits.Lock()
	defer hits.Unlock()
	if hits.of == nil {
		hits.of = map[string]int{}
	}
	if hits.of[name]++; hits.of[name] == at {
		_, _ = os.Stderr.WriteString("killed at " + name + "\n")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way; nothing more may happen
	}
}
