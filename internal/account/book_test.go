package account_test

import (
	"testing"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

func aBook() account.Book {
	child, root := ctso(""), ctso("")
	child.Alias, child.Parent, root.Alias = "CHLD", "ROOT", "ROOT"
	return account.Book{
		Staff: []account.BookPerson{{User: account.User{Name: "Support", Email: "support@partner.example", Role: account.RoleSupport}, Password: password}},
		Companies: []account.BookCompany{
			{ // its account's parent comes later in the book, in another company
				Organization: account.Organization{Name: "Child", Account: "CHLD"}, Accounts: []account.Account{child},
				People: []account.BookPerson{{User: account.User{Name: "Admin", Email: "admin@child.example", Role: account.RoleAdministrator}, Password: password}},
				Logins: []account.BookLogin{{Login: "child-admin", Password: password, Own: "CHLD", Administers: []account.Alias{"CHLD"}}},
			},
			{Organization: account.Organization{Name: "Root"}, Accounts: []account.Account{root}},
		},
	}
}

func TestABookIsTakenOverInAnyOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		if err := b.Import(t.Context(), b.owner, aBook()); err != nil {
			t.Fatal(err)
		}
		chain, err := b.Chain(t.Context(), "CHLD")
		if err != nil || aliases(chain) != "CHLD ROOT" {
			t.Fatalf("%s, %v", aliases(chain), err)
		}
		o, err := b.Org(t.Context(), chain[0].Org)
		if err != nil || o.Account != "CHLD" || o.Name != "Child" {
			t.Errorf("%+v, %v", o, err)
		}
		u, err := b.SignIn(t.Context(), "admin@child.example", password, "")
		if err != nil || u.Org != o.ID {
			t.Fatalf("%+v, %v", u, err)
		}
		if _, err := b.Connect(t.Context(), u.Actor(""), "child-admin", password); err != nil {
			t.Error(err)
		}
		if deeds := b.deeds(t, o.ID); len(deeds) != 8 { // organization, person, account, payer, login, administrator, sign-in, connection
			t.Errorf("audit = %v", deeds)
		}
	})
}

func TestABookIsTakenOverWholeOrNotAtAll(t *testing.T) {
	for _, c := range []struct {
		sentence    string
		change      func(*account.Book)
		kind        fault.Kind
		field, code string
	}{
		{"a bad name", func(b *account.Book) { b.Companies[1].Organization.Name = "" }, fault.Invalid, "companies[1].organization.name", "missing"},
		{"a bad account", func(b *account.Book) { b.Companies[1].Accounts[0].Contact.Phone = "" }, fault.Invalid, "companies[1].accounts[0].contact.phone", "missing"},
		{"a short password", func(b *account.Book) { b.Companies[0].Logins[0].Password = "short" }, fault.Invalid, "companies[0].logins[0].password", "short"},
		{"an address that signs in already", func(b *account.Book) { b.Companies[0].People[0].User.Email = "Owner@partner.example" }, fault.Conflict, "companies[0].people[0].email", "taken"},
		{"a role that does not fit", func(b *account.Book) { b.Staff[0].User.Role = account.RoleMember }, fault.Invalid, "staff[0].role", "role"},
		{"an alias twice", func(b *account.Book) {
			b.Companies[1].Accounts = append(b.Companies[1].Accounts, b.Companies[1].Accounts[0])
		}, fault.Conflict, "companies[1].accounts[1].alias", "taken"},
		{"accounts below each other", func(b *account.Book) { b.Companies[1].Accounts[0].Parent = "CHLD" }, fault.Invalid, "companies[0].accounts[0].parent", "loop"},
		{"another company's account pays", func(b *account.Book) { b.Companies[0].Organization.Account = "ROOT" }, fault.Invalid, "companies[0].organization.account", ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			b := newBook(t, storetest.SQLite(t))
			book := aBook()
			c.change(&book)
			err := b.Import(t.Context(), b.owner, book)
			refused(t, err, c.kind, c.field, c.code)
			if list, err := b.Accounts(t.Context(), account.Filter{}); err != nil || len(list) != 0 {
				t.Errorf("half made: %v, %v", list, err)
			}
			if orgs, err := b.Orgs(t.Context(), account.OrgFilter{}); err != nil || len(orgs) != 2 {
				t.Errorf("half made: %v, %v", orgs, err)
			}
		})
	}
	b := newBook(t, storetest.SQLite(t))
	if err := b.Import(t.Context(), b.admin, aBook()); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a customer imports: %v", err)
	}
}
