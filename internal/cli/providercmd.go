package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/api"
	"causeway/internal/fault"
)

// providerCmd is what a customer owns.
type providerCmd struct {
	Create providerCreateCmd `cmd:"" help:"Begin a provider: a new Azure customer account with a subscription."`
	Submit providerSubmitCmd `cmd:"" help:"Begin a draft whose terms were accepted meanwhile."`
	List   providerListCmd   `cmd:"" help:"List providers."`
	Show   providerShowCmd   `cmd:"" help:"Show one, with its steps."`
	Watch  providerWatchCmd  `cmd:"" help:"Watch it until it is ready, stuck or cancelled."`
	Cancel providerCancelCmd `cmd:"" help:"Cancel it."`
}

type providerCreateCmd struct {
	remote             `embed:""`
	Name               string        `required:"" help:"Also the name of the Azure subscription."`
	Account            string        `required:"" placeholder:"ALIAS" help:"The billing account that pays."`
	Login              string        `placeholder:"LOGIN" help:"Of the account administrator who approves the charges; the password is asked for on standard input. Left out: organization mode."`
	Domain             string        `placeholder:"PREFIX" help:"Before .onmicrosoft.com. Left out: what the company's name gives."`
	ConfirmDomain      bool          `help:"Say that you understand that the domain can never be changed."`
	CompanyName        string        `help:"Where it differs from the account's; likewise all below."`
	RegistrationNumber *string       `placeholder:"NUMBER" help:"Empty: none is sent."`
	FirstName          string        `help:"Of the contact and signatory."`
	LastName           string        `help:"Likewise."`
	ContactEmail       string        `help:"Likewise."`
	Phone              string        `help:"Likewise."`
	Line1              string        `help:"Of the address."`
	City               string        `help:"Of the address."`
	State              string        `help:"Of the address: code of the state or province."`
	PostalCode         string        `help:"Of the address."`
	Culture            string        `placeholder:"TAG" help:"Language in which Microsoft writes, e.g. en-US."`
	Budget             string        `placeholder:"AMOUNT" help:"Monthly usage budget, in the account's currency."`
	AcceptTerms        bool          `help:"Accept the partner's terms, which are printed; you must be allowed to."`
	Wait               time.Duration `default:"0s" help:"How long to wait for Microsoft's agreement to be accepted on its page."`
	Watch              bool          `help:"Then watch until it is ready."`
}

// created is what provider create prints.
type created struct {
	Provider    string           `json:"provider"`
	State       string           `json:"state"` // draft while something is missing, else as the provider's
	Next        string           `json:"next,omitempty"`
	Attestation *api.Attestation `json:"attestation,omitempty"`
	Onboarding  string           `json:"onboarding,omitempty"`
	Waiting     bool             `json:"waiting,omitempty"`
}

func (c *providerCreateCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	body := map[string]any{"name": c.Name, "account": c.Account}
	if c.Login != "" {
		password, err := newReader(std).secret("Password of " + c.Login + ": ")
		if err != nil {
			return err
		}
		body["connect"] = map[string]string{"login": c.Login, "password": password}
	}
	var d api.Draft
	if err := cl.post(ctx, "/providers", body, &d); err != nil {
		return err
	}
	if err := c.fill(ctx, cl, std, &d); err != nil {
		// Nothing half-made: what was refused leaves no draft behind.
		if dropped := cl.call(context.WithoutCancel(ctx), http.MethodDelete, draftPath(d.Provider.ID)+"/draft", nil, nil); dropped != nil {
			_, _ = fmt.Fprintf(std.Err, "The draft %s is left: %v\n", d.Provider.ID, dropped)
		}
		return err
	}
	out := created{Provider: d.Provider.ID, State: d.Provider.State, Next: d.Next, Attestation: d.Attestation}
	if d.Attestation != nil && d.Attestation.State == "pending" && !d.Attestation.Other {
		if !c.JSON {
			_, _ = fmt.Fprintf(std.Out, "Microsoft's agreement is accepted at\n  %s\n", d.Attestation.URL)
		}
		if err := awaitAttestation(ctx, cl, &out, c.Wait); err != nil {
			return err
		}
	}
	if out.Attestation != nil && out.Attestation.State == "accepted" || d.Further && len(d.Accepted) == 2 {
		if err := submit(ctx, cl, &out); err != nil {
			return err
		}
	}
	return c.end(ctx, cl, std, out)
}

func (c *providerCreateCmd) end(ctx context.Context, cl *client, std Std, out created) error {
	if out.Onboarding == "" || !c.Watch {
		if c.JSON {
			return printJSON(std.Out, out)
		}
		return sayCreated(std.Out, out)
	}
	w := providerWatchCmd{remote: c.remote, ID: out.Provider}
	return w.watch(ctx, cl, std)
}

