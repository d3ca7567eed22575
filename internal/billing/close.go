package billing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/job"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// Reconciliation is how a month stands: both formulas, and every cause.
type Reconciliation struct {
	Month      usage.Month     `json:"month"`
	Billed     bool            `json:"billed"` // Microsoft's invoices are there, in every currency
	RatedAt    time.Time       `json:"rated_at"`
	Statements []KeptStatement `json:"statements"`
	Accounts   int             `json:"accounts"`
	Open       []AccountSide   `json:"open"` // accounts whose formula is not at zero
	Causes     []Cause         `json:"causes"`
	Undrafted  []Undrafted     `json:"undrafted"`
	Closed     bool            `json:"closed"`
	Missing    []string        `json:"missing,omitempty"` // why it cannot be closed, in words
}

// Reconcile works out both formulas of a month of service, from what is committed.
func (c *Cycle) Reconcile(ctx context.Context, a account.Actor, m usage.Month) (Reconciliation, error) {
	if err := account.May(a, account.ActBillingView, ""); err != nil {
		return Reconciliation{}, err
	}
	return c.reconcile(ctx, c.db.Read(), m)
}

func (c *Cycle) reconcile(ctx context.Context, on store.DBTX, m usage.Month) (Reconciliation, error) {
	r := Reconciliation{Month: m, Open: []AccountSide{}, Causes: []Cause{}}
	if err := m.Check(); err != nil {
		return r, err
	}
	q := sqlc.New(on)
	row, err := q.GetRated(ctx, string(m))
	if err != nil && !store.IsNone(err) {
		return r, fmt.Errorf("month %s: %w", m, err)
	}
	r.Billed, r.RatedAt = row.Billed, store.Time(row.RatedAt)
	if r.Statements, err = c.statements(ctx, on, m); err != nil {
		return r, err
	}
	for _, s := range r.Statements {
		list, err := c.Causes(ctx, s.Invoice)
		if err != nil {
			return r, err
		}
		r.Causes = append(r.Causes, list...)
	}
	if r.Undrafted, err = c.Undrafted(ctx, m); err != nil {
		return r, err
	}
	if err := c.sides(ctx, on, m, &r); err != nil {
		return r, err
	}
	r.Closed, err = c.journal.Closed(ctx, on, m)
	if err != nil {
		return r, err
	}
	r.Missing = reasons(r.mayClose())
	return r, nil
}

// sides is the second formula of every account that has usage or lines of the month.
func (c *Cycle) sides(ctx context.Context, on store.DBTX, m usage.Month, r *Reconciliation) error {
	q := sqlc.New(on)
	accounts, err := q.AccountsWithDocuments(ctx, string(m))
	if err != nil {
		return fmt.Errorf("accounts of %s: %w", m, err)
	}
	charged, err := q.AccountsCharged(ctx, string(m))
	if err != nil {
		return fmt.Errorf("accounts of %s: %w", m, err)
	}
	all := map[string]bool{}
	for _, a := range accounts {
		all[a] = true
	}
	for _, a := range charged {
		all[a.Account] = true
	}
	r.Accounts = len(all)
	for _, alias := range sortedKeys(all) {
		s, err := c.side(ctx, on, m, alias)
		if err != nil {
			return err
		}
		if !s.Unclassified.IsZero() || !s.CostGap.IsZero() {
			r.Open = append(r.Open, s)
		}
	}
	return nil
}

func (c *Cycle) side(ctx context.Context, on store.DBTX, m usage.Month, alias string) (AccountSide, error) {
	own, err := accountSetup(ctx, on, alias)
	if err != nil {
		return AccountSide{}, err
	}
	ch, err := sqlc.New(on).GetCharge(ctx, sqlc.GetChargeParams{Account: alias, Month: string(m)})
	switch {
	case store.IsNone(err):
		return AccountSide{Account: alias}, nil
	case err != nil:
		return AccountSide{}, fmt.Errorf("charges of %s: %w", alias, err)
	}
	var k kept
	if err := unpack(ch.Body, &k); err != nil {
		return AccountSide{}, fmt.Errorf("charges of %s: %w", alias, err)
	}
	currency := money.Currency(ch.Currency)
	centers, err := c.centers(ctx, on, alias, own)
	if err != nil {
		return AccountSide{}, err
	}
	var lines []invoice.Line
	for _, center := range centers {
		billed, err := c.book.Billed(ctx, on, alias, center, currency, m)
		if err != nil {
			return AccountSide{}, err
		}
		lines = append(lines, billed...)
	}
	return ReconcileAccount(alias, currency, k.Cost, lines)
}

