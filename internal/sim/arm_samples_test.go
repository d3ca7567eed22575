package sim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"causeway/internal/sim"
)

// Every documented sample of Graph and Resource Manager is answered with the same
// status, headers and members.
func TestAzureSamplesAreAnsweredAsDocumented(t *testing.T) {
	const dates = "createdDateTime lastModifiedDateTime endDateTime"
	for _, tc := range []struct {
		file, says string
		token      func(*partner) string
		prepare    func(*azure)
		seed       string
		config     func(*sim.Config)
		free       string // members whose value is the sample's own
	}{
		{file: "23-gdap-create-relationship.json", says: "a new GDAP relationship", free: dates + " @odata.etag @odata.context",
			token: func(p *partner) string { return p.graphToken("", true) },
			seed:  `{"customers":[{"id":"` + tenantID + `","domain":"one.onmicrosoft.com","name":"Contoso subsidiary Inc"}]}`},
		{file: "24-arm-billing-accounts.json", says: "the billing account", token: func(p *partner) string { return p.armToken("", true) },
			config: func(c *sim.Config) {
				c.Partner.Name, c.Partner.BillingAccount = "Contoso", "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx_xxxx-xx-xx"
			}},
		{file: "25-arm-alias-create.json", says: "a subscription for a customer", free: "subscriptionId", token: func(p *partner) string { return p.armToken("", true) },
			config: func(c *sim.Config) {
				c.Partner.BillingAccount = "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx_xxxx-xx-xx"
			},
			seed: `{"customers":[{"id":"2281f543-xxxx-xxxx-xxxx-xxxxxxxxxxxx","domain":"one.onmicrosoft.com","name":"One","plan":{}}]}`},
		{file: "26-arm-role-assignment-create.json", says: "a role on a subscription", token: func(p *partner) string { return p.armToken(tenantID, true) },
			seed: contosoTenant,
			prepare: func(a *azure) {
				a.as(a.agent, "PUT", of("/providers/Microsoft.Authorization/roleDefinitions/0b5fe924-9a61-425c-96af-cfe6e287ca2d?api-version=2022-04-01"), props(map[string]any{
					"roleName": "Documented", "assignableScopes": []string{"/subscriptions/" + subID}, "permissions": []any{map[string]any{"actions": []string{"*/read"}}}})).want(a.t, 201)
			},
			// The sample's user is made by the simulator, so its id is the simulator's.
			free: "principalId"},
	} {
		t.Run(tc.says, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("testdata", "samples", tc.file))
			if err != nil {
				t.Fatal(err)
			}
			var want sample
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			var options []sim.Option
			if tc.config != nil {
				options = append(options, tc.config)
			}
			s := sim.Start(t, options...)
			if tc.seed != "" {
				plant(t, s, tc.seed)
			}
			p := newPartner(t, s)
			p.user = tc.token(p)
			if tc.prepare != nil {
				tc.prepare(&azure{partner: p, agent: p.user})
				user := p.as(p.tokenFor("https://api.partnercenter.microsoft.com", "", true), "GET", "/v1/customers/"+tenantID+"/users", nil).want(t, 200).at("items.0.id")
				body, _ := want.Request.Body.(map[string]any)
				members, is := body["properties"].(map[string]any)
				if !is {
					t.Fatal("the sample has no properties")
				}
				members["principalId"] = user
			}

			got, body := send(t, p, want, "", nil)

			if got.StatusCode != want.Response.Status {
				t.Fatalf("status %d, documented %d: %s", got.StatusCode, want.Response.Status, body)
			}
			for name, value := range want.Response.Headers {
				have := got.Header.Get(name)
				if name == "Location" { // another host, another id
					have, value = have[strings.Index(have, "/v1.0"):], value[strings.Index(value, "/v1.0"):]
					have, value = have[:strings.LastIndexByte(have, '/')], value[:strings.LastIndexByte(value, '/')]
				}
				if have, _, _ = strings.Cut(have, ";"); have != value {
					t.Errorf("header %s is %q, documented %q", name, have, value)
				}
			}
			var members any
			if err := json.Unmarshal(body, &members); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			free := strings.Fields(tc.free)
			if tc.file[:2] == "23" {
				free = append(free, "id")
			}
			for _, difference := range differences("", want.Response.Body, members, free) {
				t.Error(difference)
			}
			if t.Failed() {
				t.Logf("answer: %s", body)
			}
		})
	}
}
