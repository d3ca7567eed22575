package billing

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/job"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/support"
	"causeway/internal/usage"
)

func (c *Cycle) doBudget(ctx context.Context, j job.Job) error {
	m, err := monthOf(j)
	if err != nil {
		return err
	}
	return c.WatchBudgets(ctx, m)
}

// budgetsTogether is how many budgets are read at once.
const budgetsTogether = 200

// WatchBudgets looks at every budget of a month, and tells what is due. It runs after
// every rating: of the running month, and of the one before, whose last days become
// known in this one. A budget that cannot be looked at stops no other one; the job is
// then tried again.
func (c *Cycle) WatchBudgets(ctx context.Context, m usage.Month) error {
	today := usage.MonthOf(c.now())
	if m > today || m < today.Add(-1) {
		return nil
	}
	var failed error
	for after := (sqlc.BudgetsToWatchRow{}); ; {
		rows, err := sqlc.New(c.db.Read()).BudgetsToWatch(ctx, sqlc.BudgetsToWatchParams{Month: string(m), AfterAccount: after.Account, AfterEntitlement: after.Entitlement, Batch: budgetsTogether})
		if err != nil {
			return fmt.Errorf("budgets of %s: %w", m, err)
		}
		looks := make([]watched, len(rows))
		errs := make([]error, len(rows))
		var busy sync.WaitGroup
		slots := make(chan struct{}, c.workers)
		for i, r := range rows {
			slots <- struct{}{}
			busy.Go(func() {
				defer func() { <-slots }()
				looks[i], errs[i] = c.watch(ctx, r.Account, r.Entitlement, m, today)
			})
		}
		busy.Wait()
		for i, x := range looks {
			if job.Stopping(ctx) {
				return job.ErrStopping
			}
			if errs[i] == nil && x.tells {
				errs[i] = c.tellBudget(ctx, x)
			}
			if errs[i] != nil {
				failed = cmp.Or(failed, fmt.Errorf("budget of %s, %s: %w", rows[i].Account, m, errs[i]))
			}
		}
		if len(rows) < budgetsTogether {
			return failed
		}
		after = rows[len(rows)-1]
	}
}

// watched is a budget that was looked at.
type watched struct {
	b     Budget
	s     Standing
	tells bool // there is something to tell
}

// watch looks at one budget, and writes nothing: most have nothing to tell.
func (c *Cycle) watch(ctx context.Context, alias, entitlement string, m, today usage.Month) (x watched, err error) {
	x.b, err = c.Budget(ctx, alias, entitlement)
	if fault.KindOf(err) == fault.NotFound {
		return x, nil // deleted meanwhile
	}
	if err != nil {
		return x, err
	}
	months, err := c.months.Of(ctx, alias, m.Add(-estimated), m)
	if err != nil {
		return x, err
	}
	if x.s, err = c.StandsBy(ctx, x.b, months, m, today); err != nil {
		return x, err
	}
	told, err := inForce(ctx, c.db.Read(), x.b, m)
	x.tells = len(x.b.due(x.s, told)) > 0 || x.b.asks(x.s, told)
	return x, err
}

// tellBudget tells what is due of a budget, unless it was changed meanwhile: then it is
// looked at again.
func (c *Cycle) tellBudget(ctx context.Context, x watched) error {
	a, err := c.people.Account(ctx, account.Alias(x.b.Account))
	if err != nil {
		return err
	}
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		row, err := sqlc.New(tx).LockBudget(ctx, sqlc.LockBudgetParams{Account: x.b.Account, Entitlement: x.b.Entitlement})
		if store.IsNone(err) || err == nil && row.Version != x.b.Version {
			return nil
		}
		if err != nil {
			return err
		}
		return c.alert(ctx, tx, a, x.b, x.s)
	})
	if err == nil {
		job.Point("billing.budget:done")
	}
	return err
}

// inForce is what was told of a budget in a month and is not told again.
func inForce(ctx context.Context, on store.DBTX, b Budget, m usage.Month) (map[Threshold]bool, error) {
	rows, err := sqlc.New(on).AlertsInForce(ctx, sqlc.AlertsInForceParams{Account: b.Account, Entitlement: b.Entitlement, Month: string(m)})
	if err != nil {
		return nil, fmt.Errorf("alerts of %s: %w", b.Account, err)
	}
	told := map[Threshold]bool{}
	for _, r := range rows {
		told[Threshold{int(r.Percent), Basis(r.Basis)}] = true
	}
	return told, nil
}

