package sim

import (
	"errors"
	"net/http"
	"slices"
	"sort"
	"strings"
)

// registerPeople adds what people do outside of the partner's API calls, and the
// views that tests compare with.
func (s *Server) registerPeople() {
	ctl := func(pattern string, a access, h handler) {
		s.on(serviceControl, pattern, needsNothing, a, h)
	}
	ctl("GET /_sim/customers", reads, func(c *call) reply { return ok(c.s.dumpAll(c.w, c.now)) })
	ctl("GET /_sim/customers/{customer}", reads, controlCustomer)
	ctl("GET /_sim/customers/{customer}/timeline", unlocked, func(c *call) reply { return ok(c.s.Timeline(c.param("customer"))) })
	ctl("PATCH /_sim/customers/{customer}", writes, controlPatchCustomer)
	ctl("DELETE /_sim/customers/{customer}", writes, controlRemoveCustomer)
	ctl("POST /_sim/customers/{customer}/subscriptions", writes, controlAddSubscription)
	ctl("POST /_sim/customers/{customer}/accept-mca", writes, controlDirectAccept)
	ctl("GET /_sim/attestations", reads, controlAttestations)
	ctl("POST /_sim/attestations/{attestation}/accept", writes, controlAccept)
	ctl("POST /_sim/attestations/{attestation}/expire", writes, controlExpire)
	ctl("GET /_sim/domains", reads, func(c *call) reply { return ok(c.w.domains) })
	ctl("PUT /_sim/domains/{domain}", writes, controlTakeDomain)
	ctl("DELETE /_sim/domains/{domain}", writes, controlFreeDomain)
	ctl("GET /_sim/strangers", reads, func(c *call) reply { return ok(c.w.strangersByDomain()) })
	ctl("GET /_sim/secrets", reads, func(c *call) reply { return ok(c.s.secrets(c.w)) })
	ctl("POST /_sim/strangers/{domain}/accept-relationship", writes, controlAcceptRelationship)
	ctl("GET /_sim/people", unlocked, controlPeople)
	ctl("POST /_sim/people/{user}/sign-in", writes, controlSignIn)
	ctl("POST /_sim/people/{user}/revoke", writes, controlRevoke)
	ctl("PATCH /_sim/people/{user}", unlocked, controlPatchPerson)
	ctl("GET /_sim/address-rules", reads, func(c *call) reply { return ok(c.w.addressRules) })
	ctl("POST /_sim/address-rules", writes, controlAddressRule)
	ctl("GET /_sim/audit", reads, controlAudit)
}

var errUnknown = errors.New("there is no such thing in the simulated world")

func controlMissing() reply {
	return reply{status: http.StatusNotFound, body: map[string]string{"error": errUnknown.Error()}}
}

// Customers lists the customers of the partner with all that they have, oldest first.
func (s *Server) Customers() []CustomerState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.dumpAll(s.w, s.Clock.Now())
}

// Customer is one customer with all that it has; ok is false when there is none.
func (s *Server) Customer(id string) (state CustomerState, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	cu := s.w.customer(id)
	if cu == nil {
		return state, false
	}
	return s.dump(s.w, cu, s.Clock.Now()), true
}

// SignIn plays a person who signs in and consents; it returns the refresh token that
// the application would get.
func (s *Server) SignIn(upn string, mfa bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{s: s, w: s.w, now: s.Clock.Now()}
	return c.newRefreshToken(upn, s.cfg.Partner.TenantID, mfa)
}

// Revoke lets every refresh token of a person be refused with an AADSTS code, as a
// changed password (50173) or a new policy (50076, 50078, 53003) does.
func (s *Server) Revoke(upn string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.revoke(upn, code)
}

func (w *world) revoke(upn string, code int) {
	for _, t := range w.refresh {
		if strings.EqualFold(t.UPN, upn) {
			t.Revoked = or(code, 50173)
		}
	}
}

