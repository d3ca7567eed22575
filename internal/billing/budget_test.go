package billing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/support"
	"causeway/internal/usage"
)

// payer is a company with one account, C0001, that has used Azure for a while.
type payer struct {
	*books
	org   account.OrgID
	admin account.Actor // of the organization
}

func newPayer(t *testing.T, db *store.DB, day string) *payer {
	t.Helper()
	p := &payer{books: newBooks(t, db, day)}
	p.org = p.account("C0001")
	u, err := p.people.CreateUser(t.Context(), account.System(), account.User{Org: p.org, Role: account.RoleAdministrator, Name: "Ada", Email: "ada@c0001.example"}, "correct horse battery staple")
	p.must(err)
	p.admin = u.Actor("192.0.2.1")
	return p
}

// used makes a month of C0001 cost so much a day up to a day, in place of what was known.
func (p *payer) used(m usage.Month, to int, a string, currency money.Currency, entitlement string) {
	p.t.Helper()
	x := spent(m, to, daily(a))
	x.Account, x.Currency, x.RatedAt = "C0001", currency, p.sim.Clock.Now()
	z := money.Zero(currency)
	x.Sell, x.Cost, x.Sold, x.Margin, x.Earned, x.Gain = z, z, z, z, z, z
	for i := range x.Cells {
		x.Cells[i].Sell, x.Cells[i].Cost, x.Cells[i].Entitlement = money.Must(a, currency), z, entitlement
	}
	p.must(p.db.Tx(p.t.Context(), func(tx *store.Tx) error { return p.Months().Save(p.t.Context(), tx, x) }))
}

// rated is what follows a new snapshot: the months are watched.
func (p *payer) rated(m usage.Month) {
	p.t.Helper()
	p.must(p.db.Tx(p.t.Context(), func(tx *store.Tx) error {
		return p.jobs.Add(p.t.Context(), tx, billing.JobBudget, string(m), struct{}{}, time.Time{})
	}))
	p.work()
}

// set sets the budget of C0001 and lets it be looked at.
func (p *payer) set(amount string, change ...func(*billing.Budget)) billing.Budget {
	p.t.Helper()
	b, err := p.Budget(p.t.Context(), "C0001", "")
	if fault.KindOf(err) != fault.NotFound {
		p.must(err)
	}
	b.Account, b.Amount = "C0001", money.Must(amount, "USD")
	for _, c := range change {
		c(&b)
	}
	b, err = p.SetBudget(p.t.Context(), p.admin, b)
	p.must(err)
	p.work()
	return b
}

func at(list ...billing.Threshold) func(*billing.Budget) {
	return func(b *billing.Budget) { b.Thresholds = list }
}

func asking(b *billing.Budget) { b.Ask = true }