// alert writes what is due, asks the partner if that was wanted, and puts the mail into
// the outbox: all of it together or nothing.
func (c *Cycle) alert(ctx context.Context, tx *store.Tx, a account.Account, b Budget, s Standing) error {
	told, err := inForce(ctx, tx, b, s.Month)
	if err != nil {
		return err
	}
	due := b.due(s, told)
	to := b.Recipients
	if len(to) == 0 {
		if to, err = c.addressees(ctx, a); err != nil {
			return err
		}
	}
	if c.mail == nil {
		to = nil
	}
	rows := due
	var request support.Request
	if c.desk != nil && b.asks(s, told) {
		if request, err = c.ask(ctx, tx, a, b, s); err != nil {
			return err
		}
		job.Point("billing.budget:asked")
		rows = append([]Threshold{asksPartner}, due...)
		if len(due) == 0 { // 100 % is no threshold of it, or was told before: it is told with the request
			due = []Threshold{usedUp}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	ids := make([]string, len(rows))
	for i, t := range rows {
		ids[i] = store.NewID()
		row, err := c.alertRow(ids[i], b, s, t, to, request.Number)
		if err != nil {
			return err
		}
		if err := sqlc.New(tx).AddAlert(ctx, row); err != nil { // the budget is locked: nobody else tells it meanwhile
			return fmt.Errorf("alert %s: %w", t, err)
		}
	}
	brand, err := c.settings.Brand(ctx)
	if err != nil {
		return err
	}
	letter := c.letter(a, b, s, due, request)
	for _, address := range to {
		letter.To, letter.Key = address, ids[0]+":"+address
		if err := c.mail.Send(ctx, tx, support.SpentMail(brand, letter)); err != nil {
			return err
		}
	}
	var at []string
	for _, t := range rows {
		at = append(at, t.String())
	}
	err = audit.Write(ctx, tx, audit.Entry{
		Org: string(a.Org), At: c.now(), Actor: account.System().ID(), Action: "budget.alert", Object: b.object(),
		Detail: map[string]any{"month": s.Month, "thresholds": at, "amount": b.Amount, "spent": s.Actual, "recipients": len(to), "request": request.Number},
	})
	if err == nil {
		job.Point("billing.budget:told") // and nothing of it is committed
	}
	return err
}

func (c *Cycle) alertRow(id string, b Budget, s Standing, t Threshold, to []string, request int64) (sqlc.AddAlertParams, error) {
	recipients, err := json.Marshal(append([]string{}, to...))
	row := sqlc.AddAlertParams{
		ID: id, Account: b.Account, Entitlement: b.Entitlement, Month: string(s.Month), Basis: string(t.Basis), Percent: int64(t.Percent),
		Amount: b.Amount.Text(), Currency: string(b.Amount.Currency()), Spent: s.Actual.Text(), Recipients: string(recipients), MadeAt: store.Micros(c.now()),
	}
	if e := s.Estimate; e != nil {
		row.MonthEnd = e.End.Text()
		if e.Known() {
			row.Low, row.High = e.Low.Text(), e.High.Text()
		}
	}
	if t == asksPartner {
		row.Request = request
	}
	return row, err
}

// ask makes the request to the partner, in the name of whoever set the budget.
func (c *Cycle) ask(ctx context.Context, tx *store.Tx, a account.Account, b Budget, s Standing) (support.Request, error) {
	who := account.User{Name: account.System().Name}
	if b.Owner != "" {
		u, err := c.people.User(ctx, account.UserID(b.Owner))
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return support.Request{}, err
		}
		if err == nil {
			who = u
		}
	}
	of := "the budget of " + b.Account
	if b.Entitlement != "" {
		of = "the budget of " + c.names(b.Entitlement) + " at " + b.Account
	}
	text := fmt.Sprintf("All of %s for %s is used: %s of %s. Whoever set it wants to be asked what to do: raise it, or change what runs.", of, s.Month, spoken(s.Actual), spoken(b.Amount))
	return c.desk.ContactFor(ctx, tx, account.System(), who, a.Org, a.Alias, support.ContactPayload{Topic: "budget used up", Text: text})
}

// letter says how the budget stands.
func (c *Cycle) letter(a account.Account, b Budget, s Standing, due []Threshold, request support.Request) support.Spent {
	first := due[0]
	l := support.Spent{
		Account: string(a.Alias) + " · " + a.Name, Month: s.Month.String(), Percent: first.Percent, Forecast: first.Basis == Forecasted,
		Amount: spoken(b.Amount), Used: spoken(s.Actual) + ", " + s.Used(b).StringFixed(1) + " %",
		UsageURL: c.portal + "/usage?account=" + b.Account, BudgetURL: c.portal + "/usage/budgets?account=" + b.Account,
		Asks: b.Ask && !b.reached(usedUp, s),
	}
	if b.Entitlement != "" {
		l.Subscription = c.names(b.Entitlement)
	}
	if s.AsOf != "" {
		l.Used += ", usage to " + s.AsOf.Time().Format("2 January 2006") + " (UTC)"
	}
	if e := s.Estimate; e != nil {
		p, _ := s.Expected(b)
		l.End = spoken(e.End) + ", " + p.StringFixed(1) + " %"
		if l.Range = "not known before a whole month has passed"; e.Known() {
			l.Range = spoken(e.Low) + " to " + spoken(e.High)
		}
	}
	var also []string
	for _, t := range due[1:] {
		what := "used"
		if t.Basis == Forecasted {
			what = "by the forecast"
		}
		also = append(also, fmt.Sprintf("%d %% %s", t.Percent, what))
	}
	l.Also = strings.Join(also, ", ")
	if p := b.next(s); p > 0 {
		l.Next = fmt.Sprintf("%d %% of it is used", p)
	}
	if request.Number > 0 {
		l.Asked = request.Label()
	}
	return l
}

// spoken is an amount as lines of invoices are: rounded half up to the coin.
func spoken(a money.Amount) string {
	r, err := a.Round(invoice.Rounding, a.Currency().Minor())
	if err != nil {
		return a.String()
	}
	return r.String()
}
