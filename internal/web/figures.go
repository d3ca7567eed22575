package web

import (
	"fmt"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/usage"
	"causeway/internal/web/ui"
)

// month reads ?month= or the path's; the current one if there is none.
func (v *visit) month(s string) (usage.Month, error) {
	if s == "" {
		return usage.MonthOf(v.now), nil
	}
	m := usage.Month(s)
	if err := m.Check(); err != nil {
		return "", fault.New(fault.NotFound, "%q is not a month. Write it like 2026-11.", s)
	}
	return m, nil
}

// coins is an amount as it is paid: rounded half up to the coin, as lines are.
func coins(a money.Amount) string {
	return ui.FormatAmount(a.Decimal().StringFixed(a.Currency().Minor()), "")
}

func withCurrency(a money.Amount) string { return coins(a) + " " + string(a.Currency()) }

// exact is an amount with six decimals: its coins, and the digits beyond them.
func exact(a money.Amount) (text, fine string) {
	minor := int(a.Currency().Minor())
	s := a.Decimal().StringFixed(6)
	cut := len(s) - 6 + minor
	if minor == 0 {
		cut-- // the point goes with what is beyond the coin
	}
	return ui.FormatAmount(s[:cut], ""), s[cut:]
}

func exactCell(a money.Amount) ui.Cell {
	text, fine := exact(a)
	return ui.Cell{Text: text, Fine: fine}
}

func shareOf(part, whole money.Amount) string {
	if whole.IsZero() {
		return ""
	}
	return strings.ReplaceAll(part.Decimal().Shift(2).DivRound(whole.Decimal(), 1).StringFixed(1), "-", "−") + " %"
}

func monthWord(m usage.Month) string { return m.First().Time().Format("January") }

func dayWord(d usage.Day) string { return d.Time().Format("2 Jan 2006") }

func months(n int) string {
	if n == 1 {
		return "the last month"
	}
	return fmt.Sprintf("the last %d months", n)
}

func drawnAs(a money.Amount) float64 { return a.Decimal().InexactFloat64() }

func monthYear(m usage.Month) string { return m.First().Time().Format("Jan 2006") }

func signedExact(a money.Amount) ui.Cell {
	c := exactCell(a)
	if a.Sign() > 0 {
		c.Text = "+" + c.Text
	}
	return c
}
