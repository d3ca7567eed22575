package billing

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/support"
	"causeway/internal/usage"
)

// estimated is how many months before it an estimate looks at, on pages too.
const estimated = 13

// Budgets lists an account's budgets, its own first. Who may see them is asked before.
func (c *Cycle) Budgets(ctx context.Context, alias string) ([]Budget, error) {
	rows, err := sqlc.New(c.db.Read()).BudgetsOf(ctx, alias)
	if err != nil {
		return nil, fmt.Errorf("budgets of %s: %w", alias, err)
	}
	list := make([]Budget, len(rows))
	for i, r := range rows {
		if list[i], err = budgetOf(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Budget gives one: of a subscription, or of the whole account with entitlement "".
func (c *Cycle) Budget(ctx context.Context, alias, entitlement string) (Budget, error) {
	if store.CheckText("subscription", entitlement) != nil {
		return Budget{}, fault.New(fault.NotFound, "There is no such budget.")
	}
	r, err := sqlc.New(c.db.Read()).GetBudget(ctx, sqlc.GetBudgetParams{Account: alias, Entitlement: entitlement})
	if err != nil {
		return Budget{}, store.Found(err, "There is no such budget.")
	}
	return budgetOf(r)
}

func budgetOf(r sqlc.BillingBudget) (Budget, error) {
	b := Budget{
		Account: r.Account, Entitlement: r.Entitlement, Ask: r.Ask, From: usage.Month(r.FromMonth), Owner: r.Owner, Version: r.Version,
		ChangedAt: store.Time(r.ChangedAt), ChangedBy: r.ChangedBy,
	}
	var err error
	if b.Amount, err = money.FromText(r.Amount, r.Currency); err == nil {
		err = json.Unmarshal([]byte(r.Thresholds), &b.Thresholds)
	}
	if err == nil {
		err = json.Unmarshal([]byte(r.Recipients), &b.Recipients)
	}
	if err != nil {
		return b, fmt.Errorf("budget of %s: %w", r.Account, err)
	}
	return b, nil
}

// BudgetCurrency is the currency that an account's budgets are in: the one that it is
// billed in. Before its first usage that is the one of its credit limit, or "" = any.
func (c *Cycle) BudgetCurrency(ctx context.Context, a account.Account) (money.Currency, error) {
	own, err := c.AccountSetup(ctx, string(a.Alias))
	if err != nil || own.Currency != "" {
		return own.Currency, err
	}
	now := usage.MonthOf(c.now())
	months, err := c.months.Of(ctx, string(a.Alias), now.Add(-estimated), now)
	if err != nil {
		return "", err
	}
	if n := len(months); n > 0 {
		return months[n-1].Currency, nil
	}
	return a.Currency, nil
}

// SetBudget sets a budget, or changes it on top of the version that was read; 0 = there
// is none yet. It holds from the running month on, which is looked at at once. Of what
// was told of this month, that is set back which is not reached any more.
func (c *Cycle) SetBudget(ctx context.Context, by account.Actor, b Budget) (Budget, error) {
	a, err := c.people.Account(ctx, account.Alias(b.Account))
	if err != nil {
		return b, err
	}
	if err := account.May(by, account.ActBudgetChange, a.Org); err != nil {
		return b, err
	}
	currency, err := c.BudgetCurrency(ctx, a)
	if err != nil {
		return b, err
	}
	version := b.Version
	if b, err = b.check(currency); err != nil {
		return b, err
	}
	now := c.now().UTC().Truncate(time.Microsecond)
	month := usage.MonthOf(now)
	months, err := c.months.Of(ctx, b.Account, month.Add(-estimated), month)
	if err != nil {
		return b, err
	}
	if err := c.paysFor(ctx, b, months); err != nil {
		return b, err
	}
	stands, err := c.StandsBy(ctx, b, months, month, month)
	if err != nil {
		return b, err
	}
	b.From, b.Owner, b.Version, b.ChangedAt, b.ChangedBy = month, string(by.User), version+1, now, by.ID()
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		was, err := c.writeBudget(ctx, tx, b, version)
		if err != nil {
			return err
		}
		if err := rearm(ctx, tx, b, stands, now); err != nil {
			return err
		}
		err = audit.Write(ctx, tx, audit.Entry{
			Org: string(a.Org), At: now, Actor: by.ID(), Action: "budget.set", Object: b.object(), Address: by.Address,
			Detail: map[string]any{"was": was, "is": b.facts()},
		})
		if err != nil {
			return err
		}
		return c.jobs.Add(ctx, tx, JobBudget, string(month), struct{}{}, time.Time{})
	})
	return b, err
}

func (b Budget) object() string {
	if b.Entitlement == "" {
		return "budget:" + b.Account
	}
	return "budget:" + b.Account + ":" + b.Entitlement
}

// facts is what the audit keeps of a budget. The addresses are people's: their number
// is kept alone.
func (b Budget) facts() map[string]any {
	var at []string
	for _, t := range b.Thresholds {
		at = append(at, t.String())
	}
	return map[string]any{"amount": b.Amount, "thresholds": at, "recipients": len(b.Recipients), "ask": b.Ask}
}

// paysFor refuses a subscription that the account does not pay for.
func (c *Cycle) paysFor(ctx context.Context, b Budget, months []AccountMonth) error {
	if b.Entitlement == "" {
		return nil
	}
	refused := fault.Field("subscription", "This subscription is not billed to "+b.Account+".", "Choose one of the account's subscriptions, or the whole account.")
	if len(b.Entitlement) > 100 || store.CheckText("subscription", b.Entitlement) != nil {
		return refused
	}
	n, err := sqlc.New(c.db.Read()).PaysForSubscription(ctx, sqlc.PaysForSubscriptionParams{Account: b.Account, Entitlement: b.Entitlement})
	if err != nil {
		return fmt.Errorf("subscriptions of %s: %w", b.Account, err)
	}
	if n > 0 {
		return nil
	}
	for _, m := range months {
		for _, x := range m.Cells {
			if x.Entitlement == b.Entitlement {
				return nil
			}
		}
	}
	return refused
}

// writeBudget gives what was there before, nil = nothing.
func (c *Cycle) writeBudget(ctx context.Context, tx *store.Tx, b Budget, version int64) (was map[string]any, err error) {
	q := sqlc.New(tx)
	stale := fault.New(fault.Conflict, "Somebody else changed this budget meanwhile. Load it again and repeat your change.")
	thresholds, err := json.Marshal(b.Thresholds)
	if err != nil {
		return nil, err
	}
	recipients, err := json.Marshal(append([]string{}, b.Recipients...))
	if err != nil {
		return nil, err
	}
	row, err := q.LockBudget(ctx, sqlc.LockBudgetParams{Account: b.Account, Entitlement: b.Entitlement})
	switch {
	case store.IsNone(err) && version != 0:
		return nil, stale
	case store.IsNone(err):
		err = q.AddBudget(ctx, sqlc.AddBudgetParams{
			Account: b.Account, Entitlement: b.Entitlement, Amount: b.Amount.Text(), Currency: string(b.Amount.Currency()), Thresholds: string(thresholds),
			Recipients: string(recipients), Ask: b.Ask, FromMonth: string(b.From), Owner: b.Owner, ChangedAt: store.Micros(b.ChangedAt), ChangedBy: b.ChangedBy,
		})
		if store.IsUnique(err) {
			return nil, stale
		}
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("budget of %s: %w", b.Account, err)
	case row.Version != version:
		return nil, stale
	}
	former, err := budgetOf(row)
	if err != nil {
		return nil, err
	}
	_, err = q.SetBudget(ctx, sqlc.SetBudgetParams{
		Account: b.Account, Entitlement: b.Entitlement, Amount: b.Amount.Text(), Currency: string(b.Amount.Currency()), Thresholds: string(thresholds),
		Recipients: string(recipients), Ask: b.Ask, FromMonth: string(b.From), Owner: b.Owner, ChangedAt: store.Micros(b.ChangedAt), ChangedBy: b.ChangedBy, Version: version,
	})
	return former.facts(), err
}

// rearm sets back what was told of the month and is not reached by the budget as it is
// now. What still is reached is not told again.
func rearm(ctx context.Context, tx *store.Tx, b Budget, s Standing, now time.Time) error {
	if s.Trouble != "" { // what is reached is not known
		return nil
	}
	q := sqlc.New(tx)
	rows, err := q.AlertsInForce(ctx, sqlc.AlertsInForceParams{Account: b.Account, Entitlement: b.Entitlement, Month: string(s.Month)})
	if err != nil {
		return fmt.Errorf("alerts of %s: %w", b.Account, err)
	}
	for _, r := range rows {
		t := Threshold{int(r.Percent), Basis(r.Basis)}
		if t == asksPartner {
			t = usedUp
		}
		if b.reached(t, s) {
			continue
		}
		if err := q.RearmAlert(ctx, sqlc.RearmAlertParams{ID: r.ID, Now: store.Micros(now)}); err != nil {
			return fmt.Errorf("alerts of %s: %w", b.Account, err)
		}
	}
	return nil
}

// Stands is how a budget stands in the running month.
func (c *Cycle) Stands(ctx context.Context, b Budget) (Standing, error) {
	now := usage.MonthOf(c.now())
	months, err := c.months.Of(ctx, b.Account, now.Add(-estimated), now)
	if err != nil {
		return Standing{}, err
	}
	return c.StandsBy(ctx, b, months, now, now)
}

// StandsBy is Budget.Stand, but for a month that has no price at the moment: what it cost
// is not known, and it is not zero.
func (c *Cycle) StandsBy(ctx context.Context, b Budget, months []AccountMonth, m, today usage.Month) (Standing, error) {
	s, err := b.Stand(months, m, today)
	if err != nil || s.Trouble != "" {
		return s, err
	}
	trouble, err := sqlc.New(c.db.Read()).ChargeTrouble(ctx, sqlc.ChargeTroubleParams{Account: b.Account, Month: string(m)})
	switch {
	case store.IsNone(err) || err == nil && trouble == "":
		return s, nil
	case err != nil:
		return s, fmt.Errorf("charges of %s: %w", b.Account, err)
	}
	s.Trouble, s.Estimate = "The usage of "+m.String()+" cannot be priced at the moment: the budget is not watched until it can.", nil
	return s, nil
}

// DropBudget deletes a budget. What was told of it stays on the list.
func (c *Cycle) DropBudget(ctx context.Context, by account.Actor, alias, entitlement string) error {
	a, err := c.people.Account(ctx, account.Alias(alias))
	if err != nil {
		return err
	}
	if err := account.May(by, account.ActBudgetChange, a.Org); err != nil {
		return err
	}
	b, err := c.Budget(ctx, alias, entitlement)
	if err != nil {
		return err
	}
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		n, err := q.DropBudget(ctx, sqlc.DropBudgetParams{Account: alias, Entitlement: entitlement})
		if err != nil {
			return fmt.Errorf("budget of %s: %w", alias, err)
		}
		if n == 0 {
			return fault.New(fault.NotFound, "There is no such budget.")
		}
		now := c.now()
		if err := q.RearmAll(ctx, sqlc.RearmAllParams{Account: alias, Entitlement: entitlement, Now: store.Micros(now)}); err != nil {
			return fmt.Errorf("alerts of %s: %w", alias, err)
		}
		return audit.Write(ctx, tx, audit.Entry{
			Org: string(a.Org), At: now, Actor: by.ID(), Action: "budget.delete", Object: b.object(), Address: by.Address, Detail: map[string]any{"was": b.facts()},
		})
	})
}

