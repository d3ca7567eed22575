package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// BenchOptions say how a simulator is measured. Zero values are the defaults.
type BenchOptions struct {
	Customers int           // in the world; default 100 000
	Duration  time.Duration // of the load; default 10 s
	Clients   int           // connections that call at the same time; default 16
}

// BenchResult is what a simulator did on this machine, the generator of the load in
// the same process.
type BenchResult struct {
	Requests          int64   `json:"requests"`
	Failed            int64   `json:"failed"` // answers other than expected
	Seconds           float64 `json:"seconds"`
	RequestsPerSecond float64 `json:"requests_per_second"`
	Customers         int     `json:"customers"`
	RSSBytes          int64   `json:"rss_bytes"`  // of the process, generator included; 0 where the system does not tell
	HeapBytes         int64   `json:"heap_bytes"` // live, after the load
}

// Fill adds n customers as onboarding leaves them: agreement, plan, one Azure
// subscription, relationship with an access assignment, the application consented.
func (s *Server) Fill(n int) {
	const batch = 500 // so that calls are answered meanwhile
	for done := 0; done < n; {
		s.mu.Lock()
		now := s.Clock.Now()
		for range min(batch, n-done) {
			number := len(s.w.list)
			x := SeedCustomer{
				Domain: fmt.Sprintf("filled%07d.onmicrosoft.com", number), Name: fmt.Sprintf("Filled company %07d", number), Consent: true, GDAP: []string{DefaultGDAPGroup},
				Billing: BillingProfile{Email: "owner@filled.example", Culture: "en-US", Language: "en", Address: Address{Country: "US", City: "Redmond", State: "WA",
					AddressLine1: strconv.Itoa(number) + " Microsoft Way", PostalCode: "98052", FirstName: "Account", LastName: "Owner"}},
				Agreements: []SeedAgreement{{First: "Account", Last: "Owner", Email: "owner@filled.example", Agreed: "2026-01-02T00:00:00Z"}},
				Plan:       &SeedPlan{},
			}
			x.Plan.Subscriptions = append(x.Plan.Subscriptions, struct {
				ID    string `json:"id"`
				Name  string `json:"name"`
				Alias string `json:"alias"`
			}{Name: "Microsoft Azure"})
			s.seedCustomer(s.w, x, now)
			done++
		}
		s.mu.Unlock()
	}
}

// Bench fills a simulator of its own and measures how many typical calls it answers
// per second over TLS with kept connections.
func Bench(ctx context.Context, o BenchOptions) (BenchResult, error) {
	o.Customers, o.Clients = or(o.Customers, 100_000), or(o.Clients, 16)
	o.Duration = or(o.Duration, 10*time.Second)
	s, err := New(Config{})
	if err != nil {
		return BenchResult{}, err
	}
	if err := s.Start(ctx); err != nil {
		return BenchResult{}, err
	}
	defer s.Close()
	s.Fill(o.Customers)
	b := &bench{s: s, client: s.Client()}
	defer b.client.CloseIdleConnections()
	if err := b.prepare(ctx); err != nil {
		return BenchResult{}, err
	}

	load, stop := context.WithTimeout(ctx, o.Duration)
	defer stop()
	began := time.Now()
	var all sync.WaitGroup
	for i := range o.Clients {
		all.Go(func() { b.run(load, rand.New(rand.NewPCG(uint64(i), 1))) }) // #nosec G115 G404 -- a load for a benchmark, no secret
	}
	all.Wait()
	took := time.Since(began).Seconds()
	if err := ctx.Err(); err != nil {
		return BenchResult{}, err
	}
	out := BenchResult{Requests: b.done.Load(), Failed: b.failed.Load(), Seconds: took, RequestsPerSecond: float64(b.done.Load()) / took, RSSBytes: resident()}
	s.mu.RLock()
	out.Customers = len(s.w.customers)
	s.mu.RUnlock()
	debug.FreeOSMemory() // collects first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	out.HeapBytes = int64(m.HeapAlloc) // #nosec G115 -- memory in bytes, far below the limit
	if first := b.first.Load(); first != nil {
		return out, fmt.Errorf("%d of %d calls failed; the first: %s", out.Failed, out.Requests, *first)
	}
	return out, nil
}

// bench is the load on one simulator.
type bench struct {
	s      *Server
	client *http.Client
	app    string
	user   string
	places []benchPlace
	made   atomic.Int64
	done   atomic.Int64
	failed atomic.Int64
	first  atomic.Pointer[string]
}

// benchPlace is a customer that the load works in, with its tenant's token.
type benchPlace struct{ customer, plan, sub, token string }

