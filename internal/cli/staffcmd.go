package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"causeway/internal/address"
	"causeway/internal/api"
	"causeway/internal/fault"
	"causeway/internal/money"
)

// accountCmd is for billing accounts.
type accountCmd struct {
	List    accountListCmd    `cmd:"" help:"List billing accounts."`
	Show    accountShowCmd    `cmd:"" help:"Show one, with what it pays."`
	Connect accountConnectCmd `cmd:"" help:"Prove that you may approve charges; lists what the login administers."`
	Create  accountCreateCmd  `cmd:"" help:"Add a billing account (staff)."`
	Disable accountDisableCmd `cmd:"" help:"Take one out of use (staff)."`
	Grant   accountGrantCmd   `cmd:"" help:"Let a login administer an account (staff)."`
}

type accountListCmd struct {
	remote       `embed:""`
	Organization string `help:"Only its accounts (staff)."`
	Search       string `help:"Part of alias, name or legal name."`
}

func (c *accountListCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	list, err := all[api.Account](ctx, cl, "/accounts"+query("organization", c.Organization, "search", c.Search))
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, list)
	}
	rows := [][]string{{"ALIAS", "NAME", "PARENT", "COUNTRY", "CREDIT LIMIT", "FLAGS"}}
	for _, a := range list {
		limit := ""
		if a.CreditLimit != nil {
			limit = a.CreditLimit.String()
		}
		rows = append(rows, []string{a.Alias, a.Name, a.Parent, a.Address.Country, limit, flags(a)})
	}
	return table(std.Out, rows)
}

func flags(a api.Account) string {
	var all []string
	for _, f := range []struct {
		on   bool
		name string
	}{{!a.Billable, "not billable"}, {a.Reseller, "reseller"}, {a.Demo, "demo"}, {a.Internal, "internal"}, {a.PublicSector, "public sector"}, {a.Disabled, "disabled"}} {
		if f.on {
			all = append(all, f.name)
		}
	}
	return strings.Join(all, ", ")
}

type accountShowCmd struct {
	remote `embed:""`
	Alias  string `arg:""`
}

type shownAccount struct {
	Account      api.Account       `json:"account"`
	Associations []api.Association `json:"associations"`
}

func (c *accountShowCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var s shownAccount
	if err := cl.get(ctx, "/accounts/"+url.PathEscape(c.Alias), &s.Account); err != nil {
		return err
	}
	if s.Associations, err = all[api.Association](ctx, cl, "/accounts/"+url.PathEscape(c.Alias)+"/associations"); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, s)
	}
	a := s.Account
	limit := ""
	if a.CreditLimit != nil {
		limit = a.CreditLimit.String()
	}
	err = facts(std.Out, "Alias", a.Alias, "Name", a.Name, "Legal name", a.LegalName, "Address", address.Line(a.Address), "Parent", a.Parent, "Credit limit", limit, "Flags", flags(a))
	if err != nil || len(s.Associations) == 0 {
		return err
	}
	_, _ = fmt.Fprintln(std.Out)
	rows := [][]string{{"PROVIDER", "SUBSCRIPTION", "FROM", "TO"}}
	for _, x := range s.Associations {
		rows = append(rows, []string{x.Provider, firstOf(x.Subscription, "(tenant)"), x.From, x.To})
	}
	return table(std.Out, rows)
}

type accountConnectCmd struct {
	remote `embed:""`
	Login  string `arg:"" help:"Of the account administrator; the password is asked for on standard input."`
}

func (c *accountConnectCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	password, err := newReader(std).secret("Password of " + c.Login + ": ")
	if err != nil {
		return err
	}
	var con api.Connection
	if err := cl.post(ctx, "/account-connections", map[string]string{"login": c.Login, "password": password}, &con); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, con)
	}
	_, err = fmt.Fprintf(std.Out, "%s administers %s. This counts until %s.\n", con.Login, strings.Join(con.Accounts, ", "), con.Until.Local().Format("15:04:05"))
	return err
}