func sayCreated(w io.Writer, out created) error {
	var err error
	switch {
	case out.Onboarding != "":
		_, err = fmt.Fprintf(w, "%s has begun. Watch it with: causeway provider watch %s\n", out.Provider, out.Provider)
	case out.Waiting:
		_, err = fmt.Fprintf(w, "%s waits for the signatory and begins by itself then.\n", out.Provider)
	case out.Attestation != nil && out.Attestation.State == "pending":
		_, err = fmt.Fprintf(w, "%s is a draft. When the agreement is accepted: causeway provider submit %s\n", out.Provider, out.Provider)
	default:
		_, err = fmt.Fprintf(w, "%s is a draft. Its next step is %s.\n", out.Provider, out.Next)
	}
	return err
}

func draftPath(id string) string { return "/providers/" + url.PathEscape(id) }

// fill does the wizard's steps after the account.
func (c *providerCreateCmd) fill(ctx context.Context, cl *client, std Std, d *api.Draft) error {
	at := draftPath(d.Provider.ID)
	if c.Budget != "" {
		if d.Budget == nil {
			return fault.Field("budget", "The account has no currency.", "Ask the partner.")
		}
		in := map[string]any{"budget": map[string]string{"amount": c.Budget, "currency": string(d.Budget.Currency())}}
		if err := cl.call(ctx, http.MethodPut, at+"/budget", in, d); err != nil {
			return err
		}
	}
	if !d.Further {
		if err := c.details(ctx, cl, d); err != nil {
			return err
		}
	}
	var terms api.Page[api.Document]
	if err := cl.get(ctx, at+"/terms", &terms); err != nil {
		return err
	}
	for _, t := range terms.Items {
		if t.Kind == "microsoft" && !d.Further {
			continue
		}
		if !c.AcceptTerms {
			return fault.Field("accept-terms", fmt.Sprintf("“%s”, version %d, is not accepted.", t.Title, t.Version), "Read it in the portal, or print it with causeway agreement show "+t.ID+"; then give --accept-terms.")
		}
		if !c.JSON {
			_, _ = fmt.Fprintf(std.Out, "Accepting “%s”, version %d (SHA-256 %s…).\n", t.Title, t.Version, t.Hash[:12])
		}
		if err := cl.post(ctx, at+"/terms", map[string]string{"document": t.ID, "hash": t.Hash}, d); err != nil {
			return err
		}
	}
	if d.Further {
		return nil
	}
	var t api.Attestation
	if err := cl.post(ctx, at+"/attestation", map[string]any{}, &t); err != nil {
		return err
	}
	d.Attestation, d.Next = &t, "review"
	return nil
}

// details sends what differs from the account's and asks Microsoft about it.
func (c *providerCreateCmd) details(ctx context.Context, cl *client, d *api.Draft) error {
	at := draftPath(d.Provider.ID)
	contact := func(p account.Contact) account.Contact {
		return account.Contact{
			FirstName: firstOf(c.FirstName, p.FirstName), LastName: firstOf(c.LastName, p.LastName),
			Email: firstOf(c.ContactEmail, p.Email), Phone: firstOf(c.Phone, p.Phone),
		}
	}
	a := d.Details.Address
	in := map[string]any{
		"domain_prefix": firstOf(c.Domain, d.Details.DomainPrefix), "domain_confirmed": c.ConfirmDomain,
		"company_name": firstOf(c.CompanyName, d.Details.CompanyName), "culture": firstOf(c.Culture, d.Details.Culture),
		"contact": contact(d.Details.Contact), "signatory": contact(d.Details.Signatory),
		"address": address.Address{
			Country: a.Country, Line1: firstOf(c.Line1, a.Line1), Line2: a.Line2, City: firstOf(c.City, a.City), State: firstOf(c.State, a.State),
			PostalCode: firstOf(c.PostalCode, a.PostalCode),
		},
	}
	if c.RegistrationNumber != nil {
		in["registration_number"] = *c.RegistrationNumber
	}
	if err := cl.call(ctx, http.MethodPatch, at+"/details", in, d); err != nil {
		return err
	}
	var checked api.Checked
	if err := cl.post(ctx, at+"/details/check", nil, &checked); err != nil {
		return err
	}
	var all []fault.Refusal
	for _, r := range checked.Refusals {
		all = append(all, fault.Refusal(r))
	}
	if len(all) > 0 {
		return fault.Refuse(all...)
	}
	return nil
}

