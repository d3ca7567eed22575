package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/azure/token"
	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

const (
	partner  = "b1d70a69-4c42-4b27-b17b-91a835d86860"
	customer = "c2d70a69-4c42-4b27-b17b-91a835d86861"
	secret   = "C4nary-app-secret+/="
	resource = "https://api.partnercenter.microsoft.com"
	back     = "https://portal.example/back"
)

// connect sets the application and consents.
func (w *world) connect(t *testing.T, c *token.Custody) {
	t.Helper()
	if err := c.SetApplication(t.Context(), token.By{Actor: "user:1"}, partner, "app-1", secret); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RedeemCode(t.Context(), token.By{Actor: "user:1"}, back, "good-code"); err != nil {
		t.Fatal(err)
	}
}

func user(tenant string) azure.TokenRequest {
	return azure.TokenRequest{As: azure.AppUser, Tenant: tenant, Resource: resource}
}

func each(t *testing.T, f func(*testing.T, *world)) {
	storetest.Each(t, func(t *testing.T, db *store.DB) { f(t, newWorld(t, db)) })
}

func TestTheConsentGivesTokensThatAreKept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.process(t, "a")
		if _, err := c.Partner(t.Context()); !errors.Is(err, fault.NotFound) {
			t.Errorf("before anything: %v", err)
		}
		if _, err := c.Token(t.Context(), user("")); !errors.Is(err, fault.Forbidden) {
			t.Errorf("a token before the consent: %v", err)
		}
		w.connect(t, c)
		p, err := c.Partner(t.Context())
		if err != nil || !p.Consented || p.ConsentedBy != "owner@partner.example" || p.AppID != "app-1" || p.Alarm != nil {
			t.Errorf("%+v, %v", p, err)
		}
		first, err := c.Token(t.Context(), user(""))
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.Token(t.Context(), user(strings.ToUpper(partner)))
		if err != nil || again != first || w.entra.redemptions() != 1 {
			t.Errorf("%v, %d redemptions", err, w.entra.redemptions())
		}
		other, err := c.Token(t.Context(), user(customer))
		if err != nil || other == first {
			t.Errorf("another tenant's token: %v", err)
		}
		w.clock.advance(56 * time.Minute) // an hour less five minutes
		later, err := c.Token(t.Context(), user(""))
		if err != nil || later == first || w.entra.redemptions() != 3 {
			t.Errorf("a token at its end is not renewed: %v, %d redemptions", err, w.entra.redemptions())
		}
		restarted := w.process(t, "a")
		if got, err := restarted.Token(t.Context(), user("")); err != nil || got != later || w.entra.redemptions() != 3 {
			t.Errorf("a restart costs a redemption: %v", err)
		}
	})
}

// Two processes want a token at once: one redeems, the other gets what it stored.
func TestTwoHoldersRedeemOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.process(t, "a"), w.process(t, "b")
		w.connect(t, a)
		<-w.entra.arrived
		hold := make(chan struct{})
		w.entra.set(func() { w.entra.hold = hold })
		type result struct {
			token string
			err   error
		}
		got := make(chan result, 2)
		for _, c := range []*token.Custody{a, b} {
			go func() {
				tok, err := c.Token(t.Context(), user(""))
				got <- result{tok, err}
			}()
		}
		<-w.entra.arrived // one of them is at Entra ID; now the other can only wait
		close(hold)
		one, two := <-got, <-got
		if one.err != nil || two.err != nil || one.token != two.token {
			t.Errorf("%v, %v, same token %v", one.err, two.err, one.token == two.token)
		}
		if w.entra.redemptions() != 1 {
			t.Errorf("%d redemptions", w.entra.redemptions())
		}
		select {
		case <-w.entra.arrived:
			t.Error("a second redemption was tried")
		default:
		}
	})
}

