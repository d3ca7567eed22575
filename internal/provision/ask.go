package provision

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/audit"
	"causeway/internal/azure"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// The portal has no key to Microsoft: what it wants to know goes through a row
// and a job, and a worker answers. These are the questions.
const (
	askDetails     = "details"     // is the domain free, the address known, the country's rules kept?
	askAttest      = "attest"      // make Microsoft's attestation
	askAttestation = "attestation" // has it been accepted?
	askPreflight   = "preflight"   // all of it once more, right before the beginning
)

// Patience is how long a page waits for an answer before it says "still checking".
const Patience = 10 * time.Second

// ErrAsking says that Microsoft has not answered within Patience. The question
// stays; asking again gives its answer.
var ErrAsking = fault.New(fault.Unavailable, "Still checking with Microsoft. This page asks again by itself.")

// Checked is what Microsoft says about the details.
type Checked struct {
	Domain      string            `json:"domain"`
	Suggestions []address.Address `json:"suggestions,omitempty"` // instead of the address as typed
	Warning     string            `json:"warning,omitempty"`     // usable, but Microsoft does not know it
	Refusals    []fault.Refusal   `json:"refusals,omitempty"`
	At          time.Time         `json:"at"`
}

// ask puts a question and waits for its answer.
func (r *Runner) ask(ctx context.Context, org account.OrgID, kind string, args, answer any) error {
	body, err := json.Marshal(args)
	if err != nil {
		return err
	}
	id := store.NewID()
	err = r.db.Tx(ctx, func(tx *store.Tx) error {
		err := sqlc.New(tx).AddAsk(ctx, sqlc.AddAskParams{ID: id, Org: string(org), Kind: kind, Args: string(body), AskedAt: store.Micros(r.now())})
		if err != nil {
			return err
		}
		return r.jobs.Add(ctx, tx, JobAsk, id, struct{}{}, time.Time{})
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	// A free worker answers in 20 ms; behind a thousand others it takes seconds, and
	// a thousand pages that look every 15 ms would leave the workers no database.
	every := 15 * time.Millisecond
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		row, err := sqlc.New(r.db.Read()).GetAsk(ctx, id)
		switch {
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil && row.AnsweredAt != 0 && row.Error != "":
			var f answerFault
			if err := json.Unmarshal([]byte(row.Error), &f); err != nil {
				return err
			}
			e := fault.Refuse(f.Refusals...).In(f.Kind)
			if e.Message == "" {
				e.Message = f.Message
			}
			return e
		case err == nil && row.AnsweredAt != 0:
			return json.Unmarshal([]byte(row.Answer), answer)
		}
		select {
		case <-ctx.Done():
			return ErrAsking
		case <-timer.C:
			every = min(every*3/2, 500*time.Millisecond)
			timer.Reset(every)
		}
	}
}

// answerFault is an error on its way from the worker to the page.
type answerFault struct {
	Kind     fault.Kind      `json:"kind"`
	Message  string          `json:"message"`
	Refusals []fault.Refusal `json:"refusals"`
}

// answer is the handler of a question's job. A service that does not answer is
// asked again for as long as the page may wait, and a little longer.
func (r *Runner) answer(ctx context.Context, j job.Job) error {
	row, err := sqlc.New(r.db.Read()).GetAsk(ctx, j.Key)
	if errors.Is(err, sql.ErrNoRows) { // forgotten by housekeeping: nobody waits any more
		return r.db.Tx(ctx, func(tx *store.Tx) error { return r.jobs.Finish(ctx, tx, j) })
	}
	if err != nil {
		return err
	}
	ctx = azure.WithCorrelation(ctx, azure.CorrelationID(row.ID))
	ctx = azure.WithCaller(ctx, azure.Caller{Key: row.ID, Org: row.Org, Began: store.Time(row.AskedAt), Class: azure.Ask})
	defer r.throttle.End(ctx)
	result, err := r.reply(ctx, row)
	if err != nil && azure.Classify(err) != azure.F {
		again := 500 * time.Millisecond
		if f := fault.Of(err); f != nil && f.After > again {
			again = f.After // asked earlier it would only push others back
		}
		if until := r.now().Add(again); until.Sub(store.Time(row.AskedAt)) < Patience {
			return job.Wait{Until: until, Why: err.Error()}
		}
	}
	if lerr := r.throttle.Leave(ctx); lerr != nil {
		return lerr // a question that is asked again has a place of its own
	}
	p := sqlc.AnswerAskParams{ID: row.ID, AnsweredAt: store.Micros(r.now())}
	if err != nil {
		f := answerFault{Kind: fault.KindOf(err), Message: "Microsoft could not be asked."}
		if azure.Classify(err) != azure.F {
			f.Kind, f.Message = fault.Unavailable, "Microsoft does not answer at the moment. Try again in a minute; nothing was begun."
		} else {
			f.Refusals = []fault.Refusal{explain(err)}
			if f.Kind == "" || f.Kind == fault.Unavailable {
				f.Kind = fault.Invalid
			}
		}
		r.log.Warn("question to Microsoft refused", "kind", row.Kind, "error", err)
		b, merr := json.Marshal(f)
		if merr != nil {
			return merr
		}
		p.Error = string(b)
	} else {
		b, merr := json.Marshal(result)
		if merr != nil {
			return merr
		}
		p.Answer = string(b)
	}
	return r.db.Tx(ctx, func(tx *store.Tx) error {
		if err := r.jobs.Finish(ctx, tx, j); err != nil {
			return err
		}
		return sqlc.New(tx).AnswerAsk(ctx, p)
	})
}

func (r *Runner) reply(ctx context.Context, row sqlc.Ask) (any, error) {
	switch row.Kind {
	case askDetails, askPreflight:
		var d Details
		if err := json.Unmarshal([]byte(row.Args), &d); err != nil {
			return nil, err
		}
		if row.Kind == askPreflight {
			if err := r.partnerReady(ctx); err != nil {
				return nil, err
			}
		}
		return r.check(ctx, d)
	case askAttest:
		var in partnercenter.EnhancedAttestation
		if err := json.Unmarshal([]byte(row.Args), &in); err != nil {
			return nil, err
		}
		a, err := r.pc.CreateAttestation(ctx, azure.RequestID(row.ID), in) // asked again after a lost answer: the same one
		return attestationAnswer{ID: a.AttestationID, URL: r.pc.AttestationURL(a.AttestationID), State: a.Status}, err
	case askAttestation:
		var id string
		if err := json.Unmarshal([]byte(row.Args), &id); err != nil {
			return nil, err
		}
		a, err := r.pc.Attestation(ctx, id)
		return attestationAnswer{ID: a.AttestationID, URL: r.pc.AttestationURL(id), State: a.Status, Accepted: a.Accepted()}, err
	}
	return nil, fmt.Errorf("no question of kind %q", row.Kind)
}

type attestationAnswer struct {
	ID       string `json:"id"`
	URL      string `json:"url"`
	State    string `json:"state"`
	Accepted bool   `json:"accepted"`
}

// partnerReady asks whether the partner's own sign-in is fresh and carries MFA:
// without it an onboarding would stop half-way.
func (r *Runner) partnerReady(ctx context.Context) error {
	ok, err := r.pc.CheckMFA(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return fault.Refuse(fault.Refusal{
			Field: "partner", Code: "partner-mfa", Reason: "The partner's sign-in to Microsoft is not confirmed by a second factor.",
			Remedy: "The partner's staff connect it again (causeway partner connect). Nothing was begun.",
		}).In(fault.Unavailable)
	}
	return nil
}

// check gives everything that is wrong with the details at once.
func (r *Runner) check(ctx context.Context, d Details) (Checked, error) {
	c := Checked{Domain: domain(d.DomainPrefix), At: r.now()}
	collect := func(err error) error {
		f := fault.Of(err)
		if f == nil || len(f.Refusals) == 0 || azure.AsError(err) != nil && azure.Classify(err) != azure.F {
			return err
		}
		c.Refusals = append(c.Refusals, f.Refusals...)
		return nil
	}
	if err := collect(r.checkDomain(ctx, c.Domain)); err != nil {
		return c, err
	}
	d, err := r.checkCountry(ctx, d)
	if err := collect(err); err != nil {
		return c, err
	}
	v, err := r.checkAddress(ctx, d)
	if err := collect(err); err != nil {
		return c, err
	}
	for _, s := range v.SuggestedAddresses {
		if a := fromAddress(s); a != d.Address {
			c.Suggestions = append(c.Suggestions, a)
		}
	}
	if !v.Usable() && err == nil {
		c.Warning = "Microsoft could not check this address. It may be used; make sure that it is right."
	}
	return c, nil
}

// checkDomain asks whether a domain is free.
func (r *Runner) checkDomain(ctx context.Context, name string) error {
	taken, err := r.pc.DomainTaken(ctx, name)
	if err != nil {
		return err
	}
	if taken {
		return takenDomain(fmt.Sprintf("%s is taken at Microsoft.", name)).In(fault.Invalid)
	}
	return nil
}

// checkAddress asks whether Microsoft knows the address. An address it wants in
// another form is refused with its suggestion.
func (r *Runner) checkAddress(ctx context.Context, d Details) (partnercenter.AddressValidation, error) {
	v, err := r.pc.ValidateAddress(ctx, d.asAddress())
	switch {
	case err != nil:
		return v, err
	case v.NeedsChoice():
		reason, remedy := "Microsoft does not recognise this address.", "Correct it."
		if v.ValidationMessage != "" {
			reason = "Microsoft does not recognise this address: " + strings.TrimSuffix(v.ValidationMessage, ".") + "."
		}
		if len(v.SuggestedAddresses) > 0 {
			a := fromAddress(v.SuggestedAddresses[0])
			remedy = "Microsoft suggests: " + strings.Join(address.Format(a), ", ") + "."
		}
		return v, fault.Refuse(fault.Refusal{Field: "address", Code: "address-unknown", Reason: reason, Remedy: remedy})
	}
	return v, nil
}

// checkCountry holds the details against Microsoft's rules for the country, and
// gives them as Microsoft wants to have them.
func (r *Runner) checkCountry(ctx context.Context, d Details) (Details, error) {
	rules, err := r.pc.CountryRules(ctx, d.Address.Country)
	if err != nil {
		return d, err
	}
	d.Contact.Phone = national(d.Contact.Phone, rules.CountryCallingCodes)
	d.Signatory.Phone = national(d.Signatory.Phone, rules.CountryCallingCodes)
	if !needsNumber(d.Address.Country) {
		d.RegistrationNumber = "" // refused where it is not wanted (600002)
	}
	if !rules.IsStateRequired && len(d.Address.State) > 2 {
		d.Address.State = "" // Microsoft takes two characters, and here none are needed
	}
	city := address.City(d.Address)
	var all []fault.Refusal
	add := func(field, reason, remedy string) {
		all = append(all, fault.Refusal{Field: field, Code: "country-rule", Reason: reason, Remedy: remedy})
	}
	if rules.IsStateRequired && d.Address.State == "" {
		add("state", "Microsoft wants the state or province for this country.", "Choose it.")
	}
	if rules.IsStateRequired && d.Address.State != "" && len(rules.SupportedStates) > 0 && !slices.Contains(rules.SupportedStates, d.Address.State) {
		add("state", fmt.Sprintf("Microsoft does not know the state %q.", d.Address.State), "Choose one from the list.")
	}
	if rules.IsPostalCodeRequired && d.Address.PostalCode == "" {
		add("postal_code", "Microsoft wants a postal code for this country.", "Enter it.")
	}
	if !fits(rules.PostalCodeRegex, d.Address.PostalCode) {
		add("postal_code", fmt.Sprintf("“%s” is no postal code of this country.", d.Address.PostalCode), "Correct it.")
	}
	if rules.IsCityRequired && city == "" {
		add("city", "Microsoft wants the city.", "Enter it.")
	}
	if d.Contact.Phone != "" && !fits(rules.PhoneNumberRegex, d.Contact.Phone) {
		add("phone", "Microsoft does not take this telephone number for the country.", "Write digits only, without the country's code.")
	}
	if len(rules.SupportedCultures) > 0 && !containsWord(rules.SupportedCultures, d.Culture) {
		add("language", fmt.Sprintf("Microsoft does not offer %s in this country.", d.Culture), "Choose one of: "+strings.Join(rules.SupportedCultures, ", ")+".")
	}
	if needsNumber(d.Address.Country) && d.RegistrationNumber == "" {
		add("registration_number", "Microsoft wants the company's registration number in this country.", "Enter it as in the company register.")
	}
	if len(all) > 0 {
		return d, fault.Refuse(all...)
	}
	return d, nil
}

// national is a telephone number as Microsoft wants it: digits without the
// country's code, e.g. 2065550100 for +1 206 555 0100.
func national(phone string, codes []string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, phone)
	if !strings.HasPrefix(strings.TrimSpace(phone), "+") {
		return digits
	}
	for _, code := range codes {
		if rest, ok := strings.CutPrefix(digits, strings.TrimPrefix(code, "+")); ok {
			return rest
		}
	}
	return digits
}