type accountCreateCmd struct {
	remote       `embed:""`
	Alias        string `arg:"" help:"2 to 10 capital letters and digits."`
	Organization string `required:"" help:"Id of the organization."`
	Name         string `required:""`
	LegalName    string ``
	Parent       string ``
	Country      string `required:"" help:"Of the billing address: ISO 3166 alpha-2."`
	Line1        string `required:""`
	City         string ``
	State        string ``
	PostalCode   string ``
	FirstName    string `required:"" help:"Of the contact."`
	LastName     string `required:"" help:"Of the contact."`
	Email        string `required:"" help:"Of the contact."`
	Phone        string `help:"Of the contact."`
	Currency     string `default:"USD"`
	CreditLimit  string `default:"0" placeholder:"AMOUNT"`
	Language     string `help:"BCP 47."`
	NotBillable  bool   ``
	Reseller     bool   ``
}

func (c *accountCreateCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	limit, err := money.Parse(c.CreditLimit, money.Currency(c.Currency))
	if err != nil {
		return fault.Field("credit-limit", "“"+c.CreditLimit+"” is no amount.", "Write it like 40000 or 1207.44.")
	}
	var a api.Account
	err = cl.post(ctx, "/accounts", map[string]any{
		"alias": c.Alias, "organization": c.Organization, "name": c.Name, "legal_name": c.LegalName, "parent": c.Parent,
		"address": address.Address{Country: c.Country, Line1: c.Line1, City: c.City, State: c.State, PostalCode: c.PostalCode},
		"contact": map[string]string{"first_name": c.FirstName, "last_name": c.LastName, "email": c.Email, "phone": c.Phone}, "billable": !c.NotBillable,
		"reseller": c.Reseller, "currency": c.Currency, "credit_limit": limit, "language": c.Language,
	}, &a)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, a)
	}
	_, err = fmt.Fprintf(std.Out, "%s is there.\n", a.Alias)
	return err
}

type accountDisableCmd struct {
	remote `embed:""`
	Alias  string `arg:""`
	Why    string `required:""`
}

func (c *accountDisableCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if err := cl.post(ctx, "/accounts/"+url.PathEscape(c.Alias)+"/disable", map[string]string{"why": c.Why}, nil); err != nil {
		return err
	}
	return c.done(std, c.Alias+" is disabled.")
}

type accountGrantCmd struct {
	remote `embed:""`
	Alias  string `arg:""`
	Login  string `arg:""`
	New    bool   `help:"It is a new login; its password is asked for on standard input."`
}

func (c *accountGrantCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	in := map[string]string{"login": c.Login}
	if c.New {
		if in["password"], err = newReader(std).secret("Password of " + c.Login + ": "); err != nil {
			return err
		}
	}
	if err := cl.post(ctx, "/accounts/"+url.PathEscape(c.Alias)+"/administrators", in, nil); err != nil {
		return err
	}
	return c.done(std, c.Login+" administers "+c.Alias+".")
}

// onboardingCmd is for staff.
type onboardingCmd struct {
	List   onboardingListCmd   `cmd:"" help:"List onboardings."`
	Show   onboardingShowCmd   `cmd:"" help:"Show one, with its steps and the last exchange with Microsoft."`
	Retry  onboardingRetryCmd  `cmd:"" help:"Let a stuck one go on."`
	Edit   onboardingEditCmd   `cmd:"" help:"Correct the details and let it go on."`
	Cancel onboardingCancelCmd `cmd:"" help:"Cancel it."`
}

type onboardingListCmd struct {
	remote `embed:""`
	State  string `help:"Only those in this state: running, waiting, stuck, ready, cancelling or cancelled."`
	Open   bool   `help:"Only those that are neither ready nor cancelled."`
}

