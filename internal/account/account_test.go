package account_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

const password = "four words in a row"

// clock is a time that only tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// book is a directory with Contoso and Tailspin in it.
type book struct {
	*account.Directory
	db      *store.DB
	clock   *clock
	contoso account.OrgID
	tail    account.OrgID
	admin   account.Actor // of Contoso
	member  account.Actor
	other   account.Actor // administrator of Tailspin
	owner   account.Actor // partner staff
}

func newBook(t *testing.T, db *store.DB, opts ...account.Option) *book {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)}
	b := &book{db: db, clock: c}
	b.Directory = account.New(db, c.now, append([]account.Option{account.WithPasswordWork(64, 1)}, opts...)...)
	b.contoso = b.org(t, "Contoso, Ltd.")
	b.tail = b.org(t, "Tailspin Toys")
	b.admin = b.user(t, b.contoso, account.RoleAdministrator, "admin@contoso.example")
	b.member = b.user(t, b.contoso, account.RoleMember, "member@contoso.example")
	b.other = b.user(t, b.tail, account.RoleAdministrator, "admin@tailspin.example")
	b.owner = b.user(t, "", account.RoleOwner, "owner@partner.example")
	return b
}

func (b *book) org(t *testing.T, name string) account.OrgID {
	t.Helper()
	o, err := b.CreateOrg(t.Context(), account.System(), account.Organization{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

func (b *book) user(t *testing.T, org account.OrgID, role account.Role, email string) account.Actor {
	t.Helper()
	u, err := b.CreateUser(t.Context(), account.System(), account.User{Org: org, Role: role, Name: "The " + role.Title(), Email: email}, password)
	if err != nil {
		t.Fatal(err)
	}
	return u.Actor("192.0.2.7")
}

func ctso(org account.OrgID) account.Account {
	return account.Account{
		Alias: "CTSO", Org: org, Name: "Contoso, Ltd.", RegistrationNumber: "NY-120 345", Billable: true,
		Address: address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"},
		Contact: account.Contact{FirstName: "Account", LastName: "Contact", Email: "billing@contoso.example", Phone: "+1 716 555 0123"},

		CreditLimit: money.Must("120000", "USD"),
	}
}

func (b *book) account(t *testing.T, alias, parent account.Alias, change ...func(*account.Account)) account.Account {
	t.Helper()
	a := ctso(b.contoso)
	a.Alias, a.Parent, a.Name = alias, parent, "Contoso "+string(alias)
	for _, f := range change {
		f(&a)
	}
	a, err := b.CreateAccount(t.Context(), account.System(), a)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// refused fails unless err is of this kind and one of its refusals has this
// field and code.
func refused(t *testing.T, err error, kind fault.Kind, field, code string) fault.Refusal {
	t.Helper()
	f := fault.Of(err)
	if f == nil || f.Kind != kind {
		t.Fatalf("error = %v, want %s", err, kind)
	}
	for _, r := range f.Refusals {
		if r.Field == field && r.Code == code {
			if r.Reason == "" || r.Remedy == "" {
				t.Errorf("%s/%s: reason %q, remedy %q", field, code, r.Reason, r.Remedy)
			}
			return r
		}
	}
	t.Fatalf("refusals = %+v, want field %q, code %q", f.Refusals, field, code)
	return fault.Refusal{}
}

// deeds lists the actions of an organization's audit, the newest first.
func (b *book) deeds(t *testing.T, org account.OrgID) []string {
	t.Helper()
	id := string(org)
	list, err := audit.List(t.Context(), b.db, audit.Filter{Org: &id, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Action)
	}
	if _, err := audit.Verify(t.Context(), b.db, id); err != nil {
		t.Error(err)
	}
	return names
}

func TestAnAccountIsKeptAsItWasGiven(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		in := ctso(b.contoso)
		in.Name, in.Address.City, in.Address.PostalCode = "  Cafe\u0301  Contoso ", "Buffalo", "142011234"
		made, err := b.CreateAccount(t.Context(), b.owner, in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Account(t.Context(), "CTSO")
		if err != nil {
			t.Fatal(err)
		}
		if got.Name != "Café Contoso" || got.Address.PostalCode != "14201-1234" || got.Language != "en-US" || got.Currency != "USD" ||
			got.Source != account.SourceBuiltIn || !got.CreditLimit.Equal(money.Must("120000", "USD")) || !got.CreatedAt.Equal(b.clock.now()) {
			t.Errorf("kept %+v", got)
		}
		if got.Name != made.Name || got.Version != made.Version || got.Contact != made.Contact || got.Address != made.Address {
			t.Errorf("given back %+v, kept %+v", made, got)
		}
		if deeds := b.deeds(t, b.contoso); deeds[0] != "account.create" {
			t.Errorf("audit = %v", deeds)
		}
	})
}

func TestAnAliasIsNeverUsedASecondTime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		b.account(t, "CTSO", "")
		if err := b.DisableAccount(t.Context(), b.owner, "CTSO", "closed by its owner"); err != nil {
			t.Fatal(err)
		}
		again := ctso(b.tail)
		_, err := b.CreateAccount(t.Context(), b.owner, again)
		refused(t, err, fault.Conflict, "alias", "taken")
		a, err := b.Account(t.Context(), "CTSO")
		if err != nil || !a.Disabled || a.Org != b.contoso {
			t.Errorf("%+v, %v", a, err)
		}
		n := len(b.deeds(t, b.contoso))
		if err := b.DisableAccount(t.Context(), b.owner, "CTSO", "closed by its owner"); err != nil {
			t.Fatal(err)
		}
		if got := len(b.deeds(t, b.contoso)); got != n {
			t.Errorf("disabling twice wrote %d entries", got-n)
		}
	})
}

