package billing

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/support"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// Budget is what an account, or one of its subscriptions, should cost in a month at
// most. It tells, and it may ask the partner; it stops nothing. Azure Policy cannot tell
// a new resource from a change of one that runs: to deny new ones would also keep an
// application that is in use from growing.
type Budget struct {
	Account     string
	Entitlement string       // a subscription; "" = the whole account
	Amount      money.Amount // of a UTC calendar month, before tax, in the currency that the account is billed in
	Thresholds  []Threshold
	Recipients  []string // addresses; none = who gets the account's documents
	Ask         bool     // the partner is asked, once a month, when all of it is used

	From      usage.Month // the first month that is watched: the running one when it was set last
	Owner     string      // user who set it last; "" = none
	Version   int64       // counts changes
	ChangedAt time.Time
	ChangedBy string // audit actor
}

// Basis is what a threshold looks at.
type Basis string

// The bases.
const (
	Actual     Basis = "actual"   // what was used up to now
	Forecasted Basis = "forecast" // where the month is expected to end

	// asked is what the alert about a request to the partner has in its place.
	asked Basis = "request"
)

// Threshold is a share of a budget that is told about once a month.
type Threshold struct {
	Percent int   `json:"percent"`
	Basis   Basis `json:"basis"`
}

func (t Threshold) String() string { return fmt.Sprintf("%d %% %s", t.Percent, t.Basis) }

// DefaultThresholds are those of a budget for which none were chosen.
func DefaultThresholds() []Threshold {
	return []Threshold{{50, Actual}, {80, Actual}, {100, Actual}}
}

// Limits of a budget.
const (
	maxThresholds = 10
	maxPercent    = 1000
	maxRecipients = 20
)

// check puts a budget in its one form and says all that is wrong with it. currency is
// the one that the account is billed in; "" = not known yet.
func (b Budget) check(currency money.Currency) (Budget, error) {
	var all []fault.Refusal
	refuse := func(field, remedy, reason string, args ...any) {
		all = append(all, fault.Refusal{Field: field, Reason: fmt.Sprintf(reason, args...), Remedy: remedy})
	}
	switch c := b.Amount.Currency(); {
	case c == "":
		refuse("amount", "Write it like 2500.00, and a currency like USD.", "The budget has no amount.")
	case currency != "" && c != currency:
		refuse("amount", "Give the budget in "+string(currency)+".", "The account is billed in %s, the budget is in %s.", currency, c)
	case b.Amount.Sign() <= 0:
		refuse("amount", "Give an amount above zero, or delete the budget.", "A budget of nothing would be used up always.")
	case !b.Amount.Decimal().Equal(b.Amount.Decimal().Round(c.Minor())):
		refuse("amount", fmt.Sprintf("Use at most %d decimals.", c.Minor()), "%s is finer than a coin.", b.Amount.Text())
	}
	if len(b.Thresholds) == 0 {
		b.Thresholds = DefaultThresholds()
	}
	b.Thresholds = slices.Clone(b.Thresholds)
	slices.SortFunc(b.Thresholds, func(x, y Threshold) int {
		return cmp.Or(cmp.Compare(x.Percent, y.Percent), cmp.Compare(x.Basis, y.Basis))
	})
	b.Thresholds = slices.Compact(b.Thresholds)
	if len(b.Thresholds) > maxThresholds {
		refuse("thresholds", "Keep those that somebody acts on.", "There are more than %d thresholds.", maxThresholds)
	}
	for _, t := range b.Thresholds {
		if t.Percent < 1 || t.Percent > maxPercent {
			refuse("thresholds", fmt.Sprintf("Choose 1 to %d.", maxPercent), "%d percent of a budget is no threshold.", t.Percent)
		}
		if t.Basis != Actual && t.Basis != Forecasted {
			refuse("thresholds", "Choose actual or forecast.", "A threshold cannot look at %q.", t.Basis)
		}
	}
	var to []string
	for _, r := range b.Recipients {
		if err := support.CheckAddress(r); err != nil {
			refuse("recipients", "Write addresses like name@company.example.", "%q is not an e-mail address.", r)
			continue
		}
		to = append(to, r)
	}
	if b.Recipients = distinct(to); len(b.Recipients) > maxRecipients {
		refuse("recipients", "Use an address that is a list.", "There are more than %d recipients.", maxRecipients)
	}
	if len(all) > 0 {
		return b, fault.Refuse(all...)
	}
	return b, nil
}

// Standing is how a budget stands in a month.
type Standing struct {
	Month    usage.Month
	AsOf     usage.Day    // the last day that has usage, "" = none of the month yet
	Actual   money.Amount // exact
	Estimate *Estimate    // nil: there is nothing to estimate, or the month is over
	// Trouble says why the budget cannot be watched, for whoever set it; "" = it is.
	Trouble string
}

