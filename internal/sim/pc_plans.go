package sim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// LegacySubscription is the look of a license-era subscription, as sample 13 has it.
type LegacySubscription struct {
	Entitlement string    `json:"entitlementId"`
	Unit        string    `json:"unitType"`
	Billing     string    `json:"billingType"`
	Offer       string    `json:"offerId"`
	Order       string    `json:"orderId"`
	Start       time.Time `json:"effectiveStartDate"`
	End         time.Time `json:"commitmentEndDate"`
	Renews      bool      `json:"autoRenewEnabled"`
}

// SupportContact is who supports a subscription.
type SupportContact struct {
	Tenant string `json:"supportTenantId"`
	MPN    string `json:"supportMpnId"`
	Name   string `json:"name"`
}

// Overage says which Azure subscription pays what other services use beyond their terms.
type Overage struct {
	Entitlement string `json:"azureEntitlementId"`
	Partner     string `json:"partnerId"`
	Type        string `json:"type"`
	On          bool   `json:"overage"`
}

func (s *Server) registerPlans() {
	pc := servicePartnerCenter
	g := group(GroupSubscriptions)
	const subs = "/v1/customers/{customer}/subscriptions"
	s.on(pc, "GET "+subs, needsToken, reads, listPlans, g, salesAgents, plainType)
	s.on(pc, "GET "+subs+"/overage", needsToken, reads, getOverage, g)
	s.on(pc, "PUT "+subs+"/overage", needsToken, writes, putOverage, g)
	s.on(pc, "GET "+subs+"/{subscription}", needsToken, reads, getPlan, g, salesAgents)
	s.on(pc, "PATCH "+subs+"/{subscription}", needsToken, writes, patchPlan, g)
	s.on(pc, "GET "+subs+"/{subscription}/provisioningstatus", needsToken, reads, getPlanProvisioning, g, salesAgents)
	s.on(pc, "POST "+subs+"/{subscription}/registrations", needsToken, writes, registerPlan, g)
	s.on(pc, "GET "+subs+"/{subscription}/registrationstatus", needsToken, reads, getRegistrationStatus, g)
	s.on(pc, "GET "+subs+"/{subscription}/supportcontact", needsToken, reads, getSupportContact, g)
	s.on(pc, "PUT "+subs+"/{subscription}/supportcontact", needsToken, writes, putSupportContact, g)
	e := group(GroupEntitlements)
	const entitlements = subs + "/{subscription}/azureEntitlements"
	s.on(pc, "GET "+entitlements, needsToken, reads, listEntitlements, e, salesAgents, plainType)
	s.on(pc, "GET "+entitlements+"/{entitlement}", needsToken, reads, getEntitlement, e, salesAgents, plainType)
	s.on(pc, "POST "+entitlements+"/{entitlement}/cancel", needsToken, writes, cancelEntitlement, e)
	s.on(pc, "POST "+entitlements+"/{entitlement}/reactivate", needsToken, writes, reactivateEntitlement, e)
}

type planBody struct {
	ID          string     `json:"id"`
	Entitlement string     `json:"entitlementId,omitempty"`
	Offer       string     `json:"offerId,omitempty"`
	OfferName   string     `json:"offerName,omitempty"`
	Friendly    string     `json:"friendlyName"`
	Type        *itemType  `json:"productType,omitempty"`
	Quantity    int        `json:"quantity"`
	Unit        string     `json:"unitType"`
	Addons      *bool      `json:"hasPurchasableAddons,omitempty"`
	Created     string     `json:"creationDate"`
	Start       string     `json:"effectiveStartDate"`
	End         string     `json:"commitmentEndDate"`
	EndTime     string     `json:"commitmentEndDateTime,omitempty"`
	Status      string     `json:"status"`
	Renews      bool       `json:"autoRenewEnabled"`
	Trial       *bool      `json:"isTrial,omitempty"`
	Billing     string     `json:"billingType"`
	Cycle       string     `json:"billingCycle,omitempty"`
	Term        string     `json:"termDuration,omitempty"`
	Microsoft   *bool      `json:"isMicrosoftProduct,omitempty"`
	Publisher   string     `json:"publisherName,omitempty"`
	Partner     string     `json:"partnerId,omitempty"`
	Attention   *bool      `json:"attentionNeeded,omitempty"`
	Acted       *bool      `json:"actionTaken,omitempty"`
	Contract    string     `json:"contractType"`
	Suspension  []string   `json:"suspensionReasons,omitempty"`
	Links       planLinks  `json:"links"`
	Order       string     `json:"orderId"`
	Attribute   attributes `json:"attributes"`
}