func (r Reconciliation) mayClose() error {
	var statements []Statement
	for _, s := range r.Statements {
		if s.Carried != "" {
			s.Suspense = money.Zero(s.Suspense.Currency())
		}
		statements = append(statements, s.Statement)
	}
	var differences []Difference
	for _, x := range r.Causes {
		if x.Class == Unclassified {
			differences = append(differences, Difference{x.Class, x.Amount, "invoice, account " + x.Account, fmt.Sprint(x.Things, " differences")})
		}
	}
	var early []fault.Refusal
	if !r.Billed || len(r.Statements) == 0 {
		early = append(early, fault.Refusal{Field: "month", Code: "no-invoice", Reason: fmt.Sprintf("Microsoft's invoice for %s is not there.", r.Month), Remedy: "Wait for it; it is fetched by itself."})
	}
	for _, s := range r.Statements {
		if !s.Posted {
			early = append(early, fault.Refusal{Field: "invoice " + s.Invoice, Code: "not-posted", Reason: fmt.Sprintf("Microsoft's invoice %s is not posted.", s.Invoice), Remedy: "Find the cause of what is not explained."})
		}
	}
	err := MayClose(statements, r.Open, differences)
	if len(early) == 0 {
		return err
	}
	if f := fault.Of(err); f != nil {
		early = append(early, f.Refusals...)
	}
	return fault.Refuse(early...).In(fault.Conflict)
}

func reasons(err error) []string {
	f := fault.Of(err)
	if f == nil {
		return nil
	}
	var all []string
	for _, x := range f.Refusals {
		all = append(all, x.Reason+" "+x.Remedy)
	}
	return all
}

// Close ends a month of service: both formulas are at zero, every difference has its
// cause, and nothing belongs to nobody, or staff carried it with a reason. A month
// that is closed already stays so.
func (c *Cycle) Close(ctx context.Context, a account.Actor, m usage.Month) error {
	if err := account.May(a, account.ActBillingClose, ""); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	if m >= usage.MonthOf(c.now()) {
		return fault.New(fault.Conflict, "%s is not over yet.", m)
	}
	err := c.db.Tx(ctx, func(tx *store.Tx) error {
		r, err := c.reconcile(ctx, tx, m)
		if err != nil || r.Closed {
			return err
		}
		if err := r.mayClose(); err != nil {
			return err
		}
		job.Point("billing.close:may")
		return c.journal.Close(ctx, tx, m, a.ID())
	})
	if err == nil {
		job.Point("billing.close:done")
	}
	return err
}

// Carry lets a month be closed although a part of Microsoft's invoice belongs to
// nobody: the amount that it is now, for a reason. Another amount has to be carried
// anew.
func (c *Cycle) Carry(ctx context.Context, a account.Actor, invoice, why string) error {
	if err := account.May(a, account.ActBillingClose, ""); err != nil {
		return err
	}
	if why = strings.TrimSpace(why); why == "" || len(why) > 1000 || store.CheckText("why", why) != nil {
		return fault.Field("why", "What belongs to nobody is carried for a reason of at most 1000 bytes.", "Say why.")
	}
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		row, err := q.LockStatement(ctx, invoice)
		if err != nil {
			return store.Found(err, "There is no invoice %s of Microsoft.", invoice)
		}
		var s Statement
		if err := unmarshal(row.Body, &s); err != nil {
			return fmt.Errorf("statement of %s: %w", invoice, err)
		}
		if _, err := q.CarryStatement(ctx, sqlc.CarryStatementParams{Invoice: invoice, Carried: why, CarriedOf: s.Suspense.Text()}); err != nil {
			return fmt.Errorf("statement of %s: %w", invoice, err)
		}
		return audit.Write(ctx, tx, audit.Entry{At: c.now(), Actor: a.ID(), Action: "billing.carry", Object: "microsoft-invoice:" + invoice, Address: a.Address, Detail: map[string]any{"why": why, "amount": s.Suspense}})
	})
}
