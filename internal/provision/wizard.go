package provision

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/agreement"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/eligibility"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/store"

	"golang.org/x/text/unicode/norm"
)

// Connect proves that the person may approve charges; the password is used once.
func (r *Runner) Connect(ctx context.Context, a account.Actor, id provider.ID, login, password string) (account.Connection, error) {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return account.Connection{}, err
	}
	c, err := r.people.Connect(ctx, a, login, password)
	if err != nil {
		return c, err
	}
	_, err = r.edit(ctx, a, d.Provider.ID, "draft.connect", func(d *Draft) error {
		d.Connection, d.Login, d.ConnectedUntil = c.ID, c.Login, c.Until
		if d.Account != "" && !c.Lists(d.Account) {
			*d = d.billedTo("", "", "")
		}
		return nil
	})
	return c, err
}

// Choice is one account that the wizard lists.
type Choice struct {
	Account   account.Account
	Ancestors []account.Account // nearest first
	Verdict   eligibility.Verdict
	Own       bool         // the connected person's own: where the choice starts
	Providers int          // that it pays for already
	Committed money.Amount // Σ of their budgets
}

// Choices lists the accounts of the connection with their verdicts; in
// organization mode there is one, the organization's own.
func (r *Runner) Choices(ctx context.Context, a account.Actor, id provider.ID) ([]Choice, error) {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return nil, err
	}
	rules, err := r.settings.Rules(ctx)
	if err != nil {
		return nil, err
	}
	var (
		aliases []account.Alias
		own     account.Alias
	)
	if rules.OrganizationMode {
		org, err := r.people.Org(ctx, d.Provider.Org)
		if err != nil {
			return nil, err
		}
		if org.Account == "" {
			return nil, fault.Field("account", "Your organization has no account that pays.", "Ask the partner to enter one.")
		}
		aliases, own = []account.Alias{org.Account}, org.Account
	} else {
		c, err := r.people.Connection(ctx, a, d.Connection)
		if err != nil {
			return nil, err
		}
		aliases, own = c.Accounts, c.Own
	}
	list := make([]Choice, 0, len(aliases))
	for _, alias := range aliases {
		ch, err := r.choice(ctx, alias, d.Budget, rules)
		if err != nil {
			return nil, err
		}
		ch.Own = alias == own
		list = append(list, ch)
	}
	return list, nil
}

// Choose takes the account that pays. It must be on the connection, and
// eligible; the details are filled in from it.
func (r *Runner) Choose(ctx context.Context, a account.Actor, id provider.ID, alias account.Alias) error {
	rules, err := r.settings.Rules(ctx)
	if err != nil {
		return err
	}
	_, err = r.edit(ctx, a, id, "draft.account", func(d *Draft) error {
		if err := r.proven(ctx, a, *d, alias, rules); err != nil {
			return err
		}
		if d.Budget.Currency() == "" {
			d.Budget = rules.DefaultBudget
		}
		ch, err := r.choice(ctx, alias, d.Budget, rules)
		if err != nil {
			return err
		}
		if !ch.Verdict.Eligible {
			return ch.Verdict.Err()
		}
		t, found, err := tenantOf(ctx, r.db.Read(), d.Provider.Org, ch.Account.LegalEntity())
		if err != nil {
			return err
		}
		if !found {
			if err := r.mayHaveTenant(ctx, d.Provider.Org, rules); err != nil {
				return err
			}
		}
		d.Budget = inCurrencyOf(d.Budget, ch.Account)
		if d.Account != alias {
			*d = d.billedTo(alias, ch.Account.LegalEntity(), t.ID)
			d.Details = prefill(ch.Account)
		}
		return nil
	})
	return err
}

// billedTo is the draft with another payer; what was accepted for another account
// is void.
func (d Draft) billedTo(alias account.Alias, entity, tenant string) Draft {
	d.Account, d.Entity, d.Tenant = alias, entity, tenant
	d.DetailsSaved = false
	d.Terms, d.Customer, d.Microsoft = nil, nil, nil
	return d
}