// awaitAttestation waits for the person at Microsoft's page, for at most so long.
func awaitAttestation(ctx context.Context, cl *client, out *created, most time.Duration) error {
	began := time.Now()
	for {
		if err := cl.get(ctx, draftPath(out.Provider)+"/attestation", out.Attestation); err != nil {
			return err
		}
		if out.Attestation.State != "pending" || time.Since(began) >= most {
			return nil
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

func submit(ctx context.Context, cl *client, out *created) error {
	var b api.Begun
	if err := cl.post(ctx, draftPath(out.Provider)+"/submit", nil, &b); err != nil {
		return err
	}
	out.Onboarding, out.Waiting, out.State, out.Next = b.Onboarding, b.Waiting, "in-progress", ""
	if b.Waiting {
		out.State = "waiting"
	}
	return nil
}

type providerSubmitCmd struct {
	remote `embed:""`
	ID     string        `arg:"" help:"As provider create printed it."`
	Wait   time.Duration `default:"0s" help:"How long to wait for Microsoft's agreement to be accepted."`
}

func (c *providerSubmitCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var d api.Draft
	if err := cl.get(ctx, draftPath(c.ID)+"/draft", &d); err != nil {
		return err
	}
	out := created{Provider: c.ID, State: d.Provider.State, Next: d.Next, Attestation: d.Attestation}
	if d.Attestation != nil && !d.Attestation.Other && !d.Begun {
		if err := awaitAttestation(ctx, cl, &out, c.Wait); err != nil {
			return err
		}
	}
	if err := submit(ctx, cl, &out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, out)
	}
	return sayCreated(std.Out, out)
}

type providerListCmd struct {
	remote  `embed:""`
	State   string `help:"Only those in this state."`
	Account string `help:"Only those that this account pays."`
	Search  string `help:"Only those with this in name, domain, account, subscription or tenant."`
}

func (c *providerListCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	list, err := all[api.Provider](ctx, cl, "/providers"+query("state", c.State, "account", c.Account, "search", c.Search))
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, list)
	}
	rows := [][]string{{"ID", "NAME", "STATE", "ACCOUNT", "DOMAIN", "CHANGED"}}
	for _, p := range list {
		rows = append(rows, []string{p.ID, p.Name, p.State, p.Account, p.Domain, clock(p.ChangedAt)})
	}
	return table(std.Out, rows)
}

// query writes a query of the values that are given.
func query(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}

type providerShowCmd struct {
	remote `embed:""`
	ID     string `arg:""`
}

// shown is what provider show prints.
type shown struct {
	Provider api.Provider  `json:"provider"`
	Progress *api.Progress `json:"progress,omitempty"`
	Grants   []api.Grant   `json:"grants,omitempty"`
}

func (c *providerShowCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var s shown
	if err := cl.get(ctx, draftPath(c.ID), &s.Provider); err != nil {
		return err
	}
	if s.Provider.State != "draft" {
		var p api.Progress
		err := cl.get(ctx, draftPath(c.ID)+"/progress", &p)
		if err == nil {
			s.Progress = &p
		} else if fault.KindOf(err) != fault.Conflict { // waits for its signatory: nothing runs yet
			return err
		}
		if s.Grants, err = all[api.Grant](ctx, cl, draftPath(c.ID)+"/grants"); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(std.Out, s)
	}
	p := s.Provider
	err = facts(std.Out, "Name", p.Name, "State", p.State, "Note", p.Note, "Account", p.Account, "Domain", p.Domain, "Tenant", p.TenantID,
		"Subscription", p.SubscriptionID, "Changed", clock(p.ChangedAt))
	if err != nil || s.Progress == nil {
		return err
	}
	_, _ = fmt.Fprintln(std.Out)
	return stepTable(std.Out, s.Progress.Steps)
}

func stepTable(w io.Writer, steps []api.Step) error {
	rows := [][]string{{"STEP", "STATE", "TOOK", ""}}
	for _, s := range steps {
		took := ""
		if s.Started != nil && s.Finished != nil {
			took = s.Finished.Sub(*s.Started).Round(time.Millisecond).String()
		}
		rows = append(rows, []string{s.Name, s.State, took, s.Note})
	}
	return table(w, rows)
}

type providerWatchCmd struct {
	remote `embed:""`
	ID     string `arg:""`
}

func (c *providerWatchCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	return c.watch(ctx, cl, std)
}

func (c *providerWatchCmd) watch(ctx context.Context, cl *client, std Std) error {
	told := map[string]string{}
	p, err := await(ctx, cl, c.ID, func(p api.Progress) {
		for _, s := range p.Steps {
			line := strings.TrimSpace(s.State + "  " + s.Note)
			if !c.JSON && s.State != "pending" && told[s.Name] != line {
				_, _ = fmt.Fprintf(std.Out, "%-14s %s\n", s.Name, line)
			}
			told[s.Name] = line
		}
	})
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(std.Out, p); err != nil {
			return err
		}
	} else {
		_, _ = fmt.Fprintf(std.Out, "%s: %s\n", p.Provider.Name, p.Provider.State)
	}
	if p.Provider.State == "stuck" {
		if r := p.Onboarding.Refusal; r != nil && !c.JSON {
			complain(std.Err, fault.Refuse(fault.Refusal(*r)))
		}
		return errShown
	}
	return nil
}

type providerCancelCmd struct {
	remote `embed:""`
	ID     string `arg:""`
}

func (c *providerCancelCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	if err := cl.post(ctx, draftPath(c.ID)+"/cancel", nil, nil); err != nil {
		return err
	}
	return c.done(std, "It is being cancelled.")
}
