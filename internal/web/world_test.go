package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/azure/token"
	"causeway/internal/billing"
	"causeway/internal/cli"
	"causeway/internal/demo"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/rating"
	"causeway/internal/sim"
	"causeway/internal/usage"
	"causeway/internal/web"
)

// world is a whole program, its portal on a port, beside a simulated Microsoft.
type world struct {
	t   *testing.T
	sim *sim.Server
	app *cli.App
	url string

	clock func() time.Time // the portal's
	lake  *lake            // what is behind figures of billing; nil: nothing
}

// newWorld starts both, with the demo's book of customers and a partner that is
// connected.
func newWorld(t *testing.T, options ...sim.Option) *world {
	t.Helper()
	t.Parallel() // each world is one of its own
	w := &world{t: t, sim: sim.Start(t, options...), clock: time.Now}
	w.lake = &lake{w: w}
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("CAUSEWAY_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	brand := partner.SeedBrand()
	server := httptest.NewUnstartedServer(nil)
	w.url = "http://" + server.Listener.Addr().String()
	app, err := cli.New(t.Context(), cli.Config{
		Database: filepath.Join(dir, "state.db"), Keys: filepath.Join(dir, "keys"), PublicURL: w.url, WorkerName: "test", Workers: 4, Brand: &brand,
		PasswordMemory: 64, PasswordPasses: 1, Log: log,
		Azure: azure.Config{
			LoginURL: w.sim.URL, PartnerCenterURL: w.sim.URL, GraphURL: w.sim.URL, ARMURL: w.sim.URL, AttestationURL: w.sim.PlainURL + "/mca/",
			CAFile: w.sim.CAFile, PartnerTenant: sim.DefaultPartnerTenant, AppID: sim.DefaultAppID, Timeout: 20 * time.Second,
		},
	})
	w.must(err)
	w.app = app
	_, err = demo.Seed(t.Context(), app.People)
	w.must(err)
	w.connectPartner()
	server.Config.Handler = remote(web.New(web.Parts{
		DB: app.DB, Now: func() time.Time { return w.clock() }, Log: log, People: app.People, Settings: app.Settings, Providers: app.Providers, Provision: app.Provision,
		Terms: app.Terms, Signatures: app.Signatures, Guard: app.Guard, Desk: app.Desk, Mail: app.Mail, Months: app.Billing.Months(), Invoices: app.Billing.Book(), Prices: app.Prices, Records: behind{w}, Billing: app.Billing,
		PublicURL: w.url, FrameSource: w.sim.PlainURL,
	}))
	server.Start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- app.Jobs.Run(ctx, 4) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		server.CloseClientConnections()
		server.Close()
		w.must(app.Close())
	})
	return w
}

// remote is what the server around the portal does: an address without a port.
func remote(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = "127.0.0.1"
		r.Header.Set("X-Request-Id", "test")
		next.ServeHTTP(w, r)
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// connectPartner walks the partner's consent as an agent with MFA.
func (w *world) connectPartner() {
	w.t.Helper()
	ctx := w.t.Context()
	const redirect = "http://127.0.0.1/callback"
	w.must(w.app.Custody.SetApplication(ctx, token.By{Actor: "system"}, sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultAppSecret))
	var out struct{ Code string }
	w.control("POST", "/_sim/people/"+sim.DefaultUser+"/sign-in", map[string]any{"mfa": true, "redirectUri": redirect}, &out)
	_, err := w.app.Custody.RedeemCode(ctx, token.By{Actor: "system"}, redirect, out.Code)
	w.must(err)
	owner, err := w.app.People.UserByEmail(ctx, demo.Owner)
	w.must(err)
	ms, err := w.app.Settings.Microsoft(ctx)
	w.must(err)
	ms.Tenant, ms.AppID, ms.GDAPGroup = sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultGDAPGroup
	w.must(w.app.Settings.SetMicrosoft(ctx, owner.Actor(""), ms.Version, ms))
}

func (w *world) control(method, path string, in, out any) {
	w.t.Helper()
	body, err := json.Marshal(in)
	w.must(err)
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.sim.URL+path, bytes.NewReader(body))
	w.must(err)
	res, err := w.sim.Client().Do(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 {
		b, _ := io.ReadAll(res.Body)
		w.t.Fatalf("%s %s: %s %s", method, path, res.Status, b)
	}
	if out != nil {
		w.must(json.NewDecoder(res.Body).Decode(out))
	}
}

// surfer is a browser without scripts: cookies, forms and links.
type surfer struct {
	t      *testing.T
	url    string
	client *http.Client
}

// guest is somebody who is not signed in.
func (w *world) guest() *surfer {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	w.must(err)
	return &surfer{w.t, w.url, &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// signIn gives a browser in which this person is signed in.
func (w *world) signIn(email string) *surfer {
	w.t.Helper()
	s := w.guest()
	s.post("/signin", url.Values{"email": {email}, "password": {demo.Password}}).redirects("/")
	return s
}

// answer is what came back.
type answer struct {
	t    *testing.T
	what string
	code int
	head http.Header
	body string
}

func (s *surfer) do(method, path string, form url.Values, headers ...string) *answer {
	s.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return &answer{s.t, method + " " + path, res.StatusCode, res.Header, string(b)}
}

func (s *surfer) get(path string) *answer { s.t.Helper(); return s.do("GET", path, nil) }
func (s *surfer) post(path string, form url.Values) *answer {
	s.t.Helper()
	return s.do("POST", path, form)
}

var tags = regexp.MustCompile(`(?s)<script.*?</script>|<svg.*?</svg>|<[^>]*>`)
var blanks = regexp.MustCompile(`\s+`)

// text is the page as it is read.
func (a *answer) text() string {
	s := tags.ReplaceAllString(strings.NewReplacer("<wbr>", "", "<wbr/>", "").Replace(a.body), " ")
	s = strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s)
	return strings.TrimSpace(blanks.ReplaceAllString(s, " "))
}

func (a *answer) is(code int) *answer {
	a.t.Helper()
	if a.code != code {
		a.t.Fatalf("%s: status %d, want %d\n%.3000s", a.what, a.code, code, a.text())
	}
	return a
}

// says checks that the page holds these words.
func (a *answer) says(words ...string) *answer {
	a.t.Helper()
	text := a.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			a.t.Fatalf("%s (%d) does not say %q\n%.4000s", a.what, a.code, w, text)
		}
	}
	return a
}

