package billing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/ledger"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/support"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

func (c *Cycle) doVendor(ctx context.Context, j job.Job) error { return c.Vendor(ctx, j.Key) }

// Vendor explains an invoice of Microsoft line by line and posts it. It waits until
// both exports of the invoice are in the lake. When it is done again and somebody
// else pays now, or Microsoft changed the data, the difference is posted.
func (c *Cycle) Vendor(ctx context.Context, id string) error {
	v, err := c.vendorData(ctx, id)
	if err != nil || v == nil {
		return err
	}
	s, causes, err := c.explainInvoice(ctx, v)
	if err != nil {
		return fmt.Errorf("invoice %s of Microsoft: %w", id, err)
	}
	job.Point("billing.vendor:explained")
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		if err := c.keepStatement(ctx, tx, v, s); err != nil {
			return err
		}
		if err := keepCauses(ctx, tx, id, bridgeInvoice, causes); err != nil {
			return err
		}
		if err := c.alarm(ctx, tx, s); err != nil {
			return err
		}
		return c.jobs.Add(ctx, tx, JobReconcile, id, struct{}{}, time.Time{})
	})
	if err != nil {
		return fmt.Errorf("invoice %s of Microsoft: %w", id, err)
	}
	job.Point("billing.vendor:posted")
	return nil
}

// vendorData is an invoice of Microsoft with its two exports.
type vendorData struct {
	id              string
	month           usage.Month
	total           money.Amount
	day             usage.Day
	partner         string
	rated, invoiced string
	first, last     usage.Day
}

// vendorData gives nil while an export is missing: loading it asks again.
func (c *Cycle) vendorData(ctx context.Context, id string) (*vendorData, error) {
	rows, err := sqlc.New(c.db.Read()).SnapshotsOfInvoice(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("snapshots of %s: %w", id, err)
	}
	v := &vendorData{id: id}
	for _, r := range rows {
		v.partner, v.month = r.Partner, usage.Month(r.Month)
		if r.Feed == string(usage.Rated) {
			v.rated = r.ID
		} else {
			v.invoiced = r.ID
		}
		if r.FirstDay != "" {
			if v.first == "" || usage.Day(r.FirstDay) < v.first {
				v.first = usage.Day(r.FirstDay)
			}
			v.last = max(v.last, usage.Day(r.LastDay))
		}
	}
	if v.rated == "" || v.invoiced == "" {
		return nil, nil
	}
	i, err := c.raw.Invoice(ctx, id)
	if err != nil {
		return nil, err
	}
	v.total, v.day = i.Total, usage.DayOf(i.Date)
	return v, nil
}

// exchange are the rates of the daily records, by their month.
type exchange map[exchangeOf]decimal.Decimal

type exchangeOf struct {
	month usage.Month
	from  money.Currency
}

func (x exchange) note(g usage.Group) error {
	k := exchangeOf{g.Day.Month(), g.PricingCurrency}
	if was, ok := x[k]; ok && !was.Equal(g.Rate) {
		return fault.New(fault.Conflict, "%s has two exchange rates from %s: %s and %s", k.month, k.from, was, g.Rate)
	}
	x[k] = g.Rate
	return nil
}

