package guardrail

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// Microsoft's built-in definitions.
// https://learn.microsoft.com/azure/governance/policy/samples/built-in-policies
const (
	// BuiltInTypes denies every resource type that is not in
	// listOfResourceTypesAllowed; only types that have tags and a location.
	BuiltInTypes = "/providers/Microsoft.Authorization/policyDefinitions/a08ec900-254a-4555-9bf5-e42af04b5c5c"
	// BuiltInLocations denies every location but those in listOfAllowedLocations and "global".
	BuiltInLocations = "/providers/Microsoft.Authorization/policyDefinitions/e56962a6-4747-49cd-b67b-bf8b01975c4c"
)

// The names of our definitions and assignments. They never change, so that
// writing them again, after a crash or for a new version, changes one thing.
const (
	NameTypes     = "causeway-types"
	NameTypesAll  = "causeway-types-all"
	NameLocations = "causeway-locations"
	NameServices  = "causeway-services"
)

// always are the types without which a subscription cannot be run, supported
// or entered: our own copy of the type rule has mode All and would otherwise
// deny our next role assignment and the policy itself.
var always = []string{
	"Microsoft.Authorization/locks", "Microsoft.Authorization/policyAssignments", "Microsoft.Authorization/policyDefinitions",
	"Microsoft.Authorization/policyExemptions", "Microsoft.Authorization/policySetDefinitions", "Microsoft.Authorization/roleAssignments",
	"Microsoft.Authorization/roleDefinitions", "Microsoft.Consumption/budgets", "Microsoft.Features/providers/features",
	"Microsoft.PolicyInsights/remediations", "Microsoft.Resources/deployments", "Microsoft.Resources/resourceGroups",
	"Microsoft.Resources/subscriptions", "Microsoft.Resources/subscriptions/resourceGroups", "Microsoft.Resources/tags",
	"Microsoft.Support/supportTickets", "Microsoft.Support/supportTickets/communications",
}

// Policy is a catalogue as Azure Policy: what to define and what to assign at
// the subscription. An unrestricted catalogue has neither; what an earlier
// version assigned is then to be deleted (see Names).
type Policy struct {
	Version      int64
	Unrestricted bool
	Types        []string // allowed resource types, sorted
	Locations    []string // allowed regions, sorted
	Definitions  []Definition
	Assignments  []Assignment
	Hash         string // of all of the above: the same catalogue always has the same
}

// Definition is a policy definition of our own, at the subscription.
type Definition struct {
	Name        string
	DisplayName string
	Description string
	Mode        string
	Parameters  json.RawMessage // {} if none
	Rule        json.RawMessage
}

// Assignment assigns a definition at the subscription. DefinitionID is a
// built-in's full id; else Definition names one of Policy.Definitions.
type Assignment struct {
	Name         string
	DisplayName  string
	Description  string
	Definition   string
	DefinitionID string
	Parameters   map[string][]string // each is sent as {"value": […]}
	Message      string              // shown with a denial
}

// Names are all assignments that any version may have made: those that the
// policy does not hold are to be deleted.
func Names() []string { return []string{NameTypes, NameTypesAll, NameLocations, NameServices} }

