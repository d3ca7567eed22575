package billing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"github.com/shopspring/decimal"
	"slices"
	"strings"
	"sync"
	"time"

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

func (c *Cycle) doRate(ctx context.Context, j job.Job) error {
	m, err := monthOf(j)
	if err != nil {
		return err
	}
	return c.Rate(ctx, m)
}

// rated is what came of one account's month.
type rated struct {
	AccountMonth
	charges []rating.Charge // added up as invoices show them
	covered []covered
	split   []rating.Line
	trouble string // why it has no price

	same             bool // as it is kept already
	hash             string
	charged, dayWise []byte // packed: charges and cells
}

// kept is what the table of charges holds of a month.
type kept struct {
	Charges []rating.Charge `json:"charges"`
	Covered []covered       `json:"covered,omitempty"`
	Split   []rating.Line   `json:"split,omitempty"`
	Cost    money.Amount    `json:"cost"` // Microsoft's, also of what could not be priced
}

// covered is usage that a reservation paid for; Microsoft sends it without a price.
type covered struct {
	Order       string          `json:"order"` // of the reservation
	Entitlement string          `json:"entitlement"`
	Quantity    decimal.Decimal `json:"quantity"` // in the unit of the meter, such as hours
}

// together is how many accounts are written in one transaction: one alone would cost
// a flush of the disk each.
const together = 100

// Rate prices a month of service of every account: by Microsoft's invoices where they
// are there, else by its newest estimate. What did not change is not written again.
// An account that cannot be priced stops no other one.
func (c *Cycle) Rate(ctx context.Context, m usage.Month) error {
	src, err := c.sourcesOf(ctx, c.db.Read(), m)
	if err != nil || len(src.billed) == 0 {
		return err
	}
	owners, err := c.owners(ctx, c.db.Read(), m.First(), m.Last())
	if err != nil {
		return err
	}
	tags, err := c.tagNames(ctx)
	if err != nil {
		return err
	}
	known, err := sqlc.New(c.db.Read()).ChargeHashes(ctx, string(m))
	if err != nil {
		return fmt.Errorf("rate %s: %w", m, err)
	}
	hashes := map[string]string{}
	for _, k := range known {
		hashes[k.Account] = k.Hash
	}
	seen, err := c.rateAll(ctx, m, src, owners, tags, hashes)
	if err != nil {
		return fmt.Errorf("rate %s: %w", m, err)
	}
	job.Point("billing.rate:accounts")
	basis, err := json.Marshal([]any{src.rated, src.invoiced, owners, tags})
	if err != nil {
		return fmt.Errorf("rate %s: %w", m, err)
	}
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		err := sqlc.New(tx).SaveRated(ctx, sqlc.SaveRatedParams{
			Month: string(m), Basis: hashOf(basis), Billed: src.whole(), Accounts: int64(seen), RatedAt: store.Micros(c.now()),
		})
		if err != nil {
			return err
		}
		for _, closing := range c.open(m) {
			if err := c.jobs.Add(ctx, tx, JobDraft, string(closing), struct{}{}, time.Time{}); err != nil {
				return err
			}
		}
		return c.jobs.Add(ctx, tx, JobBudget, string(m), struct{}{}, time.Time{})
	})
	if err == nil {
		job.Point("billing.rate:done")
	}
	return err
}

// open are the months whose bills a month of service may still be on.
func (c *Cycle) open(m usage.Month) []usage.Month {
	now := usage.MonthOf(c.now())
	var all []usage.Month
	for x := max(m, now.Add(-2)); x <= now; x = x.Add(1) {
		all = append(all, x)
	}
	return all
}

