package billing

import (
	"fmt"

	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"

	"github.com/shopspring/decimal"
)

// Statement is the first formula, for one invoice of Microsoft in its currency:
//
//	Total = Σ Mapped + Suspense + Tax + Rounding + Exchange + Unclassified
//
// Credits are inside cost. Rounding and exchange are computed from Microsoft's own
// rule, line by line; what is left over is never called rounding, and the month stays
// open.
type Statement struct {
	Invoice      string                  `json:"invoice"`
	Total        money.Amount            `json:"total"`
	Mapped       map[string]money.Amount `json:"mapped"` // by billing account
	Suspense     money.Amount            `json:"suspense"`
	Tax          money.Amount            `json:"tax"`
	Rounding     money.Amount            `json:"rounding"`
	Exchange     money.Amount            `json:"exchange"` // late usage, billed at a later month's rate than its own
	Unclassified money.Amount            `json:"unclassified"`
}

// Reconcile fills the statement: total and tax as Microsoft's invoice says them, the
// mapped cost and the suspense from the lake, the rounding of its lines.
func Reconcile(id string, total, tax money.Amount, mapped map[string]money.Amount, suspense money.Amount, lines []Rounded) (Statement, error) {
	s := Statement{Invoice: id, Total: total, Mapped: mapped, Suspense: suspense, Tax: tax, Rounding: money.Zero(total.Currency()), Exchange: money.Zero(total.Currency()), Unclassified: total}
	for _, l := range lines {
		if err := plus(&s.Rounding, l.Rounding); err != nil {
			return s, fmt.Errorf("invoice %s: %w", id, err)
		}
		if l.Exchange.Currency() == "" {
			continue
		}
		if err := plus(&s.Exchange, l.Exchange); err != nil {
			return s, fmt.Errorf("invoice %s: %w", id, err)
		}
	}
	explained := []money.Amount{suspense, tax, s.Rounding, s.Exchange}
	for _, a := range mapped {
		explained = append(explained, a)
	}
	for _, a := range explained {
		if err := plus(&s.Unclassified, a.Neg()); err != nil {
			return s, fmt.Errorf("invoice %s: %w", id, err)
		}
	}
	return s, nil
}

func plus(sum *money.Amount, a money.Amount) error {
	s, err := sum.Add(a)
	if err == nil {
		*sum = s
	}
	return err
}

// Billed is one usage line of the reconciliation: a plan's meter over the month.
type Billed struct {
	Key      string          // plan, meter and price: what the daily records are added up by
	Subtotal money.Amount    // in the billing currency
	Price    money.Amount    // EffectiveUnitPrice, in the pricing currency; shown rounded
	Quantity decimal.Decimal // BillableQuantity
	Rate     decimal.Decimal // PCToBCExchangeRate
}

// Daily is what the daily records say of the same key.
type Daily struct {
	Priced money.Amount // Σ PricingPreTaxTotal
	Cost   money.Amount // Σ BillingPreTaxTotal
	Rows   int64
	Rate   decimal.Decimal // of the records' own month; zero = the line's
}

// Rounded is a line with the rounding that Microsoft's rule makes of it, and what is
// left of the line after that.
type Rounded struct {
	Key      string       `json:"key"`
	Rounding money.Amount `json:"rounding"` // computed
	Exchange money.Amount `json:"exchange"` // priced × (rate of the line − rate of the records)
	Rest     money.Amount `json:"rest"`     // zero, unless the line is not what the rule gives
	Evidence string       `json:"evidence"`
}

// cents is where Microsoft cuts, in every currency.
const cents = 2

// Round works Microsoft's rule out for a line:
//
//	Subtotal = ROUNDDOWN(ROUNDDOWN(price × quantity, 2) × rate, 2)
//
// price × quantity is Σ PricingPreTaxTotal, because the price on the line is itself
// rounded; where only the line's own price gives its subtotal, that one is taken.
// The rounding is what the rule gives less the daily cost. Daily records have up to
// ten decimals, so it is small and mostly below zero. Late records have the rate of
// their own month and the line that of the invoice: that part is an amount of its own.
func Round(b Billed, d Daily) (Rounded, error) {
	z := money.Zero(b.Subtotal.Currency())
	r := Rounded{Key: b.Key, Rounding: z, Exchange: z, Rest: z}
	try := func(priced money.Amount) (money.Amount, error) {
		coins, err := priced.Round(money.Down, cents)
		if err != nil {
			return coins, err
		}
		one, err := money.New(decimal.NewFromInt(1), b.Subtotal.Currency())
		if err != nil {
			return coins, err
		}
		return one.Times(coins.Decimal().Mul(b.Rate)).Round(money.Down, cents)
	}
	rule, err := try(d.Priced)
	if err != nil {
		return r, fmt.Errorf("line %s: %w", b.Key, err)
	}
	if !rule.Equal(b.Subtotal) {
		own, err := try(b.Price.Times(b.Quantity))
		if err != nil {
			return r, fmt.Errorf("line %s: %w", b.Key, err)
		}
		// Its own price is rounded for show: it explains a coin or two, never a lost record.
		apart, err := own.Sub(rule)
		if err != nil {
			return r, fmt.Errorf("line %s: %w", b.Key, err)
		}
		if own.Equal(b.Subtotal) && apart.Decimal().Abs().LessThanOrEqual(decimal.New(2, -cents)) {
			rule = own
		}
	}
	if r.Rounding, err = rule.Sub(d.Cost); err != nil {
		return r, fmt.Errorf("line %s: %w", b.Key, err)
	}
	if !d.Rate.IsZero() && !d.Rate.Equal(b.Rate) {
		one, err := money.New(decimal.NewFromInt(1), b.Subtotal.Currency())
		if err != nil {
			return r, fmt.Errorf("line %s: %w", b.Key, err)
		}
		r.Exchange = one.Times(d.Priced.Decimal().Mul(b.Rate.Sub(d.Rate)))
		if err := plus(&r.Rounding, r.Exchange.Neg()); err != nil {
			return r, fmt.Errorf("line %s: %w", b.Key, err)
		}
	}
	if r.Rest, err = b.Subtotal.Sub(rule); err != nil {
		return r, fmt.Errorf("line %s: %w", b.Key, err)
	}
	// Cut twice, and the last digits of the records: more than that is no rounding.
	most := decimal.New(1, -cents).Mul(b.Rate.Add(decimal.NewFromInt(1))).Add(b.Rate.Add(decimal.NewFromInt(1)).Mul(decimal.New(d.Rows, -10)))
	if r.Rounding.Decimal().Abs().GreaterThan(most.Add(decimal.New(2, -cents))) {
		if err := plus(&r.Rest, r.Rounding); err != nil {
			return r, fmt.Errorf("line %s: %w", b.Key, err)
		}
		r.Rounding = z
	}
	r.Evidence = fmt.Sprintf("daily, %s: %s at %s, cut to %s; their own sum is %s", records(d.Rows), d.Priced, b.Rate, rule, d.Cost)
	return r, nil
}