// proven asks whether this person may charge this account now.
func (r *Runner) proven(ctx context.Context, a account.Actor, d Draft, alias account.Alias, rules partner.Rules) error {
	if rules.OrganizationMode {
		org, err := r.people.Org(ctx, d.Provider.Org)
		if err != nil {
			return err
		}
		if alias != org.Account {
			return fault.Field("account", "Your organization is billed on "+string(org.Account)+" only.", "Choose that account.")
		}
		return nil
	}
	brand, err := r.settings.Brand(ctx)
	if err != nil {
		return err
	}
	if d.Connection == "" {
		return fault.Field("account", "No "+brand.AccountWord+" is connected.", "Connect one: only its Account Administrator can approve charges.")
	}
	c, err := r.people.Connection(ctx, a, d.Connection)
	if err != nil {
		return err
	}
	if !c.Lists(alias) {
		return fault.Field("account", fmt.Sprintf("%s does not administer %s.", c.Login, alias), "Choose an account from the list, or connect its Account Administrator.")
	}
	return nil
}

// mayHaveTenant refuses a second tenant of an organization (N-24), unless the
// partner allows one per legal entity.
func (r *Runner) mayHaveTenant(ctx context.Context, org account.OrgID, rules partner.Rules) error {
	if rules.AnotherEntityTenant {
		return nil
	}
	all, err := r.tenants(ctx, r.db.Read(), org)
	if err != nil || len(all) == 0 {
		return err
	}
	return fault.Refuse(fault.Refusal{
		Field: "account", Code: "one-tenant", Reason: fmt.Sprintf("Your organization has the tenant %s, of another company. It can have one.", all[0].Domain),
		Remedy: "Choose an account of that company, or ask for an exception.",
	})
}

// choice is one account with its verdict.
func (r *Runner) choice(ctx context.Context, alias account.Alias, budget money.Amount, rules partner.Rules) (Choice, error) {
	chain, err := r.people.Chain(ctx, alias)
	if err != nil {
		return Choice{}, err
	}
	if budget.Currency() == "" {
		budget = rules.DefaultBudget
	}
	ch := Choice{Account: chain[0], Ancestors: chain[1:]}
	ch.Verdict, ch.Providers, ch.Committed, err = r.verdict(ctx, chain, budget, rules, "")
	return ch, err
}

// prefill takes what is known of an account into the details.
func prefill(a account.Account) Details {
	culture := a.Language
	if culture == "" {
		culture = "en-US"
	}
	language, _, _ := strings.Cut(culture, "-")
	return Details{
		DomainPrefix: prefix(a.Legal()), CompanyName: a.Legal(), RegistrationNumber: a.RegistrationNumber, Address: a.Address,
		Contact: a.Contact, Signatory: a.Contact, Language: language, Culture: culture,
	}
}

// prefix proposes a domain from a company's name: the letters and digits of it
// that a domain can have. A name in another script gives none.
func prefix(name string) string {
	var b strings.Builder
	for _, c := range norm.NFKD.String(strings.ToLower(name)) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteRune(c)
		}
		if b.Len() == maxPrefix {
			break
		}
	}
	s := b.String()
	for _, form := range []string{"incorporated", "inc", "llc", "ltd", "gmbh", "corp", "plc"} {
		if cut, ok := strings.CutSuffix(s, form); ok && len(cut) >= 4 {
			return cut
		}
	}
	return s
}

// maxPrefix is what Entra ID takes before .onmicrosoft.com.
const maxPrefix = 27

var validPrefix = regexp.MustCompile(`^[a-z0-9]+$`)

