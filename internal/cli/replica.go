package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// replica is one of several servers on a world's database. It keeps its name and
// its address over restarts.
type replica struct {
	w     *world
	c     worldConfig
	name  string
	url   string // http://127.0.0.1:port
	extra []string
	env   []string // variables of its next start
	p     *process
}

// replica starts a server with a name of its own; extra are further arguments.
func (w *world) replica(ctx context.Context, c worldConfig, name string, extra ...string) (*replica, error) {
	r := &replica{w: w, c: c, name: name, extra: extra}
	return r, r.start(ctx)
}

// start runs it, as what w.program is now.
func (r *replica) start(ctx context.Context) error {
	ready := filepath.Join(r.w.dir, r.name+"-ready")
	_ = os.Remove(ready)
	args := append([]string{"serve"}, r.w.serveArgs(r.c)...)
	args = append(args, "--worker-name", r.name, "--listen", firstOf(strings.TrimPrefix(r.url, "http://"), "127.0.0.1:0"), "--ready-file", ready)
	p, err := r.w.launch(ctx, r.c.log, r.env, r.name, ready, append(args, r.extra...)...)
	if p != nil {
		r.p = p
	}
	if err != nil {
		return err
	}
	b, err := os.ReadFile(ready) // #nosec G304 -- our own file
	r.url = strings.TrimSpace(string(b))
	if r.w.server == "" {
		r.w.server = r.url
	}
	return err
}

// end stops it in order.
func (r *replica) end(ctx context.Context) error {
	_ = r.p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.p.done:
	case <-time.After(30 * time.Second):
		_ = r.p.cmd.Process.Signal(syscall.SIGQUIT) // it tells what every goroutine waits for
		<-r.p.done
		return fmt.Errorf("%s does not stop\n%s", r.name, r.p.log)
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.p.err != nil {
		return fmt.Errorf("%s ended with %w\n%s", r.name, r.p.err, r.p.log)
	}
	return nil
}

// kill ends it as kill -9 and a power cut do.
func (r *replica) kill() {
	_ = r.p.cmd.Process.Kill()
	<-r.p.done
}
