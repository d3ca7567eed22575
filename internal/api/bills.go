package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// Figure is an amount as a JSON number: what the calls of the original directory give.
// Everywhere else amounts are text with their currency.
type Figure struct{ decimal.Decimal }

// MarshalJSON writes the number as it is, without an exponent.
func (f Figure) MarshalJSON() ([]byte, error) { return []byte(f.String()), nil }

func figure(a money.Amount) Figure { return Figure{a.Decimal()} }

// Estimate is what an account's Azure costs so far and where the month ends.
type Estimate struct {
	MTDEstimate Figure `json:"mtdEstimate" doc:"What the bill would be if the month ended today."`
	EOMEstimate Figure `json:"eomEstimate" doc:"The expected bill of the whole month."`
	Low         Figure `json:"eomLow" doc:"With eomHigh the range that past months give; equal to eomEstimate before there is one."`
	High        Figure `json:"eomHigh"`
	Currency    string `json:"currency"`
	Method      string `json:"method" enum:"pro-rata,recent,weekday"`
	Off         Figure `json:"averageError" doc:"By how many percent the method missed the past months that it was tried on."`
	Months      int    `json:"monthsTried"`
	AsOf        string `json:"asOf,omitempty" doc:"The last UTC day with usage."`
	Notice      string `json:"notice"`
}

const estimateNotice = "These are estimates. They are not exact and may differ from the invoice."

type estimateIn struct {
	ByAlias
	Method string `query:"method" enum:"pro-rata,recent,weekday" doc:"Left out: the one that missed past months least; pro-rata without any."`
}

type directoryLoginIn struct {
	Body struct {
		Username string `json:"username" maxLength:"254" doc:"A person's e-mail address."`
		Password string `json:"password" maxLength:"1000"`
	}
}

// DirectoryLogin is the answer of the directory's sign-in.
type DirectoryLogin struct {
	UserName      string   `json:"userName"`
	AccountAlias  string   `json:"accountAlias" doc:"The first account of the organization; empty for the partner's staff."`
	LocationAlias string   `json:"locationAlias"`
	Roles         []string `json:"roles"`
	BearerToken   string   `json:"bearerToken" doc:"May read for two weeks."`
}

type directoryInvoiceIn struct {
	ByAlias
	Year           int    `path:"year" minimum:"2010" maximum:"9999"`
	Month          int    `path:"month" minimum:"1" maximum:"12"`
	PricingAccount string `query:"pricingAccount" maxLength:"10" doc:"Every account is priced by itself here: left out, or the same alias."`
	PricingAlias   string `query:"pricingAccountAlias" maxLength:"10" doc:"The same, as the documentation of the original names it."`
}

// DirectoryInvoice is an account's month as the original directory gives it.
type DirectoryInvoice struct {
	ID                  string          `json:"id"`
	Terms               string          `json:"terms"`
	CompanyName         string          `json:"companyName"`
	AccountAlias        string          `json:"accountAlias"`
	PricingAccountAlias string          `json:"pricingAccountAlias"`
	ParentAccountAlias  string          `json:"parentAccountAlias"`
	Address1            string          `json:"address1"`
	Address2            string          `json:"address2"`
	City                string          `json:"city"`
	StateProvince       string          `json:"stateProvince"`
	PostalCode          string          `json:"postalCode"`
	BillingContactEmail string          `json:"billingContactEmail"`
	InvoiceCCEmail      string          `json:"invoiceCCEmail"`
	TotalAmount         Figure          `json:"totalAmount"`
	InvoiceDate         string          `json:"invoiceDate" example:"2026-12-01T00:00:00Z" doc:"The first of the following month."`
	PONumber            string          `json:"poNumber"`
	LineItems           []DirectoryLine `json:"lineItems"`
	Currency            string          `json:"currency"`
	Estimate            bool            `json:"estimate" doc:"No invoice of this month has been issued yet."`
}

// DirectoryLine is one line of it.
type DirectoryLine struct {
	Quantity        int               `json:"quantity"`
	Description     string            `json:"description" example:"Integrated Azure Services Usage"`
	UnitCost        Figure            `json:"unitCost"`
	ItemTotal       Figure            `json:"itemTotal"`
	ServiceLocation string            `json:"serviceLocation"`
	ItemDetails     []DirectoryDetail `json:"itemDetails" doc:"They add up to itemTotal: details are not rounded, the line is, once."`
}

