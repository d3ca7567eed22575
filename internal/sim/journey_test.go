package sim_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/sim"
)

// create makes a customer and returns its tenant id.
func (p *partner) create(domain string) string {
	p.t.Helper()
	return p.as(p.app, "POST", "/v1/customers", contoso(domain)).want(p.t, 201).at("id")
}

// accept lets the customer's signatory accept on Microsoft's page.
func (p *partner) accept(first string) (attestation string) {
	p.t.Helper()
	a := p.as(p.app, "POST", "/v1/attestations/enhanced", map[string]string{"country": "US", "language": "en", "companyName": "Contoso",
		"signatoryFirstName": first, "signatoryLastName": "Owner", "signatoryEmail": "owner@contoso.example"}).want(p.t, 201)
	id := a.at("attestationId")
	form := url.Values{"attestationid": {id}, "authorised": {"yes"}}
	p.do("POST", p.s.PlainURL+"/mca/accept", form.Encode(), "Content-Type", "application/x-www-form-urlencoded").want(p.t, 200)
	return id
}

// agree confirms the agreement of a customer with a fresh attestation.
func (p *partner) agree(customer string) {
	p.t.Helper()
	p.as(p.user, "POST", "/v1/customers/"+customer+"/agreements", agreement(p.accept("Account"))).want(p.t, 201)
}

func agreement(attestation string) map[string]any {
	return map[string]any{"primaryContact": map[string]string{"firstName": "Account", "lastName": "Owner", "email": "owner@contoso.example"},
		"templateId": "117a77b0-9360-443b-8795-c6dedc750cf9", "dateAgreed": "2026-01-02T00:00:00Z", "type": "MicrosoftCustomerAgreement", "attestationId": attestation}
}

// azurePlan is the catalogue id under which the plan is sold to a customer now.
func (p *partner) azurePlan(customer string) string {
	p.t.Helper()
	return p.as(p.app, "GET", "/v1/customers/"+customer+"/products/DZH318Z0BPS6/skus/0001/availabilities", nil).want(p.t, 200).at("items.0.catalogItemId")
}

func (p *partner) cart(customer, item string) string {
	p.t.Helper()
	return p.as(p.app, "POST", "/v1/customers/"+customer+"/carts", planCart(item)).want(p.t, 201).at("id")
}

func planCart(item string) map[string]any {
	return map[string]any{"lineItems": []any{map[string]any{"id": 0, "catalogItemId": item, "quantity": 1, "billingCycle": "one_time"}}}
}

// buy takes a customer with an agreement to its plan and first Azure subscription.
func (p *partner) buy(customer string) (plan, subscription string) {
	p.t.Helper()
	k := p.cart(customer, p.azurePlan(customer))
	order := p.as(p.app, "POST", "/v1/customers/"+customer+"/carts/"+k+"/checkout", nil).want(p.t, 201).at("orders.0.id")
	plan = p.as(p.app, "GET", "/v1/customers/"+customer+"/subscriptions?order_id="+order, nil).want(p.t, 200).at("items.0.id")
	subscription = p.as(p.app, "GET", "/v1/customers/"+customer+"/subscriptions/"+plan+"/azureEntitlements", nil).want(p.t, 200).at("items.0.id")
	return plan, subscription
}

