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
	call := func(args ...string) (int, string, string) {
		var out, told bytes.Buffer
		exit := run(t.Context(), append(append([]string{"billing"}, args...), "--server", url, "--token", token), Std{In: strings.NewReader(""), Out: &out, Err: &told})
		return exit, out.String(), told.String()
	}
	decided(t, dir, call)
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
		exit, out, told := call(strings.Fields(x.args)...)
		if exit != x.exit || out != x.out {
			t.Errorf("%s: %d, %q, %s", x.args, exit, out, told)
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

// decided shows the settings, changes them, and gives them back; what is misspelt is
// refused and changes nothing.
func decided(t *testing.T, dir string, call func(...string) (int, string, string)) {
	t.Helper()
	file := filepath.Join(dir, "settings.json")
	give := func(text string) (int, string, string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return call("settings", "--set", file)
	}
	if exit, out, told := call("settings"); exit != 0 || !strings.Contains(out, `"version": 0`) || !strings.Contains(out, `"pay_days": 30`) {
		t.Fatalf("%d, %s, %s", exit, out, told)
	}
	const mine = `{"version":0,"settings":{"sellers":[{"id":"main","prefix":"R-","party":{"name":"Partner","country":"US"},"tax":[{"id":"us","country":"US","percent":"5","label":"Sales tax 5 %"}]}],"pattern":{"way":"month-end"},"pay_days":14}}`
	if exit, out, told := give(strings.Replace(mine, "pay_days", "pay_day", 1)); exit == 0 || !strings.Contains(told, "pay_day") {
		t.Errorf("a misspelt member: %d, %s, %s", exit, out, told)
	}
	if exit, out, told := give(mine); exit != 0 || !strings.Contains(out, `"version": 1`) || !strings.Contains(out, "Sales tax 5 %") || !strings.Contains(out, "month-end") {
		t.Errorf("%d, %s, %s", exit, out, told)
	}
	if exit, _, told := give(strings.Replace(mine, "14", "15", 1)); exit == 0 || !strings.Contains(told, "Somebody else") {
		t.Errorf("on a version that is not the newest: %d, %s", exit, told)
	}
	if exit, out, told := call("settings", "--account", "CTSO"); exit != 0 || !strings.Contains(out, `"version": 0`) {
		t.Errorf("%d, %s, %s", exit, out, told)
	}
}