// DirectoryDetail is a service in a region of a subscription.
type DirectoryDetail struct {
	Description string `json:"description"`
	Cost        Figure `json:"cost"`
}

// Root are the addresses at which programs of the original directory call, below no
// prefix, and where they are here.
var Root = map[string]string{
	"GET /accounts/{alias}/azure/billingestimate": "",
	"POST /v2/authentication/login":               "/v2",
	"GET /v2/invoice/{alias}/{year}/{month}":      "/v2",
}

func (s *Server) routeBills() {
	handle(s, op{id: "directory-login", is: "POST /authentication/login", tag: "directory", text: "Sign in as at the original directory", public: true,
		more: "Also at /v2/authentication/login. The token may read only. A wrong name or password is 400."}, s.directoryLogin)
	handle(s, op{id: "get-billing-estimate", is: "GET /accounts/{alias}/azure/billingestimate", tag: "directory", text: "Month to date and month end of an account's Azure", act: account.ActUsageView,
		more: "Also at /accounts/{alias}/azure/billingestimate. 409 with the code " + billing.CodeNoUsage + " before the first hour of usage. " + estimateNotice}, s.billingEstimate)
	handle(s, op{id: "get-directory-invoice", is: "GET /invoice/{alias}/{year}/{month}", tag: "directory", text: "An account's month with its lines and their details", act: account.ActUsageView,
		more: "Also at /v2/invoice/{alias}/{year}/{month}. Before the month is invoiced it is an estimate and says so."}, s.directoryInvoice)
}

func (s *Server) directoryLogin(ctx context.Context, _ account.Actor, in *directoryLoginIn) (DirectoryLogin, error) {
	from, _ := ctx.Value(ctxAddress).(string)
	u, err := s.People.SignIn(ctx, in.Body.Username, in.Body.Password, from)
	if errors.Is(err, fault.Forbidden) || errors.Is(err, fault.Invalid) {
		return DirectoryLogin{}, misused(http.StatusBadRequest, "%s", fault.Of(err).Message)
	}
	if err != nil {
		return DirectoryLogin{}, err
	}
	out := DirectoryLogin{UserName: u.Email, Roles: []string{map[account.Role]string{account.RoleAdministrator: "AccountAdmin", account.RoleMember: "AccountViewer"}[u.Role]}}
	if u.Org == "" {
		out.Roles = []string{string(u.Role)}
	} else {
		list, err := s.People.Accounts(ctx, account.Filter{Org: &u.Org, Limit: 1})
		if err != nil {
			return out, err
		}
		if len(list) > 0 {
			out.AccountAlias = string(list[0].Alias)
		}
	}
	_, out.BearerToken, err = s.People.CreateToken(ctx, u.Actor(from), "directory sign-in", account.ScopeRead, s.Now().AddDate(0, 0, 14))
	return out, err
}

func (s *Server) billingEstimate(ctx context.Context, a account.Actor, in *estimateIn) (Estimate, error) {
	x, err := s.account(ctx, a, in.Alias, account.ActUsageView)
	if err != nil {
		return Estimate{}, err
	}
	now := usage.MonthOf(s.Now())
	months, err := s.Billing.Months().Of(ctx, string(x.Alias), now.Add(-13), now)
	if err != nil {
		return Estimate{}, err
	}
	e, err := billing.Forecast(months, now, billing.Method(in.Method))
	if err != nil {
		return Estimate{}, err
	}
	toDate, err := e.ToDate.Round(invoice.Rounding, e.Currency.Minor())
	return Estimate{
		MTDEstimate: figure(toDate), EOMEstimate: figure(e.End), Low: figure(e.Low), High: figure(e.High), Currency: string(e.Currency), Method: string(e.Method),
		Off: Figure{e.Off}, Months: e.Tests, AsOf: string(e.AsOf), Notice: estimateNotice,
	}, err
}