// explainInvoice is the first formula: who pays each part, and what rounding and
// exchange make of each line.
func (c *Cycle) explainInvoice(ctx context.Context, v *vendorData) (Statement, []Cause, error) {
	zero := money.Zero(v.total.Currency())
	owners, err := c.owners(ctx, c.db.Read(), v.first, v.last)
	if err != nil {
		return Statement{}, nil, err
	}
	rates, mapped, suspense := exchange{}, map[string]money.Amount{}, zero
	add := func(account string, groups []usage.Group) error {
		sum := zero
		for _, g := range groups {
			if err := plus(&sum, g.Cost); err != nil {
				return err
			}
			if g.MeterName == "" { // a charge of the reconciliation alone
				continue
			}
			if err := rates.note(g); err != nil {
				return err
			}
		}
		if account == "" {
			suspense = sum
		} else {
			mapped[account] = sum
		}
		return nil
	}
	err = c.groups(ctx, usage.Query{Rated: []string{v.rated}, Invoiced: []string{v.invoiced}, Owners: owners, AnyOrder: true}, add)
	if err != nil {
		return Statement{}, nil, err
	}
	tax, causes := zero, causes{}
	var lines []Rounded
	err = c.lake.Lines(ctx, v.invoiced, v.rated, func(l usage.Line) error {
		if l.Tax.Currency() != "" {
			if err := plus(&tax, l.Tax); err != nil {
				return err
			}
			if err := causes.add("", Difference{TaxOf, l.Tax, l.Key, "tax of the invoice"}); err != nil {
				return err
			}
		}
		if !l.Usage {
			return causes.add("", purchase(l))
		}
		daily := Daily{Priced: l.DailyPriced, Cost: l.DailyCost, Rows: l.DailyRows, Rate: rates[exchangeOf{l.Group.Day.Month(), l.Group.PricingCurrency}]}
		subtotal := l.Subtotal
		if subtotal.Currency() == "" {
			subtotal = zero
		}
		if daily.Cost.Currency() == "" {
			daily.Cost, daily.Priced = zero, money.Zero(l.Group.PricingCurrency)
		}
		r, err := Round(Billed{Key: l.Key, Subtotal: subtotal, Price: l.Price, Quantity: l.Quantity, Rate: l.Rate}, daily)
		if err != nil {
			return err
		}
		lines = append(lines, r)
		for _, d := range []Difference{{RoundingOf, r.Rounding, l.Key, r.Evidence}, {CurrencyOf, r.Exchange, l.Key, r.Evidence}, {Unclassified, r.Rest, l.Key, r.Evidence}} {
			if err := causes.add("", d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Statement{}, nil, err
	}
	s, err := Reconcile(v.id, v.total, tax, mapped, suspense, lines)
	return s, causes.list(), err
}

// purchase is a line that no daily usage has.
func purchase(l usage.Line) Difference {
	d := Difference{Purchase, l.Subtotal, l.Key, fmt.Sprintf("%s of %s, in Microsoft's invoice only", cmp.Or(l.Group.ChargeType, "charge"), cmp.Or(l.Group.Publisher, "Microsoft"))}
	switch {
	case l.Group.ThirdParty:
		d.Class = Marketplace
	case l.Group.Reservation != "":
		d.Class = Reservation
	case isCredit(l.Group.ChargeType):
		d.Class = CreditOf
	}
	return d
}

// keepStatement saves and posts, or posts what changed since.
func (c *Cycle) keepStatement(ctx context.Context, tx *store.Tx, v *vendorData, s Statement) error {
	q := sqlc.New(tx)
	row, err := q.LockStatement(ctx, v.id)
	if err != nil && !store.IsNone(err) {
		return fmt.Errorf("statement: %w", err)
	}
	posted, revision := row.Posted, row.Revision
	if s.Unclassified.IsZero() {
		var e ledger.Entry
		if posted == "" {
			e, err = VendorEntry(s, v.day)
			if closed, cerr := c.journal.Closed(ctx, tx, v.day.Month()); cerr != nil || closed {
				e.Day, err = usage.DayOf(c.now()), errors.Join(err, cerr)
			}
		} else {
			var was Statement
			if err := json.Unmarshal([]byte(posted), &was); err != nil {
				return fmt.Errorf("statement: %w", err)
			}
			e, err = changeEntry(was, s, fmt.Sprintf("microsoft:%s:%d", v.id, revision+1), usage.DayOf(c.now()))
		}
		if err != nil {
			return err
		}
		if posted == "" || len(e.Postings) > 0 {
			if err := c.post(ctx, tx, e); err != nil {
				return err
			}
			if posted != "" {
				revision++
			}
		}
		body, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("statement: %w", err)
		}
		posted = string(body)
	}
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("statement: %w", err)
	}
	return q.SaveStatement(ctx, sqlc.SaveStatementParams{
		Invoice: v.id, Month: string(v.month), Currency: string(v.total.Currency()), Body: string(body), Posted: posted, Revision: revision, ComputedAt: store.Micros(c.now()),
	})
}

// changeEntry brings what was posted to what holds now.
func changeEntry(was, now Statement, key string, day usage.Day) (ledger.Entry, error) {
	sub := func(a, b money.Amount) money.Amount {
		d, err := a.Sub(b)
		if err != nil { // one invoice has one currency
			panic(err)
		}
		return d
	}
	d := Statement{
		Invoice: now.Invoice, Total: sub(now.Total, was.Total), Mapped: map[string]money.Amount{}, Suspense: sub(now.Suspense, was.Suspense), Tax: sub(now.Tax, was.Tax),
		Rounding: sub(now.Rounding, was.Rounding), Exchange: sub(now.Exchange, was.Exchange), Unclassified: money.Zero(now.Total.Currency()),
	}
	for account := range maps.Keys(now.Mapped) {
		d.Mapped[account] = now.Mapped[account]
	}
	for account, a := range was.Mapped {
		if x, ok := d.Mapped[account]; ok {
			d.Mapped[account] = sub(x, a)
		} else {
			d.Mapped[account] = a.Neg()
		}
	}
	maps.DeleteFunc(d.Mapped, func(_ string, a money.Amount) bool { return a.IsZero() })
	if d.Total.IsZero() && d.Tax.IsZero() && d.Rounding.IsZero() && d.Exchange.IsZero() {
		return MoveEntry(key, d.Mapped, day, "Microsoft "+now.Invoice+": somebody else pays"), nil
	}
	e, err := VendorEntry(d, day)
	e.Key, e.Note = key, "Microsoft "+now.Invoice+": changed"
	e.Postings = slices.DeleteFunc(e.Postings, func(p ledger.Posting) bool { return p.Amount.IsZero() })
	return e, err
}

// alarm writes to the staff of what a person has to look at, once an invoice.
func (c *Cycle) alarm(ctx context.Context, tx *store.Tx, s Statement) error {
	if c.mail == nil || s.Suspense.IsZero() && s.Unclassified.IsZero() {
		return nil
	}
	brand, err := c.settings.BrandTx(ctx, tx)
	if err != nil {
		return err
	}
	what, words := "suspense", fmt.Sprintf("%s of Microsoft's invoice %s is charged for usage that no account is known for. Assign it: causeway billing suspense.", s.Suspense, s.Invoice)
	if !s.Unclassified.IsZero() {
		what, words = "unclassified", fmt.Sprintf("%s of Microsoft's invoice %s is not explained. It is not posted, and its month cannot be closed: causeway billing reconcile.", s.Unclassified, s.Invoice)
	}
	return c.mail.Send(ctx, tx, support.Message{Key: "billing:" + what + ":" + s.Invoice, To: brand.ContactEmail, Subject: "Microsoft's invoice " + s.Invoice + " needs a person", Text: words})
}

// statements are the invoices of Microsoft of a billing period, with their life.
func (c *Cycle) statements(ctx context.Context, on store.DBTX, m usage.Month) ([]KeptStatement, error) {
	rows, err := sqlc.New(on).StatementsOf(ctx, string(m))
	if err != nil {
		return nil, fmt.Errorf("statements of %s: %w", m, err)
	}
	var all []KeptStatement
	for _, r := range rows {
		k := KeptStatement{Posted: r.Posted != "", Carried: r.Carried, ComputedAt: store.Time(r.ComputedAt)}
		if err := json.Unmarshal([]byte(r.Body), &k.Statement); err != nil {
			return nil, fmt.Errorf("statement of %s: %w", r.Invoice, err)
		}
		if r.CarriedOf != k.Suspense.Text() {
			k.Carried = "" // it was another amount
		}
		all = append(all, k)
	}
	return all, nil
}

// KeptStatement is a statement with its life.
type KeptStatement struct {
	Statement
	Posted     bool      `json:"posted"`
	Carried    string    `json:"carried,omitempty"` // why its suspense does not stop the close
	ComputedAt time.Time `json:"computed_at"`
}
