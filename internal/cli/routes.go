package cli

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"causeway/internal/api"
	"causeway/internal/store"
)

// Handler joins portal, API and health behind the one log line per request.
func (a *App) Handler() http.Handler {
	root := http.NewServeMux()
	root.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	root.HandleFunc("GET /readyz", a.ready)
	root.Handle(api.Prefix+"/", a.API())
	for pattern, strip := range api.Root {
		root.Handle(pattern, http.StripPrefix(strip, below(api.Prefix, a.API())))
	}
	root.HandleFunc("GET "+callbackPath, consentPage)
	if a.Config.web() {
		root.Handle("/", a.portal())
	}
	return a.logged(root)
}

// below serves an address under a prefix that it came without.
func below(prefix string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.Clone(r.Context())
		at.URL.Path, at.URL.RawPath = prefix+r.URL.Path, ""
		h.ServeHTTP(w, at)
	})
}

// callbackPath is where Entra ID sends the browser after the partner's sign-in.
const callbackPath = "/staff/microsoft/callback"

// consentPage is the page at the end of the partner's sign-in. The code in its
// address is of use only together with the application's secret, once, and for
// minutes; the person takes it to the terminal that waits for it.
func consentPage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if r.URL.Query().Get("code") == "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("The sign-in was not completed. Start again with: causeway partner connect\n"))
		return
	}
	_, _ = w.Write([]byte("Signed in. Copy the whole address of this page into the terminal in which causeway partner connect waits.\n"))
}

// ready tells whether this process can serve: its database answers, and it was
// not asked to stop. The database was brought to its version before we listened.
func (a *App) ready(w http.ResponseWriter, r *http.Request) {
	if a.draining.Load() {
		http.Error(w, "this process stops", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := a.DB.Ping(ctx); err != nil {
		a.Config.Log.Warn("not ready", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// seen is what the log line says of an answer.
type seen struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (s *seen) WriteHeader(code int) {
	if s.status == 0 && code >= 200 {
		s.status = code
	}
	s.ResponseWriter.WriteHeader(code)
}

func (s *seen) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	n, err := s.ResponseWriter.Write(b)
	s.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection: the progress stream
// flushes and lifts its deadline.
func (s *seen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// logged gives every request an id, which error pages show, and one log line.
// Queries are not logged: a signatory's link or a search may stand in them.
func (a *App) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := store.NewID()
		r.Header.Set("X-Request-Id", id) // ours, whatever was sent
		r.RemoteAddr = caller(r)
		w.Header().Set("X-Request-Id", id)
		if a.draining.Load() {
			w.Header().Set("Connection", "close") // agreed with the proxy: a connection that is cut could take a request with it
		}
		s := &seen{ResponseWriter: w}
		defer func() {
			p := recover()
			if err, is := p.(error); is && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			level := slog.LevelInfo
			if p != nil {
				level = slog.LevelError
				a.Config.Log.Error("a request broke", "request", id, "panic", p)
				if s.status == 0 {
					http.Error(s, "Something broke on our side. Its number is "+id+".", http.StatusInternalServerError)
				}
			}
			a.Config.Log.Log(r.Context(), level, "request", "request", id, "method", r.Method, "path", redactPath(r.URL.Path), "status", s.status,
				"bytes", s.bytes, "ms", time.Since(began).Milliseconds(), "address", r.RemoteAddr)
		}()
		next.ServeHTTP(s, r)
	})
}

// redactPath hides what opens a door by itself: the token of a signatory's link.
func redactPath(p string) string {
	if strings.HasPrefix(p, "/sign/") {
		return "/sign/…"
	}
	return p
}

// caller is the caller's network address. The header of a proxy counts only if
// the proxy is on this machine, as docs/production.md sets it up: anybody else
// could write there what they like, and get around the limit on sign-ins.
func caller(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return host
	}
	all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if last := net.ParseIP(strings.TrimSpace(all[len(all)-1])); last != nil {
		return last.String()
	}
	return host
}

// serverLog takes what net/http complains about: bad handshakes, mostly.
func serverLog(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelWarn) }
