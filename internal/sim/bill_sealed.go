package sim

import (
	"github.com/shopspring/decimal"
)

// Class names why two figures of a month differ. What it means depends on the bridge,
// that is, on the two figures:
//
//   - U are the records of usage/billed for the invoice (BillingPreTaxTotal is their
//     amount), R the lines of reconciliation/billed, B the records of usage/unbilled
//     for the invoice's month and currency as exported last before the invoice was
//     made. The period is the invoice's calendar month, UTC.
//   - A usage line is a line of R with a MeterDescription; the others are purchases.
//   - A key is (CustomerId, EntitlementId, MeterId, ResourceURI, UsageDate).
//
// All can be worked out from the exported data alone, but for ClassUnmapped, which
// needs the list of customers. Amounts are in the billing currency, exact, not rounded.
type Class string

const (
	// ClassRounding is, of BridgeInvoice, Σ Subtotal of the usage lines − Σ U −
	// ClassCurrency: Microsoft rounds each line down twice, its daily records never.
	// Of BridgeList it is Σ (BillingPreTaxTotal − UnitPrice × Quantity ×
	// PCToBCExchangeRate) of the rows without credit: products cut to ten decimals.
	ClassRounding Class = "rounding"
	// ClassCurrency, of BridgeInvoice: late records carry the rate of their own month,
	// the invoice converts at its own. Σ over the rows of U before the period of
	// PricingPreTaxTotal × (rate of the invoice's month − the row's
	// PCToBCExchangeRate), both for the row's PricingCurrency. The invoice's rate is
	// that of the usage line, or of any row within the period.
	ClassCurrency Class = "currency"
	// ClassMarketplace, of BridgeInvoice: Σ Subtotal of the purchases whose
	// PublisherName is not Microsoft.
	ClassMarketplace Class = "marketplace"
	// ClassReservation, of BridgeInvoice: Σ Subtotal of the purchases with a
	// ReservationOrderId.
	ClassReservation Class = "reservation"
	// ClassTax, of BridgeInvoice: Σ TaxTotal of all lines.
	ClassTax Class = "tax"
	// ClassCredit is, of BridgeInvoice, Σ Subtotal of the purchases with ChargeType
	// customerCredit; of BridgeUsage, the rows with that ChargeType (refunds); of
	// BridgeList, Σ (BillingPreTaxTotal − UnitPrice × Quantity × PCToBCExchangeRate)
	// of the rows with CreditType "Azure Credit Applied".
	ClassCredit Class = "credit"
	// ClassEarned is, of BridgeList, the same sum over the rows with CreditType
	// "Partner Earned Credit Applied"; of BridgeEstimate, what changed for keys whose
	// quantity is the same in U and B: credit that was granted after B.
	ClassEarned Class = "earned credit"
	// ClassLate is, of BridgeUsage, the rows with a UsageDate before the period whose
	// key has no negative row; of BridgeEstimate, the rows of keys that B does not have.
	ClassLate Class = "late usage"
	// ClassRestatement is, of BridgeUsage, the rows with a UsageDate before the period
	// whose key has a negative row (the earlier charge taken back, the right one made);
	// of BridgeEstimate, what changed for keys that B has with another quantity.
	ClassRestatement Class = "restatement"
	// ClassTransfer, of BridgeUsage: the rows of an EntitlementId that U has under
	// several customers, without those of the customer who has it on its last day.
	ClassTransfer Class = "transfer"
	// ClassUnmapped, of BridgeUsage: the rows whose CustomerId is no customer of the
	// partner (GET /v1/customers/{id} does not know it).
	ClassUnmapped Class = "unmapped"
	// ClassOrdinary, of BridgeUsage: all other rows. A row that fits several classes is
	// in the first of unmapped, transfer, credit, restatement, late usage.
	ClassOrdinary Class = "ordinary"
)

// Bridge names the two figures that its classes lead from and to.
type Bridge string

