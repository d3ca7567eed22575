package torture_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"causeway/internal/torture"
)

// mutant is the program with one guard taken out, tried in the weather in which
// the other guards cannot help. It must break the promise that the guard keeps.
type mutant struct {
	name     string
	file     string // below the repository's root
	old, new string // the one place that is changed
	args     string
	breaks   torture.Property
}

var mutants = []mutant{
	{
		name: "nobody looks before acting again, and request ids are forgotten",
		file: "internal/provision/customer.go",
		old:  "ours, found, lerr := w.findOurs(ctx, in)", new: "ours, found, lerr := partnercenter.Customer{}, false, error(nil)",
		args: "--weather forget --kinds new --onboardings 12", breaks: torture.Once,
	},
	{
		name: "every try has a new request id, and lists lag by a minute",
		file: "internal/provision/intent.go",
		old:  "case azure.Unknown(err):\n\t\trow.State = intentUnknown\n", new: "case azure.Unknown(err):\n\t\trow.State, row.RequestID = intentUnknown, string(azure.NewRequestID())\n",
		args: "--weather lag --kinds new --onboardings 12", breaks: torture.Credentials,
	},
	{
		name: "the guardrail comes after the roles",
		file: "internal/provision/provision.go",
		old:  "StepGuard, StepGrant", new: "StepGrant, StepGuard",
		args: "--weather slow --kinds new --onboardings 3", breaks: torture.Guarded,
	},
	{
		name: "the credentials are stored after the next call",
		file: "internal/provision/customer.go",
		old:  "\tw.t, err = w.r.tenant(ctx, w.t.ID)\n\treturn err\n}\n\n// asCustomer",
		new: "\tif _, err := w.r.pc.Customer(ctx, c.ID); err != nil {\n\t\treturn err\n\t}\n" +
			"\tif err := w.tx(ctx, func(tx *store.Tx) error {\n\t\treturn changeTenant(ctx, tx, w.t.ID, func(t *Tenant) error { t.Credentials = late; return nil })\n\t}); err != nil {\n\t\treturn err\n\t}\n" +
			"\tw.t, err = w.r.tenant(ctx, w.t.ID)\n\treturn err\n}\n\n// asCustomer",
		args: "--weather crash --kinds new --onboardings 12", breaks: torture.Credentials,
	},
	{
		name: "a lost lease does not keep a worker from writing",
		file: "internal/job/job.go",
		old:  "\tif err == nil && n == 0 {\n\t\treturn ErrFenced\n\t}\n", new: "\t_ = n\n",
		args: "--weather pause --kinds new,further --onboardings 12", breaks: torture.Fenced,
	},
	{
		name: "an association is left open on a move",
		file: "internal/provider/sql.go",
		old:  "ToDay: string(a.From.Before())", new: `ToDay: "9999-12-31"`,
		args: "--weather calm --kinds moved --onboardings 2", breaks: torture.Payer,
	},
	{
		name: "a tenant is adopted because it has our domain",
		file: "internal/provision/customer.go",
		old:  "return azure.SameID(rec.OriginalCorrelationID, id) })", new: `return id != "" })`,
		args: "--weather calm --kinds stranger --onboardings 12", breaks: torture.Foreign,
	},
	{
		name: "a bill is issued without its file",
		file: "internal/billing/issue.go",
		old:  "if err := c.keepFiles(ctx, tx, docs, looks); err != nil {", new: "if err := c.keepFiles(ctx, tx, docs[:0], looks); err != nil {",
		args: books, breaks: torture.Billed,
	},
	{
		name: "what was billed before is billed again",
		file: "internal/billing/draft.go",
		old:  "Split: k.Split, Billed: billed}", new: "Split: k.Split, Billed: billed[:0]}",
		args: books, breaks: torture.Balanced,
	},
	{
		name: "a third party's charge is called a credit",
		file: "internal/billing/vendor.go",
		old:  "d.Class = Marketplace", new: "d.Class = CreditOf",
		args: books, breaks: torture.Explained,
	},
}

// books bills one partner of those that TestTwentyPartnersKeepEveryPromise bills.
const books = "--billing --months 2 --seed 1"

// second changes of the mutant whose first one needs them.
var also = map[string][2]string{
	"the credentials are stored after the next call": {"\t\t\tt.Credentials = sealed\n", "\t\t\tlate = sealed\n"},
}

// The checker is honest: each guard that is taken out is missed, by the property
// that it keeps, and the program as it is breaks none under the same conditions.
func TestEachMutantBreaksItsPromise(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	healthy := sound(t)
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			args := m.args
			if args != books {
				args = "--fast --seed 1 " + m.args
				if r := run(t, healthy, args); len(r.Broken) > 0 || r.Onboardings == 0 {
					t.Fatalf("the program as it is breaks %v", r.Broken)
				}
			}
			sick := filepath.Join(t.TempDir(), "causeway")
			build(t, root, sick, m.overlay(t, root))
			if r := run(t, sick, args); r.Broken[m.breaks] == 0 {
				t.Errorf("it breaks %v, and not %q", r.Broken, m.breaks)
			}
		})
	}
}

// overlay writes the changed file and tells the compiler to use it.
func (m mutant) overlay(t *testing.T, root string) string {
	t.Helper()
	file := filepath.Join(root, m.file)
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := replaceOnce(t, string(body), m.old, m.new)
	if second, ok := also[m.name]; ok {
		text = replaceOnce(t, text, second[0], second[1])
		text = replaceOnce(t, text, "sealed, admin := \"\", ", "late := \"\"\n\tsealed, admin := \"\", ")
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "changed.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{changed: []byte(text), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "overlay.json")
}

// replaceOnce changes the one place that holds old; a guard that was rewritten
// makes its mutant fail here, so that it is looked after.
func replaceOnce(t *testing.T, text, old, with string) string {
	t.Helper()
	if n := strings.Count(text, old); n != 1 {
		t.Fatalf("%q stands %d times in the file, want once", old, n)
	}
	return strings.Replace(text, old, with, 1)
}

func build(t *testing.T, root, to, overlay string) {
	t.Helper()
	args := []string{"build", "-ldflags=-s -w", "-o", to} // without debug information it links in half the time
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	c := exec.CommandContext(t.Context(), "go", append(args, "./cmd/causeway")...) // #nosec G204 -- our own program
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}
