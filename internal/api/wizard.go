package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/agreement"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/provision"
)

// Draft is a provider that is still being filled in.
type Draft struct {
	Provider       Provider          `json:"provider"`
	Next           string            `json:"next" enum:"type,mode,name,account,details,terms,review" doc:"The first step that is not filled in; review: it can be submitted."`
	Begun          bool              `json:"begun"`
	KeepUntil      time.Time         `json:"keep_until" doc:"A draft that is left is forgotten then."`
	Login          string            `json:"login,omitempty" doc:"The connected account administrator."`
	ConnectedUntil *time.Time        `json:"connected_until,omitempty"`
	Account        string            `json:"account,omitempty"`
	Further        bool              `json:"further" doc:"The company has a tenant here already: this adds a subscription to it."`
	Budget         *money.Amount     `json:"budget,omitempty" doc:"Per month."`
	Details        provision.Details `json:"details" doc:"What Microsoft is told."`
	DetailsSaved   bool              `json:"details_saved"`
	Accepted       []AcceptedView    `json:"accepted" doc:"Documents that were accepted."`
	Attestation    *Attestation      `json:"attestation,omitempty"`
	Submitted      *time.Time        `json:"submitted,omitempty" doc:"Waits for the second signatory since."`
	Refused        *RefusalView      `json:"refused,omitempty" doc:"Why it could not begin after that wait."`
	MailMe         bool              `json:"mail_me"`
}

// AcceptedView is one accepted document.
type AcceptedView struct {
	Document string    `json:"document"`
	Version  string    `json:"version"`
	Hash     string    `json:"hash"`
	At       time.Time `json:"at"`
	User     string    `json:"user"`
	Login    string    `json:"login,omitempty"`
}

// Attestation is Microsoft's page on which its agreement is accepted.
type Attestation struct {
	ID         string          `json:"id"`
	URL        string          `json:"url" doc:"Open it in a browser: a person accepts there."`
	State      string          `json:"state" enum:"pending,accepted,expired"`
	Other      bool            `json:"other" doc:"Somebody else signs, and got a link by mail."`
	Signatory  account.Contact `json:"signatory"`
	AskedAt    time.Time       `json:"asked_at"`
	AcceptedAt *time.Time      `json:"accepted_at,omitempty"`
}

// Choice is one account that could pay, with its verdict.
type Choice struct {
	Account   Account       `json:"account"`
	Eligible  bool          `json:"eligible"`
	Own       bool          `json:"own" doc:"The connected person's own."`
	Failures  []FailureView `json:"failures" doc:"Every rule that stands against it."`
	Lifted    []FailureView `json:"lifted" doc:"Rules that a granted exception lifts."`
	CanAsk    bool          `json:"can_ask" doc:"An exception could lift all of it."`
	Providers int           `json:"providers"`
	Committed *money.Amount `json:"committed,omitempty" doc:"Sum of the budgets of its subscriptions."`
}

// FailureView is a rule of eligibility that fails.
type FailureView struct {
	Rule    string     `json:"rule"`
	Cause   string     `json:"cause,omitempty" doc:"Alias of the ancestor that causes it."`
	Reason  string     `json:"reason"`
	Remedy  string     `json:"remedy,omitempty"`
	Request string     `json:"request,omitempty"`
	Until   *time.Time `json:"until,omitempty"`
}

// Checked is what Microsoft says of the details.
type Checked struct {
	Domain      string            `json:"domain"`
	Suggestions []address.Address `json:"suggestions" doc:"In place of the address as typed."`
	Warning     string            `json:"warning,omitempty"`
	Refusals    []RefusalView     `json:"refusals"`
	At          time.Time         `json:"at"`
}

// Begun is what became of a submitted draft.
type Begun struct {
	Onboarding string `json:"onboarding,omitempty"`
	Waiting    bool   `json:"waiting" doc:"For the second signatory; it begins by itself then."`
}

