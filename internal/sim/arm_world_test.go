package sim_test

import (
	"encoding/json"
	"net/url"
	"testing"

	"causeway/internal/sim"
)

const (
	tenantID = "4b827261-d21f-4aa9-b7db-7fa1f56fb163"
	subID    = "a925f2f7-5c63-4b7b-8799-25a5f97bc3b2"
	planID   = "3f15978e-005c-b763-bb78-2a8fab289c58"
	vm       = "Microsoft.Compute/virtualMachines"
	storage  = "Microsoft.Storage/storageAccounts"
	owner    = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	contrib  = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	reader   = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
)

// contosoTenant is a customer with a plan and one subscription, whose tenant the
// partner's people and application can enter.
const contosoTenant = `{"customers":[{"id":"` + tenantID + `","domain":"contoso.onmicrosoft.com","name":"Contoso","password":"Customer-Passw0rd!","consent":true,
	"gdap":["` + sim.DefaultGDAPGroup + `"],"plan":{"id":"` + planID + `","subscriptions":[{"id":"` + subID + `","name":"Microsoft Azure"}]}}]}`

// azure is a partner that works in a customer's Azure.
type azure struct {
	*partner
	home  string // a person's token of the partner tenant, for Resource Manager
	agent string // the same person's token of the customer tenant
}

// startAzure starts a simulator with contosoTenant; set is what a test wants other.
func startAzure(t *testing.T, options ...sim.Option) *azure {
	t.Helper()
	s := sim.Start(t, options...)
	plant(t, s, contosoTenant)
	p := newPartner(t, s)
	return &azure{p, p.armToken("", true), p.armToken(tenantID, true)}
}

func plant(t *testing.T, s *sim.Server, text string) {
	t.Helper()
	var seed sim.Seed
	if err := json.Unmarshal([]byte(text), &seed); err != nil {
		t.Fatal(err)
	}
	if err := s.Seed(seed); err != nil {
		t.Fatal(err)
	}
}

// armToken is a token for Resource Manager, of a person or of the app alone.
func (p *partner) armToken(tenant string, person bool) string {
	p.t.Helper()
	return p.tokenFor("https://management.azure.com/", tenant, person)
}

func (p *partner) graphToken(tenant string, person bool) string {
	p.t.Helper()
	return p.tokenFor("https://graph.microsoft.com", tenant, person)
}

func (p *partner) tokenFor(resource, tenant string, person bool) string {
	p.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}
	if person {
		form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {p.s.SignIn(sim.DefaultUser, true)}, "resource": {resource}}
	}
	return p.token(tenant, form)
}

// of is the path below the subscription, with the api-version of what it names.
func of(path string) string { return "/subscriptions/" + subID + path }

func props(members map[string]any) map[string]any { return map[string]any{"properties": members} }

// appObject is the object id of the application in the customer tenant.
func (a *azure) appObject() string {
	a.t.Helper()
	cu, known := a.s.Customer(tenantID)
	if !known || len(cu.Consents) == 0 {
		a.t.Fatal("the application has no principal in the tenant")
	}
	return cu.Consents[0].Object
}

// assign gives a principal a role at the subscription.
func (a *azure) assign(token, name, role, principal, kind string) answer {
	a.t.Helper()
	return a.as(token, "PUT", of("/providers/Microsoft.Authorization/roleAssignments/"+name+"?api-version=2022-04-01"), props(map[string]any{
		"roleDefinitionId": of("/providers/Microsoft.Authorization/roleDefinitions/" + role), "principalId": principal, "principalType": kind}))
}
