package provision

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/audit"
	"causeway/internal/azure"
	"causeway/internal/eligibility"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// Begun is what became of a submitted draft.
type Begun struct {
	Onboarding ID   // "" while a signatory is awaited
	Waiting    bool // for the second signatory
}

// Submit ends the wizard. Nothing exists at Microsoft before it but the
// attestation; everything is checked once more. Sent twice, it gives the same
// onboarding; if somebody else still has to sign, it begins by itself then.
func (r *Runner) Submit(ctx context.Context, a account.Actor, id provider.ID) (Begun, error) {
	d, err := r.Draft(ctx, a, id)
	if err != nil {
		return Begun{}, err
	}
	if d.Begun {
		o, err := r.of(ctx, id)
		return Begun{Onboarding: o.ID}, err
	}
	rules, err := r.mayCreate(ctx, a)
	if err != nil {
		return Begun{}, err
	}
	if step := d.Next(); step != WizardReview {
		return Begun{}, fault.Field(step, "The step “"+step+"” is not filled in.", "Go back to it.")
	}
	if err := r.proven(ctx, a, d, d.Account, rules); err != nil {
		return Begun{}, err
	}
	if err := r.mustBeEligible(ctx, d); err != nil {
		return Begun{}, err
	}
	if err := r.termsInForce(ctx, d); err != nil {
		return Begun{}, err
	}
	signed, err := r.signed(ctx, d)
	if err != nil {
		return Begun{}, err
	}
	if !signed {
		return Begun{Waiting: true}, r.wait(ctx, a, d)
	}
	if err := r.preflight(ctx, d); err != nil {
		return Begun{}, err
	}
	o, err := r.begin(ctx, a, d, rules)
	if errors.Is(err, fault.Conflict) { // the same form, sent twice: the other one was first
		if first, ferr := r.of(ctx, id); ferr == nil {
			return Begun{Onboarding: first.ID}, nil
		}
	}
	return Begun{Onboarding: o}, err
}

// signed tells whether nobody's signature is awaited any more.
func (r *Runner) signed(ctx context.Context, d Draft) (bool, error) {
	if !d.Signed() || d.Microsoft == nil || !d.Microsoft.Other {
		return d.Signed(), nil
	}
	inv, ok, err := r.signatures.For(ctx, string(d.Provider.ID))
	return ok && inv.State == agreement.Signed, err
}

// wait puts the draft aside until the second signatory has signed.
func (r *Runner) wait(ctx context.Context, a account.Actor, d Draft) error {
	if d.Submitted != nil {
		return nil
	}
	d.Submitted = &Submission{At: r.now(), Address: a.Address}
	d.Provider.State, d.Provider.Note = provider.Waiting, "The signatory has not signed yet. It begins by itself then."
	return r.saveDraft(ctx, d, a.ID(), string(a.User), a.Address, "draft.submit", func(tx *store.Tx) error {
		return r.jobs.Add(ctx, tx, JobSign, string(d.Provider.ID), struct{}{}, time.Time{})
	})
}

// sendInvitation mails the second signatory a link to the terms, in place of an
// earlier invitation.
func (r *Runner) sendInvitation(ctx context.Context, tx *store.Tx, a account.Actor, d Draft) error {
	s := d.Microsoft.Signatory
	_, err := r.signatures.Invite(ctx, tx, a, agreement.Invitation{
		Alias: d.Account, Attempt: string(d.Provider.ID), Company: d.Details.CompanyName, Name: s.FirstName + " " + s.LastName, Email: s.Email,
		Country: d.Details.Address.Country, Language: d.Details.Culture, Login: d.Login,
	})
	return err
}

// wakeSignature lets the waiting job look at once.
func (r *Runner) wakeSignature(ctx context.Context, id provider.ID) error {
	return r.db.Tx(ctx, func(tx *store.Tx) error { return r.jobs.Wake(ctx, tx, JobSign, string(id)) })
}