// AcceptAttestation plays the signatory on Microsoft's page.
func (s *Server) AcceptAttestation(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.w.attestations[strings.ToLower(id)]
	if a == nil {
		return errUnknown
	}
	now := s.Clock.Now()
	if a.status(now) == "expired" {
		return errors.New("the attestation has expired")
	}
	s.accept(a, now)
	return nil
}

// AcceptDirectly plays the customer's administrator who accepts the agreement in the
// admin center.
func (s *Server) AcceptDirectly(customer string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cu := s.w.customer(customer)
	if cu == nil {
		return errUnknown
	}
	cu.DirectSigned = true
	return nil
}

// TakeDomain gives a domain to a stranger's tenant.
func (s *Server) TakeDomain(domain string) error {
	return s.Seed(Seed{Domains: []Stranger{{Domain: domain}}})
}

// SetValidation changes the account validation status of a customer: Allowed,
// UnderReview, NotAllowed, Unknown, NotReady, or None.
func (s *Server) SetValidation(customer, status string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cu := s.w.customer(customer)
	if cu == nil {
		return errUnknown
	}
	cu.Validation, cu.ValidatedAt = status, s.Clock.Now()
	return nil
}

// Timeline is what happened to a customer at the vendor, and how long that took.
func (s *Server) Timeline(customer string) Timeline {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := Timeline{Customer: customer, Effects: []Effect{}}
	if cu := s.w.customer(customer); cu != nil {
		out.Effects = append(out.Effects, cu.effects...)
	}
	sort.SliceStable(out.Effects, func(i, j int) bool { return out.Effects[i].Received.Before(out.Effects[j].Received) })
	took := unseen(out.Effects)
	out.Vendor, out.Seconds = Duration(took), took.Seconds()
	return out
}

func controlCustomer(c *call) reply {
	cu := c.w.customer(c.param("customer"))
	if cu == nil {
		return controlMissing()
	}
	return ok(c.s.dump(c.w, cu, c.now))
}

// controlRemoveCustomer plays a tenant that is gone, whatever it still has.
func controlRemoveCustomer(c *call) reply {
	cu := c.w.customer(c.param("customer"))
	if cu == nil {
		return controlMissing()
	}
	c.w.remove(cu)
	return empty(http.StatusNoContent)
}

// controlAddSubscription plays somebody who makes an Azure subscription in the
// partner's portal: {"name":"…"}.
func controlAddSubscription(c *call) reply {
	cu := c.w.customer(c.param("customer"))
	var in struct{ Name string }
	if err := c.decode(&in); err != nil {
		return controlError(err)
	}
	if cu == nil {
		return controlMissing()
	}
	for _, p := range cu.Plans {
		if p.Legacy == nil {
			a := c.newAzure(cu, p, c.s.newID(), or(in.Name, "Microsoft Azure"), "", c.now, c.now)
			return created(map[string]string{"id": a.ID})
		}
	}
	return controlMissing()
}

// controlPatchCustomer takes {"validation":"UnderReview","password":"…",
// "relationship":"none","planStatus":"suspended"}.
func controlPatchCustomer(c *call) reply {
	cu := c.w.customer(c.param("customer"))
	if cu == nil {
		return controlMissing()
	}
	var in struct{ Validation, Password, Relationship, PlanStatus *string }
	if err := c.decode(&in); err != nil {
		return controlError(err)
	}
	if in.Relationship != nil {
		cu.Relation.set(*in.Relationship, c.now, c.now)
	}
	if in.PlanStatus != nil {
		for _, p := range cu.Plans {
			p.Status.set(*in.PlanStatus, c.now, c.now)
		}
	}
	if in.Validation != nil {
		cu.Validation, cu.ValidatedAt = *in.Validation, c.now
	}
	if in.Password != nil {
		cu.Password = *in.Password
	}
	return ok(c.s.dump(c.w, cu, c.now))
}

