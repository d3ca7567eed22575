package sim

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func (s *Server) registerCustomers() {
	pc := servicePartnerCenter
	g := group(GroupCustomers)
	s.on(pc, "POST /v1/customers", needsToken, writes, createCustomer, g, salesAgents, holds(WaitCustomerCreate))
	s.on(pc, "GET /v1/customers", needsToken, reads, listCustomers, g, salesAgents, plainType)
	s.on(pc, "GET /v1/customers/{customer}", needsToken, reads, getCustomer, g, salesAgents)
	s.on(pc, "PATCH /v1/customers/{customer}", needsUser, writes, patchCustomer, g)
	s.on(pc, "DELETE /v1/customers/{customer}", needsToken, writes, deleteCustomer, g)
	s.on(pc, "GET /v1/customers/{customer}/profiles/company", needsUser, reads, getCompanyProfile, g, salesAgents)
	s.on(pc, "GET /v1/customers/{customer}/profiles/billing", needsToken, reads, getBillingProfile, g, salesAgents)
	s.on(pc, "PUT /v1/customers/{customer}/profiles/billing", needsToken, writes, putBillingProfile, g, salesAgents)
	s.on(pc, "GET /v1/customers/relationshiprequests", needsUser, reads, getRelationshipRequest, salesAgents)
	s.on(pc, "GET /v1/customers/{customer}/relationships", needsUser, reads, getCustomerRelationships, salesAgents)
	s.on(pc, "GET /v1/relationships", needsUser, reads, listResellers, salesAgents)
	s.on(pc, "GET /v1/customers/{customer}/validationStatus", needsUser, reads, getValidationStatus, salesAgents)
	s.on(pc, "GET /v1/customers/{customer}/qualifications", needsUser, reads, getQualifications, salesAgents)
	s.on(pc, "POST /v1/customers/{customer}/qualifications", needsUser, writes, addQualification, salesAgents)
	s.on(pc, "GET /v1/customers/all/validations", needsUser, reads, func(*call) reply { return ok([]any{}) }, salesAgents)
	s.on(pc, "GET /v1/customers/{customer}/usagebudget", needsToken, reads, getBudget, g, plainType)
	s.on(pc, "PATCH /v1/customers/{customer}/usagebudget", needsToken, writes, patchBudget, g, plainType)
}

// Address is an address as Partner Center writes it.
type Address struct {
	Country      string  `json:"country"`
	Region       string  `json:"region,omitempty"`
	City         string  `json:"city"`
	State        string  `json:"state,omitempty"`
	AddressLine1 string  `json:"addressLine1"`
	AddressLine2 string  `json:"addressLine2,omitempty"`
	PostalCode   string  `json:"postalCode,omitempty"`
	FirstName    string  `json:"firstName,omitempty"`
	MiddleName   string  `json:"middleName,omitempty"`
	LastName     string  `json:"lastName,omitempty"`
	PhoneNumber  *string `json:"phoneNumber,omitempty"`
}

// BillingProfile is the billing profile of a customer.
type BillingProfile struct {
	ID        string      `json:"id"`
	FirstName string      `json:"firstName,omitempty"`
	LastName  string      `json:"lastName,omitempty"`
	Email     string      `json:"email"`
	Culture   string      `json:"culture"`
	Language  string      `json:"language"`
	Company   string      `json:"companyName"`
	Address   Address     `json:"defaultAddress"`
	Links     *selfLinks  `json:"links,omitempty"`
	Attribute *attributes `json:"attributes,omitempty"`
	Etag      int64       `json:"-"`
}

// CompanyProfile is what the customer's tenant is called.
type CompanyProfile struct {
	TenantID     string      `json:"tenantId"`
	Domain       string      `json:"domain"`
	Name         string      `json:"companyName,omitempty"`
	Registration string      `json:"organizationRegistrationNumber,omitempty"`
	Address      *Address    `json:"address,omitempty"`
	Email        string      `json:"email,omitempty"`
	Links        *selfLinks  `json:"links,omitempty"`
	Attribute    *attributes `json:"attributes,omitempty"`
}

type credentials struct {
	User     string `json:"userName"`
	Password string `json:"password"`
}

// customerBody is a customer on the wire; each page shows its own choice of members.
type customerBody struct {
	ID         string          `json:"id"`
	Commerce   string          `json:"commerceId,omitempty"`
	Company    *CompanyProfile `json:"companyProfile"`
	Billing    *BillingProfile `json:"billingProfile,omitempty"`
	GDAP       *bool           `json:"enableGDAPByDefault,omitempty"`
	Relation   string          `json:"relationshipToPartner"`
	Delegated  *bool           `json:"allowDelegatedAccess,omitempty"`
	Creds      *credentials    `json:"userCredentials,omitempty"`
	Custom     []string        `json:"customDomains,omitempty"`
	Associated string          `json:"associatedPartnerId,omitempty"`
	Links      *selfLinks      `json:"links,omitempty"`
	Attribute  *attributes     `json:"attributes"`
}

