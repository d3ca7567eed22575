package provision_test

import (
	"testing"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/provider"
)

func TestAMoveHasOnePayerOnEveryDay(t *testing.T) {
	w := newWorld(t)
	w.account(w.contoso.Org, "Contoso retail", "CTSR", "CTSO", "ctsr-admin")
	w.organization("Fabrikam, Inc.", "FABR", "fabr-admin")
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	p := w.until(id, provider.Ready)
	finance := account.Actor{User: "u-finance", Role: account.RoleFinance, Name: "Finance"}
	day := func(ahead int) provider.Day { return provider.DayOf(w.now().AddDate(0, 0, ahead)) }

	for name, c := range map[string]struct {
		actor account.Actor
		to    account.Alias
		first provider.Day
		field string
		kind  fault.Kind
	}{
		"yesterday is owed by who had it":          {finance, "CTSR", day(-1), "first_day", fault.Invalid},
		"not so far ahead":                         {finance, "CTSR", day(40), "first_day", fault.Invalid},
		"no day":                                   {finance, "CTSR", "soon", "first_day", fault.Invalid},
		"the account that pays already":            {finance, "CTSO", day(1), "account", fault.Invalid},
		"another organization's account":           {finance, "FABR", day(1), "account", fault.Invalid},
		"an account that there is not":             {finance, "NONE", day(1), "", fault.NotFound},
		"a customer does not decide who is billed": {w.contoso, "CTSR", day(1), "", fault.Forbidden},
	} {
		err := w.run.Move(w.ctx(), c.actor, id, c.to, c.first)
		f := fault.Of(err)
		if f == nil || f.Kind != c.kind || c.field != "" && (len(f.Refusals) == 0 || f.Refusals[0].Field != c.field || f.Refusals[0].Remedy == "") {
			t.Errorf("%s: %v, want %s of %q", name, err, c.kind, c.field)
		}
	}

	w.must(w.run.Move(w.ctx(), finance, id, "CTSR", day(3)))
	w.must(w.run.Move(w.ctx(), finance, id, "CTSO", day(7))) // and back
	all, err := w.providers.OfTenant(w.ctx(), p.Tenant)
	w.must(err)
	for ahead, want := range map[int]account.Alias{0: "CTSO", 2: "CTSO", 3: "CTSR", 6: "CTSR", 7: "CTSO", 400: "CTSO"} {
		if got, ok := provider.Payer(all, p.Subscription, day(ahead)); !ok || got != want {
			t.Errorf("in %d days %s pays, want %s", ahead, got, want)
		}
	}
	for d := range 30 { // never two of the same level
		n := 0
		for _, a := range all {
			if a.Entitlement == p.Subscription && a.From <= day(d) && (a.To == "" || day(d) <= a.To) {
				n++
			}
		}
		if n > 1 {
			t.Errorf("in %d days %d associations hold at once", d, n)
		}
	}
	if p, err = w.providers.Find(w.ctx(), id); err != nil || p.Account != "CTSO" {
		t.Errorf("the provider shows %s (%v)", p.Account, err)
	}
	w.same()
}
