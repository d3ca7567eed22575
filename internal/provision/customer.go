package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/partner"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// submitDetails checks once more, now for good, what Microsoft will be told. An
// onboarding whose tenant exists, or is being made by another one, has nothing
// to tell.
func (w *work) submitDetails(ctx context.Context) error {
	if w.t.Reached(StageCustomer) {
		return w.tx(ctx, func(tx *store.Tx) error {
			if err := w.known(ctx, tx); err != nil {
				return err
			}
			return w.fact(ctx, tx, "Uses the tenant %s", w.t.Domain)
		})
	}
	held, err := w.hold(ctx)
	if err != nil {
		return err
	}
	if !held {
		return nil // the next step waits for the one that makes it
	}
	sent, err := w.begun(ctx, w.onTenant(), "create-customer")
	if err != nil {
		return err
	}
	if !sent { // later on a taken domain may be our own
		if err := w.r.checkDomain(ctx, w.t.Domain); err != nil {
			return err
		}
	}
	d, err := w.r.checkCountry(ctx, w.t.Details)
	if err != nil {
		return err
	}
	if _, err := w.r.checkAddress(ctx, d); err != nil {
		return err
	}
	return w.tx(ctx, func(tx *store.Tx) error {
		err := changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.Details = d; return nil }) // as it is sent
		if err != nil {
			return err
		}
		for _, f := range []string{"Details checked", "Address accepted", "Domain free"} {
			if err := w.fact(ctx, tx, "%s", f); err != nil {
				return err
			}
		}
		return nil
	})
}

// begun tells whether something was ever sent for an intent.
func (w *work) begun(ctx context.Context, scope, name string) (bool, error) {
	rows, err := sqlc.New(w.r.db.Read()).Intents(ctx, scope)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if r.Name == name && r.State != intentNew && r.State != intentAnswered {
			return true, nil
		}
	}
	return false, nil
}

// makeCustomer makes the tenant, if this legal entity has none, and sees to it
// that the agreement is on it and that it is ours to sell to.
func (w *work) makeCustomer(ctx context.Context) error {
	if err := w.toStage(ctx, StageCustomer, w.create); err != nil {
		return err
	}
	if err := w.toStage(ctx, StageAgreement, w.agree); err != nil {
		return err
	}
	return w.tx(ctx, func(tx *store.Tx) error { return w.known(ctx, tx) })
}

// create opens the tenant. In doubt the same request is sent again before
// anything is looked up, because only the repeated answer still carries the
// admin's password. A tenant that merely has our domain is somebody else's: it
// is adopted only if the audit record of its creation names our correlation id.
func (w *work) create(ctx context.Context) error {
	in, err := w.intend(ctx, w.onTenant(), "create-customer")
	if err != nil || in.done {
		return err
	}
	ctx = azure.WithCorrelation(ctx, azure.CorrelationID(in.row.Correlation)) // the first try's, whoever goes on
	if in.lost {
		if made, err := w.recall(ctx, in); err != nil || made {
			return err
		}
	}
	c, err := w.r.pc.CreateCustomer(ctx, in.id(), w.asCustomer())
	if err == nil {
		return w.born(ctx, in, c)
	}
	if !judged(err) {
		return w.failed(ctx, in, err) // in doubt the id stays, and the next replay may have the password
	}
	if !in.doubt {
		return w.refused(ctx, w.failed(ctx, in, err), fmt.Sprintf("Somebody else took %s after our check.", w.t.Domain))
	}
	// Refused, but a try before this one had no answer: was that one ours?
	ours, found, lerr := w.findOurs(ctx, in)
	switch {
	case lerr != nil:
		return w.failed(ctx, in, lerr)
	case found:
		return w.born(ctx, in, ours)
	case w.r.now().Sub(store.Time(in.row.LastSent)) < auditLag && w.r.now().Sub(w.s.Started) < auditLag:
		if err := w.learn(ctx, in, err); err != nil { // keeps the id and the doubt
			return err
		}
		return w.pause("Microsoft did not answer in time. We look in its records whether the account was made.", 0)
	}
	if err := w.settle(ctx, in); err != nil {
		return err
	}
	return w.refused(ctx, err, fmt.Sprintf("Somebody else has %s: Microsoft's records name no creation of ours.", w.t.Domain))
}

// refused is the error of a creation that Microsoft refused: the domain, if somebody
// has it by now. Where Microsoft does not tell, nothing is decided: the creation is
// sent again, and refused again.
func (w *work) refused(ctx context.Context, err error, taken string) error {
	there, terr := w.r.pc.DomainTaken(ctx, w.t.Domain)
	switch {
	case terr == nil && there:
		return takenDomain(taken)
	case terr != nil && azure.Classify(terr) != azure.F:
		return terr
	}
	return err
}