// detailsIn changes what it names; the rest stays as it was filled in from the
// account.
type detailsIn struct {
	DomainPrefix       *string          `json:"domain_prefix,omitempty" maxLength:"200" doc:"Before .onmicrosoft.com."`
	DomainConfirmed    *bool            `json:"domain_confirmed,omitempty" doc:"The domain can never be changed: say that this is understood."`
	CompanyName        *string          `json:"company_name,omitempty" maxLength:"1000"`
	RegistrationNumber *string          `json:"registration_number,omitempty" maxLength:"200"`
	Address            *address.Address `json:"address,omitempty"`
	Contact            *contactIn       `json:"contact,omitempty"`
	Signatory          *contactIn       `json:"signatory,omitempty"`
	Language           *string          `json:"language,omitempty" maxLength:"35"`
	Culture            *string          `json:"culture,omitempty" maxLength:"35" example:"en-US"`
}

func (in detailsIn) onto(d provision.Details) provision.Details {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&d.DomainPrefix, in.DomainPrefix)
	set(&d.CompanyName, in.CompanyName)
	set(&d.RegistrationNumber, in.RegistrationNumber)
	set(&d.Language, in.Language)
	set(&d.Culture, in.Culture)
	if in.DomainConfirmed != nil {
		d.DomainConfirmed = *in.DomainConfirmed
	}
	if in.Address != nil {
		d.Address = *in.Address
	}
	if in.Contact != nil {
		d.Contact = in.Contact.contact()
	}
	if in.Signatory != nil {
		d.Signatory = in.Signatory.contact()
	}
	return d
}

// placed are refusals of the details, whose fields lie deeper in the body.
type placed struct {
	error
	in string // "" or "details."
}

func (p placed) Unwrap() error { return p.error }

// place finds a field of the details in the body.
func place(field string) string {
	switch field {
	case "first_name", "last_name", "email", "phone":
		return "contact." + field
	case "line1", "line2", "city", "state", "postal_code", "country":
		return "address." + field
	case "language":
		return "culture"
	}
	if rest, ok := strings.CutPrefix(field, "signatory_"); ok {
		return "signatory." + rest
	}
	return field
}

type (
	setIn[T any] struct {
		ByID
		Body T
	}
	typeBody struct {
		Type string `json:"type" maxLength:"100"`
	}
	modeBody struct {
		Mode string `json:"mode" maxLength:"100"`
	}
	nameBody struct {
		Name string `json:"name" maxLength:"1000"`
	}
	aliasBody struct {
		Account string `json:"account" maxLength:"10"`
	}
	budgetBody struct {
		Budget money.Amount `json:"budget"`
	}
	loginBody struct {
		Login    string `json:"login" maxLength:"100" doc:"Of an account administrator."`
		Password string `json:"password" maxLength:"1000" doc:"Used once, for this."`
	}
	acceptBody struct {
		Document string `json:"document" maxLength:"100"`
		Hash     string `json:"hash" maxLength:"64" doc:"Of the text that was shown: a newer version must be read first."`
	}
	attestBody struct {
		Other *contactIn `json:"other,omitempty" doc:"Another person who signs; a link is sent by mail. Left out: the signatory of the details."`
	}
)

type newProviderIn struct {
	Body struct {
		Type        string        `json:"type,omitempty" maxLength:"100" default:"azure-resource-manager"`
		Mode        string        `json:"mode,omitempty" maxLength:"100" default:"new"`
		Name        string        `json:"name,omitempty" maxLength:"1000" doc:"Also the name of the Azure subscription."`
		Connect     *loginBody    `json:"connect,omitempty" doc:"Sign-in of the account administrator who approves the charges."`
		Account     string        `json:"account,omitempty" maxLength:"10"`
		Budget      *money.Amount `json:"budget,omitempty"`
		Details     *detailsIn    `json:"details,omitempty" doc:"Where they differ from the account's. Microsoft is asked at once."`
		Accept      []acceptBody  `json:"accept,omitempty" maxItems:"5"`
		Attestation *attestBody   `json:"attestation,omitempty"`
		Submit      bool          `json:"submit,omitempty" doc:"Begin, if everything is there."`
	}
}