// The recorded profile shows each effect only after its wait; a jump of the clock
// ends the waits, and nothing but the clock does.
func TestACustomerGetsAnAzurePlanAsSlowlyAsMicrosoftGivesOne(t *testing.T) {
	s := sim.Start(t, sim.WithLatency(sim.Recorded), func(c *sim.Config) {
		c.Waits = map[sim.Wait]time.Duration{sim.WaitCustomerCreate: 0} // the one wait that passes in real time
	})
	p := newPartner(t, s)
	step := func(d time.Duration) {
		s.Advance(d)
		p.refresh() // access tokens live an hour, and the clock jumps
	}

	id := p.create("contoso.onmicrosoft.com")
	at := "/v1/customers/" + id
	if got := p.as(p.app, "GET", at, nil).want(t, 200).at("relationshipToPartner"); got != "none" {
		t.Errorf("relationship right after the creation is %q, want none", got)
	}
	p.as(p.app, "POST", at+"/carts", planCart("DZH318Z0BPS6:0001:DZH318Z0BML6")).want(t, 403, 900159)
	step(time.Minute)
	if got := p.as(p.app, "GET", at, nil).want(t, 200).at("relationshipToPartner"); got != "reseller" {
		t.Errorf("relationship after a minute is %q, want reseller", got)
	}

	k := p.cart(id, p.azurePlan(id))
	p.as(p.app, "POST", at+"/carts/"+k+"/checkout", nil).want(t, 403, 13605)
	attestation := p.accept("Account")
	p.as(p.user, "POST", at+"/agreements", agreement(attestation)).want(t, 400, 2000)
	step(2 * time.Second)
	p.as(p.user, "POST", at+"/agreements", agreement(attestation)).want(t, 201)
	p.as(p.app, "POST", at+"/carts/"+k+"/checkout", nil).want(t, 403, 13605)
	step(5 * time.Second)
	if got := p.as(p.user, "GET", at+"/agreements?agreementType=MicrosoftCustomerAgreement", nil).want(t, 200).at("items.0.attestationId"); got != attestation {
		t.Errorf("the agreement read back names attestation %q, want %q", got, attestation)
	}

	checkout := p.as(p.app, "POST", at+"/carts/"+k+"/checkout", nil).want(t, 201)
	order := checkout.at("orders.0.id")
	if checkout.at("orders.0.status") != "pending" || checkout.at("orders.0.lineItems.0.subscriptionId") != "" {
		t.Errorf("a new order is pending and names no subscription: %s", checkout.raw)
	}
	p.as(p.app, "POST", at+"/carts/"+k+"/checkout", nil).want(t, 400, 800065)
	if got := p.as(p.app, "GET", at+"/orders", nil).want(t, 200).at("totalCount"); got != "0" {
		t.Errorf("%s orders are listed at once, want 0", got)
	}
	step(2 * time.Minute)
	done := p.as(p.app, "GET", at+"/orders/"+order, nil).want(t, 200)
	plan := done.at("lineItems.0.subscriptionId")
	if done.at("status") != "completed" || plan == "" {
		t.Fatalf("the order is not completed: %s", done.raw)
	}
	p.as(p.app, "GET", at+"/subscriptions/"+plan, nil).want(t, 404, 20003)
	step(time.Minute)
	if got := p.as(p.app, "GET", at+"/subscriptions?order_id="+order, nil).want(t, 200).at("items.0.id"); got != plan {
		t.Errorf("the order's subscription is %q, want %q", got, plan)
	}
	if got := p.as(p.app, "GET", at+"/subscriptions/"+plan+"/azureEntitlements", nil).want(t, 200).at("totalCount"); got != "0" {
		t.Errorf("%s entitlements are there already, want 0", got)
	}
	step(time.Minute)
	if got := p.as(p.app, "GET", at+"/subscriptions/"+plan+"/azureEntitlements", nil).want(t, 200).at("items.0.status"); got != "active" {
		t.Errorf("the entitlement is %q, want active", got)
	}
	step(2 * time.Minute)
	if got := p.as(p.app, "GET", at+"/orders", nil).want(t, 200).at("totalCount"); got != "1" {
		t.Errorf("%s orders are listed after five minutes, want 1", got)
	}

	// Relationship 60 s, agreement 5 s, order to entitlement 240 s, until Resource
	// Manager reads it 20 s: what nobody can shorten. GDAP (20 s and more) passes beside the relationship.
	if took := time.Duration(s.Timeline(id).Vendor); took < 325*time.Second || took > 330*time.Second {
		t.Errorf("the vendor's part took %s, want about 325 s: %+v", took, s.Timeline(id).Effects)
	}
}

// refresh gets new access tokens.
func (p *partner) refresh() {
	p.t.Helper()
	next := newPartner(p.t, p.s)
	p.app, p.user = next.app, next.user
}

