package invoice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// TaxRule is one row of the partner's table of taxes. Which rates are right is the
// partner's to say: a sale that no row is for is refused, never untaxed.
type TaxRule struct {
	ID      string          `json:"id"`
	Country string          `json:"country"`          // the buyer's; "EU" or "*" for many
	Region  string          `json:"region,omitempty"` // the buyer's state; "" = any
	Number  string          `json:"number,omitempty"` // "with" or "without" a VAT number of the buyer; "" = either
	Class   string          `json:"class,omitempty"`  // of the line, e.g. "saas"; "" = any
	Percent decimal.Decimal `json:"percent"`
	Reverse bool            `json:"reverse,omitempty"` // the buyer owes the tax
	Label   string          `json:"label"`             // "VAT 19 %"
	Note    string          `json:"note,omitempty"`    // what the law wants to be said
	From    usage.Day       `json:"from,omitempty"`    // first day of issue, "" = always
	To      usage.Day       `json:"to,omitempty"`      // last day of issue, "" = still
}

// Tax is one tax of a document, over all lines that it is on.
type Tax struct {
	Rule    string          `json:"rule"`
	Label   string          `json:"label"`
	Percent decimal.Decimal `json:"percent"`
	Reverse bool            `json:"reverse,omitempty"`
	Base    money.Amount    `json:"base"`
	Amount  money.Amount    `json:"amount"`
}

// eu are the member states. A VAT number decides only between two of them.
var eu = strings.Fields("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK")

// StandardTax is where a partner's table begins: between two member states a
// company with a VAT number owes the tax itself, and what is sold to a company
// outside the EU is outside its tax. The rates at home are the partner's to add.
func StandardTax(seller Party) []TaxRule {
	if !slices.Contains(eu, seller.Country) {
		return nil
	}
	return []TaxRule{
		{ID: "reverse-charge", Country: "EU", Number: "with", Reverse: true, Label: "Reverse charge", Note: "Reverse charge: the recipient owes the VAT (article 196 of Directive 2006/112/EC)."},
		{ID: "outside", Country: "*", Label: "Outside the scope of EU VAT", Note: "Service outside the scope of EU VAT (article 44 of Directive 2006/112/EC)."},
	}
}

// fits tells whether the rule is for this sale, and how closely.
func (r TaxRule) fits(seller, buyer Party, class string, day usage.Day) (int, bool) {
	if day < r.From || r.To != "" && day > r.To || r.Class != "" && r.Class != class || r.Region != "" && !strings.EqualFold(r.Region, buyer.Region) {
		return 0, false
	}
	if r.Number == "with" && buyer.VAT == "" || r.Number == "without" && buyer.VAT != "" {
		return 0, false
	}
	score := 0
	switch r.Country {
	case buyer.Country:
		score = 100
	case "EU": // never at home: a sale within one country is no sale between two
		if !slices.Contains(eu, buyer.Country) || buyer.Country == seller.Country {
			return 0, false
		}
		score = 50
	case "*":
		if slices.Contains(eu, buyer.Country) && slices.Contains(eu, seller.Country) || buyer.Country == seller.Country {
			return 0, false
		}
	default:
		return 0, false
	}
	for points, set := range map[int]bool{8: r.Region != "", 4: r.Class != "", 2: r.Number != ""} {
		if set {
			score += points
		}
	}
	return score, true
}

// Taxes gives the taxes of lines on their day of issue, one for each rule, rounded
// once over all its lines; and the notes that must stand on the document.
func Taxes(seller, buyer Party, lines []Line, day usage.Day, rules []TaxRule) ([]Tax, []string, error) {
	bases := map[string]money.Amount{}
	byID := map[string]TaxRule{}
	for _, l := range lines {
		rule, err := taxRule(seller, buyer, l.TaxClass, day, rules)
		if err != nil {
			return nil, nil, err
		}
		base, ok := bases[rule.ID]
		if !ok {
			base = money.Zero(l.Amount.Currency())
		}
		if bases[rule.ID], err = base.Add(l.Amount); err != nil {
			return nil, nil, err
		}
		byID[rule.ID] = rule
	}
	var taxes []Tax
	var notes []string
	for id, base := range bases {
		r := byID[id]
		t := Tax{Rule: id, Label: r.Label, Percent: r.Percent, Reverse: r.Reverse, Base: base, Amount: money.Zero(base.Currency())}
		if !r.Reverse {
			var err error
			if t.Amount, err = coin(base.Times(r.Percent.Shift(-2))); err != nil {
				return nil, nil, err
			}
		}
		taxes = append(taxes, t)
		if r.Note != "" && !slices.Contains(notes, r.Note) {
			notes = append(notes, r.Note)
		}
	}
	slices.SortFunc(taxes, func(a, b Tax) int { return cmp.Or(b.Percent.Cmp(a.Percent), strings.Compare(a.Rule, b.Rule)) })
	slices.Sort(notes)
	return taxes, notes, nil
}

func taxRule(seller, buyer Party, class string, day usage.Day, rules []TaxRule) (TaxRule, error) {
	best, top, rival := TaxRule{}, -1, ""
	for _, r := range rules {
		switch score, ok := r.fits(seller, buyer, class, day); {
		case !ok:
		case score > top:
			best, top, rival = r, score, ""
		case score == top:
			rival = r.ID
		}
	}
	where := buyer.Country
	if buyer.Region != "" {
		where += "-" + buyer.Region
	}
	if top < 0 {
		return best, fault.Refuse(fault.Refusal{
			Field: "tax", Code: "no-rule", Reason: fmt.Sprintf("No tax rule is for a sale to %s on %s.", where, day), Remedy: "Add one, also if the tax is 0 percent.",
		})
	}
	if rival != "" {
		return best, fault.Refuse(fault.Refusal{
			Field: "tax", Code: "overlap", Reason: fmt.Sprintf("The tax rules %s and %s are both for a sale to %s on %s.", best.ID, rival, where, day), Remedy: "Narrow one of them.",
		})
	}
	return best, nil
}