func controlDirectAccept(c *call) reply {
	cu := c.w.customer(c.param("customer"))
	if cu == nil {
		return controlMissing()
	}
	cu.DirectSigned = true
	return empty(http.StatusNoContent)
}

func controlAttestations(c *call) reply {
	out := make([]attestationBody, 0, len(c.w.attestations))
	for _, a := range c.w.attestations {
		out = append(out, c.attestationBody(a))
	}
	slices.SortFunc(out, func(a, b attestationBody) int { return strings.Compare(a.Created+a.ID, b.Created+b.ID) })
	return ok(out)
}

func controlAccept(c *call) reply {
	a := c.w.attestations[strings.ToLower(c.param("attestation"))]
	if a == nil {
		return controlMissing()
	}
	c.s.accept(a, c.now)
	return ok(c.attestationBody(a))
}

func controlExpire(c *call) reply {
	a := c.w.attestations[strings.ToLower(c.param("attestation"))]
	if a == nil {
		return controlMissing()
	}
	a.Expires = c.now
	return ok(c.attestationBody(a))
}

func controlTakeDomain(c *call) reply {
	if owner, taken := c.w.domains[foldDomain(c.param("domain"))]; taken {
		return reply{status: http.StatusConflict, body: map[string]string{"error": "the domain belongs to " + owner}}
	}
	return created(c.s.stranger(c.w, Stranger{Domain: c.param("domain")}))
}

func controlFreeDomain(c *call) reply {
	domain := foldDomain(c.param("domain"))
	owner := c.w.domains[domain]
	if c.w.strangers[owner] == nil {
		return controlMissing()
	}
	delete(c.w.strangers, owner)
	delete(c.w.domains, domain)
	return empty(http.StatusNoContent)
}

func (w *world) strangersByDomain() []Stranger {
	out := make([]Stranger, 0, len(w.strangers))
	for _, x := range w.strangers {
		out = append(out, *x)
	}
	slices.SortFunc(out, func(a, b Stranger) int { return strings.Compare(a.Domain+a.ID, b.Domain+b.ID) })
	return out
}

// Secret is one that this world gave away or was told, so that a test can look
// for it where it must not be.
type Secret struct {
	Kind  string `json:"kind"` // app, person, admin, refresh
	Owner string `json:"owner"`
	Value string `json:"value"`
}

func (s *Server) secrets(w *world) []Secret {
	out := []Secret{{"app", s.cfg.App.ID, s.cfg.App.Secret}}
	s.peopleMu.RLock()
	for _, u := range s.people {
		if u.Password != "" {
			out = append(out, Secret{"person", u.UPN, u.Password})
		}
	}
	s.peopleMu.RUnlock()
	for _, cu := range w.list {
		if cu != nil && cu.Password != "" {
			out = append(out, Secret{"admin", cu.ID, cu.Password})
		}
	}
	for value, t := range w.refresh {
		out = append(out, Secret{"refresh", t.UPN, value})
	}
	return out
}

// Secrets are all that this world gave away or was told.
func (s *Server) Secrets() []Secret {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.secrets(s.w)
}

// Strangers are the tenants that have nothing to do with the partner.
func (s *Server) Strangers() []Stranger {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.w.strangersByDomain()
}

// controlAcceptRelationship plays the global admin of an existing tenant who accepts
// the partner's invitation: the stranger becomes a customer.
func controlAcceptRelationship(c *call) reply {
	stranger := c.w.strangers[c.w.domains[foldDomain(c.param("domain"))]]
	if stranger == nil {
		return controlMissing()
	}
	delete(c.w.strangers, stranger.ID)
	delete(c.w.domains, foldDomain(stranger.Domain))
	c.s.seedCustomer(c.w, SeedCustomer{ID: stranger.ID, Domain: stranger.Domain, Name: stranger.Name,
		Billing: BillingProfile{Email: "admin@" + stranger.Domain, Culture: "en-US", Language: "en"}}, c.now)
	cu := c.w.customers[stranger.ID]
	c.record("partner_customer_relationship", "extend_relationship", cu, "", map[string]string{"customerId": cu.ID})
	c.emit("reseller-relationship-accepted-by-customer", "https://api.partnercenter.microsoft.com/v1/customers/"+cu.ID, "customer")
	return ok(c.s.dump(c.w, cu, c.now))
}