// alerts are in words what was told, oldest first: month, threshold, and – if it was
// set back.
func (p *payer) alerts() string {
	p.t.Helper()
	list, err := p.Alerts(p.t.Context(), "C0001", 100)
	p.must(err)
	var all []string
	for _, a := range list {
		s := fmt.Sprintf("%s %s", string(a.Month)[5:], a.Threshold)
		if a.Asked {
			s = fmt.Sprintf("%s asked R-%d", string(a.Month)[5:], a.Request)
		}
		if !a.RearmedAt.IsZero() {
			s += " –"
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (p *payer) mails() []support.Mail {
	p.t.Helper()
	page, err := p.mail.Mails(p.t.Context(), account.System(), "", "", 100)
	p.must(err)
	slices.Reverse(page.Items)
	return page.Items
}

// requests are those that anybody made, oldest first.
func (p *payer) requests() []support.Request {
	p.t.Helper()
	page, err := p.desk.Requests(p.t.Context(), account.System(), support.Filter{})
	p.must(err)
	slices.Reverse(page.Items)
	return page.Items
}

// A threshold is told once a budget and month, whatever the usage does after it, and
// anew in the next month.
func TestAThresholdIsToldOnceAMonth(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := newPayer(t, db, "2026-11-20")
		p.used("2026-11", 15, "30", "USD", "") // 450, and 900 by the forecast
		p.set("1000")
		if got := p.alerts(); got != "" {
			t.Fatalf("at 45 %%: %s", got)
		}
		p.used("2026-11", 17, "30", "USD", "") // 510
		p.rated("2026-11")
		if got, want := p.alerts(), "11 50 % actual"; got != want {
			t.Fatalf("at 51 %%: %s, want %s", got, want)
		}
		mails := p.mails()
		if len(mails) != 1 || mails[0].To != "billing@c0001.example" || mails[0].Subject != "50 % of the budget is used: C0001 · Company C0001, November 2026" {
			t.Fatalf("%+v", mails)
		}
		for _, want := range []string{
			"50 % of the budget of C0001 · Company C0001 is used in November 2026.", "Budget: 1,000.00 USD a month, before tax", "Used so far: 510.00 USD, 51.0 %, usage to 17 November 2026 (UTC)",
			"Forecast of the month: 900.00 USD, 90.0 %", "not known before a whole month has passed", "Nothing is stopped", "The next mail about this budget comes when 80 % of it is used.",
			"https://portal.example/usage?account=C0001", "https://portal.example/usage/budgets?account=C0001",
		} {
			if !strings.Contains(mails[0].Text, want) {
				t.Errorf("the mail does not say %q:\n%s", want, mails[0].Text)
			}
		}
		p.used("2026-11", 10, "30", "USD", "") // Microsoft restates: 300
		p.rated("2026-11")
		p.used("2026-11", 20, "51", "USD", "") // 1,020: two at once are one mail
		p.rated("2026-11")
		p.rated("2026-11")
		if got, want := p.alerts(), "11 100 % actual, 11 50 % actual, 11 80 % actual"; got != want {
			t.Errorf("at 102 %%: %s, want %s", got, want)
		}
		mails = p.mails()
		if len(mails) != 2 || !strings.HasPrefix(mails[1].Subject, "100 % of the budget is used") || !strings.Contains(mails[1].Text, "Reached as well: 80 % used.") || !strings.Contains(mails[1].Text, "its last threshold") {
			t.Errorf("%+v", mails)
		}
		p.sim.Advance(13 * 24 * time.Hour) // 3 December: November's last days become known
		p.used("2026-12", 2, "300", "USD", "")
		p.rated("2026-11")
		p.rated("2026-12")
		if got, want := p.alerts(), "11 100 % actual, 11 50 % actual, 11 80 % actual, 12 50 % actual"; got != want {
			t.Errorf("in December: %s, want %s", got, want)
		}
	})
}

// A change of the amount sets back what is not reached any more, and nothing else.
func TestRaisingABudgetRearmsWhatIsNotReachedAnyMore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		p := newPayer(t, db, "2026-11-20")
		p.used("2026-11", 17, "50", "USD", "") // 850
		p.set("1000", asking)
		p.set("850") // all of it is used now, and the partner is asked
		if got, want := p.alerts(), "11 100 % actual, 11 50 % actual, 11 80 % actual, 11 asked R-1001"; got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		p.set("1200") // 70.8 %
		if got, want := p.alerts(), "11 100 % actual –, 11 50 % actual, 11 80 % actual –, 11 asked R-1001 –"; got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		p.used("2026-11", 20, "60", "USD", "") // 1,200
		p.rated("2026-11")
		if got, want := p.alerts(), "11 100 % actual, 11 100 % actual –, 11 50 % actual, 11 80 % actual, 11 80 % actual –, 11 asked R-1001 –, 11 asked R-1002"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		b, err := p.Budget(t.Context(), "C0001", "")
		p.must(err)
		b.Version--
		if _, err := p.SetBudget(t.Context(), p.admin, b); fault.KindOf(err) != fault.Conflict {
			t.Errorf("on top of an older version: %v", err)
		}
	})
}