func TestAllThatIsWrongWithAnAccountIsSaidAtOnce(t *testing.T) {
	b := newBook(t, storetest.SQLite(t))
	_, err := b.CreateAccount(t.Context(), b.owner, account.Account{
		Alias: "ct so", Org: b.contoso, Name: " ", Country: "QQ", RegistrationNumber: strings.Repeat("9", 51), Parent: "x",
		Address: address.Address{Country: "US", Line1: "", City: "", State: "ZZ", PostalCode: "123"},
		Contact: account.Contact{FirstName: strings.Repeat("é", 51), LastName: "🙂", Email: "nobody", Phone: "call me"},

		CreditLimit: money.Must("-1", "USD"), Currency: "EUR", Language: "not a language",
	})
	for _, want := range [][2]string{
		{"alias", "alias"}, {"name", "missing"}, {"country", "country"}, {"registration_number", "long"}, {"parent", "alias"},
		{"address.line1", "missing"}, {"address.city", "missing"}, {"address.state", "unknown"}, {"address.postal_code", "format"},
		{"contact.first_name", "long"}, {"contact.last_name", "symbol"}, {"contact.email", "email"}, {"contact.phone", "phone"},
		{"credit_limit", "currency"}, {"credit_limit", "negative"}, {"language", "language"},
	} {
		refused(t, err, fault.Invalid, want[0], want[1])
	}
	if list, err := b.Accounts(t.Context(), account.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("half made: %v, %v", list, err)
	}
}

