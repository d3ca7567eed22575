package rating

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"causeway/internal/usage"
)

// Match says which usage a rule is for. A member that is left out takes
// everything; values of one member are alternatives, members are conditions that
// must all hold. Case is ignored (Microsoft writes New and new), but for tag values.
type Match struct {
	Meter       []string `json:"meter,omitempty"`
	Category    []string `json:"category,omitempty"`
	Subcategory []string `json:"subcategory,omitempty"`
	Service     []string `json:"service,omitempty"`
	Region      []string `json:"region,omitempty"`
	Publisher   []string `json:"publisher,omitempty"`
	Source      []string `json:"source,omitempty"` // "microsoft" or "third-party": whose service it is
	ChargeType  []string `json:"charge_type,omitempty"`
	Product     []string `json:"product,omitempty"`
	SKU         []string `json:"sku,omitempty"`
	Reservation []string `json:"reservation,omitempty"` // the order's id, "any" or "none"
	Credit      []string `json:"credit,omitempty"`      // "none", "azure" or "earned"
	Entitlement []string `json:"entitlement,omitempty"`

	Tags map[string][]string `json:"tags,omitempty"`
}

// The words that stand for more than one value.
const (
	anyReservation = "any"
	noReservation  = "none"
	microsoft      = "microsoft"
	thirdParty     = "third-party"
)

// A dimension is one condition: its values in folded form.
type dimension map[string]bool

// conditions gives the members that are set, by name.
func (m Match) conditions() map[string]dimension {
	all := map[string]dimension{}
	for name, values := range map[string][]string{
		"meter": m.Meter, "category": m.Category, "subcategory": m.Subcategory, "service": m.Service, "region": m.Region,
		"charge type": m.ChargeType, "product": m.Product, "SKU": m.SKU, "credit": m.Credit, "entitlement": m.Entitlement,
		"publisher": m.Publisher, "source": m.Source, "reservation": m.Reservation,
	} {
		if len(values) > 0 {
			all[name] = set(values, strings.ToLower)
		}
	}
	for name, values := range m.Tags {
		all["tag "+strings.ToLower(name)] = set(values, func(s string) string { return s })
	}
	return all
}

func set(values []string, fold func(string) string) dimension {
	d := dimension{}
	for _, v := range values {
		d[fold(v)] = true
	}
	return d
}

// holds tells whether the usage fulfils every condition.
func holds(conditions map[string]dimension, g usage.Key) bool {
	for name, d := range conditions {
		if !slices.ContainsFunc(values(name, g), func(v string) bool { return d[v] }) {
			return false
		}
	}
	return true
}

// values are the words by which a condition may name this usage.
func values(name string, g usage.Key) []string {
	fold := func(s string) []string { return []string{strings.ToLower(s)} }
	switch name {
	case "meter":
		return fold(g.Meter)
	case "category":
		return fold(g.Category)
	case "subcategory":
		return fold(g.Subcategory)
	case "service":
		return fold(g.Service)
	case "region":
		return fold(g.Region)
	case "charge type":
		return fold(g.ChargeType)
	case "product":
		return fold(g.Product)
	case "SKU":
		return fold(g.SKU)
	case "entitlement":
		return fold(g.Entitlement)
	case "publisher":
		return fold(g.Publisher)
	case "source":
		if g.ThirdParty {
			return []string{thirdParty}
		}
		return []string{microsoft}
	case "reservation":
		if g.Reservation == "" && g.Benefit == "" {
			return []string{noReservation}
		}
		return append(fold(g.Reservation), anyReservation)
	case "credit":
		if g.Credit == usage.CreditNone {
			return []string{"none"}
		}
		return fold(string(g.Credit))
	}
	tag, ok := cutTag(name)
	if v, has := g.Tags[tag]; ok && has {
		return []string{v}
	}
	return nil
}

// within tells whether all usage that fulfils a also fulfils b: b's conditions are
// all in a, at least as narrow. A narrower rule is the more specific one.
func within(a, b map[string]dimension) bool {
	for name, wide := range b {
		narrow, ok := a[name]
		if !ok {
			return false
		}
		for v := range narrow {
			if !wide[v] && !wide[wider(name, v)] {
				return false
			}
		}
	}
	return true
}

// wider is the word that stands for v among others, "" if there is none.
func wider(name, v string) string {
	if name == "reservation" && v != noReservation {
		return anyReservation
	}
	return ""
}

// overlap gives the conditions of the usage that fulfils both; false if there can
// be none.
func overlap(a, b map[string]dimension) (map[string]dimension, bool) {
	both := maps.Clone(a)
	for name, theirs := range b {
		ours, ok := both[name]
		if !ok {
			both[name] = theirs
			continue
		}
		common := dimension{}
		for v := range ours {
			for w := range theirs {
				switch {
				case v == w, wider(name, v) == w:
					common[v] = true
				case wider(name, w) == v:
					common[w] = true
				}
			}
		}
		if len(common) == 0 {
			return nil, false
		}
		both[name] = common
	}
	return both, true
}

// String says the match in words: "category Storage or Bandwidth, region EU West".
func (m Match) String() string {
	var parts []string
	say := func(name string, values []string) {
		if len(values) > 0 {
			parts = append(parts, name+" "+strings.Join(values, " or "))
		}
	}
	say("meter", m.Meter)
	say("category", m.Category)
	say("subcategory", m.Subcategory)
	say("service", m.Service)
	say("region", m.Region)
	say("publisher", m.Publisher)
	say("source", m.Source)
	say("charge type", m.ChargeType)
	say("product", m.Product)
	say("SKU", m.SKU)
	say("reservation", m.Reservation)
	say("credit", m.Credit)
	say("entitlement", m.Entitlement)
	for _, name := range slices.Sorted(maps.Keys(m.Tags)) {
		say(fmt.Sprintf("tag %s =", name), m.Tags[name])
	}
	if len(parts) == 0 {
		return "all usage"
	}
	return strings.Join(parts, ", ")
}

func cutTag(condition string) (string, bool) { return strings.CutPrefix(condition, "tag ") }
