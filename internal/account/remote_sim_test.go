package account_test

import (
	"fmt"
	"testing"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// The simulator reads the same documents on its own; here the two readings meet.
func TestTheSimulatorsDirectory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := sim.Start(t)
		acc := func(alias, parent string, status int) sim.DirectoryAccount {
			return sim.DirectoryAccount{
				Alias: alias, Parent: parent, Name: "Contoso " + alias, Status: status, Address1: "4567 Main Street", City: "Buffalo",
				State: "NY", PostalCode: "14201", Country: "US", Telephone: "716-555-0123",
			}
		}
		err := s.SeedDirectory(sim.Directory{
			Accounts: []sim.DirectoryAccount{acc("TSPN", "", 1), acc("CTSO", "TSPN", 1), acc("CTSE", "CTSO", 1), acc("CTDM", "CTSO", 4), acc("CTOL", "CTSO", 2)},
			Users: []sim.DirectoryUser{
				{Name: "ctso-admin", Password: adminPassword, Alias: "CTSO", First: "Account", Last: "Administrator", Email: "billing@contoso.example", Roles: []int{9}},
				{Name: "ctso-viewer", Password: adminPassword, Alias: "CTSO", First: "Account", Last: "Viewer", Email: "viewer@contoso.example", Roles: []int{10}},
				{Name: "partner-api", Password: "api password", Alias: "TSPN", First: "Partner", Last: "API", Email: "api@partner.example", Roles: []int{9}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		remote := account.CLC{Base: s.URL + "/clc", Client: s.Client()}
		b := newBook(t, db, account.WithCLC(remote))
		c, err := b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
		if err != nil || fmt.Sprint(c.Accounts) != "[CTDM CTOL CTSE CTSO]" || c.Own != "CTSO" {
			t.Fatalf("%+v, %v", c, err)
		}
		for alias, want := range map[account.Alias][2]bool{"CTSO": {false, false}, "CTDM": {true, false}, "CTOL": {false, true}} {
			a, err := b.Account(t.Context(), alias)
			if err != nil || a.Demo != want[0] || a.Disabled != want[1] || a.Address.State != "NY" || a.Contact.Email != "billing@contoso.example" {
				t.Errorf("%+v, %v", a, err)
			}
		}
		_, err = b.Connect(t.Context(), b.member, "ctso-viewer", adminPassword)
		refused(t, err, fault.Forbidden, "login", account.CodeNotAdministrator)
		_, err = b.Connect(t.Context(), b.member, "ctso-admin", "wrong wrong wrong")
		refused(t, err, fault.Invalid, "password", "wrong-password")
		s.HangUpBefore("POST /clc/v2/authentication/login")
		_, err = b.Connect(t.Context(), b.member, "ctso-admin", adminPassword)
		refused(t, err, fault.Unavailable, "", "directory-unavailable")

		remote.APIKey, remote.APIPassword = "partner-api", "api password"
		other := account.New(db, b.clock.now, account.WithPasswordWork(64, 1), account.WithCLC(remote))
		if c, err := other.Connect(t.Context(), b.admin, "ctso-admin", adminPassword); err != nil || fmt.Sprint(c.Accounts) != "[CTDM CTOL CTSE CTSO]" {
			t.Errorf("by the partner's API user: %+v, %v", c, err)
		}
	})
}
