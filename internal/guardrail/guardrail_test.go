package guardrail_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/guardrail"
	"causeway/internal/store"
	"causeway/internal/store/storetest"

	"pgregory.net/rapid"
)

// resource is what a policy looks at; a member that is "" does not exist.
type resource struct{ typ, location, size string }

// indexed tells whether Azure's mode Indexed looks at a resource at all. It is
// a fact about Microsoft's types; here: what has a location.
func (r resource) indexed() bool { return r.location != "" }

func (r resource) field(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "type":
		return r.typ, true
	case "location":
		return r.location, r.location != ""
	case "microsoft.compute/virtualmachines/sku.name":
		return r.size, r.size != "" && strings.EqualFold(r.typ, "Microsoft.Compute/virtualMachines")
	case "microsoft.compute/virtualmachinescalesets/sku.name":
		return r.size, r.size != "" && strings.EqualFold(r.typ, "Microsoft.Compute/virtualMachineScaleSets")
	}
	return "", false
}

// builtIn are Microsoft's two definitions, as its documentation prints them.
var builtIn = map[string]string{
	guardrail.BuiltInTypes: `{"if":{"not":{"field":"type","in":"[parameters('listOfResourceTypesAllowed')]"}},"then":{"effect":"deny"}}`,
	guardrail.BuiltInLocations: `{"if":{"allOf":[{"field":"location","notIn":"[parameters('listOfAllowedLocations')]"},{"field":"location","notEquals":"global"},
		{"field":"type","notEquals":"Microsoft.AzureActiveDirectory/b2cDirectories"}]},"then":{"effect":"deny"}}`,
}

// denied evaluates a compiled policy as Azure does and names the assignment
// that denies the resource, or "".
func denied(t failer, p guardrail.Policy, r resource) string {
	for _, a := range p.Assignments {
		rule, mode := json.RawMessage(builtIn[a.DefinitionID]), "Indexed"
		if a.DefinitionID == "" {
			i := slices.IndexFunc(p.Definitions, func(d guardrail.Definition) bool { return d.Name == a.Definition })
			if i < 0 {
				t.Fatalf("assignment %s names no definition: %q", a.Name, a.Definition)
			}
			rule, mode = p.Definitions[i].Rule, p.Definitions[i].Mode
		}
		if mode == "Indexed" && !r.indexed() {
			continue
		}
		var body struct {
			If   any
			Then struct{ Effect string }
		}
		if err := json.Unmarshal(rule, &body); err != nil || body.Then.Effect != "deny" {
			t.Fatalf("rule of %s: %v %s", a.Name, err, rule)
		}
		if holds(t, body.If.(map[string]any), a.Parameters, r) {
			return a.Name
		}
	}
	return ""
}

type failer interface{ Fatalf(string, ...any) }

// holds evaluates one condition.
// https://learn.microsoft.com/azure/governance/policy/concepts/definition-structure-policy-rule
func holds(t failer, c map[string]any, params map[string][]string, r resource) bool {
	list := func(v any) []string {
		if s, ok := v.(string); ok {
			name := strings.TrimSuffix(strings.TrimPrefix(s, "[parameters('"), "')]")
			if _, ok := params[name]; !ok {
				t.Fatalf("parameter %q has no value", s)
			}
			return params[name]
		}
		var all []string
		for _, e := range v.([]any) {
			all = append(all, e.(string))
		}
		return all
	}
	in := func(s string, all []string) bool {
		return slices.ContainsFunc(all, func(e string) bool { return strings.EqualFold(e, s) })
	}
	for key, v := range c {
		switch key {
		case "not":
			return !holds(t, v.(map[string]any), params, r)
		case "allOf":
			return !slices.ContainsFunc(v.([]any), func(e any) bool { return !holds(t, e.(map[string]any), params, r) })
		case "anyOf":
			return slices.ContainsFunc(v.([]any), func(e any) bool { return holds(t, e.(map[string]any), params, r) })
		}
	}
	value, exists := r.field(c["field"].(string))
	for key, v := range c {
		switch key {
		case "field":
		case "in":
			return in(value, list(v))
		case "notIn":
			return !in(value, list(v))
		case "equals":
			return strings.EqualFold(value, v.(string))
		case "notEquals":
			return !strings.EqualFold(value, v.(string))
		case "exists":
			return exists == (v.(string) == "true")
		case "like":
			before, after, _ := strings.Cut(strings.ToLower(v.(string)), "*")
			low := strings.ToLower(value)
			return len(low) >= len(before)+len(after) && strings.HasPrefix(low, before) && strings.HasSuffix(low, after)
		default:
			t.Fatalf("condition %q is not Azure's", key)
		}
	}
	t.Fatalf("condition %v has no operator", c)
	return false
}

