package invoice_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"

	"golang.org/x/tools/txtar"
)

const golden = "../../e2e/golden"

// setup is the file setup.json of a golden month; README.md there explains it.
type setup struct {
	Currency money.Currency    `json:"currency"` // of the account
	Billing  money.Currency    `json:"billing"`  // Microsoft's
	Pricing  money.Currency    `json:"pricing"`
	Rate     string            `json:"rate"` // Microsoft's, the same in all months
	Terms    []rating.Terms    `json:"terms"`
	Switches []invoice.Switch  `json:"switches"`
	Seller   invoice.Party     `json:"seller"`
	Buyer    invoice.Party     `json:"buyer"`
	Taxes    []invoice.TaxRule `json:"taxes"`
	Close    []usage.Month     `json:"close"`
}

// Each file says in words how a person works the bill out, gives the usage, and
// prints the documents; the program has to come to the same.
func TestGoldenMonths(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden, "*.txt"))
	if err != nil || len(files) < 12 {
		t.Fatalf("%d golden months (%v)", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if len(strings.Fields(string(a.Comment))) < 15 {
				t.Error("the arithmetic is not written out")
			}
			files, err := txtar.FS(a)
			if err != nil {
				t.Fatal(err)
			}
			want, err := fs.ReadFile(files, "want")
			if err != nil {
				t.Fatal(err)
			}
			if got := closeMonths(t, files); got != strings.TrimSpace(string(want)) {
				t.Errorf("got:\n%s\n\nwant:\n%s", got, want)
			}
		})
	}
}

func closeMonths(t *testing.T, files fs.FS) string {
	t.Helper()
	b, err := fs.ReadFile(files, "setup.json")
	if err != nil {
		t.Fatal(err)
	}
	var s setup
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	s.defaults()
	for _, x := range s.Terms {
		if bad, err := rating.Validate(x.List, nil, nil); err != nil || len(bad) > 0 {
			t.Fatalf("price list %s: %v", x.List.ID, bad)
		}
	}
	var out strings.Builder
	billed := map[usage.Month][]invoice.Line{}
	for _, closing := range s.Close {
		var lines, own []invoice.Line
		for _, d := range invoice.DueAt(s.Switches, closing) {
			groups, ok := s.usage(t, files, d, closing)
			if !ok {
				continue // nothing was used that month
			}
			charges, err := rating.Month(d.Service, groups, s.Terms)
			if err != nil {
				t.Fatal(err)
			}
			made, err := invoice.Lines(invoice.Bill{Month: d.Service, Charges: charges, Estimate: d.Estimate, Split: s.Terms[0].List.Lines, Billed: billed[d.Service]}, labels, s.Currency)
			if err != nil {
				t.Fatal(err)
			}
			billed[d.Service] = append(billed[d.Service], made...)
			if d.Own {
				own = append(own, made...)
			} else {
				lines = append(lines, made...)
			}
		}
		s.document(t, &out, invoice.Invoice, closing, lines)
		if len(own) > 0 {
			s.document(t, &out, invoice.Settlement, closing, own)
		}
	}
	return strings.TrimSpace(out.String())
}

func (s *setup) defaults() {
	if s.Billing == "" {
		s.Billing = s.Currency
	}
	if s.Pricing == "" {
		s.Pricing = "USD"
	}
	if s.Rate == "" {
		s.Rate = "1"
	}
	if len(s.Terms) == 0 {
		s.Terms = []rating.Terms{{List: rating.Default(s.Currency)}}
	}
	for i := range s.Terms {
		s.Terms[i].Currency, s.Terms[i].List.Currency = s.Currency, s.Currency
	}
	if len(s.Switches) == 0 {
		s.Switches = []invoice.Switch{{Pattern: invoice.Pattern{Way: invoice.Arrears}}}
	}
	if len(s.Taxes) == 0 {
		s.Taxes = []invoice.TaxRule{{ID: "none", Country: s.Buyer.Country, Label: "No tax"}}
	}
}