// Compile turns a catalogue into Azure Policy. It reads nothing but its
// argument: the same catalogue gives the same bytes.
func Compile(c Catalogue) Policy {
	p := Policy{Version: c.Version, Unrestricted: c.Unrestricted}
	if c.Unrestricted {
		p.Hash = p.hash()
		return p
	}
	p.Types = sorted(append(slices.Clone(always), c.Types()...))
	for _, r := range c.Regions {
		p.Locations = append(p.Locations, r.Name)
	}
	slices.Sort(p.Locations)

	const help = "Ask for more at Azure services offered in the portal."
	p.Definitions = append(p.Definitions, Definition{
		Name: NameTypesAll, DisplayName: "Services offered, of every kind", Mode: "All",
		Description: "Microsoft's definition “Allowed resource types” with mode All, so that it also covers types without tags or location.",
		Parameters: encode(map[string]any{"listOfResourceTypesAllowed": map[string]any{
			"type": "Array", "metadata": map[string]any{"displayName": "Allowed resource types", "description": "The resource types that may be deployed.", "strongType": "resourceTypes"},
		}}),
		Rule: encode(deny(map[string]any{"not": map[string]any{"field": "type", "in": "[parameters('listOfResourceTypesAllowed')]"}})),
	})
	p.Assignments = append(p.Assignments,
		Assignment{
			Name: NameTypes, DisplayName: "Services offered", DefinitionID: BuiltInTypes,
			Parameters: map[string][]string{"listOfResourceTypesAllowed": p.Types}, Message: "This service is not offered. " + help,
		},
		Assignment{
			Name: NameTypesAll, DisplayName: "Services offered, of every kind", Definition: NameTypesAll,
			Parameters: map[string][]string{"listOfResourceTypesAllowed": p.Types}, Message: "This service is not offered. " + help,
		},
		Assignment{
			Name: NameLocations, DisplayName: "Regions offered", DefinitionID: BuiltInLocations,
			Parameters: map[string][]string{"listOfAllowedLocations": p.Locations}, Message: "This region is not offered. " + help,
		},
	)
	if cases := special(c); len(cases) > 0 {
		p.Definitions = append(p.Definitions, Definition{
			Name: NameServices, DisplayName: "Sizes and regions of single services", Mode: "All",
			Description: "Some services are offered in some sizes or regions only.", Parameters: json.RawMessage("{}"),
			Rule: encode(deny(map[string]any{"anyOf": cases})),
		})
		p.Assignments = append(p.Assignments, Assignment{
			Name: NameServices, DisplayName: "Sizes and regions of single services", Definition: NameServices,
			Message: "This size, or this service in this region, is not offered. " + help,
		})
	}
	p.Hash = p.hash()
	return p
}

// special lists what is denied beyond types and regions: a service outside its
// own regions, and virtual machines of other sizes. A resource that does not
// say its size or region yet is not denied for it.
func special(c Catalogue) []any {
	var cases []any
	for _, g := range c.Groups {
		for _, s := range g.Services {
			if len(s.Regions) > 0 {
				allowed := append(slices.Sorted(slices.Values(s.Regions)), "global")
				cases = append(cases, all(
					map[string]any{"field": "type", "in": sorted(slices.Clone(s.Types))},
					map[string]any{"field": "location", "exists": "true"},
					map[string]any{"field": "location", "notIn": allowed},
				))
			}
			if len(s.Sizes) == 0 {
				continue
			}
			for _, t := range sorted(slices.Clone(s.Types)) {
				size := sized(t)
				if size == "" {
					continue
				}
				var offered []any
				for _, z := range slices.Sorted(slices.Values(s.Sizes)) {
					op := "equals"
					if strings.HasSuffix(z, "*") {
						op = "like"
					}
					offered = append(offered, map[string]any{"field": size, op: z})
				}
				cases = append(cases, all(
					map[string]any{"field": "type", "equals": t},
					map[string]any{"field": size, "exists": "true"},
					map[string]any{"not": map[string]any{"anyOf": offered}},
				))
			}
		}
	}
	return cases
}

func all(conditions ...any) map[string]any { return map[string]any{"allOf": conditions} }

func deny(condition any) map[string]any {
	return map[string]any{"if": condition, "then": map[string]any{"effect": "deny"}}
}

// encode never fails: it gets maps, lists and text only, and sorts the keys.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

func (p Policy) hash() string {
	p.Hash, p.Version = "", 0
	sum := sha256.Sum256(encode(p))
	return hex.EncodeToString(sum[:])
}

// Question is what to ask Azure to see whether the guardrail acts: it does as
// soon as Forbidden is refused and Allowed is not, both at Location.
type Question struct {
	Forbidden string
	Allowed   string
	Location  string
	Proofs    []Proof // one for each assignment; the guardrail acts when all of them are refused
}