// judged tells whether Microsoft answered about the request itself: not that it
// waits, that something else comes first, or that our token or its MFA is too old.
func judged(err error) bool {
	if e := azure.AsError(err); e != nil && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden) {
		return false
	}
	class := azure.Classify(err)
	return !azure.Unknown(err) && (class == azure.F || class == azure.R4)
}

// recall looks for a tenant that may have been made after the backup that this
// state is from. There is no first answer to replay, so it looks before it sends;
// and an onboarding that is being cancelled sends nothing.
func (w *work) recall(ctx context.Context, in intent) (made bool, err error) {
	c, found, err := w.findOurs(ctx, in)
	if err != nil {
		return false, w.failed(ctx, in, err)
	}
	if found {
		return true, w.born(ctx, in, c)
	}
	if !w.cancelling {
		return false, nil
	}
	taken, err := w.r.pc.DomainTaken(ctx, w.t.Domain)
	if err != nil {
		return false, w.failed(ctx, in, err)
	}
	if taken {
		return false, nil // perhaps by us, and the record comes late
	}
	if err := w.settle(ctx, in); err != nil {
		return false, err
	}
	return false, fault.New(fault.NotFound, "Nothing was made at Microsoft.")
}

// auditLag is how long we wait for the audit record of a creation whose answer
// was lost; 15 minutes is what Microsoft names for its slowest lists.
const auditLag = 15 * time.Minute

func takenDomain(reason string) *fault.Error {
	return fault.Refuse(fault.Refusal{
		Field: "domain_prefix", Code: "domain-taken", Reason: reason,
		Remedy: "Choose another prefix; everything else stays as it is.",
	})
}

// findOurs looks for the tenant in the audit records of its creation.
func (w *work) findOurs(ctx context.Context, in intent) (partnercenter.Customer, bool, error) {
	ours, err := w.correlations(ctx, in)
	if err != nil {
		return partnercenter.Customer{}, false, err
	}
	start := in.since().Add(-10 * time.Minute) // their clock and ours
	for rec, err := range w.r.pc.AuditRecords(ctx, partnercenter.AuditQuery{Start: start}) {
		if err != nil {
			return partnercenter.Customer{}, false, err
		}
		if !rec.Is(partnercenter.OperationAddCustomer) || !slices.ContainsFunc(ours, func(id string) bool { return azure.SameID(rec.OriginalCorrelationID, id) }) {
			continue
		}
		c, err := w.r.pc.Customer(ctx, rec.CustomerID)
		if err != nil {
			return c, false, err
		}
		if azure.SameWord(c.CompanyProfile.Domain, w.t.Domain) {
			return c, true, nil
		}
	}
	return partnercenter.Customer{}, false, nil
}

// birth is what an intent keeps of a creation; the password is sealed elsewhere.
type birth struct {
	Customer    string `json:"customer"`
	Credentials bool   `json:"credentials"` // false: the answer with the password was lost
}

// born writes the tenant and seals its credentials, in one transaction and
// before anything else happens.
func (w *work) born(ctx context.Context, in intent, c partnercenter.Customer) error {
	now := w.r.now()
	sealed, admin := "", "admin@"+w.t.Domain
	if c.UserCredentials != nil && c.UserCredentials.Password != "" {
		var err error
		if sealed, err = w.r.ring.Seal(c.UserCredentials.Password.Reveal(), "tenant:"+w.t.ID); err != nil {
			return err
		}
		admin = c.UserCredentials.UserName + "@" + w.t.Domain
	}
	err := w.confirm(ctx, in, birth{Customer: c.ID, Credentials: sealed != ""}, func(tx *store.Tx) error {
		err := changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error {
			t.AzureID, t.BornAt, t.State, t.AdminUPN = c.ID, now, TenantLive, admin
			t.Credentials = sealed
			t.Stage = StageCustomer
			return nil
		})
		if err != nil {
			return err
		}
		if err := w.known(ctx, tx); err != nil {
			return err
		}
		if err := w.fact(ctx, tx, "Tenant %s", w.t.Domain); err != nil {
			return err
		}
		if sealed == "" {
			return w.say(ctx, tx, provider.Warning, "Microsoft's answer with the first password was lost. A new one is set later.")
		}
		return w.fact(ctx, tx, "Credentials sealed")
	})
	if err != nil {
		return err
	}
	w.t, err = w.r.tenant(ctx, w.t.ID)
	return err
}

