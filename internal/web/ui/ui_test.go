package ui_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"causeway/internal/web/static"
	"causeway/internal/web/ui"

	"github.com/a-h/templ"
)

func html(t *testing.T, c templ.Component) string {
	t.Helper()
	var b strings.Builder
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestStateIsIconWordAndColour(t *testing.T) {
	words := map[string]ui.State{}
	for _, s := range []ui.State{ui.StateReady, ui.StateInProgress, ui.StateWaitingForYou, ui.StateWaiting, ui.StateStuck, ui.StateDraft, ui.StateCancelled,
		ui.StateCancelling, ui.StateReleased, ui.StateOpen, ui.StateGranted, ui.StateDeclined, ui.StateExpired} {
		l := s.Look()
		if l.Word == "" || l.Word == string(s) || l.Tone == "" {
			t.Errorf("%s: look %+v is not complete", s, l)
		}
		if other, ok := words[l.Word]; ok {
			t.Errorf("%s and %s are both called %q", s, other, l.Word)
		}
		words[l.Word] = s
		got := html(t, ui.StateTag(s))
		for _, want := range []string{"<path", l.Word, `data-tone="` + string(l.Tone) + `"`} {
			if !strings.Contains(got, want) && (want != "<path" || !strings.Contains(got, "<circle")) {
				t.Errorf("%s: tag lacks %s: %s", s, want, got)
			}
		}
	}
}

func TestAmount(t *testing.T) {
	for _, c := range []struct{ says, in, currency, want string }{
		{"thousands are grouped", "1207.44", "USD", "1,207.44 USD"},
		{"a minus is a minus, not a hyphen", "-412.90", "", "−412.90"},
		{"no digit is added", "5", "EUR", "5 EUR"},
		{"no digit is dropped", "1234567.439985", "USD", "1,234,567.439985 USD"},
		{"three digits need no comma", "999.00", "", "999.00"},
	} {
		if got := ui.FormatAmount(c.in, c.currency); got != c.want {
			t.Errorf("%s: %q, want %q", c.says, got, c.want)
		}
	}
}

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		says string
		in   time.Duration
		want string
	}{
		{"under a minute", 41 * time.Second, "41 s"},
		{"minutes and seconds", 588 * time.Second, "9 min 48 s"},
		{"whole minutes", 10 * time.Minute, "10 min"},
		{"hours and minutes", 192 * time.Minute, "3 h 12 min"},
		{"days", 100 * time.Hour, "4 days"},
		{"a clock that ran backwards", -time.Second, "0 s"},
	} {
		if got := ui.FormatSpan(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.says, got, c.want)
		}
	}
}

func TestWhen(t *testing.T) {
	zone := time.FixedZone("reader", -6*3600)
	now := time.Date(2026, 11, 23, 14, 20, 0, 0, zone)
	for _, c := range []struct {
		says string
		at   time.Time
		want string
	}{
		{"seconds ago", now.Add(-20 * time.Second), "Just now"},
		{"a minute", now.Add(-80 * time.Second), "1 minute ago"},
		{"minutes", now.Add(-2 * time.Minute), "2 minutes ago"},
		{"earlier today, in the reader's zone", time.Date(2026, 11, 23, 12, 42, 0, 0, time.UTC), "Today, 06:42"},
		{"yesterday for the reader, today in UTC", time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC), "Yesterday, 21:00"},
		{"long ago", time.Date(2026, 9, 22, 12, 0, 0, 0, zone), "22 Sep 2026"},
		{"a future day", time.Date(2026, 12, 20, 12, 0, 0, 0, zone), "20 Dec 2026"},
	} {
		if got := ui.FormatWhen(c.at, now); got != c.want {
			t.Errorf("%s: %q, want %q", c.says, got, c.want)
		}
	}
}

func TestAccent(t *testing.T) {
	for _, c := range []struct {
		says   string
		accent ui.Accent
		fields string
	}{
		{"the built-in one passes", ui.Accent{Light: "#3451d1", Dark: "#9db0ff"}, ""},
		{"nothing set is the built-in one", ui.Accent{}, ""},
		{"a pale yellow cannot be read on white", ui.Accent{Light: "#ffe27a"}, "accent_light"},
		{"a dark blue cannot be read on dark", ui.Accent{Dark: "#1a237e"}, "accent_dark"},
		{"a word is not a colour", ui.Accent{Light: "tomato", Dark: "#12345"}, "accent_light accent_dark"},
		{"a style cannot be smuggled in", ui.Accent{Light: "#fff;}a{"}, "accent_light"},
	} {
		var fields []string
		for _, e := range c.accent.Check() {
			fields = append(fields, e.Field)
			if e.Reason == "" || e.Remedy == "" {
				t.Errorf("%s: refusal without reason or remedy: %+v", c.says, e)
			}
		}
		if got := strings.Join(fields, " "); got != c.fields {
			t.Errorf("%s: refused %q, want %q", c.says, got, c.fields)
		}
	}
	css := ui.Accent{Light: "#0B6E4F", Dark: "bad"}.CSS()
	if want := ":root { --brand-accent: #0b6e4f; --brand-on-accent: #ffffff; }\n"; css != want {
		t.Errorf("css = %q, want %q", css, want)
	}
}

