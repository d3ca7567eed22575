package invoice

import (
	"encoding/csv"
	"io"
	"strings"

	"causeway/internal/money"
)

// Columns are the fourteen of the original's usage history.
var Columns = []string{
	"Usage Dates", "Usage Total", "Item Description", "Item Detail", "Alias", "Account", "Region", "Cost Center Alias",
	"Quantity", "Unit Cost", "Total", "On Your Invoice", "Supporting Detail", "Adjustments",
}

// CSV writes one document: a row for each line, and below it its details and its
// rounding, which add up to it. Units are plain money, as they were there. alias
// gives the name of the provider behind a subscription, "" if none is known.
func CSV(w io.Writer, d Document, alias func(entitlement string) string) error {
	c := csv.NewWriter(w)
	rows := [][]string{Columns}
	for _, l := range d.Lines {
		dates := string(l.Month.First()) + " to " + string(l.Month.Last())
		row := func(item, detail, entitlement, region string, a money.Amount) []string {
			r := make([]string, len(Columns))
			r[0], r[2], r[3], r[6], r[7] = dates, safe(item), safe(detail), safe(region), safe(d.CostCenter)
			if entitlement != "" {
				r[4], r[5] = safe(alias(entitlement)), safe(entitlement)
			}
			r[8], r[9], r[10] = a.Text(), "1", a.Text()
			return r
		}
		head := row(l.Label, "", "", "", l.Amount)
		head[1], head[11] = l.Exact.Amount.Text(), l.Amount.Text()
		if l.Kind == LineAdjustment {
			head[11], head[13] = "", l.Amount.Text()
			rows = append(rows, head)
			continue
		}
		rows = append(rows, head)
		for _, x := range l.Details {
			r := row(l.Label, x.Service, x.Entitlement, x.Region, x.Amount)
			r[12] = x.Amount.Text()
			rows = append(rows, r)
		}
		if !l.Rounding.IsZero() {
			r := row(l.Label, "Rounding", "", "", l.Rounding)
			r[12] = l.Rounding.Text()
			rows = append(rows, r)
		}
	}
	return c.WriteAll(rows)
}

// safe keeps a spreadsheet from running a name as a formula.
func safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
