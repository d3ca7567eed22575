package sim

import (
	"time"

	"github.com/shopspring/decimal"
)

// billLine is a line of the reconciliation: what the invoice charges for.
type billLine struct {
	plan                    *billPlan
	product, sku, available string
	productName, skuName    string
	publisher, publisherID  string
	charge                  string // new, cycleCharge, customerCredit
	description             string // meterDescription: only usage has one
	unitType                string
	start, end              time.Time // chargeEndDate is the last day
	price, effective        decimal.Decimal
	quantity                decimal.Decimal
	subtotal, tax           decimal.Decimal
	pricing                 string
	rate                    exact
	rateMonth               time.Time
	reservation             string
	reason                  string
	adjustment              string
	term, frequency         string
	key                     uint64

	usage sums // of the daily records behind it; nothing for purchases
}

// sums are what the daily records of a line add up to.
type sums struct {
	rows     int64
	quantity sum
	billing  sum
	pricing  sum
}

// lineKey tells the lines of a block apart: one for each price.
type lineKey struct {
	price, credit exact
	earned        bool
	refund        bool
}

// lineGroup is a line in the making.
type lineGroup struct {
	lineKey
	block *block
	sums
}

// lines turns rows into invoice lines, batch by batch.
type lines struct {
	src    *source
	groups map[*block][]lineGroup
}

func (l *lines) add(r *row) {
	key := lineKey{r.price, r.credit, r.earned, r.refund}
	list := l.groups[r.b]
	for i := range list {
		if list[i].lineKey == key {
			list[i].add(r)
			return
		}
	}
	g := lineGroup{lineKey: key, block: r.b}
	g.add(r)
	l.groups[r.b] = append(list, g)
}

func (g *lineGroup) add(r *row) {
	g.rows++
	g.quantity.add(r.quantity)
	p := r.pricing()
	g.pricing.add(p)
	g.billing.add(p.times(r.b.rate))
}

const cents int32 = 2

// line is Microsoft's own arithmetic: Subtotal = ROUNDDOWN(ROUNDDOWN(EffectiveUnitPrice
// × BillableQuantity, 2) × rate, 2), the rate being that of the invoice's month. So a
// line is up to two cents nearer to zero than its daily records.
func (l *lines) line(g *lineGroup) billLine {
	b := g.block
	r := row{b: b, price: g.price, credit: g.credit}
	out := billLine{plan: b.plan, product: b.meter.product, sku: b.meter.sku, available: b.meter.availability, productName: b.meter.family.product, skuName: b.meter.skuName,
		publisher: b.meter.publisher, publisherID: b.meter.publisherID, charge: "new", description: b.meter.subject, unitType: b.meter.family.unitType,
		start: b.month.start, end: b.month.end().AddDate(0, 0, -1), price: g.price.decimal(), effective: r.effective().decimal(), quantity: g.quantity.decimal(),
		pricing: b.pricing(), rate: l.src.month.rate(b.pricing(), b.plan.currency), rateMonth: l.src.month.start, frequency: "Monthly", key: mix(b.key, uint64(g.price), uint64(g.credit)), usage: g.sums} // #nosec G115 -- mixed to an id
	if g.refund {
		out.charge, out.reason = "customerCredit", "Usage adjustment"
	}
	switch {
	case g.earned:
		out.adjustment = `["15.0% Partner earned credit for services managed"]`
	case g.credit == 100:
		out.adjustment = `["100.0% Azure credit"]`
	}
	out.subtotal = out.effective.Mul(out.quantity).Truncate(cents).Mul(out.rate.decimal()).Truncate(cents)
	return l.taxed(out)
}

// taxed adds the tax of a line, rounded down to cents.
func (l *lines) taxed(x billLine) billLine {
	x.tax = x.subtotal.Mul(l.src.month.tax).Truncate(cents)
	return x
}