// hides checks that the page does not hold these words, not even in its markup.
func (a *answer) hides(words ...string) *answer {
	a.t.Helper()
	for _, w := range words {
		if strings.Contains(a.body, w) {
			a.t.Fatalf("%s (%d) says %q", a.what, a.code, w)
		}
	}
	return a
}

// redirects checks where the answer leads to ("" = anywhere) and gives it.
func (a *answer) redirects(to string) string {
	a.t.Helper()
	if a.code != http.StatusSeeOther {
		a.t.Fatalf("%s: status %d, want 303\n%.3000s", a.what, a.code, a.text())
	}
	l := a.head.Get("Location")
	if to != "" && l != to {
		a.t.Fatalf("%s leads to %s, want %s", a.what, l, to)
	}
	return l
}

// value finds the value of an input.
func (a *answer) value(name string) string {
	a.t.Helper()
	for _, m := range regexp.MustCompile(`<input[^>]*>`).FindAllString(a.body, -1) {
		if strings.Contains(m, ` name="`+name+`"`) {
			if v := regexp.MustCompile(` value="([^"]*)"`).FindStringSubmatch(m); v != nil {
				return v[1]
			}
			return ""
		}
	}
	a.t.Fatalf("%s has no input %q\n%.2000s", a.what, name, a.text())
	return ""
}

// eventually asks until ok, at most for 30 s.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit, tick := time.NewTimer(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit.C:
			t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

// actor is a person of the demo, as the nouns know them.
func (w *world) actor(email string) account.Actor {
	w.t.Helper()
	u, err := w.app.People.UserByEmail(w.t.Context(), email)
	w.must(err)
	return u.Actor("127.0.0.1")
}

// until waits for a provider's state.
func (w *world) until(id string, want provider.State) provider.Provider {
	w.t.Helper()
	var p provider.Provider
	eventually(w.t, "provider is "+string(want), func() bool {
		var err error
		if p, err = w.app.Providers.Find(w.t.Context(), provider.ID(id)); err != nil {
			w.t.Fatal(err)
		}
		if p.State == provider.Stuck && want != provider.Stuck {
			w.t.Fatalf("provider is stuck: %s", p.Note)
		}
		return p.State == want
	})
	return p
}

// behind is the lake that a test has put behind the portal.
type behind struct{ w *world }

func (b behind) Charges(ctx context.Context, s billing.Slice) ([]rating.Charge, error) {
	return b.w.lake.Charges(ctx, s)
}

func (b behind) Records(ctx context.Context, s billing.Slice, after string, limit int, columns ...string) ([]usage.Record, string, error) {
	return b.w.lake.Records(ctx, s, after, limit, columns...)
}

func (b behind) Usage(ctx context.Context, from, to usage.Month, each func(rating.AccountMonth) error) error {
	return b.w.lake.Usage(ctx, from, to, each)
}