func (s *setup) document(t *testing.T, out *strings.Builder, kind invoice.Kind, closing usage.Month, lines []invoice.Line) {
	t.Helper()
	d, err := invoice.Compose(invoice.Document{Key: string(closing), Kind: kind, Period: closing, Currency: s.Currency, Seller: s.Seller, Buyer: s.Buyer}, lines, closing.Add(1).First(), s.Taxes)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(out, "%s of %s: %s\n", d.Kind, string(d.Period), d.Total)
	for _, l := range d.Lines {
		estimate := ""
		if l.Estimate {
			estimate = ", estimated"
		}
		fmt.Fprintf(out, "  %s (%s%s): %s\n", l.Label, string(l.Month), estimate, l.Amount.Text())
		for _, x := range l.Details {
			fmt.Fprintf(out, "    %s: %s = cost %s, margin %s, credit kept %s, exchange %s\n", strings.Join(strings.Fields(x.Entitlement+" "+x.Service+" "+x.Region), " "),
				x.Amount.Text(), x.Sold.Text(), x.Margin.Text(), x.Earned.Text(), x.Gain.Text())
		}
		if !l.Rounding.IsZero() {
			fmt.Fprintf(out, "    rounding: %s\n", l.Rounding.Text())
		}
		if !l.Settles.IsZero() {
			fmt.Fprintf(out, "    settles an estimated cost of %s\n", l.Settles)
		}
	}
	for _, x := range d.Taxes {
		if !x.Amount.IsZero() || x.Reverse {
			fmt.Fprintf(out, "  %s on %s: %s\n", x.Label, x.Base.Text(), x.Amount.Text())
		}
	}
}

// usage reads what was known of a month: <month>.estimate.csv or <month>.final.csv,
// or the newest <month>.final@<closing>.csv, which Microsoft restated by then.
func (s *setup) usage(t *testing.T, files fs.FS, d invoice.Due, closing usage.Month) ([]usage.Group, bool) {
	t.Helper()
	name := string(d.Service) + ".final.csv"
	if d.Estimate {
		name = string(d.Service) + ".estimate.csv"
	}
	for m := closing; !d.Estimate && m > d.Service; m = m.Add(-1) {
		restated := fmt.Sprintf("%s.final@%s.csv", string(d.Service), string(m))
		if _, err := fs.Stat(files, restated); err == nil {
			name = restated
			break
		}
	}
	b, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, false
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var groups []usage.Group
	for _, r := range rows[1:] {
		cell := map[string]string{}
		for i, name := range rows[0] {
			cell[name] = strings.TrimSpace(r[i])
		}
		groups = append(groups, s.group(t, cell))
	}
	return groups, true
}

// group is what the lake would make of one record: list from price and quantity,
// cost as sent, or, where no cost is given, list less the credit.
func (s *setup) group(t *testing.T, cell map[string]string) usage.Group {
	t.Helper()
	g := usage.Group{Rows: 1, Quantity: dec(cell["quantity"]), Key: usage.Key{
		Day: usage.Day(cell["day"]), Tenant: "tenant", Entitlement: cell["subscription"], Category: cell["category"], Meter: cell["meter"], Region: cell["region"], Unit: cell["unit"],
		Reservation: cell["reservation"], Credit: usage.Credit(cell["credit"]), ThirdParty: cell["third party"] == "yes", Currency: s.Billing, PricingCurrency: s.Pricing, Rate: dec(s.Rate),
	}}
	if k, v, ok := strings.Cut(cell["tag"], "="); ok {
		g.Tags = map[string]string{k: v}
	}
	list := g.Quantity.Mul(dec(cell["price"]))
	cost, gross := list, list
	switch {
	case g.Credit == usage.CreditEarned:
		cost = list.Mul(dec("0.85"))
	case g.Credit == usage.CreditAzure, g.Reservation != "":
		cost, gross = dec("0"), dec("0")
	}
	both := func(priced *money.Amount, billed *money.Amount, v string) {
		*priced = money.Must(v, s.Pricing)
		*billed = money.Must(dec(v).Mul(g.Rate).String(), s.Billing)
	}
	both(&g.PricedList, &g.List, list.String())
	both(&g.PricedCost, &g.Cost, cost.String())
	both(&g.PricedGross, &g.Gross, gross.String())
	if sent := cell["cost"]; sent != "" {
		g.Cost = money.Must(sent, s.Billing)
		if g.Credit != usage.CreditEarned {
			g.Gross = g.Cost
		}
	}
	return g
}
