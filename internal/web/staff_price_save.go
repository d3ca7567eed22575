package web

import (
	"fmt"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/price"
	"causeway/internal/rating"
	"causeway/internal/web/ui"

	"github.com/shopspring/decimal"
)

// savePricePart: POST /staff/prices/{list}/part?of= keeps the list with a part that was
// changed, added or, with remove=yes, taken out, as a draft.
func (s *Server) savePricePart(v *visit) error {
	saved, err := s.savedPart(v)
	if err == nil {
		return v.to("/staff/prices/"+saved.List.ID, "Draft saved")
	}
	return s.answer(v, err, "", func(errs ui.Errors) (ui.SettingsPage, error) {
		return s.pricePartPage(v, besideInputs(errs), true)
	})
}

// besideInputs lets what is wrong with a part of a list stand for the form as a whole:
// there is no input of that name.
func besideInputs(errs ui.Errors) ui.Errors {
	for i, e := range errs {
		if kind, _, _ := strings.Cut(e.Field, "."); partNames[kind] != "" {
			errs[i].Field = ""
		}
	}
	return errs
}

func (s *Server) savedPart(v *visit) (price.Version, error) {
	newest, err := s.newestPrices(v)
	if err != nil {
		return price.Version{}, err
	}
	l, of, n := newest.List, partOf(v.form("of")), &partForm{v: v}
	if _, err := of.groups(fields{v: v}, l); err != nil { // it must be there
		return price.Version{}, err
	}
	if v.form("version") != newest.Hash {
		return price.Version{}, fault.New(fault.Conflict, "Somebody else changed this price list meanwhile. Look at what it has now, and send your change again.")
	}
	if v.form("remove") == "yes" && of.id != "" {
		of.remove(&l)
	} else {
		of.change(n, &l)
	}
	if len(n.wrong) > 0 {
		return price.Version{}, fault.Refuse(n.wrong...)
	}
	was := ""
	if newest.State == price.Draft {
		was = newest.Hash
	}
	return s.Prices.Save(v.ctx(), v.me, l, was, v.form("note"), s.sample(v), nil)
}

// begunPrices keeps the list that newPrices began.
func (s *Server) begunPrices(v *visit) (price.Version, error) {
	n, l := &partForm{v: v}, rating.Default("USD")
	l.ID = v.form("id")
	n.terms(&l)
	l.Rules[0].Base, l.Rules[0].Percent = rating.Base(v.form("base")), n.number("percent")
	if _, err := s.Prices.Versions(v.ctx(), v.me, l.ID); err == nil {
		n.wrong = append(n.wrong, fault.Refusal{Field: "id", Reason: "There is a price list " + l.ID + " already.", Remedy: "Choose another name, or change that list on its page."})
	} else if fault.KindOf(err) != fault.NotFound {
		return price.Version{}, err
	}
	if len(n.wrong) > 0 {
		return price.Version{}, fault.Refuse(n.wrong...)
	}
	return s.Prices.Save(v.ctx(), v.me, l, "", v.form("note"), s.sample(v), nil)
}

// partForm reads what was sent of a part, and collects what cannot be read.
type partForm struct {
	v     *visit
	wrong []fault.Refusal
}

// numberOf reads a number that somebody typed: "7.5", "−10" or "5 %"; like an amount it
// has no exponent and at most 40 digits.
func numberOf(s string) (decimal.Decimal, bool) {
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(strings.Replace(s, "−", "-", 1)), "%"))
	a, err := money.Parse(s, "USD")
	return a.Decimal(), err == nil
}

func (n *partForm) number(id string) decimal.Decimal {
	d, ok := numberOf(n.v.form(id))
	if !ok {
		n.wrong = append(n.wrong, fault.Refusal{Field: id, Reason: "“" + n.v.form(id) + "” is no number.", Remedy: "Write it like 7.5, without separators of thousands."})
	}
	return d
}

func (n *partForm) text(id string) string { return strings.ReplaceAll(n.v.form(id), "\r\n", "\n") }

