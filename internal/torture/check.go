package torture

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Property is one promise, as it can be checked afterwards.
type Property string

// The properties.
const (
	Finished    Property = "finished"    // each request ends as it should: nothing is lost on the way
	Once        Property = "once"        // one customer for a tenant row, one plan, one subscription for a provider
	Known       Property = "known"       // nothing at Microsoft that is not known here
	There       Property = "there"       // nothing here that is not at Microsoft
	Consent     Property = "consent"     // both acceptances before the customer is made
	Guarded     Property = "guarded"     // no role but the partner's own before the guardrail acts
	Payer       Property = "payer"       // one payer for each tenant and subscription on every day
	Foreign     Property = "foreign"     // nobody else's tenant is touched or adopted
	Alarmed     Property = "alarmed"     // who is stuck is seen, and the staff have a mail
	Credentials Property = "credentials" // the first password is neither lost nor replaced without need
	Secrecy     Property = "secrecy"     // no secret in a log, a table, a page
	Fenced      Property = "fenced"      // a worker that lost its lease writes nothing
)

// Violation is a promise that was broken.
type Violation struct {
	Property Property `json:"property"`
	Object   string   `json:"object"`
	Text     string   `json:"text"`
}

// Check holds the history against every promise.
func Check(h History) []Violation {
	c := &checker{History: h, customers: map[string]Customer{}, tenants: map[string]Tenant{}, ours: map[string]bool{}}
	for _, x := range h.Customers {
		c.customers[strings.ToLower(x.ID)] = x
	}
	for _, t := range h.Tenants {
		c.tenants[t.ID] = t
	}
	for _, o := range h.Onboardings {
		c.ours[strings.ToLower(o.Correlation)] = true
	}
	for _, f := range []func(){c.finished, c.once, c.bothSides, c.consent, c.guarded, c.payer, c.foreign, c.alarmed, c.credentials, c.secrecy, c.fenced} {
		f()
	}
	return c.found
}

type checker struct {
	History
	customers map[string]Customer // Microsoft's, by folded id
	tenants   map[string]Tenant
	ours      map[string]bool // correlation ids
	found     []Violation
}

func (c *checker) broken(p Property, object, format string, args ...any) {
	c.found = append(c.found, Violation{p, object, fmt.Sprintf(format, args...)})
}

// finished: every case has an onboarding, which ended as the plan says.
func (c *checker) finished() {
	seen := map[int]bool{}
	for _, o := range c.Onboardings {
		n, planned := c.Provider[o.Provider]
		if !planned {
			c.broken(Finished, o.ID, "An onboarding that nobody asked for.")
			continue
		}
		seen[n] = true
		want := c.Plan.Cases[n].Want()
		if w, ok := c.Wanted[n]; ok {
			want = w
		}
		if o.State != want {
			c.broken(Finished, o.ID, "Case %d (%s) is %s at %s, not %s. %s", n, c.Plan.Cases[n].Kind, o.State, o.Step, want, c.Notes[o.Provider])
		}
		if o.Shown != o.State {
			c.broken(Finished, o.ID, "It is %s and shown as %s.", o.State, o.Shown)
		}
		if o.State == "ready" && (o.StepsDone != o.Steps || o.Step != "ready") {
			c.broken(Finished, o.ID, "It is ready with %d of %d steps done, at %s.", o.StepsDone, o.Steps, o.Step)
		}
		if t := c.tenants[o.Tenant]; o.State == "ready" && t.Stage != "entered" {
			c.broken(Finished, o.ID, "It is ready and its tenant has only come to stage %q.", t.Stage)
		}
	}
	for _, k := range c.Plan.Cases {
		if !seen[k.N] {
			c.broken(Finished, fmt.Sprint(k.N), "Case %d (%s) was never begun.", k.N, k.Kind)
		}
	}
}

// once counts what exists at Microsoft for each thing that was asked for.
func (c *checker) once() {
	row := map[string]string{} // correlation → tenant row
	for _, o := range c.Onboardings {
		row[strings.ToLower(o.Correlation)] = o.Tenant
	}
	made := map[string][]string{}
	for _, x := range c.Customers {
		if t := row[strings.ToLower(x.Correlation)]; t != "" {
			made[t] = append(made[t], x.Domain)
		}
	}
	for t, domains := range made {
		if len(domains) > 1 {
			c.broken(Once, t, "%d customers were made for one tenant: %s.", len(domains), strings.Join(domains, ", "))
		}
	}
	subs := map[string]string{}
	for _, o := range c.Onboardings {
		if o.State != "ready" || o.Subscription == "" {
			continue
		}
		if other := subs[strings.ToLower(o.Subscription)]; other != "" {
			c.broken(Once, o.Subscription, "Two providers have one subscription: %s and %s.", other, o.ID)
		}
		subs[strings.ToLower(o.Subscription)] = o.ID
	}
	for _, t := range c.Tenants {
		x, ok := c.customers[strings.ToLower(t.AzureID)]
		if !ok {
			continue
		}
		plans, orders := 0, 0
		for _, p := range x.Plans {
			if p.Status != "deleted" {
				plans++
			}
		}
		for _, o := range x.Orders {
			if o.Status != "cancelled" {
				orders++
			}
		}
		if plans > 1 || orders > 1 {
			c.broken(Once, t.ID, "%s has %d plans of %d orders.", t.Domain, plans, orders)
		}
	}
}

