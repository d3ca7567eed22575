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
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/store/storetest"

	"github.com/alexedwards/scs/v2"
)

func TestAPersonSignsIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		u, err := b.SignIn(t.Context(), " Admin@CONTOSO.example ", password, "192.0.2.7")
		if err != nil {
			t.Fatal(err)
		}
		if u.ID != b.admin.User || u.Org != b.contoso || u.Role != account.RoleAdministrator || !u.LastSignInAt.Equal(b.clock.now()) {
			t.Errorf("%+v", u)
		}
		if deeds := b.deeds(t, b.contoso); deeds[0] != "user.sign-in" {
			t.Errorf("audit = %v", deeds)
		}
		for sentence, c := range map[string][2]string{
			"a wrong password":       {"admin@contoso.example", "five words in a row"},
			"an unknown address":     {"nobody@contoso.example", password},
			"a very long password":   {"admin@contoso.example", strings.Repeat("x", 5000)},
			"NUL in the address":     {"admin@contoso.example\x00", password},
			"broken UTF-8":           {"admin@contoso.example", "\xff\xfe"},
			"another person's words": {"admin@tailspin.example", "not " + password},
		} {
			_, err := b.SignIn(t.Context(), c[0], c[1], "198.51.100."+fmt.Sprint(len(sentence)))
			if r := refused(t, err, fault.Invalid, "password", "wrong-password"); strings.Contains(r.String(), c[1]) {
				t.Errorf("%s: the answer repeats the password", sentence)
			}
		}
		_, err = b.SignIn(t.Context(), "", "", "192.0.2.7")
		refused(t, err, fault.Invalid, "email", "missing")
		refused(t, err, fault.Invalid, "password", "missing")
	})
}

func TestAPasswordIsNotStoredAndItsFormIsTheSameOnEveryKeyboard(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		_, err := b.CreateUser(t.Context(), b.owner, account.User{Org: b.contoso, Role: account.RoleMember, Name: "É", Email: "e@contoso.example"}, "cafe\u0301 cafe\u0301 cafe\u0301")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.SignIn(t.Context(), "e@contoso.example", "caf\u00e9 caf\u00e9 caf\u00e9", ""); err != nil {
			t.Error(err)
		}
		var stored string
		if err := db.Read().QueryRowContext(t.Context(), "SELECT password FROM person WHERE email = 'e@contoso.example'").Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(stored, "$argon2id$v=19$m=64,t=1,p=1$") || strings.Contains(stored, "caf") {
			t.Errorf("stored as %s", stored)
		}
		// A directory that asks for more work keeps it anew at the next sign-in.
		strong := account.New(db, b.clock.now, account.WithPasswordWork(128, 2))
		if _, err := strong.SignIn(t.Context(), "e@contoso.example", "café café café", ""); err != nil {
			t.Fatal(err)
		}
		if err := db.Read().QueryRowContext(t.Context(), "SELECT password FROM person WHERE email = 'e@contoso.example'").Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(stored, "$argon2id$v=19$m=128,t=2,p=1$") {
			t.Errorf("stored as %s", stored)
		}
		if _, err := strong.SignIn(t.Context(), "e@contoso.example", "café café café", ""); err != nil {
			t.Error(err)
		}
	})
}

func TestTooManyTriesCloseTheDoorAndSayUntilWhen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		from := "198.51.100.9"
		for range 5 {
			_, err := b.SignIn(t.Context(), "admin@contoso.example", "wrong wrong wrong", from)
			refused(t, err, fault.Invalid, "password", "wrong-password")
		}
		for range 3 {
			_, err := b.SignIn(t.Context(), "admin@contoso.example", password, from) // the right one, too late
			r := refused(t, err, fault.Unavailable, "", "too-many-tries")
			if !strings.Contains(r.Remedy, "14:15 UTC") || fault.Of(err).After != 15*time.Minute {
				t.Errorf("%s, after %s", r.Remedy, fault.Of(err).After)
			}
		}
		locked := 0
		for _, d := range b.deeds(t, b.contoso) {
			if d == "user.locked-out" {
				locked++
			}
		}
		if locked != 1 {
			t.Errorf("%d entries of the lock-out", locked)
		}
		if _, err := b.SignIn(t.Context(), "admin@contoso.example", password, "192.0.2.7"); err != nil {
			t.Errorf("from another place the owner gets in: %v", err)
		}
		b.clock.forward(15 * time.Minute)
		if _, err := b.SignIn(t.Context(), "admin@contoso.example", password, from); err != nil {
			t.Errorf("after the time: %v", err)
		}
	})
}

