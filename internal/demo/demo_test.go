package demo_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/demo"
	"causeway/internal/eligibility"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

func TestTheBookIsAsLargeAndAsAwkwardAsPromised(t *testing.T) {
	b := demo.Book()
	scripts := map[string]*unicode.RangeTable{
		"Latin": unicode.Latin, "Cyrillic": unicode.Cyrillic, "Greek": unicode.Greek, "Arabic": unicode.Arabic, "Hebrew": unicode.Hebrew, "Han": unicode.Han,
		"Hangul": unicode.Hangul, "Hiragana": unicode.Hiragana, "Katakana": unicode.Katakana, "Thai": unicode.Thai, "Devanagari": unicode.Devanagari, "Georgian": unicode.Georgian,
	}
	countries, found, entities := map[string]bool{}, map[string]bool{}, map[string]bool{}
	var flags account.Account
	for _, c := range b.Companies {
		for name, table := range scripts {
			if strings.ContainsFunc(c.Organization.Name, func(r rune) bool { return unicode.Is(table, r) }) {
				found[name] = true
			}
		}
		for _, a := range c.Accounts {
			countries[a.Address.Country] = true
			entities[a.LegalEntity()] = true
			flags.Reseller = flags.Reseller || a.Reseller
			flags.Demo = flags.Demo || a.Demo
			flags.Internal = flags.Internal || a.Internal
			flags.PublicSector = flags.PublicSector || a.PublicSector
			flags.Disabled = flags.Disabled || a.Disabled
			flags.Billable = flags.Billable || !a.Billable // here: one that is not
		}
	}
	if len(b.Companies) < 200 || len(entities) < 200 || len(countries) < 25 {
		t.Errorf("%d organizations, %d legal entities, %d countries", len(b.Companies), len(entities), len(countries))
	}
	if len(found) != len(scripts) {
		t.Errorf("scripts: %v", found)
	}
	if flags != (account.Account{Reseller: true, Demo: true, Internal: true, PublicSector: true, Disabled: true, Billable: true}) {
		t.Errorf("not every kind of account is there: %+v", flags)
	}
}

func seeded(t *testing.T, db *store.DB) *account.Directory {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC) }
	d := account.New(db, now, account.WithPasswordWork(64, 1))
	made, err := demo.Seed(t.Context(), d)
	if err != nil || !made {
		t.Fatalf("%v, %v", made, err)
	}
	return d
}

func TestTheBookIsTakenOverAndOnlyOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d := seeded(t, db)
		if made, err := demo.Seed(t.Context(), d); err != nil || made {
			t.Fatalf("the second time: %v, %v", made, err)
		}
		var list []account.Account
		for after := account.Alias(""); ; {
			page, err := d.Accounts(t.Context(), account.Filter{After: after, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			list = append(list, page...)
			after = page[len(page)-1].Alias
		}
		want := 0
		for _, c := range demo.Book().Companies {
			want += len(c.Accounts)
		}
		if len(list) != want {
			t.Errorf("%d accounts, want %d", len(list), want)
		}
		if chain, err := d.Chain(t.Context(), "HUM23"); err != nil || len(chain) != 24 {
			t.Errorf("%d, %v", len(chain), err)
		}
		if a, err := d.Account(t.Context(), "QUOT"); err != nil || a.Name != `O'Brien "Quotes" <b>& Sons</b>; DROP TABLE job;--` {
			t.Errorf("%s, %v", a.Name, err)
		}
		u, err := d.UserByEmail(t.Context(), demo.Administrator)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := audit.Verify(t.Context(), db, string(u.Org)); err != nil || n < 10 {
			t.Errorf("%d entries, %v", n, err)
		}
	})
}

func TestEverySignInWorks(t *testing.T) {
	d := seeded(t, storetest.SQLite(t))
	admin, err := d.SignIn(t.Context(), demo.Administrator, demo.Password, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range demo.SignIns() {
		switch s.Where {
		case "portal":
			u, err := d.SignIn(t.Context(), s.Login, demo.Password, "")
			if err != nil || !strings.HasPrefix(s.Who, u.Role.Title()) {
				t.Errorf("%s: %+v, %v", s.Who, u, err)
			}
		case "connect":
			c, err := d.Connect(t.Context(), admin.Actor(""), s.Login, demo.Password)
			if s.Login == demo.NoAdministrator {
				if err == nil || !strings.Contains(err.Error(), "no account administrator") {
					t.Errorf("%s: %v", s.Who, err)
				}
				continue
			}
			if err != nil || len(c.Accounts) != 5 || c.Own != "CTSO" {
				t.Errorf("%s: %+v, %v", s.Who, c, err)
			}
		default:
			t.Errorf("nobody knows where %q is", s.Where)
		}
	}
}

// Contoso's picker, as in the pictures: two accounts can be billed, three cannot.
func TestContososAccounts(t *testing.T) {
	d := seeded(t, storetest.SQLite(t))
	for alias, want := range map[account.Alias]string{
		"CTSO": "",
		"CTSE": "",
		"CTRP": "CTRP is below TSPN · Tailspin Resale, which is a reseller account. Its customers are excluded.",
		"CTUK": "The billing address is in the United Kingdom. Only addresses in the United States are served. | The credit limit is 0.00 USD. At least the proposed budget of 2,500.00 USD is needed.",
		"CTDM": "CTDM is a demo account. Demo accounts are not billed.",
	} {
		chain, err := d.Chain(t.Context(), alias)
		if err != nil {
			t.Fatal(err)
		}
		v := eligibility.Judge(eligibility.Input{
			Chain: account.FactsOf(chain), Settings: eligibility.Settings{Countries: []string{"US"}}, Budget: money.Must("2500", "USD"),
		})
		var reasons []string
		for _, f := range v.Failures {
			reasons = append(reasons, f.Reason)
		}
		if got := strings.Join(reasons, " | "); got != want {
			t.Errorf("%s: %s", alias, got)
		}
	}
}