// A holder that was paused beyond its lease finds its fence gone: what it brings
// back must not replace what the new holder stored.
func TestAHolderWhoseLeaseEndedDoesNotOverwrite(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		slow, fast := w.process(t, "slow"), w.process(t, "fast")
		w.connect(t, slow)
		<-w.entra.arrived
		hold := make(chan struct{})
		w.entra.set(func() { w.entra.hold = hold })
		type result struct {
			token string
			err   error
		}
		late := make(chan result, 1)
		go func() {
			tok, err := slow.Token(t.Context(), user(""))
			late <- result{tok, err}
		}()
		<-w.entra.arrived                              // slow holds the lease and is under way
		w.entra.set(func() { w.entra.hold = nil })     // the next one goes through
		w.clock.advance(time.Minute)                   // its lease is over
		want, err := fast.Token(t.Context(), user("")) // takes over, redeems, stores
		good := ""
		w.entra.set(func() { good = w.entra.live })
		if err != nil {
			t.Fatal(err)
		}
		w.entra.set(func() { w.entra.live = "0.C4nary-refresh-1" }) // Entra honours the old one for a grace
		close(hold)
		r := <-late
		if r.err != nil || r.token != want {
			t.Errorf("the late holder got %v; it should get what the other stored", r.err)
		}
		if w.entra.redemptions() != 2 {
			t.Fatalf("%d redemptions: the late one did not happen, so nothing is shown", w.entra.redemptions())
		}
		w.entra.set(func() { w.entra.live = good }) // only the fast holder's token is good
		w.clock.advance(2 * time.Hour)
		if _, err := slow.Token(t.Context(), user("")); err != nil {
			t.Errorf("the good refresh token was overwritten: %v", err)
		}
	})
}

func TestALostAnswerIsAskedForAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.process(t, "a")
		w.connect(t, c)
		w.entra.set(func() { w.entra.lose = true })
		_, err := c.Token(t.Context(), user(""))
		if !errors.Is(err, fault.Unavailable) || azure.Unknown(err) {
			t.Fatalf("a lost answer: %v, unknown %v", err, azure.Unknown(err))
		}
		p, err := c.Partner(t.Context())
		if err != nil || p.UnknownSince.IsZero() || p.Alarm != nil {
			t.Errorf("%+v, %v", p, err)
		}
		w.entra.set(func() { w.entra.live = "0.C4nary-refresh-1" }) // the old one is honoured for a while
		if _, err := c.Token(t.Context(), user("")); err != nil {
			t.Errorf("asked again: %v", err)
		}
		if p, err = c.Partner(t.Context()); err != nil || !p.UnknownSince.IsZero() {
			t.Errorf("the doubt stays: %+v, %v", p, err)
		}
	})
}

func TestALostTokenIsAnAlarmThatSaysSo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.process(t, "a")
		w.connect(t, c)
		w.entra.set(func() { w.entra.lose = true })
		if _, err := c.Token(t.Context(), user("")); err == nil {
			t.Fatal("no error")
		}
		_, err := c.Token(t.Context(), user("")) // the old one is refused at once
		var alarm *token.Alarm
		if !errors.As(err, &alarm) || alarm.Code != "lost-refresh-token" || !strings.Contains(alarm.Remedy, "partner connect") {
			t.Fatalf("error = %v", err)
		}
		if !errors.Is(err, fault.Forbidden) || strings.Contains(fmt.Sprintf("%v %+v", err, azure.AsError(err)), "C4nary") {
			t.Errorf("error = %v", err)
		}
		before := len(w.entra.arrived)
		if _, err := w.process(t, "b").Token(t.Context(), user("")); !errors.As(err, &alarm) {
			t.Errorf("another process: %v", err)
		}
		if len(w.entra.arrived) != before {
			t.Error("a refused credential is tried again at once")
		}
		w.connect(t, c)
		if _, err := c.Token(t.Context(), user("")); err != nil {
			t.Errorf("after a new consent: %v", err)
		}
		if p, err := c.Partner(t.Context()); err != nil || p.Alarm != nil {
			t.Errorf("the alarm stays: %+v, %v", p, err)
		}
	})
}

func TestEachCauseOfAnAlarmHasItsRemedy(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	c := w.process(t, "a")
	w.connect(t, c)
	for text, words := range map[string]string{
		"AADSTS50173: revoked":      "revoked",
		"AADSTS700082: inactive":    "90 days",
		"AADSTS50076: MFA":          "without it",
		"AADSTS50078: MFA expired":  "expired",
		"AADSTS53003: blocked":      "Conditional Access",
		"AADSTS7000222: old secret": "secret has expired",
		"AADSTS123456: whatever":    "AADSTS123456",
	} {
		w.entra.set(func() { w.entra.refuse[partner] = text })
		w.clock.advance(2 * time.Minute) // beyond the pause after an alarm
		_, err := c.Token(t.Context(), user(""))
		var alarm *token.Alarm
		if !errors.As(err, &alarm) || !strings.Contains(alarm.Reason, words) || alarm.Remedy == "" || azure.Classify(err) != azure.F {
			t.Errorf("%s: %v", text, err)
		}
		p, err := c.Partner(t.Context())
		if err != nil || p.Alarm == nil || !strings.HasPrefix(text, p.Alarm.Code) {
			t.Errorf("%s is not kept: %+v, %v", text, p.Alarm, err)
		}
	}
}

