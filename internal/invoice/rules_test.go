package invoice_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

var labels = invoice.Labels{Line: "Integrated Azure Services Usage", Late: "Update to previous month"}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// charge is usage that costs what Microsoft asks for it and is sold at that.
func charge(day usage.Day, service, region, amount string, c money.Currency) rating.Charge {
	a, err := money.New(dec(amount), c)
	if err != nil {
		panic(err)
	}
	z := money.Zero(c)
	return rating.Charge{
		Kind: rating.KindUsage, Line: rating.OneLine, Rule: "list", Cost: a, SoldCost: a, Sell: a, Margin: z, Earned: z, Gain: z,
		Group: usage.Group{Key: usage.Key{Day: day, Entitlement: "sub-1", Category: service, Region: region}},
	}
}

func TestALineIsRoundedOnceAndItsDetailsAddUp(t *testing.T) {
	for _, c := range []struct {
		currency         money.Currency
		a, b             string
		amount, rounding string
	}{
		{"USD", "1.004", "1.0009", "2.00 USD", "−0.0049 USD"},
		{"USD", "1.0025", "1.0025", "2.01 USD", "0.005 USD"}, // half a cent goes up
		{"USD", "-1.0025", "-1.0025", "−2.01 USD", "−0.005 USD"},
		{"JPY", "100.4", "100.1", "201 JPY", "0.5 JPY"}, // no coin below one yen
		{"KWD", "1.00041", "1.00008", "2.000 KWD", "−0.00049 KWD"},
	} {
		lines, err := invoice.Lines(invoice.Bill{Month: "2026-01", Charges: []rating.Charge{
			charge("2026-01-02", "Storage", "EU West", c.a, c.currency), charge("2026-01-31", "Virtual Machines", "EU West", c.b, c.currency),
		}}, labels, c.currency)
		if err != nil || len(lines) != 1 {
			t.Fatalf("%v, %v", lines, err)
		}
		l := lines[0]
		if l.Label != "Integrated Azure Services Usage" || len(l.Details) != 2 || l.Amount.String() != c.amount || l.Rounding.String() != c.rounding {
			t.Errorf("%s + %s: %q %s with rounding %s, want %s, %s", c.a, c.b, l.Label, l.Amount, l.Rounding, c.amount, c.rounding)
		}
		if _, err := invoice.Compose(invoice.Document{Key: "k", Currency: c.currency, Seller: usa, Buyer: usa}, lines, "2026-02-01", noTax); err != nil {
			t.Error(err)
		}
	}
}

var (
	usa   = invoice.Party{Country: "US"}
	noTax = []invoice.TaxRule{{ID: "none", Country: "US", Label: "No tax"}}
)

// However often a month changes, what was billed of it is the month rounded once.
func TestTheDocumentsOfAMonthAddUpToTheMonth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var billed []invoice.Line
		total := money.Zero("USD")
		settled := money.Zero("USD")
		var charges []rating.Charge
		for i := range rapid.IntRange(1, 5).Draw(t, "versions") {
			charges = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rating.Charge {
				c := charge("2026-01-02", rapid.SampledFrom([]string{"Storage", "Bandwidth"}).Draw(t, "service"), rapid.SampledFrom([]string{"EU", "US"}).Draw(t, "region"),
					rapid.StringMatching(`-?[0-9]{1,4}\.[0-9]{1,12}`).Draw(t, "amount"), "USD")
				c.Line = rapid.SampledFrom([]string{rating.OneLine, "platform"}).Draw(t, "line")
				return c
			}), 0, 5).Draw(t, "charges")
			estimate := i == 0
			lines, err := invoice.Lines(invoice.Bill{Month: "2026-01", Charges: charges, Estimate: estimate, Billed: billed}, labels, "USD")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := invoice.Compose(invoice.Document{Key: "k", Currency: "USD", Seller: usa, Buyer: usa}, lines, "2026-02-01", noTax); err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				total, _ = total.Add(l.Amount)
				if l.Estimate {
					settled, _ = settled.Add(l.Exact.Cost)
				}
				settled, _ = settled.Sub(l.Settles)
			}
			billed = append(billed, lines...)
			if i > 0 && !settled.IsZero() {
				t.Fatalf("%s of the estimates are never settled", settled)
			}
		}
		want := money.Zero("USD")
		byLine := map[string]money.Amount{}
		for _, c := range charges {
			if _, ok := byLine[c.Line]; !ok {
				byLine[c.Line] = money.Zero("USD")
			}
			byLine[c.Line], _ = byLine[c.Line].Add(c.Sell)
		}
		for _, a := range byLine {
			a, _ = a.Round(money.HalfUp, 2)
			want, _ = want.Add(a)
		}
		if !total.Equal(want) {
			t.Fatalf("billed %s, the month is %s", total, want)
		}
		again, err := invoice.Lines(invoice.Bill{Month: "2026-01", Charges: charges, Billed: billed}, labels, "USD")
		if len(billed) > 0 && !billed[0].Estimate && (err != nil || len(again) > 0) {
			t.Fatalf("an unchanged month is corrected by %+v (%v)", again, err)
		}
	})
}