func (c *onboardingListCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	open := ""
	if c.Open {
		open = "true"
	}
	list, err := all[api.OnboardingView](ctx, cl, "/onboardings"+query("state", c.State, "open", open))
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, list)
	}
	rows := [][]string{{"ID", "NAME", "STATE", "STEP", "ACCOUNT", "STARTED", ""}}
	for _, o := range list {
		why := ""
		if o.Refusal != nil {
			why = o.Refusal.Reason
		}
		rows = append(rows, []string{o.ID, o.Name, o.State, o.Step, o.Account, clock(o.StartedAt), why})
	}
	return table(std.Out, rows)
}

type onboardingShowCmd struct {
	remote `embed:""`
	ID     string `arg:""`
}

type shownOnboarding struct {
	api.OnboardingFull
	Exchanges []api.Exchange `json:"exchanges,omitempty"`
}

func (c *onboardingShowCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var s shownOnboarding
	at := "/onboardings/" + url.PathEscape(c.ID)
	if err := cl.get(ctx, at, &s.OnboardingFull); err != nil {
		return err
	}
	s.Exchanges, err = all[api.Exchange](ctx, cl, at+"/exchanges")
	if err != nil && fault.KindOf(err) != fault.Forbidden { // customers see the rest
		return err
	}
	if c.JSON {
		return printJSON(std.Out, s)
	}
	o := s.Onboarding
	err = facts(std.Out, "Name", o.Name, "State", o.State, "Account", o.Account, "Domain", s.Tenant.Domain, "Tenant", s.Tenant.TenantID, "Subscription", o.SubscriptionID,
		"Correlation", o.CorrelationID, "Started", clock(o.StartedAt))
	if err != nil {
		return err
	}
	if r := o.Refusal; r != nil {
		if err := facts(std.Out, "Field", r.Field, "Reason", r.Reason, "Remedy", r.Remedy); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintln(std.Out)
	if err := stepTable(std.Out, s.Steps); err != nil || len(s.Exchanges) == 0 {
		return err
	}
	x := telling(s.Exchanges)
	_, err = fmt.Fprintf(std.Out, "\nLast exchange: %s %s → %d (request %s)\n", x.Method, x.URL, x.Status, x.RequestID)
	return err
}

// telling is the exchange that says most: the last write that was refused or not
// answered, else the last one.
func telling(list []api.Exchange) api.Exchange {
	for _, x := range list {
		if x.Method != http.MethodGet && x.Method != http.MethodHead && (x.Status >= 400 || x.Status == 0) {
			return x
		}
	}
	return list[0]
}

type onboardingRetryCmd struct {
	remote `embed:""`
	ID     string `arg:""`
}

func (c *onboardingRetryCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if err := cl.post(ctx, "/onboardings/"+url.PathEscape(c.ID)+"/retry", nil, nil); err != nil {
		return err
	}
	return c.done(std, "It goes on.")
}

type onboardingEditCmd struct {
	remote             `embed:""`
	ID                 string  `arg:""`
	Domain             string  `placeholder:"PREFIX" help:"Before .onmicrosoft.com."`
	ConfirmDomain      bool    `help:"Say that you understand that the domain can never be changed."`
	CompanyName        string  ``
	RegistrationNumber *string `help:"Empty: none is sent."`
	Phone              *string `help:"Of the contact."`
}

func (c *onboardingEditCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	at := "/onboardings/" + url.PathEscape(c.ID)
	in := map[string]any{"domain_confirmed": c.ConfirmDomain}
	if c.Domain != "" {
		in["domain_prefix"] = c.Domain
	}
	if c.CompanyName != "" {
		in["company_name"] = c.CompanyName
	}
	if c.RegistrationNumber != nil {
		in["registration_number"] = *c.RegistrationNumber
	}
	if c.Phone != nil {
		var o api.OnboardingFull
		if err := cl.get(ctx, at, &o); err != nil {
			return err
		}
		o.Details.Contact.Phone = *c.Phone
		in["contact"] = o.Details.Contact
	}
	if err := cl.post(ctx, at+"/edit", in, nil); err != nil {
		return err
	}
	return c.done(std, "Corrected. It goes on.")
}

type onboardingCancelCmd struct {
	remote `embed:""`
	ID     string `arg:""`
}

func (c *onboardingCancelCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if err := cl.post(ctx, "/onboardings/"+url.PathEscape(c.ID)+"/cancel", nil, nil); err != nil {
		return err
	}
	return c.done(std, "It is being cancelled.")
}

// requestCmd is for what people ask staff for.
type requestCmd struct {
	List     requestListCmd     `cmd:"" help:"List requests."`
	Show     requestShowCmd     `cmd:"" help:"Show one, with its timeline."`
	Ask      requestAskCmd      `cmd:"" help:"Ask for an exception, a representative or a service."`
	Decide   requestDecideCmd   `cmd:"" help:"Grant or refuse one (staff)."`
	Withdraw requestWithdrawCmd `cmd:"" help:"Take one back."`
}

type requestListCmd struct {
	remote `embed:""`
	State  string `help:"open, granted, refused or withdrawn."`
	Kind   string `help:"exception, contact or service."`
}

func (c *requestListCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	list, err := all[api.Request](ctx, cl, "/requests"+query("state", c.State, "kind", c.Kind))
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, list)
	}
	rows := [][]string{{"NUMBER", "KIND", "STATE", "ACCOUNT", "ASKED BY", "ASKED", "SUBJECT"}}
	for _, r := range list {
		rows = append(rows, []string{r.Number, r.Kind, r.State, r.Account, r.AskedName, clock(r.AskedAt), r.Subject})
	}
	return table(std.Out, rows)
}

