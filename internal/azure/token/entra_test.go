package token_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/token"
	"causeway/internal/seal"
	"causeway/internal/store"
)

// entra is a token endpoint: each redemption of a refresh token kills it and gives
// the next one.
type entra struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	live     string // the one refresh token that is good
	number   int
	redeemed int
	apps     int
	amr      []string
	tenant   string // that tokens say they are of, "" = as asked
	refuse   map[string]string
	lose     bool          // the next answer is lost after its effect
	hold     chan struct{} // redemptions wait for it, if not nil
	arrived  chan struct{}
}

func newEntra(t *testing.T) *entra {
	e := &entra{t: t, amr: []string{"pwd", "mfa"}, refuse: map[string]string{}, arrived: make(chan struct{}, 100)}
	e.server = httptest.NewTLSServer(http.HandlerFunc(e.answer))
	t.Cleanup(e.server.Close)
	return e
}

func jwt(claims map[string]any) string {
	b, _ := json.Marshal(claims)
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(b) + ".sig"
}

func (e *entra) next() string {
	e.number++
	e.live = fmt.Sprintf("0.C4nary-refresh-%d", e.number)
	return e.live
}

func (e *entra) answer(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		e.t.Error(err)
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	grant := r.PostForm.Get("grant_type")
	e.arrived <- struct{}{}
	e.mu.Lock()
	hold := e.hold
	e.mu.Unlock()
	if hold != nil && grant == "refresh_token" {
		<-hold
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.PostForm.Get("client_secret") != secret {
		refuse(w, "AADSTS7000215: Invalid client secret")
		return
	}
	if text := e.refuse[tenant]; text != "" {
		refuse(w, text)
		return
	}
	of := tenant
	if e.tenant != "" {
		of = e.tenant
	}
	claims := map[string]any{"tid": of, "oid": "principal-of-" + tenant}
	out := map[string]any{"token_type": "Bearer", "expires_in": "3600", "resource": r.PostForm.Get("resource")}
	switch grant {
	case "client_credentials":
		e.apps++
		claims["n"] = e.apps
	case "authorization_code":
		if r.PostForm.Get("code") != "good-code" || r.PostForm.Get("redirect_uri") != back {
			refuse(w, "AADSTS54005: code already redeemed")
			return
		}
		claims["amr"], claims["upn"] = e.amr, "owner@partner.example"
		out["refresh_token"] = e.next()
		out["expires_in"] = 3600 // the second version sends numbers
	case "refresh_token":
		if r.PostForm.Get("refresh_token") != e.live {
			refuse(w, "AADSTS70000: the provided grant has been revoked")
			return
		}
		e.redeemed++
		claims["amr"], claims["n"] = e.amr, e.redeemed
		out["refresh_token"] = e.next()
	}
	if e.lose {
		e.lose = false
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = c.Close()
		}
		return
	}
	out["access_token"] = jwt(claims)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out)
}

func refuse(w http.ResponseWriter, text string) {
	w.WriteHeader(400)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": "invalid_grant", "error_description": text})
}

func (e *entra) set(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

// clock can be moved.
type clock struct {
	mu  sync.Mutex
	add time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.add)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add += d
}

type world struct {
	entra *entra
	db    *store.DB
	ring  *seal.Ring
	clock *clock
}

func newWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	ring, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	return &world{entra: newEntra(t), db: db, ring: ring, clock: &clock{}}
}

// process is one process with its own custody.
func (w *world) process(t *testing.T, name string) *token.Custody {
	t.Helper()
	pipe, err := azure.New(azure.Config{LoginURL: w.entra.server.URL, HTTP: w.entra.server.Client(), PartnerTenant: partner, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	return token.New(w.db, w.ring, pipe, name)
}

func (e *entra) redemptions() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.redeemed
}

func (e *entra) appTokens() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.apps
}