func TestAMonthThatDidNotChangeMakesNoLine(t *testing.T) {
	b := invoice.Bill{Month: "2026-01", Charges: []rating.Charge{charge("2026-01-02", "Storage", "EU", "3.333", "USD")}}
	first, err := invoice.Lines(b, labels, "USD")
	if err != nil {
		t.Fatal(err)
	}
	b.Billed = first
	if lines, err := invoice.Lines(b, labels, "USD"); err != nil || len(lines) > 0 {
		t.Errorf("%+v (%v)", lines, err)
	}
	b.Charges = append(b.Charges, charge("2026-01-31", "Bandwidth", "EU", "0.0001", "USD"))
	lines, err := invoice.Lines(b, labels, "USD")
	if err != nil || len(lines) != 1 || !lines[0].Amount.IsZero() || lines[0].Details[0].Service != "Bandwidth" || lines[0].Label != "Update to previous month Integrated Azure Services Usage" {
		t.Errorf("usage below a cent is lost: %+v (%v)", lines, err)
	}
	b.Month = "2026-02"
	if _, err := invoice.Lines(b, labels, "USD"); !errors.Is(err, fault.Invalid) {
		t.Errorf("charges of another month: %v", err)
	}
}

func due(list []invoice.Due) string {
	var words []string
	for _, d := range list {
		w := fmt.Sprintf("%s %s", d.What, string(d.Service))
		if d.Estimate {
			w += " est"
		}
		if d.Own {
			w += " own"
		}
		words = append(words, w)
	}
	if len(words) > 3 {
		words = append(words[:3], "…")
	}
	return strings.Join(words, ", ")
}