func TestWaitsPassTwentyTimesAsFastOnAFastClock(t *testing.T) {
	var passed atomic.Int64 // the only time there is in this test
	s := sim.Start(t, sim.WithLatency(sim.Recorded), sim.WithFactor(20), func(c *sim.Config) {
		c.Now = func() time.Time {
			return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC).Add(time.Duration(passed.Load()))
		}
		c.Waits = map[sim.Wait]time.Duration{sim.WaitCustomerCreate: 0}
	})
	p := newPartner(t, s)
	id := p.create("contoso.onmicrosoft.com")
	passed.Add(int64(2 * time.Second))
	if got := p.as(p.app, "GET", "/v1/customers/"+id, nil).want(t, 200).at("relationshipToPartner"); got != "none" {
		t.Errorf("after 2 s of 3 the relationship is %q, want none", got)
	}
	passed.Add(int64(time.Second))
	if got := p.as(p.app, "GET", "/v1/customers/"+id, nil).want(t, 200).at("relationshipToPartner"); got != "reseller" {
		t.Errorf("after 3 s (60 at the vendor) the relationship is %q, want reseller", got)
	}
	s.ThrottleNext("GET /v1/customers", 57)
	if got := p.as(p.app, "GET", "/v1/customers", nil).want(t, 429).header.Get("Retry-After"); got != "3" {
		t.Errorf("57 s at the vendor are Retry-After %q here, want 3", got)
	}
	a := p.grant("", url.Values{"grant_type": {"client_credentials"}, "resource": {"https://api.partnercenter.microsoft.com"}}).want(t, 200)
	if got := a.at("expires_in"); got != "180" {
		t.Errorf("a token of an hour lives %s s here, want 180", got)
	}
}

func TestTheEndOfACustomerGoesFromTheSubscriptionsUp(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	id := p.create("contoso.onmicrosoft.com")
	p.agree(id)
	plan, subscription := p.buy(id)
	at := "/v1/customers/" + id
	suspend := map[string]string{"status": "suspended"}
	none := map[string]any{"relationshipToPartner": "none", "attributes": map[string]string{"objectType": "Customer"}}
	cancel := at + "/subscriptions/" + plan + "/azureEntitlements/" + subscription + "/cancel"

	p.as(p.user, "PATCH", at, none).want(t, 403, 600006)
	p.as(p.app, "DELETE", at, nil).want(t, 403, 900115)
	p.as(p.app, "PATCH", at+"/subscriptions/"+plan, suspend).want(t, 403, 900115)
	p.as(p.app, "POST", cancel, map[string]string{"cancellationReason": "boredom"}).want(t, 400, 800002)
	s.SetWait(sim.WaitEntitlementEnd, 10*time.Minute)
	if got := p.as(p.app, "POST", cancel, map[string]string{"cancellationReason": "compromise"}).want(t, 200).at("status"); got != "active" {
		t.Errorf("right after its cancellation the entitlement is %q, want active", got)
	}
	s.Advance(10 * time.Minute)
	if got := p.as(p.app, "GET", strings.TrimSuffix(cancel, "/cancel"), nil).want(t, 200).at("status"); got != "inactive" {
		t.Errorf("ten minutes later the entitlement is %q, want inactive", got)
	}
	p.as(p.app, "PATCH", at+"/subscriptions/"+plan, suspend, "If-Match", `"1"`).want(t, 400, 2055)
	p.as(p.app, "PATCH", at+"/subscriptions/"+plan, suspend).want(t, 200)
	if got := p.as(p.user, "PATCH", at, none).want(t, 200).at("relationshipToPartner"); got != "none" {
		t.Errorf("relationship is %q, want none", got)
	}
	p.as(p.app, "GET", at+"/subscriptions", nil).want(t, 403, 900159)
	p.as(p.app, "DELETE", at, nil).want(t, 204)
	p.as(p.app, "GET", at, nil).want(t, 404, 20002)
	if a := p.as(p.app, "HEAD", "/v1/domains/contoso.onmicrosoft.com", nil); a.status != http.StatusNotFound {
		t.Errorf("the domain of a deleted customer answers %d, want 404", a.status)
	}
}