// A new tenant refuses us until our consent has arrived there; that is no fault of
// the partner's credential.
func TestARefusalOfACustomersTenantIsNoAlarm(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.process(t, "a")
		w.connect(t, c)
		for _, text := range []string{"AADSTS65001: no consent", "AADSTS700016: not found", "AADSTS53003: a rule of the customer"} {
			w.entra.set(func() { w.entra.refuse[customer] = text })
			for _, as := range []azure.Identity{azure.AppUser, azure.AppOnly} {
				_, err := c.Token(t.Context(), azure.TokenRequest{As: as, Tenant: customer, Resource: resource})
				var alarm *token.Alarm
				if err == nil || errors.As(err, &alarm) || !strings.HasPrefix(text, azure.CodeOf(err)) {
					t.Errorf("%s: %v", text, err)
				}
			}
		}
		if azure.Classify(&azure.Error{Status: 400, Code: "AADSTS65001"}) != azure.R3 {
			t.Error("a consent on its way is not waited for")
		}
		w.entra.set(func() { delete(w.entra.refuse, customer) })
		if _, err := c.Token(t.Context(), user(customer)); err != nil {
			t.Errorf("after the consent has arrived: %v", err)
		}
		if p, err := c.Partner(t.Context()); err != nil || p.Alarm != nil {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

func TestASignInWithoutMFAIsRefused(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	c := w.process(t, "a")
	w.connect(t, c)
	w.entra.set(func() { w.entra.amr = []string{"pwd"} })
	_, err := c.RedeemCode(t.Context(), token.By{Actor: "user:1"}, back, "good-code")
	var alarm *token.Alarm
	if !errors.As(err, &alarm) || alarm.Code != azure.CodeNoMFA {
		t.Fatalf("a consent without MFA: %v", err)
	}
	w.entra.set(func() { w.entra.live = "0.C4nary-refresh-1" })
	if _, err := c.Token(t.Context(), user("")); !errors.As(err, &alarm) || alarm.Code != azure.CodeNoMFA {
		t.Errorf("a token without MFA: %v", err)
	}
	w.entra.set(func() { w.entra.amr = []string{"mfa"} })
	w.clock.advance(2 * time.Minute)
	if _, err := c.Token(t.Context(), user("")); err != nil {
		t.Errorf("the rotated token was not kept: %v", err)
	}
}

func TestASignInOfAnotherTenantIsRefused(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	c := w.process(t, "a")
	if err := c.SetApplication(t.Context(), token.By{Actor: "user:1"}, partner, "app-1", secret); err != nil {
		t.Fatal(err)
	}
	w.entra.set(func() { w.entra.tenant = customer })
	if _, err := c.RedeemCode(t.Context(), token.By{Actor: "user:1"}, back, "good-code"); !errors.Is(err, fault.Invalid) {
		t.Errorf("error = %v", err)
	}
	if p, err := c.Partner(t.Context()); err != nil || p.Consented {
		t.Errorf("it was kept: %+v, %v", p, err)
	}
}

func TestAProcessWithoutTheKeyCallsNobody(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.connect(t, w.process(t, "worker"))
	before := len(w.entra.arrived)
	w.ring = nil
	web := w.process(t, "web")
	for _, as := range []azure.Identity{azure.AppOnly, azure.AppUser} {
		_, err := web.Token(t.Context(), azure.TokenRequest{As: as, Resource: resource})
		if !errors.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), "key") {
			t.Errorf("error = %v", err)
		}
	}
	if p, err := web.Partner(t.Context()); err != nil || !p.Consented {
		t.Errorf("it cannot show the state: %+v, %v", p, err)
	}
	if _, err := web.RefreshIfOlder(t.Context(), 0); !errors.Is(err, fault.Forbidden) {
		t.Errorf("error = %v", err)
	}
	if len(w.entra.arrived) != before {
		t.Error("it called Microsoft")
	}
}

func TestTheRefreshTokenIsRenewedWeekly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.process(t, "a")
		w.connect(t, c)
		if _, err := c.Token(t.Context(), user("")); err != nil {
			t.Fatal(err)
		}
		if did, err := c.RefreshIfOlder(t.Context(), 6*24*time.Hour); err != nil || did {
			t.Errorf("a fresh one: %v, %v", did, err)
		}
		w.clock.advance(7 * 24 * time.Hour)
		if did, err := c.RefreshIfOlder(t.Context(), 6*24*time.Hour); err != nil || !did || w.entra.redemptions() != 2 {
			t.Errorf("a week later: %v, %v, %d redemptions", did, err, w.entra.redemptions())
		}
	})
}

func TestARefusedTokenIsNotGivenAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a, b := w.process(t, "a"), w.process(t, "b")
		w.connect(t, a)
		first, err := a.Token(t.Context(), user(customer))
		if err != nil {
			t.Fatal(err)
		}
		a.Drop(t.Context(), user(customer), "another token")
		if got, err := a.Token(t.Context(), user(customer)); err != nil || got != first {
			t.Errorf("another token's refusal dropped ours: %v", err)
		}
		a.Drop(t.Context(), user(customer), first)
		second, err := a.Token(t.Context(), user(customer))
		if err != nil || second == first {
			t.Errorf("the refused token is given again: %v", err)
		}
		if got, err := b.Token(t.Context(), user(customer)); err != nil || got != second {
			t.Errorf("the other process: %v", err)
		}
		if err := a.DropTenant(t.Context(), customer); err != nil {
			t.Fatal(err)
		}
		if got, err := a.Token(t.Context(), user(customer)); err != nil || got == second {
			t.Errorf("after a new consent the old token is given: %v", err)
		}
	})
}

func TestACallerThatGivesUpDoesNotLoseTheToken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		c := w.process(t, "a")
		w.connect(t, c)
		<-w.entra.arrived
		hold := make(chan struct{})
		w.entra.set(func() { w.entra.hold = hold })
		ctx, giveUp := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.Token(ctx, user(""))
			done <- err
		}()
		<-w.entra.arrived
		giveUp()
		close(hold)
		<-done
		w.entra.set(func() { w.entra.hold = nil })
		w.clock.advance(2 * time.Hour)
		if _, err := c.Token(t.Context(), user("")); err != nil {
			t.Errorf("the rotated refresh token is lost: %v", err)
		}
	})
}

// A process that was killed while it held the lease has it back at once; another
// waits until the lease ends.
func TestARestartedProcessTakesItsOwnLease(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		dead := w.process(t, "a")
		w.connect(t, dead)
		<-w.entra.arrived
		hold := make(chan struct{})
		w.entra.set(func() { w.entra.hold = hold })
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = dead.Token(t.Context(), user("")) // never comes back in time
		}()
		<-w.entra.arrived
		w.entra.set(func() { w.entra.hold = nil })
		other := make(chan error, 1)
		go func() {
			_, err := w.process(t, "b").Token(t.Context(), user(""))
			other <- err
		}()
		var err error
		for waited, ends := 0, false; !ends; {
			select {
			case err = <-other:
				ends = true
			case <-time.After(5 * time.Millisecond):
				if waited++; waited < 15 { // seconds: longer than a call waits, shorter than the lease
					w.clock.advance(time.Second)
				}
			}
		}
		if f := fault.Of(err); f == nil || f.Kind != fault.Unavailable || f.After == 0 {
			t.Errorf("another process while the lease is held: %v", err)
		}
		if _, err := w.process(t, "a").Token(t.Context(), user("")); err != nil {
			t.Errorf("its own lease from before makes it wait: %v", err)
		}
		close(hold)
		<-gone
	})
}

func TestOurPrincipalIsReadFromItsToken(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	c := w.process(t, "a")
	w.connect(t, c)
	for range 2 {
		oid, err := c.Principal(t.Context(), customer)
		if err != nil || oid != "principal-of-"+customer {
			t.Errorf("%q, %v", oid, err)
		}
	}
	if w.entra.appTokens() != 1 || w.entra.redemptions() != 0 {
		t.Errorf("%d tokens of the application, %d redemptions", w.entra.appTokens(), w.entra.redemptions())
	}
}

func TestTheAddressOfTheConsent(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	c := w.process(t, "a")
	if _, err := c.AuthorizeURL(t.Context(), back, "s1"); !errors.Is(err, fault.Forbidden) {
		t.Errorf("before the application is known: %v", err)
	}
	if err := c.SetApplication(t.Context(), token.By{Actor: "user:1"}, partner, "app-1", secret); err != nil {
		t.Fatal(err)
	}
	text, err := c.AuthorizeURL(t.Context(), back, "s1")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Path != "/"+partner+"/oauth2/v2.0/authorize" || q.Get("client_id") != "app-1" || q.Get("redirect_uri") != back || q.Get("state") != "s1" ||
		q.Get("response_type") != "code" || !strings.Contains(q.Get("scope"), "offline_access") {
		t.Errorf("URL = %s", text)
	}
	if _, err := c.RedeemCode(t.Context(), token.By{Actor: "user:1"}, back, "used-code"); err == nil || !strings.Contains(err.Error(), "used already") {
		t.Errorf("a spent code: %v", err)
	}
}