type personState struct {
	ID    string   `json:"id"`
	UPN   string   `json:"upn"`
	Name  string   `json:"name"`
	NoMFA bool     `json:"noMFA"`
	Roles []string `json:"roles"`
}

func controlPeople(c *call) reply {
	c.s.peopleMu.RLock()
	defer c.s.peopleMu.RUnlock()
	people := []personState{}
	for _, u := range c.s.people {
		people = append(people, personState{u.ID, u.UPN, u.Name, u.NoMFA, u.Roles})
	}
	return ok(map[string]any{"users": people, "groups": c.s.groups})
}

// controlSignIn plays a sign-in with consent: {"mfa":true} gives a refresh token;
// {"redirectUri":"…"} gives a code as well, for the authorization-code grant.
func controlSignIn(c *call) reply {
	var in struct {
		MFA      *bool
		Redirect string `json:"redirectUri"`
	}
	if len(c.body) > 0 {
		if err := c.decode(&in); err != nil {
			return controlError(err)
		}
	}
	upn := c.param("user")
	var tenant string
	mfa := in.MFA == nil || *in.MFA
	if u := c.s.user(upn); u != nil {
		tenant, mfa = c.s.cfg.Partner.TenantID, mfa && !u.NoMFA
	} else {
		_, domain, _ := strings.Cut(upn, "@")
		cu := c.w.customers[c.w.domains[foldDomain(domain)]]
		if cu == nil || cu.member(upn) == nil {
			return controlMissing()
		}
		tenant = cu.ID
	}
	out := map[string]string{"refresh_token": c.newRefreshToken(upn, tenant, mfa), "tenant": tenant}
	if in.Redirect != "" {
		out["code"] = c.newCode(upn, tenant, mfa, in.Redirect)
	}
	return created(out)
}

// controlRevoke takes {"code":50173}: the refresh tokens of the person are refused so.
func controlRevoke(c *call) reply {
	var in struct{ Code int }
	if len(c.body) > 0 {
		if err := c.decode(&in); err != nil {
			return controlError(err)
		}
	}
	c.w.revoke(c.param("user"), in.Code)
	return empty(http.StatusNoContent)
}

// controlPatchPerson takes {"noMFA":true,"roles":["SalesAgent"]}.
func controlPatchPerson(c *call) reply {
	var in struct {
		NoMFA    *bool
		Roles    *[]string
		Password *string
	}
	if err := c.decode(&in); err != nil {
		return controlError(err)
	}
	c.s.peopleMu.Lock()
	defer c.s.peopleMu.Unlock()
	for i := range c.s.people {
		u := &c.s.people[i]
		if !strings.EqualFold(u.UPN, c.param("user")) {
			continue
		}
		if in.NoMFA != nil {
			u.NoMFA = *in.NoMFA
		}
		if in.Roles != nil {
			u.Roles = *in.Roles
		}
		if in.Password != nil {
			u.Password = *in.Password
		}
		return ok(personState{u.ID, u.UPN, u.Name, u.NoMFA, u.Roles})
	}
	return controlMissing()
}

func controlAddressRule(c *call) reply {
	var in AddressRule
	if err := c.decode(&in); err != nil {
		return controlError(err)
	}
	if in.Status == "" {
		return controlError(errors.New("a rule needs a status"))
	}
	c.w.addressRules = append([]AddressRule{in}, c.w.addressRules...)
	return ok(c.w.addressRules)
}

func controlAudit(c *call) reply {
	out := []auditBody{}
	for _, r := range c.w.audit {
		out = append(out, r.body(c.s.cfg.Partner.TenantID))
	}
	return ok(out)
}
