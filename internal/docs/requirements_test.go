// Package docs holds no code, only the tests that keep the documents true: the
// list of requirements against the tests that exist, links against files, and
// the rules of imports against the packages.
package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestEveryRequirementIsShownOrSaysWhyNot(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := testsOf(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	script := func(name string) bool {
		_, err := os.Stat(path.Join(root, name))
		return err == nil
	}
	for _, fault := range check(string(text), tests, script) {
		t.Error(fault)
	}
}

func TestTheCheckOfRequirements(t *testing.T) {
	const head = "- **billing**: bills\n- **leave**: going\n\n| id | in short | shown by |\n|---|---|---|\n"
	whole := head
	for _, id := range ids() {
		whole += "| " + id + " | It works. | later: billing |\n"
	}
	tests := map[string]bool{"internal/rating: TestPrice": true, "internal/rating: TestSkipped": false}
	for _, c := range []struct{ name, line, with, fault string }{
		{name: "all there"},
		{name: "a test that exists", with: "| C-08 | It works. | internal/rating: TestPrice |\n"},
		{name: "two tests that exist", with: "| C-08 | It works. | internal/rating: TestPrice; e2e/testdata/script/bill.txt |\n"},
		{name: "a reason", with: "| C-08 | It works. | not: another trade |\n"},
		{name: "a missing id", with: "\n", fault: "C-08 is missing"},
		{name: "an id twice", with: "| C-08 | It works. | later: billing |\n| C-08 | It works. | later: leave |\n", fault: "C-08 stands twice"},
		{name: "an id that is not known", with: "| C-08 | It works. | later: billing |\n| C-37 | It works. | later: billing |\n", fault: "C-37 is not a requirement"},
		{name: "a test that does not exist", with: "| C-08 | It works. | internal/rating: TestGone |\n", fault: "no such test"},
		{name: "one of two tests does not exist", with: "| C-08 | It works. | internal/rating: TestPrice; internal/rating: TestGone |\n", fault: "no such test"},
		{name: "a test that skips", with: "| C-08 | It works. | internal/rating: TestSkipped |\n", fault: "can skip"},
		{name: "a script that does not exist", with: "| C-08 | It works. | e2e/testdata/script/gone.txt |\n", fault: "no such script"},
		{name: "a topic that is not explained", with: "| C-08 | It works. | later: someday |\n", fault: `topic "someday"`},
		{name: "a reason that is empty", with: "| C-08 | It works. | not: |\n", fault: "without a reason"},
		{name: "a state that is not known", with: "| C-08 | It works. | pending |\n", fault: "neither"},
		{name: "nothing", with: "| C-08 | It works. | |\n", fault: "neither"},
		{name: "no words", with: "| C-08 | | later: billing |\n", fault: "does not say what"},
		{name: "a column too many", with: "| C-08 | It | works. | later: billing |\n", fault: "three columns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := whole
			if c.with != "" {
				text = strings.Replace(whole, "| C-08 | It works. | later: billing |\n", c.with, 1)
			}
			got := check(text, tests, func(name string) bool { return name == "e2e/testdata/script/bill.txt" })
			if c.fault == "" && len(got) > 0 {
				t.Errorf("faults %q, want none", got)
			}
			if c.fault != "" && !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, c.fault) }) {
				t.Errorf("faults %q, want one with %q", got, c.fault)
			}
		})
	}
}

// ids are the requirements: 36 core, 91 near, 62 far.
func ids() []string {
	var all []string
	for _, class := range []struct {
		letter string
		n      int
	}{{"C", 36}, {"N", 91}, {"F", 62}} {
		for i := range class.n {
			all = append(all, fmt.Sprintf("%s-%02d", class.letter, i+1))
		}
	}
	return all
}

var (
	row   = regexp.MustCompile(`(?m)^\| *([A-Z]-\d+) *\|(.*)\|$`)
	topic = regexp.MustCompile(`(?m)^- \*\*([a-z-]+)\*\*: \S`)
)

// check names all that is wrong with the list. tests says of each test whether
// it runs to its end (true) or can skip (false).
func check(text string, tests map[string]bool, script func(string) bool) []string {
	topics := map[string]bool{}
	for _, m := range topic.FindAllStringSubmatch(text, -1) {
		topics[m[1]] = true
	}
	var faults []string
	known, seen := ids(), map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		id := m[1]
		if !slices.Contains(known, id) {
			faults = append(faults, id+" is not a requirement")
		}
		if seen[id] {
			faults = append(faults, id+" stands twice")
		}
		seen[id] = true
		cells := strings.Split(m[2], "|")
		if len(cells) != 2 {
			faults = append(faults, id+" does not have three columns")
			continue
		}
		if strings.TrimSpace(cells[0]) == "" {
			faults = append(faults, id+" does not say what is required")
		}
		if fault := judge(strings.TrimSpace(cells[1]), topics, tests, script); fault != "" {
			faults = append(faults, id+": "+fault)
		}
	}
	for _, id := range known {
		if !seen[id] {
			faults = append(faults, id+" is missing")
		}
	}
	return faults
}

// judge says what is wrong with a third column, "" for nothing.
func judge(shown string, topics, tests map[string]bool, script func(string) bool) string {
	if name, ok := strings.CutPrefix(shown, "later:"); ok {
		if name = strings.TrimSpace(name); !topics[name] {
			return fmt.Sprintf("topic %q is not explained in the document", name)
		}
		return ""
	}
	if why, ok := strings.CutPrefix(shown, "not:"); ok {
		if strings.TrimSpace(why) == "" {
			return "not, without a reason"
		}
		return ""
	}
	for part := range strings.SplitSeq(shown, ";") {
		part = strings.TrimSpace(part)
		runs, exists := tests[part]
		switch {
		case strings.HasPrefix(part, "e2e/") && strings.HasSuffix(part, ".txt"):
			if !script(part) {
				return part + ": no such script"
			}
		case !strings.Contains(part, ": Test"):
			return fmt.Sprintf("%q is neither a test, nor later: topic, nor not: why", part)
		case !exists:
			return part + ": no such test"
		case !runs:
			return part + ": can skip, so it shows nothing"
		}
	}
	return ""
}

// testsOf reads every test file below a folder. The key is "package/path:
// TestName"; the value is false for a test that calls t.Skip.
func testsOf(tree fs.FS) (map[string]bool, error) {
	tests := map[string]bool{}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); base == "node_modules" || base == "testdata" || len(base) > 1 && base[0] == '.' {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && isTest(f) {
				tests[path.Dir(name)+": "+f.Name.Name] = !skips(f)
			}
		}
		return nil
	})
	return tests, err
}

func isTest(f *ast.FuncDecl) bool {
	if f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestMain" || f.Type.Params.NumFields() != 1 {
		return false
	}
	star, ok := f.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "T"
}

func skips(f *ast.FuncDecl) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				found = true
			}
		}
		return !found
	})
	return found
}