// purchases are a plan's lines of the month that no daily record explains:
// reservations, other publishers' subscriptions, credits.
func (l *lines) purchases(p *billPlan) []billLine {
	m := l.src.month
	h := mix(m.seed, p.key, 31)
	if p.unmapped || len(p.entitlements) == 0 {
		return nil
	}
	var out []billLine
	buy := func(n uint64, x billLine, cost exact, quantity int64) {
		x.plan, x.start, x.end = p, m.start, m.end().AddDate(0, 0, -1)
		x.rate, x.rateMonth, x.key, x.unitType = m.rate(x.pricing, p.currency), m.start, mix(h, n), "Each"
		x.price, x.effective, x.quantity = cost.decimal(), cost.decimal(), decimal.NewFromInt(quantity)
		// Licence lines are rounded once per unit: ROUNDDOWN(EffectiveUnitPrice × rate, 2) × BillableQuantity.
		x.subtotal = x.effective.Mul(x.rate.decimal()).Truncate(cents).Mul(x.quantity)
		out = append(out, l.taxed(x))
	}
	if m.has(FeatureReservations) && h%4 == 0 {
		buy(1, billLine{product: "DZH318Z0BQ4Z", sku: "002L", available: "DZH318Z0CMNP", productName: "Reserved VM Instance", skuName: "Reserved VM Instance, Standard_D4_v5, 1 Year",
			publisher: publisherOwn, charge: "new", pricing: "USD", reservation: mixID(h, 1), term: "1 Year", frequency: "OneTime"},
			exact(9_000+h>>8%90_000)*unit/100, 1+int64(h>>24%3)) // #nosec G115 -- below 10^5
	}
	if m.has(FeatureMarketplace) && h%3 == 0 {
		pricing := "USD"
		if m.has(FeatureCurrencies) && h%2 == 0 {
			pricing = "EUR"
		}
		buy(2, billLine{product: "DZH318Z0MK01", sku: "0001", available: "DZH318Z0MK11", productName: "Contract analytics", skuName: "Contract analytics - per user", publisher: publisherElse,
			publisherID: "31330007", charge: "cycleCharge", pricing: pricing, term: "One-Month commitment for monthly billing", frequency: "Monthly"},
			exact(499+h>>12%4_000)*unit/100, 1+int64(h>>28%40)) // #nosec G115 -- below 10^4
	}
	if m.has(FeatureCredits) && h%5 == 0 {
		buy(3, billLine{product: "DZH318Z0BPS6", sku: "0001", available: "DZH318Z0BPS7", productName: "Azure plan", skuName: "Azure plan", publisher: publisherOwn,
			charge: "customerCredit", pricing: "USD", reason: "Service level agreement", frequency: "OneTime"},
			-exact(100+h>>16%5_000)*unit/100, 1) // #nosec G115 -- below 10^4
	}
	return out
}

// each calls use with every line of the source's invoice or estimate in the given
// currency ("" = all), plan by plan, each plan's purchases after its usage.
func (l *lines) each(v view, currency string, use func(x *billLine)) {
	for _, later := range []bool{false, true} {
		m, plans := l.src.month, l.src.plans
		if later {
			m, plans = l.src.prior, l.src.left
		}
		if m == nil {
			continue
		}
		for _, p := range plans {
			if currency != "" && p.currency != currency {
				continue
			}
			m.batches(p, later, func(x *batch) bool {
				l.groups = map[*block][]lineGroup{}
				x.each(v, l.add)
				for _, b := range x.blocks {
					for i := range l.groups[b] {
						line := l.line(&l.groups[b][i])
						use(&line)
					}
				}
				return true
			})
			if !later && (v.billed || v.cut > 0) {
				for _, x := range l.purchases(p) {
					use(&x)
				}
			}
		}
	}
}

// billInvoice is what Microsoft asks the partner to pay for a month and currency.
type billInvoice struct {
	number   string
	month    *billMonth
	src      *source
	currency string
	date     time.Time
	total    decimal.Decimal // with tax
	tax      decimal.Decimal
	lines    int64
	receipt  string
	sealed   Sealed
}