// What was used and what is expected are told apart; a month that is over is not
// expected to be anything.
func TestActualAndForecast(t *testing.T) {
	p := newPayer(t, storetest.SQLite(t), "2026-11-20")
	for m := usage.Month("2026-08"); m < "2026-11"; m = m.Add(1) {
		p.used(m, m.Days(), "30", "USD", "")
	}
	p.used("2026-11", 15, "30", "USD", "") // 450, and exactly 900 by every method
	p.set("890", at(billing.Threshold{Percent: 100, Basis: billing.Forecasted}, billing.Threshold{Percent: 60, Basis: billing.Actual}))
	if got, want := p.alerts(), "11 100 % forecast"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	m := p.mails()[0]
	if m.Subject != "The month may reach 100 % of the budget: C0001 · Company C0001, November 2026" || !strings.Contains(m.Text, "November 2026 ends at or above 100 % of the budget") || !strings.Contains(m.Text, "Range of the forecast: 900.00 USD to 900.00 USD") {
		t.Errorf("%s\n%s", m.Subject, m.Text)
	}
	p.set("1800", at(billing.Threshold{Percent: 40, Basis: billing.Forecasted})) // what is expected now is told, also if it is used already
	if got, want := p.alerts(), "11 100 % forecast –, 11 40 % forecast"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p.set("1800", at(billing.Threshold{Percent: 60, Basis: billing.Forecasted}, billing.Threshold{Percent: 60, Basis: billing.Actual}, billing.Threshold{Percent: 90, Basis: billing.Actual}))
	p.sim.Advance(13 * 24 * time.Hour) // 3 December
	p.used("2026-11", 30, "40", "USD", "")
	p.rated("2026-11") // 1,200: used, and nothing is expected any more
	told := "11 100 % forecast –, 11 40 % forecast, 11 60 % actual"
	if got := p.alerts(); got != told {
		t.Errorf("%s, want %s", got, told)
	}
	p.sim.Advance(31 * 24 * time.Hour) // 3 January: a month before the last one is not looked at
	p.used("2026-11", 30, "60", "USD", "")
	p.rated("2026-11")
	p.used("2026-12", 31, "10", "USD", "")
	p.set("100", at(billing.Threshold{Percent: 100, Basis: billing.Actual})) // it is not of December
	p.rated("2026-12")
	p.rated("2027-01") // without usage
	if got := p.alerts(); got != told {
		t.Errorf("%s, want %s", got, told)
	}
}

// A process that dies anywhere in it tells once, asks once and sends once.
func TestABudgetSurvivesADeathAtEveryPoint(t *testing.T) {
	want := ""
	for _, point := range append([]string{"none"}, billing.BudgetPoints()...) {
		t.Run(point, func(t *testing.T) {
			p := newPayer(t, storetest.SQLite(t), "2026-11-20")
			p.used("2026-11", 20, "60", "USD", "")
			b, err := p.SetBudget(t.Context(), p.admin, billing.Budget{Account: "C0001", Amount: money.Must("1000", "USD"), Ask: true, Recipients: []string{"a@c0001.example", "b@c0001.example"}})
			p.must(err)
			if died := p.dying(point, p.work); died != (point != "none") {
				t.Fatalf("died: %v", died)
			}
			p.rated("2026-11")
			text := p.alerts() + fmt.Sprintln()
			for _, m := range p.mails() {
				text += fmt.Sprintln(m.To, m.Subject)
			}
			for _, r := range p.requests() {
				text += fmt.Sprintln(r.Label(), r.Alias, r.AskedBy == p.admin.User, r.AskedEmail, r.Subject, string(r.Payload))
			}
			if want == "" {
				want = text
				for _, x := range []string{"11 asked R-1001", "a@c0001.example 100 %", "b@c0001.example 100 %", "R-1001 C0001 true ada@c0001.example Contact: budget used up", "1,200.00 USD of 1,000.00 USD"} {
					if strings.Count(text, x) != 1 {
						t.Errorf("%q is not told once:\n%s", x, text)
					}
				}
			}
			if text != want {
				t.Errorf("it ends as\n%s\nwithout a death as\n%s", text, want)
			}
			if b.Version != 1 || b.From != "2026-11" {
				t.Errorf("%+v", b)
			}
		})
	}
}

