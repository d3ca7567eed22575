package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/usage"
	"causeway/internal/usage/lake"

	"github.com/shopspring/decimal"
)

// rowsAtOnce is about how many rows of an answer are read at once.
const rowsAtOnce = 100_000

// base is what a line of usage and its daily records have in common.
type base struct {
	plan, product, sku, charge string
	price                      lake.Number
	credit                     usage.Credit
	pricing, month             string
}

// meant is a line's meter: by description only where its product and SKU do not say it.
type meant struct {
	base
	description string
}

type line struct {
	lake.Invoiced
	file string
	base base
}

// daily is what daily usage says, by the fields that lines have too.
type daily struct {
	day          int32
	rows         int64
	priced, cost lake.Number

	description, tenant, currency, invoice, category, subcategory, publisher, unit string
}

// plus adds another one of the same; of text and days the lowest is kept.
func (d *daily) plus(o daily) bool {
	if d.rows == 0 {
		*d = o
		return true
	}
	var ok [2]bool
	d.rows, d.day = d.rows+o.rows, min(d.day, o.day)
	d.priced, ok[0] = d.priced.Plus(o.priced)
	d.cost, ok[1] = d.cost.Plus(o.cost)
	for _, x := range [][2]*string{{&d.description, &o.description}, {&d.tenant, &o.tenant}, {&d.currency, &o.currency}, {&d.invoice, &o.invoice}, {&d.category, &o.category},
		{&d.subcategory, &o.subcategory}, {&d.publisher, &o.publisher}, {&d.unit, &o.unit}} {
		*x[0] = min(*x[0], *x[1])
	}
	return ok[0] && ok[1]
}

// Lines gives the lines of a reconciliation with what the daily usage says of each, in
// the order of the file; then, as lines without a subtotal, daily usage that no line has.
// Both are in memory: an invoice has few lines beside its records. What belongs together
// is found as in package lake.
func (l *Lake) Lines(ctx context.Context, invoiced, rated string, each func(usage.Line) error) error {
	x, err := l.label(ctx, invoiced)
	if err != nil {
		return err
	}
	y, err := l.label(ctx, rated)
	if err != nil {
		return err
	}
	if x.Snapshot.Feed != usage.Invoiced || y.Snapshot.Feed != usage.Rated {
		return fault.New(fault.Invalid, "a reconciliation and daily usage are compared, not %s (%s) and %s (%s)", invoiced, x.Snapshot.Feed, rated, y.Snapshot.Feed)
	}
	lines, err := l.lines(ctx, x)
	if err != nil {
		return err
	}
	all, err := l.daily(ctx, y)
	if err != nil {
		return err
	}
	// A line that is alone with its product and SKU has all their usage, however its
	// meter is described. Of two lines that nothing tells apart the first has it.
	usages := map[base]int{}
	for i := range lines {
		if lines[i].Usage {
			usages[lines[i].base]++
		}
	}
	found := map[meant]*daily{}
	for m, d := range all {
		if usages[m.base] == 1 {
			m.description = ""
		}
		if found[m] == nil {
			found[m] = &daily{}
		}
		if !found[m].plus(*d) {
			return fmt.Errorf("lake: daily usage of %s has too many digits", d.tenant)
		}
	}
	for i := range lines {
		x := &lines[i]
		if x.Usage {
			m := meant{x.base, x.Description}
			if usages[x.base] == 1 {
				m.description = ""
			}
			if d := found[m]; d != nil {
				x.DailyRows, x.Priced, x.Cost = d.rows, d.priced.Decimal(), d.cost.Decimal()
				delete(found, m)
			}
		}
		out, err := x.Make()
		if err != nil {
			return err
		}
		if err := each(out); err != nil {
			return err
		}
	}
	return rest(found, each)
}

