package provision_test

import (
	"errors"
	"strings"
	"testing"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
)

func refusals(err error) map[string]string {
	all := map[string]string{}
	if f := fault.Of(err); f != nil {
		for _, r := range f.Refusals {
			all[r.Field] = r.Reason + " | " + r.Remedy
		}
	}
	return all
}

func TestNobodyChargesSomebodyElsesAccount(t *testing.T) {
	w := newWorld(t)
	w.organization("Fabrikam, Inc.", "FABR", "fabr-admin")
	id, err := w.run.NewDraft(w.ctx(), w.contoso)
	w.must(err)
	if _, err := w.run.Connect(w.ctx(), w.contoso, id, "ctso-admin", "wrong"); err == nil {
		t.Error("a wrong password connects")
	}
	if _, err := w.run.Connect(w.ctx(), w.contoso, id, "fabr-admin", adminPassword); err == nil {
		t.Error("another organization's administrator connects")
	}
	_, err = w.run.Connect(w.ctx(), w.contoso, id, "ctso-admin", adminPassword)
	w.must(err)
	if r := refusals(w.run.Choose(w.ctx(), w.contoso, id, "FABR")); r["account"] == "" {
		t.Errorf("somebody else's account: %v", r)
	}
	w.jump(account.ConnectionLife)
	if err := w.run.Choose(w.ctx(), w.contoso, id, "CTSO"); err == nil {
		t.Error("a connection that has expired still proves")
	}
}

func TestARefusedAccountNamesEveryRuleAndPassesWithAnException(t *testing.T) {
	w := newWorld(t)
	w.working()
	tailspin := w.organization("Tailspin Toys", "TSPT", "tspt-admin")
	w.account(tailspin.Org, "Tailspin Resale", "TSPN", "", "tspn-admin", func(a *account.Account) { a.Reseller = true })
	w.account(w.contoso.Org, "Contoso Retail Partners", "CTRP", "TSPN", "ctrp-admin", func(a *account.Account) {
		a.Demo, a.CreditLimit = true, money.Must("0", "USD")
	})
	id, err := w.run.NewDraft(w.ctx(), w.contoso)
	w.must(err)
	_, err = w.run.Connect(w.ctx(), w.contoso, id, "ctrp-admin", adminPassword)
	w.must(err)
	err = w.run.Choose(w.ctx(), w.contoso, id, "CTRP")
	f := fault.Of(err)
	if f == nil || len(f.Refusals) != 3 {
		t.Fatalf("got %v, want three rules: demo, credit limit, reseller above", err)
	}
	var rules []string
	for _, r := range f.Refusals {
		rules = append(rules, r.Code)
		if r.Reason == "" || r.Remedy == "" {
			t.Errorf("%s has no reason or remedy", r.Code)
		}
	}
	if !strings.Contains(err.Error(), "TSPN · Tailspin Resale") {
		t.Errorf("the ancestor that causes it is not named: %v", err)
	}
	req, err := w.desk.AskException(w.ctx(), w.contoso, "CTRP", rules, "It is our own shop.")
	w.must(err)
	_, err = w.desk.Decide(w.ctx(), w.owner, req.ID, "grant", "Checked by telephone.", w.now().AddDate(0, 1, 0))
	w.must(err)
	w.must(w.run.Choose(w.ctx(), w.contoso, id, "CTRP"))
	w.jump(32 * 24 * 3600e9)
	if err := w.run.SetBudget(w.ctx(), w.contoso, id, money.Must("10", "USD")); err == nil {
		t.Error("an exception that has expired still lifts the rules")
	}
}

func TestBadDetailsAreNamedAllAtOnce(t *testing.T) {
	w := newWorld(t)
	id := w.draftWithAccount()
	d, err := w.run.Draft(w.ctx(), w.contoso, id)
	w.must(err)
	bad := d.Details
	bad.DomainPrefix, bad.CompanyName, bad.Contact.Email = "con toso!", strings.Repeat("x", 101), "nobody"
	bad.Address.PostalCode, bad.Contact.FirstName = "ABC", ""
	err = w.run.SetDetails(w.ctx(), w.contoso, id, bad)
	r := refusals(err)
	for _, field := range []string{"domain_prefix", "domain_confirmed", "company_name", "email", "first_name", "postal_code"} {
		if r[field] == "" {
			t.Errorf("%s is not named; refusals: %v", field, r)
		}
	}
	after, err := w.run.Draft(w.ctx(), w.contoso, id)
	w.must(err)
	if after.DetailsSaved {
		t.Error("refused details were kept")
	}
}

