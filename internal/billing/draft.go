package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"causeway/internal/account"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/job"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/usage"
)

func (c *Cycle) doDraft(ctx context.Context, j job.Job) error {
	m, err := monthOf(j)
	if err != nil {
		return err
	}
	return c.Draft(ctx, m)
}

// waiting is the reason of a bill that is not drafted because Microsoft's invoice is
// not there yet: nobody has to act.
type waiting string

func (w waiting) Error() string { return string(w) }

// bill is what an account gets for a month: at most one document for each cost center,
// and one more for each month that is settled by itself.
type bill struct {
	docs    []invoice.Document
	void    []string // ids of drafts that nothing is left of
	months  map[usage.Month]string
	trouble error
}

// refuse notes what a person has to do; any other error is given back.
func (b *bill) refuse(err error) error {
	if fault.KindOf(err) == "" {
		return err
	}
	b.trouble = err
	return nil
}

// Draft makes the drafts of the bills that close a month, in place of those that were
// made before. What was issued stays. A bill that cannot be made is listed with its
// reason, and stops no other.
func (c *Cycle) Draft(ctx context.Context, closing usage.Month) error {
	accounts, err := sqlc.New(c.db.Read()).AccountsToBill(ctx, sqlc.AccountsToBillParams{First: string(closing.Add(-lookBack)), Last: string(closing)})
	if err != nil {
		return fmt.Errorf("draft %s: %w", closing, err)
	}
	setup, err := c.Setup(ctx)
	if err != nil {
		return err
	}
	labels, err := c.labels(ctx)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(accounts, together) {
		bills := make([]bill, len(batch))
		errs := make([]error, len(batch))
		var busy sync.WaitGroup
		slots := make(chan struct{}, c.workers)
		for i, alias := range batch {
			slots <- struct{}{}
			busy.Go(func() {
				defer func() { <-slots }()
				bills[i], errs[i] = c.bill(ctx, c.db.Read(), alias, closing, setup, labels)
			})
		}
		busy.Wait()
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("draft %s: %w", closing, err)
		}
		err := c.db.Tx(ctx, func(tx *store.Tx) error {
			for i, alias := range batch {
				if err := c.keepBill(ctx, tx, alias, closing, bills[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("draft %s: %w", closing, err)
		}
		job.Point("billing.draft:batch")
	}
	if err := c.share(ctx, closing, setup); err != nil {
		return fmt.Errorf("draft %s: %w", closing, err)
	}
	if setup.Spread {
		if err := c.spread(ctx, closing); err != nil {
			return fmt.Errorf("draft %s: %w", closing, err)
		}
	}
	job.Point("billing.draft:done")
	return nil
}

// lookBack is how many months before it a bill may correct; see invoice.DueAt.
const lookBack = 14

func (c *Cycle) labels(ctx context.Context) (invoice.Labels, error) {
	brand, err := c.settings.Brand(ctx)
	return invoice.Labels{Line: brand.LineLabel, Late: brand.LateLineLabel}, err
}

func (c *Cycle) keepBill(ctx context.Context, tx *store.Tx, alias string, closing usage.Month, b bill) error {
	q := sqlc.New(tx)
	var err error
	if b.trouble != nil {
		var w waiting
		err = q.SaveUndrafted(ctx, sqlc.SaveUndraftedParams{Month: string(closing), Account: alias, Reason: b.trouble.Error(), Waits: errors.As(b.trouble, &w), Since: store.Micros(c.now())})
	} else {
		err = q.ForgetUndrafted(ctx, sqlc.ForgetUndraftedParams{Month: string(closing), Account: alias})
	}
	if err != nil {
		return err
	}
	for _, d := range b.docs {
		if _, err := c.book.Draft(ctx, tx, d); err != nil {
			return err
		}
	}
	for _, id := range b.void {
		if _, err := c.book.Drop(ctx, tx, invoice.ID(id), account.System().ID()); err != nil {
			return err
		}
	}
	return nil
}

// bill works out what an account gets for a month, from what is committed: charges,
// and the lines of numbered documents. An error is ours; what a person has to do, or
// Microsoft, is the bill's trouble: then nothing is left of drafts made before, which
// knew less of the month.
func (c *Cycle) bill(ctx context.Context, on store.DBTX, alias string, closing usage.Month, setup Setup, labels invoice.Labels) (bill, error) {
	b, err := c.lines(ctx, on, alias, closing, setup, labels)
	if err != nil || b.trouble == nil {
		return b, err
	}
	there, err := sqlc.New(on).DocumentKeys(ctx, sqlc.DocumentKeysParams{Account: alias, Period: string(closing)})
	if err != nil {
		return b, fmt.Errorf("documents of %s: %w", alias, err)
	}
	b.docs, b.void = nil, nil
	for _, x := range there {
		if x.Status == string(invoice.Draft) {
			b.void = append(b.void, x.ID)
		}
	}
	return b, nil
}

// lines makes the documents of a month, or says what is in the way.
func (c *Cycle) lines(ctx context.Context, on store.DBTX, alias string, closing usage.Month, setup Setup, labels invoice.Labels) (bill, error) {
	b := bill{months: map[usage.Month]string{}}
	own, err := accountSetup(ctx, on, alias)
	if err != nil {
		return b, err
	}
	switches := own.switches(setup)
	rows, err := sqlc.New(on).ChargesToBill(ctx, sqlc.ChargesToBillParams{Account: alias, First: string(closing.Add(-lookBack)), Last: string(closing)})
	if err != nil {
		return b, err
	}
	known := map[usage.Month]sqlc.ChargesToBillRow{}
	for _, r := range rows {
		known[usage.Month(r.Month)] = r
	}
	since, err := sqlc.New(on).FirstBilled(ctx)
	if err != nil {
		return b, err
	}
	centers, err := c.centers(ctx, on, alias, own)
	if err != nil {
		return b, err
	}
	type part struct {
		center, settles string
	}
	lines := map[part][]invoice.Line{}
	currency := money.Currency("")
	for _, due := range invoice.DueAt(switches, closing) {
		row, ok := known[due.Service]
		if !ok || due.What == invoice.Update && (row.Hash == row.BilledHash || !row.Billed) {
			continue
		}
		if due.What == invoice.First && !due.Estimate && !row.Billed {
			b.trouble = waiting(fmt.Sprintf("Microsoft's invoice for %s is not there yet.", due.Service))
			return b, nil
		}
		ch, err := sqlc.New(on).GetCharge(ctx, sqlc.GetChargeParams{Account: alias, Month: row.Month})
		if err != nil {
			return b, err
		}
		if ch.Trouble != "" {
			b.trouble = fault.New(fault.Conflict, "%s cannot be priced: %s", due.Service, ch.Trouble)
			return b, nil
		}
		var k kept
		if err := unpack(ch.Body, &k); err != nil {
			return b, fmt.Errorf("charges of %s, %s: %w", alias, due.Service, err)
		}
		if currency == "" {
			currency = money.Currency(ch.Currency)
		}
		if currency != money.Currency(ch.Currency) {
			b.trouble = fault.New(fault.Conflict, "%s is in %s, the rest of the bill in %s: bill one of them first.", due.Service, ch.Currency, currency)
			return b, nil
		}
		any := false
		for _, center := range centers {
			billed, err := c.book.Billed(ctx, on, alias, center, currency, due.Service)
			if err != nil {
				return b, err
			}
			charges := slices.DeleteFunc(slices.Clone(k.Charges), func(x rating.Charge) bool { return own.CostCenters[x.Group.Entitlement] != center })
			late := due.What == invoice.Update && len(billed) == 0
			if len(billed) == 0 && len(charges) == 0 || late && (due.Own || since == "" || string(due.Service) < since) {
				continue // a month before the first bill of all stays unbilled
			}
			made, err := invoice.Lines(invoice.Bill{Month: due.Service, Charges: charges, Estimate: !row.Billed, Split: k.Split, Billed: billed}, labels, currency)
			if err != nil {
				return b, b.refuse(err)
			}
			p := part{center: center}
			if due.Own {
				p.settles = string(due.Service)
			}
			lines[p] = append(lines[p], made...)
			any = true
		}
		if any || due.What == invoice.First {
			b.months[due.Service] = row.Hash
		}
	}
	return b, c.compose(ctx, on, &b, alias, closing, own, setup, currency, func(give func(center, settles string, lines []invoice.Line) error) error {
		for _, p := range slices.SortedFunc(maps.Keys(lines), func(x, y part) int {
			return cmp.Or(strings.Compare(x.center, y.center), strings.Compare(x.settles, y.settles))
		}) {
			if err := give(p.center, p.settles, lines[p]); err != nil {
				return err
			}
		}
		return nil
	})
}

// centers are the cost centers that have or had a document of their own; "" = none.
func (c *Cycle) centers(ctx context.Context, on store.DBTX, alias string, own AccountSetup) ([]string, error) {
	had, err := sqlc.New(on).CostCenters(ctx, alias)
	if err != nil {
		return nil, fmt.Errorf("cost centers of %s: %w", alias, err)
	}
	all := append([]string{""}, had...)
	all = append(all, slices.Collect(maps.Values(own.CostCenters))...)
	slices.Sort(all)
	return slices.Compact(all), nil
}

// compose makes documents of lines, under keys that say what they are for.
func (c *Cycle) compose(ctx context.Context, on store.DBTX, b *bill, alias string, closing usage.Month, own AccountSetup, setup Setup, currency money.Currency,
	each func(func(center, settles string, lines []invoice.Line) error) error) error {
	seller, err := setup.seller(own.Seller)
	if err != nil {
		return b.refuse(err)
	}
	acct, err := c.people.Account(ctx, account.Alias(alias))
	if err != nil {
		return b.refuse(err)
	}
	there, err := sqlc.New(on).DocumentKeys(ctx, sqlc.DocumentKeysParams{Account: alias, Period: string(closing)})
	if err != nil {
		return fmt.Errorf("documents of %s: %w", alias, err)
	}
	made := map[string]bool{}
	err = each(func(center, settles string, lines []invoice.Line) error {
		if len(lines) == 0 {
			return nil
		}
		head := invoice.Document{
			Kind: invoice.Invoice, Entity: seller.ID, Org: string(acct.Org), Account: alias, CostCenter: center, Period: closing, Currency: currency, Seller: seller.Party, Buyer: buyer(acct, own.VAT),
		}
		base := "invoice:" + alias + ":" + string(closing)
		if settles != "" {
			head.Kind, base = invoice.Settlement, "settlement:"+alias+":"+settles+":"+string(closing)
		}
		if center != "" {
			base += ":" + center
		}
		key, issued := free(base, there)
		if issued {
			return nil
		}
		head.Key = key
		made[key] = true
		d, err := invoice.Compose(head, lines, usage.DayOf(c.now()), seller.rules())
		if err != nil {
			return b.refuse(err)
		}
		b.docs = append(b.docs, d)
		return nil
	})
	for _, x := range there {
		if x.Status == string(invoice.Draft) && !made[x.Key] {
			b.void = append(b.void, x.ID)
		}
	}
	return err
}

// free is the key of the document to draft: each one that was taken back or dropped
// leaves its key, and the next one counts on. issued: there is a document that holds.
func free(base string, there []sqlc.DocumentKeysRow) (key string, issued bool) {
	status := map[string]string{}
	for _, x := range there {
		status[x.Key] = x.Status
	}
	key = base
	for n := 2; status[key] == string(invoice.Void); n++ {
		key = fmt.Sprintf("%s:%d", base, n)
	}
	s, ok := status[key]
	return key, ok && s != string(invoice.Draft)
}

func buyer(a account.Account, vat string) invoice.Party {
	name := a.LegalName
	if name == "" {
		name = a.Name
	}
	p := invoice.Party{Name: name, Country: cmp.Or(a.Country, a.Address.Country), Region: a.Address.State, VAT: vat}
	place := a.Address.PostalCode + " " + a.Address.City
	if p.Country == "US" || p.Country == "CA" || p.Country == "AU" {
		place = a.Address.City + ", " + a.Address.State + " " + a.Address.PostalCode
	}
	for _, l := range []string{a.Address.Line1, a.Address.Line2, strings.Trim(place, ", ")} {
		if l != "" {
			p.Address = append(p.Address, l)
		}
	}
	return p
}

// Undrafted is a bill that is not drafted, and why.
type Undrafted struct {
	Account string `json:"account"`
	Reason  string `json:"reason"`
	Waits   bool   `json:"waits"` // for Microsoft's invoice; else a person has to act
}

// Undrafted lists the bills of a month that could not be drafted.
func (c *Cycle) Undrafted(ctx context.Context, closing usage.Month) ([]Undrafted, error) {
	rows, err := sqlc.New(c.db.Read()).UndraftedOf(ctx, string(closing))
	if err != nil {
		return nil, fmt.Errorf("bills of %s: %w", closing, err)
	}
	all := make([]Undrafted, len(rows))
	for i, r := range rows {
		all[i] = Undrafted{r.Account, r.Reason, r.Waits}
	}
	return all, nil
}

// spread takes the credits of an organization's accounts off its other accounts, by
// an adjustment line on each draft. With those that are issued already they sum to
// zero.
func (c *Cycle) spread(ctx context.Context, closing usage.Month) error {
	all, err := c.invoicesOf(ctx, closing)
	if err != nil {
		return err
	}
	docs := map[string][]invoice.Document{} // by organization, currency and seller
	for _, d := range all {
		if d.CostCenter == "" {
			k := d.Org + " " + string(d.Currency) + " " + d.Entity
			docs[k] = append(docs[k], d)
		}
	}
	setup, err := c.Setup(ctx)
	if err != nil {
		return err
	}
	for _, k := range slices.Sorted(maps.Keys(docs)) {
		if err := c.spreadOne(ctx, setup, docs[k]); err != nil {
			return err
		}
	}
	return nil
}

// spreadLine is the id of the line.
const spreadLine = "spread"

func (c *Cycle) spreadOne(ctx context.Context, setup Setup, docs []invoice.Document) error {
	totals, issued := map[string]money.Amount{}, money.Zero(docs[0].Currency)
	for _, d := range docs {
		net := d.Net
		for _, l := range d.Lines {
			if l.ID != spreadLine {
				continue
			}
			var err error
			if net, err = net.Sub(l.Amount); err != nil {
				return err
			}
			if d.Number == "" {
				continue
			}
			if err := plus(&issued, l.Amount); err != nil {
				return err
			}
		}
		if d.Number == "" {
			totals[d.Key] = net
		}
	}
	list, err := invoice.Spread(totals, issued)
	if err != nil || len(list) == 0 {
		return err
	}
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		for _, d := range docs {
			i := slices.IndexFunc(list, func(a invoice.Adjustment) bool { return a.Account == d.Key })
			if i < 0 || d.Number != "" {
				continue
			}
			if err := c.adjust(ctx, tx, setup, d, []invoice.Line{list[i].Line(spreadLine, d.Period, costOf(d))}); err != nil {
				return err
			}
		}
		return nil
	})
}
