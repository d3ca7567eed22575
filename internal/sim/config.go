package sim

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// Config is all that can be set when a simulator is made. The zero value works:
// New fills in a partner, an app, one partner user with MFA and free ports.
type Config struct {
	Addr      string // HTTPS listener; default 127.0.0.1:0
	PlainAddr string // HTTP listener for pages for people and for control; "" = none, "auto" = 127.0.0.1:0
	PlainURL  string // how people reach the plain listener, when that is not its address
	CAFile    string // the test CA's certificate is written here in PEM; "" = kept in memory
	CAKeyFile string // with CAFile: the CA is kept between runs, so clients need not be told again

	Partner Partner // the one CSP partner of this world
	App     App     // the partner's registered multi-tenant application
	Users   []User  // the partner's people
	Groups  []Group // the partner's security groups

	Latency Profile                // Instant (default) or Recorded
	Waits   map[Wait]time.Duration // single waits that replace those of the profile
	Factor  float64                // durations are divided by it (20 = twenty times as fast); default 1

	Settings Settings // what the control API can change while running

	Seed      uint64           // of ids and probabilities; 0 = taken from the system
	CallLimit int              // length of the call log; default 20 000
	Now       func() time.Time // real time; default time.Now
	Log       *slog.Logger     // one line per request when set
}

// Settings decide what Microsoft's documents leave open, and what a test wants
// different. Each zero value is the default; docs/sim-divergences.md explains each.
type Settings struct {
	TokenLife    Duration `json:"tokenLife"`    // of access tokens, before the factor; default 60 min
	RefreshLife  Duration `json:"refreshLife"`  // an unused refresh token dies; default 90 days, not divided by the factor
	RefreshGrace Duration `json:"refreshGrace"` // a rotated refresh token works so long; default 5 min, negative = refused at once
	AllowNoMFA   bool     `json:"allowNoMFA"`   // the state before MFA was enforced for app+user calls

	ReplayRetention          Duration `json:"replayRetention"` // how long an answer is replayed; default 24 h, negative = never
	ReplayLimit              int      `json:"replayLimit"`     // at most this many answers are kept; default 50 000
	ReplayWithoutCredentials bool     `json:"replayWithoutCredentials"`

	LegacyOffer2016     bool          `json:"legacyOffer2016"` // MS-AZR-0145P can be bought
	Agreement           AgreementMode `json:"agreement"`       // which ways to the customer agreement are open
	AgreementPerPartner bool          `json:"agreementPerPartner"`
	AttestationLife     Duration      `json:"attestationLife"` // an unanswered attestation expires; default 30 days
	LooseConsent        bool          `json:"looseConsent"`    // application consent without the GDAP role

	Production      bool     `json:"production"`    // DELETE of customers is refused, as outside the sandbox
	SandboxLimits   bool     `json:"sandboxLimits"` // 75 customers, 10 plans, 3 Azure subscriptions per plan
	Markets         []string `json:"markets"`       // countries the partner may sell in; empty = all that have rules
	DomainSuffixes  []string `json:"domainSuffixes"`
	ValidationState string   `json:"validationState"` // account validation of new customers: default Allowed; None = 404 600074
	CartLife        Duration `json:"cartLife"`        // default 7 days

	ValidationFor map[string]string `json:"validationFor"` // account validation of customers to come, by domain

	CountryPageShape bool `json:"countryPageShape"` // country rules as the page's sample has them: states.value

	Throttle            map[string]int `json:"throttle"` // calls per group and minute, see Groups; "*" = all others; none = unlimited
	ThrottlePerCustomer bool           `json:"throttlePerCustomer"`
	ThrottleSilent      bool           `json:"throttleSilent"` // a 429 of a budget does not say until when

	ExportLife     Duration `json:"exportLife"`     // operations and manifests of the billing exports die (410); default 24 h
	SASLife        Duration `json:"sasLife"`        // their blobs can be read so long; default 12 h
	ManifestByLink bool     `json:"manifestByLink"` // a finished operation names its manifest instead of carrying it
	BlobRecords    int      `json:"blobRecords"`    // about how many records a blob holds; default 125 000

	TakenStatus int `json:"takenStatus"` // answer to POST /v1/customers with a taken domain; default 409
	TakenCode   int `json:"takenCode"`   // default 27002, data ["Domain"]
}

// AgreementMode says which confirmations of the Microsoft Customer Agreement count.
type AgreementMode string

const (
	AgreementEnhanced AgreementMode = ""       // attestation or direct acceptance: the state of 2026
	AgreementLegacy   AgreementMode = "legacy" // the partner's own confirmation counts too
	AgreementDirect   AgreementMode = "direct" // only the customer's own acceptance counts
)

// Partner is the CSP partner whose tenant owns every customer of this world.
type Partner struct {
	TenantID       string `json:"tenantId"`
	Name           string `json:"name"`
	Domain         string `json:"domain"`
	MPN            string `json:"mpn"`
	Country        string `json:"country"`  // ISO 3166-1 alpha-2
	Currency       string `json:"currency"` // ISO 4217
	Email          string `json:"email"`
	BillingAccount string `json:"billingAccount"` // name of the ARM billing account, {guid}:{guid}_2019-05-31
	BillingProfile string `json:"billingProfile"`
	Indirect       bool   `json:"indirect"` // an indirect provider, which may name resellers
}

// App is the partner's application.
type App struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
	Name   string `json:"name"`
	Object string `json:"object"` // its service principal in the partner tenant
}