// SignPage is what a second signatory's link shows.
type SignPage struct {
	Invitation agreement.Invitation
	Terms      agreement.Terms
	Microsoft  Attestation // Microsoft's page, made for this signatory
}

// OpenSignature reads the page behind a signatory's link, who has no account.
func (r *Runner) OpenSignature(ctx context.Context, token, address string) (SignPage, error) {
	inv, terms, err := r.signatures.Open(ctx, token, address)
	if err != nil {
		return SignPage{}, err
	}
	p := SignPage{Invitation: inv, Terms: terms}
	pr, err := r.providers.Find(ctx, provider.ID(inv.Attempt))
	if err != nil {
		return p, err
	}
	d, err := r.draft(ctx, pr)
	if err != nil {
		return p, err
	}
	if d.Microsoft != nil {
		p.Microsoft = *d.Microsoft
		if p.Microsoft.State == attestPending && !d.Begun {
			if state, err := r.attestationState(ctx, d); err == nil && state != attestPending {
				p.Microsoft.State = state
				if err := r.wakeSignature(ctx, pr.ID); err != nil {
					return p, err
				}
			}
		}
	}
	return p, nil
}

// awaitSignature is the job of a draft that waits for its signatory. It costs
// nothing and survives weeks; the longer it lasts, the seldomer it looks.
func (r *Runner) awaitSignature(ctx context.Context, j job.Job) error {
	p, err := r.providers.Find(ctx, provider.ID(j.Key))
	if errors.Is(err, fault.NotFound) {
		return nil // the draft was dropped
	}
	if err != nil {
		return err
	}
	d, err := r.draft(ctx, p)
	if err != nil {
		return err
	}
	if d.Begun || d.Submitted == nil {
		return nil
	}
	now := r.now()
	if now.After(d.KeepUntil) {
		return r.unsubmit(ctx, d, fault.Refusal{Field: "signatory", Reason: "The signatory did not sign within 30 days.", Remedy: "Ask somebody else, or sign yourself."})
	}
	if d.Microsoft != nil && d.Microsoft.State != attestAccepted {
		a, err := r.pc.Attestation(azure.WithCorrelation(ctx, azure.CorrelationID(store.NewID())), d.Microsoft.ID)
		if err != nil {
			return err
		}
		state := attestationAnswer{State: a.Status, Accepted: a.Accepted()}.state()
		switch state {
		case attestExpired:
			return r.unsubmit(ctx, d, fault.Refusal{Field: "signatory", Reason: "Microsoft's page has expired before it was signed.", Remedy: "Open it again in the step “Terms”."})
		case attestAccepted:
			d.Microsoft.State, d.Microsoft.AcceptedAt = state, now
			if err := r.saveDraft(ctx, d, audit.System, provider.Platform, "", "draft.signed"); err != nil {
				return err
			}
			if d, err = r.draft(ctx, p); err != nil {
				return err
			}
		}
	}
	inv, invited, err := r.signatures.For(ctx, j.Key)
	if err != nil {
		return err
	}
	if invited && (inv.State == agreement.Declined || inv.State == agreement.Expired || inv.State == agreement.Withdrawn) && d.Microsoft.Other {
		return r.unsubmit(ctx, d, fault.Refusal{Field: "signatory", Reason: "The signatory has not signed: the invitation is " + string(inv.State) + ".", Remedy: "Ask somebody else, or sign yourself."})
	}
	signed, err := r.signed(ctx, d)
	if err != nil {
		return err
	}
	if !signed {
		waited := now.Sub(d.Submitted.At)
		return job.Wait{Until: now.Add(min(max(waited/50, 5*time.Second), time.Hour)), Why: "the signatory has not signed"}
	}
	return r.beginSigned(ctx, d)
}