func (w *world) draftWithAccount() provider.ID {
	w.t.Helper()
	id, err := w.run.NewDraft(w.ctx(), w.contoso)
	w.must(err)
	w.must(w.run.SetType(w.ctx(), w.contoso, id, provider.TypeAzure))
	w.must(w.run.SetMode(w.ctx(), w.contoso, id, provider.ModeNew))
	w.must(w.run.SetName(w.ctx(), w.contoso, id, "Contoso analytics"))
	_, err = w.run.Connect(w.ctx(), w.contoso, id, "ctso-admin", adminPassword)
	w.must(err)
	w.must(w.run.Choose(w.ctx(), w.contoso, id, "CTSO"))
	return id
}

func TestNamesInAnyScriptArrive(t *testing.T) {
	for _, name := range []string{"Ünïted Wässer", "Контосо", "コントソ 分析", "عالم كونتوسو", "ที่นี่", "x", strings.Repeat("名", provider.MaxName)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.working()
			id := w.submit(w.contoso, name, "CTSO", "ctso-admin", "contososcript")
			p := w.until(id, provider.Ready)
			for _, plan := range w.sim.Customers()[0].Plans {
				for _, s := range plan.Azure {
					if s.Name != p.Name || p.Name != name {
						t.Errorf("the subscription is called %q, the provider %q, want %q", s.Name, p.Name, name)
					}
				}
			}
		})
	}
	for _, name := range []string{"", "   ", strings.Repeat("x", provider.MaxName+1), "a<b", "a\x00b", "\xff"} {
		if _, err := provider.Name(name); !errors.Is(err, fault.Invalid) {
			t.Errorf("the name %q: %v, want a refusal", name, err)
		}
	}
}

func TestAnAddressThatMicrosoftCorrectsIsOffered(t *testing.T) {
	w := newWorld(t)
	w.working()
	id := w.draftWithAccount()
	d, err := w.run.Draft(w.ctx(), w.contoso, id)
	w.must(err)
	d.Details.DomainPrefix, d.Details.DomainConfirmed = "contosoanalytics", true
	d.Details.Address.City = "Bufalo"
	w.control("POST", "/_sim/address-rules", map[string]any{
		"city": "Bufalo", "status": "InteractionRequired", "suggest": []any{map[string]any{"city": "Buffalo"}},
	}, nil)
	w.must(w.run.SetDetails(w.ctx(), w.contoso, id, d.Details))
	c, err := w.run.CheckDetails(w.ctx(), w.contoso, id)
	w.must(err)
	if len(c.Suggestions) == 0 || c.Suggestions[0].City != "Buffalo" || len(c.Refusals) == 0 {
		t.Errorf("got %+v, want Microsoft's suggestion and a refusal of the address", c)
	}
}

func TestASecondSignatoryMayTakeDays(t *testing.T) {
	w := newWorld(t)
	w.working()
	id := w.draftWithAccount()
	d, err := w.run.Draft(w.ctx(), w.contoso, id)
	w.must(err)
	d.Details.DomainPrefix, d.Details.DomainConfirmed = "contosoanalytics", true
	w.must(w.run.SetDetails(w.ctx(), w.contoso, id, d.Details))
	terms, err := w.run.Terms(w.ctx(), w.contoso, id)
	w.must(err)
	w.must(w.run.AcceptTerms(w.ctx(), w.contoso, id, terms.Partner.ID, terms.Partner.Hash))
	at, err := w.run.StartAttestation(w.ctx(), w.contoso, id, true, account.Contact{FirstName: "Company", LastName: "Director", Email: "director@contoso.example"})
	w.must(err)
	first := w.linkTo("director@contoso.example")
	_, err = w.run.StartAttestation(w.ctx(), w.contoso, id, true, at.Signatory) // “Send again”
	w.must(err)
	if again := w.linkTo("director@contoso.example"); again == first {
		t.Error("nothing was sent again")
	}
	b, err := w.run.Submit(w.ctx(), w.contoso, id)
	w.must(err)
	if !b.Waiting {
		t.Fatal("it began without the second signature")
	}
	if p := w.until(id, provider.Waiting); p.Note == "" {
		t.Error("nothing says what is awaited")
	}
	if n := len(w.sim.Customers()); n != 0 {
		t.Fatalf("customers = %d before the signature", n)
	}
	w.jump(3 * 24 * 3600e9) // the account connection has long expired
	w.sim.Advance(3 * 24 * 3600e9)
	link := w.linkTo("director@contoso.example")
	page, err := w.run.OpenSignature(w.ctx(), link, "127.0.0.2")
	w.must(err)
	if page.Microsoft.URL == "" || page.Invitation.Company == "" {
		t.Errorf("the signatory's page lacks something: %+v", page)
	}
	_, err = w.run.Sign(w.ctx(), link, "Company Director", page.Terms.Partner.Hash, "127.0.0.2")
	w.must(err)
	w.must(w.sim.AcceptAttestation(at.ID))
	_, err = w.run.OpenSignature(w.ctx(), link, "127.0.0.2") // the page asks by itself
	w.must(err)
	w.until(id, provider.Ready)
	w.same()
}

