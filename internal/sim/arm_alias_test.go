package sim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
)

func aliasBody(name string) map[string]any {
	return props(map[string]any{"displayName": name, "workload": "Production", "billingScope": billingScope()})
}

func billingScope() string {
	return "/providers/Microsoft.Billing/billingAccounts/99a13315-fd87-5b5a-d3b7-0b5d8b2a6f10:7b2c9d4e-1f3a-4b5c-8d6e-0a1b2c3d4e5f_2019-05-31/customers/" + tenantID
}

const aliasPath = "/providers/Microsoft.Subscription/aliases/ten-1?api-version=2021-10-01"

// The name of an alias makes a repeated request the same subscription, also after
// an answer that was lost.
func TestAnAliasMakesOneSubscriptionHoweverOftenItIsAsked(t *testing.T) {
	a := startAzure(t, func(c *sim.Config) {
		c.Waits = map[sim.Wait]time.Duration{sim.WaitAlias: time.Minute, sim.WaitSubscriptionRead: 20 * time.Second}
	})
	a.s.HangUpAfter("PUT /providers/Microsoft.Subscription/aliases/{}")
	if got := a.as(a.home, "PUT", aliasPath, aliasBody("Second")); got.err == nil {
		t.Fatalf("the answer should be lost, got %d", got.status)
	}
	again := a.as(a.home, "PUT", aliasPath, aliasBody("Second")).want(t, 200)
	id := again.at("properties.subscriptionId")
	if again.at("properties.provisioningState") != "Accepted" || id == "" {
		t.Fatalf("alias = %s", again.raw)
	}
	a.as(a.home, "PUT", aliasPath, aliasBody("Other name")).want(t, 409, "Conflict")
	a.as(a.agent, "GET", "/subscriptions/"+id+"?api-version=2022-12-01", nil).want(t, 404, "SubscriptionNotFound")

	a.s.Advance(time.Minute)
	if got := a.as(a.home, "GET", aliasPath, nil).want(t, 200); got.at("properties.provisioningState") != "Succeeded" {
		t.Errorf("alias = %s", got.raw)
	}
	a.as(a.agent, "GET", "/subscriptions/"+id+"?api-version=2022-12-01", nil).want(t, 404, "SubscriptionNotFound")
	a.s.Advance(20 * time.Second)
	if got := a.as(a.agent, "GET", "/subscriptions/"+id+"?api-version=2022-12-01", nil).want(t, 200); got.at("displayName") != "Second" {
		t.Errorf("subscription = %s", got.raw)
	}
	a.as(a.home, "DELETE", aliasPath, nil).want(t, 200)
	a.as(a.home, "DELETE", aliasPath, nil).want(t, 204)
	if n := len(a.s.Subscriptions(tenantID)); n != 2 {
		t.Errorf("subscriptions = %d, want 2: the alias goes, the subscription stays", n)
	}
}