type requestShowCmd struct {
	remote `embed:""`
	Number string `arg:"" help:"R-1042, or its id."`
}

type shownRequest struct {
	Request  api.Request         `json:"request"`
	Timeline []api.TimelineEntry `json:"timeline"`
}

func (c *requestShowCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	at := "/requests/" + url.PathEscape(c.Number)
	var s shownRequest
	if err := cl.get(ctx, at, &s.Request); err != nil {
		return err
	}
	if s.Timeline, err = all[api.TimelineEntry](ctx, cl, at+"/timeline"); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, s)
	}
	r := s.Request
	if err := facts(std.Out, "Number", r.Number, "Kind", r.Kind, "State", r.State, "Account", r.Account, "Asked by", r.AskedName, "Subject", r.Subject, "Reason", r.Reason); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(std.Out)
	rows := [][]string{}
	for _, e := range s.Timeline {
		rows = append(rows, []string{clock(e.At), e.Name, e.Kind, e.Text})
	}
	return table(std.Out, rows)
}

type requestAskCmd struct {
	remote  `embed:""`
	Kind    string   `arg:"" enum:"exception,contact,service" help:"exception, contact or service."`
	Account string   `help:"Alias of the billing account it is about."`
	Rules   []string `help:"Of an exception: codes of the rules to lift."`
	Topic   string   `help:"Of a contact." default:"other"`
	Service string   `help:"Of a service: which one."`
	Region  string   `help:"Of a service: where."`
	Text    string   `required:"" help:"Why, or what about."`
}

func (c *requestAskCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	path, in := "/requests/contacts", map[string]any{"account": c.Account, "topic": c.Topic, "text": c.Text}
	switch c.Kind {
	case "exception":
		path, in = "/requests/exceptions", map[string]any{"account": c.Account, "rules": c.Rules, "why": c.Text}
	case "service":
		path, in = "/requests/services", map[string]any{"account": c.Account, "service": c.Service, "region": c.Region, "text": c.Text}
	}
	var r api.Request
	if err := cl.post(ctx, path, in, &r); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, r)
	}
	_, err = fmt.Fprintf(std.Out, "%s: %s\n", r.Number, r.Subject)
	return err
}