// rateAll fans out by account; accounts are written in order, a hundred together.
func (c *Cycle) rateAll(ctx context.Context, m usage.Month, src sources, owners []usage.Owner, tags []string, hashes map[string]string) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	type work struct {
		account string
		groups  []usage.Group
		out     chan<- rated
	}
	in := make(chan work)
	order := make(chan chan rated, 4*c.workers) // results in the order of accounts
	var busy sync.WaitGroup
	for range c.workers {
		busy.Go(func() {
			for w := range in {
				r, err := c.rateOne(ctx, m, w.account, w.groups, src)
				if err == nil {
					err = r.pack(hashes[w.account])
				}
				if err != nil {
					cancel(err)
				}
				w.out <- r
			}
		})
	}
	seen := map[string]bool{}
	give := func(account string, groups []usage.Group) error {
		seen[account] = true
		out := make(chan rated, 1)
		select {
		case order <- out:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case in <- work{account, groups, out}:
			return nil
		case <-ctx.Done():
			close(out)
			return context.Cause(ctx)
		}
	}
	feed := func() error {
		err := c.groups(ctx, usage.Query{Rated: src.rated, Invoiced: src.invoiced, Owners: owners, Tags: tags, AnyOrder: true}, func(account string, groups []usage.Group) error {
			groups = slices.DeleteFunc(groups, func(g usage.Group) bool { return g.Day.Month() != m })
			if len(groups) == 0 {
				return nil
			}
			return give(account, groups)
		})
		// Accounts without usage: they may have fees, or had usage that is another's now.
		rest := map[string]bool{}
		for _, o := range owners {
			rest[o.Account] = true
		}
		for account := range hashes {
			rest[account] = true
		}
		for _, account := range sortedKeys(rest) {
			if err == nil && !seen[account] {
				err = give(account, nil)
			}
		}
		return err
	}
	fed := make(chan error, 1)
	go func() {
		defer close(order)
		err := feed()
		close(in)
		busy.Wait()
		fed <- err
	}()
	werr := c.writeAll(ctx, order)
	if werr != nil {
		cancel(werr)
	}
	for range order { // whoever gives more is not held up
	}
	if err := <-fed; werr == nil {
		werr = err
	}
	if cause := context.Cause(ctx); werr == nil && cause != nil {
		werr = cause
	}
	return len(seen), werr
}

// groups asks the lake, which has nothing to say without a snapshot. A lake that lost
// one, or that another worker loaded it into, reads it anew from the raw files.
func (c *Cycle) groups(ctx context.Context, q usage.Query, each func(string, []usage.Group) error) error {
	if len(q.Rated) == 0 && len(q.Invoiced) == 0 {
		return nil
	}
	for _, id := range slices.Concat(q.Rated, q.Invoiced) {
		s, err := c.raw.Snapshot(ctx, id)
		if err == nil {
			_, err = c.lake.Load(ctx, s, c.raw) // what is there already is not read
		}
		if err != nil {
			return fmt.Errorf("snapshot %s: %w", id, err)
		}
	}
	return c.lake.Groups(ctx, q, each)
}