func TestWhatIsDueInEachPattern(t *testing.T) {
	since := func(m usage.Month, p invoice.Pattern) []invoice.Switch {
		return []invoice.Switch{{From: m, Pattern: p}}
	}
	for _, c := range []struct {
		name     string
		switches []invoice.Switch
		closing  usage.Month
		want     string
	}{
		{"month end bills an estimate", since("2026-01", invoice.Pattern{Way: invoice.MonthEnd}), "2026-01", "first 2026-01 est"},
		{"and the difference a month later", since("2026-01", invoice.Pattern{Way: invoice.MonthEnd}), "2026-02", "first 2026-02 est, update 2026-01"},
		{"arrears of no month wait for Microsoft's invoice", since("2026-01", invoice.Pattern{Way: invoice.Arrears}), "2026-01", "first 2026-01"},
		{"arrears of two months bill nothing at first", since("2026-01", invoice.Pattern{Way: invoice.Arrears, Months: 2}), "2026-02", ""},
		{"then the month before the last", since("2026-01", invoice.Pattern{Way: invoice.Arrears, Months: 2}), "2026-03", "first 2026-01"},
		{"settle has a document for the difference", since("2026-01", invoice.Pattern{Way: invoice.Settle}), "2026-01", "first 2026-01 est, update 2026-01 own"},
		{"nobody bills before the first pattern", since("2026-03", invoice.Pattern{Way: invoice.MonthEnd}), "2026-02", ""},
		{"a switch to month end bills two months at once", []invoice.Switch{
			{Pattern: invoice.Pattern{Way: invoice.Arrears, Months: 1}, From: "2026-01"}, {From: "2026-02", Pattern: invoice.Pattern{Way: invoice.MonthEnd}},
		}, "2026-02", "first 2026-02 est, first 2026-01"},
		{"a switch to arrears goes on correcting", []invoice.Switch{
			{Pattern: invoice.Pattern{Way: invoice.MonthEnd}, From: "2019-10"}, {From: "2019-11", Pattern: invoice.Pattern{Way: invoice.Arrears, Months: 2}},
		}, "2019-11", "update 2019-10"},
	} {
		if got := due(invoice.DueAt(c.switches, c.closing)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNoMonthIsLostOrBilledTwiceWhateverIsSwitched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		switches := []invoice.Switch{}
		for m := usage.Month("2026-01"); m < "2027-01"; m = m.Add(rapid.IntRange(1, 4).Draw(t, "months")) {
			way := rapid.SampledFrom([]invoice.Way{invoice.MonthEnd, invoice.Arrears, invoice.Settle}).Draw(t, "way")
			p := invoice.Pattern{Way: way}
			if way == invoice.Arrears {
				p.Months = rapid.IntRange(0, 2).Draw(t, "arrears")
			}
			switches = append(switches, invoice.Switch{From: m, Pattern: p})
		}
		if err := invoice.CheckSwitches(nil, switches, ""); err != nil {
			t.Fatal(err)
		}
		firsts, after := map[usage.Month]int{}, map[usage.Month]int{}
		for m := usage.Month("2026-01"); m < "2028-12"; m = m.Add(1) {
			for _, d := range invoice.DueAt(switches, m) {
				switch {
				case d.What == invoice.First:
					firsts[d.Service]++
				case firsts[d.Service] != 1:
					t.Fatalf("%s is corrected before it is billed", d.Service)
				default:
					after[d.Service]++
				}
				if d.Estimate && d.Service != m {
					t.Fatalf("%s is billed from an estimate in %s", d.Service, m)
				}
			}
		}
		for m := usage.Month("2026-01"); m < "2027-06"; m = m.Add(1) {
			if firsts[m] != 1 || after[m] < 12 {
				t.Fatalf("%s is billed %d times and corrected %d times", m, firsts[m], after[m])
			}
		}
	})
}