// SetDetails keeps what Microsoft will be told. Everything that is wrong with it
// is named at once; Microsoft itself is asked by CheckDetails.
func (r *Runner) SetDetails(ctx context.Context, a account.Actor, id provider.ID, in Details) error {
	in, err := in.clean()
	if err != nil {
		return err
	}
	_, err = r.edit(ctx, a, id, "draft.details", func(d *Draft) error {
		if d.Account == "" {
			return fault.Field("account", "No account is chosen.", "Choose who pays first.")
		}
		taken, err := r.domainIntended(ctx, domain(in.DomainPrefix), d.Provider.Org, d.Entity)
		if err != nil {
			return err
		}
		if taken {
			return takenDomain(domain(in.DomainPrefix) + " is being set up for somebody else.").In(fault.Conflict)
		}
		if d.Details.Signatory != in.Signatory || d.Details.CompanyName != in.CompanyName || d.Details.Address.Country != in.Address.Country {
			d.Microsoft = nil // Microsoft's page names them
		}
		d.Details, d.DetailsSaved = in, true
		return nil
	})
	return err
}

// CheckDetails asks Microsoft what it says of the saved details. ErrAsking: ask
// again in a moment.
func (r *Runner) CheckDetails(ctx context.Context, a account.Actor, id provider.ID) (Checked, error) {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return Checked{}, err
	}
	if !d.DetailsSaved {
		return Checked{}, fault.Field("details", "The details are not filled in.", "Fill them in first.")
	}
	return r.checkNow(ctx, d.Provider.Org, askDetails, d.Details)
}

// CheckPrefix asks Microsoft about a prefix that is being typed: is it free?
func (r *Runner) CheckPrefix(ctx context.Context, a account.Actor, id provider.ID, in Details) (Checked, error) {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return Checked{}, err
	}
	if err := checkPrefix(in.DomainPrefix); err != nil {
		return Checked{}, err
	}
	return r.checkNow(ctx, d.Provider.Org, askDetails, in)
}

func (r *Runner) checkNow(ctx context.Context, org account.OrgID, kind string, d Details) (Checked, error) {
	var c Checked
	err := r.ask(ctx, org, kind, d, &c)
	return c, err
}

func checkPrefix(p string) error {
	switch {
	case p == "":
		return fault.Field("domain_prefix", "The domain prefix is empty.", "Choose letters and digits, for example your company's short name.")
	case !validPrefix.MatchString(p):
		return fault.Field("domain_prefix", "A domain prefix has the letters a to z and digits only.", "Leave out blanks, dots, hyphens and marks.")
	case len(p) > maxPrefix:
		return fault.Field("domain_prefix", fmt.Sprintf("A domain prefix has at most %d characters; this one has %d.", maxPrefix, len(p)), "Shorten it.")
	}
	return nil
}

// clean gives the details in the form that is stored, or all that is wrong.
func (d Details) clean() (Details, error) {
	var all []fault.Refusal
	add := func(field, reason, remedy string) {
		all = append(all, fault.Refusal{Field: field, Reason: reason, Remedy: remedy})
	}
	text := func(field, label string, s *string, most int, needed bool) {
		*s = norm.NFC.String(strings.Join(strings.Fields(*s), " "))
		switch n := utf8.RuneCountInString(*s); {
		case !utf8.ValidString(*s) || strings.ContainsFunc(*s, unicode.IsControl):
			add(field, label+" holds characters that cannot be sent.", "Type it again instead of pasting it.")
		case needed && n == 0:
			add(field, label+" is empty.", "Fill it in.")
		case n > most:
			add(field, fmt.Sprintf("%s has %d characters; Microsoft takes %d.", label, n, most), "Shorten it.")
		}
	}
	d.DomainPrefix = strings.ToLower(strings.TrimSuffix(strings.ToLower(strings.TrimSpace(d.DomainPrefix)), DomainSuffix))
	if f := fault.Of(checkPrefix(d.DomainPrefix)); f != nil {
		all = append(all, f.Refusals...)
	}
	if !d.DomainConfirmed {
		add("domain_confirmed", "It is not confirmed that the domain is permanent.", "Check the prefix once more and tick the box: Microsoft can never change it.")
	}
	text("company_name", "The company's name", &d.CompanyName, 100, true)
	text("registration_number", "The registration number", &d.RegistrationNumber, 50, false)
	text("first_name", "The contact's first name", &d.Contact.FirstName, 50, true)
	text("last_name", "The contact's last name", &d.Contact.LastName, 50, true)
	text("phone", "The telephone number", &d.Contact.Phone, 30, false)
	text("signatory_first_name", "The signatory's first name", &d.Signatory.FirstName, 50, true)
	text("signatory_last_name", "The signatory's last name", &d.Signatory.LastName, 50, true)
	text("signatory_phone", "The signatory's telephone number", &d.Signatory.Phone, 30, false)
	for _, e := range []struct {
		field, label string
		s            *string
	}{{"email", "The contact's e-mail address", &d.Contact.Email}, {"signatory_email", "The signatory's e-mail address", &d.Signatory.Email}} {
		text(e.field, e.label, e.s, 254, true)
		if a, err := mail.ParseAddress(*e.s); *e.s != "" && (err != nil || a.Address != *e.s) {
			add(e.field, e.label+" is none.", "Write it like name@company.example.")
		}
	}
	d.Culture = strings.TrimSpace(d.Culture)
	if d.Culture == "" {
		add("language", "No language is chosen.", "Choose the one in which Microsoft writes to the customer.")
	}
	if d.Language == "" {
		d.Language, _, _ = strings.Cut(d.Culture, "-")
	}
	d.Address = address.Normal(d.Address)
	all = append(all, address.Validate(d.Address)...)
	if needsNumber(d.Address.Country) && d.RegistrationNumber == "" {
		add("registration_number", "Microsoft wants the company's registration number in this country.", "Enter it as in the company register.")
	}
	if len(all) > 0 {
		return d, fault.Refuse(all...)
	}
	return d, nil
}