// Nothing of a credential lies readable in the database, an error or an exchange.
func TestSecretsOfThePartnerAreNowhere(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var records []azure.Exchange
		ctx := azure.WithRecorder(t.Context(), func(_ context.Context, x azure.Exchange) { records = append(records, x) })
		c := w.process(t, "a")
		w.connect(t, c)
		tok, err := c.Token(ctx, user(""))
		if err != nil || len(records) != 1 {
			t.Fatalf("%d exchanges, %v", len(records), err)
		}
		seen := fmt.Sprintf("%+v", records)
		for _, query := range []string{
			"SELECT app_secret || refresh_token || consented_by FROM partner_credential",
			"SELECT token FROM partner_access",
			"SELECT detail FROM audit_entry ORDER BY seq LIMIT 1",
		} {
			var text string
			if err := w.db.Read().QueryRowContext(t.Context(), query).Scan(&text); err != nil {
				t.Fatal(err)
			}
			seen += text
		}
		if strings.Contains(seen, "C4nary") || strings.Contains(seen, tok) {
			t.Errorf("a secret can be read: %s", seen)
		}
		var n int
		if err := w.db.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM audit_entry").Scan(&n); err != nil || n != 2 {
			t.Errorf("%d audit entries for application and consent, %v", n, err)
		}
	})
}

// The documented answer of the first version, whose numbers are texts.
func TestTheDocumentedAnswerOfTheTokenEndpoint(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "testdata", "samples", "01-auth-app-only-token.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sample struct {
		Request struct {
			Method, Path string
			Body         map[string]string
		}
		Response struct{ Body json.RawMessage }
	}
	if err := json.Unmarshal(b, &sample); err != nil {
		t.Fatal(err)
	}
	var calls int
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		_ = r.ParseForm()
		if r.Method != sample.Request.Method || r.URL.Path != strings.Replace(sample.Request.Path, "{tenantId}", partner, 1) {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		for name := range sample.Request.Body {
			if r.PostForm.Get(name) == "" {
				t.Errorf("the form lacks %s", name)
			}
		}
		_, _ = w.Write(sample.Response.Body)
	}))
	t.Cleanup(server.Close)
	w := newWorld(t, storetest.SQLite(t))
	pipe, err := azure.New(azure.Config{LoginURL: server.URL, HTTP: server.Client(), PartnerTenant: partner, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	c := token.New(w.db, w.ring, pipe, "a")
	if err := c.SetApplication(t.Context(), token.By{Actor: "system"}, partner, "app-1", secret); err != nil {
		t.Fatal(err)
	}
	app := azure.TokenRequest{As: azure.AppOnly, Resource: resource}
	for range 2 {
		tok, err := c.Token(t.Context(), app)
		if err != nil || tok != "value-has-been-removed" {
			t.Fatalf("%q, %v", tok, err)
		}
	}
	if calls != 1 {
		t.Errorf("%d calls: the life of 3600 seconds was not read", calls)
	}
	w.clock.advance(56 * time.Minute)
	if _, err := c.Token(t.Context(), app); err != nil || calls != 2 {
		t.Errorf("after its life: %v, %d calls", err, calls)
	}
}

func TestAPipeWithCustodyMakesCalls(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	var auth string
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/oauth2/") {
			w.entra.answer(rw, r)
			return
		}
		auth = r.Header.Get("Authorization")
		_, _ = rw.Write([]byte(`{"id":"c"}`))
	}))
	t.Cleanup(server.Close)
	pipe, err := azure.New(azure.Config{LoginURL: server.URL, PartnerCenterURL: server.URL, HTTP: server.Client(), PartnerTenant: partner})
	if err != nil {
		t.Fatal(err)
	}
	c := token.New(w.db, w.ring, pipe, "a")
	w.connect(t, c)
	if _, err := partnercenter.New(pipe.With(c)).CompanyProfile(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	claims, ok := token.ReadClaims(strings.TrimPrefix(auth, "Bearer "))
	if !ok || claims.TenantID != partner || len(claims.AMR) != 2 {
		t.Errorf("the call carried %q", auth)
	}
}
