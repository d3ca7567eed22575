package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Seed is what a world begins with, as --seed FILE and POST /_sim/seed take it.
type Seed struct {
	Domains      []Stranger     `json:"domains"`   // domains that strangers hold; id and name may be left out
	Customers    []SeedCustomer `json:"customers"` // existing customers
	Count        int            `json:"count"`     // so many further customers with made-up names
	Resellers    []Reseller     `json:"resellers"`
	AddressRules []AddressRule  `json:"addressRules"` // put before the usual ones
	Users        []User         `json:"users"`        // further people of the partner
	Groups       []Group        `json:"groups"`
	Attestations []Attestation  `json:"attestations"`
	Webhook      *struct {
		URL    string   `json:"url"`
		Events []string `json:"events"`
	} `json:"webhook"`
	Settings json.RawMessage `json:"settings"` // those that are to change
	Latency  *latencyState   `json:"latency"`
	Faults   []Fault         `json:"faults"`
	CLC      json.RawMessage `json:"clc"` // accounts and users of the billing directory
}

// SeedCustomer is an existing customer.
type SeedCustomer struct {
	ID           string          `json:"id"`
	Domain       string          `json:"domain"`
	Name         string          `json:"name"`
	Billing      BillingProfile  `json:"billingProfile"`
	Password     string          `json:"password"`
	Validation   string          `json:"validation"`
	Relationship string          `json:"relationship"`
	DirectSigned bool            `json:"directSigned"`
	Budget       *float64        `json:"budget"`
	Reseller     string          `json:"reseller"`
	Agreements   []SeedAgreement `json:"agreements"`
	Plan         *SeedPlan       `json:"plan"` // an Azure plan with its subscriptions
	Legacy       []SeedLegacy    `json:"legacy"`
	Orders       []SeedOrder     `json:"orders"`
	Consent      bool            `json:"consent"`       // the partner's app is consented, for Resource Manager and Graph
	GDAP         []string        `json:"gdap"`          // groups that hold all default roles
	Correlation  string          `json:"correlationId"` // made just now by another program of the partner: an audit record of the creation tells so
}

// SeedAgreement is an existing confirmation.
type SeedAgreement struct {
	First  string `json:"firstName"`
	Last   string `json:"lastName"`
	Email  string `json:"email"`
	Phone  string `json:"phoneNumber"`
	Agreed string `json:"dateAgreed"`
}

// SeedPlan is an existing Azure plan.
type SeedPlan struct {
	ID            string             `json:"id"`
	SKU           string             `json:"sku"` // default 0001
	Order         string             `json:"order"`
	Subscriptions []SeedSubscription `json:"subscriptions"`
}

// SeedSubscription is an existing Azure subscription.
type SeedSubscription struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Alias string `json:"alias"`
}

// SeedLegacy is an existing license-era subscription.
type SeedLegacy struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Quantity int    `json:"quantity"`
	Status   string `json:"status"`
	LegacySubscription
}

// SeedOrder is an existing order of something that makes no subscription.
type SeedOrder struct {
	ID       string    `json:"id"`
	Item     string    `json:"offerId"`
	Friendly string    `json:"friendlyName"`
	Quantity int       `json:"quantity"`
	Created  time.Time `json:"creationDate"`
}

