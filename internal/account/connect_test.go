package account_test

import (
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

const adminPassword = "administrator of accounts"

// contosoBook has the accounts of the demo: five that ctso-admin administers.
func contosoBook(t *testing.T, db *store.DB) *book {
	t.Helper()
	b := newBook(t, db)
	b.account(t, "TSPN", "", func(a *account.Account) { a.Org, a.Reseller = b.tail, true })
	b.account(t, "CTSO", "")
	b.account(t, "CTSE", "CTSO")
	b.account(t, "CTSX", "CTSE")
	b.account(t, "CTRP", "TSPN")
	if err := b.AddAdministrator(t.Context(), b.owner, "CTSO", "CTSO-Admin", adminPassword); err != nil {
		t.Fatal(err)
	}
	if err := b.AddAdministrator(t.Context(), b.owner, "CTRP", "ctso-admin", ""); err != nil {
		t.Fatal(err)
	}
	if err := b.AddAdministrator(t.Context(), b.owner, "TSPN", "tspn-admin", adminPassword); err != nil {
		t.Fatal(err)
	}
	if err := b.AddLogin(t.Context(), b.owner, "CTSO", "ctso-viewer", adminPassword); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAConnectionListsAllThatItsLoginAdministers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := contosoBook(t, db)
		c, err := b.Connect(t.Context(), b.member, " ctso-ADMIN ", adminPassword)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Accounts; len(got) != 4 || got[0] != "CTRP" || got[1] != "CTSE" || got[2] != "CTSO" || got[3] != "CTSX" {
			t.Errorf("accounts = %v", got)
		}
		if c.Own != "CTSO" || c.Login != "ctso-admin" || !c.Until.Equal(b.clock.now().Add(15*time.Minute)) || c.Source != account.SourceBuiltIn {
			t.Errorf("%+v", c)
		}
		again, err := b.Connection(t.Context(), b.member, c.ID)
		if err != nil || again.ID != c.ID || !again.Lists("CTSX") || again.Lists("TSPN") {
			t.Errorf("%+v, %v", again, err)
		}
		if deeds := b.deeds(t, b.contoso); deeds[0] != "account.connect" {
			t.Errorf("audit = %v", deeds)
		}
		for _, table := range []string{"account_connection", "audit_entry", "attempt", "account_login"} {
			rows, err := db.Read().QueryContext(t.Context(), "SELECT * FROM "+table)
			if err != nil {
				t.Fatal(err)
			}
			cols, err := rows.Columns()
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				cells := make([]any, len(cols))
				texts := make([]any, len(cols))
				for i := range cells {
					texts[i] = &cells[i]
				}
				if err := rows.Scan(texts...); err != nil {
					t.Fatal(err)
				}
				for i, cell := range cells {
					if s, ok := cell.(string); ok && strings.Contains(s, adminPassword) {
						t.Errorf("the password is in %s.%s", table, cols[i])
					}
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestAConnectionThatIsNotMade(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := contosoBook(t, db)
		_, err := b.Connect(t.Context(), b.member, "ctso-viewer", adminPassword)
		r := refused(t, err, fault.Forbidden, "login", account.CodeNotAdministrator)
		if !strings.Contains(r.Reason, "ctso-viewer is no account administrator") || !strings.Contains(r.Remedy, account.HelpAdministrators) {
			t.Errorf("%+v", r)
		}
		_, err = b.Connect(t.Context(), b.member, "ctso-admin", "wrong wrong wrong")
		refused(t, err, fault.Invalid, "password", "wrong-password")
		_, err = b.Connect(t.Context(), b.member, "nobody-here", adminPassword)
		refused(t, err, fault.Invalid, "password", "wrong-password")
		_, err = b.Connect(t.Context(), b.member, "tspn-admin", adminPassword) // it administers CTRP of Contoso through TSPN
		if err != nil {
			t.Error(err)
		}
		if err := b.AddAdministrator(t.Context(), b.owner, "CTSX", "ctsx-admin", adminPassword); err != nil {
			t.Fatal(err)
		}
		_, err = b.Connect(t.Context(), b.other, "ctsx-admin", adminPassword)
		refused(t, err, fault.Forbidden, "login", "other-organization")
		_, err = b.Connect(t.Context(), b.owner, "ctso-admin", adminPassword) // staff approve no customer's charges
		refused(t, err, fault.Forbidden, "", "missing-right")
		_, err = b.Connect(t.Context(), b.member, "", "")
		refused(t, err, fault.Invalid, "login", "missing")
		refused(t, err, fault.Invalid, "password", "missing")
		_, err = b.Connect(t.Context(), b.member, "x\x00", strings.Repeat("y", 2000))
		refused(t, err, fault.Invalid, "password", "wrong-password")
		var n int
		if err := db.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM account_connection").Scan(&n); err != nil || n != 1 {
			t.Errorf("%d connections, %v", n, err)
		}
		why := map[string]int{}
		id := string(b.contoso)
		list, err := audit.List(t.Context(), db, audit.Filter{Org: &id})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			why[e.Action]++
		}
		if why["account.connect-refused"] != 3 || why["account.connect"] != 1 {
			t.Errorf("audit: %v", why)
		}
	})
}

