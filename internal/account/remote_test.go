package account_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// clcServer plays the CLC API from its documents: v2 login, v1 accounts.
type clcServer struct {
	*httptest.Server
	roles    []string
	accounts []map[string]any // v1 account details, in the order of GetAccounts
	visible  []string         // what GetAccounts lists; nil = all
	cookie   bool             // v1 wants the cookie of the partner's API user
	trouble  func(w http.ResponseWriter, r *http.Request) bool
	calls    atomic.Int64
}

func clc(t *testing.T) *clcServer {
	t.Helper()
	s := &clcServer{roles: []string{"ServerAdmin", "AccountAdmin"}}
	s.accounts = []map[string]any{
		details("TSPN", "", 1, map[string]any{"BusinessName": "Tailspin Resale"}),
		details("CTSO", "TSPN", 1, nil),
		details("CTSE", "CTSO", 1, map[string]any{"Country": "USA", "StateProvince": "Illinois", "City": "Chicago", "PostalCode": "60601"}),
		details("CTDM", "CTSO", 4, nil),
		details("CTOL", "CTSE", 2, map[string]any{"Country": "United Kingdom", "StateProvince": "Berkshire", "PostalCode": "RG11AA"}),
		details("ELSE", "", 1, nil),
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func details(alias, parent string, status int, more map[string]any) map[string]any {
	d := map[string]any{
		"AccountAlias": alias, "ParentAlias": parent, "Location": "WA1", "BusinessName": "Contoso " + alias, "Address1": "4567 Main Street", "Address2": "",
		"City": "Buffalo", "StateProvince": "NY", "PostalCode": "14201", "Country": "US", "Telephone": "716-555-0123", "Fax": "", "TimeZone": "(GMT-05:00)",
		"Status": status, "ShareParentNetworks": false, "SupportLevel": "professional",
	}
	for k, v := range more {
		d[k] = v
	}
	return d
}

func (s *clcServer) serve(w http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	if s.trouble != nil && s.trouble(w, r) {
		return
	}
	var in map[string]string
	_ = json.NewDecoder(r.Body).Decode(&in) // an unreadable body has no members
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the caller may be gone
	}
	v1 := func(members map[string]any) {
		members["Success"], members["Message"], members["StatusCode"] = true, "Success", 0
		answer(200, members)
	}
	refuse := func(code int) {
		answer(200, map[string]any{"Success": false, "Message": "refused", "StatusCode": code})
	}
	switch r.URL.Path {
	case "/clc/v2/authentication/login":
		if in["username"] != "ctso-admin" || in["password"] != adminPassword {
			answer(400, map[string]any{"message": "We didn't recognize the username or password you entered. Please try again: " + in["password"]})
			return
		}
		answer(200, map[string]any{"userName": "ctso-admin", "accountAlias": "CTSO", "locationAlias": "WA1", "roles": s.roles, "bearerToken": "the-bearer"})
		return
	case "/clc/REST/Auth/Logon":
		if in["APIKey"] != "key" || in["Password"] != "api password" {
			refuse(100)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "Tier3.API.Cookie", Value: "session", Path: "/"})
		v1(map[string]any{})
		return
	}
	k, err := r.Cookie("Tier3.API.Cookie")
	if s.cookie && (err != nil || k.Value != "session") || !s.cookie && r.Header.Get("Authorization") != "Bearer the-bearer" {
		answer(401, map[string]any{})
		return
	}
	switch r.URL.Path {
	case "/clc/REST/Account/GetAccounts/JSON":
		var list []map[string]any
		for _, a := range s.accounts {
			if s.visible == nil || slices.Contains(s.visible, a["AccountAlias"].(string)) {
				list = append(list, map[string]any{
					"AccountAlias": a["AccountAlias"], "ParentAlias": a["ParentAlias"], "Location": "WA1", "BusinessName": a["BusinessName"], "IsActive": a["Status"] == 1,
				})
			}
		}
		v1(map[string]any{"Accounts": list})
	case "/clc/REST/Account/GetAccountDetails/JSON":
		for _, a := range s.accounts {
			if a["AccountAlias"] == in["AccountAlias"] {
				v1(map[string]any{"AccountDetails": a})
				return
			}
		}
		refuse(5)
	case "/clc/REST/User/GetUserDetails/JSON":
		v1(map[string]any{"UserDetails": map[string]any{
			"AccountAlias": in["AccountAlias"], "UserName": in["UserName"], "EmailAddress": "billing@contoso.example", "FirstName": "Account", "LastName": "Administrator", "Roles": []int{9},
		}})
	default:
		answer(404, map[string]any{})
	}
}

