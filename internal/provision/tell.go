package provision

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/fault"
	"causeway/internal/partner"
	"causeway/internal/store"
	"causeway/internal/support"
)

// Title is the step in words for people, the seed's.
func (s Step) Title() string {
	switch s {
	case StepDetails:
		return "Provide Microsoft your account details"
	case StepCustomer:
		return "Create the Azure customer account"
	case StepPlan:
		return "Order the Azure plan"
	case StepSubscription:
		return "Create the Azure subscription"
	case StepAssociate:
		return "Associate it with the account that pays"
	case StepEnter:
		return "Enter the new tenant"
	case StepGuard:
		return "Apply the guardrail"
	case StepGrant:
		return "Grant Azure roles and set the budget"
	case StepReady:
		return "Ready"
	}
	return string(s)
}

// tellStuck mails the customer and the staff that a step cannot go on, once for
// each time that it stops.
func (w *work) tellStuck(ctx context.Context, tx *store.Tx, brand partner.Brand, why fault.Refusal, now time.Time) error {
	m, err := w.r.stuckMail(ctx, w.o, why, now)
	if err != nil {
		return err
	}
	if m.To != "" {
		if err := w.r.mail.Send(ctx, tx, support.StuckMail(brand, m)); err != nil {
			return err
		}
	}
	return w.r.mail.Send(ctx, tx, support.StuckStaffMail(brand, m))
}

func (r *Runner) stuckMail(ctx context.Context, o Onboarding, why fault.Refusal, now time.Time) (support.Stuck, error) {
	rules, err := r.settings.Rules(ctx)
	if err != nil {
		return support.Stuck{}, err
	}
	org, err := r.people.Org(ctx, o.Org)
	if err != nil {
		return support.Stuck{}, err
	}
	m := support.Stuck{
		Key: fmt.Sprintf("%s:%s:%d", o.ID, o.Step, now.UnixMilli()), Provider: o.Name, Company: org.Name, Step: o.Step.Title(),
		Reason: why.Reason, Remedy: why.Remedy, VendorCode: why.Code, AnswerBy: rules.Answer.AnswerBy(now),
		URL: r.portal + "/providers/" + string(o.Provider), StaffURL: r.portal + "/staff/onboardings/" + string(o.ID),
	}
	if u, err := r.people.User(ctx, o.User); err == nil {
		m.To, m.Name = u.Email, u.Name
	}
	return m, nil
}

// tellRefused mails the person whose draft could not begin after the wait, in the
// transaction that makes it a draft again.
func (r *Runner) tellRefused(ctx context.Context, d Draft, why fault.Refusal) (func(*store.Tx) error, error) {
	brand, err := r.settings.Brand(ctx)
	if err != nil {
		return nil, err
	}
	o := Onboarding{ID: ID(d.Provider.ID), Provider: d.Provider.ID, Org: d.Provider.Org, User: d.Provider.Owner, Name: d.Provider.Name, Step: StepDetails}
	m, err := r.stuckMail(ctx, o, why, r.now())
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx) error {
		if m.To == "" {
			return nil // the person is gone
		}
		return r.mail.Send(ctx, tx, support.StuckMail(brand, m))
	}, nil
}

// remind mails the staff once for each of the partner's reminder times that a
// step has waited for a person.
func (w *work) remind(ctx context.Context, tx *store.Tx, why string) error {
	rules, err := w.r.settings.Rules(ctx)
	if err != nil || rules.WaitingReminderHours <= 0 {
		return err
	}
	n := int(w.r.now().Sub(w.s.Started) / (time.Duration(rules.WaitingReminderHours) * time.Hour))
	if n < 1 {
		return nil
	}
	brand, err := w.r.settings.Brand(ctx)
	if err != nil {
		return err
	}
	org, err := w.r.people.Org(ctx, w.o.Org)
	if err != nil {
		return err
	}
	return w.r.mail.Send(ctx, tx, support.WaitingMail(brand, support.Waiting{
		Key: fmt.Sprintf("%s:%s:%d", w.o.ID, w.o.Step, n), Company: org.Name, Provider: w.o.Name, Step: w.o.Step.Title(), Why: why,
		Since: w.s.Started, StaffURL: w.r.portal + "/staff/onboardings/" + string(w.o.ID),
	}))
}