// beginSigned begins for the person who submitted the draft. What could change
// in the meantime is asked again: the person, the administrator's right, the
// account, the terms, the domain.
func (r *Runner) beginSigned(ctx context.Context, d Draft) error {
	refuse := func(err error) error {
		f := fault.Of(err)
		if f == nil || f.Kind == fault.Unavailable || len(f.Refusals) == 0 {
			return err
		}
		return r.unsubmit(ctx, d, f.Refusals[0])
	}
	u, err := r.people.User(ctx, d.Provider.Owner)
	if err != nil {
		return err
	}
	if !u.Active {
		return refuse(fault.Field("person", "The person who submitted this may not sign in any more.", "Another person of the organization creates it again."))
	}
	a := u.Actor(d.Submitted.Address)
	rules, err := r.mayCreate(ctx, a)
	if err != nil {
		return refuse(err)
	}
	if !rules.OrganizationMode {
		ok, err := r.people.Administers(ctx, d.Login, d.Account)
		if err != nil {
			return refuse(err)
		}
		if !ok {
			return refuse(fault.Field("account", d.Login+" does not administer "+string(d.Account)+" any more.", "Connect its Account Administrator again."))
		}
	}
	if err := r.mustBeEligible(ctx, d); err != nil {
		return refuse(err)
	}
	if err := r.termsInForce(ctx, d); err != nil {
		return refuse(err)
	}
	_, found, err := tenantOf(ctx, r.db.Read(), d.Provider.Org, d.Entity)
	if err != nil {
		return err
	}
	if !found {
		if err := r.partnerReady(ctx); err != nil {
			return err
		}
		c, err := r.check(ctx, d.Details)
		if err != nil {
			return err
		}
		if len(c.Refusals) > 0 {
			return refuse(fault.Refuse(c.Refusals...))
		}
	}
	_, err = r.begin(ctx, a, d, rules)
	if err != nil {
		return refuse(err)
	}
	return nil
}

// unsubmit makes a waiting provider a draft again, with the reason, and tells
// the person.
func (r *Runner) unsubmit(ctx context.Context, d Draft, why fault.Refusal) error {
	d.Submitted, d.Refused = nil, why
	d.Provider.State, d.Provider.Note = provider.Draft, why.Reason
	if why.Field == "signatory" {
		d.Microsoft = nil
	}
	tell, err := r.tellRefused(ctx, d, why)
	if err != nil {
		return err
	}
	return r.saveDraft(ctx, d, audit.System, provider.Platform, "", "draft.refused", tell)
}

// termsInForce refuses a draft whose terms were replaced by a newer version.
func (r *Runner) termsInForce(ctx context.Context, d Draft) error {
	terms, err := r.termsOf(ctx, d)
	if err != nil {
		return err
	}
	stale := d.Terms == nil || d.Terms.Hash != terms.Partner.Hash || d.Customer != nil && d.Customer.Hash != terms.Microsoft.Hash
	if stale {
		return fault.Field("terms", "A new version of the terms is in force since you accepted them.", "Read it in the step “Terms” and accept it.").In(fault.Conflict)
	}
	return nil
}

// preflight asks Microsoft once more, right before the beginning.
func (r *Runner) preflight(ctx context.Context, d Draft) error {
	if _, found, err := tenantOf(ctx, r.db.Read(), d.Provider.Org, d.Entity); err != nil || found {
		return err // nothing to tell Microsoft: the tenant is there, or being made by another wizard
	}
	c, err := r.checkNow(ctx, d.Provider.Org, askPreflight, d.Details)
	if err != nil {
		return err
	}
	if len(c.Refusals) > 0 {
		return fault.Refuse(c.Refusals...)
	}
	return nil
}

// errAgain says that another wizard of the same organization was first with the
// tenant's row: the whole transaction is repeated and uses that one.
var errAgain = errors.New("another wizard made the tenant's row")