func TestNames(t *testing.T) {
	b := newBook(t, storetest.SQLite(t))
	for _, c := range []struct{ sentence, name, code string }{
		{"one letter is a name", "X", ""},
		{"digits are a name", "7", ""},
		{"an apostrophe belongs to a name", "O’Neill & Søn’s", ""},
		{"Cyrillic", "Общество «Ромашка»", ""},
		{"Greek", "Νέα Εταιρεία Α.Ε.", ""},
		{"Arabic, from right to left", "شركة النور المحدودة", ""},
		{"Hebrew", "חברת אור בע״מ", ""},
		{"Han", "北京天元科技有限公司", ""},
		{"Hangul", "한빛소프트 주식회사", ""},
		{"kana", "さくらカンパニー株式会社", ""},
		{"Thai with its marks", "บริษัท น้ำใส จำกัด", ""},
		{"Devanagari with a joiner", "क्ष" + "\u200d" + "ेत्र प्राइवेट लिमिटेड", ""},
		{"registered names may hold ™ and №", "Fabrikam™ № 1", ""},
		{"200 characters fit", strings.Repeat("ß", 200), ""},
		{"201 do not", strings.Repeat("ß", 201), "long"},
		{"blanks are no name", " \u00a0\t ", "missing"},
		{"punctuation alone is no name", "--- !", "word"},
		{"an emoji is no part of a name", "Tailspin 🚀", "symbol"},
		{"a heart with its selector neither", "I ❤️ NY", "symbol"},
		{"a line end", "Contoso\nLtd.", "text"},
		{"NUL", "Contoso\x00", "text"},
		{"broken UTF-8", "Contoso\xff", "text"},
		{"a direction override", "Contoso\u202eetats", "text"},
		{"an invisible space", "Con\u200btoso", "text"},
		{"private use", "Contoso \ue000", "text"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			_, err := b.CreateOrg(t.Context(), b.owner, account.Organization{Name: c.name})
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, fault.Invalid, "name", c.code)
		})
	}
}

func TestAChangeNeedsTheNewestVersion(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		a := b.account(t, "CTSO", "")
		first, second := a, a
		first.CreditLimit = money.Must("5", "USD")
		if got, err := b.UpdateAccount(t.Context(), b.owner, first); err != nil || got.Version != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		second.Reseller = true
		_, err := b.UpdateAccount(t.Context(), b.owner, second)
		refused(t, err, fault.Conflict, "", "changed")
		if got, err := b.Account(t.Context(), "CTSO"); err != nil || got.Reseller || got.Version != 2 {
			t.Errorf("%+v, %v", got, err)
		}
		moved := first
		moved.Org, moved.Version = b.tail, 2
		_, err = b.UpdateAccount(t.Context(), b.owner, moved)
		refused(t, err, fault.Invalid, "org", "")
	})
}

func TestTheChainGoesUpToTheRoot(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		b.account(t, "TSPN", "", func(a *account.Account) { a.Org, a.Reseller = b.tail, true })
		b.account(t, "CTSO", "TSPN")
		b.account(t, "CTSE", "CTSO")
		chain, err := b.Chain(t.Context(), "CTSE")
		if err != nil {
			t.Fatal(err)
		}
		if got := aliases(chain); got != "CTSE CTSO TSPN" || !chain[2].Reseller {
			t.Errorf("chain = %s", got)
		}
		_, err = b.Chain(t.Context(), "NONE")
		if fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
		loop, err := b.Account(t.Context(), "TSPN")
		if err != nil {
			t.Fatal(err)
		}
		loop.Parent = "CTSE"
		_, err = b.UpdateAccount(t.Context(), b.owner, loop)
		refused(t, err, fault.Invalid, "parent", "loop")
	})
}

func TestALoopIsFoundAndNamed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		b.account(t, "AA", "")
		b.account(t, "BB", "AA")
		b.account(t, "CC", "BB")
		err := db.Tx(t.Context(), func(tx *store.Tx) error { // as a remote directory might say it
			_, err := tx.ExecContext(t.Context(), "UPDATE billing_account SET parent = 'BB' WHERE alias = 'AA'")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		chain, err := b.Chain(t.Context(), "CC")
		r := refused(t, err, fault.Conflict, "parent", "loop")
		if want := "CC → BB → AA → BB"; !strings.Contains(r.Reason, want) || aliases(chain) != "CC BB AA" {
			t.Errorf("%s; chain %s", r.Reason, aliases(chain))
		}
	})
}