type requestDecideCmd struct {
	remote   `embed:""`
	Number   string `arg:"" help:"R-1042, or its id."`
	Decision string `arg:"" enum:"grant,refuse" help:"grant or refuse."`
	Reason   string `required:""`
}

func (c *requestDecideCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var r api.Request
	if err := cl.post(ctx, "/requests/"+url.PathEscape(c.Number)+"/decide", map[string]string{"decision": c.Decision, "reason": c.Reason}, &r); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, r)
	}
	_, err = fmt.Fprintf(std.Out, "%s: %s\n", r.Number, r.State)
	return err
}

type requestWithdrawCmd struct {
	remote `embed:""`
	Number string `arg:"" help:"R-1042, or its id."`
	Reason string ``
}

func (c *requestWithdrawCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var r api.Request
	if err := cl.post(ctx, "/requests/"+url.PathEscape(c.Number)+"/withdraw", map[string]string{"reason": c.Reason}, &r); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, r)
	}
	_, err = fmt.Fprintf(std.Out, "%s: %s\n", r.Number, r.State)
	return err
}

// agreementCmd shows terms.
type agreementCmd struct {
	List agreementListCmd `cmd:"" help:"List every version of every document."`
	Show agreementShowCmd `cmd:"" help:"Print one document."`
}

type agreementListCmd struct {
	remote `embed:""`
}

func (c *agreementListCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	list, err := all[api.Document](ctx, cl, "/agreements")
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, list)
	}
	rows := [][]string{{"ID", "KIND", "COUNTRY", "LANGUAGE", "VERSION", "VALID FROM", "TITLE"}}
	for _, d := range list {
		rows = append(rows, []string{d.ID, d.Kind, d.Country, d.Language, fmt.Sprint(d.Version), d.ValidFrom.Format("2006-01-02"), d.Title})
	}
	return table(std.Out, rows)
}

type agreementShowCmd struct {
	remote `embed:""`
	ID     string `arg:""`
}

func (c *agreementShowCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var d api.Document
	if err := cl.get(ctx, "/agreements/"+url.PathEscape(c.ID), &d); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, d)
	}
	_, err = fmt.Fprintf(std.Out, "%s, version %d (SHA-256 %s)\n\n%s\n", d.Title, d.Version, d.Hash, d.Text)
	return err
}

// settingsCmd reads and writes what the partner decided, as JSON.
type settingsCmd struct {
	Get settingsGetCmd `cmd:"" help:"Print settings as JSON."`
	Set settingsSetCmd `cmd:"" help:"Save settings from a file, as get printed them."`
}

type settingsGetCmd struct {
	remote `embed:""`
	Kind   string `arg:"" enum:"brand,rules,microsoft,guardrail" help:"brand, rules, microsoft or guardrail."`
}

func settingsPath(kind string) string {
	if kind == "guardrail" {
		return "/guardrail"
	}
	return "/settings/" + kind
}

func (c *settingsGetCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var v json.RawMessage
	if err := cl.get(ctx, settingsPath(c.Kind), &v); err != nil {
		return err
	}
	return printJSON(std.Out, v)
}

type settingsSetCmd struct {
	remote `embed:""`
	Kind   string `arg:"" enum:"brand,rules,microsoft,guardrail" help:"brand, rules, microsoft or guardrail."`
	File   string `arg:"" help:"JSON, with the version as it was read."`
}

func (c *settingsSetCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	b, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	if !json.Valid(b) {
		return fault.Field("file", c.File+" is not JSON.", "Begin with causeway settings get "+c.Kind+".")
	}
	var v json.RawMessage
	if err := cl.call(ctx, http.MethodPut, settingsPath(c.Kind), json.RawMessage(b), &v); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, v)
	}
	return c.done(std, "Saved.")
}