func TestOneNetworkCannotTryManyNames(t *testing.T) {
	b := newBook(t, storetest.SQLite(t))
	var last error
	tried := 0
	for i := range 200 {
		// One IPv6 household: other addresses of the same /64.
		_, last = b.SignIn(t.Context(), fmt.Sprintf("person%d@contoso.example", i), "wrong wrong wrong", fmt.Sprintf("2001:db8:1:1::%x", i+1))
		if fault.KindOf(last) == fault.Unavailable {
			break
		}
		tried++
	}
	refused(t, last, fault.Unavailable, "", "too-many-tries")
	if tried != 100 {
		t.Errorf("closed after %d tries", tried)
	}
	if _, err := b.SignIn(t.Context(), "admin@contoso.example", password, "2001:db8:1:2::1"); err != nil {
		t.Errorf("the neighbour is not closed out: %v", err)
	}
}

func TestTriesAtTheSameMomentAreCountedOneByOne(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		var wg sync.WaitGroup
		kinds := make([]fault.Kind, 20)
		for i := range kinds {
			wg.Go(func() {
				_, err := b.SignIn(context.Background(), "admin@contoso.example", "wrong wrong wrong", "198.51.100.9")
				kinds[i] = fault.KindOf(err)
			})
		}
		wg.Wait()
		wrong := 0
		for _, k := range kinds {
			if k == fault.Invalid {
				wrong++
			}
		}
		if wrong != 5 {
			t.Errorf("%d of 20 passwords were looked at: %v", wrong, kinds)
		}
	})
}

func TestWhoMayAddWhom(t *testing.T) {
	b := newBook(t, storetest.SQLite(t))
	add := func(by account.Actor, org account.OrgID, role account.Role, email string) error {
		_, err := b.CreateUser(t.Context(), by, account.User{Org: org, Role: role, Name: "Somebody", Email: email}, password)
		return err
	}
	for _, c := range []struct {
		sentence string
		err      error
		want     fault.Kind
	}{
		{"an administrator adds a colleague", add(b.admin, b.contoso, account.RoleMember, "a@contoso.example"), ""},
		{"a member adds nobody", add(b.member, b.contoso, account.RoleMember, "b@contoso.example"), fault.Forbidden},
		{"another organization is not there", add(b.admin, b.tail, account.RoleMember, "c@contoso.example"), fault.NotFound},
		{"a customer makes no staff", add(b.admin, "", account.RoleOwner, "d@contoso.example"), fault.Forbidden},
		{"a customer's role is none at the partner", add(b.owner, "", account.RoleMember, "e@partner.example"), fault.Invalid},
		{"a staff role is none in an organization", add(b.owner, b.contoso, account.RoleOwner, "f@contoso.example"), fault.Invalid},
		{"an address signs in for one person, in any case", add(b.owner, b.tail, account.RoleMember, "ADMIN@contoso.example"), fault.Conflict},
		{"an organization that does not exist", add(b.owner, "nowhere", account.RoleMember, "g@contoso.example"), fault.NotFound},
	} {
		if got := fault.KindOf(c.err); got != c.want || (c.err == nil) != (c.want == "") {
			t.Errorf("%s: %v", c.sentence, c.err)
		}
	}
}

func TestPasswords(t *testing.T) {
	b := newBook(t, storetest.SQLite(t))
	for _, c := range []struct{ sentence, password, code string }{
		{"eleven characters are too few", "elevenchars", "short"},
		{"twelve in any script are enough", "пароль длин1", ""},
		{"one character repeated", strings.Repeat("é", 12), "guessed"},
		{"the mail address itself", "Longer.Address@contoso.example", "guessed"},
		{"129 characters", strings.Repeat("ab", 64) + "c", "long"},
		{"NUL", "twelve\x00characters", "text"},
	} {
		err := b.SetPassword(t.Context(), b.owner, b.user(t, b.contoso, account.RoleMember, fmt.Sprintf("p%d@contoso.example", len(c.password))).User, c.password)
		if c.sentence == "the mail address itself" {
			u := b.user(t, b.contoso, account.RoleMember, "longer.address@contoso.example")
			err = b.SetPassword(t.Context(), b.owner, u.User, c.password)
		}
		if c.code == "" {
			if err != nil {
				t.Errorf("%s: %v", c.sentence, err)
			}
			continue
		}
		refused(t, err, fault.Invalid, "password", c.code)
	}
}