// The budget of a subscription looks at that one alone.
func TestABudgetOfASubscription(t *testing.T) {
	p := newPayer(t, storetest.SQLite(t), "2026-11-20")
	p.used("2026-11", 20, "40", "USD", "s1") // 800
	b := billing.Budget{Account: "C0001", Entitlement: "s1", Amount: money.Must("1000", "USD")}
	other := b
	other.Entitlement = "s2"
	if _, err := p.SetBudget(t.Context(), p.admin, other); fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), "not billed to C0001") {
		t.Errorf("a subscription that nobody pays for: %v", err)
	}
	p.pays("t1", "s2", "C0001", p.org, "2026-11-01", "") // it has no usage yet
	for _, x := range []billing.Budget{b, other} {
		if _, err := p.SetBudget(t.Context(), p.admin, x); err != nil {
			t.Fatal(err)
		}
	}
	p.set("100000")
	list, err := p.Alerts(t.Context(), "C0001", 10)
	p.must(err)
	if len(list) != 2 || list[0].Entitlement != "s1" || list[1].Entitlement != "s1" || !list[0].Spent.Equal(money.Must("800", "USD")) || !list[0].End.Equal(money.Must("1200", "USD")) {
		t.Errorf("%+v", list)
	}
	if m := p.mails(); len(m) != 1 || !strings.Contains(m[0].Text, "80 % of the budget of “s1” at C0001") {
		t.Errorf("%+v", m)
	}
	p.must(p.DropBudget(t.Context(), p.admin, "C0001", "s1"))
	if err := p.DropBudget(t.Context(), p.admin, "C0001", "s1"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
	if got, want := p.alerts(), "11 50 % actual –, 11 80 % actual –"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A budget is in the currency that its account is billed in. If that changes, it says so
// and tells nothing wrong.
func TestTheCurrencyOfABudget(t *testing.T) {
	p := newPayer(t, storetest.SQLite(t), "2026-11-20")
	p.used("2026-11", 20, "40", "EUR", "")
	_, err := p.SetBudget(t.Context(), p.admin, billing.Budget{Account: "C0001", Amount: money.Must("100", "USD")})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), "billed in EUR") {
		t.Errorf("%v", err)
	}
	b, err := p.SetBudget(t.Context(), p.admin, billing.Budget{Account: "C0001", Amount: money.Must("1000", "EUR")})
	p.must(err)
	p.used("2026-11", 20, "4000", "USD", "") // billed in dollars from now on
	p.rated("2026-11")
	months, err := p.Months().Of(t.Context(), "C0001", "2026-11", "2026-11")
	p.must(err)
	s, err := b.Stand(months, "2026-11", "2026-11")
	p.must(err)
	if !strings.Contains(s.Trouble, "billed in USD by now, the budget is in EUR") || !s.Actual.IsZero() || s.Estimate != nil || p.alerts() != "" {
		t.Errorf("%+v, alerts %q", s, p.alerts())
	}
}