type planLinks struct {
	Offer        *link `json:"offer,omitempty"`
	Product      *link `json:"product,omitempty"`
	SKU          *link `json:"sku,omitempty"`
	Availability *link `json:"availability,omitempty"`
	Self         *link `json:"self"`
}

func (c *call) planBody(cu *Customer, p *Plan) planBody {
	out := planBody{ID: p.ID, Friendly: p.Name, Quantity: p.Quantity, Status: p.Status.at(c.now), Contract: "subscription",
		Created: p.Created.UTC().Format(time.RFC3339), Attribute: attributes{strconv.FormatInt(p.Etag, 10), "Subscription"}}
	out.Links.Self = get("/customers/" + cu.ID + "/subscriptions/" + p.ID)
	if l := p.Legacy; l != nil {
		out.Entitlement, out.Unit, out.Billing, out.Order, out.Renews = l.Entitlement, l.Unit, l.Billing, l.Order, l.Renews
		out.Start, out.End = l.Start.UTC().Format(time.RFC3339), l.End.UTC().Format(time.RFC3339)
		out.Links.Offer = get("/v1/offers/" + l.Offer)
		return out
	}
	no, yes := false, p.Product.product.Kind != "SaaS"
	out.Offer, out.OfferName, out.Unit, out.Order = p.Offer, p.Product.Title, p.Product.Unit, p.Order.ID
	out.Type = &itemType{strings.ToLower(p.Product.product.Kind), p.Product.product.Kind, nil}
	out.Addons, out.Trial, out.Attention, out.Acted, out.Microsoft, out.Publisher = &no, &no, &no, &no, &yes, "Microsoft Corporation"
	out.Cycle, out.Term, out.Billing, out.Partner = p.Order.Cycle, p.Term, "license", p.Order.Lines[0].partner
	if p.Product.Unit == "Usage-based" {
		out.Billing = "usage"
	}
	if p.Product.legacy() {
		out.Entitlement = p.ID
	}
	if out.Status == "suspended" {
		out.Suspension = []string{"SuspendedByPartner"}
	}
	day := p.Created.UTC().Truncate(24 * time.Hour)
	end := day.AddDate(1, 0, 0)
	out.Start, out.End, out.EndTime = day.Format(time.RFC3339), end.Format(time.RFC3339), end.Format(time.RFC3339)
	sku := "/products/" + p.Product.product.ID + "/skus/" + p.Product.ID
	country := "?country=" + cu.Billing.Address.Country
	out.Links.Product, out.Links.SKU = get("/products/"+p.Product.product.ID+country), get(sku+country)
	out.Links.Availability = get(sku + "/availabilities/" + p.Product.availability(cu.Billing.Address.Country) + country)
	return out
}

// listPlans lists what was bought; Azure subscriptions are not among it.
func listPlans(c *call) reply {
	cu, refusal := c.related()
	if refusal != nil {
		return *refusal
	}
	asOf := c.now.Add(-c.lag(c.faults))
	out := listing[planBody](nil)
	order := c.query("order_id")
	for _, p := range cu.Plans {
		if asOf.Before(p.Listed) || (order != "" && (p.Order == nil || !strings.EqualFold(p.Order.ID, order))) {
			continue
		}
		out.Items = append(out.Items, c.planBody(cu, p))
	}
	out.Total = len(out.Items)
	return ok(out)
}

// plan resolves {subscription}; what is not listed yet is not found.
func (c *call) plan() (*Customer, *Plan, *reply) {
	cu, refusal := c.related()
	if refusal != nil {
		return nil, nil, refusal
	}
	for _, p := range cu.Plans {
		if strings.EqualFold(p.ID, c.param("subscription")) && !c.now.Before(p.Listed) {
			return cu, p, nil
		}
	}
	r := pcError(http.StatusNotFound, 20003, "Subscription with ID "+c.param("subscription")+" not found.")
	return nil, nil, &r
}

func getPlan(c *call) reply {
	cu, p, refusal := c.plan()
	if refusal != nil {
		return *refusal
	}
	return ok(c.planBody(cu, p))
}