func (s *clcServer) directory(c account.CLC) account.Option {
	c.Base = s.URL + "/clc/"
	return account.WithCLC(c)
}

func TestARemoteDirectoryTellsWhatItsAdministratorAdministers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := clc(t)
		b := newBook(t, db, s.directory(account.CLC{}))
		c, err := b.Connect(t.Context(), b.member, "CTSO-admin", adminPassword)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(c.Accounts); got != "[CTDM CTOL CTSE CTSO]" || c.Own != "CTSO" || c.Source != account.SourceCLC {
			t.Errorf("%+v", c)
		}
		chain, err := b.Chain(t.Context(), "CTOL")
		if err != nil || aliases(chain) != "CTOL CTSE CTSO" || chain[2].Parent != "TSPN" {
			t.Fatalf("%s, %v", aliases(chain), err)
		}
		old, east := chain[0], chain[1]
		if !old.Disabled || old.Demo || old.Address.Country != "GB" || old.Address.PostalCode != "RG1 1AA" || old.Source != account.SourceCLC || old.Org != b.contoso {
			t.Errorf("%+v", old)
		}
		if east.Disabled || !east.Billable || east.Address.Country != "US" || east.Address.State != "IL" || east.Contact.Email != "billing@contoso.example" || !east.CreditLimit.Equal(money.Zero("USD")) {
			t.Errorf("%+v", east)
		}
		if demo, err := b.Account(t.Context(), "CTDM"); err != nil || !demo.Demo || demo.Disabled {
			t.Errorf("status 4 is demo: %+v, %v", demo, err)
		}

		// Staff set what the remote directory does not know; it stays.
		east.CreditLimit, east.Internal = money.Must("40000", "USD"), true
		if _, err := b.UpdateAccount(t.Context(), b.owner, east); err != nil {
			t.Fatal(err)
		}
		s.accounts[2]["BusinessName"] = "Contoso East\u0000 LLC" // NUL: cannot be stored
		s.accounts[3]["Status"] = 1
		if _, err := b.Connect(t.Context(), b.admin, "ctso-admin", adminPassword); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Account(t.Context(), "CTSE"); err != nil || !got.CreditLimit.Equal(money.Must("40000", "USD")) || !got.Internal || got.Name != "CTSE" {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := b.Account(t.Context(), "CTDM"); err != nil || !got.Demo {
			t.Errorf("a flag that was seen once is staff's to take back: %+v, %v", got, err)
		}
		before := len(b.deeds(t, b.contoso))
		if _, err := b.Connect(t.Context(), b.admin, "ctso-admin", adminPassword); err != nil {
			t.Fatal(err)
		}
		if n := len(b.deeds(t, b.contoso)) - before; n != 1 {
			t.Errorf("nothing changed, and %d entries were written", n)
		}

		// Another organization with the same login sees none of Contoso's accounts and changes none.
		s.accounts[1]["BusinessName"] = "Renamed since"
		_, err = b.Connect(t.Context(), b.other, "ctso-admin", adminPassword)
		refused(t, err, fault.Forbidden, "login", "other-organization")
		if got, err := b.Account(t.Context(), "CTSO"); err != nil || got.Name != "Contoso CTSO" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestAPasswordDoesNotFollowARedirect(t *testing.T) {
	var heard atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard.Add(1) }))
	defer thief.Close()
	s := clc(t)
	s.trouble = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		return true
	}
	b := newBook(t, storetest.SQLite(t), s.directory(account.CLC{Client: &http.Client{}}))
	_, err := b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
	refused(t, err, fault.Unavailable, "", "directory-unavailable")
	if heard.Load() != 0 {
		t.Error("the password went on to another server")
	}
}

func TestARemoteDirectoryCannotBeAskedAgain(t *testing.T) {
	s := clc(t)
	b := newBook(t, storetest.SQLite(t), s.directory(account.CLC{}))
	yes, err := b.Administers(t.Context(), "ctso-admin", "CTSO")
	refused(t, err, fault.Forbidden, "connection", account.CodeConnectAgain)
	if n := s.calls.Load(); yes || n != 0 {
		t.Errorf("%v, %d calls", yes, n)
	}
}