// Seed adds what the seed names. It adds nothing if something in it is wrong.
func (s *Server) Seed(seed Seed) error {
	for _, f := range seed.Faults {
		if _, known := faultKinds[f.Kind]; !known {
			return fmt.Errorf("fault %q is unknown", f.Kind)
		}
	}
	if seed.Latency != nil {
		for w := range seed.Latency.Waits {
			if _, known := recorded[w]; !known {
				return fmt.Errorf("wait %q is unknown", w)
			}
		}
	}
	next := s.Settings()
	if len(seed.Settings) > 0 {
		if err := json.Unmarshal(seed.Settings, &next); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	if err := s.seedWorld(seed); err != nil {
		return err
	}
	s.peopleMu.Lock()
	s.people = append(s.people, seed.Users...)
	for i := range s.people {
		s.people[i].ID = or(s.people[i].ID, s.newID())
	}
	s.groups = append(s.groups, seed.Groups...)
	s.peopleMu.Unlock()
	s.Change(func(set *Settings) { *set = next })
	if seed.Latency != nil {
		if seed.Latency.Profile != "" {
			s.SetLatency(seed.Latency.Profile)
		}
		for w, d := range seed.Latency.Waits {
			s.SetWait(w, time.Duration(d))
		}
	}
	for _, f := range seed.Faults {
		if _, err := s.faults.add(f, s.Clock.Now(), s.Clock.Real); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) seedWorld(seed Seed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, now := s.w, s.Clock.Now()
	for _, x := range seed.Customers {
		if x.Domain == "" || x.Name == "" {
			return fmt.Errorf("a seeded customer needs domain and name")
		}
		if _, taken := w.domains[foldDomain(x.Domain)]; taken {
			return fmt.Errorf("the domain %s is taken", x.Domain)
		}
	}
	for _, d := range seed.Domains {
		if _, taken := w.domains[foldDomain(d.Domain)]; taken || d.Domain == "" {
			return fmt.Errorf("the domain %q is taken or empty", d.Domain)
		}
	}
	for _, d := range seed.Domains {
		s.stranger(w, d)
	}
	w.resellers = append(w.resellers, seed.Resellers...)
	w.addressRules = append(append([]AddressRule{}, seed.AddressRules...), w.addressRules...)
	for _, a := range seed.Attestations {
		a.ID = or(strings.ToLower(a.ID), s.newID())
		a.Created, a.Expires = now, now.Add(s.settings().AttestationLife.or(30*24*time.Hour))
		w.attestations[a.ID] = &a
	}
	if h := seed.Webhook; h != nil {
		w.hook = &Registration{Subscriber: s.newID(), URL: h.URL, Events: h.Events}
	}
	for _, x := range seed.Customers {
		s.seedCustomer(w, x, now)
	}
	for i := range seed.Count {
		n := len(w.list)
		phone := "4255550100"
		s.newCustomer(w, fmt.Sprintf("seeded%06d.onmicrosoft.com", n), fmt.Sprintf("Seeded company %06d", n), BillingProfile{
			Email: "owner@seeded.example", Culture: "en-US", Language: "en",
			Address: Address{Country: "US", City: "Redmond", State: "WA", AddressLine1: fmt.Sprintf("%d Microsoft Way", i+2), PostalCode: "98052",
				FirstName: "Account", LastName: "Owner", PhoneNumber: &phone},
		}, now).Seeded = true
	}
	if len(seed.CLC) > 0 && s.seedDirectory != nil {
		return s.seedDirectory(w, seed.CLC)
	}
	return nil
}

func (s *Server) stranger(w *world, d Stranger) *Stranger {
	d.ID, d.Name = or(strings.ToLower(d.ID), s.newID()), or(d.Name, d.Domain)
	w.strangers[d.ID] = &d
	w.domains[foldDomain(d.Domain)] = d.ID
	return &d
}

func (s *Server) seedCustomer(w *world, x SeedCustomer, now time.Time) {
	cu := s.newCustomer(w, x.Domain, x.Name, x.Billing, now)
	if x.ID != "" {
		delete(w.customers, cu.ID)
		cu.ID = strings.ToLower(x.ID)
		w.customers[cu.ID] = cu
		w.domains[foldDomain(cu.Domain)] = cu.ID
	}
	cu.Seeded, cu.Reseller, cu.DirectSigned, cu.Budget = true, x.Reseller, x.DirectSigned, x.Budget
	cu.Password, cu.Validation = or(x.Password, cu.Password), or(x.Validation, cu.Validation)
	cu.Relation = steady(or(x.Relationship, "reseller"))
	if cu.Billing.Address.Country == "" {
		cu.Billing.Address.Country = "US"
	}
	for _, a := range x.Agreements {
		at, readable := readDate(a.Agreed)
		if !readable {
			at = now
		}
		cu.Agreements = append(cu.Agreements, &Agreement{Contact: contactBody{a.First, a.Last, a.Email, a.Phone}, Template: templateMCA, Agreed: at, Type: agreementMCA, Created: now, Visible: now})
	}
	c := &call{s: s, w: w, now: now, received: now, log: &Call{}}
	if p := x.Plan; p != nil {
		item := bySKU[ProductAzurePlan+":"+or(p.SKU, "0001")]
		if item == nil {
			item = planSKUs[0]
		}
		o := &Order{ID: or(p.Order, s.newID()[:12]), Customer: cu, Cycle: "one_time", Created: now, Done: now, Listed: now}
		plan := &Plan{ID: or(strings.ToLower(p.ID), s.newID()), Order: o, Offer: item.catalogID(cu.Billing.Address.Country), Name: "Azure plan", Product: item, Status: steady("active"),
			Created: now, Listed: now, Billing: now, Etag: s.number(), Quantity: 1, Registered: steady("notregistered")}
		o.Lines = []*OrderLine{{purchase: purchase{0, item, plan.Offer, "", 1, "one_time", "", "", nil}, Plan: plan}}
		cu.Orders, cu.Plans = append(cu.Orders, o), append(cu.Plans, plan)
		for _, a := range p.Subscriptions {
			c.newAzure(cu, plan, or(strings.ToLower(a.ID), s.newID()), or(a.Name, "Microsoft Azure"), a.Alias, now, now)
		}
	}
	for _, l := range x.Legacy {
		legacy := l.LegacySubscription
		cu.Plans = append(cu.Plans, &Plan{ID: or(strings.ToLower(l.ID), s.newID()), Name: l.Name, Status: steady(or(l.Status, "active")), Created: legacy.Start, Listed: now, Billing: now,
			Etag: s.number(), Quantity: max(1, l.Quantity), Legacy: &legacy})
	}
	for _, o := range x.Orders {
		item, _ := findItem(o.Item, cu.Billing.Address.Country)
		if item == nil {
			continue
		}
		created := o.Created
		if created.IsZero() {
			created = now
		}
		cu.Orders = append(cu.Orders, &Order{ID: or(o.ID, s.newID()[:12]), Customer: cu, Cycle: item.Cycles[0], Created: created, Done: created, Listed: created, Old: true,
			Lines: []*OrderLine{{purchase: purchase{0, item, o.Item, o.Friendly, max(1, o.Quantity), item.Cycles[0], "", "", nil}}}})
	}
	if x.Consent {
		cu.Consents = append(cu.Consents, &Consent{App: strings.ToLower(s.cfg.App.ID), Name: s.cfg.App.Name, Object: s.newID(), Created: now, Visible: now,
			Grants: []Grant{{ResourceARM, []string{"user_impersonation"}}, {ResourceGraph, []string{"Directory.Read.All"}}}})
	}
	if len(x.GDAP) > 0 {
		rel := s.defaultRelationship(cu, now)
		rel.Status, rel.Readable, rel.Ready = steady("active"), now, now
		for _, g := range x.GDAP {
			rel.Assignments = append(rel.Assignments, &AccessAssignment{ID: s.newID(), Group: g, Roles: steady(defaultRoles), Status: steady("active"), Created: now, Modified: now, Etag: s.number()})
		}
		w.addRelationship(rel)
	}
	if x.Correlation != "" {
		c.log.CorrelationID, cu.Correlation, cu.Seeded = x.Correlation, x.Correlation, false
		c.record("customer", "add_customer", cu, "", nil)
	}
	cu.effects = nil // what was there before took nobody's time
}

func controlSeed(c *call) reply {
	var seed Seed
	if err := c.decode(&seed); err != nil {
		return controlError(err)
	}
	if err := c.s.Seed(seed); err != nil {
		return controlError(err)
	}
	return empty(http.StatusNoContent)
}