func TestAHierarchyHasABottom(t *testing.T) {
	b := newBook(t, storetest.SQLite(t))
	parent := account.Alias("")
	for i := range 60 {
		alias := account.Alias(fmt.Sprintf("D%02d", i))
		b.account(t, alias, parent)
		parent = alias
	}
	if chain, err := b.Chain(t.Context(), parent); err != nil || len(chain) != 60 {
		t.Fatalf("%d, %v", len(chain), err)
	}
	a := ctso(b.contoso)
	a.Alias, a.Parent = "D60", parent
	_, err := b.CreateAccount(t.Context(), b.owner, a)
	refused(t, err, fault.Invalid, "parent", "deep")
	a.Parent = "NONE"
	_, err = b.CreateAccount(t.Context(), b.owner, a)
	refused(t, err, fault.Invalid, "parent", "unknown")
}

func TestTwoChangesAtOnceMakeNoLoop(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		for range 8 {
			x := b.account(t, account.Alias("X"+strings.ToUpper(store.NewID()[28:36])), "")
			y := b.account(t, account.Alias("Y"+strings.ToUpper(store.NewID()[28:36])), "")
			x.Parent, y.Parent = y.Alias, x.Alias
			var wg sync.WaitGroup
			errs := make([]error, 2)
			for i, a := range []account.Account{x, y} {
				wg.Go(func() { _, errs[i] = b.UpdateAccount(context.Background(), b.owner, a) })
			}
			wg.Wait()
			if (errs[0] == nil) == (errs[1] == nil) {
				t.Fatalf("one of two must be refused: %v, %v", errs[0], errs[1])
			}
			if _, err := b.Chain(t.Context(), x.Alias); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAccountsAreFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		b.account(t, "AAAA", "", func(a *account.Account) { a.Name = "Straßenbau 100% GmbH" })
		b.account(t, "BBBB", "AAAA", func(a *account.Account) { a.Name = "Кафе Ёлка" })
		b.account(t, "CCCC", "AAAA", func(a *account.Account) { a.Org, a.Name = b.tail, "Tailspin_Toys" })
		for _, c := range []struct {
			sentence string
			filter   account.Filter
			want     string
		}{
			{"no filter gives all", account.Filter{}, "AAAA BBBB CCCC"},
			{"by organization", account.Filter{Org: &b.tail}, "CCCC"},
			{"by parent", account.Filter{Parent: "AAAA"}, "BBBB CCCC"},
			{"behind a cursor", account.Filter{After: "AAAA"}, "BBBB CCCC"},
			{"a page of one", account.Filter{After: "AAAA", Limit: 1}, "BBBB"},
			{"by a part of the alias in small letters", account.Filter{Search: "bb"}, "BBBB"},
			{"without case, ß as ss", account.Filter{Search: "STRASSEN"}, "AAAA"},
			{"Cyrillic without case", account.Filter{Search: "ёлКА"}, "BBBB"},
			{"a percent sign finds nothing by itself", account.Filter{Search: "%zzz"}, ""},
			{"punctuation does not matter", account.Filter{Search: "tailspintoys"}, "CCCC"},
			{"by aliases, in their order, unknown ones left out", account.Filter{Aliases: []account.Alias{"CCCC", "ZZZZ", "AAAA"}}, "CCCC AAAA"},
			{"by aliases of one organization", account.Filter{Org: &b.contoso, Aliases: []account.Alias{"CCCC", "AAAA"}}, "AAAA"},
		} {
			list, err := b.Accounts(t.Context(), c.filter)
			if err != nil || aliases(list) != c.want {
				t.Errorf("%s: %s, want %s (%v)", c.sentence, aliases(list), c.want, err)
			}
		}
	})
}

func aliases(list []account.Account) string {
	var all []string
	for _, a := range list {
		all = append(all, string(a.Alias))
	}
	return strings.Join(all, " ")
}