func TestThePartnersAPIUserSeesMoreThanThePersonAdministers(t *testing.T) {
	s := clc(t)
	s.cookie = true
	b := newBook(t, storetest.SQLite(t), s.directory(account.CLC{APIKey: "key", APIPassword: "api password"}))
	c, err := b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
	if err != nil || fmt.Sprint(c.Accounts) != "[CTDM CTOL CTSE CTSO]" {
		t.Fatalf("%+v, %v", c, err)
	}
	wrong := newBook(t, storetest.SQLite(t), s.directory(account.CLC{APIKey: "key", APIPassword: "wrong"}))
	_, err = wrong.Connect(t.Context(), wrong.member, "ctso-admin", adminPassword)
	refused(t, err, fault.Unavailable, "", "directory-unavailable")
}

func TestWhatARemoteDirectoryRefuses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := clc(t)
		b := newBook(t, db, s.directory(account.CLC{}))
		_, err := b.Connect(t.Context(), b.member, "ctso-admin", "wrong wrong wrong")
		if r := refused(t, err, fault.Invalid, "password", "wrong-password"); strings.Contains(r.String(), "wrong wrong") {
			t.Errorf("the directory's own words repeat the password: %+v", r)
		}
		s.roles = []string{"AccountViewer"}
		_, err = b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
		refused(t, err, fault.Forbidden, "login", account.CodeNotAdministrator)
		s.roles, s.visible = []string{"AccountAdmin"}, []string{"ELSE"} // its own account is gone
		_, err = b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
		refused(t, err, fault.Forbidden, "login", account.CodeNotAdministrator)
		if list, err := b.Accounts(t.Context(), account.Filter{}); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	})
}

func TestARemoteDirectoryInTrouble(t *testing.T) {
	text := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body)) // the caller may be gone
		}
	}
	for _, c := range []struct {
		sentence, path string
		answer         func(http.ResponseWriter)
	}{
		{"the login fails inside", "/login", text(500, "oops")},
		{"too many calls", "/login", text(429, "")},
		{"the login is a page", "/login", text(200, "<html>maintenance</html>")},
		{"the login has no token", "/login", text(200, "{}")},
		{"it hangs", "/login", nil},
		{"it hangs up", "/GetAccounts/JSON", func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }},
		{"accounts fail", "/GetAccounts/JSON", text(503, "")},
		{"accounts are refused in the v1 way", "/GetAccounts/JSON", text(200, `{"Success":false,"StatusCode":101,"Message":"Access denied"}`)},
		{"accounts have another form", "/GetAccounts/JSON", text(200, `{"Success":true,"Accounts":{"AccountAlias":5}}`)},
		{"one of the details fails", "/GetAccountDetails/JSON", text(502, "")},
		{"the person is refused", "/GetUserDetails/JSON", text(401, "")},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			s := clc(t)
			s.trouble = func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, c.path) {
					return false
				}
				c.answer(w)
				return true
			}
			limit := 10 * time.Second
			if c.sentence == "it hangs" {
				limit = 50 * time.Millisecond
				s.trouble = func(w http.ResponseWriter, r *http.Request) bool {
					_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that the caller hung up
					<-r.Context().Done()
					return true
				}
			}
			b := newBook(t, storetest.SQLite(t), s.directory(account.CLC{Timeout: limit}))
			_, err := b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
			refused(t, err, fault.Unavailable, "", "directory-unavailable")
			for e := err; e != nil; e = errors.Unwrap(e) {
				if s := fmt.Sprintf("%+v", e); strings.Contains(s, adminPassword) || strings.Contains(s, "the-bearer") {
					t.Errorf("a secret is in the error: %s", s)
				}
			}
			if list, err := b.Accounts(t.Context(), account.Filter{}); err != nil || len(list) != 0 {
				t.Errorf("half made: %v, %v", list, err)
			}
		})
	}
}

func TestALoopInARemoteDirectoryEnds(t *testing.T) {
	s := clc(t)
	s.accounts = []map[string]any{details("CTSO", "CTSE", 1, nil), details("CTSE", "CTSO", 1, nil)}
	b := newBook(t, storetest.SQLite(t), s.directory(account.CLC{}))
	c, err := b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
	if err != nil || len(c.Accounts) != 2 {
		t.Fatalf("%+v, %v", c, err)
	}
	_, err = b.Chain(t.Context(), "CTSO")
	refused(t, err, fault.Conflict, "parent", "loop")
}