// begin writes provider, onboarding, tenant intent, association, acceptances
// and the first job in one transaction: either all of it exists or nothing.
func (r *Runner) begin(ctx context.Context, a account.Actor, d Draft, rules partner.Rules) (ID, error) {
	for {
		id, err := r.beginOnce(ctx, a, d, rules)
		if !errors.Is(err, errAgain) {
			return id, err
		}
	}
}

func (r *Runner) beginOnce(ctx context.Context, a account.Actor, d Draft, rules partner.Rules) (ID, error) {
	id, now := ID(store.NewID()), r.now()
	err := r.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		n, err := q.BeginDraft(ctx, sqlc.BeginDraftParams{Provider: string(d.Provider.ID), Version: d.Version, BegunAt: store.Micros(now)})
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "This draft was changed or submitted in another window. Load the page again.")
		}
		chain, err := r.people.ChainTx(ctx, tx, d.Account)
		if err != nil {
			return err
		}
		verdict, _, _, err := r.verdict(ctx, chain, d.Budget, rules, "")
		if err != nil {
			return err
		}
		if !verdict.Eligible {
			return verdict.Err()
		}
		t, err := r.tenantFor(ctx, tx, d, chain[0], id, now)
		if err != nil {
			return err
		}
		if err := r.addOnboarding(ctx, tx, a, d, id, t.ID, verdict, now); err != nil {
			return err
		}
		if err := r.keepAcceptances(ctx, tx, a, d); err != nil {
			return err
		}
		err = r.providers.Change(ctx, tx, d.Provider.ID, string(a.User), func(p *provider.Provider) error {
			p.State, p.Note, p.Tenant, p.Account, p.Domain, p.TenantID = provider.Running, "", t.ID, d.Account, t.Domain, t.AzureID
			return nil
		})
		if err != nil {
			return err
		}
		if err := r.providers.Log(ctx, tx, d.Provider.ID, provider.Info, string(StepDetails), "Submitted by "+a.Name+", billed to "+string(d.Account)); err != nil {
			return err
		}
		err = audit.Write(ctx, tx, audit.Entry{
			Org: string(d.Provider.Org), At: now, Actor: a.ID(), Action: "onboarding.begin", Object: "onboarding:" + string(id), Address: a.Address,
			Detail: map[string]any{"provider": d.Provider.ID, "account": d.Account, "login": d.Login, "tenant": t.ID, "domain": t.Domain},
		})
		if err != nil {
			return err
		}
		return r.jobs.Add(ctx, tx, JobOnboard, string(id), struct{}{}, time.Time{})
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// tenantFor finds the tenant of the legal entity, or writes the intent to make
// one. The domain is unique among all that we mean to make.
func (r *Runner) tenantFor(ctx context.Context, tx *store.Tx, d Draft, acct account.Account, id ID, now time.Time) (Tenant, error) {
	t, found, err := tenantOf(ctx, tx, d.Provider.Org, acct.LegalEntity())
	if err != nil || found {
		return t, err
	}
	if d.Details.DomainPrefix == "" || !d.DetailsSaved || d.Microsoft == nil {
		return t, fault.Field("details", "The tenant of this company does not exist any more.", "Fill in the details for Microsoft.")
	}
	details, err := json.Marshal(d.Details)
	if err != nil {
		return t, err
	}
	t = Tenant{ID: store.NewID(), Domain: domain(d.Details.DomainPrefix)}
	if other, err := sqlc.New(tx).TenantByDomain(ctx, t.Domain); err == nil {
		if other.Org == string(d.Provider.Org) && other.LegalEntity == acct.LegalEntity() {
			return t, errAgain
		}
		return t, takenDomain(t.Domain + " is being set up for somebody else.").In(fault.Conflict)
	}
	err = sqlc.New(tx).AddTenant(ctx, sqlc.AddTenantParams{
		ID: t.ID, Org: string(d.Provider.Org), LegalEntity: acct.LegalEntity(), Domain: t.Domain, Account: string(d.Account),
		Details: string(details), Attestation: d.Microsoft.ID, CreatedAt: store.Micros(now),
	})
	if store.IsUnique(err) {
		return t, errAgain // looked at again: ours by now, or somebody else's
	}
	if err != nil {
		return t, err
	}
	return t, r.providers.Intend(ctx, tx, provider.Association{
		Tenant: t.ID, Account: d.Account, Org: d.Provider.Org, Provider: d.Provider.ID, From: provider.DayOf(now),
	})
}

