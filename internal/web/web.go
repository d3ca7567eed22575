// Package web is the portal: what people see and do in a browser. It owns
// routes, sessions and the one edge where a fault becomes a page; it fills the
// structs of package ui with words that are ready to be read. It decides
// nothing: who may do what is account's, what happens is provision's.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/billing"
	"causeway/internal/guardrail"
	"causeway/internal/invoice"
	"causeway/internal/partner"
	"causeway/internal/price"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/support"
	"causeway/internal/usage"
	"causeway/internal/web/static"
	"causeway/internal/web/ui"

	"github.com/alexedwards/scs/v2"
)

// Parts is what the portal is made of.
type Parts struct {
	DB         *store.DB
	Now        func() time.Time
	Log        *slog.Logger
	People     *account.Directory
	Settings   *partner.Settings
	Providers  *provider.Inventory
	Provision  *provision.Runner
	Terms      *agreement.Register
	Signatures *agreement.Signatures
	Guard      *guardrail.Book
	Desk       *support.Desk
	Mail       *support.Outbox
	Months     *billing.Months
	Invoices   *invoice.Book
	Prices     *price.Book
	Records    Records        // nil: only sums are shown
	Billing    *billing.Cycle // nil: months cannot be closed here

	PublicURL   string // how people reach the portal
	FrameSource string // origins, by blanks, whose pages may be embedded: Microsoft's attestation page; "" = none
	Secure      bool   // people reach us by https only: the cookie says so, and so do we

	Simulated string          // "Simulated Microsoft · 20× speed"; empty at the real one
	Demo      []ui.DemoSignIn // the demo's people, shown at the sign-in; nobody elsewhere
	Closing   <-chan struct{} // closed when this process stops: streams end; nil: never
	Health    func() []Health // how the partner's connection is; nil: not shown
}

// Records is what is behind a figure: the charges of a slice of an account's month,
// rated again with the terms of that month, and its records as Microsoft sent them.
// It is billing.Cycle, where there is a lake.
type Records interface {
	// Charges gives every charge of the slice.
	Charges(ctx context.Context, s billing.Slice) ([]rating.Charge, error)
	// Records gives a page of single records, and where the next one begins ("" = nowhere).
	Records(ctx context.Context, s billing.Slice, after string, limit int, columns ...string) ([]usage.Record, string, error)
	// Usage gives all usage of these months, each account's month by itself: what the
	// price lab replays.
	Usage(ctx context.Context, from, to usage.Month, each func(rating.AccountMonth) error) error
}

// Health is one line of what is well or not about the connection to Microsoft.
type Health struct {
	State string // ok, warn or fail
	Title string
	Text  string
}

// Server is the portal.
type Server struct {
	Parts
	sessions *scs.SessionManager
	mux      *http.ServeMux
	csp      string

	mu    sync.Mutex
	usual usual // how long onboardings take, remembered for a minute
}

// sessionLife is how long a sign-in lasts: a working day. It is not prolonged,
// so that reading a page writes nothing.
const sessionLife = 12 * time.Hour

// New makes the portal.
func New(p Parts) http.Handler {
	s := &Server{Parts: p, sessions: scs.New(), mux: http.NewServeMux()}
	s.sessions.Store = p.People.SessionStore()
	s.sessions.Lifetime = sessionLife
	s.sessions.Cookie.Name = "session"
	s.sessions.Cookie.HttpOnly = true
	s.sessions.Cookie.SameSite = http.SameSiteLaxMode // Strict would sign people out who come from a link in a mail
	s.sessions.Cookie.Persist = false
	if p.Secure {
		s.sessions.Cookie.Name, s.sessions.Cookie.Secure = "__Host-session", true
	}
	s.csp = policy(p.FrameSource)
	for _, r := range s.routes() {
		s.mux.Handle(r.pattern, s.edge(r))
	}
	s.mux.Handle("GET /static/", static.Handler())
	s.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		s.Log.Error("session", "request", reference(r), "error", err)
		http.Error(w, "The portal cannot read sessions at the moment. Try again in a minute.", http.StatusServiceUnavailable)
	}
	cross := http.NewCrossOriginProtection()
	if u, err := url.Parse(p.PublicURL); err == nil && u.Host != "" {
		_ = cross.AddTrustedOrigin(u.Scheme + "://" + u.Host) // a name that is no origin is trusted by nobody
	}
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This form was sent from another website, so it was not taken. Open the portal and send it there.", http.StatusForbidden)
	}))
	return s.headers(cross.Handler(s.mux))
}

// policy is the Content-Security-Policy: no script, style or form of anybody
// else, and no frame but Microsoft's page.
func policy(frames string) string {
	p := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	if frames = strings.Join(strings.Fields(strings.NewReplacer(";", "", ",", "").Replace(frames)), " "); frames != "" {
		p += "; frame-src " + frames
	}
	return p
}

// headers sets what every answer carries.
func (s *Server) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", s.csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // an address of ours may be a signatory's link
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