// patchPlan renames, suspends and reactivates. A plan with an active Azure
// subscription cannot be suspended.
func patchPlan(c *call) reply {
	cu, p, refusal := c.plan()
	if refusal != nil {
		return *refusal
	}
	if match := strings.Trim(c.r.Header.Get("If-Match"), `"`); match != "" && match != "*" && match != strconv.FormatInt(p.Etag, 10) {
		return pcError(http.StatusBadRequest, 2055, "Etag is no longer valid")
	}
	var in struct {
		Status   string
		Friendly *string `json:"friendlyName"`
		Quantity *int
	}
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	old := p.Status.at(c.now)
	switch next := foldEnum(in.Status); {
	case next == "" || next == old:
	case old == "deleted":
		return pcError(http.StatusBadRequest, 2011, "Subscription with ID "+p.ID+" and deleted status can't be updated.")
	case next == "suspended" && old == "active":
		for _, a := range p.Azure {
			if a.Status.at(c.now) == "active" && p.Product.azurePlan() {
				return pcError(http.StatusForbidden, 900115, "The Azure plan has active Azure subscriptions and cannot be suspended.", a.ID)
			}
		}
		p.Status.set("suspended", c.now, c.now)
	case next == "active" && old == "suspended":
		p.Status.set("active", c.now, c.now)
	default:
		return pcError(http.StatusBadRequest, 800040, "Asset status can't be changed to "+in.Status+" from "+old)
	}
	if in.Quantity != nil && *in.Quantity != p.Quantity && p.Product != nil && p.Product.Unit == "Usage-based" {
		return pcError(http.StatusBadRequest, 800095, "Can't update the seat quantity for this subscription", "quantity")
	}
	if in.Friendly != nil && *in.Friendly != "" {
		p.Name = *in.Friendly
	}
	p.Etag = c.s.number()
	c.effect(cu.ID, "plan-update", p.ID, c.now)
	c.record("subscription", "update_subscription", cu, old, map[string]string{"id": p.ID, "status": p.Status.at(c.now), "friendlyName": p.Name})
	c.emit("subscription-updated", "https://api.partnercenter.microsoft.com/v1/customers/"+cu.ID+"/subscriptions/"+p.ID, "subscription")
	return ok(c.planBody(cu, p))
}

func getPlanProvisioning(c *call) reply {
	_, p, refusal := c.plan()
	if refusal != nil {
		return *refusal
	}
	sku := ""
	if p.Product != nil {
		sku = p.Product.ID
	}
	return ok(struct {
		SKU      string      `json:"skuId"`
		Status   string      `json:"status"`
		Quantity int         `json:"quantity"`
		End      string      `json:"endDate"`
		Attr     *attributes `json:"attributes"`
	}{sku, "success", p.Quantity, p.Created.AddDate(1, 0, 0).UTC().Format(time.RFC3339), &attributes{Type: "SubscriptionProvisioningStatus"}})
}

// registerPlan registers a subscription for reservations.
func registerPlan(c *call) reply {
	cu, p, refusal := c.plan()
	if refusal != nil {
		return *refusal
	}
	p.Registered = lagging[string]{old: "registering", new: "registered", from: c.after(WaitProvisioning)}
	return empty(http.StatusAccepted).with("Location", "/customers/"+cu.ID+"/subscriptions/"+p.ID+"/registrationstatus")
}

func getRegistrationStatus(c *call) reply {
	_, p, refusal := c.plan()
	if refusal != nil {
		return *refusal
	}
	return ok(struct {
		ID     string      `json:"subscriptionId"`
		Status string      `json:"status"`
		Attr   *attributes `json:"attributes"`
	}{p.ID, or(p.Registered.at(c.now), "notregistered"), &attributes{Type: "SubscriptionRegistrationStatus"}})
}

type supportContactBody struct {
	*SupportContact
	Attr *attributes `json:"attributes"`
}

func getSupportContact(c *call) reply {
	_, p, refusal := c.plan()
	if refusal != nil {
		return *refusal
	}
	contact := p.Support
	if contact == nil {
		contact = &SupportContact{c.s.cfg.Partner.TenantID, c.s.cfg.Partner.MPN, c.s.cfg.Partner.Name}
	}
	return ok(supportContactBody{contact, &attributes{Type: "SupportContact"}})
}

func putSupportContact(c *call) reply {
	_, p, refusal := c.plan()
	if refusal != nil {
		return *refusal
	}
	var in SupportContact
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if in.Tenant == "" || in.MPN == "" {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "supportTenantId", "supportMpnId")
	}
	p.Support = &in
	return ok(supportContactBody{p.Support, &attributes{Type: "SupportContact"}})
}

