package api

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/money"
)

// Budget is what an account, or one of its subscriptions, should cost in a month at most,
// and how it stands in the running month.
type Budget struct {
	Of         string            `json:"of" doc:"account: the whole account; else the id of a subscription."`
	Version    int64             `json:"version" doc:"Counts changes. Send the one that was read, to change the budget on top of it; 0: there is none yet."`
	Amount     money.Amount      `json:"amount" doc:"Of a calendar month (UTC), before tax, in the currency that the account is billed in."`
	Thresholds []BudgetThreshold `json:"thresholds" doc:"Each is told once a month. Left out: 50, 80 and 100 percent of what was used."`
	Recipients []string          `json:"recipients" doc:"Addresses. Empty: the account's administrators and its billing contact."`
	Ask        bool              `json:"ask" doc:"When all of it is used, a request is made to the partner, once a month. Nothing is stopped."`

	From     string        `json:"from" example:"2026-11" doc:"The first month that is watched."`
	Month    string        `json:"month" example:"2026-11" doc:"The running month, of which the following is."`
	Used     money.Amount  `json:"used" doc:"Exact, before tax."`
	Percent  string        `json:"percent" example:"80.2"`
	AsOf     string        `json:"as_of,omitempty" doc:"The last UTC day with usage."`
	Forecast *money.Amount `json:"forecast,omitempty" doc:"Where the month is expected to end; left out before there is usage."`
	Low      *money.Amount `json:"low,omitempty" doc:"With high the range that past months give; left out before there is one."`
	High     *money.Amount `json:"high,omitempty"`
	Trouble  string        `json:"trouble,omitempty" doc:"Why the budget is not watched."`
}

// BudgetThreshold is a share of a budget.
type BudgetThreshold struct {
	Percent int    `json:"percent" minimum:"1" maximum:"1000"`
	Basis   string `json:"basis" enum:"actual,forecast" doc:"actual: what was used up to now. forecast: where the month is expected to end."`
}

// BudgetAlert is what was told of a budget, as it stood then.
type BudgetAlert struct {
	Of         string        `json:"of"`
	Month      string        `json:"month" example:"2026-11"`
	Percent    int           `json:"percent"`
	Basis      string        `json:"basis" enum:"actual,forecast"`
	Amount     money.Amount  `json:"amount" doc:"Of the budget then."`
	Used       money.Amount  `json:"used"`
	Forecast   *money.Amount `json:"forecast,omitempty"`
	Low        *money.Amount `json:"low,omitempty"`
	High       *money.Amount `json:"high,omitempty"`
	Recipients []string      `json:"recipients" doc:"Who was told."`
	Request    int64         `json:"request,omitempty" doc:"Number of the request to the partner, if this alert made one."`
	At         time.Time     `json:"at"`
	Rearmed    bool          `json:"rearmed" doc:"A change of the budget set it back: it may be told again in the same month."`
}

// ByBudget names a budget.
type ByBudget struct {
	ByAlias
	Of string `path:"of" maxLength:"100" doc:"account, or the id of a subscription."`
}

type budgetIn struct {
	ByBudget
	Body struct {
		Version    int64             `json:"version" minimum:"0"`
		Amount     money.Amount      `json:"amount"`
		Thresholds []BudgetThreshold `json:"thresholds,omitempty" maxItems:"50"`
		Recipients []string          `json:"recipients,omitempty" maxItems:"50"`
		Ask        bool              `json:"ask,omitempty"`
	}
}

