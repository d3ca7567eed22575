package rating

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// List is one version of a price list. It is data: saved as JSON, hashed, and
// named by its hash on every charge that it made.
type List struct {
	ID       string         `json:"id"`
	Version  int64          `json:"version"`
	Currency money.Currency `json:"currency"` // of its fees, unit prices and of the accounts that it is for

	// Exchange says by which rate list and cost become the account's currency:
	// Microsoft's of the month, or the partner's own, kept with each month.
	Exchange ExchangeBy `json:"exchange"`

	// EarnedShare is how many percent of the partner earned credit the customer gets:
	// 0 keeps it, 100 passes it on. It comes off prices based on list or gross; cost
	// is without the credit as it is.
	EarnedShare decimal.Decimal `json:"earned_share"`

	Rules    []Rule    `json:"rules"`
	Fees     []Fee     `json:"fees,omitempty"`
	Minimums []Minimum `json:"minimums,omitempty"`
	Support  *Support  `json:"support,omitempty"`
	Lines    []Line    `json:"lines,omitempty"` // the split of the invoice; none = one line
}

// ExchangeBy names whose rate is used.
type ExchangeBy string

// Whose rate.
const (
	ByMicrosoft ExchangeBy = "microsoft" // PCToBCExchangeRate, one a month
	ByPartner   ExchangeBy = "partner"
)

// Base is what a rule's percent is taken of.
type Base string

// The three bases; see usage.Group.
const (
	OnList  Base = "list"  // Microsoft's price before any credit
	OnCost  Base = "cost"  // what Microsoft bills, the earned credit taken off
	OnGross Base = "gross" // what Microsoft would bill without the earned credit
)

// Rule prices the usage that it matches: base plus percent, or tiers.
type Rule struct {
	ID      string          `json:"id"` // stable over versions: tiers go on counting under it
	Match   Match           `json:"match"`
	Base    Base            `json:"base,omitempty"`    // none with tiers of quantity
	Percent decimal.Decimal `json:"percent,omitempty"` // +10 is a mark-up, −10 a discount
	Tiers   *Tiers          `json:"tiers,omitempty"`

	// BelowCost is why this rule may sell below cost; "" = it may not. Whoever
	// saves the list signs for it in the audit.
	BelowCost string `json:"below_cost,omitempty"`
}

// Tiers prices by how much there was in the month. What is counted is per
// account, rule, meter and unit for quantities, per account and rule for money.
type Tiers struct {
	Of    Measure `json:"of"`
	How   Climb   `json:"how"`
	Steps []Step  `json:"steps"`
}

// Measure is what the tiers count.
type Measure string

// What tiers count.
const (
	OfQuantity Measure = "quantity" // units; each step has its price
	OfMoney    Measure = "money"    // the rule's base; each step has its percent
)

// Climb is how a higher tier acts on what lies below it.
type Climb string

// How tiers act.
const (
	Graduated Climb = "graduated" // each unit at the price of the tier it falls in
	Volume    Climb = "volume"    // all units at the price of the tier that the month reached
)

// Step is one tier: up to and including UpTo; the last has none.
type Step struct {
	UpTo    *decimal.Decimal `json:"up_to,omitempty"`
	Price   decimal.Decimal  `json:"price,omitempty"`   // of one unit, in the list's currency
	Percent decimal.Decimal  `json:"percent,omitempty"` // on the base
}

// Fee is charged once a month and account, whole: it is not divided by days.
type Fee struct {
	ID     string          `json:"id"`
	Label  string          `json:"label"`
	Amount decimal.Decimal `json:"amount"`
	Match  Match           `json:"match"`
	Always bool            `json:"always,omitempty"` // also in a month without such usage
}

// Minimum is what the matching usage of a month brings at least; the gap is
// charged as a line of its own. A month without such usage has none.
type Minimum struct {
	ID     string          `json:"id"`
	Label  string          `json:"label"`
	Amount decimal.Decimal `json:"amount"`
	Match  Match           `json:"match"`
}

// Support is the platform support, a graduated share of the month's spend.
type Support struct {
	ID      string          `json:"id"`
	Label   string          `json:"label"`
	Steps   []Step          `json:"steps"` // percent of the spend in each
	Minimum decimal.Decimal `json:"minimum"`
}

// Line is one line of the invoice that usage goes to.
type Line struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Late  string `json:"late"` // its label when a later month corrects it
	Match Match  `json:"match"`
}