func TestASwitchLeavesBilledMonthsAlone(t *testing.T) {
	before := []invoice.Switch{{From: "", Pattern: invoice.Pattern{Way: invoice.MonthEnd}}}
	after := append(before[:1:1], invoice.Switch{From: "2026-03", Pattern: invoice.Pattern{Way: invoice.Arrears, Months: 1}})
	if err := invoice.CheckSwitches(before, after, "2026-02"); err != nil {
		t.Error(err)
	}
	if err := invoice.CheckSwitches(before, after, "2026-03"); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "March 2026") {
		t.Errorf("March was billed: %v", err)
	}
	for name, bad := range map[string][]invoice.Switch{
		"three months of arrears":      {{Pattern: invoice.Pattern{Way: invoice.Arrears, Months: 3}}},
		"a way that does not exist":    {{Pattern: invoice.Pattern{Way: "yearly"}}},
		"a day":                        {{From: "2026-01-15", Pattern: invoice.Pattern{Way: invoice.Settle}}},
		"two patterns from one month":  {before[0], before[0]},
		"months where none are waited": {{Pattern: invoice.Pattern{Way: invoice.Settle, Months: 1}}},
	} {
		if err := invoice.CheckSwitches(nil, bad, ""); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func usd(s string) money.Amount { return money.Must(s, "USD") }

func adjusted(list []invoice.Adjustment) string {
	var words []string
	for _, a := range list {
		words = append(words, a.Account+" "+a.Amount.Text())
	}
	return strings.Join(words, ", ")
}

func TestASharedReservationMovesMoneyBetweenAccounts(t *testing.T) {
	list, err := invoice.Shared("A", "B", "r-1", usd("12.345"))
	if err != nil || adjusted(list) != "A -12.35, B 12.35" {
		t.Errorf("%v (%v)", list, err)
	}
	if _, err := invoice.Shared("A", "A", "r-1", usd("1")); !errors.Is(err, fault.Invalid) {
		t.Errorf("to itself: %v", err)
	}
}

func TestANegativeAccountIsSpreadOverThePositiveOnes(t *testing.T) {
	for _, c := range []struct {
		name   string
		totals map[string]money.Amount
		issued string
		want   string
	}{
		{"in proportion: 30 over 60 and 40", map[string]money.Amount{"A": usd("60"), "B": usd("40"), "N": usd("-30")}, "0", "A -18, B -12, N 30"},
		{"the cent left over goes to the largest remainder", map[string]money.Amount{"A": usd("1"), "B": usd("1"), "C": usd("1"), "N": usd("-1")}, "0", "A -0.34, B -0.33, C -0.33, N 1"},
		{"a credit larger than all that is to be paid", map[string]money.Amount{"A": usd("10"), "M": usd("-5"), "N": usd("-15")}, "0", "A -10, M 2.5, N 7.5"},
		{"nothing negative", map[string]money.Amount{"A": usd("10")}, "0", ""},
		{"nothing to take it off", map[string]money.Amount{"A": usd("0"), "N": usd("-10")}, "0", ""},
		{"a credit that was given away is taken off who is left", map[string]money.Amount{"A": usd("60"), "B": usd("20")}, "40", "A -30, B -10"},
		{"a share that was given is missing from the credit", map[string]money.Amount{"B": usd("40"), "N": usd("-30")}, "-18", "B -12, N 30"},
		{"more was given away than is to be paid", map[string]money.Amount{"A": usd("10"), "B": usd("5")}, "20", "A -15, B -5"},
		{"more was given than there is credit", map[string]money.Amount{"A": usd("10"), "N": usd("-5")}, "-8", "A 3, N 5"},
		{"nobody is left", nil, "8", ""},
	} {
		list, err := invoice.Spread(c.totals, usd(c.issued))
		if err != nil || adjusted(list) != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.name, adjusted(list), c.want, err)
		}
	}
	if list, err := invoice.Spread(map[string]money.Amount{"A": money.Must("100", "JPY"), "B": money.Must("50", "JPY"), "N": money.Must("-10", "JPY")}, money.Zero("JPY")); err != nil || adjusted(list) != "A -7, B -3, N 10" {
		t.Errorf("yen have no coins: %q (%v)", adjusted(list), err)
	}
	if _, err := invoice.Spread(map[string]money.Amount{"A": usd("1"), "B": money.Must("-1", "EUR")}, usd("0")); !errors.Is(err, fault.Invalid) {
		t.Errorf("two currencies: %v", err)
	}
	if _, err := invoice.Spread(map[string]money.Amount{"A": usd("1.001"), "B": usd("-1")}, usd("0")); !errors.Is(err, fault.Invalid) {
		t.Errorf("a total that is not rounded: %v", err)
	}
	rapid.Check(t, func(t *rapid.T) {
		totals := map[string]money.Amount{}
		sum := money.Zero("USD")
		for i := range rapid.IntRange(1, 8).Draw(t, "accounts") {
			a, _ := money.New(decimal.New(rapid.Int64Range(-100000, 100000).Draw(t, "coins"), -2), "USD")
			totals[fmt.Sprint(i)] = a
			sum, _ = sum.Add(a)
		}
		list, err := invoice.Spread(totals, usd("0"))
		if err != nil {
			t.Fatal(err)
		}
		moved := money.Zero("USD")
		for _, a := range list {
			moved, _ = moved.Add(a.Amount)
			before := totals[a.Account].Sign()
			totals[a.Account], _ = totals[a.Account].Add(a.Amount)
			if after := totals[a.Account].Sign(); after != 0 && after != before {
				t.Fatalf("%s went through zero", a.Account)
			}
		}
		if !moved.IsZero() {
			t.Fatalf("the adjustments sum to %s", moved)
		}
		for account, a := range totals {
			if a.Sign()*sum.Sign() < 0 {
				t.Fatalf("%s still has %s, all together %s", account, a, sum)
			}
		}
	})
}

func line(class, amount string) invoice.Line {
	a := money.Must(amount, "EUR")
	return invoice.Line{TaxClass: class, Amount: a}
}