func TestAliasesAreRefusedAsDocumented(t *testing.T) {
	a := startAzure(t, sim.WithSettings(func(s *sim.Settings) { s.Throttle = map[string]int{sim.GroupAlias: 5} }))
	t.Run("an application alone may not", func(t *testing.T) {
		a.as(a.armToken("", false), "PUT", aliasPath, aliasBody("x")).want(t, 403, "UserNotAuthorized")
	})
	t.Run("a token of the customer tenant may not", func(t *testing.T) {
		a.as(a.agent, "PUT", aliasPath, aliasBody("x")).want(t, 403, "UserNotAuthorized")
	})
	t.Run("another billing account is refused", func(t *testing.T) {
		b := props(map[string]any{"displayName": "x", "billingScope": "/providers/Microsoft.Billing/billingAccounts/1:2_2019-05-31/customers/" + tenantID})
		a.as(a.home, "PUT", aliasPath, b).want(t, 403, "UserNotAuthorized")
	})
	t.Run("DevTest needs its plan", func(t *testing.T) {
		b := props(map[string]any{"displayName": "x", "workload": "DevTest", "billingScope": billingScope()})
		a.as(a.home, "PUT", aliasPath, b).want(t, 400, "WorkloadNotEnabled")
	})
	t.Run("members are matched without case", func(t *testing.T) {
		b := props(map[string]any{"DisplayName": "x", "Workload": "Production", "BillingScope": billingScope()})
		a.as(a.home, "PUT", aliasPath, b).want(t, 201)
	})
	t.Run("several at once are throttled", func(t *testing.T) {
		// The budget is per tenant: five calls of the partner's are counted.
		for range 5 {
			a.as(a.home, "PUT", aliasPath, aliasBody("x"))
		}
		got := a.as(a.home, "PUT", aliasPath, aliasBody("x")).want(t, http.StatusTooManyRequests, "TooManyRequests")
		if got.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
}

// The customer is below the billing account only with an Azure plan, and after a wait.
func TestACustomerIsBilledOnceItHasAPlan(t *testing.T) {
	s := sim.Start(t, func(c *sim.Config) { c.Waits = map[sim.Wait]time.Duration{sim.WaitBillingCustomer: 3 * time.Minute} })
	p := newPartner(t, s)
	home := p.armToken("", true)
	id := p.create("fabrikam.onmicrosoft.com")
	p.agree(id)
	account := p.as(home, "GET", "/providers/Microsoft.Billing/billingAccounts?api-version=2024-04-01", nil).want(t, 200).at("value.0.id")
	one := account + "/customers/" + id + "?api-version=2024-04-01&expand=enabledAzurePlans"

	p.as(home, "GET", one, nil).want(t, 404)
	alias := func() answer {
		return p.as(home, "PUT", aliasPath, props(map[string]any{"displayName": "x", "billingScope": strings.TrimPrefix(strings.Split(one, "?")[0], s.URL)}))
	}
	alias().want(t, 404, "BillingScopeNotFound")
	p.buy(id)
	alias().want(t, 404, "BillingScopeNotFound")
	p.as(home, "GET", one, nil).want(t, 404)
	s.Advance(3 * time.Minute)
	if got := p.as(home, "GET", one, nil).want(t, 200); got.at("name") != id || got.at("properties.enabledAzurePlans.0.skuId") != "0001" {
		t.Errorf("customer = %s", got.raw)
	}
	if got := p.as(home, "GET", account+"/customers?api-version=2020-05-01", nil).want(t, 200); got.at("value.0.name") != id {
		t.Errorf("customers = %s", got.raw)
	}
	alias().want(t, 201)
	if got := p.as(p.armToken("", false), "GET", "/providers/Microsoft.Billing/billingAccounts?api-version=2024-04-01", nil).want(t, 200); got.at("value.0") != "" {
		t.Errorf("the app alone sees %s", got.raw)
	}
}

// A cancelled subscription is read only until it is enabled again.
func TestACancelledSubscriptionIsReadOnly(t *testing.T) {
	a := startAzure(t, func(c *sim.Config) { c.Waits = map[sim.Wait]time.Duration{sim.WaitSubscriptionEnd: time.Minute} })
	act := func(token, what string, body any) answer {
		return a.as(token, "POST", of("/providers/Microsoft.Subscription/"+what+"?api-version=2021-10-01"), body)
	}
	state := func() string {
		return a.as(a.agent, "GET", of("?api-version=2022-12-01"), nil).want(t, 200).at("state")
	}
	register := func() answer {
		return a.as(a.agent, "POST", of("/providers/Microsoft.Compute/register?api-version=2021-04-01"), nil)
	}

	act(a.agent, "rename", map[string]string{"subscriptionName": strings.Repeat("n", 65)}).want(t, 400, "SubscriptionNameInvalid")
	if got := act(a.agent, "rename", map[string]string{"subscriptionName": "Contoso production"}).want(t, 200); got.at("subscriptionId") != subID {
		t.Errorf("rename answers %s", got.raw)
	}
	if got := a.as(a.agent, "GET", of("?api-version=2022-12-01"), nil); got.at("displayName") != "Contoso production" {
		t.Errorf("name = %s", got.at("displayName"))
	}
	act(a.home, "cancel", nil).want(t, 200)
	if s := state(); s != "Enabled" {
		t.Errorf("state = %s before the wait", s)
	}
	a.s.Advance(time.Minute)
	if s := state(); s != "Disabled" {
		t.Errorf("state = %s, want Disabled", s)
	}
	register().want(t, 409, "ReadOnlyDisabledSubscription")
	a.assign(a.agent, "05c5a614-a7d6-4502-b150-c2fb455033ff", reader, a.appObject(), "ServicePrincipal").want(t, 409, "ReadOnlyDisabledSubscription")
	act(a.agent, "enable", nil).want(t, 200)
	a.s.Advance(time.Minute)
	register().want(t, 200)
}

func TestProvidersAreRegisteredBeforeUse(t *testing.T) {
	a := startAzure(t, func(c *sim.Config) { c.Waits = map[sim.Wait]time.Duration{sim.WaitProvider: 90 * time.Second} })
	get := func(name string) answer {
		return a.as(a.agent, "GET", of("/providers/"+name+"?api-version=2021-04-01"), nil)
	}
	check := func() answer {
		return a.as(a.agent, "POST", of("/providers/Microsoft.PolicyInsights/checkPolicyRestrictions?api-version=2022-03-01"), restrictions(vm))
	}
	if s := get("microsoft.policyinsights").want(t, 200).at("registrationState"); s != "NotRegistered" {
		t.Errorf("state = %s", s)
	}
	if s := get("Microsoft.Authorization").want(t, 200).at("registrationState"); s != "Registered" {
		t.Errorf("Microsoft.Authorization is %s", s)
	}
	get("Contoso.Nothing").want(t, 404, "InvalidResourceNamespace")
	check().want(t, 409, "MissingSubscriptionRegistration")
	if s := a.as(a.agent, "POST", of("/providers/Microsoft.PolicyInsights/register?api-version=2021-04-01"), nil).want(t, 200).at("registrationState"); s != "Registering" {
		t.Errorf("state = %s", s)
	}
	check().want(t, 409, "MissingSubscriptionRegistration")
	a.s.Advance(90 * time.Second)
	if s := get("Microsoft.PolicyInsights").at("registrationState"); s != "Registered" {
		t.Errorf("state = %s", s)
	}
	check().want(t, 200)
}

// A person of the partner sees the tenants that it reaches; an application its own.
func TestTenantsAndSubscriptionsBelongToTheToken(t *testing.T) {
	a := startAzure(t)
	plant(t, a.s, `{"customers":[{"domain":"fabrikam.onmicrosoft.com","name":"Fabrikam"}]}`)
	if got := a.as(a.home, "GET", "/tenants?api-version=2022-12-01", nil).want(t, 200); got.at("value.1.tenantId") != tenantID || got.at("value.2.tenantId") != "" {
		t.Errorf("tenants = %s", got.raw)
	}
	if got := a.as(a.home, "GET", "/subscriptions?api-version=2022-12-01", nil).want(t, 200); got.at("value.0") != "" {
		t.Errorf("with the partner's token: %s", got.raw)
	}
	if got := a.as(a.agent, "GET", "/subscriptions?api-version=2022-12-01", nil).want(t, 200); got.at("value.0.subscriptionId") != subID {
		t.Errorf("with the customer's: %s", got.raw)
	}
	if got := a.as(a.armToken(tenantID, false), "GET", "/subscriptions?api-version=2022-12-01", nil).want(t, 200); got.at("value.0") != "" {
		t.Errorf("the app without a role sees %s", got.raw)
	}
}
