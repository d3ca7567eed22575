package provision

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/eligibility"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/partner"
	"causeway/internal/provision/sqlc"
	"causeway/internal/store"
)

// verdict judges an account with everything that the rules depend on: its
// ancestors, what its other subscriptions may spend, what began today, granted
// exceptions. The onboarding in except is not counted: it is being judged.
func (r *Runner) verdict(ctx context.Context, chain []account.Account, budget money.Amount, rules partner.Rules, except ID) (v eligibility.Verdict, providers int, taken money.Amount, err error) {
	brand, err := r.settings.Brand(ctx)
	if err != nil {
		return v, 0, taken, err
	}
	now := r.now()
	alias := chain[0].Alias
	budget = inCurrencyOf(budget, chain[0])
	in := eligibility.Input{
		Settings: eligibility.Settings{Countries: rules.Countries, RefusePublicSector: !rules.PublicSector, MaxPerDay: rules.PerAccountAndDay},
		Chain:    account.FactsOf(chain), Budget: budget, At: now, Words: eligibility.Words{Account: brand.AccountWord, Partner: brand.Partner},
	}
	taken = money.Zero(budget.Currency())
	open, err := sqlc.New(r.db.Read()).OpenOfAccount(ctx, string(alias))
	if err != nil {
		return v, 0, taken, err
	}
	midnight := now.UTC().Truncate(24 * time.Hour)
	for _, o := range open {
		if ID(o.ID) == except {
			continue
		}
		var b money.Amount
		if err := b.UnmarshalJSON([]byte(o.Budget)); err != nil {
			return v, 0, taken, err
		}
		if sum, err := taken.Add(b); err == nil {
			taken = sum
		}
		providers++
		if !o.Imported && !store.Time(o.StartedAt).Before(midnight) {
			in.Today++
		}
	}
	in.Taken = taken
	lifted, err := r.desk.Exceptions(ctx, alias, now)
	if err != nil {
		return v, 0, taken, err
	}
	for _, l := range lifted {
		in.Exceptions = append(in.Exceptions, eligibility.Exception{Rule: eligibility.Rule(l.Rule), Until: l.Until, Request: fmt.Sprintf("R-%d", l.Number)})
	}
	return eligibility.Judge(in), providers, taken, nil
}

// inCurrencyOf proposes a budget in the account's own currency: a partner has
// one number as its default, and no rate is known here.
func inCurrencyOf(budget money.Amount, a account.Account) money.Amount {
	if a.Currency == "" || budget.Currency() == a.Currency {
		return budget
	}
	same, err := money.New(budget.Decimal(), a.Currency)
	if err != nil {
		return budget
	}
	return same
}

// mustBeEligible refuses a draft whose account may not onboard now, with every
// failing rule.
func (r *Runner) mustBeEligible(ctx context.Context, d Draft) error {
	rules, err := r.settings.Rules(ctx)
	if err != nil {
		return err
	}
	chain, err := r.people.Chain(ctx, d.Account)
	if err != nil {
		return err
	}
	v, _, _, err := r.verdict(ctx, chain, d.Budget, rules, "")
	if err != nil {
		return err
	}
	return v.Err()
}

// stillEligible asks once more before anything is bought. The number of
// onboardings a day does not count again, and the own budget is in the sum.
func (w *work) stillEligible(ctx context.Context) error {
	rules, err := w.r.settings.Rules(ctx)
	if err != nil {
		return err
	}
	rules.PerAccountAndDay = 0
	chain, err := w.r.people.Chain(ctx, w.o.Account)
	if err != nil {
		return err
	}
	v, _, _, err := w.r.verdict(ctx, chain, w.o.Budget, rules, w.o.ID)
	if err != nil {
		return err
	}
	if err := v.Err(); err != nil {
		f := fault.Of(err)
		for i := range f.Refusals {
			f.Refusals[i].Remedy = "Mend the account or grant an exception, then try again; or cancel: nothing has been bought."
		}
		return f
	}
	return nil
}

// answersOf is a verdict as it stands on the receipt: each rule with its answer.
func answersOf(v eligibility.Verdict) []agreement.ReceiptAnswer {
	lifted := map[eligibility.Rule]eligibility.Lifted{}
	for _, l := range v.Lifted {
		lifted[l.Rule] = l
	}
	answers := make([]agreement.ReceiptAnswer, 0, len(eligibility.Rules()))
	for _, rule := range eligibility.Rules() {
		a := agreement.ReceiptAnswer{Rule: string(rule), Passed: true, Text: rule.Title()}
		if l, ok := lifted[rule]; ok {
			a.Passed, a.Text, a.Exception = false, l.Reason, l.Request
		}
		answers = append(answers, a)
	}
	return answers
}
