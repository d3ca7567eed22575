package api

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/money"
	"causeway/internal/usage"
)

// BillingMonth is how a month of service stands: a checklist until it is closed.
type BillingMonth struct {
	Month      string            `json:"month"`
	Billed     bool              `json:"billed" doc:"Microsoft's invoices are there, in every currency."`
	AsOf       string            `json:"as_of,omitempty" doc:"The last UTC day that has usage of anybody."`
	RatedAt    *time.Time        `json:"rated_at,omitempty"`
	Drafts     int               `json:"drafts" doc:"Bills that close this month and are not issued."`
	Issued     int               `json:"issued"`
	Undrafted  []UndraftedBill   `json:"undrafted" doc:"Bills that cannot be drafted, and why."`
	Statements []VendorStatement `json:"statements" doc:"Microsoft's invoices: total = mapped + suspense + tax + rounding + exchange + unclassified."`
	Accounts   int               `json:"accounts"`
	Open       []OpenAccount     `json:"open" doc:"Accounts whose own formula is not at zero."`
	Causes     []DifferenceCause `json:"causes" doc:"Why figures differ, by class, with evidence."`
	Missing    []string          `json:"missing" doc:"Why the month cannot be closed; empty: it can."`
	Closed     bool              `json:"closed"`
}

// UndraftedBill is a bill without a draft.
type UndraftedBill struct {
	Account string `json:"account"`
	Reason  string `json:"reason"`
	Waits   bool   `json:"waits" doc:"For Microsoft's invoice; else a person has to act."`
}

// VendorStatement is an invoice of Microsoft, explained.
type VendorStatement struct {
	Invoice      string       `json:"invoice"`
	Total        money.Amount `json:"total"`
	Mapped       money.Amount `json:"mapped" doc:"Cost of all accounts."`
	Suspense     money.Amount `json:"suspense" doc:"Nobody's."`
	Tax          money.Amount `json:"tax"`
	Rounding     money.Amount `json:"rounding"`
	Exchange     money.Amount `json:"exchange" doc:"Late usage, billed at a later month's rate than its own."`
	Unclassified money.Amount `json:"unclassified"`
	Posted       bool         `json:"posted"`
	Carried      string       `json:"carried,omitempty" doc:"Why its suspense does not stop the close."`
}

// OpenAccount is an account whose lines do not say what the lake says.
type OpenAccount struct {
	Account      string       `json:"account"`
	Lines        money.Amount `json:"lines" doc:"Before tax."`
	Unclassified money.Amount `json:"unclassified"`
	CostGap      money.Amount `json:"cost_gap" doc:"What Microsoft charged and no document bills, in its currency."`
}

// DifferenceCause is all differences of one class.
type DifferenceCause struct {
	Bridge   string       `json:"bridge" enum:"estimate,invoice" doc:"From the last estimate to the usage billed, or from that to the invoice's total."`
	Account  string       `json:"account,omitempty"`
	Class    string       `json:"class"`
	Amount   money.Amount `json:"amount"`
	Things   int64        `json:"things"`
	Evidence []string     `json:"evidence" doc:"Of the largest."`
}

// SuspendedUsage is usage that belongs to nobody.
type SuspendedUsage struct {
	Tenant      string       `json:"tenant" doc:"Microsoft's id."`
	Entitlement string       `json:"entitlement,omitempty" doc:"Missing: of the plan itself."`
	From        string       `json:"from"`
	To          string       `json:"to"`
	Days        int          `json:"days" doc:"That have usage."`
	Records     int64        `json:"records"`
	Cost        money.Amount `json:"cost"`
	Billed      bool         `json:"billed"`
}

// ByMonth names a month of service.
type ByMonth struct {
	Month string `path:"month" pattern:"^[0-9]{4}-[0-9]{2}$" maxLength:"7" example:"2026-11"`
}

type assignIn struct {
	Body struct {
		Tenant      string `json:"tenant" minLength:"1" maxLength:"100" doc:"Microsoft's id."`
		Entitlement string `json:"entitlement,omitempty" maxLength:"100"`
		Account     string `json:"account" minLength:"1" maxLength:"20"`
		From        string `json:"from" maxLength:"10" example:"2026-11-01" doc:"First UTC day."`
		To          string `json:"to" maxLength:"10" example:"2026-11-30" doc:"Last UTC day."`
		Why         string `json:"why" minLength:"1" maxLength:"1000"`
	}
}