// asCustomer is what Partner Center is told.
func (w *work) asCustomer() partnercenter.Customer {
	d := w.t.Details
	gdap := true
	return partnercenter.Customer{
		EnableGDAPByDefault: &gdap,
		CompanyProfile: partnercenter.CompanyProfile{
			Domain: w.t.Domain, CompanyName: d.CompanyName, OrganizationRegistrationNumber: d.RegistrationNumber,
			Attributes: partnercenter.Attributes{ObjectType: "CustomerCompanyProfile"},
		},
		BillingProfile: partnercenter.BillingProfile{
			Email: d.Contact.Email, Culture: d.Culture, Language: d.Language, CompanyName: d.CompanyName,
			DefaultAddress: d.asAddress(), Attributes: partnercenter.Attributes{ObjectType: "CustomerBillingProfile"},
		},
		Attributes: partnercenter.Attributes{ObjectType: "Customer"},
	}
}

// agree waits until the tenant is ours to sell to, and puts Microsoft's
// agreement on it; done only when the agreement is read back for this customer.
func (w *work) agree(ctx context.Context) error {
	c, err := w.r.pc.Customer(ctx, w.t.AzureID)
	if err != nil {
		return err
	}
	if !azure.SameWord(c.RelationshipToPartner, "reseller") {
		return w.pause("Microsoft has not entered the reseller relationship yet.", 30*time.Minute)
	}
	rules, err := w.r.settings.Rules(ctx)
	if err != nil {
		return err
	}
	if rules.AgreementWay == partner.WayDirect {
		signed, err := w.r.pc.DirectlySigned(ctx, w.t.AzureID)
		if err != nil {
			return err
		}
		if !signed {
			return forPerson{why: "The customer's administrator has not accepted Microsoft's agreement in the admin center yet.", ask: time.Minute}
		}
	} else {
		err := w.once(ctx, w.onTenant(), "confirm-agreement", func(ctx context.Context, in intent) (any, error) {
			return struct{}{}, w.confirmAgreement(ctx, in, rules.AgreementWay)
		}, nil)
		if err != nil {
			return err
		}
		ok, err := w.agreed(ctx)
		if err != nil {
			return err
		}
		if !ok {
			return w.pause("Microsoft has the agreement but does not list it yet.", 30*time.Minute)
		}
	}
	return w.tx(ctx, func(tx *store.Tx) error { return w.fact(ctx, tx, "Agreement confirmed") })
}

// confirmAgreement posts the agreement with the attestation; the retired way
// fetches the template first, since its id changes.
func (w *work) confirmAgreement(ctx context.Context, in intent, way partner.AgreementWay) error {
	if in.doubt {
		if ok, err := w.agreed(ctx); err != nil || ok {
			return err
		}
	}
	s := w.t.Details.Signatory
	a := partnercenter.Agreement{
		PrimaryContact: partnercenter.Contact{FirstName: s.FirstName, LastName: s.LastName, Email: s.Email, PhoneNumber: s.Phone},
		Type:           partnercenter.CustomerAgreement,
		DateAgreed:     azure.Time{Time: w.t.CreatedAt.UTC().Truncate(time.Second)},
		AttestationID:  w.t.Attestation,
	}
	if way == partner.WayLegacy {
		a.AttestationID = ""
	}
	templates, err := w.r.pc.AgreementTemplates(ctx, partnercenter.CustomerAgreement)
	if err != nil {
		return err
	}
	if len(templates) > 0 {
		a.TemplateID = templates[0].TemplateID
	}
	_, err = w.r.pc.CreateAgreement(ctx, in.id(), w.t.AzureID, a)
	if azure.HasCode(err, "600061") { // exists: done only if it is this customer's
		ok, lerr := w.agreed(ctx)
		if lerr != nil {
			return lerr
		}
		if ok {
			return nil
		}
		if in.doubt { // it may be ours: the answer to the try before was lost
			var later job.Wait
			if err := w.pause("Microsoft has the agreement but does not list it yet.", 30*time.Minute); errors.As(err, &later) {
				return err
			}
		}
		return stuck("signatory", "Microsoft has an agreement of another customer with the same signatory.",
			"Name another signatory: first name, last name, e-mail or telephone must differ.")
	}
	return err
}

func (w *work) agreed(ctx context.Context) (bool, error) {
	list, err := w.r.pc.Agreements(ctx, w.t.AzureID, partnercenter.CustomerAgreement)
	return len(list) > 0, err
}