// fits tells whether a text has the form that Microsoft wants; a form that we
// cannot read, or an empty text, is left to Microsoft.
func fits(pattern, s string) bool {
	if pattern == "" || s == "" {
		return true
	}
	re, err := regexp.Compile(pattern)
	return err != nil || re.MatchString(s)
}

func containsWord(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

// needsNumber lists the countries where Microsoft wants the registration number.
// https://learn.microsoft.com/partner-center/developer/create-a-customer
func needsNumber(country string) bool {
	return slices.Contains(strings.Fields("AM AZ BY HU KZ KG MD RU TJ UZ UA BR IN ZA PL AE SA TR TH VN MM IQ SS VE"), country)
}

// asAddress is the address in Microsoft's form, with the contact in it. Region
// is never sent: for US addresses Microsoft refuses it (27002).
func (d Details) asAddress() partnercenter.Address {
	return partnercenter.Address{
		Country: d.Address.Country, City: address.City(d.Address), State: d.Address.State, AddressLine1: d.Address.Line1, AddressLine2: d.Address.Line2,
		PostalCode: d.Address.PostalCode, FirstName: d.Contact.FirstName, LastName: d.Contact.LastName, PhoneNumber: d.Contact.Phone,
	}
}

func fromAddress(a partnercenter.Address) address.Address {
	return address.Address{Country: a.Country, Line1: a.AddressLine1, Line2: a.AddressLine2, City: a.City, State: a.State, PostalCode: a.PostalCode}
}

// tidy forgets what has had its time: answered questions, credentials that
// nobody stored within their days, drafts that were left.
func (r *Runner) tidy(ctx context.Context, _ job.Job) error {
	now := r.now()
	err := r.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		if err := q.PurgeAsks(ctx, store.Micros(now.Add(-time.Hour))); err != nil {
			return err
		}
		if err := r.jobs.Purge(ctx, tx, now.AddDate(0, 0, -7)); err != nil {
			return err
		}
		gone, err := q.DropCredentials(ctx, store.Micros(now))
		if err != nil {
			return err
		}
		for _, t := range gone {
			if err := r.credentialsGone(ctx, tx, t.ID, account.OrgID(t.Org)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r.throttle != nil {
		if err := r.throttle.Tidy(ctx); err != nil {
			return err
		}
	}
	if err := r.tidyDrafts(ctx, now); err != nil {
		return err
	}
	return job.Wait{Until: now.Add(10 * time.Minute), Why: "again in ten minutes"}
}

// tidyDrafts forgets drafts that nobody has touched for DraftLife; nothing of them
// exists anywhere else. One that waits for its signatory is ended by its own job.
func (r *Runner) tidyDrafts(ctx context.Context, now time.Time) error {
	old, err := sqlc.New(r.db.Read()).OldDrafts(ctx, store.Micros(now))
	if err != nil {
		return err
	}
	for _, row := range old {
		id := provider.ID(row)
		p, err := r.providers.Find(ctx, id)
		if err != nil || p.State != provider.Draft {
			continue
		}
		err = r.db.Tx(ctx, func(tx *store.Tx) error {
			if n, err := sqlc.New(tx).DropDraft(ctx, row); err != nil || n == 0 {
				return err // submitted meanwhile
			}
			if err := r.signatures.WithdrawTx(ctx, tx, row, audit.System, "", orderDropped); err != nil {
				return err
			}
			if err := r.providers.DropDraft(ctx, tx, id); err != nil {
				return err
			}
			return audit.Write(ctx, tx, audit.Entry{Org: string(p.Org), At: now, Actor: audit.System, Action: "provider.drop-draft", Object: "provider:" + row, Detail: map[string]string{"name": p.Name}})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Tidy starts the housekeeping, once per database.
func (r *Runner) Tidy(ctx context.Context) error {
	return r.db.Tx(ctx, func(tx *store.Tx) error { return r.jobs.Add(ctx, tx, JobTidy, "", struct{}{}, time.Time{}) })
}
