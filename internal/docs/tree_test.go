package docs

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTestsAreFoundInTheTree(t *testing.T) {
	got, err := testsOf(fstest.MapFS{
		"internal/rating/rate_test.go": {Data: []byte(`package rating
import "testing"
func TestPrice(t *testing.T) { t.Run("a", func(t *testing.T) {}) }
func TestSkipped(t *testing.T) { t.Run("a", func(t *testing.T) { t.Skip("no") }) }
func TestMain(m *testing.M) {}
func Testing(a, b int) {}
func BenchmarkPrice(b *testing.B) {}
`)},
		"internal/rating/rate.go":                {Data: []byte("package rating\nfunc TestNot() {}\n")},
		"internal/rating/testdata/x_test.go":     {Data: []byte("package x\nimport \"testing\"\nfunc TestData(t *testing.T) {}\n")},
		"internal/web/node_modules/y/y_test.go":  {Data: []byte("broken")},
		".git/z_test.go":                         {Data: []byte("broken")},
		"e2e/flow_test.go":                       {Data: []byte("package e2e\nimport \"testing\"\nfunc TestFlow(t *testing.T) {}\n")},
		"e2e/testdata/script/not_a_test_test.go": {Data: []byte("broken")},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"internal/rating: TestPrice": true, "internal/rating: TestSkipped": false, "e2e: TestFlow": true}
	if !maps.Equal(got, want) {
		t.Errorf("tests = %v, want %v", got, want)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	comment = regexp.MustCompile(`(?s)<!--.*?-->`)
	fence   = regexp.MustCompile("(?sm)^```.*?^```$")
)

// A link inside the repository leads to a file. Links to the outside are not
// followed: a test does not depend on somebody else's server.
func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	tree := os.DirFS(root)
	seen := 0
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || len(d.Name()) > 1 && d.Name()[0] == '.') {
			return fs.SkipDir
		}
		if path.Ext(name) != ".md" {
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		body := fence.ReplaceAllString(comment.ReplaceAllString(string(text), ""), "")
		for _, m := range link.FindAllStringSubmatch(body, -1) {
			to, _, _ := strings.Cut(m[1], "#")
			if to == "" || strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			seen++
			if _, err := fs.Stat(tree, path.Join(path.Dir(name), to)); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Error("no link was found: the test reads nothing")
	}
}