// AccountSide is the second formula, for one billing account and month of service:
//
//	Lines = Cost + Margin + Earned + Gain + Rounding
//
// with the cost as the lake maps it. CostGap is in Microsoft's currency: what the
// lake has and no document billed. Both are zero, or the month stays open.
type AccountSide struct {
	Account      string       `json:"account"`
	Lines        money.Amount `json:"lines"` // before tax
	Cost         money.Amount `json:"cost"`  // Microsoft's, in the account's currency
	Margin       money.Amount `json:"margin"`
	Earned       money.Amount `json:"earned"`
	Gain         money.Amount `json:"gain"`
	Rounding     money.Amount `json:"rounding"`
	Unclassified money.Amount `json:"unclassified"`
	CostGap      money.Amount `json:"cost_gap"`
}

// ReconcileAccount checks all lines that documents have of one month of service
// against the cost that the lake maps to the account.
func ReconcileAccount(account string, c money.Currency, mapped money.Amount, lines []invoice.Line) (AccountSide, error) {
	z := money.Zero(c)
	s := AccountSide{Account: account, Lines: z, Cost: z, Margin: z, Earned: z, Gain: z, Rounding: z, CostGap: mapped}
	for _, l := range lines {
		for _, x := range []struct {
			sum *money.Amount
			a   money.Amount
		}{{&s.Lines, l.Amount}, {&s.Cost, l.Exact.Sold}, {&s.Margin, l.Exact.Margin}, {&s.Earned, l.Exact.Earned}, {&s.Gain, l.Exact.Gain}, {&s.Rounding, l.Rounding}} {
			if err := plus(x.sum, x.a); err != nil {
				return s, fmt.Errorf("account %s: %w", account, err)
			}
		}
		if l.Exact.Cost.IsZero() { // a fee has no cost, in whatever currency
			continue
		}
		if err := plus(&s.CostGap, l.Exact.Cost.Neg()); err != nil {
			return s, fmt.Errorf("account %s: %w", account, err)
		}
	}
	s.Unclassified = s.Lines
	cost := s.Cost
	if mapped.Currency() == c { // then the lake's own figure counts, not the documents'
		cost = mapped
	}
	for _, a := range []money.Amount{cost, s.Margin, s.Earned, s.Gain, s.Rounding} {
		if err := plus(&s.Unclassified, a.Neg()); err != nil {
			return s, fmt.Errorf("account %s: %w", account, err)
		}
	}
	return s, nil
}

// MayClose says why a month cannot be closed, nil if it can: every formula at zero.
func MayClose(statements []Statement, accounts []AccountSide, differences []Difference) error {
	var all []fault.Refusal
	open := func(what, reason string, args ...any) {
		all = append(all, fault.Refusal{Field: what, Code: "unclassified", Reason: fmt.Sprintf(reason, args...), Remedy: "Find the cause, or assign what is in suspense."})
	}
	for _, s := range statements {
		if !s.Unclassified.IsZero() {
			open("invoice "+s.Invoice, "%s of Microsoft's invoice %s is not explained.", s.Unclassified, s.Invoice)
		}
		if !s.Suspense.IsZero() {
			open("invoice "+s.Invoice, "%s of Microsoft's invoice %s belongs to nobody yet.", s.Suspense, s.Invoice)
		}
	}
	for _, a := range accounts {
		if a.CostGap.Sign() > 0 && a.CostGap.Equal(a.Unclassified.Neg()) { // nothing is unclear: it waits for its bill
			all = append(all, fault.Refusal{Field: "account " + a.Account, Code: "unbilled", Reason: fmt.Sprintf("%s that Microsoft charged for %s is on no document yet.", a.CostGap, a.Account), Remedy: "Issue its next bill."})
			continue
		}
		if !a.Unclassified.IsZero() {
			open("account "+a.Account, "%s of the lines of %s is not explained.", a.Unclassified, a.Account)
		}
		if !a.CostGap.IsZero() {
			open("account "+a.Account, "%s that Microsoft charged for %s is on no document.", a.CostGap, a.Account)
		}
	}
	for _, d := range differences {
		if d.Class == Unclassified && !d.Amount.IsZero() {
			open("difference", "%s at %s has no known cause.", d.Amount, d.Where)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fault.Refuse(all...).In(fault.Conflict)
}