// Used is the percentage of the budget that is used, one decimal, half up.
func (s Standing) Used(b Budget) decimal.Decimal { return percentOf(s.Actual, b.Amount) }

// Expected is the percentage of the budget that the month is expected to end with; ok is
// false without an estimate.
func (s Standing) Expected(b Budget) (p decimal.Decimal, ok bool) {
	if s.Estimate == nil {
		return p, false
	}
	return percentOf(s.Estimate.End, b.Amount), true
}

func percentOf(part, whole money.Amount) decimal.Decimal {
	if whole.IsZero() {
		return decimal.Decimal{}
	}
	return part.Decimal().Shift(2).DivRound(whole.Decimal(), precision).Round(1)
}

// Stand works out how a budget stands in month m from its account's months; today is
// the running month: only that one is estimated. It looks at nothing else.
func (b Budget) Stand(months []AccountMonth, m, today usage.Month) (Standing, error) {
	currency := b.Amount.Currency()
	s := Standing{Month: m, Actual: money.Zero(currency)}
	var own []AccountMonth
	for _, x := range months {
		if x.Month > m {
			continue
		}
		if x.Currency != currency {
			if x.Month == m && len(x.Cells) > 0 {
				s.Trouble = fmt.Sprintf("The account is billed in %s by now, the budget is in %s: it is not watched. Set it anew.", x.Currency, currency)
			}
			continue // months in another currency say nothing of this one
		}
		if b.Entitlement != "" {
			x.Cells = slices.DeleteFunc(slices.Clone(x.Cells), func(c Cell) bool { return c.Entitlement != b.Entitlement })
		}
		own = append(own, x)
		if x.Month != m {
			continue
		}
		for _, c := range x.Cells {
			if err := plus(&s.Actual, c.Sell); err != nil {
				return s, err
			}
			if c.Kind == rating.KindUsage {
				s.AsOf = max(s.AsOf, c.Day)
			}
		}
	}
	if m != today || s.Trouble != "" {
		return s, nil
	}
	e, err := Forecast(own, m, "")
	switch {
	case fault.KindOf(err) == fault.Conflict: // nothing to estimate
		return s, nil
	case err != nil:
		return s, err
	}
	s.Estimate = &e
	return s, nil
}

// reached tells whether a threshold of a budget is reached.
func (b Budget) reached(t Threshold, s Standing) bool {
	if s.Trouble != "" {
		return false
	}
	amount := s.Actual
	if t.Basis == Forecasted {
		if s.Estimate == nil {
			return false
		}
		amount = s.Estimate.End
	}
	return amount.Decimal().Shift(2).GreaterThanOrEqual(b.Amount.Decimal().Mul(decimal.NewFromInt(int64(t.Percent))))
}

// usedUp is when the partner is asked.
var usedUp = Threshold{100, Actual}

// asksPartner is the alert in force that keeps the partner from being asked twice.
var asksPartner = Threshold{100, asked}

// due are the thresholds that are reached and were not told yet, the gravest first: what
// was used before what may be, more before less.
func (b Budget) due(s Standing, told map[Threshold]bool) []Threshold {
	var list []Threshold
	for _, t := range b.Thresholds {
		if !told[t] && b.reached(t, s) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(x, y Threshold) int {
		return cmp.Or(cmp.Compare(x.Basis, y.Basis), cmp.Compare(y.Percent, x.Percent))
	})
	return list
}

// asks tells whether the partner is to be asked now.
func (b Budget) asks(s Standing, told map[Threshold]bool) bool {
	return b.Ask && !told[asksPartner] && b.reached(usedUp, s)
}

// next is the next threshold of what was used, 0 = none.
func (b Budget) next(s Standing) int {
	for _, t := range b.Thresholds {
		if t.Basis == Actual && !b.reached(t, s) {
			return t.Percent
		}
	}
	return 0
}

// Alert is what was told of a budget, as it stood then.
type Alert struct {
	ID          string
	Account     string
	Entitlement string
	Month       usage.Month
	Threshold   Threshold
	Asked       bool         // the partner was asked; not a threshold of its own
	Amount      money.Amount // of the budget
	Spent       money.Amount // exact
	End         money.Amount // with Low and High the forecast; zero without currency = there was none
	Low, High   money.Amount
	Recipients  []string
	Request     int64 // number of the request to the partner, 0 = none
	MadeAt      time.Time
	RearmedAt   time.Time // a change of the budget set it back; zero = in force
}