func (s *Server) directoryInvoice(ctx context.Context, a account.Actor, in *directoryInvoiceIn) (DirectoryInvoice, error) {
	x, err := s.account(ctx, a, in.Alias, account.ActUsageView)
	if err != nil {
		return DirectoryInvoice{}, err
	}
	for _, p := range []string{in.PricingAccount, in.PricingAlias} {
		if p != "" && !strings.EqualFold(p, in.Alias) {
			return DirectoryInvoice{}, fault.Field("pricingAccount", "Every account is priced by itself here.", "Leave it out, or give the alias of the account.")
		}
	}
	m := usage.Month(fmt.Sprintf("%04d-%02d", in.Year, in.Month))
	out := DirectoryInvoice{
		ID: string(x.Alias) + "-" + string(m), CompanyName: x.Legal(), AccountAlias: string(x.Alias), PricingAccountAlias: string(x.Alias), ParentAccountAlias: string(x.Parent),
		Address1: x.Address.Line1, Address2: x.Address.Line2, City: x.Address.City, StateProvince: x.Address.State, PostalCode: x.Address.PostalCode,
		BillingContactEmail: x.Contact.Email, InvoiceDate: string(m.Add(1).First()) + "T00:00:00Z", LineItems: []DirectoryLine{}, Currency: string(x.Currency),
	}
	docs, err := s.Billing.Book().OfAccount(ctx, string(x.Alias), invoice.Document{}, 500)
	if err != nil {
		return out, err
	}
	names, err := s.subscriptionNames(ctx, x.Alias)
	if err != nil {
		return out, err
	}
	total := decimal.Decimal{}
	var numbers []string
	for _, d := range docs {
		if d.Period != m || d.Number == "" {
			continue
		}
		numbers = append(numbers, d.Number)
		out.Terms, out.Currency = "Due "+string(d.DueDay), string(d.Currency)
		total = total.Add(d.Total.Decimal())
		for _, l := range d.Lines {
			out.LineItems = append(out.LineItems, lineItem(l, names))
		}
		for _, t := range d.Taxes {
			if !t.Amount.IsZero() {
				out.LineItems = append(out.LineItems, DirectoryLine{1, t.Label, figure(t.Amount), figure(t.Amount), "", []DirectoryDetail{}})
			}
		}
	}
	out.TotalAmount = Figure{total}
	if len(numbers) > 0 {
		out.ID = strings.Join(numbers, ", ")
		return out, nil
	}
	out.Estimate, out.Terms = true, estimateNotice
	known, err := s.Billing.Months().Of(ctx, string(x.Alias), m, m)
	if err != nil || len(known) == 0 {
		return out, err
	}
	brand, err := s.Settings.Brand(ctx)
	if err != nil {
		return out, err
	}
	line, err := known[0].Line(brand.LineLabel)
	if err != nil {
		return out, err
	}
	out.LineItems, out.TotalAmount, out.Currency = []DirectoryLine{lineItem(line, names)}, figure(line.Amount), string(known[0].Currency)
	return out, nil
}

func lineItem(l invoice.Line, names map[string]string) DirectoryLine {
	x := DirectoryLine{Quantity: 1, Description: l.Label, UnitCost: figure(l.Amount), ItemTotal: figure(l.Amount), ItemDetails: []DirectoryDetail{}}
	if l.Kind == invoice.LineUpdate {
		x.Description += " (" + l.Month.String() + ")"
	}
	for _, d := range l.Details {
		text := d.Service
		if d.Region != "" {
			text += ", " + d.Region
		}
		if d.Entitlement != "" {
			text += " · " + names[d.Entitlement] + " " + d.Entitlement
		}
		x.ItemDetails = append(x.ItemDetails, DirectoryDetail{text, figure(d.Amount)})
	}
	if !l.Rounding.IsZero() {
		x.ItemDetails = append(x.ItemDetails, DirectoryDetail{"Rounding, once for the line", figure(l.Rounding)})
	}
	return x
}

// subscriptionNames are the providers behind an account's subscriptions.
func (s *Server) subscriptionNames(ctx context.Context, alias account.Alias) (map[string]string, error) {
	list, err := s.Providers.OfAccount(ctx, alias)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, x := range list {
		p, err := s.Providers.Find(ctx, x.Provider)
		if fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		names[x.Entitlement] = p.Name
	}
	for f := (provider.Filter{Account: alias, Limit: 200}); ; { // what its tenant's association pays for
		list, next, err := s.Providers.List(ctx, account.System(), f)
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			if p.Subscription != "" && names[p.Subscription] == "" {
				names[p.Subscription] = p.Name
			}
		}
		if f.After = next; next == "" {
			return names, nil
		}
	}
}