func getOverage(c *call) reply {
	cu, refusal := c.related()
	if refusal != nil {
		return *refusal
	}
	var out []Overage
	if cu.Overage != nil {
		out = append(out, *cu.Overage)
	}
	return ok(listing(out))
}

func putOverage(c *call) reply {
	cu, refusal := c.related()
	if refusal != nil {
		return *refusal
	}
	var in Overage
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if a := c.w.azure[strings.ToLower(in.Entitlement)]; in.On && (a == nil || a.Customer != cu) {
		return pcError(http.StatusNotFound, 800111, "Azure subscription with the given entitlement ID isn't found.", "azureEntitlementId")
	}
	in.Partner, in.Type = or(in.Partner, c.s.cfg.Partner.TenantID), or(in.Type, "PhoneServices")
	cu.Overage = &in
	c.record("overage", "manage_overage", cu, "", in)
	return ok(in)
}

// entitlementBody is an Azure subscription as Partner Center shows it.
type entitlementBody struct {
	ID       string `json:"id"`
	Friendly string `json:"friendlyName"`
	Status   string `json:"status"`
	Plan     string `json:"subscriptionId"`
}

func (c *call) entitlementBody(a *AzureSubscription) entitlementBody {
	return entitlementBody{a.ID, a.Name.at(c.now), a.Status.at(c.now), a.Plan.ID}
}

func listEntitlements(c *call) reply {
	_, p, refusal := c.plan()
	if refusal != nil {
		return *refusal
	}
	asOf := c.now.Add(-c.lag(c.faults))
	out := listing[entitlementBody](nil)
	for _, a := range p.Azure {
		if !asOf.Before(a.Listed) {
			out.Items = append(out.Items, c.entitlementBody(a))
		}
	}
	out.Total = len(out.Items)
	return ok(out)
}

func (c *call) entitlement() (*Customer, *AzureSubscription, *reply) {
	cu, p, refusal := c.plan()
	if refusal != nil {
		return nil, nil, refusal
	}
	for _, a := range p.Azure {
		if strings.EqualFold(a.ID, c.param("entitlement")) && !c.now.Before(a.Listed) {
			return cu, a, nil
		}
	}
	r := pcError(http.StatusNotFound, 800111, "Azure subscription with the given entitlement ID isn't found.")
	return nil, nil, &r
}

func getEntitlement(c *call) reply {
	_, a, refusal := c.entitlement()
	if refusal != nil {
		return *refusal
	}
	return ok(c.entitlementBody(a))
}

// cancelEntitlement answers with the state from before; the new one shows later.
func cancelEntitlement(c *call) reply {
	cu, a, refusal := c.entitlement()
	if refusal != nil {
		return *refusal
	}
	var in struct{ CancellationReason string }
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if !strings.EqualFold(in.CancellationReason, "compromise") {
		return pcError(http.StatusBadRequest, 800002, "Invalid request input: cancellationReason", "cancellationReason")
	}
	if a.Status.new == "inactive" && a.Status.at(c.now) == "inactive" {
		return pcError(http.StatusBadRequest, 900307, "The Azure subscription cannot be cancelled: it is not active.")
	}
	a.Status.set("inactive", c.now, c.after(WaitEntitlementEnd))
	c.effect(cu.ID, "entitlement-cancel", a.ID, a.Status.from)
	c.record("azure_entitlement", "update_subscription", cu, "active", map[string]string{"id": a.ID, "status": "inactive"})
	return ok(c.entitlementBody(a))
}

// reactivateEntitlement works within 90 days, for a Global administrator.
func reactivateEntitlement(c *call) reply {
	cu, a, refusal := c.entitlement()
	if refusal != nil {
		return *refusal
	}
	if c.user() && !has(c.s.user(c.who.UPN).Roles, "GlobalAdmin") {
		return pcError(http.StatusForbidden, 900335, "The user must be a Global administrator and an Admin agent.")
	}
	switch {
	case a.Status.at(c.now) == "active":
		return pcError(http.StatusBadRequest, 900337, "The Azure subscription cannot be reactivated: it is active.")
	case c.now.Sub(a.Status.from) > 90*24*time.Hour:
		return pcError(http.StatusNotFound, 800111, "Azure subscription with the given entitlement ID isn't found.")
	}
	a.Status.set("active", c.now, c.after(WaitEntitlementEnd))
	c.effect(cu.ID, "entitlement-reactivate", a.ID, a.Status.from)
	c.record("azure_entitlement", "update_subscription", cu, "inactive", map[string]string{"id": a.ID, "status": "active"})
	return empty(http.StatusAccepted)
}
