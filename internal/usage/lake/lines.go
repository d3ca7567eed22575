package lake

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/usage"

	"github.com/duckdb/duckdb-go/v2"
)

// creditSQL is CreditOf for DuckDB.
func creditSQL(column string) string {
	return fmt.Sprintf(`CASE WHEN lower(%[1]s) LIKE '%%partner earned credit%%' THEN 'earned' WHEN lower(%[1]s) LIKE '%%azure credit%%' THEN 'azure' ELSE '' END`, column)
}

// Lines gives the lines of a reconciliation with what the daily usage says of each, and,
// as lines without a subtotal, daily usage that no line has: some customers after the
// others, of these first the lines in the order of the file.
//
// A line of usage is a plan's meter at a price over one month. It names its meter by
// product, SKU and description only; the description decides where two lines have the
// same product and SKU. A price means a credit and a charge type too. A plan is one
// customer's.
func (l *Lake) Lines(ctx context.Context, invoiced, rated string, each func(usage.Line) error) error {
	x, err := l.label(invoiced)
	if err != nil {
		return err
	}
	y, err := l.label(rated)
	if err != nil {
		return err
	}
	if x.Snapshot.Feed != usage.Invoiced || y.Snapshot.Feed != usage.Rated {
		return fault.New(fault.Invalid, "a reconciliation and daily usage are compared, not %s (%s) and %s (%s)", invoiced, x.Snapshot.Feed, rated, y.Snapshot.Feed)
	}
	s, done, err := l.session(ctx)
	if err != nil {
		return err
	}
	defer done()
	q := usage.Query{Rated: []string{rated}, Invoiced: []string{invoiced}, AnyOrder: true}
	for _, id := range []string{rated, invoiced} {
		known, err := l.tenants(ctx, s, id)
		if err != nil {
			return err
		}
		for tenant := range known {
			q.Owners = append(q.Owners, usage.Owner{Tenant: tenant, Account: tenant})
		}
	}
	turns, err := l.turns(ctx, s, q)
	if err != nil {
		return err
	}
	for _, t := range turns {
		if err := l.lines(ctx, s, invoiced, rated, t.tenants, each); err != nil {
			return err
		}
	}
	return nil
}

