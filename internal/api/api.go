// Package api is the JSON API under /api/v1: routes, their forms, and the edge
// where an error becomes a problem document. Its OpenAPI document is made from
// the same declarations. It owns idempotency keys and nothing else: who may do
// what is asked where the deed is done (account.May), and every rule lives in
// its noun. Only bearer tokens open it; a cookie alone is nobody.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/azure/token"
	"causeway/internal/billing"
	"causeway/internal/guardrail"
	"causeway/internal/money"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/store"
	"causeway/internal/support"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Prefix is where the API is.
const Prefix = "/api/v1"

// Parts is what the API is made of.
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
	Signer     *agreement.Signer
	Guard      *guardrail.Book
	Desk       *support.Desk
	Mail       *support.Outbox
	Custody    *token.Custody
	Billing    *billing.Cycle
	PublicURL  string
	Version    string

	Closing <-chan struct{} // closed when this process stops: waiting calls are answered; nil: never

	// Doctor checks everything outside of the program; nil = not offered.
	Doctor func(context.Context) []Check
}

// Server answers the API.
type Server struct {
	Parts
	mux  *http.ServeMux
	huma huma.API
	ops  []Route
	top  http.Handler
}

// humaOnce: these are variables of the library's package, so they are set once, not
// by every server of a process.
var humaOnce sync.Once

func setHuma() {
	huma.NewError = problem
	huma.NewErrorWithContext = func(_ huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return problem(status, msg, errs...)
	}
	huma.DefaultArrayNullable = false
	huma.ValidateStrictCasing = true
}

// New makes the API. Every route is named in one of the route* methods.
func New(p Parts) *Server {
	s := &Server{Parts: p, mux: http.NewServeMux()}
	humaOnce.Do(setHuma)
	s.huma = humago.New(s.mux, s.document())
	s.routeTokens()
	s.routePeople()
	s.routeAccounts()
	s.routeBills()
	s.routeProviders()
	s.routeWizard()
	s.routeOnboardings()
	s.routeDifferences()
	s.routeRequests()
	s.routeAgreements()
	s.routeSettings()
	s.routePartner()
	s.routeBilling()
	s.routeBillingFiles()
	s.routeBillingSettings()
	s.routeBudgets()
	s.routeRecord()
	s.mux.HandleFunc("/", s.nowhere)
	s.top = s.edge(s.bearer(s.once(s.mux)))
	return s
}

// ServeHTTP answers one request below Prefix.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.top.ServeHTTP(w, r) }

// document is the frame of the OpenAPI document.
func (s *Server) document() huma.Config {
	c := huma.DefaultConfig("Causeway", "1")
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = Prefix+"/openapi", "", "", nil
	c.RejectUnknownQueryParameters = true
	c.Info.Description = "From sign-in to a working Azure subscription. Errors are problem documents (RFC 9457) whose refusals name field, reason and remedy. " +
		"Every write takes an Idempotency-Key: the same key with the same content is done once. Instants are RFC 3339 in UTC, days are UTC days, amounts are decimal text with their currency. " +
		"Lists are paged: pass next as after."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: "/", Description: "The server that this document came from"}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {
		Type: "http", Scheme: "bearer", Description: "An API token: causeway login, or POST " + Prefix + "/tokens/login.",
	}}
	c.Security = []map[string][]string{{"token": {}}}
	for _, t := range tags {
		c.Tags = append(c.Tags, &huma.Tag{Name: t.name, Description: t.text})
	}
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[money.Amount](), reflect.TypeFor[Money]())
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[Figure](), reflect.TypeFor[float64]())
	return c
}

// OpenAPI is the document, as YAML.
func (s *Server) OpenAPI() ([]byte, error) { return s.huma.OpenAPI().YAML() }

// Money is how an amount is written: {"amount":"1207.44","currency":"USD"}.
type Money struct {
	Amount   string `json:"amount" pattern:"^-?[0-9]{1,30}(\\.[0-9]{1,30})?$" example:"1207.44" doc:"Decimal text, exact."`
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" example:"USD" doc:"ISO 4217."`
}

// tags are the chapters of the document.
var tags = []struct{ name, text string }{
	{"tokens", "Who calls, and with what."},
	{"people", "Organizations and their people."},
	{"accounts", "Billing accounts: who pays."},
	{"directory", "What accounts are charged, in the shapes of the original directory."},
	{"providers", "What a customer owns and sees."},
	{"wizard", "The way of a provider from a draft to its submission."},
	{"onboardings", "The durable process behind a provider, for staff."},
	{"differences", "What is not the same here and at Microsoft, and what is done about it."},
	{"requests", "What people ask staff for."},
	{"agreements", "Terms, in versions."},
	{"settings", "What the partner decided."},
	{"partner", "The partner's own connection to Microsoft."},
	{"billing", "From Microsoft's exports to issued bills and a closed month, for staff."},
	{"budgets", "What an account should cost in a month, and who is told."},
	{"record", "Who did what, and the mail that was sent."},
}

// Route is one operation, as tests walk it.
type Route struct {
	ID, Method, Path string
	Action           account.Action // the right that it asks for; "" = any token, or none at all if Public
	Public           bool
}

// Routes lists every operation.
func (s *Server) Routes() []Route { return s.ops }

// nowhere answers what no route takes: 405 if another method would do.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = m
		if _, pattern := s.mux.Handler(probe); pattern != "/" && pattern != "" {
			allow = append(allow, m)
		}
	}
	if len(allow) > 0 {
		w.Header().Set("Allow", strings.Join(allow, ", "))
		writeProblem(w, problem(http.StatusMethodNotAllowed, "This address takes "+strings.Join(allow, ", ")+"."))
		return
	}
	writeProblem(w, problem(http.StatusNotFound, "There is no such address. The document at "+Prefix+"/openapi.json lists all."))
}