func TestAConnectionIsItsOwnersForFifteenMinutes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := contosoBook(t, db)
		c, err := b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
		if err != nil {
			t.Fatal(err)
		}
		for sentence, a := range map[string]account.Actor{"a colleague": b.admin, "another organization": b.other, "staff": b.owner} {
			if _, err := b.Connection(t.Context(), a, c.ID); fault.KindOf(err) != fault.NotFound {
				t.Errorf("%s: %v", sentence, err)
			}
		}
		b.clock.forward(15*time.Minute - time.Microsecond)
		if _, err := b.Connection(t.Context(), b.member, c.ID); err != nil {
			t.Error(err)
		}
		b.clock.forward(time.Microsecond)
		_, err = b.Connection(t.Context(), b.member, c.ID)
		r := refused(t, err, fault.Forbidden, "connection", account.CodeConnectionExpired)
		if !strings.Contains(r.Reason, "14:15 UTC") {
			t.Errorf("%+v", r)
		}
		if err := b.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err = b.Connection(t.Context(), b.member, c.ID); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a sweep forgets who consented: %v", err)
		}
		b.clock.forward(32 * 24 * time.Hour)
		if err := b.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err = b.Connection(t.Context(), b.member, c.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("a month later: %v", err)
		}
	})
}

func TestConsentIsAskedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := contosoBook(t, db)
		ask := func(login string, alias account.Alias) bool {
			t.Helper()
			yes, err := b.Administers(t.Context(), login, alias)
			if err != nil {
				t.Fatal(err)
			}
			return yes
		}
		for _, c := range []struct {
			sentence string
			login    string
			alias    account.Alias
			want     bool
		}{
			{"its own account", "ctso-admin", "CTSO", true},
			{"two levels below", "CTSO-ADMIN", "CTSX", true},
			{"given directly", "ctso-admin", "CTRP", true},
			{"never upward", "ctso-admin", "TSPN", false},
			{"downward into the reseller's customers", "tspn-admin", "CTRP", true},
			{"never sideways", "tspn-admin", "CTSO", false},
			{"a login without rights", "ctso-viewer", "CTSO", false},
			{"nobody", "nobody", "CTSO", false},
			{"an account that is not there", "ctso-admin", "NONE", false},
		} {
			if got := ask(c.login, c.alias); got != c.want {
				t.Errorf("%s: %v", c.sentence, got)
			}
		}
		if err := b.RemoveAdministrator(t.Context(), b.owner, "CTSO", "ctso-admin"); err != nil {
			t.Fatal(err)
		}
		if ask("ctso-admin", "CTSO") || ask("ctso-admin", "CTSX") || !ask("ctso-admin", "CTRP") {
			t.Error("the right that was taken still counts, or the other does not")
		}
		if err := b.RemoveAdministrator(t.Context(), b.owner, "CTSO", "ctso-admin"); fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
	})
}

func TestWhoAdministersIsStaffsToSay(t *testing.T) {
	b := contosoBook(t, storetest.SQLite(t))
	if err := b.AddAdministrator(t.Context(), b.admin, "CTSO", "me", adminPassword); fault.KindOf(err) != fault.Forbidden {
		t.Error(err)
	}
	if err := b.AddAdministrator(t.Context(), b.other, "CTSO", "me", adminPassword); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	refused(t, b.AddAdministrator(t.Context(), b.owner, "CTSO", "brand-new", ""), fault.Invalid, "password", "")
	refused(t, b.AddAdministrator(t.Context(), b.owner, "CTSE", "ctso-admin", "a second password"), fault.Conflict, "login", "taken")
	refused(t, b.AddAdministrator(t.Context(), b.owner, "CTSE", "two words", "short"), fault.Invalid, "login", "login")
	refused(t, b.AddAdministrator(t.Context(), b.owner, "CTSE", "two words", "short"), fault.Invalid, "password", "short")
	list, err := b.Administrators(t.Context(), "CTSO")
	if err != nil || len(list) != 1 || list[0].Login != "ctso-admin" || !list[0].Active {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestLoginsAreNotTriedForEver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := contosoBook(t, db)
		for range 5 {
			_, err := b.Connect(t.Context(), b.member, "ctso-admin", "wrong wrong wrong")
			refused(t, err, fault.Invalid, "password", "wrong-password")
		}
		_, err := b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
		refused(t, err, fault.Unavailable, "", "too-many-tries")
		if _, err := b.Connect(t.Context(), b.admin, "ctso-admin", adminPassword); err != nil {
			t.Errorf("a colleague is not closed out: %v", err)
		}
		b.clock.forward(15 * time.Minute)
		if _, err := b.Connect(t.Context(), b.member, "ctso-admin", adminPassword); err != nil {
			t.Error(err)
		}
	})
}