func (c *Cycle) writeAll(ctx context.Context, order <-chan chan rated) error {
	var batch []rated
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := c.db.Tx(ctx, func(tx *store.Tx) error {
			for _, r := range batch {
				if err := c.writeRated(ctx, tx, r); err != nil {
					return err
				}
			}
			return nil
		})
		batch = batch[:0]
		job.Point("billing.rate:batch")
		return err
	}
	for out := range order {
		select {
		case r, ok := <-out:
			if !ok || ctx.Err() != nil {
				return context.Cause(ctx)
			}
			batch = append(batch, r)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if len(batch) == together {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// pack makes what is kept of a month, unless it is what is kept already.
func (r *rated) pack(was string) error {
	body, err := json.Marshal(kept{r.charges, r.covered, r.split, r.Cost})
	if err != nil {
		return err
	}
	cells, err := json.Marshal(r.Cells) // a day that moved changes no line, and pages show it
	if err != nil {
		return err
	}
	r.hash = hashOf(body, cells, fmt.Appendf(nil, "%s %v %s", r.Currency, r.Billed, r.trouble))
	if r.same = r.hash == was || was == "" && len(r.charges) == 0 && len(r.Cells) == 0 && r.trouble == ""; r.same {
		return nil
	}
	if r.charged, err = pack(body); err == nil {
		r.dayWise, err = packCells(r.Cells)
	}
	return err
}

func (c *Cycle) writeRated(ctx context.Context, tx *store.Tx, r rated) (err error) {
	switch {
	case r.same:
		return nil
	case len(r.Cells) == 0:
		err = c.months.Forget(ctx, tx, r.Account, r.Month)
	default:
		err = c.months.save(ctx, tx, r.AccountMonth, r.dayWise)
	}
	if err != nil {
		return err
	}
	return sqlc.New(tx).SaveCharge(ctx, sqlc.SaveChargeParams{
		Account: r.Account, Month: string(r.Month), Currency: string(r.Currency), Billed: r.Billed, Trouble: r.trouble, Body: r.charged, Hash: r.hash,
	})
}

// rateOne prices an account's month. What the account or the price list is to blame
// for is its trouble; an error is ours.
func (c *Cycle) rateOne(ctx context.Context, m usage.Month, alias string, groups []usage.Group, src sources) (rated, error) {
	r := rated{AccountMonth: AccountMonth{Account: alias, Month: m, Billed: len(src.billed) > 0, RatedAt: c.now().UTC().Truncate(time.Microsecond)}}
	bought := money.Currency("")
	for _, g := range groups {
		bought = g.Currency
		r.Billed = r.Billed && src.billed[g.Currency]
		r.AsOf = max(r.AsOf, g.Day)
	}
	if len(groups) == 0 {
		r.Billed = src.whole()
		for currency := range src.billed {
			bought = max(bought, currency)
		}
	}
	setup, err := c.AccountSetup(ctx, alias)
	if err != nil {
		return r, err
	}
	r.Currency = cmp.Or(setup.Currency, bought)
	if err := r.empty(bought); err != nil {
		return r, err
	}
	for _, g := range groups {
		if err := plus(&r.Cost, g.Cost); err != nil {
			r.trouble = err.Error()
			break
		}
	}
	var charges []rating.Charge
	if alias != "" && r.trouble == "" {
		charges, err = c.price(ctx, m, alias, r.Currency, groups, &r)
		switch {
		case fault.KindOf(err) != "":
			r.trouble, charges = err.Error(), nil
		case err != nil:
			return r, err
		}
	}
	if charges == nil { // nobody's, or without a price: what it costs is known all the same
		r.Cells, err = costCells(groups, r.Currency)
		return r, err
	}
	return r, r.fill(charges)
}

func (r *rated) empty(bought money.Currency) error {
	if bought == "" {
		return fault.New(fault.Invalid, "there is no currency for %s", r.Account)
	}
	z := money.Zero(r.Currency)
	r.Sell, r.Cost, r.Sold, r.Margin, r.Earned, r.Gain = z, money.Zero(bought), z, z, z, z
	return nil
}

func (c *Cycle) price(ctx context.Context, m usage.Month, alias string, currency money.Currency, groups []usage.Group, r *rated) ([]rating.Charge, error) {
	terms, err := c.prices.Terms(ctx, c.db.Read(), account.Alias(alias), currency, m)
	if err != nil {
		return nil, err
	}
	charges, err := rating.Month(m, groups, terms)
	if err != nil {
		return nil, err
	}
	if len(terms) > 0 {
		r.split = terms[len(terms)-1].List.Lines
	}
	if charges == nil {
		charges = []rating.Charge{}
	}
	return charges, nil
}

// place is where a charge stands on an invoice, and in which of its rows.
type place struct {
	line, label, tenant, entitlement, service, region string
	kind                                              rating.Kind
	terms                                             rating.Ref
}

// fill adds charges up: by day and service for pages, by what invoices show for them.
func (r *rated) fill(charges []rating.Charge) error {
	cells, places := map[Cell]*Cell{}, map[place]*rating.Charge{}
	for _, ch := range charges {
		service := invoice.Service(ch)
		at := Cell{Day: ch.Group.Day, Kind: ch.Kind, Line: ch.Line, Tenant: ch.Group.Tenant, Entitlement: ch.Group.Entitlement, Category: service, Region: ch.Group.Region}
		cell, ok := cells[at]
		if !ok {
			made := at
			made.Sell, made.Cost = money.Zero(r.Currency), money.Zero(ch.Cost.Currency())
			cell = &made
			cells[at] = cell
		}
		cell.Rows += ch.Group.Rows
		where := place{ch.Line, ch.Label, ch.Group.Tenant, ch.Group.Entitlement, service, ch.Group.Region, ch.Kind, ch.Terms}
		sum, ok := places[where]
		if !ok {
			z := money.Zero(r.Currency)
			sum = &rating.Charge{
				Kind: ch.Kind, Line: ch.Line, Label: ch.Label, Rule: "", Terms: ch.Terms, Cost: money.Zero(ch.Cost.Currency()), SoldCost: z, Sell: z, Margin: z, Earned: z, Gain: z,
				Group: usage.Group{Key: usage.Key{Day: r.Month.First(), Tenant: ch.Group.Tenant, Entitlement: ch.Group.Entitlement, Category: service, Region: ch.Group.Region}},
			}
			places[where] = sum
		}
		sum.Group.Rows += ch.Group.Rows
		if g := &ch.Group; g.Reservation != "" && !g.Quantity.IsZero() {
			i := slices.IndexFunc(r.covered, func(x covered) bool { return x.Order == g.Reservation && x.Entitlement == g.Entitlement })
			if i < 0 {
				i, r.covered = len(r.covered), append(r.covered, covered{Order: g.Reservation, Entitlement: g.Entitlement})
			}
			r.covered[i].Quantity = r.covered[i].Quantity.Add(g.Quantity)
		}
		for _, x := range []struct {
			sum *money.Amount
			a   money.Amount
		}{
			{&cell.Sell, ch.Sell}, {&cell.Cost, ch.Cost}, {&sum.Cost, ch.Cost}, {&sum.SoldCost, ch.SoldCost}, {&sum.Sell, ch.Sell}, {&sum.Margin, ch.Margin},
			{&sum.Earned, ch.Earned}, {&sum.Gain, ch.Gain}, {&r.Sell, ch.Sell}, {&r.Sold, ch.SoldCost}, {&r.Margin, ch.Margin}, {&r.Earned, ch.Earned}, {&r.Gain, ch.Gain},
		} {
			if err := plus(x.sum, x.a); err != nil {
				return err
			}
		}
	}
	for _, cell := range cells {
		r.Cells = append(r.Cells, *cell)
	}
	slices.SortFunc(r.Cells, compareCells)
	for _, sum := range places {
		r.charges = append(r.charges, *sum)
	}
	slices.SortFunc(r.covered, func(a, b covered) int {
		return cmp.Or(strings.Compare(a.Order, b.Order), strings.Compare(a.Entitlement, b.Entitlement))
	})
	slices.SortFunc(r.charges, func(a, b rating.Charge) int {
		return cmp.Or(strings.Compare(a.Line, b.Line), strings.Compare(a.Group.Tenant, b.Group.Tenant), strings.Compare(a.Group.Entitlement, b.Group.Entitlement), strings.Compare(a.Group.Category, b.Group.Category),
			strings.Compare(a.Group.Region, b.Group.Region), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Label, b.Label), strings.Compare(a.Terms.List, b.Terms.List), cmp.Compare(a.Terms.Version, b.Terms.Version))
	})
	return nil
}

func compareCells(a, b Cell) int {
	return cmp.Or(strings.Compare(string(a.Day), string(b.Day)), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Entitlement, b.Entitlement), strings.Compare(a.Category, b.Category),
		strings.Compare(a.Region, b.Region), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Line, b.Line), strings.Compare(string(a.Cost.Currency()), string(b.Cost.Currency())))
}

