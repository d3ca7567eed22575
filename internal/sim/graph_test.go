package sim_test

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
)

const (
	relationships = "/v1.0/tenantRelationships/delegatedAdminRelationships"
	cloudAppAdmin = "158c047a-c907-4556-b7ef-446551a6b5f7"
	globalAdmin   = "62e90394-69f5-4237-9190-012177145e10"
	readers       = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
)

func accessTo(roles ...string) map[string]any {
	var list []any
	for _, r := range roles {
		list = append(list, map[string]string{"roleDefinitionId": r})
	}
	return map[string]any{"unifiedRoles": list}
}

func assignmentOf(group string, roles ...string) map[string]any {
	return map[string]any{"accessContainer": map[string]string{"accessContainerId": group, "accessContainerType": "securityGroup"}, "accessDetails": accessTo(roles...)}
}

// A new customer comes with an active relationship; consent, and with it every token
// of its tenant, follows only from an access assignment that is active.
func TestConsentNeedsAnAccessAssignment(t *testing.T) {
	s := sim.Start(t, func(c *sim.Config) {
		c.Waits = map[sim.Wait]time.Duration{sim.WaitGDAPReady: 3 * time.Minute, sim.WaitGDAPAssignment: time.Minute, sim.WaitConsent: 90 * time.Second}
	})
	p := newPartner(t, s)
	body := contoso("contoso.onmicrosoft.com")
	body["enableGDAPByDefault"] = true
	id := p.as(p.app, "POST", "/v1/customers", body).want(t, 201).at("id")
	p.agree(id)
	p.buy(id)
	graph := p.graphToken("", true)

	p.as(p.graphToken("", false), "GET", relationships, nil).want(t, 403, "Authorization_RequestDenied")
	list := p.as(graph, "GET", relationships+"?$filter=status%20eq%20'active'%20and%20customer/tenantId%20eq%20'"+id+"'", nil).want(t, 200)
	rel := list.at("value.0.id")
	if len(rel) != 73 || list.at("value.0.accessDetails.unifiedRoles.10.roleDefinitionId") == "" || list.at("value.0.customer.tenantId") != id {
		t.Fatalf("relationships = %s", list.raw)
	}
	access := relationships + "/" + rel + "/accessAssignments"
	p.as(graph, "POST", access, assignmentOf(sim.DefaultGDAPGroup, cloudAppAdmin)).want(t, 400, "badRequest") // not known everywhere yet
	s.Advance(3 * time.Minute)
	p.as(graph, "POST", access, assignmentOf("99999999-1111-4222-8333-444444444444", cloudAppAdmin)).want(t, 400, "badRequest")
	p.as(graph, "POST", access, assignmentOf(sim.DefaultGDAPGroup, globalAdmin)).want(t, 400, "badRequest")
	one := p.as(graph, "POST", access, assignmentOf(sim.DefaultGDAPGroup, cloudAppAdmin)).want(t, 201)
	if one.at("status") != "pending" || !strings.HasSuffix(one.header.Get("Location"), "/accessAssignments/"+one.at("id")) {
		t.Errorf("assignment = %s", one.raw)
	}
	p.as(graph, "POST", access, assignmentOf(sim.DefaultGDAPGroup, cloudAppAdmin)).want(t, 409, "conflict")

	consent := map[string]any{"applicationId": sim.DefaultAppID, "applicationGrants": []any{map[string]string{"enterpriseApplicationId": sim.ResourceARM, "scope": "user_impersonation"}}}
	p.as(p.user, "POST", "/v1/customers/"+id+"/applicationconsents", consent).want(t, 403)
	s.Advance(time.Minute)
	if got := p.as(graph, "GET", access+"/"+one.at("id"), nil).want(t, 200); got.at("status") != "active" {
		t.Errorf("assignment = %s", got.raw)
	}
	p.as(p.user, "POST", "/v1/customers/"+id+"/applicationconsents", consent).want(t, 201)
	arm := map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {s.SignIn(sim.DefaultUser, true)}, "resource": {"https://management.azure.com/"}}
	if got := p.grant(id, arm); got.status != 400 || !strings.Contains(got.raw, "65001") {
		t.Errorf("token before consent is known: %d %s", got.status, got.raw)
	}
	s.Advance(90 * time.Second)
	token := p.armToken(id, true)
	if got := p.as(token, "GET", "/subscriptions?api-version=2022-12-01", nil).want(t, 200); got.at("value.0.tenantId") != id {
		t.Errorf("subscriptions = %s", got.raw)
	}
	state := s.AccessAssignments(id)
	if len(state) != 1 || state[0].Status != "active" || state[0].Group != sim.DefaultGDAPGroup {
		t.Errorf("dump = %+v", state)
	}
}