func (s *Server) routeWizard() {
	handle(s, op{id: "create-provider", is: "POST /providers", tag: "wizard", text: "Begin a provider", act: account.ActProviderCreate, created: true,
		more: "An empty body makes an empty draft. What is given is filled in, in the wizard's order; if any of it is refused, no draft is left behind. " +
			"Microsoft's agreement is accepted by a person on Microsoft's page (attestation.url); after that, submit."}, s.createProvider)
	handle(s, op{id: "get-draft", is: "GET /providers/{id}/draft", tag: "wizard", text: "What is filled in so far", act: account.ActProviderView}, func(ctx context.Context, a account.Actor, in *ByID) (Draft, error) {
		return s.draft(ctx, a, provider.ID(in.ID))
	})
	act(s, op{id: "drop-draft", is: "DELETE /providers/{id}/draft", tag: "wizard", text: "Forget a draft", act: account.ActProviderEdit}, func(ctx context.Context, a account.Actor, in *ByID) error {
		return s.Provision.DropDraft(ctx, a, provider.ID(in.ID))
	})
	setting(s, op{id: "set-type", is: "PUT /providers/{id}/type", text: "Choose the type"}, func(ctx context.Context, a account.Actor, id provider.ID, b typeBody) error {
		return s.Provision.SetType(ctx, a, id, b.Type)
	})
	setting(s, op{id: "set-mode", is: "PUT /providers/{id}/mode", text: "Choose between a new account and an existing one"}, func(ctx context.Context, a account.Actor, id provider.ID, b modeBody) error {
		return s.Provision.SetMode(ctx, a, id, b.Mode)
	})
	setting(s, op{id: "set-name", is: "PUT /providers/{id}/name", text: "Name it"}, func(ctx context.Context, a account.Actor, id provider.ID, b nameBody) error {
		return s.Provision.SetName(ctx, a, id, b.Name)
	})
	setting(s, op{id: "connect-provider", is: "PUT /providers/{id}/connection", text: "Connect the account administrator who approves the charges"}, func(ctx context.Context, a account.Actor, id provider.ID, b loginBody) error {
		_, err := s.Provision.Connect(ctx, a, id, b.Login, b.Password)
		return err
	})
	handle(s, op{id: "list-choices", is: "GET /providers/{id}/choices", tag: "wizard", text: "Which accounts could pay, and why others may not", act: account.ActProviderView}, s.choices)
	setting(s, op{id: "set-provider-account", is: "PUT /providers/{id}/account", text: "Choose who pays"}, func(ctx context.Context, a account.Actor, id provider.ID, b aliasBody) error {
		return s.Provision.Choose(ctx, a, id, account.Alias(b.Account))
	})
	setting(s, op{id: "set-budget", is: "PUT /providers/{id}/budget", text: "Set the monthly usage budget"}, func(ctx context.Context, a account.Actor, id provider.ID, b budgetBody) error {
		return s.Provision.SetBudget(ctx, a, id, b.Budget)
	})
	setting(s, op{id: "set-details", is: "PATCH /providers/{id}/details", text: "Change what Microsoft is told", more: "What is left out stays. Everything that is wrong is named at once."}, func(ctx context.Context, a account.Actor, id provider.ID, b detailsIn) error {
		return s.setDetails(ctx, a, id, b, "")
	})
	handle(s, op{id: "check-details", is: "POST /providers/{id}/details/check", tag: "wizard", text: "Ask Microsoft what it says of the details", act: account.ActProviderView, more: "503 with Retry-After: Microsoft has not answered yet; ask again."}, func(ctx context.Context, a account.Actor, in *ByID) (Checked, error) {
		c, err := s.Provision.CheckDetails(ctx, a, provider.ID(in.ID))
		return viewChecked(c), err
	})
	handle(s, op{id: "get-terms", is: "GET /providers/{id}/terms", tag: "wizard", text: "The documents to accept, with their text", act: account.ActProviderView}, func(ctx context.Context, a account.Actor, in *ByID) (Page[Document], error) {
		t, err := s.Provision.Terms(ctx, a, provider.ID(in.ID))
		if err != nil {
			return Page[Document]{}, err
		}
		return Page[Document]{Items: each(t.Both(), viewDocument)}, nil
	})
	setting(s, op{id: "accept-terms", is: "POST /providers/{id}/terms", text: "Accept a document", act: account.ActTermsAccept}, func(ctx context.Context, a account.Actor, id provider.ID, b acceptBody) error {
		return s.Provision.AcceptTerms(ctx, a, id, agreement.DocumentID(b.Document), b.Hash)
	})
	handle(s, op{id: "start-attestation", is: "POST /providers/{id}/attestation", tag: "wizard", text: "Open Microsoft's page for its agreement", act: account.ActProviderEdit}, func(ctx context.Context, a account.Actor, in *setIn[attestBody]) (Attestation, error) {
		t, err := s.attest(ctx, a, provider.ID(in.ID), in.Body)
		return viewAttestation(t), err
	})
	handle(s, op{id: "get-attestation", is: "GET /providers/{id}/attestation", tag: "wizard", text: "Has it been accepted?", act: account.ActProviderView}, func(ctx context.Context, a account.Actor, in *ByID) (Attestation, error) {
		t, err := s.Provision.Attestation(ctx, a, provider.ID(in.ID))
		return viewAttestation(t), err
	})
	handle(s, op{id: "submit-provider", is: "POST /providers/{id}/submit", tag: "wizard", text: "End the wizard and begin", act: account.ActProviderCreate,
		more: "Everything is checked once more. Sent twice, it gives the same onboarding."}, func(ctx context.Context, a account.Actor, in *ByID) (Begun, error) {
		b, err := s.Provision.Submit(ctx, a, provider.ID(in.ID))
		return Begun{string(b.Onboarding), b.Waiting}, err
	})
}