func (b *bench) prepare(ctx context.Context) error {
	b.s.mu.RLock()
	var places []benchPlace
	step := max(1, len(b.s.w.list)/200)
	for i := 0; i < len(b.s.w.list); i += step {
		if cu := b.s.w.list[i]; cu != nil && len(cu.Plans) > 0 && len(cu.Plans[0].Azure) > 0 {
			places = append(places, benchPlace{customer: cu.ID, plan: cu.Plans[0].ID, sub: cu.Plans[0].Azure[0].ID})
		}
	}
	b.s.mu.RUnlock()
	if len(places) == 0 {
		return errors.New("there are no customers to work with")
	}
	const pc, arm = "https://api.partnercenter.microsoft.com", "https://management.azure.com/"
	var err error
	if b.app, err = b.grant(ctx, DefaultPartnerTenant, url.Values{"grant_type": {"client_credentials"}, "resource": {pc}}); err != nil {
		return err
	}
	if b.user, err = b.grant(ctx, DefaultPartnerTenant, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.s.SignIn(DefaultUser, true)}, "resource": {pc}}); err != nil {
		return err
	}
	for i := range places {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.s.SignIn(DefaultUser, true)}, "resource": {arm}}
		if places[i].token, err = b.grant(ctx, places[i].customer, form); err != nil {
			return err
		}
	}
	b.places = places
	return nil
}

// grant redeems a grant for a token.
func (b *bench) grant(ctx context.Context, tenant string, form url.Values) (string, error) {
	form.Set("client_id", DefaultAppID)
	form.Set("client_secret", DefaultAppSecret)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.s.URL+"/"+tenant+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var out struct {
		Token string `json:"access_token"`
		Text  string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return "", err
	}
	if out.Token == "" {
		return "", errors.New("no token: " + out.Text)
	}
	return out.Token, nil
}

// run makes calls in the mix of a working platform: mostly reads while it waits for
// things to appear, some writes.
func (b *bench) run(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		p := b.places[r.IntN(len(b.places))]
		at := "/v1/customers/" + p.customer
		sub := "/subscriptions/" + p.sub
		switch n := r.IntN(100); {
		case n < 20:
			b.call(ctx, "GET", at, b.app, "", 200)
		case n < 30:
			b.call(ctx, "HEAD", "/v1/domains/free"+strconv.Itoa(n)+".onmicrosoft.com", b.app, "", 404)
		case n < 42:
			b.call(ctx, "GET", at+"/subscriptions", b.app, "", 200)
		case n < 54:
			b.call(ctx, "GET", at+"/subscriptions/"+p.plan+"/azureEntitlements", b.app, "", 200)
		case n < 60:
			b.call(ctx, "GET", at+"/orders", b.app, "", 200)
		case n < 64:
			b.call(ctx, "GET", at+"/agreements", b.user, "", 200)
		case n < 74:
			b.call(ctx, "GET", sub+"?api-version=2022-12-01", p.token, "", 200)
		case n < 82:
			b.call(ctx, "GET", sub+"/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01", p.token, "", 200)
		case n < 90:
			b.call(ctx, "GET", sub+"/providers/Microsoft.Compute?api-version=2021-04-01", p.token, "", 200)
		case n < 95:
			b.call(ctx, "POST", sub+"/providers/Microsoft.Compute/register?api-version=2021-04-01", p.token, "", 200)
		case n < 96:
			b.call(ctx, "GET", "/v1/customers?size=50", b.app, "", 200)
		default:
			domain := "load" + strconv.FormatInt(b.made.Add(1), 10) + ".onmicrosoft.com"
			b.call(ctx, "POST", "/v1/customers", b.app, `{"companyProfile":{"domain":"`+domain+`"},"billingProfile":{"email":"owner@load.example","culture":"en-US","language":"en","companyName":"Load",`+
				`"defaultAddress":{"country":"US","city":"Redmond","state":"WA","addressLine1":"1 Microsoft Way","postalCode":"98052","firstName":"Account","lastName":"Owner","phoneNumber":"4255550100"}}}`, 201)
		}
	}
}

func (b *bench) call(ctx context.Context, method, path, token, body string, want int) {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.s.URL+path, in)
	if err != nil {
		return // the end of the load
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := b.client.Do(req)
	if ctx.Err() != nil {
		if err == nil {
			_ = resp.Body.Close() // unfinished, and not counted
		}
		return
	}
	b.done.Add(1)
	if err != nil {
		b.fail(method + " " + path + ": " + err.Error())
		return
	}
	var answer bytes.Buffer
	_, err = answer.ReadFrom(resp.Body)
	_ = resp.Body.Close() // it was read to its end
	if (err != nil && ctx.Err() == nil) || resp.StatusCode != want {
		b.fail(fmt.Sprintf("%s %s: %d %s", method, path, resp.StatusCode, answer.String()))
	}
}

func (b *bench) fail(text string) {
	b.failed.Add(1)
	b.first.CompareAndSwap(nil, &text)
}

// resident is the memory of the process as Linux counts it.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