// lines are those of some tenants.
func (l *Lake) lines(ctx context.Context, s *session, invoiced, rated string, tenants []string, each func(usage.Line) error) error {
	lines, daily := noLines, noDaily
	files, err := l.partsOf(ctx, s, invoiced, tenants, rowsName)
	if err != nil {
		return err
	}
	if files != "" {
		lines = `SELECT file, line, day, ` + worded("SubscriptionId AS plan, ProductId AS product, SkuId AS sku, MeterDescription AS description, ChargeType AS charge_type, CustomerId AS tenant, ProductName AS category, SkuName AS subcategory, PublisherName AS publisher, UnitType AS unit, ReservationOrderId AS reservation, InvoiceNumber AS invoice, Currency AS currency, PricingCurrency AS pricing, PriceAdjustmentDescription AS adjustment") +
			`, UnitPrice AS price, EffectiveUnitPrice AS effective, BillableQuantity AS quantity, PCToBCExchangeRate AS rate, Subtotal AS subtotal, TaxTotal AS tax, TotalForCustomer AS total FROM read_parquet(` + files + `) WHERE ` + among("CustomerId", tenants)
	}
	if files, err = l.partsOf(ctx, s, rated, tenants, rowsName); err != nil {
		return err
	}
	if files != "" {
		kinds, err := l.partsOf(ctx, s, rated, tenants, kindsName)
		if err != nil {
			return err
		}
		daily = `SELECT ` + worded("k.plan AS plan, k.product AS product, k.sku AS sku, k.charge_type AS charge_type, k.pricing AS pricing, k.tenant AS tenant, k.currency AS currency, k.invoice AS invoice, k.credit AS adjustment, k.meter AS meter, k.meter_name AS meter_name, k.category AS category, k.subcategory AS subcategory, k.region AS region, k.publisher AS publisher, k.unit AS unit") +
			`, t.* FROM (SELECT kind, UnitPrice AS price, strftime(day, '%Y-%m') AS month, min(day) AS day, count(*) AS n, sum(PricingPreTaxTotal) AS priced, sum(BillingPreTaxTotal) AS cost
			FROM read_parquet(` + files + `) WHERE ` + among("CustomerId", tenants) + ` GROUP BY ALL) t JOIN (FROM read_parquet(` + kinds + `) WHERE ` + among("tenant", tenants) + `) k ON k.kind = t.kind`
	}
	const base = "plan, product, sku, charge, price, credit, pricing, month"
	err = s.run(ctx, `CREATE OR REPLACE TEMP TABLE kinds AS SELECT *, lower(charge_type) AS charge, `+creditSQL("adjustment")+` AS credit, strftime(day, '%Y-%m') AS month, trim(description) <> '' AS usage FROM (`+lines+`)`)
	if err != nil {
		return err
	}
	// What daily usage says, by the fields that lines have too.
	err = s.run(ctx, `CREATE OR REPLACE TEMP TABLE usage_kinds AS SELECT `+base+`, concat_ws(' - ', category, subcategory, meter_name, region) AS description, min(day) AS day, sum(n)::BIGINT AS n, sum(priced) AS priced, sum(cost) AS cost,
			min(tenant) AS tenant, min(currency) AS currency, min(invoice) AS invoice, min(category) AS category, min(subcategory) AS subcategory, min(publisher) AS publisher, min(unit) AS unit, min(meter) AS meter,
			min(meter_name) AS meter_name, min(region) AS region
		FROM (SELECT *, lower(charge_type) AS charge, `+creditSQL("adjustment")+` AS credit FROM (`+daily+`)) GROUP BY ALL`)
	if err != nil {
		return err
	}
	// A line that is alone with its product and SKU has all their usage, however its
	// meter is described. Of two lines that nothing tells apart the first has it.
	err = s.run(ctx, `CREATE OR REPLACE TEMP TABLE totals AS WITH l AS (
			SELECT *, count(*) FILTER (usage) OVER (PARTITION BY `+base+`) = 1 AS alone FROM kinds),
		m AS (SELECT *, CASE WHEN alone THEN '' ELSE description END AS meant, row_number() OVER (PARTITION BY usage, `+base+`, CASE WHEN alone THEN '' ELSE description END ORDER BY file, line) AS nth FROM l),
		d AS (SELECT u.*, CASE WHEN o.plan IS NOT NULL THEN '' ELSE u.description END AS meant FROM usage_kinds u LEFT JOIN (SELECT DISTINCT `+base+` FROM m WHERE usage AND alone) o USING (`+base+`)),
		e AS (SELECT `+base+`, meant, sum(n)::BIGINT AS n, sum(priced) AS priced, sum(cost) AS cost, min(day) AS day, min(description) AS description, min(tenant) AS tenant, min(currency) AS currency, min(invoice) AS invoice, min(category) AS category,
			min(subcategory) AS subcategory, min(publisher) AS publisher, min(unit) AS unit, min(meter_name) AS meter_name FROM d GROUP BY ALL)
		SELECT m.file, m.line, coalesce(m.usage, true) AS usage, coalesce(m.day, e.day) AS day, coalesce(m.plan, e.plan) AS plan, coalesce(m.product, e.product) AS product, coalesce(m.sku, e.sku) AS sku,
			coalesce(m.description, e.description) AS description, coalesce(m.charge_type, e.charge) AS charge_type, coalesce(m.tenant, e.tenant) AS tenant, coalesce(m.category, e.category) AS category,
			coalesce(m.subcategory, e.subcategory) AS subcategory, coalesce(m.publisher, e.publisher) AS publisher, coalesce(m.unit, e.unit) AS unit, coalesce(m.reservation, '') AS reservation, coalesce(m.invoice, e.invoice) AS invoice,
			coalesce(m.currency, e.currency) AS currency, coalesce(m.pricing, e.pricing) AS pricing, coalesce(m.credit, e.credit) AS credit, coalesce(m.month, e.month) AS month, coalesce(m.price, e.price) AS price,
			coalesce(m.effective, 0) AS effective, coalesce(m.quantity, 0) AS quantity, coalesce(m.rate, 0) AS rate, coalesce(m.subtotal, 0) AS subtotal, coalesce(m.tax, 0) AS tax, coalesce(m.total, 0) AS total,
			coalesce(e.n, 0) AS n, coalesce(e.priced, 0) AS priced, coalesce(e.cost, 0) AS cost
		FROM m FULL OUTER JOIN e ON m.usage AND m.nth = 1 AND m.plan = e.plan AND m.product = e.product AND m.sku = e.sku AND m.charge = e.charge AND m.price = e.price AND m.credit = e.credit AND m.pricing = e.pricing
			AND m.month = e.month AND m.meant = e.meant`)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, `SELECT coalesce(line, 0), * EXCLUDE (file, line) FROM totals ORDER BY file NULLS LAST, line, plan, product, sku, description, charge_type, price, credit, pricing, month`)
	if err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to the end below
	for rows.Next() {
		line, err := scanLine(rows)
		if err != nil {
			return err
		}
		if err := each(line); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("lake: %w", err)
	}
	return nil
}