type carryIn struct {
	ByID
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"1000"`
	}
}

func (s *Server) routeBilling() {
	handle(s, op{id: "get-billing-month", is: "GET /billing/months/{month}", tag: "billing", text: "How a month stands", act: account.ActBillingView}, s.getBillingMonth)
	handle(s, op{id: "list-suspense", is: "GET /billing/months/{month}/suspense", tag: "billing", text: "What of a month belongs to nobody", act: account.ActBillingView}, s.listSuspense)
	act(s, op{id: "rate-month", is: "POST /billing/months/{month}/rate", tag: "billing", text: "Map and price a month anew, and draft its bills", act: account.ActBillingChange,
		more: "It is a durable job; it also runs whenever there is new usage, and once a day."}, s.rateMonth)
	act(s, op{id: "draft-month", is: "POST /billing/months/{month}/draft", tag: "billing", text: "Draft the bills that close a month anew", act: account.ActBillingChange}, s.draftMonth)
	act(s, op{id: "reconcile-month", is: "POST /billing/months/{month}/reconcile", tag: "billing", text: "Explain Microsoft's invoices of a month anew", act: account.ActBillingChange}, s.reconcileMonth)
	act(s, op{id: "issue-month", is: "POST /billing/months/{month}/issue", tag: "billing", text: "Issue all drafts of a month", act: account.ActBillingIssue,
		more: "It is a durable job. What was issued keeps its number; a draft that no longer says what holds is drafted anew instead."}, s.issueMonth)
	act(s, op{id: "close-month", is: "POST /billing/months/{month}/close", tag: "billing", text: "Close a month", act: account.ActBillingClose}, s.closeMonth)
	act(s, op{id: "assign-suspense", is: "POST /billing/assignments", tag: "billing", text: "Say who pays for what belongs to nobody", act: account.ActBillingChange}, s.assignSuspense)
	act(s, op{id: "carry-suspense", is: "POST /billing/invoices/{id}/carry", tag: "billing", text: "Let a month be closed although a part of Microsoft's invoice belongs to nobody", act: account.ActBillingClose}, s.carrySuspense)
}

func (s *Server) getBillingMonth(ctx context.Context, a account.Actor, in *ByMonth) (BillingMonth, error) {
	r, err := s.Billing.Reconcile(ctx, a, usage.Month(in.Month))
	if err != nil {
		return BillingMonth{}, err
	}
	v := BillingMonth{Month: in.Month, Billed: r.Billed, Accounts: r.Accounts, Missing: r.Missing, Closed: r.Closed}
	if !r.RatedAt.IsZero() {
		v.RatedAt = &r.RatedAt
	}
	totals, err := s.Billing.Months().Totals(ctx, usage.Month(in.Month))
	if err != nil {
		return v, err
	}
	for _, x := range totals {
		v.AsOf = max(v.AsOf, string(x.AsOf))
	}
	if v.Drafts, v.Issued, err = s.Billing.Counts(ctx, usage.Month(in.Month)); err != nil {
		return v, err
	}
	v.Undrafted = each(r.Undrafted, func(u billing.Undrafted) UndraftedBill { return UndraftedBill(u) })
	for _, x := range r.Statements {
		mapped := money.Zero(x.Total.Currency())
		for _, m := range x.Mapped {
			if mapped, err = mapped.Add(m); err != nil {
				return v, err
			}
		}
		v.Statements = append(v.Statements, VendorStatement{x.Invoice, x.Total, mapped, x.Suspense, x.Tax, x.Rounding, x.Exchange, x.Unclassified, x.Posted, x.Carried})
	}
	v.Open = each(r.Open, func(x billing.AccountSide) OpenAccount {
		return OpenAccount{x.Account, x.Lines, x.Unclassified, x.CostGap}
	})
	v.Causes = each(r.Causes, func(x billing.Cause) DifferenceCause {
		return DifferenceCause{x.Bridge, x.Account, string(x.Class), x.Amount, x.Things, each(x.Largest, func(d billing.Difference) string { return d.Where + ": " + d.Amount.String() + ", " + d.Evidence })}
	})
	return full(v), nil
}

func (s *Server) listSuspense(ctx context.Context, a account.Actor, in *ByMonth) (Page[SuspendedUsage], error) {
	list, err := s.Billing.Suspense(ctx, a, usage.Month(in.Month))
	return Page[SuspendedUsage]{Items: each(list, func(x billing.Suspended) SuspendedUsage {
		return SuspendedUsage{x.Tenant, x.Entitlement, string(x.From), string(x.To), x.Days, x.Rows, x.Cost, x.Billed}
	})}, err
}

func (s *Server) rateMonth(ctx context.Context, a account.Actor, in *ByMonth) error {
	return s.Billing.Ask(ctx, a, billing.JobRate, usage.Month(in.Month))
}

func (s *Server) draftMonth(ctx context.Context, a account.Actor, in *ByMonth) error {
	return s.Billing.Ask(ctx, a, billing.JobDraft, usage.Month(in.Month))
}

func (s *Server) reconcileMonth(ctx context.Context, a account.Actor, in *ByMonth) error {
	return s.Billing.Ask(ctx, a, billing.JobVendor, usage.Month(in.Month))
}

func (s *Server) issueMonth(ctx context.Context, a account.Actor, in *ByMonth) error {
	return s.Billing.Approve(ctx, a, usage.Month(in.Month))
}

func (s *Server) closeMonth(ctx context.Context, a account.Actor, in *ByMonth) error {
	return s.Billing.Close(ctx, a, usage.Month(in.Month))
}

func (s *Server) assignSuspense(ctx context.Context, a account.Actor, in *assignIn) error {
	b := in.Body
	return s.Billing.Assign(ctx, a, billing.Assignment{Tenant: b.Tenant, Entitlement: b.Entitlement, Account: account.Alias(b.Account), From: usage.Day(b.From), To: usage.Day(b.To), Why: b.Why})
}

func (s *Server) carrySuspense(ctx context.Context, a account.Actor, in *carryIn) error {
	return s.Billing.Carry(ctx, a, in.ID, in.Body.Why)
}
