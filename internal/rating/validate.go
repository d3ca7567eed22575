package rating

import (
	"fmt"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// Validate says all that is wrong with a list, the rules in question named: what is
// not readable, rules that claim the same usage, usage that no rule covers, and
// rules that sell a sample of real usage below its cost. No refusal = it may be
// saved. Without a sample nothing is looked for in it, and the only errors are those of
// reading it; rates are the partner's for its months.
func Validate(l List, sample Replay, rates []Exchange) ([]fault.Refusal, error) {
	all := l.form()
	all = append(all, conflicts(names(l.Rules, func(r Rule) (string, Match) { return r.ID, r.Match }), "rules", "rule")...)
	if len(l.Lines) > 0 {
		all = append(all, conflicts(names(l.Lines, func(n Line) (string, Match) { return n.ID, n.Match }), "lines", "line")...)
	}
	if len(all) > 0 || sample == nil { // prices of a list that is not clear say nothing
		return all, nil
	}
	return l.belowCost(sample, rates)
}

type named struct {
	id         string
	match      Match
	conditions map[string]dimension
}

func names[T any](all []T, of func(T) (string, Match)) []named {
	list := make([]named, len(all))
	for i, t := range all {
		id, m := of(t)
		list[i] = named{id, m, m.conditions()}
	}
	return list
}

// conflicts finds two that claim the same usage with neither the more specific,
// unless a third one, narrower than both, takes what they share. And it finds the
// gap: only a rule for all usage covers the service that Azure opens tomorrow.
func conflicts(all []named, field, word string) (list []fault.Refusal) {
	for i, a := range all {
		for _, b := range all[i+1:] {
			common, ok := overlap(a.conditions, b.conditions)
			if !ok || narrower(a.conditions, b.conditions) || narrower(b.conditions, a.conditions) {
				continue
			}
			if slices.ContainsFunc(all, func(c named) bool {
				return c.id != a.id && c.id != b.id && within(common, c.conditions) && narrower(c.conditions, a.conditions) && narrower(c.conditions, b.conditions)
			}) {
				continue
			}
			list = append(list, fault.Refusal{
				Field: field, Code: "overlap",
				Reason: fmt.Sprintf("The %ss %s (%s) and %s (%s) claim the same usage, and neither is the more specific.", word, a.id, a.match, b.id, b.match),
				Remedy: fmt.Sprintf("Narrow one of them, or add a %s for what both claim.", word),
			})
		}
	}
	if !slices.ContainsFunc(all, func(n named) bool { return len(n.conditions) == 0 }) {
		list = append(list, fault.Refusal{
			Field: field, Code: "gap", Reason: fmt.Sprintf("No %s is for all usage, so that some usage has none.", word),
			Remedy: fmt.Sprintf("Add a %s without conditions; it takes what the others leave.", word),
		})
	}
	return list
}

// belowCost rates the sample and names each rule that loses at least one coin on a
// meter. Less than a coin is the tail of Microsoft's own digits.
func (l List) belowCost(sample Replay, rates []Exchange) (list []fault.Refusal, err error) {
	t, sold := Terms{List: l, Currency: l.Currency, Exchange: rates}, sales{}
	var unpriced error
	if err = sample(func(m AccountMonth) error {
		charges, err := Month(m.Month, m.Groups, []Terms{t})
		if err == nil {
			err = sold.add(charges)
		}
		unpriced = err
		return err
	}); err != nil && unpriced == nil {
		return nil, err
	}
	if unpriced != nil {
		r := fault.Refusal{Field: "rules", Code: "sample", Reason: "The sample of usage cannot be priced with this list.", Remedy: "Add the partner's exchange rates of its months, or choose another currency."}
		if f := fault.Of(unpriced); f != nil {
			r.Reason = "The sample of usage cannot be priced with this list: " + f.Message + "."
		}
		return []fault.Refusal{r}, nil
	}
	below, err := sold.below()
	if err != nil {
		return nil, err
	}
	for _, b := range below {
		i := slices.IndexFunc(l.Rules, func(r Rule) bool { return r.ID == b.Rule })
		if i < 0 || l.Rules[i].BelowCost != "" {
			continue
		}
		list = append(list, fault.Refusal{
			Field: "rules." + b.Rule, Code: "below-cost",
			Reason: fmt.Sprintf("Rule %s sells %s below cost: %s for what costs %s.", b.Rule, b.what(), b.Sell, b.Cost),
			Remedy: "Raise its price, or write down on the rule why it may sell below cost.",
		})
	}
	return list, nil
}

// form checks what each member says by itself.
func (l List) form() (list []fault.Refusal) {
	bad := func(field, reason, remedy string, args ...any) {
		list = append(list, fault.Refusal{Field: field, Code: "form", Reason: fmt.Sprintf(reason, args...), Remedy: remedy})
	}
	if l.ID == "" {
		bad("id", "The price list has no id.", "Give it a short name.")
	}
	if l.Currency.Check() != nil {
		bad("currency", "The currency is not a three-letter code.", "Give the ISO 4217 code, such as USD or EUR.")
	}
	if l.Exchange != ByMicrosoft && l.Exchange != ByPartner {
		bad("exchange", "It does not say whose exchange rate is used.", "Choose microsoft or partner.")
	}
	if l.EarnedShare.Sign() < 0 || l.EarnedShare.GreaterThan(hundred) {
		bad("earned_share", "The customer's share of the earned credit is not between 0 and 100 percent.", "0 keeps the credit, 100 passes it on.")
	}
	seen := map[string]bool{}
	id := func(field, id string) {
		switch {
		case id == "":
			bad(field, "One of the %s has no id.", "Give each a short name of its own.", field)
		case seen[id]:
			bad(field, "The id %s is used twice.", "Give each a short name of its own.", id)
		}
		seen[id] = true
	}
	for _, r := range l.Rules {
		id("rules", r.ID)
		field := "rules." + r.ID
		unitPrice := r.Tiers != nil && r.Tiers.Of == OfQuantity
		switch {
		case unitPrice && r.Base != "":
			bad(field, "Rule %s has unit prices and a base.", "Leave the base out: a unit price is not taken of anything.", r.ID)
		case !unitPrice && r.Base != OnList && r.Base != OnCost && r.Base != OnGross:
			bad(field, "Rule %s does not say what its price is based on.", "Choose list, cost or gross (cost before earned credit).", r.ID)
		case r.Tiers != nil && !r.Percent.IsZero():
			bad(field, "Rule %s has a percent and tiers.", "Put the percent into the tiers.", r.ID)
		case r.Percent.LessThan(hundred.Neg()):
			bad(field, "Rule %s takes more than 100 percent off.", "The customer would be paid for using Azure; take less off.", r.ID)
		}
		if t := r.Tiers; t != nil {
			if t.Of != OfQuantity && t.Of != OfMoney || t.How != Graduated && t.How != Volume {
				bad(field, "Rule %s does not say what its tiers count and how they act.", "Choose quantity or money, and graduated or volume.", r.ID)
			}
			for _, s := range t.Steps {
				if t.Of == OfQuantity && !s.Percent.IsZero() || t.Of == OfMoney && !s.Price.IsZero() {
					bad(field, "A tier of rule %s has the wrong kind of price.", "Tiers of quantity have a price, tiers of money a percent.", r.ID)
				}
				if s.Price.Sign() < 0 || s.Percent.LessThan(hundred.Neg()) {
					bad(field, "A tier of rule %s pays the customer.", "Give a price of at least 0.", r.ID)
				}
			}
			if why := climbs(t.Steps); why != "" {
				bad(field, "The tiers of rule %s %s.", "List them from low to high, the last without an end.", r.ID, why)
			}
		}
		badMatch(bad, field, r.Match)
	}
	money := func(field, id string, amount decimal.Decimal) {
		if amount.Sign() < 0 {
			bad(field, "%s is negative.", "Give an amount of at least 0; a reduction is a discount of a rule.", id)
		}
	}
	for _, f := range l.Fees {
		id("fees", f.ID)
		money("fees."+f.ID, f.ID, f.Amount)
		badMatch(bad, "fees."+f.ID, f.Match)
	}
	for _, m := range l.Minimums {
		id("minimums", m.ID)
		money("minimums."+m.ID, m.ID, m.Amount)
		badMatch(bad, "minimums."+m.ID, m.Match)
	}
	if s := l.Support; s != nil {
		id("support", s.ID)
		money("support", s.ID, s.Minimum)
		if why := climbs(s.Steps); why != "" {
			bad("support", "The steps of the support charge %s.", "List them from low to high, the last without an end.", why)
		}
		for _, t := range s.Steps {
			money("support", s.ID, t.Percent)
		}
	}
	for _, n := range l.Lines {
		id("lines", n.ID)
		if n.Label == "" || n.Late == "" {
			bad("lines."+n.ID, "Line %s has no label, or none for corrections.", "Say how it is called on the invoice, and on a later one that corrects it.", n.ID)
		}
		badMatch(bad, "lines."+n.ID, n.Match)
	}
	return list
}

// badMatch refuses words that can never match, because they are misspelled.
func badMatch(bad func(field, reason, remedy string, args ...any), field string, m Match) {
	for _, v := range m.Source {
		if v != microsoft && v != thirdParty {
			bad(field, "%q is no source of a service.", "Choose microsoft or third-party.", v)
		}
	}
	for _, v := range m.Credit {
		if !slices.Contains([]string{"none", string(usage.CreditAzure), string(usage.CreditEarned)}, strings.ToLower(v)) {
			bad(field, "%q is no credit.", "Choose none, azure or earned.", v)
		}
	}
	for name, values := range m.Tags {
		if name == "" || len(values) == 0 {
			bad(field, "A tag has no name or no value.", "Give both.")
		}
	}
}

// climbs says what is wrong with the order of steps, "" if nothing is.
func climbs(steps []Step) string {
	if len(steps) == 0 {
		return "are missing"
	}
	floor := decimal.Decimal{}
	for i, s := range steps {
		last := i == len(steps)-1
		switch {
		case s.UpTo == nil && !last:
			return "go on after one without an end"
		case s.UpTo != nil && last:
			return "end, so that some usage has no price"
		case s.UpTo != nil && !s.UpTo.GreaterThan(floor):
			return "do not rise"
		case s.UpTo != nil:
			floor = *s.UpTo
		}
	}
	return ""
}

// Below is a meter that a rule sells for less than it costs.
type Below struct {
	Rule  string       `json:"rule"`
	Meter string       `json:"meter"`
	Name  string       `json:"name"`
	Cost  money.Amount `json:"cost"`
	Sell  money.Amount `json:"sell"`
}

func (b Below) what() string {
	if b.Name != "" {
		return b.Name
	}
	if b.Meter != "" {
		return "meter " + b.Meter
	}
	return "usage without a meter"
}