// anyCatalogue draws catalogues that Check accepts.
func anyCatalogue() *rapid.Generator[guardrail.Catalogue] {
	return rapid.Custom(func(t *rapid.T) guardrail.Catalogue {
		types := rapid.SliceOfNDistinct(rapid.StringMatching(`Contoso\.[A-Z][a-z]{1,4}/[a-z]{1,6}(/[a-z]{1,4})?`), 1, 12, strings.ToLower).Draw(t, "types")
		if rapid.Bool().Draw(t, "machines") {
			types = append(types, "Microsoft.Compute/virtualMachines")
		}
		var c guardrail.Catalogue
		for _, r := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{4,8}[0-9]?`), 1, 6, rapid.ID[string]).Draw(t, "regions") {
			c.Regions = append(c.Regions, guardrail.Region{Name: r, Label: r})
		}
		g := guardrail.Group{Name: "All"}
		for i, typ := range types {
			s := guardrail.Service{ID: fmt.Sprintf("s%d", i), Name: typ, Reason: "because", Types: []string{typ}}
			if rapid.IntRange(0, 3).Draw(t, "own regions") == 0 {
				s.Regions = []string{rapid.SampledFrom(c.Regions).Draw(t, "region").Name}
			}
			if strings.HasPrefix(typ, "Microsoft.Compute") && rapid.Bool().Draw(t, "sized") {
				s.Sizes = []string{"Standard_B*", "Standard_D2s_v5"}
			}
			g.Services = append(g.Services, s)
		}
		c.Groups = []guardrail.Group{g}
		return c
	})
}

func TestWhatIsOfferedIsAllowedAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyCatalogue().Draw(t, "catalogue")
		if err := c.Check(); err != nil {
			t.Fatalf("the catalogue is refused: %v", err)
		}
		p := guardrail.Compile(c)
		for _, s := range c.Groups[0].Services {
			for _, r := range c.Regions {
				offered := len(s.Regions) == 0 || slices.Contains(s.Regions, r.Name)
				for _, typ := range []string{s.Types[0], strings.ToUpper(s.Types[0])} {
					by := denied(t, p, resource{typ: typ, location: r.Name})
					if offered != (by == "") {
						t.Fatalf("%s in %s: offered %t, denied by %q", typ, r.Name, offered, by)
					}
				}
			}
			if by := denied(t, p, resource{typ: s.Types[0]}); by != "" {
				t.Fatalf("%s without a location is denied by %s", s.Types[0], by)
			}
			if by := denied(t, p, resource{typ: s.Types[0], location: "elsewhere9"}); by == "" {
				t.Fatalf("%s in a region that is not offered is allowed", s.Types[0])
			}
			for size, good := range map[string]bool{"Standard_B2ms": true, "standard_d2S_v5": true, "Standard_D4s_v5": false, "Standard_M128": false} {
				at := c.Regions[0].Name
				if len(s.Regions) > 0 {
					at = s.Regions[0]
				}
				by := denied(t, p, resource{typ: s.Types[0], location: at, size: size})
				if len(s.Sizes) > 0 && good != (by == "") {
					t.Fatalf("%s of size %s: offered %t, denied by %q", s.Types[0], size, good, by)
				}
			}
		}
		other := rapid.StringMatching(`(Contoso|Microsoft)\.[A-Z][a-z]{1,4}/[a-z]{1,6}(/[a-z]{1,4})?`).Draw(t, "other type")
		if _, offered := c.Lookup(other); !offered {
			for _, r := range []resource{{typ: other, location: c.Regions[0].Name}, {typ: other, location: "global"}, {typ: other}} {
				if denied(t, p, r) == "" {
					t.Fatalf("%+v is not offered and not denied", r)
				}
			}
		}
		if again := guardrail.Compile(c); !reflect.DeepEqual(again, p) {
			t.Fatalf("the same catalogue compiles differently")
		}
	})
}

func TestTheProbeAsksWhatThePolicyDecides(t *testing.T) {
	check := func(t failer, c guardrail.Catalogue) {
		q, ok := guardrail.Probe(c)
		if !ok {
			t.Fatalf("there is nothing to ask")
		}
		p := guardrail.Compile(c)
		if by := denied(t, p, resource{typ: q.Forbidden, location: q.Location}); by == "" {
			t.Fatalf("%s is to be refused and is not", q.Forbidden)
		}
		proven := map[string]bool{}
		for _, x := range q.Proofs {
			size := ""
			if h, ok := x.Properties["hardwareProfile"].(map[string]any); ok {
				size, _ = h["vmSize"].(string)
			}
			if by := denied(t, p, resource{typ: x.Type, location: x.Location, size: size}); by == "" {
				t.Fatalf("%+v is to be refused and is not", x)
			}
			proven[x.Assignment] = true
		}
		for _, a := range p.Assignments {
			if a.Name != guardrail.NameServices && !proven[a.Name] {
				t.Fatalf("nothing proves that %q acts: %+v", a.DisplayName, q.Proofs)
			}
		}
		if by := denied(t, p, resource{typ: q.Allowed, location: q.Location}); by != "" {
			t.Fatalf("%s in %s is to be allowed and %s denies it", q.Allowed, q.Location, by)
		}
	}
	check(t, guardrail.Default())
	rapid.Check(t, func(t *rapid.T) {
		c := anyCatalogue().Draw(t, "catalogue")
		if slices.ContainsFunc(c.Types(), func(typ string) bool { return strings.Count(typ, "/") == 1 && !strings.HasPrefix(typ, "Microsoft.") }) {
			check(t, c)
		}
	})
	open := guardrail.Default()
	open.Unrestricted = true
	if q, ok := guardrail.Probe(open); ok {
		t.Errorf("without a restriction %+v is asked", q)
	}
}

func TestTheBuiltInCatalogueCanRunASubscription(t *testing.T) {
	c := guardrail.Default()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	p := guardrail.Compile(c)
	if len(p.Types) < 100 || len(p.Locations) < 20 || len(p.Assignments) != 4 || len(p.Definitions) != 2 {
		t.Fatalf("types %d, locations %d, assignments %d, definitions %d", len(p.Types), len(p.Locations), len(p.Assignments), len(p.Definitions))
	}
	for _, r := range []resource{
		{typ: "Microsoft.Resources/subscriptions/resourceGroups", location: "eastus"},
		{typ: "Microsoft.Resources/deployments"},
		{typ: "Microsoft.Authorization/roleAssignments"}, // our own next grant
		{typ: "Microsoft.Authorization/policyAssignments"},
		{typ: "Microsoft.Network/dnsZones", location: "global"},
		{typ: "Microsoft.Network/networkWatchers", location: "westus2"}, // Azure makes it by itself
		{typ: "Microsoft.Compute/virtualMachines", location: "eastus", size: "Standard_D2s_v5"},
		{typ: "Microsoft.Compute/virtualMachines", location: "eastus"},
	} {
		if by := denied(t, p, r); by != "" {
			t.Errorf("%+v is denied by %s", r, by)
		}
	}
	for _, r := range []resource{
		{typ: "Microsoft.Compute/virtualMachines", location: "eastus", size: "Standard_NC96ads_A100_v4"},
		{typ: "Microsoft.Compute/virtualMachines", location: "chinaeast", size: "Standard_D2s_v5"},
		{typ: "Microsoft.AVS/privateClouds", location: "eastus"},
		{typ: "Microsoft.MachineLearningServices/workspaces", location: "eastus"},
	} {
		if denied(t, p, r) == "" {
			t.Errorf("%+v is allowed", r)
		}
	}
	for _, a := range p.Assignments {
		if !slices.Contains(guardrail.Names(), a.Name) || a.Message == "" || len(a.Name) > 24 {
			t.Errorf("assignment %+v", a)
		}
	}
}

func TestLiftingTheRestrictionLeavesNothingToAssign(t *testing.T) {
	c := guardrail.Default()
	before := guardrail.Compile(c)
	c.Unrestricted = true
	p := guardrail.Compile(c)
	if len(p.Assignments)+len(p.Definitions)+len(p.Types)+len(p.Locations) != 0 || !p.Unrestricted || p.Hash == before.Hash || p.Hash == "" {
		t.Errorf("policy = %+v", p)
	}
	if by := denied(t, p, resource{typ: "Microsoft.AVS/privateClouds", location: "chinaeast"}); by != "" {
		t.Errorf("denied by %s", by)
	}
}

func TestTheHashChangesWithWhatIsOfferedOnly(t *testing.T) {
	c := guardrail.Default()
	hash := guardrail.Compile(c).Hash
	c.Version, c.Note = 9, "a note"
	c.Groups[0].Services[0].Reason = "another reason"
	if guardrail.Compile(c).Hash != hash {
		t.Error("words change the policy")
	}
	c.Groups[0].Services[0].Types = c.Groups[0].Services[0].Types[1:]
	if guardrail.Compile(c).Hash == hash {
		t.Error("a service taken away does not change the policy")
	}
}

func TestABadCatalogueIsRefused(t *testing.T) {
	for _, c := range []struct {
		is     string
		change func(*guardrail.Catalogue)
		field  string
	}{
		{"no region", func(c *guardrail.Catalogue) { c.Regions = nil }, "regions"},
		{"a region in words", func(c *guardrail.Catalogue) { c.Regions[0].Name = "East US" }, "regions[0].name"},
		{"a type without a provider", func(c *guardrail.Catalogue) { c.Groups[0].Services[0].Types[0] = "virtualMachines" }, "groups[0].services[0].types"},
		{"a type in two services", func(c *guardrail.Catalogue) {
			c.Groups[0].Services[1].Types[0] = "microsoft.compute/VIRTUALMACHINES"
		}, "groups[0].services[1].types"},
		{"a service without types", func(c *guardrail.Catalogue) { c.Groups[1].Services[0].Types = nil }, "groups[1].services[0].types"},
		{"an id used twice", func(c *guardrail.Catalogue) { c.Groups[1].Services[1].ID = c.Groups[1].Services[0].ID }, "groups[1].services[1].id"},
		{"a region of a service that is not offered", func(c *guardrail.Catalogue) { c.Groups[0].Services[0].Regions = []string{"chinaeast"} }, "groups[0].services[0].regions"},
		{"a size with code in it", func(c *guardrail.Catalogue) { c.Groups[0].Services[0].Sizes = []string{"[parameters('x')]"} }, "groups[0].services[0].sizes"},
		{"sizes of what has none", func(c *guardrail.Catalogue) { c.Groups[1].Services[0].Sizes = []string{"Standard_B*"} }, "groups[1].services[0].sizes"},
		{"a name with a NUL", func(c *guardrail.Catalogue) { c.Groups[0].Name = "a\x00" }, "groups[0].name"},
		{"nothing at all", func(c *guardrail.Catalogue) { c.Groups = nil }, "groups"},
	} {
		t.Run(c.is, func(t *testing.T) {
			cat := guardrail.Default()
			c.change(&cat)
			f := fault.Of(cat.Check())
			if f == nil || !slices.ContainsFunc(f.Refusals, func(r fault.Refusal) bool { return strings.HasPrefix(r.Field, c.field) && r.Remedy != "" }) {
				t.Errorf("refused with %+v, want field %s", f, c.field)
			}
		})
	}
}

var (
	owner  = account.Actor{User: "u-owner", Role: account.RoleOwner}
	desk   = account.Actor{User: "u-support", Role: account.RoleSupport}
	member = account.Actor{User: "u-member", Org: "contoso", Role: account.RoleMember}
)

func TestTheCatalogueHasVersions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, now := t.Context(), time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
		b := guardrail.New(db, func() time.Time { return now })
		c, err := b.Catalogue(ctx)
		if err != nil || c.Version != 0 || !reflect.DeepEqual(c, guardrail.Default()) {
			t.Fatalf("before the first version: %d, %v", c.Version, err)
		}
		c.Unrestricted = true
		if _, err := b.Set(ctx, desk, 0, c, "why not"); !errors.Is(err, fault.Forbidden) {
			t.Errorf("support staff change it: %v", err)
		}
		if _, err := b.Set(ctx, owner, 0, c, " "); !errors.Is(err, fault.Invalid) {
			t.Errorf("without a reason: %v", err)
		}
		saved, err := b.Set(ctx, owner, 0, c, "Everything that Microsoft offers is supported now.")
		if err != nil || saved.Version != 1 {
			t.Fatalf("saved = version %d, %v", saved.Version, err)
		}
		if _, err := b.Set(ctx, owner, 0, guardrail.Default(), "again"); !errors.Is(err, fault.Conflict) {
			t.Errorf("a stale version: %v, want a conflict", err)
		}
		read, err := b.Catalogue(ctx)
		if err != nil || !reflect.DeepEqual(read, saved) {
			t.Errorf("read %+v, %v", read, err)
		}
		if first, err := b.Version(ctx, 0); err != nil || first.Unrestricted {
			t.Errorf("the built-in version: %v, %v", first.Unrestricted, err)
		}
		if one, err := b.Version(ctx, 1); err != nil || !one.Unrestricted {
			t.Errorf("version 1: %v, %v", one.Unrestricted, err)
		}
		if _, err := b.Version(ctx, 2); !errors.Is(err, fault.NotFound) {
			t.Errorf("version 2: %v, want not found", err)
		}
		if h, err := b.History(ctx, member, 10); err != nil || len(h) != 1 || h[0].Note == "" {
			t.Errorf("history = %+v, %v", h, err)
		}
		entries, err := audit.List(ctx, db, audit.Filter{Object: "guardrail:1"})
		if err != nil || len(entries) != 1 || entries[0].Actor != "user:u-owner" {
			t.Errorf("audit = %+v, %v", entries, err)
		}
	})
}