// setting registers a write of one step of the wizard; it answers with the draft.
func setting[B any](s *Server, o op, h func(context.Context, account.Actor, provider.ID, B) error) {
	o.tag = "wizard"
	if o.act == "" {
		o.act = account.ActProviderEdit
	}
	handle(s, o, func(ctx context.Context, a account.Actor, in *setIn[B]) (Draft, error) {
		if err := h(ctx, a, provider.ID(in.ID), in.Body); err != nil {
			return Draft{}, err
		}
		return s.draft(ctx, a, provider.ID(in.ID))
	})
}

func (s *Server) draft(ctx context.Context, a account.Actor, id provider.ID) (Draft, error) {
	d, err := s.Provision.Draft(ctx, a, id)
	if err != nil {
		return Draft{}, err
	}
	return viewDraft(d), nil
}

func (s *Server) setDetails(ctx context.Context, a account.Actor, id provider.ID, in detailsIn, under string) error {
	d, err := s.Provision.Draft(ctx, a, id)
	if err != nil {
		return err
	}
	if err := s.Provision.SetDetails(ctx, a, id, in.onto(d.Details)); err != nil {
		return placed{err, under}
	}
	return nil
}

func (s *Server) attest(ctx context.Context, a account.Actor, id provider.ID, b attestBody) (provision.Attestation, error) {
	if b.Other == nil {
		return s.Provision.StartAttestation(ctx, a, id, false, account.Contact{})
	}
	return s.Provision.StartAttestation(ctx, a, id, true, b.Other.contact())
}

func (s *Server) createProvider(ctx context.Context, a account.Actor, in *newProviderIn) (Draft, error) {
	if left := madeBefore(ctx); left != "" { // a run that died left a draft: this run begins anew
		if err := s.Provision.DropDraft(ctx, a, provider.ID(left)); err != nil && !errors.Is(err, fault.NotFound) {
			return Draft{}, err
		}
	}
	id, err := s.Provision.NewDraft(ctx, a)
	if err != nil {
		return Draft{}, err
	}
	if err := made(ctx, string(id)); err != nil {
		return Draft{}, err
	}
	if err := s.fill(ctx, a, id, in); err != nil {
		ctx := context.WithoutCancel(ctx)
		if dropped := s.Provision.DropDraft(ctx, a, id); dropped != nil {
			return Draft{}, errors.Join(err, dropped)
		}
		return Draft{}, errors.Join(err, made(ctx, ""))
	}
	return s.draft(ctx, a, id)
}