func TestTaxesComeFromTheTable(t *testing.T) {
	de := invoice.Party{Country: "DE", VAT: "DE1"}
	rules := append(invoice.StandardTax(de),
		invoice.TaxRule{ID: "de", Country: "DE", Percent: dec("19"), Label: "VAT 19 %", To: "2026-06-30"},
		invoice.TaxRule{ID: "de-new", Country: "DE", Percent: dec("20"), Label: "VAT 20 %", From: "2026-07-01"},
		invoice.TaxRule{ID: "fr-consumer", Country: "FR", Number: "without", Percent: dec("20"), Label: "TVA 20 %"},
		invoice.TaxRule{ID: "tx", Country: "US", Region: "TX", Class: "saas", Percent: dec("6.25"), Label: "Texas sales tax"},
	)
	for _, c := range []struct {
		name  string
		buyer invoice.Party
		day   usage.Day
		lines []invoice.Line
		want  string
	}{
		{"at home", invoice.Party{Country: "DE", VAT: "DE2"}, "2026-06-30", []invoice.Line{line("", "10.01"), line("", "10.01")}, "de 20.02 → 3.80"},
		{"at home, the day after the rate changed", invoice.Party{Country: "DE"}, "2026-07-01", []invoice.Line{line("", "10")}, "de-new 10 → 2.00"},
		{"to a company in another member state", invoice.Party{Country: "FR", VAT: "FR1"}, "2026-06-30", []invoice.Line{line("", "10")}, "reverse-charge 10 → 0.00"},
		{"to one without a number", invoice.Party{Country: "FR"}, "2026-06-30", []invoice.Line{line("", "10")}, "fr-consumer 10 → 2.00"},
		{"outside the EU", invoice.Party{Country: "CH"}, "2026-06-30", []invoice.Line{line("", "10")}, "outside 10 → 0.00"},
		{"a state that taxes one kind of line", invoice.Party{Country: "US", Region: "tx"}, "2026-06-30", []invoice.Line{line("iaas", "10"), line("saas", "4")}, "tx 4 → 0.25, outside 10 → 0.00"},
		{"a credit takes its tax back", invoice.Party{Country: "DE"}, "2026-06-30", []invoice.Line{line("", "-10.03")}, "de -10.03 → −1.91"},
	} {
		taxes, notes, err := invoice.Taxes(de, c.buyer, c.lines, c.day, rules)
		var words []string
		for _, x := range taxes {
			words = append(words, fmt.Sprintf("%s %s → %s", x.Rule, x.Base.Text(), strings.TrimSuffix(x.Amount.String(), " EUR")))
			if x.Reverse && (len(notes) != 1 || !strings.Contains(notes[0], "Reverse charge")) {
				t.Errorf("%s: the note is missing: %q", c.name, notes)
			}
		}
		if got := strings.Join(words, ", "); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.name, got, c.want, err)
		}
	}
	if _, _, err := invoice.Taxes(de, invoice.Party{Country: "IT"}, []invoice.Line{line("", "1")}, "2026-06-30", rules); !errors.Is(err, fault.Invalid) || fault.Of(err).Refusals[0].Code != "no-rule" {
		t.Errorf("a sale that no rule is for: %v", err)
	}
	twice := append(rules, invoice.TaxRule{ID: "de-too", Country: "DE", Percent: dec("7")})
	if _, _, err := invoice.Taxes(de, de, []invoice.Line{line("", "1")}, "2026-06-30", twice); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "de-too") {
		t.Errorf("two rules for one sale: %v", err)
	}
}

func TestACreditNoteTakesAllOfItBack(t *testing.T) {
	lines, err := invoice.Lines(invoice.Bill{Month: "2026-01", Charges: []rating.Charge{charge("2026-01-02", "Storage", "EU", "10.016", "USD")}}, labels, "USD")
	if err != nil {
		t.Fatal(err)
	}
	d, err := invoice.Compose(invoice.Document{ID: "1", Key: "k", Currency: "USD", Seller: usa, Buyer: usa}, lines, "2026-02-01", []invoice.TaxRule{{ID: "t", Country: "US", Percent: dec("10")}})
	if err != nil || d.Total.String() != "11.02 USD" {
		t.Fatalf("%s (%v)", d.Total, err)
	}
	if _, err := d.Credit("2", "wrong"); !errors.Is(err, fault.Conflict) {
		t.Errorf("a draft was taken back: %v", err)
	}
	d.Status, d.Number = invoice.Issued, "I-1"
	c, err := d.Credit("2", "Wrong account")
	if err != nil || c.Check() != nil || c.Total.String() != "−11.02 USD" || c.OfNumber != "I-1" || c.Number != "" || d.Lines[0].Amount.Sign() < 0 {
		t.Errorf("%+v (%v)", c, err)
	}
	c.Status = invoice.Issued
	if _, err := c.Credit("3", "wrong"); !errors.Is(err, fault.Conflict) {
		t.Errorf("a credit note was taken back: %v", err)
	}
}

