package guardrail_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"causeway/internal/guardrail"
	"causeway/internal/sim"
)

const (
	tenant       = "4b827261-d21f-4aa9-b7db-7fa1f56fb163"
	subscription = "a925f2f7-5c63-4b7b-8799-25a5f97bc3b2"
	customer     = `{"customers":[{"id":"` + tenant + `","domain":"contoso.onmicrosoft.com","name":"Contoso","password":"Customer-Passw0rd!","consent":true,
		"gdap":["` + sim.DefaultGDAPGroup + `"],"plan":{"id":"3f15978e-005c-b763-bb78-2a8fab289c58","subscriptions":[{"id":"` + subscription + `","name":"Azure"}]}}]}`
)

// azure is one subscription at the simulator, over the wire.
type azure struct {
	*testing.T
	s     *sim.Server
	token string
}

func startAzure(t *testing.T) *azure {
	t.Helper()
	a := &azure{T: t, s: sim.Start(t)}
	var seed sim.Seed
	if err := json.Unmarshal([]byte(customer), &seed); err != nil {
		t.Fatal(err)
	}
	if err := a.s.Seed(seed); err != nil {
		t.Fatal(err)
	}
	form := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {a.s.SignIn(sim.DefaultUser, true)}, "resource": {"https://management.azure.com/"},
		"client_id": {sim.DefaultAppID}, "client_secret": {sim.DefaultAppSecret},
	}
	var got struct {
		Token string `json:"access_token"`
	}
	a.do("POST", "/"+tenant+"/oauth2/token", "application/x-www-form-urlencoded", form.Encode(), &got)
	a.token = got.Token
	a.do("POST", "/subscriptions/"+subscription+"/providers/Microsoft.PolicyInsights/register?api-version=2021-04-01", "", "", nil)
	return a
}

func (a *azure) do(method, path, kind, body string, into any) {
	a.Helper()
	req, err := http.NewRequestWithContext(a.Context(), method, a.s.URL+path, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := a.s.Client().Do(req)
	if err != nil {
		a.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		a.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	if into != nil {
		if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), into); err != nil {
			a.Fatalf("%s %s: %v %s", method, path, err, text)
		}
	}
}

func (a *azure) put(kind, name, version string, properties map[string]any) string {
	a.Helper()
	body, err := json.Marshal(map[string]any{"properties": properties})
	if err != nil {
		a.Fatal(err)
	}
	var got struct{ ID string }
	a.do("PUT", "/subscriptions/"+subscription+"/providers/Microsoft.Authorization/"+kind+"/"+name+"?api-version="+version, "application/json", string(body), &got)
	return got.ID
}

// guard writes a compiled policy as provision does.
func (a *azure) guard(p guardrail.Policy) {
	a.Helper()
	ids := map[string]string{}
	for _, d := range p.Definitions {
		ids[d.Name] = a.put("policyDefinitions", d.Name, "2023-04-01", map[string]any{
			"policyType": "Custom", "displayName": d.DisplayName, "description": d.Description, "mode": d.Mode, "parameters": d.Parameters, "policyRule": d.Rule,
		})
	}
	for _, s := range p.Assignments {
		id := s.DefinitionID
		if id == "" {
			id = ids[s.Definition]
		}
		parameters := map[string]any{}
		for k, v := range s.Parameters {
			parameters[k] = map[string]any{"value": v}
		}
		a.put("policyAssignments", s.Name, "2023-04-01", map[string]any{
			"displayName": s.DisplayName, "policyDefinitionId": id, "parameters": parameters, "nonComplianceMessages": []any{map[string]any{"message": s.Message}},
		})
	}
}

// denies asks without creating and names the assignments that would deny.
func (a *azure) denies(r resource) (names []string) {
	a.Helper()
	content := map[string]any{"type": r.typ}
	if r.location != "" {
		content["location"] = r.location
	}
	if r.size != "" {
		content["properties"] = map[string]any{"hardwareProfile": map[string]any{"vmSize": r.size}}
	}
	body, err := json.Marshal(map[string]any{"resourceDetails": map[string]any{"resourceContent": content, "apiVersion": "2021-04-01"}})
	if err != nil {
		a.Fatal(err)
	}
	var got struct {
		ContentEvaluationResult struct {
			PolicyEvaluations []struct {
				PolicyInfo struct{ PolicyAssignmentID string }
			}
		}
	}
	a.do("POST", "/subscriptions/"+subscription+"/providers/Microsoft.PolicyInsights/checkPolicyRestrictions?api-version=2022-03-01", "application/json", string(body), &got)
	for _, e := range got.ContentEvaluationResult.PolicyEvaluations {
		id := e.PolicyInfo.PolicyAssignmentID
		names = append(names, id[strings.LastIndexByte(id, '/')+1:])
	}
	return names
}

// The evaluator above is ours; here a second reading of Microsoft's documents
// decides, over the wire.
func TestTheSimulatedAzureDecidesLikewise(t *testing.T) {
	a := startAzure(t)
	c := guardrail.Default()
	q, ok := guardrail.Probe(c)
	if !ok {
		t.Fatal("there is nothing to ask")
	}
	if by := a.denies(resource{typ: q.Forbidden, location: q.Location}); by != nil {
		t.Fatalf("before the policy %s is denied by %v", q.Forbidden, by)
	}
	a.guard(guardrail.Compile(c))
	a.guard(guardrail.Compile(c)) // a step that runs again changes nothing

	if by := a.denies(resource{typ: q.Forbidden, location: q.Location}); !slices.Contains(by, guardrail.NameTypes) || !slices.Contains(by, guardrail.NameTypesAll) {
		t.Errorf("%s is denied by %v", q.Forbidden, by)
	}
	for _, p := range q.Proofs {
		size := ""
		if h, ok := p.Properties["hardwareProfile"].(map[string]any); ok {
			size, _ = h["vmSize"].(string)
		}
		if by := a.denies(resource{typ: p.Type, location: p.Location, size: size}); !slices.Contains(by, p.Assignment) {
			t.Errorf("%+v is denied by %v", p, by)
		}
	}
	if by := a.denies(resource{typ: q.Allowed, location: q.Location}); by != nil {
		t.Errorf("%s is denied by %v", q.Allowed, by)
	}
	for _, typ := range c.Types() {
		if by := a.denies(resource{typ: typ, location: "eastus"}); by != nil {
			t.Errorf("%s is offered and denied by %v", typ, by)
		}
	}
	for _, w := range []struct {
		r  resource
		by string
	}{
		{resource{typ: "Microsoft.Compute/virtualMachines", location: "eastus", size: "Standard_D2s_v5"}, "[]"},
		{resource{typ: "Microsoft.Compute/virtualMachines", location: "eastus", size: "Standard_M128s"}, "[causeway-services]"},
		{resource{typ: "Microsoft.Compute/virtualMachines", location: "chinaeast", size: "Standard_D2s_v5"}, "[causeway-locations]"},
		{resource{typ: "Microsoft.Network/dnsZones", location: "global"}, "[]"},
		{resource{typ: "Microsoft.Authorization/roleAssignments"}, "[]"},
		{resource{typ: "Microsoft.Kusto/clusters/databases/scripts"}, "[causeway-types-all]"}, // no tags, no location: only our copy sees it
	} {
		if got := fmt.Sprint(a.denies(w.r)); got != w.by {
			t.Errorf("%+v is denied by %s, want %s", w.r, got, w.by)
		}
	}
}