// rest gives daily usage that no line has.
func rest(found map[meant]*daily, each func(usage.Line) error) error {
	var all []meant
	for m := range found {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b meant) int {
		return cmp.Or(cmp.Compare(a.plan, b.plan), cmp.Compare(a.product, b.product), cmp.Compare(a.sku, b.sku), cmp.Compare(found[a].description, found[b].description), cmp.Compare(a.charge, b.charge),
			a.price.Cmp(b.price), cmp.Compare(a.credit, b.credit), cmp.Compare(a.pricing, b.pricing), cmp.Compare(a.month, b.month))
	})
	for _, m := range all {
		d := found[m]
		x := lake.Invoiced{Usage: true, Day: lake.DayOf(d.day), Month: m.month, Plan: m.plan, Product: m.product, SKU: m.sku, Description: d.description, Charge: m.charge, Tenant: d.tenant, Category: d.category,
			Subcategory: d.subcategory, Publisher: d.publisher, Unit: d.unit, Invoice: d.invoice, Currency: d.currency, Pricing: m.pricing, Credit: m.credit, Price: m.price.Decimal(),
			DailyRows: d.rows, Priced: d.priced.Decimal(), Cost: d.cost.Decimal()}
		out, err := x.Make()
		if err != nil {
			return err
		}
		if err := each(out); err != nil {
			return err
		}
	}
	return nil
}

// slices of pairs: each has about rowsAtOnce rows, because pairs are hashes.
func (l *Lake) inSlices(ctx context.Context, rows int64, use func(where string) error) error {
	n := uint64(rows/rowsAtOnce) + 1 // #nosec G115 -- a count
	width := ^uint64(0)/n + 1
	for i := range n {
		where := "1"
		if n > 1 {
			where = fmt.Sprintf("pair BETWEEN %d AND %d", i*width, i*width+width-1)
			if i == n-1 {
				where = fmt.Sprintf("pair >= %d", i*width)
			}
		}
		if err := l.proven(ctx, func() error { return use(where) }); err != nil {
			return err
		}
	}
	return nil
}

// lines are those of a reconciliation in the order of its files.
func (l *Lake) lines(ctx context.Context, x label) ([]line, error) {
	var out []line
	if x.Loaded.Rows == 0 {
		return nil, nil
	}
	words := map[string]string{}
	err := l.inSlices(ctx, x.Loaded.Rows, func(where string) error {
		r, err := l.read(ctx, fmt.Sprintf("SELECT part, line, day, SubscriptionId, ProductId, SkuId, MeterDescription, ChargeType, CustomerId, ProductName, SkuName, PublisherName, UnitType, ReservationOrderId, "+
			"InvoiceNumber, Currency, PricingCurrency, PriceAdjustmentDescription, UnitPrice, EffectiveUnitPrice, BillableQuantity, PCToBCExchangeRate, Subtotal, TaxTotal, TotalForCustomer FROM %s WHERE load = %d AND %s", rowsOf(usage.Invoiced), x.load, where))
		if err != nil {
			return err
		}
		var some []line
		for r.more() {
			var n line
			part := int(r.uint32())
			n.Line, n.Day = r.int64(), lake.DayOf(r.int32())
			adjustment := ""
			for _, to := range []*string{&n.Plan, &n.Product, &n.SKU, &n.Description, &n.Charge, &n.Tenant, &n.Category, &n.Subcategory, &n.Publisher, &n.Unit, &n.Reservation, &n.Invoice, &n.Currency, &n.Pricing, &adjustment} {
				w := r.text()
				if _, ok := words[w]; !ok {
					words[w] = w
				}
				*to = words[w]
			}
			price := r.number()
			n.Price = price.Decimal()
			for _, to := range []*decimal.Decimal{&n.Effective, &n.Quantity, &n.Rate, &n.Subtotal, &n.Tax, &n.Total} {
				*to = r.number().Decimal()
			}
			if r.broken || part >= len(x.Snapshot.Files) {
				return errCut
			}
			n.file, n.Usage, n.Credit, n.Month = x.Snapshot.Files[part].Name, strings.Trim(n.Description, " ") != "", lake.CreditOf(adjustment), string(n.Day.Month())
			n.base = base{n.Plan, n.Product, n.SKU, strings.ToLower(n.Charge), price, n.Credit, n.Pricing, n.Month}
			some = append(some, n)
		}
		out = append(out, some...)
		return nil
	})
	if err == nil && int64(len(out)) != x.Loaded.Rows {
		err = differs("snapshot %s has %d lines, %d were read", x.Snapshot.ID, x.Loaded.Rows, len(out))
	}
	slices.SortFunc(out, func(a, b line) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.Line, b.Line)) })
	return out, err
}

