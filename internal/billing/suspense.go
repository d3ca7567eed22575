package billing

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// Suspended is usage of a month that no account is known for.
type Suspended struct {
	Month       usage.Month  `json:"month"`
	Tenant      string       `json:"tenant"`      // Microsoft's id of the customer
	Entitlement string       `json:"entitlement"` // "" = of the plan itself
	From        usage.Day    `json:"from"`
	To          usage.Day    `json:"to"`
	Days        int          `json:"days"` // that have usage
	Rows        int64        `json:"rows"` // records
	Cost        money.Amount `json:"cost"`
	Billed      bool         `json:"billed"` // from Microsoft's invoice
}

// Suspense lists what of a month belongs to nobody, by tenant and subscription.
func (c *Cycle) Suspense(ctx context.Context, a account.Actor, m usage.Month) ([]Suspended, error) {
	if err := account.May(a, account.ActBillingView, ""); err != nil {
		return nil, err
	}
	months, err := c.months.Of(ctx, "", m, m)
	if err != nil {
		return nil, err
	}
	type key struct {
		tenant, entitlement string
		currency            money.Currency
	}
	sums, days := map[key]*Suspended{}, map[key]map[usage.Day]bool{}
	for _, x := range months {
		for _, cell := range x.Cells {
			k := key{cell.Tenant, cell.Entitlement, cell.Cost.Currency()}
			s, ok := sums[k]
			if !ok {
				s = &Suspended{Month: m, Tenant: k.tenant, Entitlement: k.entitlement, From: cell.Day, To: cell.Day, Cost: money.Zero(k.currency), Billed: x.Billed}
				sums[k], days[k] = s, map[usage.Day]bool{}
			}
			s.From, s.To, s.Rows = min(s.From, cell.Day), max(s.To, cell.Day), s.Rows+cell.Rows
			days[k][cell.Day] = true
			if err := plus(&s.Cost, cell.Cost); err != nil {
				return nil, err
			}
		}
	}
	list := []Suspended{}
	for k, s := range sums {
		s.Days = len(days[k])
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Suspended) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Entitlement, b.Entitlement), strings.Compare(string(a.Cost.Currency()), string(b.Cost.Currency())))
	})
	return list, nil
}

// Assignment says who pays for usage that no association answers.
type Assignment struct {
	Tenant      string        `json:"tenant"`      // Microsoft's id
	Entitlement string        `json:"entitlement"` // "" = all that no other answer names
	Account     account.Alias `json:"account"`
	From        usage.Day     `json:"from"`
	To          usage.Day     `json:"to"` // last UTC day
	Why         string        `json:"why"`
}

// mostDays bounds an assignment: whoever pays for longer has an association.
const mostDays = 400

// Assign gives what is in suspense to an account, for days. The months are rated
// anew, and what Microsoft billed already is moved in the ledger. An association
// comes before it.
func (c *Cycle) Assign(ctx context.Context, a account.Actor, x Assignment) error {
	if err := account.May(a, account.ActBillingChange, ""); err != nil {
		return err
	}
	for _, err := range []error{x.From.Check(), x.To.Check(), store.CheckText("tenant", x.Tenant+x.Entitlement+x.Why)} {
		if err != nil {
			return err
		}
	}
	if x.From > x.To || x.To > x.From.Add(mostDays) {
		return fault.Field("to", fmt.Sprintf("%s to %s is no span of at most %d days.", x.From, x.To, mostDays), "Choose its first and its last day.")
	}
	if x.Tenant == "" || len(x.Tenant)+len(x.Entitlement) > 200 {
		return fault.Field("tenant", "The tenant is missing.", "Copy it from the list of what is in suspense.")
	}
	if x.Why = strings.TrimSpace(x.Why); x.Why == "" || len(x.Why) > 1000 {
		return fault.Field("why", "An assignment needs a reason of at most 1000 bytes.", "Say why this account pays.")
	}
	acct, err := c.people.Account(ctx, x.Account)
	if err != nil {
		return err
	}
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		err := q.AddAssignment(ctx, sqlc.AddAssignmentParams{
			ID: store.NewID(), Tenant: x.Tenant, Entitlement: x.Entitlement, Account: string(x.Account), FromDay: string(x.From), ToDay: string(x.To), Why: x.Why,
			MadeAt: store.Micros(c.now()), MadeBy: a.ID(),
		})
		if err != nil {
			return fmt.Errorf("assign %s: %w", x.Tenant, err)
		}
		if err := c.Remap(ctx, tx, x.From.Month(), x.To.Month()); err != nil {
			return err
		}
		return audit.Write(ctx, tx, audit.Entry{Org: string(acct.Org), At: c.now(), Actor: a.ID(), Action: "billing.assign", Object: "account:" + string(x.Account), Address: a.Address, Detail: x})
	})
}

// Remap lets months be mapped and rated anew, because who pays has changed.
func (c *Cycle) Remap(ctx context.Context, tx *store.Tx, first, last usage.Month) error {
	q := sqlc.New(tx)
	invoices := map[string]bool{}
	for m := first; m <= last; m = m.Add(1) {
		rows, err := q.SnapshotsOfDays(ctx, sqlc.SnapshotsOfDaysParams{FirstDay: string(m.First()), LastDay: string(m.Last()), Month: string(m)})
		if err != nil {
			return fmt.Errorf("snapshots of %s: %w", m, err)
		}
		if len(rows) > 0 {
			if err := c.jobs.Add(ctx, tx, JobRate, string(m), struct{}{}, time.Time{}); err != nil {
				return err
			}
		}
		for _, r := range rows {
			invoices[r.Invoice] = true
		}
	}
	delete(invoices, "")
	for _, id := range sortedKeys(invoices) {
		if err := c.jobs.Add(ctx, tx, JobVendor, id, struct{}{}, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }

func unmarshal(body string, into any) error { return json.Unmarshal([]byte(body), into) }