// Terms gives the two documents in force for the draft's country.
func (r *Runner) Terms(ctx context.Context, a account.Actor, id provider.ID) (agreement.Terms, error) {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return agreement.Terms{}, err
	}
	return r.termsOf(ctx, d)
}

func (r *Runner) termsOf(ctx context.Context, d Draft) (agreement.Terms, error) {
	if d.Account == "" {
		return agreement.Terms{}, fault.Field("account", "No account is chosen: the terms depend on its country.", "Choose who pays first.")
	}
	acct, err := r.people.Account(ctx, d.Account)
	if err != nil {
		return agreement.Terms{}, err
	}
	return r.terms.InForce(ctx, acct.Address.Country, d.Details.Culture, r.now())
}

// AcceptTerms accepts one of the documents for the draft's account. The hash is
// the one of the text that was shown: a newer version must be read first.
func (r *Runner) AcceptTerms(ctx context.Context, a account.Actor, id provider.ID, document agreement.DocumentID, hash string) error {
	_, err := r.edit(ctx, a, id, "draft.terms", func(d *Draft) error {
		if err := account.May(a, account.ActTermsAccept, d.Provider.Org); err != nil {
			return err
		}
		terms, err := r.termsOf(ctx, *d)
		if err != nil {
			return err
		}
		for _, doc := range terms.Both() {
			if doc.ID != document {
				continue
			}
			if doc.Hash != hash {
				return fault.Field("terms", "The text that you were shown is not the one in force.", "Load the page again and read it.").In(fault.Conflict)
			}
			acc := &Accepted{
				Document: string(doc.ID), Version: fmt.Sprint(doc.Version), Hash: doc.Hash, At: r.now(), User: a.User, Login: d.Login, Address: a.Address,
			}
			if doc.Kind == agreement.PartnerTerms {
				d.Terms = acc
			} else {
				d.Customer = acc
			}
			return nil
		}
		return fault.Field("terms", "This version of the terms is not in force any more.", "Load the page again: a new version must be accepted.").In(fault.Conflict)
	})
	return err
}