func TestADroppedOrderTakesTheSignatorysLinkBack(t *testing.T) {
	w := newWorld(t)
	w.working()
	id := w.draftWithAccount()
	d, err := w.run.Draft(w.ctx(), w.contoso, id)
	w.must(err)
	d.Details.DomainPrefix, d.Details.DomainConfirmed = "contosoanalytics", true
	w.must(w.run.SetDetails(w.ctx(), w.contoso, id, d.Details))
	_, err = w.run.StartAttestation(w.ctx(), w.contoso, id, true, account.Contact{FirstName: "Company", LastName: "Director", Email: "director@contoso.example"})
	w.must(err)
	desk := account.Actor{User: "u-desk", Role: account.RoleSupport}
	w.must(w.run.DropDraft(w.ctx(), desk, id)) // staff never accept terms, and need not
	var state, why string
	w.must(w.db.Read().QueryRowContext(w.ctx(), "SELECT state, why FROM agreement_invitation WHERE attempt = $1", string(id)).Scan(&state, &why))
	if state != "withdrawn" || why != "The order was dropped." {
		t.Errorf("the invitation is %s: %q", state, why)
	}
	if _, err := w.run.OpenSignature(w.ctx(), w.linkTo("director@contoso.example"), "127.0.0.2"); err == nil {
		t.Error("the link of a dropped order still opens")
	}
}

// linkTo is the token in the mail to a person.
func (w *world) linkTo(email string) string {
	w.t.Helper()
	var text string
	err := w.db.Read().QueryRowContext(w.ctx(), "SELECT body FROM support_mail WHERE recipient = '"+email+"' ORDER BY made_at DESC LIMIT 1").Scan(&text)
	w.must(err)
	_, rest, ok := strings.Cut(text, "/sign/")
	if !ok {
		w.t.Fatalf("no link in the mail:\n%s", text)
	}
	return strings.Fields(rest)[0]
}

func TestAnAccountDisabledWhileWaitingIsNotBilled(t *testing.T) {
	w := newWorld(t, sim.WithSettings(func(s *sim.Settings) { s.ValidationState = "UnderReview" }))
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.until(id, provider.Waiting) // Microsoft reviews the account: days
	w.must(w.people.DisableAccount(w.ctx(), w.owner, "CTSO", "Closed."))
	c := w.sim.Customers()[0]
	w.must(w.sim.SetValidation(c.ID, "Allowed"))
	w.jump(10 * 60e9)
	w.until(id, provider.Stuck)
	if o := w.onboarding(id); o.Refusal == nil || o.Refusal.Code != "disabled" {
		t.Errorf("refusal %+v, want the disabled account", o.Refusal)
	}
	if n := len(w.sim.Customers()[0].Plans); n != 0 {
		t.Errorf("%d plans were bought for a disabled account", n)
	}
}