func TestTheLastOwnerStays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		u, err := b.User(t.Context(), b.owner.User)
		if err != nil {
			t.Fatal(err)
		}
		u.Role = account.RoleReader
		_, err = b.UpdateUser(t.Context(), b.owner, u)
		refused(t, err, fault.Conflict, "role", "last")
		second := b.user(t, "", account.RoleOwner, "second@partner.example")
		for range 10 { // both owners leave at the same moment: one of them stays
			var both [2]account.User
			var errs [2]error
			for i, id := range []account.UserID{b.owner.User, second.User} {
				u, err := b.User(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if !u.Active {
					u.Active = true
					if u, err = b.UpdateUser(t.Context(), account.System(), u); err != nil {
						t.Fatal(err)
					}
				}
				both[i] = u
			}
			var wg sync.WaitGroup
			for i, u := range both {
				u.Active = false
				wg.Go(func() { _, errs[i] = b.UpdateUser(context.Background(), account.System(), u) })
			}
			wg.Wait()
			if (errs[0] == nil) == (errs[1] == nil) {
				t.Fatalf("%v, %v", errs[0], errs[1])
			}
		}
	})
}

func TestASessionEndsWithItsPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		began := b.clock.now()
		a, err := b.Resume(t.Context(), b.member.User, began, "192.0.2.9")
		if err != nil || a.Org != b.contoso || a.Role != account.RoleMember || a.Address != "192.0.2.9" || a.ID() != audit.User(string(b.member.User)) {
			t.Fatalf("%+v, %v", a, err)
		}
		b.clock.forward(time.Minute)
		if err := b.SignOutEverywhere(t.Context(), b.member, b.member.User); err != nil {
			t.Fatal(err)
		}
		_, err = b.Resume(t.Context(), b.member.User, began, "")
		refused(t, err, fault.Forbidden, "", "signed-out")
		if _, err := b.Resume(t.Context(), b.member.User, b.clock.now(), ""); err != nil {
			t.Error(err)
		}
		u, err := b.User(t.Context(), b.member.User)
		if err != nil {
			t.Fatal(err)
		}
		u.Active = false
		if _, err := b.UpdateUser(t.Context(), b.admin, u); err != nil {
			t.Fatal(err)
		}
		_, err = b.Resume(t.Context(), b.member.User, b.clock.now().Add(time.Hour), "")
		refused(t, err, fault.Forbidden, "", "signed-out")
		_, err = b.SignIn(t.Context(), "member@contoso.example", password, "")
		refused(t, err, fault.Invalid, "password", "wrong-password")
		o, err := b.Org(t.Context(), b.contoso)
		if err != nil {
			t.Fatal(err)
		}
		o.Status = account.Disabled
		if _, err := b.UpdateOrg(t.Context(), b.owner, o); err != nil {
			t.Fatal(err)
		}
		_, err = b.Resume(t.Context(), b.admin.User, began, "")
		refused(t, err, fault.Forbidden, "", "organization-disabled")
	})
}

func TestOnesOwnNameAndNothingMore(t *testing.T) {
	b := newBook(t, storetest.SQLite(t))
	u, err := b.User(t.Context(), b.member.User)
	if err != nil {
		t.Fatal(err)
	}
	u.Name, u.Language = "Another name", "DE-at"
	if u, err = b.UpdateUser(t.Context(), b.member, u); err != nil || u.Language != "de-AT" {
		t.Fatalf("%+v, %v", u, err)
	}
	u.Role = account.RoleAdministrator
	_, err = b.UpdateUser(t.Context(), b.member, u)
	refused(t, err, fault.Forbidden, "", "missing-right")
	u.Role = account.RoleMember
	if _, err = b.UpdateUser(t.Context(), b.other, u); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	if err := b.SetPassword(t.Context(), b.other, b.member.User, "a new password here"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	if err := b.SetPassword(t.Context(), b.member, b.member.User, "a new password here"); err != nil {
		t.Error(err)
	}
	if err := b.Reauthenticate(t.Context(), b.member, "a new password here"); err != nil {
		t.Error(err)
	}
	refused(t, b.Reauthenticate(t.Context(), b.member, password), fault.Invalid, "password", "wrong-password")
	token := b.member
	token.Token, token.Scope = "t", account.ScopeAll
	refused(t, b.Reauthenticate(t.Context(), token, "a new password here"), fault.Forbidden, "", "person-needed")
}

func TestSessionsLiveInTheDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		s := b.SessionStore()
		var _ scs.CtxStore = s
		end := b.clock.now().Add(time.Hour)
		if err := s.Commit("token", []byte{0, 1, 255}, end); err != nil {
			t.Fatal(err)
		}
		if err := s.CommitCtx(t.Context(), "token", []byte{7}, end); err != nil {
			t.Fatal(err)
		}
		data, found, err := s.Find("token")
		if err != nil || !found || !slices.Equal(data, []byte{7}) {
			t.Fatalf("%v %v %v", data, found, err)
		}
		var key string
		if err := db.Read().QueryRowContext(t.Context(), "SELECT key FROM session").Scan(&key); err != nil || strings.Contains(key, "token") {
			t.Errorf("the cookie's token is in the table: %s, %v", key, err)
		}
		b.clock.forward(time.Hour)
		if _, found, err := s.FindCtx(t.Context(), "token"); err != nil || found {
			t.Errorf("after its end: %v, %v", found, err)
		}
		if err := b.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM session").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows, %v", n, err)
		}
		if err := s.Commit("b", nil, b.clock.now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete("b"); err != nil {
			t.Fatal(err)
		}
		if _, found, err := s.Find("b"); err != nil || found {
			t.Errorf("after its deletion: %v, %v", found, err)
		}
	})
}

func TestATokenActsForItsPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		tok, secret, err := b.CreateToken(t.Context(), b.admin, "laptop", account.ScopeRead, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(secret, "causeway_") || !strings.HasSuffix(secret, tok.Hint) || !tok.ExpiresAt.Equal(b.clock.now().Add(90*24*time.Hour)) {
			t.Errorf("%+v %s", tok, secret)
		}
		a, err := b.Token(t.Context(), secret, "192.0.2.8")
		if err != nil {
			t.Fatal(err)
		}
		if a.User != b.admin.User || a.Org != b.contoso || a.Scope != account.ScopeRead || a.ID() != "token:"+tok.ID || a.Address != "192.0.2.8" {
			t.Errorf("%+v", a)
		}
		for _, q := range []string{"SELECT count(*) FROM api_token WHERE hash = '" + secret + "'", "SELECT count(*) FROM audit_entry WHERE detail LIKE '%" + secret[9:] + "%'"} {
			var n int
			if err := db.Read().QueryRowContext(t.Context(), q).Scan(&n); err != nil || n != 0 {
				t.Errorf("the secret is stored: %d, %v", n, err)
			}
		}
		list, err := b.Tokens(t.Context(), b.admin, b.admin.User)
		if err != nil || len(list) != 1 || !list[0].LastUsedAt.Equal(b.clock.now()) {
			t.Errorf("%+v, %v", list, err)
		}
		if _, err := b.Tokens(t.Context(), b.other, b.admin.User); fault.KindOf(err) != fault.NotFound {
			t.Errorf("another organization sees them: %v", err)
		}
		if err := b.RevokeToken(t.Context(), b.other, tok.ID); fault.KindOf(err) != fault.NotFound {
			t.Errorf("another organization revokes it: %v", err)
		}
		if err := b.RevokeToken(t.Context(), b.member, tok.ID); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a member revokes it: %v", err)
		}
		if err := b.RevokeToken(t.Context(), b.admin, tok.ID); err != nil {
			t.Fatal(err)
		}
		_, err = b.Token(t.Context(), secret, "")
		refused(t, err, fault.Forbidden, "", "token-revoked")
	})
}

func TestATokenEnds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		_, secret, err := b.CreateToken(t.Context(), b.member, "script", account.ScopeAll, b.clock.now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		b.clock.forward(time.Hour)
		_, err = b.Token(t.Context(), secret, "")
		refused(t, err, fault.Forbidden, "", "token-expired")
		for _, bad := range []string{"", "causeway_", "Bearer x", secret + "x", strings.Repeat("y", 5000)} {
			_, err = b.Token(t.Context(), bad, "")
			refused(t, err, fault.Forbidden, "", "token-unknown")
		}
		_, live, err := b.CreateToken(t.Context(), b.member, "other", account.ScopeAll, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		u, err := b.User(t.Context(), b.member.User)
		if err != nil {
			t.Fatal(err)
		}
		u.Active = false
		if _, err := b.UpdateUser(t.Context(), b.admin, u); err != nil {
			t.Fatal(err)
		}
		_, err = b.Token(t.Context(), live, "")
		refused(t, err, fault.Forbidden, "", "signed-out")
		_, _, err = b.CreateToken(t.Context(), b.admin, "", "half", b.clock.now().AddDate(2, 0, 0))
		refused(t, err, fault.Invalid, "name", "missing")
		refused(t, err, fault.Invalid, "scope", "scope")
		refused(t, err, fault.Invalid, "expires", "far")
	})
}

func TestFiftyTokensAreEnough(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBook(t, db)
		for range 48 {
			if _, _, err := b.CreateToken(t.Context(), b.member, "one of many", account.ScopeRead, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			wg.Go(func() {
				_, _, errs[i] = b.CreateToken(context.Background(), b.member, "at the same moment", account.ScopeRead, time.Time{})
			})
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else {
				refused(t, err, fault.Conflict, "", "too-many")
			}
		}
		if made != 2 {
			t.Errorf("%d more were made after 48", made)
		}
	})
}