// What a month cost that cannot be priced is not known: nothing is told of it, and what was
// told is not set back.
func TestAMonthWithoutAPriceIsNotWatched(t *testing.T) {
	p := newPayer(t, storetest.SQLite(t), "2026-11-20")
	p.used("2026-11", 20, "40", "USD", "") // 800
	p.set("1000")
	told := p.alerts()
	p.must(p.db.Tx(t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO billing_charge (account, month, currency, billed, trouble, body, hash, billed_hash) VALUES ('C0001', '2026-11', 'USD', FALSE, 'There is no price.', $1, 'h', '')`, []byte{})
		return err
	}))
	p.used("2026-11", 20, "0", "USD", "")
	b := p.set("900")
	s, err := p.Stands(t.Context(), b)
	p.must(err)
	if !strings.Contains(s.Trouble, "cannot be priced") || s.Estimate != nil || p.alerts() != told || told != "11 50 % actual, 11 80 % actual" {
		t.Errorf("%+v, alerts %q, before %q", s, p.alerts(), told)
	}
}

// Whoever may not see the account's bills may not set its budget either.
func TestWhoMaySetABudget(t *testing.T) {
	p := newPayer(t, storetest.SQLite(t), "2026-11-20")
	b := billing.Budget{Account: "C0001", Amount: money.Must("100", "USD")}
	stranger, member := p.admin, p.admin
	stranger.Org, member.Role = p.account("C0002"), account.RoleMember
	for _, c := range []struct {
		who  account.Actor
		want fault.Kind
	}{{stranger, fault.NotFound}, {member, fault.Forbidden}, {account.Actor{User: "2", Role: account.RoleSupport}, fault.Forbidden}, {p.admin, ""}, {finance, fault.Conflict}} {
		if _, err := p.SetBudget(t.Context(), c.who, b); fault.KindOf(err) != c.want {
			t.Errorf("set as %s of %q: %v, want %s", c.who.Role, c.who.Org, err, c.want)
		}
	}
	for _, c := range []struct {
		who  account.Actor
		want fault.Kind
	}{{stranger, fault.NotFound}, {member, fault.Forbidden}, {finance, ""}} {
		if err := p.DropBudget(t.Context(), c.who, "C0001", ""); fault.KindOf(err) != c.want {
			t.Errorf("delete as %s of %q: %v, want %s", c.who.Role, c.who.Org, err, c.want)
		}
	}
}

// All that is wrong with a budget is said at once.
func TestABudgetIsRefusedWithReasons(t *testing.T) {
	p := newPayer(t, storetest.SQLite(t), "2026-11-20")
	_, err := p.SetBudget(t.Context(), p.admin, billing.Budget{
		Account: "C0001", Amount: money.Must("0.001", "USD"), Thresholds: []billing.Threshold{{Percent: 0, Basis: billing.Actual}, {Percent: 50, Basis: "guess"}}, Recipients: []string{"nobody"},
	})
	var fields []string
	for _, r := range fault.Of(err).Refusals {
		fields = append(fields, r.Field)
	}
	if want := []string{"amount", "thresholds", "thresholds", "recipients"}; !slices.Equal(fields, want) {
		t.Errorf("%v: %v, want %v", err, fields, want)
	}
	b := p.set("100", func(b *billing.Budget) { b.Recipients = []string{"A@c0001.example", "a@c0001.example"} })
	if len(b.Recipients) != 1 || !slices.Equal(b.Thresholds, billing.DefaultThresholds()) {
		t.Errorf("%+v", b)
	}
}

// Without an administrator who has an address and without a contact, the organization's
// administrators are told.
func TestSomebodyIsTold(t *testing.T) {
	p := newPayer(t, storetest.SQLite(t), "2026-11-20")
	p.must(p.db.Tx(t.Context(), func(tx *store.Tx) error { // as a remote directory may give it
		_, err := tx.ExecContext(t.Context(), "UPDATE billing_account SET contact = '{}' WHERE alias = 'C0001'")
		return err
	}))
	p.must(p.people.AddAdministrator(t.Context(), account.System(), "C0001", "c0001-admin", "correct horse battery staple"))
	p.used("2026-11", 20, "40", "USD", "")
	p.set("1000")
	if m := p.mails(); len(m) != 1 || m[0].To != "ada@c0001.example" {
		t.Errorf("%+v", m)
	}
	p.must(p.people.AddAdministrator(t.Context(), account.System(), "C0001", "boss@c0001.example", "correct horse battery staple"))
	p.used("2026-11", 20, "60", "USD", "")
	p.rated("2026-11")
	if m := p.mails(); len(m) != 2 || m[1].To != "boss@c0001.example" {
		t.Errorf("%+v", m)
	}
}
