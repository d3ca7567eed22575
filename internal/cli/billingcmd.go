package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"causeway/internal/api"
)

// billingCmd is the billing cycle, for the partner's staff; budgets are also for those who
// pay.
type billingCmd struct {
	Status    billingStatusCmd    `cmd:"" help:"How a month stands: a checklist until it is closed."`
	Rate      billingRateCmd      `cmd:"" help:"Map and price a month anew, and draft its bills."`
	Draft     billingDraftCmd     `cmd:"" help:"Draft the bills that close a month anew."`
	Issue     billingIssueCmd     `cmd:"" help:"Issue all drafts of a month."`
	Reconcile billingReconcileCmd `cmd:"" help:"Explain Microsoft's invoices of a month anew."`
	Close     billingCloseCmd     `cmd:"" help:"Close a month: nothing is posted into it any more."`
	Suspense  billingSuspenseCmd  `cmd:"" help:"What of a month belongs to nobody."`
	Assign    billingAssignCmd    `cmd:"" help:"Say who pays for what belongs to nobody."`
	Carry     billingCarryCmd     `cmd:"" help:"Let a month be closed although a part of Microsoft's invoice belongs to nobody."`

	Settings billingSettingsCmd `cmd:"" help:"Who sells, with which taxes, and how accounts are billed: shown, or decided."`
	Budget   billingBudgetCmd   `cmd:"" help:"What an account should cost in a month at most, and who is told: shown, or decided."`

	Focus      billingFocusCmd      `cmd:"" help:"Write what an account gets for a month, in FOCUS 1.2."`
	Export     billingExportCmd     `cmd:"" help:"Write the documents and the ledger entries of a month for accounting."`
	Accounting billingAccountingCmd `cmd:"" help:"Where accounting is told of documents and entries, and what it was not told yet."`
}

// ofMonth names a month of service at a server.
type ofMonth struct {
	remote `embed:""`
	Month  string `arg:"" placeholder:"YYYY-MM" help:"Month of the usage, UTC."`
}

func (c *ofMonth) path(of string) string { return "/billing/months/" + url.PathEscape(c.Month) + of }

// do asks for a stage, and shows how the month stands then; the stage itself is a
// durable job, which may still run.
func (c *ofMonth) do(ctx context.Context, std Std, stage string) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if stage != "" {
		if err := cl.post(ctx, c.path(stage), nil, nil); err != nil {
			return err
		}
	}
	var m api.BillingMonth
	if err := cl.get(ctx, c.path(""), &m); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, m)
	}
	return printBilling(std.Out, m)
}

type (
	billingStatusCmd struct {
		ofMonth `embed:""`
	}
	billingRateCmd struct {
		ofMonth `embed:""`
	}
	billingDraftCmd struct {
		ofMonth `embed:""`
	}
	billingIssueCmd struct {
		ofMonth `embed:""`
	}
	billingReconcileCmd struct {
		ofMonth `embed:""`
	}
	billingCloseCmd struct {
		ofMonth `embed:""`
	}
	billingSuspenseCmd struct {
		ofMonth `embed:""`
	}
)

func (c *billingStatusCmd) Run(ctx context.Context, std Std) error { return c.do(ctx, std, "") }
func (c *billingRateCmd) Run(ctx context.Context, std Std) error   { return c.do(ctx, std, "/rate") }
func (c *billingDraftCmd) Run(ctx context.Context, std Std) error  { return c.do(ctx, std, "/draft") }
func (c *billingIssueCmd) Run(ctx context.Context, std Std) error  { return c.do(ctx, std, "/issue") }
func (c *billingReconcileCmd) Run(ctx context.Context, std Std) error {
	return c.do(ctx, std, "/reconcile")
}
func (c *billingCloseCmd) Run(ctx context.Context, std Std) error { return c.do(ctx, std, "/close") }

func (c *billingSuspenseCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var page api.Page[api.SuspendedUsage]
	if err := cl.get(ctx, c.path("/suspense"), &page); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, page.Items)
	}
	rows := [][]string{{"TENANT", "SUBSCRIPTION", "FROM", "TO", "RECORDS", "COST"}}
	for _, x := range page.Items {
		rows = append(rows, []string{x.Tenant, x.Entitlement, x.From, x.To, strconv.FormatInt(x.Records, 10), x.Cost.String()})
	}
	return table(std.Out, rows)
}

type billingAssignCmd struct {
	remote      `embed:""`
	Tenant      string `arg:"" help:"Microsoft's id of the customer, as suspense lists it."`
	Account     string `arg:"" help:"Who pays."`
	From        string `required:"" placeholder:"YYYY-MM-DD" help:"First UTC day."`
	To          string `required:"" placeholder:"YYYY-MM-DD" help:"Last UTC day."`
	Entitlement string `name:"subscription" help:"Only this subscription."`
	Why         string `required:"" help:"The reason, for the record."`
}

func (c *billingAssignCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	in := map[string]any{"tenant": c.Tenant, "account": c.Account, "from": c.From, "to": c.To, "why": c.Why}
	if c.Entitlement != "" {
		in["entitlement"] = c.Entitlement
	}
	if err := cl.post(ctx, "/billing/assignments", in, nil); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, in)
	}
	_, err = fmt.Fprintf(std.Out, "%s pays for %s from %s to %s. The months are rated anew.\n", c.Account, c.Tenant, c.From, c.To)
	return err
}

type billingCarryCmd struct {
	remote  `embed:""`
	Invoice string `arg:"" help:"Microsoft's invoice, G…"`
	Why     string `required:"" help:"The reason, for the record."`
}

func (c *billingCarryCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	in := map[string]any{"why": c.Why}
	if err := cl.post(ctx, "/billing/invoices/"+url.PathEscape(c.Invoice)+"/carry", in, nil); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, in)
	}
	_, err = fmt.Fprintf(std.Out, "What belongs to nobody in %s is carried.\n", c.Invoice)
	return err
}

func printBilling(out io.Writer, m api.BillingMonth) error {
	state := "open"
	switch {
	case m.Closed:
		state = "closed"
	case len(m.Missing) == 0:
		state = "can be closed"
	}
	rated := "never"
	if m.RatedAt != nil {
		rated = m.RatedAt.Format(time.RFC3339)
	}
	_, _ = fmt.Fprintf(out, "%s is %s. Rated: %s, from Microsoft's invoice: %t. %d accounts, %d drafts, %d issued.\n", m.Month, state, rated, m.Billed, m.Accounts, m.Drafts, m.Issued)
	for _, why := range m.Missing {
		_, _ = fmt.Fprintln(out, "  "+why)
	}
	for _, u := range m.Undrafted {
		_, _ = fmt.Fprintf(out, "  no draft for %s: %s\n", u.Account, u.Reason)
	}
	if len(m.Statements) == 0 {
		return nil
	}
	_, _ = fmt.Fprintln(out)
	rows := [][]string{{"MICROSOFT", "TOTAL", "ACCOUNTS", "SUSPENSE", "TAX", "ROUNDING", "EXCHANGE", "UNCLASSIFIED"}}
	for _, s := range m.Statements {
		rows = append(rows, []string{s.Invoice, s.Total.String(), s.Mapped.String(), s.Suspense.String(), s.Tax.String(), s.Rounding.String(), s.Exchange.String(), s.Unclassified.String()})
	}
	return table(out, rows)
}