// daily is what a month's daily usage says.
func (l *Lake) daily(ctx context.Context, y label) (map[meant]*daily, error) {
	out := map[meant]*daily{}
	if y.Loaded.Rows == 0 {
		return out, nil
	}
	rows := int64(0)
	err := l.inSlices(ctx, y.Loaded.Rows/10, func(where string) error {
		some, err := l.dailyOf(ctx, y, where)
		if err != nil {
			return err
		}
		for _, x := range some {
			rows += x.rows
			if out[x.meant] == nil {
				out[x.meant] = &daily{}
			}
			if !out[x.meant].plus(x.daily) {
				return fmt.Errorf("lake: daily usage of %s has too many digits", x.tenant)
			}
		}
		return nil
	})
	if err == nil && rows != y.Loaded.Rows {
		err = differs("snapshot %s has %d rows, %d were added up", y.Snapshot.ID, y.Loaded.Rows, rows)
	}
	return out, err
}

type dailyOf struct {
	meant
	daily
}

func (l *Lake) dailyOf(ctx context.Context, y label, where string) ([]dailyOf, error) {
	n := lake.NamesOf(usage.Rated)
	r, err := l.read(ctx, fmt.Sprintf("SELECT kind, price, plan, product, sku, charge_type, pricing, tenant, currency, invoice, credit, meter_name, category, subcategory, region, publisher, unit FROM %s WHERE load = %d AND %s", kinds, y.load, where))
	if err != nil {
		return nil, err
	}
	known, words := map[int64]dailyOf{}, map[string]string{}
	for r.more() {
		var d dailyOf
		var adjustment, meter, region string
		id := r.int64()
		d.price = r.number()
		for _, to := range []*string{&d.plan, &d.product, &d.sku, &d.charge, &d.pricing, &d.tenant, &d.currency, &d.invoice, &adjustment, &meter, &d.category, &d.subcategory, &region, &d.publisher, &d.unit} {
			w := r.text()
			if _, ok := words[w]; !ok {
				words[w] = w
			}
			*to = words[w]
		}
		d.charge, d.credit = strings.ToLower(d.charge), lake.CreditOf(adjustment)
		d.meant.description = strings.Join([]string{d.category, d.subcategory, meter, region}, " - ")
		d.daily.description = d.meant.description
		known[id] = d
	}
	if r.broken {
		return nil, errCut
	}
	r, err = l.read(ctx, fmt.Sprintf("SELECT kind, month, min(day), count(), sum(%s), sum(%s) FROM %s WHERE load = %d AND %s GROUP BY kind, month", n.Paid, n.Cost, rowsOf(usage.Rated), y.load, where))
	if err != nil {
		return nil, err
	}
	var out []dailyOf
	for r.more() {
		id, month := r.int64(), r.int32()
		d, ok := known[id]
		if !ok {
			return nil, differs("no kind %d of load %d", id, y.load)
		}
		d.month = fmt.Sprintf("%04d-%02d", month/12, month%12+1)
		d.day, d.rows, d.priced, d.cost = r.int32(), r.int64(), r.number(), r.number()
		out = append(out, d)
	}
	if r.broken {
		return nil, errCut
	}
	return out, nil
}