// What people type is text, also between asterisks and in an exchange.
func TestTextIsEscaped(t *testing.T) {
	evil := `<img src=x onerror=alert(1)>`
	for name, c := range map[string]templ.Component{
		"rich text": ui.Rich("below **" + evil + "**, " + evil),
		"note":      ui.Notice(ui.Note{Title: evil, Text: evil}),
		"exchange":  ui.ExchangeView("x", ui.Exchange{Title: evil, Parts: []ui.ExchangePart{{Line: evil, Headers: []ui.Pair{{Name: evil, Value: evil}}, Body: evil + ui.Removed}}}),
		"field":     ui.FieldBox(ui.Field{ID: "a", Label: evil, Value: evil, Error: evil, Hint: evil}),
		"link":      ui.LinkTo(ui.Link{Label: evil, Href: "/x"}),
	} {
		got := html(t, c)
		if strings.Contains(got, "<img") {
			t.Errorf("%s lets HTML through: %s", name, got)
		}
	}
	if got := html(t, ui.Rich("a **b** c")); got != "a <b>b</b> c" {
		t.Errorf("rich = %q", got)
	}
	if got := html(t, ui.Rich("2 ** 3")); got != "2 ** 3" {
		t.Errorf("a lone pair of asterisks is text, got %q", got)
	}
}

// Only what differs is marked, on the side that has it.
func TestCompareMarksTheLinesThatDiffer(t *testing.T) {
	got := html(t, ui.Compare(ui.ComparePage{Changes: []ui.TextChange{{Section: "Charges", Was: "Same.\n\n- old <b>", Is: "Same.\n\n- new"}}}))
	for want, n := range map[string]int{"<p>Same.</p>": 2, "<del>- old &lt;b&gt;</del>": 1, "<ins>- new</ins>": 1, "<del>": 1, "<ins>": 1} {
		if strings.Count(got, want) != n {
			t.Errorf("%q stands %d times, want %d: %s", want, strings.Count(got, want), n, got)
		}
	}
}

// The exchange is shown to the letter, only the secrets are gone.
func TestExchangeKeepsEachBlank(t *testing.T) {
	got := html(t, ui.ExchangeView("x", ui.Exchange{Parts: []ui.ExchangePart{{Line: "POST", Body: "{\"a\":1,\n \"b\":" + ui.Removed + "}"}}}))
	if want := "<pre>{&#34;a&#34;:1,\n &#34;b&#34;:<em class=\"cw-removed\">removed</em>}</pre>"; !strings.Contains(got, want) {
		t.Errorf("body is not %q in %s", want, got)
	}
}

func TestOffActionSaysWhy(t *testing.T) {
	got := html(t, ui.Button(ui.Action{Label: "Try again", Post: "/x", Off: "The same prefix would be refused again."}))
	for _, want := range []string{`aria-disabled="true"`, `aria-describedby="try-again-why"`, `id="try-again-why"`, "would be refused again"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %s: %s", want, got)
		}
	}
	if strings.Contains(got, "<form") || strings.Contains(got, " disabled") {
		t.Errorf("an action that is off must not act, and must stay focusable: %s", got)
	}
}

func TestWizardStepsLeaveOutTheConnectionInOrganizationMode(t *testing.T) {
	var keys []string
	for _, s := range ui.WizardSteps(brand, map[string]string{"type": "Azure Resource Manager"}, "account") {
		keys = append(keys, s.Key)
		if s.Done != (s.Key == "type") {
			t.Errorf("%s: done = %t", s.Key, s.Done)
		}
	}
	if got := strings.Join(keys, " "); got != "type mode name details terms review" {
		t.Errorf("steps = %s", got)
	}
}

// No page needs what the strict policy refuses.
func TestNoInlineStyleOrScript(t *testing.T) {
	for _, p := range gallery() {
		got := html(t, p.page)
		for _, bad := range []string{" style=", " onclick=", " onload=", "<style", "javascript:", "hx-on"} {
			if strings.Contains(got, bad) {
				t.Errorf("%s contains %q", p.name, bad)
			}
		}
	}
}

func TestStaticFilesHaveFingerprints(t *testing.T) {
	for _, f := range []string{"app.css", "app.js", "theme.js", "htmx.min.js", "hx-sse.min.js", "icon.svg"} {
		if got := static.Path(f); !strings.HasPrefix(got, "/static/"+f+"?v=") {
			t.Errorf("%s is served as %s", f, got)
		}
	}
}

func TestStaticFilesArePackedAndKept(t *testing.T) {
	for _, c := range []struct{ says, url, encoding, cache string }{
		{"a stylesheet with its fingerprint is packed and kept for a year", static.Path("app.css"), "gzip", "public, max-age=31536000, immutable"},
		{"without fingerprint it is asked again", "/static/app.js", "gzip", "no-cache"},
		{"a font is packed already", "/static/fonts/inter-latin-wght-normal.woff2", "", "public, max-age=31536000, immutable"},
	} {
		r := httptest.NewRequest("GET", c.url, nil)
		r.Header.Set("Accept-Encoding", "gzip, br")
		w := httptest.NewRecorder()
		static.Handler().ServeHTTP(w, r)
		if w.Code != 200 || w.Header().Get("Content-Encoding") != c.encoding || w.Header().Get("Cache-Control") != c.cache {
			t.Errorf("%s: %d %q %q", c.says, w.Code, w.Header().Get("Content-Encoding"), w.Header().Get("Cache-Control"))
		}
	}
	for _, url := range []string{"/static/", "/static/fonts/", "/static/none.css", "/static/../go.mod"} {
		w := httptest.NewRecorder()
		static.Handler().ServeHTTP(w, httptest.NewRequest("GET", url, nil))
		if w.Code != 404 {
			t.Errorf("%s: %d, want 404", url, w.Code)
		}
	}
}
