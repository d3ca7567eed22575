package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/demo"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
	"causeway/internal/support"
	"causeway/internal/web"
)

// ready makes a provider of Contoso that works, and gives its id.
func (w *world) ready(name, alias, prefix string) string {
	w.t.Helper()
	s := w.signIn(demo.Administrator)
	id := s.draft(name, alias)
	if d, err := w.app.Provision.Draft(w.t.Context(), w.actor(demo.Administrator), provider.ID(id)); err != nil {
		w.t.Fatal(err)
	} else if d.Tenant == "" {
		s.details(id, prefix, nil).redirects("/providers/" + id + "/wizard/terms")
		s.agree(w, id)
	}
	s.post("/providers/"+id+"/wizard/review", url.Values{}).redirects("/providers/" + id)
	w.until(id, provider.Ready)
	return id
}

// Every route × every role × the own and another organization: what belongs to
// others is as if it were not there, what a role may not do is refused, and
// everything else works on a real object.
func TestEveryRouteForEveryRoleAndTenant(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	admin := w.actor(demo.Administrator)
	ready := w.ready("Contoso production", "CTSO", "contosoprod")
	s := w.signIn(demo.Administrator)
	draft := s.draft("Contoso lab", "CTSE")
	o, err := w.app.Provision.OnboardingOf(ctx, admin, provider.ID(ready))
	w.must(err)
	request, err := w.app.Desk.AskContact(ctx, admin, "CTSO", support.ContactPayload{Topic: "question", Text: "A question of Contoso only"})
	w.must(err)
	receipts, err := w.app.Terms.Receipts(ctx, admin, ready)
	w.must(err)
	documents, err := w.app.Terms.Documents(ctx, admin)
	w.must(err)
	mails, err := w.app.Mail.Mails(ctx, account.System(), "", "", 1)
	w.must(err)
	member := w.actor(demo.Member)
	w.must(w.sim.Seed(sim.Seed{Customers: []sim.SeedCustomer{{Domain: "stray.onmicrosoft.com", Name: "Stray"}}}))
	_, err = w.app.Provision.Sweep(ctx)
	w.must(err)
	differences, _, err := w.app.Provision.Differences(ctx, account.System(), provision.DifferenceFilter{Kind: provision.DiffCustomer})
	w.must(err)

	docs := w.bills()
	_, err = w.app.Prices.Save(ctx, w.actor(demo.Finance), ourPrices("our-prices", "5"), "", "A list for this test.", nil, nil)
	w.must(err)

	objects := strings.NewReplacer(
		"/invoices/{id}", "/invoices/"+string(docs[0].ID), "{file}", "invoice.json", "{month}", "2026-10", "{list}", "our-prices",
		"/wizard/{step}", "/wizard/name", "{alias}", "CTSO", "{org}", string(admin.Org), "{user}", string(member.User), "{token}", "no-such-token",
		"/receipts/{id}", "/receipts/"+receipts[0].ID, "/terms/{id}", "/terms/"+string(documents[0].ID), "/requests/{id}", "/requests/"+string(request.ID),
		"/staff/onboardings/{id}", "/staff/onboardings/"+string(o.ID), "/staff/mail/{id}", "/staff/mail/"+mails.Items[0].ID,
		"/staff/differences/{id}", "/staff/differences/"+differences[0].ID,
	)
	visitors := []struct {
		name, email string
		own         bool // of the organization that everything belongs to
	}{
		{"nobody", "", false}, {"administrator", demo.Administrator, true}, {"member", demo.Member, true}, {"another organization's administrator", "admin@fabrikam.example", false},
		{"owner", demo.Owner, false}, {"finance", demo.Finance, false}, {"support", demo.Support, false}, {"reader", demo.Reader, false},
	}
	// What a route checks beyond the action it names.
	inner := map[string]account.Action{"POST /providers/{id}/cancel": account.ActProviderCancel}
	cells := 0
	for _, visitor := range visitors {
		browser := w.guest()
		var me account.Actor
		if visitor.email != "" {
			browser, me = w.signIn(visitor.email), w.actor(visitor.email)
		}
		for _, r := range web.Routes() {
			method, path, ok := strings.Cut(r.Pattern, " ")
			if !ok || path == "/{$}" || path == "/signout" {
				continue
			}
			object := strings.Contains(path, "{") && r.Who != "everybody"
			id := ready
			if strings.Contains(path, "/wizard") || strings.HasSuffix(path, "/connect") || strings.HasSuffix(path, "/domain") || strings.HasSuffix(path, "/checking") || strings.HasSuffix(path, "/attestation") {
				id = draft
			}
			at := strings.ReplaceAll(objects.Replace(path), "{id}", id)
			form := url.Values(nil)
			if method == http.MethodPost {
				form = url.Values{}
			}
			a := browser.do(method, at, form)
			cells++
			act := r.Act
			if x, ok := inner[r.Pattern]; ok {
				act = x
			}
			want := "works"
			switch {
			case r.Who == "everybody":
				if a.code >= 500 {
					t.Errorf("%s as %s: %d", r.Pattern, visitor.name, a.code)
				}
				continue
			case visitor.email == "":
				want = "sign in"
			case r.Who == "staff" && !me.Staff():
				want = "403"
			case object && !me.Staff() && !visitor.own:
				want = "404"
			case act != "" && account.May(me, act, me.Org) != nil:
				want = "403"
			case r.Pattern == "POST /people/{user}" && me.Staff(): // people of a customer are not changed here
				want = "404"
			}
			got := "works"
			switch {
			case a.code == http.StatusSeeOther && strings.HasPrefix(a.head.Get("Location"), "/signin"):
				got = "sign in"
			case a.code == http.StatusForbidden:
				got = "403"
			case a.code == http.StatusNotFound:
				got = "404"
			case a.code >= 500:
				got = "broken"
			}
			if got != want {
				t.Errorf("%s (%s) as %s: %d, want %s\n%.300s", r.Pattern, at, visitor.name, a.code, want, a.text())
			}
			if !visitor.own && !me.Staff() {
				for _, secret := range []string{"contosoprod", "Contoso production", docs[0].Number, "A question of Contoso", "admin@contoso.example"} {
					if strings.Contains(a.body, secret) {
						t.Errorf("%s as %s tells %q", r.Pattern, visitor.name, secret)
					}
				}
			}
		}
		if !visitor.own && !me.Staff() && visitor.email != "" {
			for _, list := range []string{"/providers?q=contoso", "/providers/list.csv", "/accounts?q=CTSO", "/search?q=contoso", "/requests?account=CTSO"} {
				browser.get(list).hides("contosoprod", "Contoso production", "CTSO ·", "A question of Contoso")
			}
		}
	}
	t.Logf("%d cells", cells)
	if n, err := audit.Verify(ctx, w.app.DB, string(admin.Org)); err != nil || n == 0 {
		t.Errorf("audit of Contoso: %d entries, %v", n, err)
	}
}
