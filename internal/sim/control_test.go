package sim_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
)

// The control API is how other processes play time, faults and people.
func TestTheControlAPIPlaysTimeFaultsAndPeople(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	ctl := func(method, path, body string) answer { return p.do(method, s.PlainURL+"/_sim"+path, body) }

	ctl("PATCH", "/latency", `{"profile":"recorded","waits":{"customer_create":"0s","relationship":"30s"}}`).want(t, 200)
	ctl("PATCH", "/latency", `{"waits":{"no_such_wait":"1s"}}`).want(t, 400)
	id := p.create("contoso.onmicrosoft.com")
	before := ctl("GET", "/clock", "").want(t, 200).at("now")
	if after := ctl("POST", "/clock", `{"advance":"30s"}`).want(t, 200).at("now"); after <= before {
		t.Errorf("the clock went from %s to %s", before, after)
	}
	if got := p.as(p.app, "GET", "/v1/customers/"+id, nil).want(t, 200).at("relationshipToPartner"); got != "reseller" {
		t.Errorf("relationship is %q", got)
	}

	ctl("POST", "/faults", `{"on":"GET /v1/customers","kind":"throttle","retryAfter":5}`).want(t, 201)
	ctl("POST", "/faults", `{"on":"*","kind":"no-such-fault"}`).want(t, 400)
	p.as(p.app, "GET", "/v1/customers", nil).want(t, 429)
	p.as(p.app, "GET", "/v1/customers", nil).want(t, 200)
	ctl("DELETE", "/faults", "").want(t, 204)

	ctl("PUT", "/domains/taken.onmicrosoft.com", "").want(t, 201)
	p.as(p.app, "POST", "/v1/customers", contoso("taken.onmicrosoft.com")).want(t, 409)
	ctl("DELETE", "/domains/taken.onmicrosoft.com", "").want(t, 204)
	p.as(p.app, "POST", "/v1/customers", contoso("taken.onmicrosoft.com")).want(t, 201)

	att := p.as(p.app, "POST", "/v1/attestations/enhanced", map[string]string{"country": "US", "language": "en", "companyName": "Contoso",
		"signatoryFirstName": "Account", "signatoryLastName": "Owner", "signatoryEmail": "owner@contoso.example"}).at("attestationId")
	ctl("POST", "/attestations/"+att+"/accept", "").want(t, 200)
	ctl("POST", "/customers/"+id+"/accept-mca", "").want(t, 204)
	if a := ctl("GET", "/customers/"+id, "").want(t, 200); a.at("directSigned") != "true" || a.at("gdap.0.status") == "" {
		t.Errorf("dump: %s", a.raw)
	}
	ctl("PATCH", "/customers/"+id, `{"validation":"UnderReview"}`).want(t, 200)
	ctl("PATCH", "/settings", `{"legacyOffer2016":true,"cartLife":"15m"}`).want(t, 200)
	if set := s.Settings(); !set.LegacyOffer2016 || time.Duration(set.CartLife) != 15*time.Minute {
		t.Errorf("settings: %+v", set)
	}

	signed := ctl("POST", "/people/"+sim.DefaultUser+"/sign-in", `{"mfa":true}`).want(t, 201).at("refresh_token")
	p.grant("", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {signed}, "resource": {partnerCenter}}).want(t, 200)
	ctl("POST", "/people/"+sim.DefaultUser+"/revoke", `{"code":50078}`).want(t, 204)
	p.grant("", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {signed}, "resource": {partnerCenter}}).refused(t, 50078)

	if a := ctl("GET", "/calls", ""); !strings.Contains(a.raw, `"template":"/v1/customers"`) {
		t.Errorf("calls: %s", a.raw)
	}
	if a := ctl("GET", "/customers/"+id+"/timeline", "").want(t, 200); a.at("effects.0.what") == "" || a.at("vendor_seconds") == "" {
		t.Errorf("timeline: %s", a.raw)
	}
	ctl("POST", "/reset", "").want(t, 204)
	if n := len(s.Customers()); n != 0 {
		t.Errorf("%d customers after a reset", n)
	}
	ctl("GET", "", "").want(t, 200)
}

func TestASeedFileMakesAWorld(t *testing.T) {
	file := filepath.Join(t.TempDir(), "seed.json")
	text := `{"domains":[{"domain":"stranger.onmicrosoft.com"}],"count":2,
		"customers":[{"domain":"contoso.onmicrosoft.com","name":"Contoso","plan":{"subscriptions":[{"name":"Production"},{"name":"Test"}]}}],
		"users":[{"upn":"second@partner.example","password":"x","roles":["SalesAgent"]}],
		"settings":{"agreement":"legacy"},"latency":{"waits":{"order":"1m"}},"faults":[{"on":"GET /v1/customers","kind":"delay","delay":"1ms"}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	seed, err := sim.LoadSeed(file)
	if err != nil {
		t.Fatal(err)
	}
	s := sim.Start(t, sim.WithSettings(func(set *sim.Settings) { set.LegacyOffer2016 = true }))
	if err := s.Seed(seed); err != nil {
		t.Fatal(err)
	}
	if !s.Settings().LegacyOffer2016 {
		t.Error("a seed changed a setting that it does not name")
	}
	if err := s.Seed(sim.Seed{Settings: []byte(`{"cartLife":"soon"}`), Domains: []sim.Stranger{{Domain: "x.onmicrosoft.com"}}}); err == nil {
		t.Error("a cart life of \"soon\" is no error")
	} else if err := s.TakeDomain("x.onmicrosoft.com"); err != nil {
		t.Errorf("a refused seed left something behind: %v", err)
	}
	customers := s.Customers()
	if len(customers) != 3 || len(customers[0].Plans) != 1 || len(customers[0].Plans[0].Azure) != 2 || s.Settings().Agreement != sim.AgreementLegacy || len(s.Faults()) != 1 {
		t.Errorf("world: %+v", customers)
	}
	if err := s.Seed(seed); err == nil {
		t.Error("the same domains can be seeded twice")
	}
	if _, err := sim.LoadSeed(file + ".missing"); err == nil {
		t.Error("a missing file is no error")
	}
	var bad sim.Seed
	if err := json.Unmarshal([]byte(`{"latency":{"waits":{"order":"soon"}}}`), &bad); err == nil {
		t.Error("a wait of \"soon\" is no error")
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	for _, tc := range []struct {
		says string
		cfg  sim.Config
	}{
		{"a factor below zero", sim.Config{Factor: -1}},
		{"an unknown profile", sim.Config{Latency: "slow"}},
		{"an unknown wait", sim.Config{Waits: map[sim.Wait]time.Duration{"tea": time.Minute}}},
		{"an unknown agreement mode", sim.Config{Settings: sim.Settings{Agreement: "verbal"}}},
	} {
		t.Run(tc.says, func(t *testing.T) {
			if _, err := sim.New(tc.cfg); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}

// A kept CA lets clients survive a restart of the simulator.
func TestTheCAIsKeptBetweenRuns(t *testing.T) {
	dir := t.TempDir()
	keep := func(c *sim.Config) {
		c.CAFile, c.CAKeyFile = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
	}
	first := sim.Start(t, keep)
	second := sim.Start(t, keep)
	if string(first.CAPEM) != string(second.CAPEM) {
		t.Error("the second run has another CA")
	}
	client := first.Client()
	defer client.CloseIdleConnections()
	resp, err := client.Get(second.URL + "/_sim")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
}
