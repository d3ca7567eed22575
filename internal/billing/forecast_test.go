package billing_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"

	"pgregory.net/rapid"
)

// spent is a month in which each day from its first to its day `to` cost what of says.
func spent(m usage.Month, to int, of func(usage.Day) string) billing.AccountMonth {
	x := billing.AccountMonth{Account: "CTSO", Month: m, Currency: "USD", AsOf: m.First().Add(to - 1)}
	for i := range to {
		d := m.First().Add(i)
		if s := of(d); s != "" {
			x.Cells = append(x.Cells, billing.Cell{Day: d, Kind: rating.KindUsage, Line: "usage", Category: "Virtual Machines", Sell: money.Must(s, "USD")})
		}
	}
	return x
}

func daily(s string) func(usage.Day) string { return func(usage.Day) string { return s } }

// told is an estimate in one line: to date, end, range, tests, how far off.
func told(e billing.Estimate) string {
	return fmt.Sprintf("%s: %s → %s (%s to %s), %d tests, off by %s %%", e.Method, e.ToDate.Text(), e.End.Text(), e.Low.Text(), e.High.Text(), e.Tests, e.Off)
}

func TestMonthEndByEachMethod(t *testing.T) {
	// Usage falls from 10 to 4 a day on the 16th of each month but September, whose
	// second half costs 7.
	falls := func(d usage.Day) string {
		switch {
		case d.Time().Day() <= 15:
			return "10"
		case d.Month() == "2026-09":
			return "7"
		}
		return "4"
	}
	// 2026-11-02 was a Monday. Work days cost 10, Saturdays and Sundays 3.
	week := func(d usage.Day) string {
		if w := d.Time().Weekday(); w == time.Saturday || w == time.Sunday {
			return "3"
		}
		return "10"
	}
	full := func(m usage.Month, of func(usage.Day) string) billing.AccountMonth { return spent(m, m.Days(), of) }
	for _, c := range []struct {
		name   string
		months []billing.AccountMonth
		method billing.Method
		want   string
	}{
		{"pro rata: 150 of 15 days is 300 of 30", []billing.AccountMonth{spent("2026-11", 15, daily("10"))}, billing.ProRata,
			"pro-rata: 150 → 300 (300 to 300), 0 tests, off by 0 %"},
		{"pro rata: a third is rounded to the coin, once", []billing.AccountMonth{spent("2026-11", 3, func(d usage.Day) string {
			if d == "2026-11-01" {
				return "0.10"
			}
			return ""
		})}, billing.ProRata, "pro-rata: 0.1 → 3 (3 to 3), 0 tests, off by 0 %"}, // asOf is the 1st: no day after it has usage
		{"pro rata: an account that began on the 21st had no twenty days of nothing", []billing.AccountMonth{spent("2026-11", 25, func(d usage.Day) string {
			if d < "2026-11-21" {
				return ""
			}
			return "6"
		})}, billing.ProRata, "pro-rata: 30 → 60 (60 to 60), 0 tests, off by 0 %"}, // 5 days of 6; 5 more
		{"recent: seven days at 4 go on for 8 days", []billing.AccountMonth{spent("2026-11", 22, falls)}, billing.Recent,
			"recent: 178 → 210 (210 to 210), 0 tests, off by 0 %"}, // 15×10 + 7×4 = 178; 8×4
		{"recent: a spike of the last days is assumed to continue", []billing.AccountMonth{spent("2026-11", 20, func(d usage.Day) string {
			if d >= "2026-11-19" {
				return "38"
			}
			return "10"
		})}, billing.Recent, "recent: 256 → 436 (436 to 436), 0 tests, off by 0 %"}, // 18×10 + 2×38; (5×10 + 2×38)/7 = 18 a day × 10
		{"recent: in the first days it looks into the month before", []billing.AccountMonth{full("2026-10", daily("7")), spent("2026-11", 2, daily("14"))}, billing.Recent,
			// 5×7 + 2×14 = 63, 9 a day × 28 = 252. October cut on the 2nd: two days of 7, then 7 a day: 217 of 217.
			"recent: 28 → 280 (280 to 280), 1 tests, off by 0 %"},
		{"weekday: weekends stay weekends", []billing.AccountMonth{spent("2026-11", 14, week)}, billing.Weekday,
			// To the 14th, a Saturday: Sundays 1, 8 and Saturdays 7, 14 cost 12, ten work days 100. To come are the
			// 15th to the 30th: 5 days of weekend (15, 21, 22, 28, 29) and 11 work days.
			"weekday: 112 → 237 (237 to 237), 0 tests, off by 0 %"},
		{"the range and the error come from the months before", []billing.AccountMonth{full("2026-09", falls), full("2026-10", falls), spent("2026-11", 15, falls)}, billing.ProRata,
			// Guessed on the 15th: September 300, truth 150 + 15×7 = 255; October 310, truth 150 + 16×4 = 214.
			// 255/300 = 0.85 and 214/310 = 0.69032…: of 300 that is 255 to 207.10.
			// Off: 45/255 = 17.647 % and 96/214 = 44.860 %, on average 31.25 %, shown as 31.3.
			"pro-rata: 150 → 300 (207.1 to 300), 2 tests, off by 31.3 %"},
		{"the method that missed least is taken", []billing.AccountMonth{full("2026-09", week), full("2026-10", week), spent("2026-11", 15, week)}, "",
			// Weekday is right to the cent in October and, with what September has before the cut, there too.
			"weekday: 115 → 237 (237 to 237), 2 tests, off by 0 %"},
		{"without a month to try, pro rata", []billing.AccountMonth{spent("2026-11", 15, week)}, "", "pro-rata: 115 → 230 (230 to 230), 0 tests, off by 0 %"},
		{"a month that is over ends where it is", []billing.AccountMonth{full("2026-10", falls), full("2026-11", falls)}, billing.ProRata,
			// October cut on the 30th: 150 + 15×4 = 210 of 30 days is 217 of 31; it ended at 214. 3/214 = 1.4 %.
			"pro-rata: 210 → 210 (210 to 210), 1 tests, off by 1.4 %"},
		{"later months are not looked at", []billing.AccountMonth{spent("2026-11", 15, daily("10")), full("2026-12", daily("1000"))}, billing.ProRata, "pro-rata: 150 → 300 (300 to 300), 0 tests, off by 0 %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := billing.Forecast(c.months, "2026-11", c.method)
			if err != nil {
				t.Fatal(err)
			}
			if got := told(e); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// Fees are there once, a minimum shrinks, support grows with usage.
func TestFeesAreNotUsage(t *testing.T) {
	m := spent("2026-11", 15, daily("10")) // 150, so 150 more
	for _, x := range []struct {
		kind rating.Kind
		sell string
	}{{rating.KindFee, "20"}, {rating.KindMinimum, "170"}, {rating.KindSupport, "34"}} {
		m.Cells = append(m.Cells, billing.Cell{Day: "2026-11-30", Kind: x.kind, Sell: money.Must(x.sell, "USD")})
	}
	e, err := billing.Forecast([]billing.AccountMonth{m}, "2026-11", "")
	if err != nil {
		t.Fatal(err)
	}
	// 150 + 20 + 170 + 34 now; at the end 300 of usage, the fee, a minimum of 170 − 150, support of 34 × 300/150.
	if got, want := told(e), "pro-rata: 374 → 408 (408 to 408), 0 tests, off by 0 %"; got != want || e.AsOf != "2026-11-15" {
		t.Errorf("%s as of %s\nwant %s", got, e.AsOf, want)
	}
}

// Before the first hour of usage there is a clear answer.
func TestWithoutUsageThereIsNoEstimate(t *testing.T) {
	for name, months := range map[string][]billing.AccountMonth{
		"nothing is known":              nil,
		"a month of nothing":            {spent("2026-11", 0, daily("1"))},
		"a fee alone is no usage":       {{Account: "CTSO", Month: "2026-11", Currency: "USD", Cells: []billing.Cell{{Day: "2026-11-30", Kind: rating.KindFee, Sell: money.Must("5", "USD")}}}},
		"only a later month has usage":  {spent("2026-12", 3, daily("1"))},
		"pro rata in a month of no use": {spent("2026-10", 31, daily("1"))},
	} {
		e, err := billing.Forecast(months, "2026-11", billing.ProRata)
		f := fault.Of(err)
		if f == nil || f.Kind != fault.Conflict || f.Refusals[0].Code != billing.CodeNoUsage || f.Refusals[0].Remedy == "" {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	if _, err := billing.Forecast([]billing.AccountMonth{spent("2026-10", 31, daily("1"))}, "2026-11", ""); err != nil {
		t.Errorf("on the first of a month the last days tell: %v", err)
	}
	if _, err := billing.Forecast(nil, "2026-11", "oracle"); !errors.Is(err, fault.Invalid) {
		t.Error(err)
	}
	other := spent("2026-10", 31, daily("1"))
	other.Currency = "EUR"
	if _, err := billing.Forecast([]billing.AccountMonth{other, spent("2026-11", 1, daily("1"))}, "2026-11", ""); !errors.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

// What is ahead adds up: to date + days to come = end, within half a coin a day, and
// the range is around it.
func TestTheDaysAheadAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents := rapid.IntRange(0, 100_000)
		of := func(usage.Day) string {
			return fmt.Sprintf("%d.%03d", cents.Draw(t, "whole")/100, cents.Draw(t, "part")%1000)
		}
		gone := rapid.IntRange(1, 30).Draw(t, "gone")
		e, err := billing.Forecast([]billing.AccountMonth{spent("2026-09", 30, of), spent("2026-10", 31, of), spent("2026-11", gone, of)}, "2026-11", rapid.SampledFrom(billing.Methods).Draw(t, "method"))
		if err != nil {
			t.Fatal(err)
		}
		sum := e.ToDate.Decimal()
		for _, d := range e.Days {
			sum = sum.Add(d.Amount.Decimal())
		}
		if apart := sum.Sub(e.End.Decimal()).Abs(); apart.GreaterThan(money.Must("0.16", "USD").Decimal()) || len(e.Days) != 30-gone {
			t.Fatalf("%d days ahead, %s apart: %s", len(e.Days), apart, told(e))
		}
		if e.Low.Decimal().GreaterThan(e.End.Decimal()) || e.High.Decimal().LessThan(e.End.Decimal()) || e.Low.Decimal().LessThan(e.ToDate.Decimal().Round(2)) {
			t.Fatalf("the range is not around the end: %s", told(e))
		}
	})
}