var customerAttributes = &attributes{Type: "Customer"}

func (cu *Customer) company(links bool) *CompanyProfile {
	p := cu.Company
	p.TenantID, p.Domain, p.Name = cu.ID, cu.Domain, cu.Name
	p.Attribute = &attributes{Type: "CustomerCompanyProfile"}
	if links {
		p.Links = self("/customers/" + cu.ID + "/profiles/company")
	} else {
		p.Registration = ""
	}
	return &p
}

func (cu *Customer) billing(links bool) *BillingProfile {
	p := cu.Billing
	p.Attribute = &attributes{Etag: strconv.FormatInt(p.Etag, 10), Type: "CustomerBillingProfile"}
	if links {
		p.Links = self("/customers/" + cu.ID + "/profiles/billing")
	}
	return &p
}

// newCustomerBody is what POST /v1/customers reads; null and unknown members are ignored.
type newCustomerBody struct {
	GDAP    *bool `json:"enableGDAPByDefault"`
	Company struct {
		Domain       string `json:"domain"`
		Registration string `json:"organizationRegistrationNumber"`
	} `json:"companyProfile"`
	Billing    BillingProfile `json:"billingProfile"`
	Associated string         `json:"associatedPartnerId"`
	Creds      *struct {
		Password string `json:"password"`
	} `json:"userCredentials"`
}