const (
	BridgeInvoice  Bridge = "invoice"  // from Σ U to the invoice's totalCharges
	BridgeUsage    Bridge = "usage"    // the parts of Σ U
	BridgeList     Bridge = "list"     // from Σ UnitPrice × Quantity × PCToBCExchangeRate of U to Σ U
	BridgeEstimate Bridge = "estimate" // from Σ B to Σ U
)

// Sealed is what the simulator planted in an invoice. A reconciler works the same out
// of the exports, and only then looks here.
type Sealed struct {
	Invoice  string        `json:"invoice"`
	Period   string        `json:"period"`
	Currency string        `json:"currency"`
	Total    string        `json:"total"`    // totalCharges
	Usage    string        `json:"usage"`    // Σ U
	List     string        `json:"list"`     // Σ UnitPrice × Quantity × PCToBCExchangeRate of U
	Estimate string        `json:"estimate"` // Σ B
	Records  int64         `json:"records"`  // rows of U
	Lines    int64         `json:"lines"`    // of R
	Entries  []SealedEntry `json:"entries"`
}

// SealedEntry is the amount of a class.
type SealedEntry struct {
	Bridge Bridge `json:"bridge"`
	Class  Class  `json:"class"`
	Amount string `json:"amount"`
	Count  int64  `json:"count"` // rows, lines or (estimate) keys
}

var sealedClasses = []struct {
	bridge Bridge
	class  Class
}{
	{BridgeInvoice, ClassRounding}, {BridgeInvoice, ClassCurrency}, {BridgeInvoice, ClassMarketplace}, {BridgeInvoice, ClassReservation}, {BridgeInvoice, ClassCredit}, {BridgeInvoice, ClassTax},
	{BridgeUsage, ClassOrdinary}, {BridgeUsage, ClassLate}, {BridgeUsage, ClassRestatement}, {BridgeUsage, ClassCredit}, {BridgeUsage, ClassTransfer}, {BridgeUsage, ClassUnmapped},
	{BridgeList, ClassEarned}, {BridgeList, ClassCredit}, {BridgeList, ClassRounding},
	{BridgeEstimate, ClassLate}, {BridgeEstimate, ClassRestatement}, {BridgeEstimate, ClassEarned},
}

// tally adds up a class while the invoice is made.
type tally struct {
	amount decimal.Decimal
	rows   sum
	count  int64
}

// sealing is the work of one invoice: its totals and its list.
type sealing struct {
	src      *source
	currency string
	seen     view
	tallies  map[Bridge]map[Class]*tally
	usage    sum
	estimate sum
	list     decimal.Decimal
	total    decimal.Decimal
	tax      decimal.Decimal
	records  int64
	lines    int64
}

func newSealing(src *source, currency string, seen view) *sealing {
	w := &sealing{src: src, currency: currency, seen: seen, tallies: map[Bridge]map[Class]*tally{}}
	for _, c := range sealedClasses {
		if w.tallies[c.bridge] == nil {
			w.tallies[c.bridge] = map[Class]*tally{}
		}
		w.tallies[c.bridge][c.class] = &tally{}
	}
	return w
}

// run goes once through everything that the invoice bills.
func (w *sealing) run() {
	l := &lines{src: w.src}
	for _, later := range []bool{false, true} {
		m, plans := w.src.month, w.src.plans
		if later {
			m, plans = w.src.prior, w.src.left
		}
		if m == nil {
			continue
		}
		for _, p := range plans {
			if p.currency != w.currency {
				continue
			}
			m.batches(p, later, func(x *batch) bool {
				l.groups = map[*block][]lineGroup{}
				x.compare(w.seen, func(_ *block, billed, seen []row) {
					for i := range billed {
						l.add(&billed[i])
					}
					w.day(later, billed, seen)
				})
				for _, b := range x.blocks {
					for i := range l.groups[b] {
						w.usageLine(l, &l.groups[b][i], later)
					}
				}
				return true
			})
			if !later {
				for _, x := range l.purchases(p) {
					w.purchase(&x)
				}
			}
		}
	}
}