func (n *partForm) match() rating.Match {
	var m rating.Match
	for _, x := range matchInputs {
		for value := range strings.SplitSeq(n.v.form(x.id), "|") {
			if value = strings.TrimSpace(value); value != "" {
				*x.of(&m) = append(*x.of(&m), value)
			}
		}
	}
	rowsOf(n.text("tags"), func(row int, parts []string) {
		if len(parts) < 2 || slices.Contains(parts, "") || m.Tags[parts[0]] != nil {
			n.wrong = append(n.wrong, fault.Refusal{Field: "tags", Reason: fmt.Sprintf("Line %d: a tag has a name of its own and at least one value.", row), Remedy: "Write it like env | prod | staging."})
			return
		}
		if m.Tags == nil {
			m.Tags = map[string][]string{}
		}
		m.Tags[parts[0]] = parts[1:]
	})
	return m
}

func (n *partForm) steps(value func(*rating.Step) *decimal.Decimal) (steps []rating.Step) {
	rowsOf(n.text("steps"), func(row int, parts []string) {
		var s rating.Step
		ok := len(parts) == 2
		if ok {
			*value(&s), ok = numberOf(parts[1])
		}
		if ok && !strings.EqualFold(parts[0], "rest") {
			var end decimal.Decimal
			end, ok = numberOf(parts[0])
			s.UpTo = &end
		}
		if !ok {
			n.wrong = append(n.wrong, fault.Refusal{Field: "steps", Reason: fmt.Sprintf("Line %d cannot be read.", row), Remedy: "Write it like 10000 | 0.02, and the last one like rest | 0.018."})
		}
		steps = append(steps, s)
	})
	return steps
}

func (n *partForm) terms(l *rating.List) {
	l.Currency, l.Exchange, l.EarnedShare = money.Currency(strings.ToUpper(n.v.form("currency"))), rating.ExchangeBy(n.v.form("exchange")), n.number("earned_share")
}

// change puts what was sent into the list.
func (p listPart) change(n *partForm, l *rating.List) {
	id := or(p.id, n.v.form("id"))
	if id == "" && p.kind != "terms" {
		n.wrong = append(n.wrong, fault.Refusal{Field: "id", Reason: "It has no name.", Remedy: "Give it a short one of its own."})
	}
	switch p.kind {
	case "terms":
		n.terms(l)
	case "rules":
		r := rating.Rule{ID: id, Match: n.match(), Base: rating.Base(n.v.form("base")), Percent: n.number("percent"), BelowCost: n.v.form("below_cost")}
		switch of := rating.Measure(n.v.form("tiers")); {
		case of == rating.OfMoney:
			r.Tiers = &rating.Tiers{Of: of, How: rating.Climb(n.v.form("how")), Steps: n.steps(stepPercent)}
		case of != "":
			r.Tiers = &rating.Tiers{Of: of, How: rating.Climb(n.v.form("how")), Steps: n.steps(stepPrice)}
		case n.v.form("steps") != "":
			n.wrong = append(n.wrong, fault.Refusal{Field: "tiers", Reason: "There are tiers, but not what they count.", Remedy: "Choose it, or empty the tiers."})
		}
		l.Rules = put(l.Rules, p.id, r, ruleID)
	case "fees":
		l.Fees = put(l.Fees, p.id, rating.Fee{ID: id, Label: n.v.form("label"), Amount: n.number("amount"), Match: n.match(), Always: n.v.form("always") == "yes"}, feeID)
	case "minimums":
		l.Minimums = put(l.Minimums, p.id, rating.Minimum{ID: id, Label: n.v.form("label"), Amount: n.number("amount"), Match: n.match()}, minimumID)
	case "lines":
		l.Lines = put(l.Lines, p.id, rating.Line{ID: id, Label: n.v.form("label"), Late: n.v.form("late"), Match: n.match()}, lineID)
	case "support":
		l.Support = &rating.Support{ID: id, Label: n.v.form("label"), Steps: n.steps(stepPercent), Minimum: n.number("amount")}
	}
}

// remove takes the part out of the list.
func (p listPart) remove(l *rating.List) {
	switch p.kind {
	case "rules":
		l.Rules = slices.DeleteFunc(l.Rules, func(x rating.Rule) bool { return x.ID == p.id })
	case "fees":
		l.Fees = slices.DeleteFunc(l.Fees, func(x rating.Fee) bool { return x.ID == p.id })
	case "minimums":
		l.Minimums = slices.DeleteFunc(l.Minimums, func(x rating.Minimum) bool { return x.ID == p.id })
	case "lines":
		l.Lines = slices.DeleteFunc(l.Lines, func(x rating.Line) bool { return x.ID == p.id })
	case "support":
		l.Support = nil
	}
}