// costCells are cells without a price.
func costCells(groups []usage.Group, c money.Currency) ([]Cell, error) {
	type at struct {
		Cell
		bought money.Currency
	}
	cells := map[at]*Cell{}
	for _, g := range groups {
		k := at{Cell{Day: g.Day, Kind: rating.KindUsage, Tenant: g.Tenant, Entitlement: g.Entitlement, Category: invoice.Service(rating.Charge{Group: g}), Region: g.Region}, g.Currency}
		cell, ok := cells[k]
		if !ok {
			made := k.Cell
			made.Sell, made.Cost = money.Zero(c), money.Zero(g.Currency)
			cell = &made
			cells[k] = cell
		}
		cell.Rows += g.Rows
		if err := plus(&cell.Cost, g.Cost); err != nil {
			return nil, err
		}
	}
	var list []Cell
	for _, cell := range cells {
		list = append(list, *cell)
	}
	slices.SortFunc(list, compareCells)
	return list, nil
}

// tagNames are the tags that any price list looks at.
func (c *Cycle) tagNames(ctx context.Context) ([]string, error) {
	lists, err := c.prices.Lists(ctx, account.System())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, v := range lists {
		names = append(names, v.List.TagNames()...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func hashOf(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = fmt.Fprintf(h, "%d\n", len(p))
		_, _ = h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