// bothSides compares what exists, in both directions; the sweep's own word comes
// on top.
func (c *checker) bothSides() {
	known := map[string]bool{}
	for _, t := range c.Tenants {
		if t.AzureID == "" {
			continue
		}
		known[strings.ToLower(t.AzureID)] = true
		if _, ok := c.customers[strings.ToLower(t.AzureID)]; !ok {
			c.broken(There, t.ID, "The customer %s is not at Microsoft.", t.Domain)
		}
	}
	active := map[string]string{} // subscription → customer
	for _, x := range c.Customers {
		if c.Bystanders[x.ID] != "" {
			continue
		}
		if !known[strings.ToLower(x.ID)] {
			c.broken(Known, x.ID, "Microsoft has the customer %s, which is not known here.", x.Domain)
		}
		for _, p := range x.Plans {
			for _, s := range p.Subscriptions {
				if s.Status == "active" {
					active[strings.ToLower(s.ID)] = x.Domain
				}
			}
		}
	}
	for _, o := range c.Onboardings {
		if o.State == "cancelled" || o.Subscription == "" {
			continue
		}
		id := strings.ToLower(o.Subscription)
		if active[id] == "" && o.State == "ready" {
			c.broken(There, o.ID, "Its subscription is not active at Microsoft.")
		}
		delete(active, id)
	}
	for id, domain := range active {
		c.broken(Known, id, "Microsoft has an active subscription of %s, which is not known here.", domain)
	}
	for _, d := range c.Sweep {
		c.broken(Known, "sweep", "%s", d)
	}
}

// consent: what is accepted afterwards was not accepted.
func (c *checker) consent() {
	first := map[string]time.Time{} // correlation → first creation
	for _, k := range c.Calls {
		if k.Method != http.MethodPost || k.Template != "/v1/customers" {
			continue
		}
		id := strings.ToLower(k.Correlation)
		if t, ok := first[id]; !ok || k.Received.Before(t) {
			first[id] = k.Received
		}
	}
	accepted := map[string]time.Time{} // attempt + kind → first
	for _, a := range c.Acceptances {
		if t, ok := accepted[a.Attempt+a.Kind]; !ok || a.At.Before(t) {
			accepted[a.Attempt+a.Kind] = a.At
		}
	}
	for _, o := range c.Onboardings {
		made, sent := first[strings.ToLower(o.Correlation)]
		for _, kind := range []string{"partner", "microsoft"} {
			at, ok := accepted[o.Provider+kind]
			switch {
			case !ok:
				c.broken(Consent, o.ID, "The %s terms were not accepted.", kind)
			case sent && at.After(made):
				c.broken(Consent, o.ID, "The %s terms were accepted at %s, the customer was asked for at %s.", kind, at, made)
			}
		}
	}
}

// guarded: until the guardrail acts, the partner's own access is the only one.
func (c *checker) guarded() {
	for _, x := range c.Customers {
		if !c.ours[strings.ToLower(x.Correlation)] {
			continue
		}
		for _, p := range x.Plans {
			for _, s := range p.Subscriptions {
				var acts time.Time
				for _, a := range s.More.ARM.Policies {
					if a.Acts.After(acts) {
						acts = a.Acts
					}
				}
				for _, r := range s.More.ARM.Roles {
					if r.Kind == "ForeignGroup" {
						continue
					}
					if len(s.More.ARM.Policies) == 0 {
						c.broken(Guarded, s.ID, "%s has %s and there is no guardrail.", r.Principal, r.RoleName)
					} else if r.Created.Before(acts) {
						c.broken(Guarded, s.ID, "%s got %s at %s; the guardrail acts from %s.", r.Principal, r.RoleName, r.Created, acts)
					}
				}
			}
		}
	}
}

