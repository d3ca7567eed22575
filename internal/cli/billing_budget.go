package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"causeway/internal/api"
	"causeway/internal/fault"
	"causeway/internal/money"
)

// billingBudgetCmd is what an account should cost in a month, and who is told.
type billingBudgetCmd struct {
	Show   budgetShowCmd   `cmd:"" help:"An account's budgets, and how they stand."`
	Set    budgetSetCmd    `cmd:"" help:"Set a budget, or change it."`
	Delete budgetDeleteCmd `cmd:"" help:"Delete a budget."`
	Alerts budgetAlertsCmd `cmd:"" help:"What was told of an account's budgets."`
}

// ofBudgets names an account at a server.
type ofBudgets struct {
	remote  `embed:""`
	Account string `arg:"" placeholder:"ALIAS" help:"The billing account."`
}

func (c *ofBudgets) path(of string) string {
	return "/billing/accounts/" + url.PathEscape(c.Account) + "/budgets" + of
}

type budgetShowCmd struct {
	ofBudgets `embed:""`
}

func (c *budgetShowCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var page api.Page[api.Budget]
	if err := cl.get(ctx, c.path(""), &page); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, page.Items)
	}
	return printBudgets(std, page.Items)
}

func printBudgets(std Std, list []api.Budget) error {
	rows := [][]string{{"OF", "BUDGET", "MONTH", "USED", "PERCENT", "FORECAST", "TELLS AT", "VERSION"}}
	for _, b := range list {
		forecast := "-"
		if b.Forecast != nil {
			forecast = b.Forecast.String()
		}
		var at []string
		for _, t := range b.Thresholds {
			at = append(at, strconv.Itoa(t.Percent)+":"+t.Basis)
		}
		if b.Ask {
			at = append(at, "asks the partner")
		}
		used := b.Used.String()
		if b.Trouble != "" {
			used = b.Trouble
		}
		rows = append(rows, []string{b.Of, b.Amount.String(), b.Month, used, b.Percent, forecast, strings.Join(at, " "), strconv.FormatInt(b.Version, 10)})
	}
	return table(std.Out, rows)
}

type budgetSetCmd struct {
	ofBudgets    `embed:""`
	Amount       string   `arg:"" help:"Of a month, before tax, e.g. 2500.00."`
	Currency     string   `placeholder:"USD" help:"The one that the account is billed in."`
	Subscription string   `placeholder:"ID" help:"Of this subscription alone."`
	At           []string `placeholder:"PERCENT[:forecast]" help:"Tell at this share of what was used, or with :forecast of what the month is expected to cost. Left out: 50, 80 and 100 for a new budget; what was chosen for one that is there."`
	To           []string `placeholder:"ADDRESS" help:"Tell this address. Left out: the account's administrators and billing contact for a new budget; what was chosen for one that is there."`
	Ask          *bool    `negatable:"" help:"Ask the partner what to do when all of it is used. Nothing is stopped."`
}

func (c *budgetSetCmd) of() string {
	if c.Subscription == "" {
		return "/account"
	}
	return "/" + url.PathEscape(c.Subscription)
}

// Run changes the budget that is there, or makes one.
func (c *budgetSetCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var b api.Budget
	if err := cl.get(ctx, c.path(c.of()), &b); err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	currency := cmp.Or(money.Currency(strings.ToUpper(c.Currency)), b.Amount.Currency(), "USD")
	amount, err := money.Parse(strings.ReplaceAll(c.Amount, ",", ""), currency)
	if err != nil {
		return err
	}
	if len(c.At) > 0 {
		b.Thresholds = nil
	}
	for _, s := range c.At {
		percent, basis, found := strings.Cut(s, ":")
		if !found {
			basis = "actual"
		}
		n, err := strconv.Atoi(percent)
		if err != nil {
			return fmt.Errorf("%q is no threshold: write it like 80 or 100:forecast", s)
		}
		b.Thresholds = append(b.Thresholds, api.BudgetThreshold{Percent: n, Basis: basis})
	}
	if len(c.To) > 0 {
		b.Recipients = c.To
	}
	if c.Ask != nil {
		b.Ask = *c.Ask
	}
	in := map[string]any{"version": b.Version, "amount": amount, "ask": b.Ask}
	if len(b.Thresholds) > 0 {
		in["thresholds"] = b.Thresholds
	}
	if len(b.Recipients) > 0 {
		in["recipients"] = b.Recipients
	}
	if err := cl.put(ctx, c.path(c.of()), in, &b); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, b)
	}
	return printBudgets(std, []api.Budget{b})
}

type budgetDeleteCmd struct {
	ofBudgets    `embed:""`
	Subscription string `placeholder:"ID" help:"The one of this subscription; left out, of the whole account."`
}

func (c *budgetDeleteCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	of := (&budgetSetCmd{Subscription: c.Subscription}).of()
	if err := cl.call(ctx, http.MethodDelete, c.path(of), nil, nil); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, map[string]string{"deleted": of[1:]})
	}
	_, err = fmt.Fprintf(std.Out, "The budget of %s is deleted. What was told of it stays on the list.\n", c.Account)
	return err
}

type budgetAlertsCmd struct {
	ofBudgets `embed:""`
}

func (c *budgetAlertsCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var page api.Page[api.BudgetAlert]
	if err := cl.get(ctx, "/billing/accounts/"+url.PathEscape(c.Account)+"/budget-alerts", &page); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, page.Items)
	}
	rows := [][]string{{"AT", "OF", "MONTH", "THRESHOLD", "BUDGET", "USED", "FORECAST", "TOLD"}}
	for _, a := range page.Items {
		what, forecast := fmt.Sprintf("%d %% %s", a.Percent, a.Basis), "-"
		if a.Request > 0 {
			what = fmt.Sprintf("asked: R-%d", a.Request)
		}
		if a.Rearmed {
			what += ", set back"
		}
		if a.Forecast != nil {
			forecast = a.Forecast.String()
		}
		rows = append(rows, []string{a.At.Format("2006-01-02 15:04Z"), a.Of, a.Month, what, a.Amount.String(), a.Used.String(), forecast, strings.Join(a.Recipients, " ")})
	}
	return table(std.Out, rows)
}
