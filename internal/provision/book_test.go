package provision_test

import (
	"slices"
	"strings"
	"testing"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/demo"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/sim"
	"causeway/internal/store/storetest"
)

// Companies of the whole book, in every country and script of it: one that can
// be billed per country, and all the awkward ones.
func TestTheBookOfCompaniesIsOnboarded(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t), sim.Start(t))
	w.working()
	made, err := demo.Seed(w.ctx(), w.people)
	w.must(err)
	if !made {
		t.Fatal("the book was there already")
	}
	rules, err := w.settings.Rules(w.ctx())
	w.must(err)
	rules.Countries = nil
	for _, c := range address.Countries() {
		rules.Countries = append(rules.Countries, c.Code)
	}
	rules.DefaultBudget = money.Must("1", "USD")
	w.must(w.settings.SetRules(w.ctx(), w.owner, rules.Version, rules))

	perCountry := map[string]int{}
	var ids []provider.ID
	for i, c := range demo.Book().Companies {
		a, login, ok := w.bookCompany(c)
		if !ok || perCountry[a.Address.Country] >= 1 && i > 40 {
			continue
		}
		u, err := w.people.UserByEmail(w.ctx(), c.People[0].User.Email)
		w.must(err)
		if id := w.fromBook(u.Actor("127.0.0.1"), a, login, len(ids)); id != "" {
			perCountry[a.Address.Country]++
			ids = append(ids, id)
		}
	}
	if len(perCountry) < 25 {
		t.Errorf("only %d countries: %v", len(perCountry), perCountry)
	}
	for _, id := range ids {
		w.until(id, provider.Ready)
	}
	w.same()
}

// bookCompany finds an account of a company that can be billed, and a login
// that administers it.
func (w *world) bookCompany(c account.BookCompany) (a account.Account, login string, ok bool) {
	for _, l := range c.Logins {
		for _, alias := range l.Administers {
			i := slices.IndexFunc(c.Accounts, func(a account.Account) bool { return a.Alias == alias })
			if i < 0 {
				continue
			}
			a := c.Accounts[i]
			if a.Billable && !a.Reseller && !a.Demo && !a.Internal && !a.Disabled && !a.PublicSector && a.Parent == "" && a.CreditLimit.Sign() > 0 {
				return a, l.Login, true
			}
		}
	}
	return a, "", false
}

// fromBook walks the wizard with the book's own data: what is prefilled is what
// is sent.
func (w *world) fromBook(a account.Actor, acct account.Account, login string, n int) provider.ID {
	w.t.Helper()
	ctx := w.ctx()
	id, err := w.run.NewDraft(ctx, a)
	w.must(err)
	w.must(w.run.SetType(ctx, a, id, provider.TypeAzure))
	w.must(w.run.SetMode(ctx, a, id, provider.ModeNew))
	w.must(w.run.SetName(ctx, a, id, "Azure of "+string(acct.Alias)))
	_, err = w.run.Connect(ctx, a, id, login, demo.Password)
	w.must(err)
	if err := w.run.Choose(ctx, a, id, acct.Alias); err != nil {
		if f := fault.Of(err); f != nil && f.Refusals[0].Code == "credit-limit" {
			return "" // a limit of one cent
		}
		w.t.Errorf("%s in %s: %v", acct.Name, acct.Address.Country, err)
		return ""
	}
	d, err := w.run.Draft(ctx, a, id)
	w.must(err)
	if d.Details.DomainPrefix == "" {
		d.Details.DomainPrefix = "company"
	}
	d.Details.DomainPrefix, d.Details.DomainConfirmed = strings.ToLower(d.Details.DomainPrefix[:min(len(d.Details.DomainPrefix), 16)]+string(acct.Alias)), true
	if r := []rune(d.Details.CompanyName); len(r) > 100 {
		if r := refusals(w.run.SetDetails(ctx, a, id, d.Details)); r["company_name"] == "" {
			w.t.Errorf("a name of %d characters is not refused", len(r))
		}
		d.Details.CompanyName = string(r[:100])
	}
	if strings.Contains("AM AZ BY HU KZ KG MD RU TJ UZ UA BR IN ZA PL AE SA TR TH VN MM IQ SS VE", acct.Address.Country) && d.Details.RegistrationNumber == "" {
		d.Details.RegistrationNumber = "123456789"
	}
	if err := w.run.SetDetails(ctx, a, id, d.Details); err != nil {
		w.t.Errorf("%s in %s: %v", acct.Name, acct.Address.Country, err)
		return ""
	}
	c, err := w.run.CheckDetails(ctx, a, id)
	w.must(err)
	if len(c.Suggestions) > 0 { // an address that nobody has: Microsoft's suggestion is taken
		d.Details.Address = c.Suggestions[0]
		w.must(w.run.SetDetails(ctx, a, id, d.Details))
		c, err = w.run.CheckDetails(ctx, a, id)
		w.must(err)
	}
	if len(c.Refusals) > 0 && c.Refusals[0].Field == "phone" { // a number that Microsoft does not take can be left out
		d.Details.Contact.Phone = ""
		w.must(w.run.SetDetails(ctx, a, id, d.Details))
		c, err = w.run.CheckDetails(ctx, a, id)
		w.must(err)
	}
	if len(c.Refusals) > 0 {
		w.t.Errorf("%s in %s: %+v\n%+v", acct.Name, acct.Address.Country, c.Refusals, acct.Address)
		return ""
	}
	terms, err := w.run.Terms(ctx, a, id)
	w.must(err)
	w.must(w.run.AcceptTerms(ctx, a, id, terms.Partner.ID, terms.Partner.Hash))
	at, err := w.run.StartAttestation(ctx, a, id, false, account.Contact{})
	w.must(err)
	w.must(w.sim.AcceptAttestation(at.ID))
	_, err = w.run.Attestation(ctx, a, id)
	w.must(err)
	_, err = w.run.Submit(ctx, a, id)
	if err != nil {
		w.t.Errorf("%s in %s: %v", acct.Name, acct.Address.Country, err)
		return ""
	}
	return id
}
