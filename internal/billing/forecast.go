package billing

import (
	"cmp"
	"slices"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// Method is how the days of a month that are still to come are guessed.
type Method string

// The methods. Each of them adds its guess to what was used up to now.
const (
	// ProRata takes every day to come as the average day of the month so far, so that a
	// month end is month to date × days of the month / days gone (N-58). A spike early
	// in the month distorts it.
	ProRata Method = "pro-rata"
	// Recent takes every day to come as the average of the last seven days: a recent
	// spike is assumed to continue (N-59).
	Recent Method = "recent"
	// Weekday takes every day to come as the average of the same day of the week in the
	// last four weeks: weekends stay weekends.
	Weekday Method = "weekday"
)

// Methods is all of them; the first one wins where several are equally good.
var Methods = []Method{ProRata, Recent, Weekday}

// Estimate is what a month costs so far and where it ends. It is no bill: Microsoft
// may restate usage until its invoice is there.
type Estimate struct {
	Account  string         `json:"account"`
	Month    usage.Month    `json:"month"`
	AsOf     usage.Day      `json:"as_of"` // the last day that has usage, "" = none of the month yet
	Currency money.Currency `json:"currency"`
	Method   Method         `json:"method"`
	ToDate   money.Amount   `json:"to_date"` // exact
	End      money.Amount   `json:"end"`     // to the coin
	Low      money.Amount   `json:"low"`     // with High the range that the tests of past months give
	High     money.Amount   `json:"high"`
	Tests    int            `json:"tests"` // how many past months were tried; 0 = the range is not known
	// Off is by how many percent the method missed the end of those months, on average,
	// one decimal.
	Off  decimal.Decimal `json:"off"`
	Days []Ahead         `json:"days"` // the days to come
}

// Ahead is a day to come.
type Ahead struct {
	Day    usage.Day    `json:"day"`
	Amount money.Amount `json:"amount"` // to the coin
	Low    money.Amount `json:"low"`
	High   money.Amount `json:"high"`
}

// Known tells whether there is a range.
func (e Estimate) Known() bool { return e.Tests > 0 }

// Limits of what is looked at.
const (
	recentDays = 7
	weeks      = 4
	backTests  = 12 // months
)

// CodeNoUsage marks the refusal of an estimate before there is anything to estimate.
const CodeNoUsage = "no-usage-yet"

// Forecast estimates one month of an account from its daily charges, those of earlier
// months included; later ones are not looked at. method "" takes the one that missed
// past months least. Before the first hour of usage there is nothing to estimate:
// Conflict, with CodeNoUsage.
//
// Every past month with usage on all of its days is tried: cut at the same day, guessed
// by the same method, compared with how it ended. The range is the end times the lowest
// and the highest ratio of truth to guess, but never below what was used already.
//
// Only usage is guessed. Fees are there once; a minimum shrinks by what usage is still
// to come, and support grows in the same ratio as usage.
func Forecast(months []AccountMonth, m usage.Month, method Method) (Estimate, error) {
	if err := m.Check(); err != nil {
		return Estimate{}, err
	}
	if method != "" && !slices.Contains(Methods, method) {
		return Estimate{}, fault.Field("method", "There is no such way to estimate.", "Choose pro-rata, recent or weekday.")
	}
	s, err := seriesOf(months, m)
	if err != nil {
		return Estimate{}, err
	}
	if s.first == "" {
		return Estimate{}, fault.Refuse(fault.Refusal{
			Field: "month", Code: CodeNoUsage, Reason: "There is no estimate yet: no usage has been reported.",
			Remedy: "The first figures come about a day after the first hour of usage.",
		}).In(fault.Conflict)
	}
	var best guess
	for _, x := range Methods {
		if method != "" && x != method {
			continue
		}
		g, ok := s.guess(m, s.asOf(m), x)
		if !ok {
			continue
		}
		if err := s.test(m, &g); err != nil {
			return Estimate{}, err
		}
		if best.method == "" || g.tests > 0 && (best.tests == 0 || g.off.LessThan(best.off)) {
			best = g
		}
	}
	if best.method == "" { // only pro rata needs a day of this month
		return Estimate{}, fault.Refuse(fault.Refusal{
			Field: "month", Code: CodeNoUsage, Reason: "There is no usage of " + m.String() + " yet.", Remedy: "Ask again tomorrow, or by another method.",
		}).In(fault.Conflict)
	}
	return s.estimate(m, best)
}

// series is an account's daily charges over months.
type series struct {
	account     string
	currency    money.Currency
	first       usage.Day // that has usage, "" = none
	days        map[usage.Day]decimal.Decimal
	fees        decimal.Decimal // of the estimated month: once
	minimum     decimal.Decimal
	support     decimal.Decimal
	whole       []usage.Month // past months to try
	lastOfMonth usage.Day
}

func seriesOf(months []AccountMonth, m usage.Month) (series, error) {
	s := series{days: map[usage.Day]decimal.Decimal{}}
	for _, x := range months {
		if x.Month > m {
			continue
		}
		if s.currency == "" {
			s.account, s.currency = x.Account, x.Currency
		}
		if x.Currency != s.currency || x.Account != s.account {
			return s, fault.New(fault.Invalid, "the months of an estimate are of %s in %s and of %s in %s", s.account, s.currency, x.Account, x.Currency)
		}
		for _, c := range x.Cells {
			d := c.Sell.Decimal()
			switch {
			case c.Kind == rating.KindUsage:
				s.days[c.Day] = s.days[c.Day].Add(d)
				if s.first == "" || c.Day < s.first {
					s.first = c.Day
				}
				if x.Month == m {
					s.lastOfMonth = max(s.lastOfMonth, c.Day)
				}
			case x.Month != m:
			case c.Kind == rating.KindMinimum:
				s.minimum = s.minimum.Add(d)
			case c.Kind == rating.KindSupport:
				s.support = s.support.Add(d)
			default:
				s.fees = s.fees.Add(d)
			}
		}
		if x.Month < m {
			s.whole = append(s.whole, x.Month)
		}
	}
	slices.Sort(s.whole)
	s.whole = slices.DeleteFunc(s.whole, func(p usage.Month) bool { return s.first == "" || p.First() < s.first })
	s.whole = s.whole[max(0, len(s.whole)-backTests):]
	return s, nil
}

// asOf is the last day of a month that has usage; the day before the month if none.
func (s series) asOf(m usage.Month) usage.Day {
	if s.lastOfMonth != "" {
		return s.lastOfMonth
	}
	return m.First().Add(-1)
}

func (s series) sum(from, to usage.Day) decimal.Decimal {
	sum := decimal.Decimal{}
	for d := from; d <= to; d = d.Add(1) {
		sum = sum.Add(s.days[d])
	}
	return sum
}

// guess is the usage of a month by one method.
type guess struct {
	method    Method
	gone      decimal.Decimal
	ahead     []decimal.Decimal // by day
	end       decimal.Decimal
	tests     int
	low, high decimal.Decimal // ratios of truth to guess
	off       decimal.Decimal
}

// precision of averages, in decimals: far beyond a coin.
const precision = 20

// guess looks at nothing after asOf. ok is false if the method has nothing to go by.
func (s series) guess(m usage.Month, asOf usage.Day, by Method) (g guess, ok bool) {
	g.method, g.gone = by, s.sum(m.First(), asOf)
	g.end = g.gone
	for d := asOf.Add(1); d <= m.Last(); d = d.Add(1) {
		x, ok := s.like(m, asOf, d, by)
		if !ok {
			return g, false
		}
		g.ahead = append(g.ahead, x)
		g.end = g.end.Add(x)
	}
	return g, true
}

// like is what a day to come is taken for. Days before the account's first usage are
// not days of nothing: they do not count.
func (s series) like(m usage.Month, asOf, d usage.Day, by Method) (decimal.Decimal, bool) {
	from, step := max(m.First(), s.first), 1
	switch by {
	case Recent:
		from = max(asOf.Add(1-recentDays), s.first)
	case Weekday:
		last := d
		for last > asOf {
			last = last.Add(-7)
		}
		from, asOf, step = last.Add(-7*(weeks-1)), last, 7
		for from < s.first {
			from = from.Add(7)
		}
	}
	sum, n := decimal.Decimal{}, int64(0)
	for x := from; x <= asOf; x = x.Add(step) {
		sum, n = sum.Add(s.days[x]), n+1
	}
	if n == 0 {
		return sum, false
	}
	return sum.DivRound(decimal.NewFromInt(n), precision), true
}

// test tries the guess's method on past months, cut at the same day.
func (s series) test(m usage.Month, g *guess) error {
	gone := m.Days() - len(g.ahead)
	for _, p := range s.whole {
		cut := p.First().Add(min(gone, p.Days()) - 1)
		past, ok := s.guess(p, cut, g.method)
		truth := s.sum(p.First(), p.Last())
		if !ok || past.end.Sign() <= 0 || truth.Sign() <= 0 { // a month of refunds has no percent
			continue
		}
		ratio := truth.DivRound(past.end, precision)
		if g.tests == 0 {
			g.low, g.high = ratio, ratio
		}
		g.low, g.high, g.tests = decimal.Min(g.low, ratio), decimal.Max(g.high, ratio), g.tests+1
		g.off = g.off.Add(past.end.Sub(truth).Abs().DivRound(truth, precision))
	}
	if g.tests > 0 {
		g.off = g.off.Shift(2).DivRound(decimal.NewFromInt(int64(g.tests)), precision)
	}
	return nil
}

func (s series) estimate(m usage.Month, g guess) (Estimate, error) {
	e := Estimate{Account: s.account, Month: m, AsOf: s.lastOfMonth, Currency: s.currency, Method: g.method, Tests: g.tests, Off: g.off.Round(1)}
	toDate := g.gone.Add(s.fees).Add(s.minimum).Add(s.support)
	// whole is the month with this much usage.
	whole := func(end decimal.Decimal) decimal.Decimal {
		least := decimal.Max(s.minimum.Sub(end.Sub(g.gone)), decimal.Decimal{})
		support := s.support
		if g.gone.Sign() > 0 && end.Sign() > 0 {
			support = s.support.Mul(end).DivRound(g.gone, precision)
		}
		return end.Add(s.fees).Add(least).Add(support)
	}
	low, high := g.end, g.end
	if g.tests > 0 {
		low, high = decimal.Min(g.end, g.end.Mul(g.low)), decimal.Max(g.end, g.end.Mul(g.high))
	}
	low, high = decimal.Max(low, decimal.Min(g.gone, g.end)), decimal.Max(high, g.end)
	if len(g.ahead) == 0 {
		low, high = g.end, g.end
	}
	one, err := money.New(decimal.NewFromInt(1), s.currency)
	if err != nil {
		return e, err
	}
	e.ToDate = one.Times(toDate) // exact sums have more digits than New takes from outside
	// coin rounds half up, as invoice lines are: an estimate is compared with one.
	coin := func(d decimal.Decimal) money.Amount {
		a, aerr := money.New(d.Round(s.currency.Minor()), s.currency)
		err = cmp.Or(err, aerr)
		return a
	}
	e.End, e.Low, e.High = coin(whole(g.end)), coin(whole(low)), coin(whole(high))
	rest := g.end.Sub(g.gone)
	for i, x := range g.ahead {
		a := Ahead{Day: m.Last().Add(i + 1 - len(g.ahead)), Amount: coin(x)}
		a.Low, a.High = a.Amount, a.Amount
		if rest.Sign() > 0 { // the range of the whole rest, in proportion
			a.Low = coin(x.Mul(low.Sub(g.gone)).DivRound(rest, precision))
			a.High = coin(x.Mul(high.Sub(g.gone)).DivRound(rest, precision))
		}
		e.Days = append(e.Days, a)
	}
	return e, err
}