var domainLabel = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,25}[a-z0-9])?$`)

// createCustomer opens a tenant: POST /v1/customers.
func createCustomer(c *call) reply {
	var in newCustomerBody
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if refusal := c.checkNewCustomer(&in); refusal != nil {
		return *refusal
	}
	domain := foldDomain(in.Company.Domain)
	if owner, taken := c.w.domains[domain]; taken {
		set := c.s.settings()
		return pcError(or(set.TakenStatus, http.StatusConflict), or(set.TakenCode, 27002),
			fmt.Sprintf("The domain %s is not available: it belongs to the tenant %s.", in.Company.Domain, owner), "Domain")
	}
	cu := c.s.newCustomer(c.w, in.Company.Domain, in.Billing.Company, in.Billing, c.now)
	cu.Company.Registration = in.Company.Registration
	cu.Reseller = in.Associated
	cu.Correlation = c.log.CorrelationID
	cu.Listed = c.after(WaitCustomerListed)
	cu.Relation = lagging[string]{old: "none", new: "reseller", from: c.after(WaitRelationship)}
	cu.GDAP = in.GDAP == nil || *in.GDAP
	c.effect(cu.ID, "customer", cu.ID, cu.Relation.from)
	if cu.GDAP {
		rel := c.s.defaultRelationship(cu, c.now)
		c.w.addRelationship(rel)
		c.effect(cu.ID, "gdap", rel.ID, later(rel.Status.from, rel.Readable))
	}
	c.record("customer", "add_customer", cu, "", map[string]any{"customerId": cu.ID, "domain": cu.Domain, "companyName": cu.Name})

	out := customerBody{
		ID: cu.ID, Commerce: cu.ID, Company: cu.company(cu.Reseller != ""), Billing: cu.billing(false), GDAP: in.GDAP,
		Relation: cu.Relation.at(c.now), Creds: &credentials{"admin", cu.Password}, Attribute: customerAttributes,
	}
	out.Company.Registration = in.Company.Registration
	if cu.Reseller != "" { // the page for indirect resellers shows the relationship and delegated access at once
		yes := true
		out.Relation, out.Delegated, out.Associated = "reseller", &yes, cu.Reseller
	}
	again := out
	again.Creds = nil
	r := created(out)
	r.once = again
	return r
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// checkNewCustomer refuses what Partner Center refuses, most telling thing first.
func (c *call) checkNewCustomer(in *newCustomerBody) *reply {
	refuse := func(r reply) *reply { return &r }
	set := c.s.settings()
	domain := foldDomain(in.Company.Domain)
	prefix, suffix, _ := strings.Cut(domain, ".")
	suffixes := set.DomainSuffixes
	if len(suffixes) == 0 {
		suffixes = []string{".onmicrosoft.com"}
	}
	switch {
	case in.Creds != nil && in.Creds.Password != "":
		return refuse(invalid("A password cannot be chosen for a new customer.", "UserCredentials.Password"))
	case in.Company.Domain == "":
		return refuse(invalid("The domain is missing.", "Domain"))
	case !has(suffixes, "."+suffix) || !domainLabel.MatchString(prefix):
		return refuse(invalid("The domain "+in.Company.Domain+" is not valid.", "Domain"))
	case in.Billing.Company == "" || len([]rune(in.Billing.Company)) > 256:
		return refuse(invalid("The company name is missing or too long.", "CompanyName"))
	case !strings.Contains(in.Billing.Email, "@"):
		return refuse(invalid("The e-mail address is missing or not valid.", "Email"))
	case in.Billing.Culture == "":
		return refuse(invalid("The culture is missing.", "Culture"))
	case in.Billing.Language == "":
		return refuse(invalid("The language is missing.", "Language"))
	}
	if bad := badAddress(in.Billing.Address, true); bad != nil {
		return refuse(invalid(bad.text, bad.fields...))
	}
	rules := countryRules(in.Billing.Address.Country)
	if rules == nil || (len(set.Markets) > 0 && !has(set.Markets, rules.ISO2)) {
		return refuse(pcError(http.StatusForbidden, 2030, "Partner isn't onboarded to sell in country/region "+in.Billing.Address.Country, "Country"))
	}
	if r := rules.checkRegistration(in.Company.Registration); r != nil {
		return r
	}
	if rules.phoneRequired() && deref(in.Billing.Address.PhoneNumber) == "" {
		return refuse(pcError(http.StatusBadRequest, 600051, "Customer phone number is missing", "PhoneNumber"))
	}
	if in.Associated != "" {
		if !c.s.cfg.Partner.Indirect {
			return refuse(pcError(http.StatusBadRequest, 600006, "The requested action is not allowed", "AssociatedPartnerId"))
		}
		if c.w.reseller(in.Associated) == nil {
			return refuse(pcError(http.StatusBadRequest, 800016, "PartnerID isn't a valid Indirect Reseller", "AssociatedPartnerId"))
		}
	}
	if set.SandboxLimits && len(c.w.customers) >= 75 {
		return refuse(pcError(http.StatusBadRequest, 800018, "The sandbox limit has been met"))
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// newCustomer adds a tenant whose relationship and listing are in force at once.
func (s *Server) newCustomer(w *world, domain, name string, billing BillingProfile, now time.Time) *Customer {
	cu := &Customer{
		ID: s.newID(), Domain: domain, Name: name, folded: strings.ToLower(name), Billing: billing,
		Relation: steady("reseller"), Created: now, Listed: now, Password: s.password(), AdminID: s.newID(),
		Validation: or(s.settings().ValidationFor[foldDomain(domain)], s.settings().ValidationState, "Allowed"), ValidatedAt: now,
	}
	cu.Billing.ID, cu.Billing.Company, cu.Billing.Etag = s.newID(), name, s.number()
	cu.Billing.Culture = canonicalCulture(billing.Culture)
	cu.Billing.Address.Country = strings.ToUpper(billing.Address.Country)
	w.addCustomer(cu)
	return cu
}

func (w *world) addCustomer(cu *Customer) {
	w.customers[cu.ID] = cu
	w.list = append(w.list, cu)
	w.domains[foldDomain(cu.Domain)] = cu.ID
}

// password makes a one-time password of Microsoft's look: 16 characters of all kinds.
func (s *Server) password() string {
	const letters, all = "abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789!*?=;."
	out := []byte("Aa7!............")
	for i := range out {
		switch {
		case i < 4:
			out[i] = letters[int(s.number()%int64(len(letters)))]
		default:
			out[i] = all[int(s.number()%int64(len(all)))]
		}
	}
	out[0], out[2], out[3] = out[0]-32, byte('2'+s.number()%8), '!'
	return string(out)
}

// canonicalCulture writes EN-US as en-US.
func canonicalCulture(c string) string {
	language, region, found := strings.Cut(c, "-")
	if !found {
		return strings.ToLower(c)
	}
	return strings.ToLower(language) + "-" + strings.ToUpper(region)
}

// customer resolves {customer}; one that is not the partner's is 404 20002.
func (c *call) customer() (*Customer, *reply) {
	if cu := c.w.customer(c.param("customer")); cu != nil {
		c.log.Customer = cu.ID
		return cu, nil
	}
	r := pcError(http.StatusNotFound, 20002, fmt.Sprintf("The partner ID %s has no commerce relationship with the customer ID %s.",
		c.s.cfg.Partner.TenantID, c.param("customer")))
	return nil, &r
}

// related resolves {customer} for calls that need the reseller relationship; right
// after the creation, and after its end, there is none.
func (c *call) related() (*Customer, *reply) {
	cu, refusal := c.customer()
	if refusal == nil && cu.Relation.at(c.now) != "reseller" {
		r := pcError(http.StatusForbidden, 900159, fmt.Sprintf("The account %s has no commerce relationship with the organization %s.",
			c.s.cfg.Partner.TenantID, cu.ID))
		return nil, &r
	}
	return cu, refusal
}

// listCustomers answers GET /v1/customers with seek paging and filters.
func listCustomers(c *call) reply {
	f, refusal := c.readFilter()
	if refusal != nil {
		return *refusal
	}
	size, from, refusal := c.readPage(100)
	if refusal != nil {
		return *refusal
	}
	asOf := c.now.Add(-c.lag(c.faults))
	out := listing[customerBody](nil)
	links := &pageLinks{Self: get(c.r.URL.RequestURI())}
	for i := from; i < len(c.w.list); i++ {
		cu := c.w.list[i]
		if cu == nil || asOf.Before(cu.Listed) {
			continue
		}
		if f != nil {
			yes, err := f.matches(cu.field)
			if err != nil {
				return pcError(http.StatusBadRequest, 3000, "Invalid property: "+err.Error(), "filter")
			}
			if !yes {
				continue
			}
		}
		if len(out.Items) == size {
			links.Next = c.nextPage(i)
			break
		}
		out.Items = append(out.Items, customerBody{ID: cu.ID, Company: cu.company(false), Relation: cu.Relation.at(c.now), Attribute: customerAttributes})
	}
	out.Total, out.Links = len(out.Items), links
	return ok(out)
}

// field is a value that filters can name.
func (cu *Customer) field(name string) string {
	switch name {
	case "companyname":
		return cu.folded
	case "domain":
		return cu.Domain
	case "indirectreseller", "indirectcloudsolutionprovider":
		return cu.Reseller
	}
	return ""
}

// getCustomer answers GET /v1/customers/{customer}; allowDelegatedAccess only here.
func getCustomer(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	return ok(cu.body(c.now))
}

func (cu *Customer) body(now time.Time) customerBody {
	no := false
	out := customerBody{
		ID: cu.ID, Commerce: cu.ID, Company: cu.company(true), Billing: cu.billing(true), Relation: cu.Relation.at(now),
		Delegated: &no, Custom: []string{cu.Domain}, Associated: cu.Reseller, Links: self("/customers/" + cu.ID), Attribute: customerAttributes,
	}
	return out
}

// patchCustomer ends the reseller relationship, or removes delegated access.
func patchCustomer(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	var in struct {
		Relation  string `json:"relationshipToPartner"`
		Delegated *bool  `json:"allowDelegatedAccess"`
	}
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if in.Relation == "" && in.Delegated == nil {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "RelationshipToPartner")
	}
	if in.Relation != "" {
		if foldEnum(in.Relation) != "none" {
			return pcError(http.StatusBadRequest, 3000, "Invalid property", "RelationshipToPartner")
		}
		for _, p := range cu.Plans {
			if p.Status.at(c.now) == "active" {
				return pcError(http.StatusForbidden, 600006, "The requested action is not allowed: the customer has active subscriptions", p.ID)
			}
		}
		cu.Relation.set("none", c.now, c.now)
		c.effect(cu.ID, "relationship-end", cu.ID, c.now)
		c.record("partner_customer_relationship", "remove_partner_customer_relationship", cu, "", map[string]string{"relationshipToPartner": "none"})
	}
	return ok(cu.body(c.now))
}

// deleteCustomer works in the sandbox only, when nothing of the customer is active.
func deleteCustomer(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	if c.s.settings().Production {
		return pcError(http.StatusForbidden, 600006, "The requested action is not allowed outside the integration sandbox")
	}
	for _, o := range cu.Orders {
		if o.status(c.now) == "pending" {
			return pcError(http.StatusBadRequest, 600006, "The customer has an order in progress (active Azure reserved instances)", o.ID)
		}
	}
	for _, p := range cu.Plans {
		for _, a := range p.Azure {
			if a.Status.at(c.now) == "active" {
				return pcError(http.StatusForbidden, 900115, "The Azure plan has active Azure subscriptions", a.ID)
			}
		}
		if p.Status.at(c.now) == "active" {
			return pcError(http.StatusForbidden, 600006, "The requested action is not allowed: the customer has active subscriptions", p.ID)
		}
	}
	c.record("customer", "delete_tip_customer", cu, cu.ID, nil)
	c.w.remove(cu)
	return empty(http.StatusNoContent)
}

func (w *world) remove(cu *Customer) {
	delete(w.customers, cu.ID)
	delete(w.domains, foldDomain(cu.Domain))
	for _, r := range cu.Relations {
		delete(w.relations, r.ID)
	}
	for _, p := range cu.Plans {
		for _, a := range p.Azure {
			delete(w.azure, a.ID)
		}
	}
	for i := range w.list {
		if w.list[i] == cu {
			w.list[i] = nil // places of later pages stay valid
		}
	}
}
