package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/money"
)

// The files of billing come through the commands, whole; what is refused leaves none.
func TestFilesOfBilling(t *testing.T) {
	app, url := started(t, Config{})
	org, err := app.People.CreateOrg(t.Context(), account.System(), account.Organization{Name: "Contoso"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = app.People.CreateAccount(t.Context(), account.System(), account.Account{
		Alias: "CTSO", Org: org.ID, Name: "Contoso", Billable: true, CreditLimit: money.Must("1000", "USD"),
		Address: address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"},
		Contact: account.Contact{FirstName: "Account", LastName: "Contact", Email: "billing@contoso.example", Phone: "+1 716 555 0123"},
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := app.People.CreateUser(t.Context(), account.System(), account.User{Email: "finance@partner.example", Name: "Finance", Role: account.RoleFinance}, "correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := app.People.CreateToken(t.Context(), account.Actor{User: u.ID, Role: u.Role}, "test", account.ScopeAll, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		args   string
		exit   int
		out    string
		file   string
		begins string
	}{
		{"focus --account CTSO --month 2026-10 --out " + dir + "/focus.csv", 0, dir + "/focus.csv\n", "focus.csv", "AvailabilityZone,BilledCost,BillingAccountId,"},
		{"focus --account CTSO --month 2026-10 --format parquet --out " + dir + "/focus.parquet", 0, dir + "/focus.parquet\n", "focus.parquet", "PAR1"},
		{"focus --account NONE --month 2026-10 --out " + dir + "/none.csv", 1, "", "none.csv", ""},
		{"export --month 2026-10 --out " + dir + "/books", 0, dir + "/books/documents-2026-10.jsonl\n" + dir + "/books/journal-2026-10.jsonl\n", "books/journal-2026-10.jsonl", ""},
		{"accounting", 0, "Accounting is told: nowhere. Not told yet: 0.\n", "", ""},
		{"accounting --url https://books.example/ --secret-file " + secret, 0, "Accounting is told: https://books.example/. Not told yet: 0.\n", "", ""},
	} {
		var out, told bytes.Buffer
		exit := run(t.Context(), append(append([]string{"billing"}, strings.Fields(x.args)...), "--server", url, "--token", token), Std{In: strings.NewReader(""), Out: &out, Err: &told})
		if exit != x.exit || out.String() != x.out {
			t.Errorf("%s: %d, %q, %s", x.args, exit, out.String(), told.String())
		}
		if x.file == "" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, x.file))
		if (err == nil) != (exit == 0) || !strings.HasPrefix(string(b), x.begins) {
			t.Errorf("%s: %q (%v)", x.args, b[:min(len(b), 40)], err)
		}
	}
}