// fill does the wizard's steps for which something was given.
func (s *Server) fill(ctx context.Context, a account.Actor, id provider.ID, in *newProviderIn) error {
	b := in.Body
	steps := []struct {
		given bool
		do    func() error
	}{
		{true, func() error { return s.Provision.SetType(ctx, a, id, b.Type) }},
		{true, func() error { return s.Provision.SetMode(ctx, a, id, b.Mode) }},
		{b.Name != "", func() error { return s.Provision.SetName(ctx, a, id, b.Name) }},
		{b.Connect != nil, func() error {
			_, err := s.Provision.Connect(ctx, a, id, b.Connect.Login, b.Connect.Password)
			return err
		}},
		{b.Account != "", func() error { return s.Provision.Choose(ctx, a, id, account.Alias(b.Account)) }},
		{b.Budget != nil, func() error { return s.Provision.SetBudget(ctx, a, id, *b.Budget) }},
		{b.Details != nil, func() error { return s.checkedDetails(ctx, a, id, *b.Details) }},
		{len(b.Accept) > 0, func() error {
			for _, d := range b.Accept {
				if err := s.Provision.AcceptTerms(ctx, a, id, agreement.DocumentID(d.Document), d.Hash); err != nil {
					return err
				}
			}
			return nil
		}},
		{b.Attestation != nil, func() error {
			_, err := s.attest(ctx, a, id, *b.Attestation)
			return err
		}},
		{b.Submit, func() error {
			_, err := s.Provision.Submit(ctx, a, id)
			return err
		}},
	}
	for _, step := range steps {
		if !step.given {
			continue
		}
		if err := step.do(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) checkedDetails(ctx context.Context, a account.Actor, id provider.ID, in detailsIn) error {
	if err := s.setDetails(ctx, a, id, in, "details."); err != nil {
		return err
	}
	c, err := s.Provision.CheckDetails(ctx, a, id)
	if err == nil && len(c.Refusals) > 0 {
		err = fault.Refuse(c.Refusals...)
	}
	if err != nil {
		return placed{err, "details."}
	}
	return nil
}

func (s *Server) choices(ctx context.Context, a account.Actor, in *ByID) (Page[Choice], error) {
	list, err := s.Provision.Choices(ctx, a, provider.ID(in.ID))
	return Page[Choice]{Items: each(list, viewChoice)}, err
}

func viewChoice(c provision.Choice) Choice {
	v := Choice{
		Account: viewAccount(c.Account), Eligible: c.Verdict.Eligible, Own: c.Own, CanAsk: c.Verdict.CanAsk(), Providers: c.Providers,
		Committed: amount(c.Committed), Failures: []FailureView{}, Lifted: []FailureView{},
	}
	for _, f := range c.Verdict.Failures {
		v.Failures = append(v.Failures, FailureView{Rule: string(f.Rule), Cause: f.Cause, Reason: f.Reason, Remedy: f.Remedy})
	}
	for _, f := range c.Verdict.Lifted {
		v.Lifted = append(v.Lifted, FailureView{Rule: string(f.Rule), Cause: f.Cause, Reason: f.Reason, Request: f.Request, Until: when(f.Until)})
	}
	return v
}

func viewDraft(d provision.Draft) Draft {
	v := Draft{
		Provider: viewProvider(d.Provider), Next: d.Next(), Begun: d.Begun, KeepUntil: d.KeepUntil, Login: d.Login, ConnectedUntil: when(d.ConnectedUntil),
		Account: string(d.Account), Further: d.Tenant != "", Budget: amount(d.Budget), Details: d.Details, DetailsSaved: d.DetailsSaved,
		Accepted: []AcceptedView{}, MailMe: d.MailMe,
	}
	for _, x := range []*provision.Accepted{d.Terms, d.Customer} {
		if x != nil {
			v.Accepted = append(v.Accepted, AcceptedView{x.Document, x.Version, x.Hash, x.At, string(x.User), x.Login})
		}
	}
	if d.Microsoft != nil {
		t := viewAttestation(*d.Microsoft)
		v.Attestation = &t
	}
	if d.Submitted != nil {
		v.Submitted = &d.Submitted.At
	}
	if d.Refused != (fault.Refusal{}) {
		r := RefusalView(d.Refused)
		v.Refused = &r
	}
	return v
}

func viewAttestation(t provision.Attestation) Attestation {
	return Attestation{t.ID, t.URL, t.State, t.Other, t.Signatory, t.AskedAt, when(t.AcceptedAt)}
}

func viewChecked(c provision.Checked) Checked {
	return Checked{
		Domain: c.Domain, Warning: c.Warning, At: c.At, Refusals: each(c.Refusals, func(r fault.Refusal) RefusalView { return RefusalView(r) }),
		Suggestions: each(c.Suggestions, func(a address.Address) address.Address { return a }),
	}
}