// worded makes columns of text that are never NULL.
func worded(columns string) string {
	var out []string
	for _, c := range strings.Split(columns, ", ") {
		from, to, _ := strings.Cut(c, " AS ")
		out = append(out, fmt.Sprintf("coalesce(%s, '') AS %s", from, to))
	}
	return strings.Join(out, ", ")
}

// Without rows there are no files whose columns could be asked for.
const (
	noLines = `SELECT ''::VARCHAR AS file, 0::BIGINT AS line, DATE '1970-01-01' AS day, '' AS plan, '' AS product, '' AS sku, '' AS description, '' AS charge_type, '' AS tenant, '' AS category, '' AS subcategory, '' AS publisher,
		'' AS unit, '' AS reservation, '' AS invoice, '' AS currency, '' AS pricing, '' AS adjustment, 0::DECIMAL(38,18) AS price, 0::DECIMAL(38,18) AS effective, 0::DECIMAL(38,18) AS quantity, 0::DECIMAL(38,18) AS rate,
		0::DECIMAL(38,18) AS subtotal, 0::DECIMAL(38,18) AS tax, 0::DECIMAL(38,18) AS total WHERE false`
	noDaily = `SELECT '' AS plan, '' AS product, '' AS sku, '' AS charge_type, '' AS pricing, '' AS tenant, '' AS currency, '' AS invoice, '' AS adjustment, '' AS meter, '' AS meter_name, '' AS category, '' AS subcategory, '' AS region,
		'' AS publisher, '' AS unit, 0::BIGINT AS kind, 0::DECIMAL(38,18) AS price, '' AS month, DATE '1970-01-01' AS day, 0::BIGINT AS n, 0::DECIMAL(38,18) AS priced, 0::DECIMAL(38,18) AS cost WHERE false`
)

func scanLine(rows *sql.Rows) (usage.Line, error) {
	var x Invoiced
	var day sql.NullTime
	var price, effective, quantity, rate, subtotal, tax, total, priced, cost duckdb.Decimal
	err := rows.Scan(&x.Line, &x.Usage, &day, &x.Plan, &x.Product, &x.SKU, &x.Description, &x.Charge, &x.Tenant, &x.Category, &x.Subcategory, &x.Publisher, &x.Unit, &x.Reservation, &x.Invoice, &x.Currency, &x.Pricing, &x.Credit, &x.Month,
		&price, &effective, &quantity, &rate, &subtotal, &tax, &total, &x.DailyRows, &priced, &cost)
	if err != nil {
		return usage.Line{}, fmt.Errorf("lake: %w", err)
	}
	x.Day = usage.DayOf(day.Time)
	x.Price, x.Effective, x.Quantity, x.Rate, x.Subtotal, x.Tax, x.Total, x.Priced, x.Cost = plainOf(price), plainOf(effective), plainOf(quantity), plainOf(rate), plainOf(subtotal), plainOf(tax), plainOf(total), plainOf(priced), plainOf(cost)
	return x.Make()
}