func TestTheLifeOfADocument(t *testing.T) {
	for _, c := range []struct {
		from, to invoice.Status
		may      bool
	}{
		{invoice.Draft, invoice.Issued, true}, {invoice.Draft, invoice.Void, true}, {invoice.Draft, invoice.Paid, false}, {invoice.Issued, invoice.Paid, true},
		{invoice.Issued, invoice.Draft, false}, {invoice.Paid, invoice.Void, false}, {invoice.Void, invoice.Issued, false},
	} {
		if c.from.May(c.to) != c.may {
			t.Errorf("%s → %s: %v", c.from, c.to, !c.may)
		}
	}
}

func TestWhatDoesNotAddUpNeverLeaves(t *testing.T) {
	lines, err := invoice.Lines(invoice.Bill{Month: "2026-01", Charges: []rating.Charge{charge("2026-01-02", "Storage", "EU", "10.016", "USD")}}, labels, "USD")
	if err != nil {
		t.Fatal(err)
	}
	good, err := invoice.Compose(invoice.Document{Key: "k", Currency: "USD", Seller: usa, Buyer: usa}, lines, "2026-02-01", noTax)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*invoice.Document){
		"another total":        func(d *invoice.Document) { d.Total = usd("10.03") },
		"another line":         func(d *invoice.Document) { d.Lines[0].Amount = usd("10.03") },
		"another rounding":     func(d *invoice.Document) { d.Lines[0].Rounding = usd("0") },
		"another detail":       func(d *invoice.Document) { d.Lines[0].Details[0].Amount = usd("10.017") },
		"a margin of nothing":  func(d *invoice.Document) { d.Lines[0].Details[0].Margin = usd("1") },
		"a line with no cause": func(d *invoice.Document) { d.Lines[0].Details = nil },
	} {
		d := good
		d.Lines = []invoice.Line{good.Lines[0]}
		d.Lines[0].Details = append([]invoice.Detail(nil), good.Lines[0].Details...)
		spoil(&d)
		if d.Check() == nil {
			t.Errorf("%s: nobody noticed", name)
		}
	}
}

func TestTheCSVHasFourteenColumnsThatAddUp(t *testing.T) {
	lines, err := invoice.Lines(invoice.Bill{Month: "2026-01", Charges: []rating.Charge{
		charge("2026-01-02", "Storage", "EU West", "1.004", "USD"), charge("2026-01-31", "=cmd()", "EU West", "1.0009", "USD"),
	}}, labels, "USD")
	if err != nil {
		t.Fatal(err)
	}
	lines = append(lines, invoice.Adjustment{Account: "A", Amount: usd("-3"), Memo: "Reservation r-1 used by B"}.Line("r-1", "2026-01", "USD"))
	d, err := invoice.Compose(invoice.Document{Key: "k", Currency: "USD", Seller: usa, Buyer: usa, CostCenter: "R&D"}, lines, "2026-02-01", noTax)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := invoice.CSV(&b, d, func(string) string { return "PROD" }); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 1+1+2+1+1 {
		t.Fatalf("%d rows (%v)", len(rows), err)
	}
	on, supporting, adjustments := dec("0"), dec("0"), dec("0")
	for _, r := range rows[1:] {
		if len(r) != 14 {
			t.Errorf("%d columns: %q", len(r), r)
		}
		for _, c := range []struct {
			text string
			sum  *decimal.Decimal
		}{{r[11], &on}, {r[12], &supporting}, {r[13], &adjustments}} {
			if c.text != "" {
				*c.sum = c.sum.Add(dec(c.text))
			}
		}
		if strings.HasPrefix(r[3], "=") {
			t.Errorf("a spreadsheet would run %q", r[3])
		}
	}
	if !on.Equal(supporting) || !on.Add(adjustments).Equal(d.Net.Decimal()) {
		t.Errorf("on the invoice %s, details %s, adjustments %s, net %s", on, supporting, adjustments, d.Net)
	}
	if rows[2][4] != "PROD" || rows[2][5] != "sub-1" || rows[2][7] != "R&D" {
		t.Errorf("%q", rows[2])
	}
}