func (r *Runner) addOnboarding(ctx context.Context, tx *store.Tx, a account.Actor, d Draft, id ID, tenant string, verdict eligibility.Verdict, now time.Time) error {
	q := sqlc.New(tx)
	budget, err := budgetText(d.Budget)
	if err != nil {
		return err
	}
	answers, err := json.Marshal(answersOf(verdict))
	if err != nil {
		return err
	}
	err = q.AddOnboarding(ctx, sqlc.AddOnboardingParams{
		ID: string(id), Provider: string(d.Provider.ID), Org: string(d.Provider.Org), Person: string(a.User), Login: d.Login, Account: string(d.Account),
		Tenant: tenant, Correlation: string(azure.NewCorrelationID()), Step: string(Steps[0]), Name: d.Provider.Name, Budget: budget,
		Verdict: string(answers), MailMe: d.MailMe, StartedAt: store.Micros(now), ChangedAt: store.Micros(now),
	})
	if err != nil {
		return err
	}
	for i, s := range Steps {
		if err := q.AddStep(ctx, sqlc.AddStepParams{Onboarding: string(id), Seq: int64(i + 1), Name: string(s)}); err != nil {
			return err
		}
	}
	return nil
}

// keepAcceptances writes who accepted what, in the transaction of the beginning.
func (r *Runner) keepAcceptances(ctx context.Context, tx *store.Tx, a account.Actor, d Draft) error {
	base := agreement.Acceptance{Org: d.Provider.Org, Alias: d.Account, Attempt: string(d.Provider.ID), Name: a.Name, Email: a.Email, Login: d.Login}
	add := func(x *Accepted) error {
		acc := base
		acc.Document, acc.Hash, acc.At, acc.User, acc.Address, acc.Way = agreement.DocumentID(x.Document), x.Hash, x.At, x.User, x.Address, agreement.ByPortal
		return r.terms.Accept(ctx, tx, acc)
	}
	if err := add(d.Terms); err != nil {
		return err
	}
	if d.Customer != nil {
		return add(d.Customer)
	}
	if d.Microsoft == nil {
		return nil
	}
	terms, err := r.termsOf(ctx, d)
	if err != nil {
		return err
	}
	acc := base
	s := d.Microsoft.Signatory
	acc.Document, acc.Hash, acc.At, acc.Way, acc.Reference = terms.Microsoft.ID, terms.Microsoft.Hash, d.Microsoft.AcceptedAt, agreement.ByAttestation, d.Microsoft.ID
	acc.Name, acc.Email = s.FirstName+" "+s.LastName, s.Email
	if !d.Microsoft.Other {
		acc.User = a.User
	}
	return r.terms.Accept(ctx, tx, acc)
}

// domainIntended tells whether somebody else is about to make this domain.
func (r *Runner) domainIntended(ctx context.Context, name string, org account.OrgID, entity string) (bool, error) {
	row, err := sqlc.New(r.db.Read()).TenantByDomain(ctx, name)
	if err != nil {
		if errors.Is(store.Found(err, ""), fault.NotFound) {
			return false, nil
		}
		return false, err
	}
	return row.Org != string(org) || row.LegalEntity != entity, nil
}

// Sign accepts the partner's terms for the second signatory, who has no account;
// Microsoft's agreement is accepted on Microsoft's own page.
func (r *Runner) Sign(ctx context.Context, token, name, hash, address string) (agreement.Invitation, error) {
	return r.signatures.Sign(ctx, token, name, hash, address)
}