func TestANewVersionOfTheTermsMustBeAcceptedAgain(t *testing.T) {
	w := newWorld(t)
	w.working()
	id := w.wizard(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	terms, err := w.run.Terms(w.ctx(), w.contoso, id)
	w.must(err)
	_, err = agreement.New(w.db, w.now).Publish(w.ctx(), w.owner, agreement.Draft{
		Kind: agreement.PartnerTerms, Country: "US", Language: "en-US", Title: terms.Partner.Title, Text: terms.Partner.Text + "\n\n## 9. More\n\nMore.", Note: "Section 9 is new.",
	})
	w.must(err)
	_, err = w.run.Submit(w.ctx(), w.contoso, id)
	if r := refusals(err); r["terms"] == "" {
		t.Errorf("it begins on old terms: %v", err)
	}
	if err := w.run.AcceptTerms(w.ctx(), w.contoso, id, terms.Partner.ID, terms.Partner.Hash); err == nil {
		t.Error("the old version can still be accepted")
	}
	now, err := w.run.Terms(w.ctx(), w.contoso, id)
	w.must(err)
	w.must(w.run.AcceptTerms(w.ctx(), w.contoso, id, now.Partner.ID, now.Partner.Hash))
	_, err = w.run.Submit(w.ctx(), w.contoso, id)
	w.must(err)
	w.until(id, provider.Ready)
}

func TestInOrganizationModeTheOrganizationPaysAndOnlyItsAdministratorCreates(t *testing.T) {
	w := newWorld(t)
	w.working()
	rules, err := w.settings.Rules(w.ctx())
	w.must(err)
	rules.OrganizationMode = true
	w.must(w.settings.SetRules(w.ctx(), w.owner, rules.Version, rules))
	org, err := w.people.Org(w.ctx(), w.contoso.Org)
	w.must(err)
	org.Account = "CTSO"
	_, err = w.people.UpdateOrg(w.ctx(), w.owner, org)
	w.must(err)
	member := w.contoso
	member.Role = account.RoleMember
	if _, err := w.run.NewDraft(w.ctx(), member); !errors.Is(err, fault.Forbidden) {
		t.Errorf("a member creates in organization mode: %v", err)
	}
	id, err := w.run.NewDraft(w.ctx(), w.contoso)
	w.must(err)
	w.must(w.run.SetType(w.ctx(), w.contoso, id, provider.TypeAzure))
	w.must(w.run.SetMode(w.ctx(), w.contoso, id, provider.ModeNew))
	w.must(w.run.SetName(w.ctx(), w.contoso, id, "Contoso analytics"))
	choices, err := w.run.Choices(w.ctx(), w.contoso, id)
	w.must(err)
	if len(choices) != 1 || choices[0].Account.Alias != "CTSO" {
		t.Fatalf("choices %v, want the organization's account alone", choices)
	}
	w.must(w.run.Choose(w.ctx(), w.contoso, id, "CTSO")) // no connection
	d, err := w.run.Draft(w.ctx(), w.contoso, id)
	w.must(err)
	d.Details.DomainPrefix, d.Details.DomainConfirmed = "contosoanalytics", true
	w.must(w.run.SetDetails(w.ctx(), w.contoso, id, d.Details))
	terms, err := w.run.Terms(w.ctx(), w.contoso, id)
	w.must(err)
	w.must(w.run.AcceptTerms(w.ctx(), w.contoso, id, terms.Partner.ID, terms.Partner.Hash))
	at, err := w.run.StartAttestation(w.ctx(), w.contoso, id, false, account.Contact{})
	w.must(err)
	w.must(w.sim.AcceptAttestation(at.ID))
	_, err = w.run.Attestation(w.ctx(), w.contoso, id)
	w.must(err)
	_, err = w.run.Submit(w.ctx(), w.contoso, id)
	w.must(err)
	w.until(id, provider.Ready)
	w.same()
}

func TestAPartnerSignInThatLostItsSecondFactorLetsAllWaitAndThenGoOn(t *testing.T) {
	w := newWorld(t)
	w.working()
	w.holdAt(provision.StepCustomer)
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.at(id, provision.StepCustomer)
	w.sim.Revoke(sim.DefaultUser, 50076)
	w.must(w.custody.DropTenant(w.ctx(), sim.DefaultPartnerTenant))
	w.sim.ClearFaults()
	w.until(id, provider.Waiting)
	w.connectPartner()
	w.jump(60e9)
	w.until(id, provider.Ready)
}

func TestCredentialsAreShownToTheAdministratorAloneAndErased(t *testing.T) {
	w := newWorld(t)
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.until(id, provider.Ready)
	if _, err := w.run.ShowCredentials(w.ctx(), w.owner, id, adminPassword); !errors.Is(err, fault.Forbidden) {
		t.Errorf("the partner's staff sees the customer's password: %v", err)
	}
	if _, err := w.run.ShowCredentials(w.ctx(), w.contoso, id, "wrong"); err == nil {
		t.Error("shown without the own password")
	}
	_, err := w.run.ShowCredentials(w.ctx(), w.contoso, id, adminPassword)
	w.must(err)
	w.must(w.run.CredentialsStored(w.ctx(), w.contoso, id))
	if _, err := w.run.ShowCredentials(w.ctx(), w.contoso, id, adminPassword); !errors.Is(err, fault.NotFound) {
		t.Errorf("after “I have stored it”: %v", err)
	}
}

func TestTheReceiptVerifiesOffline(t *testing.T) {
	w := newWorld(t)
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	p := w.until(id, provider.Ready)
	body, err := w.run.Receipt(w.ctx(), w.contoso, id)
	w.must(err)
	r, err := agreement.Verify(body, w.signer.PublicKey())
	w.must(err)
	if r.Result == nil || r.Result.SubscriptionID != p.Subscription || len(r.Documents) != 2 || len(r.Acceptances) < 2 || r.Administrator != "ctso-admin" {
		t.Errorf("the receipt lacks something: %+v", r)
	}
	body[len(body)/2] ^= 1
	if _, err := agreement.Verify(body, w.signer.PublicKey()); err == nil {
		t.Error("a changed receipt verifies")
	}
}

func TestAnotherOrganizationFindsNothing(t *testing.T) {
	w := newWorld(t)
	fabrikam := w.organization("Fabrikam, Inc.", "FABR", "fabr-admin")
	id, err := w.run.NewDraft(w.ctx(), w.contoso)
	w.must(err)
	for what, err := range map[string]error{
		"draft":  second(w.run.Draft(w.ctx(), fabrikam, id)),
		"name":   w.run.SetName(w.ctx(), fabrikam, id, "mine"),
		"drop":   w.run.DropDraft(w.ctx(), fabrikam, id),
		"submit": second(w.run.Submit(w.ctx(), fabrikam, id)),
		"cancel": w.run.Cancel(w.ctx(), fabrikam, id),
	} {
		if !errors.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want not found", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestWhatWaitsForAPersonIsRemembered(t *testing.T) {
	w := newWorld(t, sim.WithSettings(func(s *sim.Settings) { s.ValidationState = "UnderReview" }))
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	w.until(id, provider.Waiting)
	reminders := func() (n int) {
		w.must(w.db.Read().QueryRowContext(w.ctx(), "SELECT COUNT(*) FROM support_mail WHERE key LIKE 'waiting:%'").Scan(&n))
		return n
	}
	if n := reminders(); n != 0 {
		t.Errorf("%d reminders at once", n)
	}
	for day := 1; day <= 2; day++ {
		w.jump(25 * 3600e9)
		w.poll("reminder", func() bool { return reminders() == day })
	}
}

func TestADraftThatWasLeftIsForgotten(t *testing.T) {
	w := newWorld(t)
	left, err := w.run.NewDraft(w.ctx(), w.contoso)
	w.must(err)
	w.jump(provision.DraftLife - 3600e9)
	kept, err := w.run.NewDraft(w.ctx(), w.contoso)
	w.must(err)
	w.jump(2 * 3600e9)
	w.must(w.run.Tidy(w.ctx()))
	w.working()
	w.poll("the draft to be forgotten", func() bool {
		_, err := w.providers.Find(w.ctx(), left)
		return errors.Is(err, fault.NotFound)
	})
	if _, err := w.run.Draft(w.ctx(), w.contoso, kept); err != nil {
		t.Errorf("a draft of an hour ago is gone: %v", err)
	}
}

func TestCredentialsThatNobodyStoredAreErasedAfterTheirDays(t *testing.T) {
	w := newWorld(t)
	w.working()
	id := w.submit(w.contoso, "Contoso analytics", "CTSO", "ctso-admin", "contosoanalytics")
	p := w.until(id, provider.Ready)
	w.jump(8 * 24 * 3600e9)
	w.must(w.run.Tidy(w.ctx()))
	w.poll("the credentials to be erased", func() bool {
		var sealed string
		w.must(w.db.Read().QueryRowContext(w.ctx(), "SELECT credentials FROM tenant WHERE id = $1", p.Tenant).Scan(&sealed))
		return sealed == ""
	})
}