type alertsIn struct {
	ByAlias
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// wholeAccount stands for no subscription in an address.
const wholeAccount = "account"

func (b ByBudget) entitlement() string {
	if b.Of == wholeAccount {
		return ""
	}
	return b.Of
}

func budgetOf(entitlement string) string {
	if entitlement == "" {
		return wholeAccount
	}
	return entitlement
}

func (s *Server) routeBudgets() {
	handle(s, op{id: "list-account-budgets", is: "GET /billing/accounts/{alias}/budgets", tag: "budgets", text: "An account's budgets, and how they stand", act: account.ActUsageView}, s.listBudgets)
	handle(s, op{id: "get-account-budget", is: "GET /billing/accounts/{alias}/budgets/{of}", tag: "budgets", text: "One budget, and how it stands", act: account.ActUsageView}, s.getBudget)
	handle(s, op{id: "set-account-budget", is: "PUT /billing/accounts/{alias}/budgets/{of}", tag: "budgets", text: "Set a budget, or change it", act: account.ActBudgetChange,
		more: "It holds from the running month on. A change sets back what was told of this month and is not reached any more; what still is reached is not told again."}, s.setBudget)
	act(s, op{id: "delete-account-budget", is: "DELETE /billing/accounts/{alias}/budgets/{of}", tag: "budgets", text: "Delete a budget", act: account.ActBudgetChange}, func(ctx context.Context, a account.Actor, in *ByBudget) error {
		if _, err := s.account(ctx, a, in.Alias, account.ActBudgetChange); err != nil {
			return err
		}
		return s.Billing.DropBudget(ctx, a, in.Alias, in.entitlement())
	})
	handle(s, op{id: "list-budget-alerts", is: "GET /billing/accounts/{alias}/budget-alerts", tag: "budgets", text: "What was told of an account's budgets, the newest first", act: account.ActUsageView}, s.listAlerts)
}

func (s *Server) listBudgets(ctx context.Context, a account.Actor, in *ByAlias) (Page[Budget], error) {
	var p Page[Budget]
	x, err := s.account(ctx, a, in.Alias, account.ActUsageView)
	if err != nil {
		return p, err
	}
	list, err := s.Billing.Budgets(ctx, string(x.Alias))
	if err != nil {
		return p, err
	}
	p.Items = []Budget{}
	for _, b := range list {
		shown, err := s.budget(ctx, b)
		if err != nil {
			return p, err
		}
		p.Items = append(p.Items, shown)
	}
	return p, nil
}

func (s *Server) getBudget(ctx context.Context, a account.Actor, in *ByBudget) (Budget, error) {
	x, err := s.account(ctx, a, in.Alias, account.ActUsageView)
	if err != nil {
		return Budget{}, err
	}
	b, err := s.Billing.Budget(ctx, string(x.Alias), in.entitlement())
	if err != nil {
		return Budget{}, err
	}
	return s.budget(ctx, b)
}

func (s *Server) setBudget(ctx context.Context, a account.Actor, in *budgetIn) (Budget, error) {
	x, err := s.account(ctx, a, in.Alias, account.ActBudgetChange)
	if err != nil {
		return Budget{}, err
	}
	b := billing.Budget{Account: string(x.Alias), Entitlement: in.entitlement(), Version: in.Body.Version, Amount: in.Body.Amount, Recipients: in.Body.Recipients, Ask: in.Body.Ask}
	for _, t := range in.Body.Thresholds {
		b.Thresholds = append(b.Thresholds, billing.Threshold{Percent: t.Percent, Basis: billing.Basis(t.Basis)})
	}
	if in.Of == "" {
		return Budget{}, fault.Field("of", "The budget is of nothing.", "Name the subscription, or account for the whole account.")
	}
	if b, err = s.Billing.SetBudget(ctx, a, b); err != nil {
		return Budget{}, err
	}
	return s.budget(ctx, b)
}

// budget shows one with how it stands.
func (s *Server) budget(ctx context.Context, b billing.Budget) (Budget, error) {
	out := Budget{
		Of: budgetOf(b.Entitlement), Version: b.Version, Amount: b.Amount, Recipients: append([]string{}, b.Recipients...), Ask: b.Ask, From: string(b.From),
		Thresholds: each(b.Thresholds, func(t billing.Threshold) BudgetThreshold { return BudgetThreshold{t.Percent, string(t.Basis)} }),
	}
	st, err := s.Billing.Stands(ctx, b)
	if err != nil {
		return out, err
	}
	out.Month, out.Used, out.Percent, out.AsOf, out.Trouble = string(st.Month), st.Actual, st.Used(b).StringFixed(1), string(st.AsOf), st.Trouble
	if e := st.Estimate; e != nil {
		out.Forecast = &e.End
		if e.Known() {
			out.Low, out.High = &e.Low, &e.High
		}
	}
	return out, nil
}

func (s *Server) listAlerts(ctx context.Context, a account.Actor, in *alertsIn) (Page[BudgetAlert], error) {
	x, err := s.account(ctx, a, in.Alias, account.ActUsageView)
	if err != nil {
		return Page[BudgetAlert]{}, err
	}
	list, err := s.Billing.Alerts(ctx, string(x.Alias), in.Limit)
	if err != nil {
		return Page[BudgetAlert]{}, err
	}
	known := func(m money.Amount) *money.Amount {
		if m.Currency() == "" {
			return nil
		}
		return &m
	}
	return Page[BudgetAlert]{Items: each(list, func(x billing.Alert) BudgetAlert {
		return BudgetAlert{
			Of: budgetOf(x.Entitlement), Month: string(x.Month), Percent: x.Threshold.Percent, Basis: string(x.Threshold.Basis), Amount: x.Amount, Used: x.Spent,
			Forecast: known(x.End), Low: known(x.Low), High: known(x.High), Recipients: append([]string{}, x.Recipients...), Request: x.Request,
			At: x.MadeAt, Rearmed: !x.RearmedAt.IsZero(),
		}
	})}, nil
}
