package web_test

import (
	"net/url"
	"strings"
	"testing"

	"causeway/internal/account"
	"causeway/internal/demo"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
)

// Staff see what only Microsoft has, decide whose it is, and the customer then
// sees it as a provider like any other.
func TestStaffAdoptACustomerThatOnlyMicrosoftHas(t *testing.T) {
	w := newWorld(t)
	w.must(w.sim.Seed(sim.Seed{Customers: []sim.SeedCustomer{{
		Domain: "contosoold.onmicrosoft.com", Name: "Contoso in former times", Consent: true, GDAP: []string{sim.DefaultGDAPGroup},
		Plan: &sim.SeedPlan{Subscriptions: []sim.SeedSubscription{{Name: "Old production"}}},
	}}}))
	s := w.signIn(demo.Support)
	s.get("/staff/differences").is(200).says("Both sides agree", "have not been compared yet", "Compare now")
	s.post("/staff/differences/sweep", url.Values{}).redirects("/staff/differences")
	eventually(t, "the sweep", func() bool { l, err := w.app.Provision.LastSweep(t.Context()); w.must(err); return l.Done() })
	list, _, err := w.app.Provision.Differences(t.Context(), account.System(), provision.DifferenceFilter{})
	w.must(err)
	if len(list) != 1 {
		t.Fatalf("%d differences, want 1", len(list))
	}
	at := "/staff/differences?open=" + list[0].ID
	s.get("/staff/differences").says("Contoso in former times", "Customer", "Adopt", "Compared with Microsoft")
	s.get(at).says("contosoold.onmicrosoft.com", "Take it into the records", "No account of ours")
	s.get("/staff/differences/list.csv").says("customer,organization,account", list[0].AzureID+",,,customer,Contoso in former times")
	post := func(pairs ...string) *answer {
		q := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		return s.post("/staff/differences/"+list[0].ID+"/resolve", q)
	}
	post("action", "ignore").is(422).says("A difference is ignored only with a reason.")
	post("action", "adopt").is(422).says("It is not said which account pays.")
	post("action", "adopt", "account", "NOPE").is(422).says("There is no account NOPE.")
	post("action", "adopt", "account", "ctso").redirects(at)
	eventually(t, "the adoption", func() bool {
		d, err := w.app.Provision.Difference(t.Context(), account.System(), list[0].ID)
		w.must(err)
		return d.State == provision.DiffResolved
	})
	s.get(at).says("Resolved", "Adopt, by")
	all, _, err := w.app.Providers.List(t.Context(), account.System(), provider.Filter{Search: "Old production"})
	w.must(err)
	if len(all) != 1 {
		t.Fatalf("%d providers, want 1", len(all))
	}
	page := w.signIn(demo.Administrator).get("/providers/"+string(all[0].ID)).is(200).says("Old production", "Ready", "taken into the records")
	if strings.Contains(page.body, "in progress") {
		t.Error("an adopted provider looks as if something ran")
	}
	s.get("/providers/" + string(all[0].ID)).is(200).says("Old production")
	s.get("/staff/customers/" + string(all[0].Org)).is(200).says("contosoold.onmicrosoft.com")
}