// Proof is a resource that a certain assignment must refuse: each assignment is
// copied to Azure's regions by itself, so that one acts says nothing of the others.
type Proof struct {
	Assignment string
	Type       string
	Location   string
	Properties map[string]any
}

// Candidates of a probe, in this order. The forbidden ones exist in every
// Azure subscription, have a location and are seldom offered; the allowed ones
// have no size, so only the rule for types can deny them.
var (
	probeForbidden = []string{
		"Microsoft.HDInsight/clusters", "Microsoft.Synapse/workspaces", "Microsoft.AVS/privateClouds", "Microsoft.Cache/Redis",
		"Microsoft.DocumentDB/databaseAccounts", "Microsoft.Kusto/clusters", "Microsoft.Databricks/workspaces", "Microsoft.ApiManagement/service",
	}
	probeAllowed = []string{
		"Microsoft.Network/virtualNetworks", "Microsoft.Network/networkSecurityGroups", "Microsoft.Storage/storageAccounts",
		"Microsoft.Network/publicIPAddresses", "Microsoft.Compute/disks",
	}
)

// Probe chooses what to ask. ok is false if there is nothing to ask: the
// catalogue is unrestricted, or offers all that could be asked for.
func Probe(c Catalogue) (q Question, ok bool) {
	if c.Unrestricted || len(c.Regions) == 0 {
		return Question{}, false
	}
	for _, t := range probeForbidden {
		if _, offered := c.Lookup(t); !offered {
			q.Forbidden = t
			break
		}
	}
	for _, t := range append(slices.Clone(probeAllowed), c.Types()...) {
		if s, offered := c.Lookup(t); offered && sized(t) == "" && strings.Count(t, "/") == 1 {
			q.Allowed, q.Location = t, c.Regions[0].Name
			if len(s.Regions) > 0 {
				q.Location = s.Regions[0]
			}
			break
		}
	}
	if q.Forbidden == "" || q.Allowed == "" {
		return q, false
	}
	q.Proofs = []Proof{{Assignment: NameTypes, Type: q.Forbidden, Location: q.Location}, {Assignment: NameTypesAll, Type: q.Forbidden, Location: q.Location}}
	if region := c.outside(); region != "" {
		q.Proofs = append(q.Proofs, Proof{Assignment: NameLocations, Type: q.Allowed, Location: region})
	}
	if p, ok := c.special(); ok {
		q.Proofs = append(q.Proofs, p)
	}
	return q, true
}

// probeRegions exist everywhere in the public cloud and are seldom offered all.
var probeRegions = []string{"brazilsoutheast", "southafricawest", "norwaywest", "jioindiacentral", "australiacentral2", "germanynorth", "francesouth", "uaecentral"}

// outside is a region that is not offered, "" if all are.
func (c Catalogue) outside() string {
	for _, name := range probeRegions {
		if !slices.ContainsFunc(c.Regions, func(r Region) bool { return strings.EqualFold(r.Name, name) }) {
			return name
		}
	}
	return ""
}

// special is something that only the rule for single services refuses: a service
// in a region that others may use, or a virtual machine of a size that nobody has.
func (c Catalogue) special() (Proof, bool) {
	for _, g := range c.Groups {
		for _, s := range g.Services {
			for _, r := range c.Regions {
				if len(s.Regions) > 0 && len(s.Types) > 0 && !slices.Contains(s.Regions, r.Name) {
					return Proof{Assignment: NameServices, Type: s.Types[0], Location: r.Name}, true
				}
			}
			for _, t := range s.Types {
				if len(s.Sizes) > 0 && strings.EqualFold(t, "Microsoft.Compute/virtualMachines") && !slices.Contains(s.Sizes, "*") {
					return Proof{Assignment: NameServices, Type: t, Location: c.RegionsOf(s)[0].Name, Properties: map[string]any{"hardwareProfile": map[string]any{"vmSize": "Unknown_0"}}}, true
				}
			}
		}
	}
	return Proof{}, false
}
