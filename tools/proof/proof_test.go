package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWhatACommandPrintsIsWrittenAndJudged(t *testing.T) {
	p := proof{title: "Speed", args: []string{"bench", "x", "--json"}, limits: []limit{{"ready", atLeast, 200}, {"wasted", atMost, 1}, {"state", is, "ready"}}}
	for _, c := range []struct{ name, out, missed, err string }{
		{name: "all limits hold", out: `{"ready":200,"wasted":1.0,"state":"ready","steps":[1]}`},
		{name: "a figure below its limit is missed", out: `{"ready":199,"wasted":0,"state":"ready"}`, missed: "ready is 199, not ≥ 200"},
		{name: "a figure above its limit is missed", out: `{"ready":200,"wasted":1.01,"state":"ready"}`, missed: "wasted is 1.01, not ≤ 1"},
		{name: "another text is missed", out: `{"ready":200,"wasted":0,"state":"stuck"}`, missed: "state is stuck, not = ready"},
		{name: "a promised figure that is not printed is an error", out: `{"ready":200,"state":"ready"}`, err: `no "wasted"`},
		{name: "a figure that is not a number is an error", out: `{"ready":"200","wasted":0,"state":"ready"}`, err: "not a number"},
		{name: "no JSON is an error", out: "unknown command bench", err: "JSON object"},
		{name: "nothing is an error", out: "", err: "JSON object"},
		{name: "half an object is an error", out: `{"ready":200,"wasted":0,"state":"ready"`, err: "read its JSON"},
		{name: "two objects are an error", out: `{"ready":200,"wasted":0,"state":"ready"}{}`, err: "more than one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, missed, err := p.write([]byte(c.out), 2*time.Second, "commit abc")
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one about %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(missed, "; "); (c.missed == "") != (got == "") || !strings.Contains(got, c.missed) {
				t.Errorf("missed %q, want %q", got, c.missed)
			}
			if strings.Contains(text, "**missed**") != (c.missed != "") {
				t.Errorf("the text does not show the verdict:\n%s", text)
			}
			if !strings.Contains(text, "`causeway bench x --json`, 2s; commit abc") || strings.Contains(text, "steps") {
				t.Errorf("text:\n%s", text)
			}
		})
	}
}

// A proof that cannot run must not leave a document which looks as if it had.
func TestNothingIsWrittenWhenACommandIsMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "figures.md")
	err := run(t.Context(), "/nonexistent/causeway", file, "")
	if err == nil || !strings.Contains(err.Error(), "causeway bench start --json") {
		t.Fatalf("error %v, want one that names the command", err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the document exists: %v", err)
	}
}

// A part that is measured anew leaves the others as they were.
func TestADocumentIsReadBackByItsTitles(t *testing.T) {
	was := document(map[string]string{proofs[0].title: "\n## " + proofs[0].title + "\n\nfirst\n", proofs[1].title: "\n## " + proofs[1].title + "\n\nsecond\n"})
	shown := sections(was)
	if again := document(shown); again != was {
		t.Errorf("read and written again it is\n%s\nnot\n%s", again, was)
	}
	shown[proofs[1].title] = "\n## " + proofs[1].title + "\n\nmeasured anew\n"
	if now := document(shown); !strings.Contains(now, "first") || !strings.Contains(now, "measured anew") || strings.Contains(now, "second") {
		t.Errorf("after another measurement:\n%s", now)
	}
}
