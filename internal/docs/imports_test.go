package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "causeway/internal/"

// ARCHITECTURE.md says these in words. Tests may import what they like.
var rules = []struct {
	says string
	is   func(from, imported string) bool // from is below internal/, e.g. "azure/arm"
}{
	{"the simulator imports nothing of ours", func(from, imported string) bool {
		return !within(from, "sim") || !strings.HasPrefix(imported, module) || within(imported, module+"sim")
	}},
	{"only cli starts the simulator", func(from, imported string) bool {
		return !within(imported, module+"sim") || within(from, "sim", "cli")
	}},
	{"only the cycles know the vendor, and cli wires them", func(from, imported string) bool {
		return !within(imported, module+"azure") || within(from, "azure", "provision", "billing", "cli") ||
			// Staff see what was said to Microsoft, and connect the partner's sign-in: the
			// record of an exchange and the custody, never a client that calls.
			within(from, "web", "api") && (imported == module+"azure" || imported == module+"azure/token")
	}},
	{"rules and words do no I/O", func(from, imported string) bool {
		return !within(from, "eligibility", "rating", "money", "fault") ||
			!within(imported, "database/sql", "net/http", "os", module+"store", module+"job")
	}},
	{"a noun does not know the cycles, nor who shows it", func(from, imported string) bool {
		return !within(imported, module+"provision", module+"billing", module+"web", module+"api", module+"cli") ||
			within(from, "provision", "billing", "web", "api", "cli")
	}},
}

func within(p string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") })
}

func TestImportsPointDown(t *testing.T) {
	wrong, files, err := wrongImports(os.DirFS(root + "/internal"))
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Error("no file was read: the test sees nothing")
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

func TestTheCheckOfImports(t *testing.T) {
	for _, c := range []struct{ name, file, imported, wrong string }{
		{name: "a cycle uses the vendor's client", file: "provision/plan.go", imported: "causeway/internal/azure/arm"},
		{name: "a page uses the vendor's client", file: "web/plan.go", imported: "causeway/internal/azure/arm", wrong: "only the cycles"},
		{name: "a page shows what was said to the vendor", file: "web/plan.go", imported: "causeway/internal/azure"},
		{name: "the simulator uses a package of ours", file: "sim/arm.go", imported: "causeway/internal/store", wrong: "imports nothing of ours"},
		{name: "a package whose name begins alike", file: "simple/x.go", imported: "causeway/internal/store"},
		{name: "a client uses the simulator's type", file: "azure/arm/x.go", imported: "causeway/internal/sim", wrong: "only cli"},
		{name: "a client's test starts the simulator", file: "azure/arm/x_test.go", imported: "causeway/internal/sim"},
		{name: "a pure rule reads the database", file: "eligibility/x.go", imported: "causeway/internal/store", wrong: "no I/O"},
		{name: "a noun calls the cycle", file: "account/x.go", imported: "causeway/internal/provision", wrong: "does not know the cycles"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wrong, _, err := wrongImports(fstest.MapFS{c.file: {Data: []byte("package p\nimport _ " + strconv.Quote(c.imported) + "\n")}})
			if err != nil {
				t.Fatal(err)
			}
			if c.wrong == "" && len(wrong) > 0 || c.wrong != "" && (len(wrong) != 1 || !strings.Contains(wrong[0], c.wrong)) {
				t.Errorf("wrong imports %q, want %q", wrong, c.wrong)
			}
		})
	}
}

func wrongImports(tree fs.FS) (wrong []string, files int, err error) {
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			for _, r := range rules {
				if !r.is(path.Dir(name), imported) {
					wrong = append(wrong, name+" imports "+imported+": "+r.says)
				}
			}
		}
		return nil
	})
	return wrong, files, err
}