// StartAttestation makes Microsoft's page for the agreement, for the person here
// or for another signatory, who gets a link by mail.
func (r *Runner) StartAttestation(ctx context.Context, a account.Actor, id provider.ID, other bool, signatory account.Contact) (Attestation, error) {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return Attestation{}, err
	}
	if !d.DetailsSaved {
		return Attestation{}, fault.Field("details", "The details for Microsoft are not filled in.", "Fill them in first: Microsoft's page names the company.")
	}
	if other {
		probe := d.Details
		probe.Signatory = signatory
		if probe, err = probe.clean(); err != nil {
			return Attestation{}, err
		}
		d.Details.Signatory, signatory = probe.Signatory, probe.Signatory
	} else {
		signatory = d.Details.Signatory
	}
	if m := d.Microsoft; m != nil && m.Other == other && m.Signatory == signatory && m.State != attestExpired {
		if !other {
			return *m, nil // the page was only loaded again
		}
		inv, ok, err := r.signatures.For(ctx, string(id))
		switch {
		case err != nil:
			return Attestation{}, err
		case ok && inv.State == agreement.Signed:
			return *m, nil
		case ok && inv.Waiting(r.now()): // asked for once more: the link is sent again
			_, err := r.signatures.Again(ctx, a, inv.ID)
			return *m, err
		} // declined, expired or taken back: a new page and a new link
	}
	if err := account.May(a, account.ActProviderEdit, d.Provider.Org); err != nil {
		return Attestation{}, err
	}
	var answer attestationAnswer
	err = r.ask(ctx, d.Provider.Org, askAttest, partnercenter.EnhancedAttestation{
		Country: d.Details.Address.Country, Language: d.Details.Culture, CompanyName: d.Details.CompanyName,
		SignatoryFirstName: signatory.FirstName, SignatoryLastName: signatory.LastName, SignatoryEmail: signatory.Email, SignatoryPhoneNumber: signatory.Phone,
	}, &answer)
	if err != nil {
		return Attestation{}, err
	}
	d, err = r.edit(ctx, a, id, "draft.attestation", func(d *Draft) error {
		d.Details.Signatory = signatory
		d.Microsoft = &Attestation{ID: answer.ID, URL: answer.URL, State: attestPending, Other: other, Signatory: signatory, AskedAt: r.now()}
		return nil
	}, func(tx *store.Tx, d Draft) error {
		err := r.signatures.WithdrawTx(ctx, tx, string(id), a.ID(), a.Address, "Another person signs.")
		if err != nil || !other {
			return err
		}
		return r.sendInvitation(ctx, tx, a, d)
	})
	if err != nil {
		return Attestation{}, err
	}
	return *d.Microsoft, nil
}

// The states of an attestation as we keep them.
const (
	attestPending  = "pending"
	attestAccepted = "accepted"
	attestExpired  = "expired"
)

// Attestation asks Microsoft how far the page is, and keeps the answer.
func (r *Runner) Attestation(ctx context.Context, a account.Actor, id provider.ID) (Attestation, error) {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return Attestation{}, err
	}
	if d.Microsoft == nil {
		return Attestation{}, fault.New(fault.NotFound, "Microsoft's agreement has not been opened yet.")
	}
	if d.Microsoft.State == attestAccepted || d.Begun {
		return *d.Microsoft, nil
	}
	state, err := r.attestationState(ctx, d)
	if err != nil || state == d.Microsoft.State {
		return *d.Microsoft, err
	}
	if d.Provider.State != provider.Draft { // submitted: the worker notes it and begins
		d.Microsoft.State = state
		return *d.Microsoft, r.wakeSignature(ctx, id)
	}
	d, err = r.edit(ctx, a, id, "draft.attestation", func(d *Draft) error {
		d.Microsoft.State = state
		if state == attestAccepted {
			d.Microsoft.AcceptedAt = r.now()
		}
		return nil
	})
	if errors.Is(err, fault.Conflict) {
		d, err = r.Draft(ctx, a, id) // another window noted it
	}
	if err != nil {
		return Attestation{}, err
	}
	return *d.Microsoft, nil
}

func (r *Runner) attestationState(ctx context.Context, d Draft) (string, error) {
	var answer attestationAnswer
	if err := r.ask(ctx, d.Provider.Org, askAttestation, d.Microsoft.ID, &answer); err != nil {
		return d.Microsoft.State, err
	}
	return answer.state(), nil
}

func (a attestationAnswer) state() string {
	switch {
	case a.Accepted:
		return attestAccepted
	case strings.EqualFold(a.State, partnercenter.AttestationExpired):
		return attestExpired
	}
	return attestPending
}