// OneLine is the id of the only line where the list splits nothing.
const OneLine = "usage"

// Hash names the list's content: the SHA-256 of its JSON, in hex.
func (l List) Hash() (string, error) {
	b, err := json.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("price list %s: %w", l.ID, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// TagNames are the tags that the list needs to know of each record.
func (l List) TagNames() []string {
	seen := dimension{}
	for _, m := range l.matches() {
		for name := range m.conditions() {
			if tag, ok := cutTag(name); ok {
				seen[tag] = true
			}
		}
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (l List) matches() []Match {
	var all []Match
	for _, r := range l.Rules {
		all = append(all, r.Match)
	}
	for _, f := range l.Fees {
		all = append(all, f.Match)
	}
	for _, m := range l.Minimums {
		all = append(all, m.Match)
	}
	for _, n := range l.Lines {
		all = append(all, n.Match)
	}
	return all
}

// Default sells at Microsoft's list price and keeps the earned credit, the
// partner's pay for managing. Two kinds of usage are not at list: what a
// reservation or savings plan covers was paid with it, so that list would charge it
// a second time; and Microsoft's own Azure credit was given to the customer.
func Default(c money.Currency) List {
	return List{
		ID: "list-price", Version: 1, Currency: c, Exchange: ByMicrosoft,
		Rules: []Rule{
			{ID: "list", Base: OnList},
			{ID: "covered", Match: Match{Reservation: []string{anyReservation}}, Base: OnGross},
			{ID: "azure-credit", Match: Match{Credit: []string{string(usage.CreditAzure)}}, Base: OnGross},
			{ID: "covered-azure-credit", Match: Match{Reservation: []string{anyReservation}, Credit: []string{string(usage.CreditAzure)}}, Base: OnGross},
		},
	}
}

// SplitIaaSSaaS is the split that some countries tax apart: computing, storage and
// network of Microsoft on one line, every other service on the other. The two
// labels and their forms for corrections are words of the brand.
func SplitIaaSSaaS(iaas, lateIaaS, saas, lateSaaS string) []Line {
	return []Line{
		{ID: "iaas", Label: iaas, Late: lateIaaS, Match: Match{Source: []string{microsoft}, Category: []string{
			"Virtual Machines", "Virtual Machines Licenses", "Virtual Machine Scale Sets", "Azure Dedicated Host", "Cloud Services", "Container Instances",
			"Storage", "Azure NetApp Files", "Backup", "Azure Site Recovery", "Bandwidth", "Virtual Network", "Load Balancer", "NAT Gateway",
			"VPN Gateway", "ExpressRoute", "Virtual WAN", "Application Gateway", "Azure Firewall", "Azure DNS", "Traffic Manager", "Azure Bastion",
		}}},
		{ID: "saas", Label: saas, Late: lateSaaS},
	}
}

// rule is the most specific rule for this usage: the one that is within all the
// others that match. A saved list always has one; a list that was not validated may
// have none, or two that claim the same.
func (p *prices) rule(g usage.Key) (*priced, error) {
	best, err := narrowest(p.rules, g, func(r *priced) map[string]dimension { return r.conditions }, func(r *priced) string { return "rule " + r.ID })
	if err != nil {
		return nil, err
	}
	if best == nil {
		return nil, fault.New(fault.Invalid, "no rule of price list %s, version %d, covers %s", p.list.ID, p.list.Version, describe(g))
	}
	return best, nil
}

func narrowest[T any](all []T, g usage.Key, conditions func(*T) map[string]dimension, name func(*T) string) (*T, error) {
	var matching []*T
	for i := range all {
		if holds(conditions(&all[i]), g) {
			matching = append(matching, &all[i])
		}
	}
	for _, r := range matching {
		if !slices.ContainsFunc(matching, func(o *T) bool { return o != r && !narrower(conditions(r), conditions(o)) }) {
			return r, nil
		}
	}
	if len(matching) > 1 {
		return nil, fault.New(fault.Conflict, "%s and %s both claim %s", name(matching[0]), name(matching[1]), describe(g))
	}
	return nil, nil
}

// narrower tells whether a is the more specific of the two.
func narrower(a, b map[string]dimension) bool { return within(a, b) && !within(b, a) }

func describe(g usage.Key) string {
	return fmt.Sprintf("the usage of %s: meter %q, category %q, service %q, region %q, publisher %q", g.Day, g.Meter, g.Category, g.Service, g.Region, g.Publisher)
}
