package provision_test

import (
	"testing"

	"causeway/internal/account"
	"causeway/internal/provider"
)

func TestEachSubscriptionHasExactlyOnePayerEachDay(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.account(w.contoso.Org, "Contoso East", "CTSE", "CTSO", "ctse-admin", func(a *account.Account) { a.LegalName = "Contoso, Ltd." })
	first := w.until(w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics"), provider.Ready)
	second := w.until(w.submit(w.contoso, "Contoso east", "CTSE", "ctse-admin", ""), provider.Ready)
	if first.TenantID != second.TenantID {
		t.Fatal("one company has two tenants")
	}
	all, err := w.providers.OfTenant(w.ctx(), first.Tenant)
	w.must(err)
	today := provider.DayOf(w.now())
	for entitlement, want := range map[string]account.Alias{"": "CTSO", first.Subscription: "CTSO", second.Subscription: "CTSE"} {
		if got, ok := provider.Payer(all, entitlement, today); !ok || got != want {
			t.Errorf("%q is paid by %q today, want %q", entitlement, got, want)
		}
	}
	if _, ok := provider.Payer(all, first.Subscription, provider.DayOf(w.now().AddDate(0, 0, -1))); ok {
		t.Error("somebody pays for a day on which the tenant did not exist")
	}
	// The same from the account's side.
	mine, err := w.providers.OfAccount(w.ctx(), "CTSE")
	w.must(err)
	if len(mine) != 1 || mine[0].Entitlement != second.Subscription || !mine[0].Confirmed {
		t.Errorf("the account pays for %+v, want the second subscription", mine)
	}
	w.same()
}

func TestAnotherCompanyOfTheOrganizationGetsNoSecondTenantUnlessAllowed(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.account(w.contoso.Org, "Contoso Research", "CTRS", "", "ctrs-admin", func(a *account.Account) { a.LegalName = "Contoso Research, Inc." })
	first := w.until(w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics"), provider.Ready)
	id, err := w.run.NewDraft(w.ctx(), w.contoso)
	w.must(err)
	_, err = w.run.Connect(w.ctx(), w.contoso, id, "ctrs-admin", adminPassword)
	w.must(err)
	if r := refusals(w.run.Choose(w.ctx(), w.contoso, id, "CTRS")); r["account"] == "" {
		t.Errorf("a second tenant is not refused: %v", r)
	}
	rules, err := w.settings.Rules(w.ctx())
	w.must(err)
	rules.AnotherEntityTenant = true
	w.must(w.settings.SetRules(w.ctx(), w.owner, rules.Version, rules))
	second := w.until(w.submit(w.contoso, "Research", "CTRS", "ctrs-admin", "contosoresearch"), provider.Ready)
	if second.TenantID == first.TenantID {
		t.Error("two companies share one tenant")
	}
	w.same()
}

func TestAnOrganizationHasThreePlacementsAfterItsFirstOnboarding(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.until(w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics"), provider.Ready)
	org, err := w.people.Org(w.ctx(), w.contoso.Org)
	w.must(err)
	if len(org.Placement) != 3 {
		t.Errorf("%d placements, want 3", len(org.Placement))
	}
	for _, p := range org.Placement {
		if p.Region == "" || p.Size == "" || p.Network == "" {
			t.Errorf("a placement lacks something: %+v", p)
		}
	}
}
