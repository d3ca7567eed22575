package provision

import (
	"context"
	"encoding/json"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/audit"
	"causeway/internal/guardrail"
	"causeway/internal/provider"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
	"causeway/internal/support"
)

// finish ends the onboarding: the signed receipt, the welcome mail, and the
// clock of the credentials, all in one transaction with the state.
func (w *work) finish(ctx context.Context) error {
	now := w.r.now()
	rules, err := w.r.settings.Rules(ctx)
	if err != nil {
		return err
	}
	receipt, err := w.receipt(ctx, now)
	if err != nil {
		return err
	}
	signed, err := w.r.signer.Sign(receipt)
	if err != nil {
		return err
	}
	mail, err := w.readyMail(ctx, signed)
	if err != nil {
		return err
	}
	return w.tx(ctx, func(tx *store.Tx) error {
		err := w.r.change(ctx, tx, w.o.ID, func(o *Onboarding) error {
			if o.State == Cancelling {
				return errCancelled
			}
			o.State, o.FinishedAt, o.Receipt = Ready, now, string(signed)
			return nil
		})
		if err != nil {
			return err
		}
		err = changeStep(ctx, tx, w.o.ID, StepReady, func(s *StepRecord) {
			s.State, s.Finished, s.Note, s.Next, s.Facts = StepDone, now, "", time.Time{}, []string{"Receipt signed"}
		})
		if err != nil {
			return err
		}
		err = changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error {
			t.State = TenantLive
			if t.Credentials != "" && t.CredentialsUntil.IsZero() {
				t.CredentialsUntil = now.AddDate(0, 0, rules.CredentialDays)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := w.free(ctx, tx); err != nil {
			return err
		}
		_, err = w.r.terms.Keep(ctx, tx, agreement.Kept{
			ID: string(w.o.ID), Org: w.o.Org, Alias: w.o.Account, Attempt: string(w.o.Provider), Stage: agreement.StageReady, Body: signed, MadeAt: now,
		})
		if err != nil {
			return err
		}
		if err := w.r.people.PlaceTx(ctx, tx, account.System(), w.o.Org, account.DefaultPresets(w.t.Details.Address.Country)); err != nil {
			return err
		}
		if err := w.say(ctx, tx, provider.Done, "Ready"); err != nil {
			return err
		}
		if err := w.show(ctx, tx, provider.Ready, ""); err != nil {
			return err
		}
		if w.o.MailMe {
			if err := w.r.mail.Send(ctx, tx, mail); err != nil {
				return err
			}
		}
		err = audit.Write(ctx, tx, audit.Entry{
			Org: string(w.o.Org), At: now, Actor: audit.System, Action: "onboarding.ready", Object: "onboarding:" + string(w.o.ID),
			Detail: map[string]any{"tenant": w.t.AzureID, "subscription": w.o.Subscription, "account": w.o.Account},
		})
		if err != nil {
			return err
		}
		return w.r.jobs.Finish(ctx, tx, w.j)
	})
}

// receipt is everything that an auditor wants to see of an onboarding.
func (w *work) receipt(ctx context.Context, now time.Time) (agreement.Receipt, error) {
	var r agreement.Receipt
	row, err := sqlc.New(w.r.db.Read()).GetOnboarding(ctx, string(w.o.ID))
	if err != nil {
		return r, err
	}
	acceptances, err := w.r.terms.AcceptedFor(ctx, string(w.o.Provider))
	if err != nil {
		return r, err
	}
	var docs []agreement.Document
	for _, a := range acceptances {
		d, err := w.r.terms.Document(ctx, a.Document)
		if err != nil {
			return r, err
		}
		docs = append(docs, d)
	}
	r = agreement.NewReceipt(docs, acceptances, func(d agreement.Document) string { return w.r.portal + "/terms/" + string(d.ID) })
	if err := w.who(ctx, &r); err != nil {
		return r, err
	}
	r.ID, r.Format, r.Stage, r.MadeAt = string(w.o.ID), agreement.Format, agreement.StageReady, now.UTC()
	r.Provider = agreement.ReceiptParty{ID: string(w.o.Provider), Name: w.o.Name}
	r.Administrator = w.o.Login
	if err := json.Unmarshal([]byte(row.Verdict), &r.Eligibility); err != nil {
		return r, err
	}
	r.Result, err = w.result(ctx, now)
	return r, err
}

// who fills in the partner, the organization and the account.
func (w *work) who(ctx context.Context, r *agreement.Receipt) error {
	brand, err := w.r.settings.Brand(ctx)
	if err != nil {
		return err
	}
	org, err := w.r.people.Org(ctx, w.o.Org)
	if err != nil {
		return err
	}
	acct, err := w.r.people.Account(ctx, w.o.Account)
	if err != nil {
		return err
	}
	r.Partner, r.Product = brand.Partner, brand.Product
	r.Organization = agreement.ReceiptParty{ID: string(org.ID), Name: org.Name}
	r.Account = agreement.ReceiptAccount{Alias: string(acct.Alias), Name: acct.Name, LegalName: acct.Legal(), Country: acct.Address.Country}
	return nil
}

// result is what came of it at Microsoft, with the id of each request.
func (w *work) result(ctx context.Context, now time.Time) (*agreement.ReceiptResult, error) {
	c, err := w.r.guard.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	res := &agreement.ReceiptResult{
		TenantID: w.t.AzureID, Domain: w.t.Domain, PlanID: w.t.Plan, SubscriptionID: w.o.Subscription, SubscriptionName: w.o.Name, ReadyAt: now.UTC(),
		Requests: []agreement.ReceiptRequest{}, Grants: []agreement.ReceiptGrant{},
	}
	if p := guardrail.Compile(c); !p.Unrestricted {
		res.Guardrail = p.Hash
	}
	for _, scope := range []string{w.onTenant(), w.onThis()} {
		rows, err := sqlc.New(w.r.db.Read()).Intents(ctx, scope)
		if err != nil {
			return nil, err
		}
		for _, in := range rows {
			res.Requests = append(res.Requests, agreement.ReceiptRequest{
				Step: in.Name, RequestID: in.RequestID, CorrelationID: in.Correlation, At: store.Time(in.LastSent),
			})
		}
	}
	grants, err := w.r.providers.Grants(ctx, w.o.Provider)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		res.Grants = append(res.Grants, agreement.ReceiptGrant{Principal: g.PrincipalName + " " + g.Principal, Role: g.Role, Scope: g.Scope, Intent: g.Intent})
	}
	return res, nil
}

func (w *work) readyMail(ctx context.Context, receipt []byte) (support.Message, error) {
	brand, err := w.r.settings.Brand(ctx)
	if err != nil {
		return support.Message{}, err
	}
	u, err := w.r.people.User(ctx, w.o.User)
	if err != nil {
		return support.Message{}, err
	}
	acct, err := w.r.people.Account(ctx, w.o.Account)
	if err != nil {
		return support.Message{}, err
	}
	rules, err := w.r.settings.Rules(ctx)
	if err != nil {
		return support.Message{}, err
	}
	m := support.Ready{
		To: u.Email, Name: u.Name, ProviderID: string(w.o.Provider), Provider: w.o.Name, Account: string(acct.Alias) + " · " + acct.Name,
		Domain: w.t.Domain, TenantID: w.t.AzureID, SubscriptionID: w.o.Subscription, ProviderURL: w.r.portal + "/providers/" + string(w.o.Provider),
		AzureURL: "https://portal.azure.com/" + w.t.Domain, Receipt: receipt,
	}
	if w.t.Credentials != "" {
		m.CredentialsUntil = w.t.CredentialsUntil
		if m.CredentialsUntil.IsZero() {
			m.CredentialsUntil = w.r.now().AddDate(0, 0, rules.CredentialDays)
		}
	}
	return support.ReadyMail(brand, m), nil
}