// payer: usage of any day finds one account, and only one of each level.
func (c *checker) payer() {
	for _, t := range c.Tenants {
		if t.AzureID == "" {
			continue
		}
		levels := map[string][]Association{}
		for _, a := range c.Associations {
			if a.Tenant == t.ID {
				levels[a.Entitlement] = append(levels[a.Entitlement], a)
			}
		}
		born := t.Born.UTC().Format(time.DateOnly)
		if own := levels[""]; !slices.ContainsFunc(own, func(a Association) bool {
			return a.From <= born && a.State == "confirmed" || t.State == "intended" || a.From <= born
		}) {
			c.broken(Payer, t.ID, "Nobody pays for %s on %s, when it was born.", t.Domain, born)
		} else if t.State == "live" && !slices.ContainsFunc(own, func(a Association) bool { return a.To == "" }) {
			c.broken(Payer, t.ID, "Nobody pays for %s today.", t.Domain)
		}
		for level, list := range levels {
			for i, a := range list {
				for _, b := range list[i+1:] {
					if held(a) && held(b) && (a.To == "" || b.From <= a.To) && (b.To == "" || a.From <= b.To) {
						c.broken(Payer, t.ID, "%s and %s both pay for %s %s: from %s to %s, and from %s to %s.", a.Account, b.Account, t.Domain, level, a.From, a.To, b.From, b.To)
					}
				}
			}
		}
	}
}

// held tells whether an association holds on any day at all.
func held(a Association) bool { return a.To == "" || a.From <= a.To }

// foreign: what is not ours is as it was, and nobody wrote to it.
func (c *checker) foreign() {
	for id, before := range c.Bystanders {
		if c.After[id] != before {
			c.broken(Foreign, id, "A customer that is not ours was changed: from %s to %s.", before, c.After[id])
		}
	}
	other := func(id string) bool { return c.Strangers[id] || c.Bystanders[id] != "" }
	for _, t := range c.Tenants {
		if other(t.AzureID) {
			c.broken(Foreign, t.ID, "Somebody else's tenant %s was adopted as ours.", t.AzureID)
		} else if x, ok := c.customers[strings.ToLower(t.AzureID)]; ok && !c.ours[strings.ToLower(x.Correlation)] {
			c.broken(Foreign, t.ID, "The customer %s is ours here; its creation was not.", x.Domain)
		}
	}
	for _, k := range c.Calls {
		if k.Method == http.MethodGet || k.Method == http.MethodHead {
			continue
		}
		if other(k.Customer) {
			c.broken(Foreign, k.Customer, "%s %s", k.Method, k.Path)
		}
	}
}

// alarmed: a stuck onboarding has a mail to the staff from when it stopped.
func (c *checker) alarmed() {
	for _, o := range c.Onboardings {
		if o.State != "stuck" {
			continue
		}
		if !c.HasAlarm(o) {
			c.broken(Alarmed, o.ID, "It is stuck since %s and nobody was told.", o.StuckAt)
		}
	}
}

// HasAlarm tells whether the staff were told that it is stuck.
func (h *History) HasAlarm(o Onboarding) bool {
	return slices.ContainsFunc(h.Alarms, func(a Alarm) bool {
		return a.Onboarding == o.ID && !a.At.Before(o.StuckAt.Add(-time.Minute))
	})
}

// credentials: the password that we keep opens the tenant. One that had to be
// replaced although Microsoft would have told it again was lost by us.
func (c *checker) credentials() {
	now := map[string]string{}
	for _, s := range c.Secrets {
		if s.Kind == "admin" {
			now[strings.ToLower(s.Owner)] = s.Value
		}
	}
	ready := map[string]bool{}
	for _, o := range c.Onboardings {
		if o.State == "ready" {
			ready[o.Tenant] = true
		}
	}
	for _, t := range c.Tenants {
		if !ready[t.ID] {
			continue
		}
		switch {
		case c.Passwords[t.ID] == "":
			c.broken(Credentials, t.ID, "The first password of %s is lost.", t.Domain)
		case c.Passwords[t.ID] != now[strings.ToLower(t.AzureID)]:
			c.broken(Credentials, t.ID, "The password that is kept does not open %s.", t.Domain)
		case t.Replaced && !c.Plan.Forgets:
			c.broken(Credentials, t.ID, "The first password of %s was replaced, although Microsoft would have told it again.", t.Domain)
		}
	}
}

// jwt is an access token: header and payload of JSON, in base64.
var jwt = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}`)

// secrecy searches everything that people, files and tables have.
func (c *checker) secrecy() {
	c.found = append(c.found, Leaks(append(slices.Clone(c.Texts), c.Books...), c.Secrets)...)
}

// Leaks finds secrets, and anything that looks like an access token, in texts.
func Leaks(texts []Text, secrets []Secret) (found []Violation) {
	leak := func(where, format string, args ...any) {
		found = append(found, Violation{Secrecy, where, fmt.Sprintf(format, args...)})
	}
	for _, t := range texts {
		for _, s := range secrets {
			if len(s.Value) >= 8 && strings.Contains(t.Body, s.Value) {
				leak(t.Where, "It holds a secret of kind %s of %s.", s.Kind, s.Owner)
			}
		}
		if jwt.MatchString(t.Body) {
			leak(t.Where, "It holds an access token.")
		}
	}
	return found
}

func (c *checker) fenced() {
	for _, text := range c.Fenced {
		c.broken(Fenced, "worker", "%s", text)
	}
}