// day files a resource's day under its classes.
func (w *sealing) day(later bool, billed, seen []row) {
	use, estimate := w.tallies[BridgeUsage], w.tallies[BridgeEstimate]
	var amount, before sum
	var quantity, quantityBefore exact
	restated := false
	for i := range billed {
		restated = restated || billed[i].reversal
	}
	for i := range billed {
		r := &billed[i]
		w.records++
		a := r.billing()
		quantity += r.quantity
		amount.add(a)
		w.usage.add(a)
		class := ClassOrdinary
		switch {
		case r.b.plan.unmapped:
			class = ClassUnmapped
		case r.s.ent != nil && (r.s.ent.moved || (later && r.s.ent.leaves)):
			class = ClassTransfer
		case r.refund:
			class = ClassCredit
		case restated:
			class = ClassRestatement
		case later:
			class = ClassLate
		}
		use[class].rows.add(a)
		use[class].count++
	}
	for i := range seen {
		a := seen[i].billing()
		before.add(a)
		w.estimate.add(a)
		quantityBefore += seen[i].quantity
	}
	difference := amount.decimal().Sub(before.decimal())
	var t *tally
	switch {
	case len(seen) == 0:
		t = estimate[ClassLate]
	case quantity != quantityBefore:
		t = estimate[ClassRestatement]
	case !difference.IsZero():
		t = estimate[ClassEarned]
	default:
		return
	}
	t.amount = t.amount.Add(difference)
	t.count++
}

func (w *sealing) usageLine(l *lines, g *lineGroup, later bool) {
	x := l.line(g)
	billed := g.billing.decimal()
	currency := decimal.Zero
	if later {
		currency = g.pricing.decimal().Mul(x.rate.decimal().Sub(g.block.rate.decimal()))
		w.file(BridgeInvoice, ClassCurrency, currency, g.rows)
	}
	w.file(BridgeInvoice, ClassRounding, x.subtotal.Sub(billed).Sub(currency), 1)
	list := g.price.decimal().Mul(g.quantity.decimal()).Mul(g.block.rate.decimal())
	w.list = w.list.Add(list)
	class := ClassRounding
	switch {
	case g.earned:
		class = ClassEarned
	case g.credit == 100:
		class = ClassCredit
	}
	w.file(BridgeList, class, billed.Sub(list), g.rows)
	w.close(&x)
}

func (w *sealing) purchase(x *billLine) {
	class := ClassMarketplace
	switch {
	case x.reservation != "":
		class = ClassReservation
	case x.charge == "customerCredit":
		class = ClassCredit
	}
	w.file(BridgeInvoice, class, x.subtotal, 1)
	w.close(x)
}

func (w *sealing) close(x *billLine) {
	w.lines++
	w.total = w.total.Add(x.subtotal).Add(x.tax)
	w.tax = w.tax.Add(x.tax)
	w.file(BridgeInvoice, ClassTax, x.tax, 1)
}

func (w *sealing) file(bridge Bridge, class Class, amount decimal.Decimal, count int64) {
	t := w.tallies[bridge][class]
	t.amount = t.amount.Add(amount)
	t.count += count
}

// sealed is the list, in a fixed order and with every class.
func (w *sealing) sealed(number string) Sealed {
	out := Sealed{Invoice: number, Period: w.src.month.name, Currency: w.currency, Total: w.total.StringFixed(cents), Usage: w.usage.decimal().String(),
		List: w.list.String(), Estimate: w.estimate.decimal().String(), Records: w.records, Lines: w.lines}
	for _, c := range sealedClasses {
		t := w.tallies[c.bridge][c.class]
		out.Entries = append(out.Entries, SealedEntry{c.bridge, c.class, t.amount.Add(t.rows.decimal()).String(), t.count})
	}
	return out
}