func TestAReactivatedEntitlementNeedsAGlobalAdministrator(t *testing.T) {
	s := sim.Start(t, func(c *sim.Config) {
		c.Users = []sim.User{{UPN: sim.DefaultUser, Roles: []string{"AdminAgent"}}}
	})
	p := newPartner(t, s)
	id := p.create("contoso.onmicrosoft.com")
	p.agree(id)
	plan, subscription := p.buy(id)
	at := "/v1/customers/" + id + "/subscriptions/" + plan + "/azureEntitlements/" + subscription
	p.as(p.app, "POST", at+"/cancel", map[string]string{"cancellationReason": "compromise"}).want(t, 200)
	p.as(p.user, "POST", at+"/reactivate", nil).want(t, 403, 900335)
	p.do("PATCH", s.URL+"/_sim/people/"+sim.DefaultUser, `{"roles":["AdminAgent","GlobalAdmin"]}`).want(t, 200)
	if a := p.as(p.user, "POST", at+"/reactivate", nil).want(t, 202); a.raw != "" {
		t.Errorf("the answer has a body: %s", a.raw)
	}
	if got := p.as(p.app, "GET", at, nil).want(t, 200).at("status"); got != "active" {
		t.Errorf("the entitlement is %q, want active", got)
	}
}

func TestTheOfferOf2016IsSoldOnlyBehindItsSwitch(t *testing.T) {
	order := map[string]any{"billingCycle": "monthly", "lineItems": []any{map[string]any{"lineItemNumber": 0, "offerId": "MS-AZR-0145P", "friendlyName": "Build", "quantity": 1}}}
	closed := newPartner(t, sim.Start(t))
	id := closed.create("contoso.onmicrosoft.com")
	closed.as(closed.app, "POST", "/v1/customers/"+id+"/orders", order).want(t, 400, 800004)

	s := sim.Start(t, sim.WithSettings(func(set *sim.Settings) { set.LegacyOffer2016 = true }))
	p := newPartner(t, s)
	id = p.create("contoso.onmicrosoft.com")
	p.as(p.user, "POST", "/v1/customers/"+id+"/agreements", map[string]any{"primaryContact": map[string]string{"firstName": "Account", "lastName": "Owner", "email": "o@contoso.example"},
		"templateId": "998b88de-aa99-4388-a42c-1b3517d49490", "dateAgreed": "2016-12-28T00:00:00Z", "type": "MicrosoftCloudAgreement"}).want(t, 201)
	sid := p.as(p.app, "POST", "/v1/customers/"+id+"/orders", order).want(t, 201).at("lineItems.0.subscriptionId")
	a := p.as(p.app, "GET", "/v1/customers/"+id+"/subscriptions/"+sid, nil).want(t, 200)
	if a.at("entitlementId") != sid || a.at("friendlyName") != "Build" {
		t.Errorf("in 2016 the subscription's id is the Azure subscription's: %s", a.raw)
	}
	p.agree(id)
	k := p.cart(id, p.azurePlan(id))
	p.as(p.app, "POST", "/v1/customers/"+id+"/carts/"+k+"/checkout", nil).want(t, 403, 800020)

	// The way from there to the plan is the upgrade.
	s.SetWait(sim.WaitOrder, time.Minute)
	ask := map[string]string{"customerId": id, "productFamily": "azure"}
	if got := p.as(p.user, "POST", "/v1/productupgrades/eligibility", ask).want(t, 200).at("isEligible"); got != "true" {
		t.Errorf("isEligible is %s", got)
	}
	location := p.as(p.user, "POST", "/v1/productupgrades", ask).want(t, 202).header.Get("Location")
	status := func() string { return p.as(p.user, "GET", "/v1/"+location+"/status", nil).want(t, 200).at("status") }
	if got := status(); got != "InProgress" {
		t.Errorf("the upgrade is %q at once, want InProgress", got)
	}
	p.as(p.user, "POST", "/v1/productupgrades", ask).want(t, 409, 900109)
	p.as(p.app, "POST", "/v1/customers/"+id+"/carts/"+k+"/checkout", nil).want(t, 409, 900113)
	s.Advance(time.Minute)
	if got := status(); got != "Completed" {
		t.Errorf("the upgrade is %q, want Completed", got)
	}
	after := s.Customers()[0]
	if len(after.Plans) != 2 || after.Plans[0].Status != "deleted" || len(after.Plans[1].Azure) != 1 || after.Plans[1].Azure[0].ID != sid {
		t.Errorf("after the upgrade: %+v", after.Plans)
	}
	p.as(p.user, "POST", "/v1/productupgrades", ask).want(t, 403, 900108)
}