func TestLegalEntity(t *testing.T) {
	us := address.Address{Country: "US"}
	for _, c := range []struct {
		sentence string
		a, b     account.Account
		same     bool
	}{
		{"the registration number decides, however it is typed",
			account.Account{Country: "DE", RegistrationNumber: "HRB 12-34", Name: "A"}, account.Account{Country: "DE", RegistrationNumber: "hrb1234", Name: "B"}, true},
		{"the same number in two countries is two companies",
			account.Account{Country: "DE", RegistrationNumber: "1"}, account.Account{Country: "AT", RegistrationNumber: "1"}, false},
		{"without a number the name decides, without case and punctuation",
			account.Account{Address: us, Name: "Contoso, Ltd."}, account.Account{Address: us, Name: "CONTOSO LTD"}, true},
		{"the legal name goes before the name",
			account.Account{Address: us, Name: "Contoso East", LegalName: "Contoso, Ltd."}, account.Account{Address: us, Name: "Contoso, Ltd."}, true},
		{"ß and ss are one company",
			account.Account{Address: us, Name: "Straße AG"}, account.Account{Address: us, Name: "STRASSE AG"}, true},
		{"another legal form is another company",
			account.Account{Address: us, Name: "Contoso LLC"}, account.Account{Address: us, Name: "Contoso Ltd"}, false},
		{"the country of registration goes before the billing address",
			account.Account{Country: "GB", Address: us, Name: "X"}, account.Account{Address: address.Address{Country: "GB"}, Name: "X"}, true},
		{"staff's correction decides alone",
			account.Account{Entity: "US:contoso", Name: "X"}, account.Account{Entity: "US:contoso", Name: "Y"}, true},
		{"a number is never taken for a name",
			account.Account{Address: us, RegistrationNumber: "1"}, account.Account{Address: us, Name: "1"}, false},
	} {
		if got := c.a.LegalEntity() == c.b.LegalEntity(); got != c.same {
			t.Errorf("%s: %q and %q", c.sentence, c.a.LegalEntity(), c.b.LegalEntity())
		}
	}
}

func TestAnOrganizationIsChangedAndPlacedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		b.account(t, "CTSO", "")
		place := func(p []account.Preset) error {
			return db.Tx(t.Context(), func(tx *store.Tx) error {
				return b.PlaceTx(t.Context(), tx, account.System(), b.contoso, p)
			})
		}
		first := account.DefaultPresets("US")
		if err := place(first); err != nil {
			t.Fatal(err)
		}
		if err := place(account.DefaultPresets("DE")); err != nil { // the second onboarding
			t.Fatal(err)
		}
		o, err := b.Org(t.Context(), b.contoso)
		if err != nil || !slices.Equal(o.Placement, first) {
			t.Fatalf("%+v, %v", o, err)
		}
		o.Account, o.Name = "CTSO", "Contoso Group"
		if o, err = b.UpdateOrg(t.Context(), b.admin, o); err != nil {
			t.Fatal(err)
		}
		if found, err := b.Orgs(t.Context(), account.OrgFilter{Search: "GROUP"}); err != nil || len(found) != 1 || found[0].Account != "CTSO" {
			t.Errorf("%+v, %v", found, err)
		}
		o.Status = account.Disabled
		_, err = b.UpdateOrg(t.Context(), b.admin, o)
		refused(t, err, fault.Forbidden, "status", "missing-right")
		o.Status, o.Placement = account.Active, []account.Preset{{Name: "One", Region: "eastus2", Size: "S", Network: "8.8.8.0/24"}}
		_, err = b.UpdateOrg(t.Context(), b.admin, o)
		refused(t, err, fault.Invalid, "placement", "three")
		refused(t, err, fault.Invalid, "placement[0].network", "network")
		theirs := account.Organization{ID: b.tail, Name: "Tailspin Toys", Status: account.Active, Version: 1, Account: "CTSO"}
		_, err = b.UpdateOrg(t.Context(), b.owner, theirs)
		refused(t, err, fault.Invalid, "account", "")
	})
}