// User is a person of the partner tenant.
type User struct {
	ID       string   `json:"id"`
	UPN      string   `json:"upn"`
	Name     string   `json:"name"`
	Password string   `json:"password"`
	NoMFA    bool     `json:"noMFA"` // signs in without a second factor
	Roles    []string `json:"roles"` // AdminAgent, SalesAgent, HelpdeskAgent, BillingAdmin, GlobalAdmin
}

// Group is a security group of the partner tenant. A GDAP access assignment names
// one; its members then hold the directory roles.
type Group struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Members []string `json:"members"` // UPNs
}

// Fixed ids of the default world, so that a demo can be configured beforehand.
const (
	DefaultPartnerTenant = "1a6ebf9c-5d27-4b0c-9c6e-2f4d8a3b7e10"
	DefaultAppID         = "5c3b1d2e-7f48-4a96-8e0b-9d6f1c2a3b4c"
	DefaultAppSecret     = "sim~app.secret-not-for-production" // #nosec G101 -- invented, and protects nothing
	DefaultUser          = "agent@partner.example"
	DefaultPassword      = "Partner-Passw0rd!"
	DefaultAdminAgents   = "8f0e6a54-3b1c-4d7d-a2c9-6e5b4f3a2d10"
	DefaultGDAPGroup     = "c7d9e1f3-2a4b-4c6d-8e0f-1a2b3c4d5e6f"
)

// Duration is a time.Duration that JSON writes as "1h30m"; a bare number is seconds.
type Duration time.Duration

// MarshalJSON writes the duration as text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads "1h30m" or a number of seconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case float64:
		*d = Duration(v * float64(time.Second))
	case string:
		p, err := time.ParseDuration(v)
		if err != nil {
			return err
		}
		*d = Duration(p)
	default:
		return fmt.Errorf("a duration is text like 90s or a number of seconds, not %s", b)
	}
	return nil
}

// or is the first value that is not zero.
func or[T comparable](values ...T) T {
	var zero T
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

func (d Duration) or(otherwise time.Duration) time.Duration {
	return or(time.Duration(d), otherwise)
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	c.Addr = or(c.Addr, "127.0.0.1:0")
	if c.PlainAddr == "auto" {
		c.PlainAddr = "127.0.0.1:0"
	}
	p := &c.Partner
	p.TenantID = or(p.TenantID, DefaultPartnerTenant)
	p.Name = or(p.Name, "Tailspin Partner Cloud")
	p.Domain = or(p.Domain, "partner.example")
	p.MPN = or(p.MPN, "4847383")
	p.Country = or(p.Country, "US")
	p.Currency = or(p.Currency, "USD")
	p.Email = or(p.Email, "agent@"+p.Domain)
	p.BillingAccount = or(p.BillingAccount, "99a13315-fd87-5b5a-d3b7-0b5d8b2a6f10:7b2c9d4e-1f3a-4b5c-8d6e-0a1b2c3d4e5f_2019-05-31")
	p.BillingProfile = or(p.BillingProfile, "OWZF-7CLX-BG7-TGB")
	a := &c.App
	a.ID = or(a.ID, DefaultAppID)
	a.Secret = or(a.Secret, DefaultAppSecret)
	a.Name = or(a.Name, "Partner platform")
	a.Object = or(a.Object, "0d9c8b7a-6f5e-4d3c-9b2a-1f0e9d8c7b6a")
	if len(c.Users) == 0 {
		c.Users = []User{{
			ID: "3e2d1c0b-9a8f-4e7d-8c6b-5a4f3e2d1c0b", UPN: DefaultUser, Name: "Partner admin agent",
			Password: DefaultPassword, Roles: []string{"AdminAgent", "GlobalAdmin"},
		}}
	}
	if len(c.Groups) == 0 {
		var agents, all []string
		for _, u := range c.Users {
			all = append(all, u.UPN)
			if has(u.Roles, "AdminAgent") {
				agents = append(agents, u.UPN)
			}
		}
		c.Groups = []Group{
			{ID: DefaultAdminAgents, Name: "AdminAgents", Members: agents},
			{ID: DefaultGDAPGroup, Name: "Customer access", Members: all},
		}
	}
	c.Latency = or(c.Latency, Instant)
	c.Factor = or(c.Factor, 1)
	c.CallLimit = or(c.CallLimit, 20_000)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// check refuses a configuration that cannot work.
func (c Config) check() error {
	if c.Factor <= 0 {
		return fmt.Errorf("factor is %v, it must be above 0", c.Factor)
	}
	if c.Latency != Instant && c.Latency != Recorded {
		return fmt.Errorf("latency profile %q is unknown: instant or recorded", c.Latency)
	}
	for w := range c.Waits {
		if _, known := recorded[w]; !known {
			return fmt.Errorf("wait %q is unknown", w)
		}
	}
	switch c.Settings.Agreement {
	case AgreementEnhanced, AgreementLegacy, AgreementDirect:
	default:
		return fmt.Errorf("agreement mode %q is unknown", c.Settings.Agreement)
	}
	return nil
}

// LoadSeed reads a seed file (JSON, see Seed) as the CLI's --seed names it.
func LoadSeed(file string) (Seed, error) {
	var seed Seed
	b, err := os.ReadFile(file) // #nosec G304 -- the operator names the seed file
	if err != nil {
		return seed, err
	}
	if err := json.Unmarshal(b, &seed); err != nil {
		return seed, fmt.Errorf("%s: %w", file, err)
	}
	return seed, nil
}

func has[T comparable](list []T, v T) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}