// An offer lives: created, locked, approved by the customer, changed, ended.
func TestARelationshipIsApprovedByTheCustomer(t *testing.T) {
	s := sim.Start(t, func(c *sim.Config) {
		c.Waits = map[sim.Wait]time.Duration{sim.WaitGDAPCreated: 2 * time.Second, sim.WaitGDAPActive: 20 * time.Second}
	})
	plant(t, s, contosoTenant)
	p := newPartner(t, s)
	graph := p.graphToken("", true)
	offer := func(name, duration string, extend string, roles ...string) answer {
		return p.as(graph, "POST", relationships, map[string]any{"displayName": name, "duration": duration, "autoExtendDuration": extend,
			"customer": map[string]string{"tenantId": tenantID}, "accessDetails": accessTo(roles...)})
	}
	offer("Too long", "P731D", "PT0S", readers).want(t, 400, "badRequest")
	offer(strings.Repeat("n", 51), "P1D", "PT0S", readers).want(t, 400, "badRequest")
	offer("Global", "P2Y", "P180D", globalAdmin).want(t, 400, "badRequest")
	id := offer("Contoso support", "P2Y", "P180D", readers, cloudAppAdmin).want(t, 201).at("id")
	offer("Contoso support", "P1D", "PT0S", readers).want(t, 409, "conflict")

	one := relationships + "/" + id
	p.as(graph, "GET", one, nil).want(t, 404, "notFound")
	s.Advance(2 * time.Second)
	etag := p.as(graph, "GET", one, nil).want(t, 200).header.Get("ETag")
	p.as(graph, "PATCH", one, map[string]string{"displayName": "Contoso help"}).want(t, 428)
	p.as(graph, "PATCH", one, map[string]string{"displayName": "Contoso help"}, "If-Match", `W/"old"`).want(t, 412)
	etag = p.as(graph, "PATCH", one, map[string]string{"displayName": "Contoso help"}, "If-Match", etag).want(t, 200).header.Get("ETag")
	p.as(graph, "POST", one+"/requests", map[string]string{"action": "approve"}, "If-Match", etag).want(t, 403)
	p.as(graph, "POST", one+"/requests", map[string]string{"action": "lockForApproval"}, "If-Match", etag).want(t, 201)
	p.as(graph, "DELETE", one, nil, "If-Match", "*").want(t, 409, "conflict")
	if err := s.ApproveRelationship(id); err != nil {
		t.Fatal(err)
	}
	status := func() string { return p.as(graph, "GET", one, nil).want(t, 200).at("status") }
	if got := status(); got != "activating" {
		t.Errorf("status = %s", got)
	}
	s.Advance(20 * time.Second)
	if got := status(); got != "active" {
		t.Errorf("status = %s", got)
	}

	access := one + "/accessAssignments"
	first := p.as(graph, "POST", access, assignmentOf(sim.DefaultGDAPGroup, readers)).want(t, 201)
	tag := p.as(graph, "GET", access+"/"+first.at("id"), nil).want(t, 200).header.Get("ETag")
	moved := p.as(graph, "PATCH", access+"/"+first.at("id"), map[string]any{"accessDetails": accessTo(readers, cloudAppAdmin)}, "If-Match", tag).want(t, 202)
	if moved.header.Get("Retry-After") != "10" {
		t.Errorf("headers = %v", moved.header)
	}
	if got := p.as(graph, "GET", moved.header.Get("Location"), nil).want(t, 200); got.at("status") != "succeeded" {
		t.Errorf("operation = %s", got.raw)
	}
	p.as(graph, "PATCH", access+"/"+first.at("id"), map[string]any{"accessDetails": accessTo(readers)}, "If-Match", tag).want(t, 412)
	p.as(graph, "DELETE", access+"/"+first.at("id"), nil, "If-Match", "*").want(t, 202)
	if got := p.as(graph, "GET", access, nil).want(t, 200); got.at("value.0") != "" {
		t.Errorf("assignments = %s", got.raw)
	}
	s.Advance(800 * 24 * time.Hour)
	graph = p.graphToken("", true)
	if got := status2(p, graph, one); got != "active" {
		t.Errorf("after its first extension the relationship is %s", got)
	}
	p.as(graph, "POST", one+"/requests", map[string]string{"action": "terminate"}).want(t, 201)
	if got := status2(p, graph, one); got != "terminating" {
		t.Errorf("status = %s", got)
	}
	s.Advance(20 * time.Second)
	if got := status2(p, graph, one); got != "terminated" {
		t.Errorf("status = %s", got)
	}
}

func status2(p *partner, token, one string) string {
	p.t.Helper()
	return p.as(token, "GET", one, nil).want(p.t, 200).at("status")
}

func TestListsOfRelationshipsArePaged(t *testing.T) {
	s := sim.Start(t)
	plant(t, s, contosoTenant)
	p := newPartner(t, s)
	graph := p.graphToken("", true)
	for _, name := range []string{"A", "B", "C"} {
		p.as(graph, "POST", relationships, map[string]any{"displayName": name, "duration": "P30D", "accessDetails": accessTo(readers)}).want(t, 201)
	}
	got := p.as(graph, "GET", relationships+"?$top=2&$orderby=displayName%20desc&$count=true&$select=id,displayName&$filter=status%20eq%20'created'", nil).want(t, 200)
	if got.body["@odata.count"] != 3.0 || got.at("value.0.displayName") != "C" || got.at("value.0.status") != "" || got.at("value.2") != "" {
		t.Errorf("page = %s", got.raw)
	}
	link, _ := got.body["@odata.nextLink"].(string)
	if next := p.as(graph, "GET", link, nil).want(t, 200); next.at("value.0.displayName") != "A" || next.body["@odata.nextLink"] != nil {
		t.Errorf("next page = %s", next.raw)
	}
	p.as(graph, "GET", relationships+"?$top=301", nil).want(t, 400, "badRequest")
	p.as(graph, "GET", relationships+"?$filter=nothing%20eq%20'x'", nil).want(t, 400, "badRequest")
}