// Alerts lists what was told of an account's budgets, newest first, also of those that
// were deleted. Who may see them is asked before.
func (c *Cycle) Alerts(ctx context.Context, alias string, n int) ([]Alert, error) {
	rows, err := sqlc.New(c.db.Read()).AlertsOf(ctx, sqlc.AlertsOfParams{Account: alias, Batch: int32(min(max(n, 1), 1000))}) //nolint:gosec // at most 1000
	if err != nil {
		return nil, fmt.Errorf("alerts of %s: %w", alias, err)
	}
	list := make([]Alert, len(rows))
	for i, r := range rows {
		if list[i], err = alertOf(r); err != nil {
			return nil, fmt.Errorf("alert %s: %w", r.ID, err)
		}
	}
	return list, nil
}

func alertOf(r sqlc.BillingBudgetAlert) (Alert, error) {
	a := Alert{
		ID: r.ID, Account: r.Account, Entitlement: r.Entitlement, Month: usage.Month(r.Month), Threshold: Threshold{int(r.Percent), Basis(r.Basis)},
		Request: r.Request, MadeAt: store.Time(r.MadeAt),
	}
	if a.Threshold == asksPartner {
		a.Threshold, a.Asked = usedUp, true
	}
	if r.RearmedAt != 0 {
		a.RearmedAt = store.Time(r.RearmedAt)
	}
	for _, x := range []struct {
		to   *money.Amount
		text string
	}{{&a.Amount, r.Amount}, {&a.Spent, r.Spent}, {&a.End, r.MonthEnd}, {&a.Low, r.Low}, {&a.High, r.High}} {
		if x.text == "" {
			continue
		}
		var err error
		if *x.to, err = money.FromText(x.text, r.Currency); err != nil {
			return a, err
		}
	}
	return a, json.Unmarshal([]byte(r.Recipients), &a.Recipients)
}

// addressees are who is told of an account's bills: its administrators whose login is an
// address, and its billing contact. If that is nobody, the administrators of the
// organization are: they may see its bills.
func (c *Cycle) addressees(ctx context.Context, a account.Account) ([]string, error) {
	admins, err := c.people.Administrators(ctx, a.Alias)
	if err != nil {
		return nil, err
	}
	var to []string
	for _, x := range admins {
		if x.Active && support.CheckAddress(x.Login) == nil { // most are names
			to = append(to, x.Login)
		}
	}
	if support.CheckAddress(a.Contact.Email) == nil {
		to = append(to, a.Contact.Email)
	}
	if len(to) > 0 {
		return distinct(to), nil
	}
	people, err := c.people.Users(ctx, a.Org)
	if err != nil {
		return nil, err
	}
	for _, u := range people {
		if u.Active && u.Role == account.RoleAdministrator {
			to = append(to, u.Email)
		}
	}
	return distinct(to), nil
}

// distinct keeps the first of each address; its letters' case makes no other mailbox.
func distinct(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, x := range list {
		if k := strings.ToLower(x); !seen[k] {
			seen[k] = true
			out = append(out, x)
		}
	}
	return out
}
