package agreement_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/partner"
	"causeway/internal/store"
	"causeway/internal/store/storetest"

	"golang.org/x/net/html"
	"pgregory.net/rapid"
)

var (
	owner = account.Actor{User: "u-owner", Role: account.RoleOwner, Name: "Owner", Address: "192.0.2.1"}
	desk  = account.Actor{User: "u-support", Role: account.RoleSupport}
	admin = account.Actor{User: "u-admin", Org: "contoso", Role: account.RoleAdministrator, Name: "Administrator", Email: "admin@contoso.example", Address: "198.51.100.4"}
	rival = account.Actor{User: "u-rival", Org: "fabrikam", Role: account.RoleAdministrator}
	start = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
)

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newRegister(t *testing.T, db *store.DB) (*agreement.Register, *clock) {
	t.Helper()
	c := &clock{start}
	r := agreement.New(db, c.Now)
	if err := r.Seed(t.Context(), agreement.Initial(partner.SeedBrand())); err != nil {
		t.Fatal(err)
	}
	return r, c
}

func TestTheFirstDocumentsSpeakTheBrandsWords(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		r, c := newRegister(t, db)
		if err := r.Seed(ctx, agreement.Initial(partner.DefaultBrand())); err != nil { // a second start
			t.Fatal(err)
		}
		all, err := r.Documents(ctx, desk)
		if err != nil || len(all) != 6 {
			t.Fatalf("documents = %d, %v, want 6", len(all), err)
		}
		terms, err := r.InForce(ctx, "US", "en-US", c.now)
		if err != nil {
			t.Fatal(err)
		}
		p := terms.Partner
		if p.Version != 7 || p.Country != "US" || p.Title != "CenturyLink Cloud Integration terms" || !p.ValidFrom.Equal(time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("in force: version %d %s %q since %s", p.Version, p.Country, p.Title, p.ValidFrom)
		}
		for _, words := range []string{"CenturyLink bills the usage and is the first contact", "CLC Account", "“Integrated Azure Services Usage”", "“Update to previous month”", "cloudintegration@ctl.io", "New York"} {
			if !strings.Contains(p.Text, words) {
				t.Errorf("the terms do not say %q", words)
			}
		}
		if strings.ContainsAny(p.Text, "{}") {
			t.Errorf("a word was not filled in:\n%s", p.Text)
		}
		if p.Hash != agreement.TextHash(p.Title, p.Link, p.Text) || p.Hash == terms.Microsoft.Hash {
			t.Error("the hash is not the text's")
		}
		if m := terms.Microsoft; m.Link != agreement.MicrosoftLink || m.Kind != agreement.MicrosoftAgreement {
			t.Errorf("Microsoft's: %+v", m)
		}
		elsewhere, err := r.InForce(ctx, "JP", "ja-JP", c.now)
		if err != nil || elsewhere.Partner.Country != "*" || strings.Contains(elsewhere.Partner.Text, "New York") {
			t.Errorf("Japan: %+v, %v", elsewhere.Partner.Country, err)
		}
		before, err := r.InForce(ctx, "US", "en-US", time.Date(2026, 8, 31, 23, 59, 59, 0, time.UTC))
		if err != nil || before.Partner.Version != 6 {
			t.Errorf("the day before: version %d, %v", before.Partner.Version, err)
		}
		former, ok, err := r.Former(ctx, p)
		if err != nil || !ok || former.Version != 6 {
			t.Fatalf("former = %d, %t, %v", former.Version, ok, err)
		}
		changes := agreement.Compare(former, p)
		if len(changes) != 1 || changes[0].Section != "2. Charges" || changes[0].Kind != agreement.Changed || strings.Contains(changes[0].Was, "Update to") || !strings.Contains(changes[0].Is, "Update to") {
			t.Errorf("changes = %+v", changes)
		}
		if _, ok, err := r.Former(ctx, before.Partner); ok || err != nil {
			t.Errorf("the first has a former: %v", err)
		}
	})
	for _, d := range agreement.Initial(partner.DefaultBrand()) {
		if strings.ContainsAny(d.Text, "{}") || strings.Contains(d.Text, "CenturyLink") || strings.Contains(d.Text, ". your") {
			t.Errorf("in neutral words:\n%s", d.Text)
		}
	}
}

func TestANewVersionHasToBeAcceptedAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		r, c := newRegister(t, db)
		needs := func(country, language string) (kinds []string) {
			docs, err := r.NeedsAcceptance(ctx, "CTSE", country, language, c.now)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range docs {
				kinds = append(kinds, string(d.Kind))
			}
			return kinds
		}
		if got := needs("US", "en-US"); len(got) != 2 {
			t.Fatalf("a new account needs %v", got)
		}
		terms, err := r.InForce(ctx, "US", "en-US", c.now)
		if err != nil {
			t.Fatal(err)
		}
		accept(t, db, r, acceptanceOf(terms.Partner, agreement.ByPortal, ""))
		if got := needs("US", "en-US"); !slices.Equal(got, []string{"microsoft"}) {
			t.Errorf("after the first it needs %v", got)
		}
		accept(t, db, r, acceptanceOf(terms.Microsoft, agreement.ByAttestation, "att-1"))
		if got := needs("US", "en-US"); got != nil {
			t.Errorf("after both it needs %v", got)
		}
		again := acceptanceOf(terms.Partner, agreement.ByPortal, "")
		again.Attempt = "provider-2" // the same account is counted once
		accept(t, db, r, again)
		want := map[agreement.DocumentID]int{terms.Partner.ID: 1, terms.Microsoft.ID: 1}
		if n, err := r.AcceptedBy(ctx, desk); err != nil || !maps.Equal(n, want) {
			t.Errorf("accepted by %v, %v, want %v", n, err, want)
		}
		if n, err := r.AcceptedBy(ctx, admin); err != nil || len(n) > 0 {
			t.Errorf("a customer reads how many others accepted: %v, %v", n, err)
		}

		// A translation of the same version asks nobody again; a new version asks everybody, from its day on.
		german := agreement.Draft{Kind: agreement.PartnerTerms, Country: "US", Language: "de-DE", Version: 7, Title: "Bedingungen", Text: "## 1. Was Sie bestellen\n\nText."}
		if _, err := r.Publish(ctx, owner, german); err != nil {
			t.Fatal(err)
		}
		if got := needs("US", "de-AT"); got != nil {
			t.Errorf("a translation asks for %v", got)
		}
		day := c.now.Add(10 * 24 * time.Hour)
		eight := agreement.Draft{Kind: agreement.PartnerTerms, Country: "US", Language: "en-US", Title: "Terms", Text: "## 1. All\n\nNew.", Note: "All of it.", ValidFrom: day}
		doc, err := r.Publish(ctx, owner, eight)
		if err != nil || doc.Version != 8 {
			t.Fatalf("published version %d, %v", doc.Version, err)
		}
		if got := needs("US", "en-US"); got != nil {
			t.Errorf("before its day it asks for %v", got)
		}
		c.now = day
		if got := needs("US", "de-DE"); !slices.Equal(got, []string{"partner"}) {
			t.Errorf("from its day on it asks for %v", got)
		}
		if terms, err := r.InForce(ctx, "US", "de-DE", c.now); err != nil || terms.Partner.Version != 8 || terms.Partner.Language != "en-US" {
			t.Errorf("an old translation is in force: version %d %s, %v", terms.Partner.Version, terms.Partner.Language, err)
		}
	})
}

func acceptanceOf(d agreement.Document, way agreement.Way, reference string) agreement.Acceptance {
	return agreement.Acceptance{
		Org: "contoso", Alias: "CTSE", Attempt: "provider-1", Document: d.ID, User: admin.User, Name: admin.Name, Email: admin.Email, Login: "ctso-admin",
		At: start, Address: admin.Address, Hash: d.Hash, Way: way, Reference: reference,
	}
}

func accept(t *testing.T, db *store.DB, r *agreement.Register, a agreement.Acceptance) {
	t.Helper()
	if err := db.Tx(t.Context(), func(tx *store.Tx) error { return r.Accept(t.Context(), tx, a) }); err != nil {
		t.Fatal(err)
	}
}

func TestAnAcceptanceSaysWhoWhenWhereAndWhat(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		r, c := newRegister(t, db)
		terms, err := r.InForce(ctx, "US", "en-US", c.now)
		if err != nil {
			t.Fatal(err)
		}
		a := acceptanceOf(terms.Partner, agreement.ByPortal, "")
		for range 3 { // the step ran again
			accept(t, db, r, a)
		}
		again := a
		again.Attempt = "provider-2" // shown on every attempt, kept for each
		accept(t, db, r, again)
		got, err := r.Accepted(ctx, "CTSE")
		if err != nil || len(got) != 2 {
			t.Fatalf("accepted = %d, %v, want 2", len(got), err)
		}
		g := got[1]
		if g.Login != "ctso-admin" || g.User != "u-admin" || g.Email != "admin@contoso.example" || g.Address != "198.51.100.4" || !g.At.Equal(start) ||
			g.Hash != terms.Partner.Hash || g.Version != 7 || g.Kind != agreement.PartnerTerms || g.Country != "US" || g.Way != agreement.ByPortal {
			t.Errorf("kept: %+v", g)
		}
		if one, err := r.AcceptedFor(ctx, "provider-2"); err != nil || len(one) != 1 {
			t.Errorf("for provider-2: %d, %v", len(one), err)
		}
		if none, err := r.Accepted(ctx, "CTSO"); err != nil || len(none) != 0 {
			t.Errorf("another account: %v, %v", none, err)
		}
		if n, err := audit.Verify(ctx, db, "contoso"); n != 2 || err != nil {
			t.Errorf("audit entries = %d, %v, want 2", n, err)
		}

		for _, bad := range []struct {
			is     string
			change func(*agreement.Acceptance)
			want   fault.Kind
		}{
			{"another text", func(a *agreement.Acceptance) { a.Hash = terms.Microsoft.Hash }, fault.Invalid},
			{"no document", func(a *agreement.Acceptance) { a.Document = "none" }, fault.NotFound},
			{"nobody", func(a *agreement.Acceptance) { a.User, a.Email = "", "" }, fault.Invalid},
			{"no account", func(a *agreement.Acceptance) { a.Alias = "" }, fault.Invalid},
			{"no way", func(a *agreement.Acceptance) { a.Way = "wink" }, fault.Invalid},
			{"an attestation without its id", func(a *agreement.Acceptance) { a.Way = agreement.ByAttestation }, fault.Invalid},
			{"before it was in force", func(a *agreement.Acceptance) { a.At = start.AddDate(-1, 0, 0) }, fault.Invalid},
			{"a NUL", func(a *agreement.Acceptance) { a.Name = "a\x00" }, fault.Invalid},
		} {
			a := a
			a.Attempt = "provider-3"
			bad.change(&a)
			if err := db.Tx(ctx, func(tx *store.Tx) error { return r.Accept(ctx, tx, a) }); !errors.Is(err, bad.want) {
				t.Errorf("%s: %v, want %s", bad.is, err, bad.want)
			}
		}
	})
}

func TestAVersionIsPublishedInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		r, c := newRegister(t, db)
		good := agreement.Draft{Kind: agreement.PartnerTerms, Country: "US", Language: "en-US", Title: "Terms", Text: "Text.", Note: "New."}
		for _, bad := range []struct {
			is     string
			actor  account.Actor
			change func(*agreement.Draft)
			want   fault.Kind
		}{
			{"by support staff", desk, func(*agreement.Draft) {}, fault.Forbidden},
			{"by a customer", admin, func(*agreement.Draft) {}, fault.Forbidden},
			{"without a note", owner, func(d *agreement.Draft) { d.Note = "" }, fault.Invalid},
			{"an old version's translation", owner, func(d *agreement.Draft) { d.Version, d.Language = 6, "fr-CA" }, fault.Invalid},
			{"a version that is left out", owner, func(d *agreement.Draft) { d.Version = 9 }, fault.Invalid},
			{"the same version and language", owner, func(d *agreement.Draft) { d.Version = 7 }, fault.Conflict},
			{"in force yesterday", owner, func(d *agreement.Draft) { d.ValidFrom = c.now.Add(-24 * time.Hour) }, fault.Invalid},
			{"a country in words", owner, func(d *agreement.Draft) { d.Country = "usa" }, fault.Invalid},
			{"a language in words", owner, func(d *agreement.Draft) { d.Language = "plain English" }, fault.Invalid},
			{"no text", owner, func(d *agreement.Draft) { d.Text = " \n" }, fault.Invalid},
			{"a link that runs code", owner, func(d *agreement.Draft) { d.Link = "javascript:alert(1)" }, fault.Invalid},
			{"an unknown kind", owner, func(d *agreement.Draft) { d.Kind = "nda" }, fault.Invalid},
		} {
			d := good
			bad.change(&d)
			if _, err := r.Publish(t.Context(), bad.actor, d); !errors.Is(err, bad.want) {
				t.Errorf("%s: %v, want %s", bad.is, err, bad.want)
			}
		}
		var all sync.WaitGroup
		versions := make([]int64, 4)
		ctx := context.WithoutCancel(t.Context())
		for i := range versions {
			all.Go(func() {
				doc, err := r.Publish(ctx, owner, good)
				if err != nil && !errors.Is(err, fault.Conflict) {
					t.Errorf("publish: %v", err)
				}
				versions[i] = doc.Version
			})
		}
		all.Wait()
		slices.Sort(versions)
		if versions = slices.DeleteFunc(versions, func(v int64) bool { return v == 0 }); versions[0] != 8 || len(slices.Compact(slices.Clone(versions))) != len(versions) {
			t.Errorf("versions = %v", versions)
		}
	})
}

func TestWithoutADocumentNobodyCanOnboard(t *testing.T) {
	r := agreement.New(storetest.SQLite(t), func() time.Time { return start })
	if _, err := r.InForce(t.Context(), "US", "en-US", start); !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "partner agreement") {
		t.Errorf("got %v", err)
	}
}

func TestTheCountrysOwnTermsComeFirst(t *testing.T) {
	db := storetest.SQLite(t)
	r := agreement.New(db, func() time.Time { return start })
	var drafts []agreement.Draft
	for _, d := range []struct {
		country, language string
		version           int64
	}{{"*", "en-US", 3}, {"*", "de-DE", 3}, {"CA", "en-CA", 1}, {"CA", "fr-CA", 1}, {"BR", "pt-BR", 2}} {
		drafts = append(drafts, agreement.Draft{Kind: agreement.PartnerTerms, Country: d.country, Language: d.language, Version: d.version, Title: d.country + " " + d.language, Text: "x", Note: "n", ValidFrom: start})
	}
	drafts = append(drafts, agreement.Draft{Kind: agreement.MicrosoftAgreement, Country: "*", Language: "en-US", Version: 1, Title: "M", Text: "x", ValidFrom: start})
	if err := r.Seed(t.Context(), drafts); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ country, language, want string }{
		{"CA", "fr-CA", "CA fr-CA"},
		{"CA", "fr-FR", "CA fr-CA"}, // the same language of another country
		{"CA", "de-DE", "CA en-CA"}, // English rather than the rest of the world's German
		{"BR", "en-US", "BR pt-BR"}, // the country's own, whatever its language
		{"AT", "de-AT", "* de-DE"},
		{"JP", "ja-JP", "* en-US"},
	} {
		if terms, err := r.InForce(t.Context(), c.country, c.language, start); err != nil || terms.Partner.Title != c.want {
			t.Errorf("%s %s gets %q, %v, want %q", c.country, c.language, terms.Partner.Title, err, c.want)
		}
	}
}

func TestTextBecomesSafeHTML(t *testing.T) {
	for _, c := range []struct{ is, text, want string }{
		{"headings and paragraphs", "# One\n\nA\nB\n\n## Two\nC", "<h2>One</h2>\n<p>A B</p>\n<h3>Two</h3>\n<p>C</p>\n"},
		{"lists", "- a\n- b\n\n1. c\n2. d", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<ol>\n<li>c</li>\n<li>d</li>\n</ol>\n"},
		{"emphasis", "**bold** and *italic*", "<p><strong>bold</strong> and <em>italic</em></p>\n"},
		{"a link", "[us](https://a.example/?b=1&c=2)", `<p><a href="https://a.example/?b=1&amp;c=2" rel="noopener noreferrer">us</a></p>` + "\n"},
		{"an address", "[mail](mailto:a@b.example)", `<p><a href="mailto:a@b.example" rel="noopener noreferrer">mail</a></p>` + "\n"},
		{"a tag is text", "<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"},
		{"a link that runs code is text", "[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"},
		{"a link with a quote", `[x](https://a.example/"onclick="y)`, `<p><a href="https://a.example/%22onclick=%22y" rel="noopener noreferrer">x</a></p>` + "\n"},
		{"line ends of another system", "A\r\n\r\nB\r", "<p>A</p>\n<p>B</p>\n"},
	} {
		if got := agreement.HTML(c.text); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.is, got, c.want)
		}
	}
}

// Whatever an author writes, a browser finds only the elements that HTML makes
// by itself, properly nested, and links that may be followed.
func TestNoTextBreaksOutOfTheHTML(t *testing.T) {
	pieces := []string{"<", ">", "\"", "'", "&", "*", "**", "[", "]", "(", ")", "](", "- ", "1. ", "# ", "\n", "\n\n", "javascript:", "https://a.example", "data:", "<img src=x onerror=y>", "text", "\\", "`", "\r", "&#60;"}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(pieces), rapid.String())).Draw(t, "text"), "")
		out := agreement.HTML(text)
		z := html.NewTokenizer(strings.NewReader(out))
		var open []string
		for {
			switch kind := z.Next(); kind {
			case html.ErrorToken:
				if len(open) > 0 {
					t.Fatalf("not closed: %v in %s", open, out)
				}
				return
			case html.StartTagToken:
				token := z.Token()
				if !slices.Contains([]string{"p", "h2", "h3", "h4", "ul", "ol", "li", "strong", "em", "a"}, token.Data) {
					t.Fatalf("element %s in %s", token.Data, out)
				}
				for _, a := range token.Attr {
					if a.Key == "href" && !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "http://") && !strings.HasPrefix(a.Val, "mailto:") || a.Key != "href" && a.Key != "rel" {
						t.Fatalf("attribute %s=%q in %s", a.Key, a.Val, out)
					}
				}
				open = append(open, token.Data)
			case html.EndTagToken:
				token := z.Token()
				if len(open) == 0 || open[len(open)-1] != token.Data {
					t.Fatalf("%s closes %v in %s", token.Data, open, out)
				}
				open = open[:len(open)-1]
			case html.TextToken:
			default:
				t.Fatalf("%v in %s", kind, out)
			}
		}
	})
}

func TestCompareNamesWhatChanged(t *testing.T) {
	doc := func(text string) agreement.Document { return agreement.Document{Text: text} }
	got := agreement.Compare(doc("Intro\n\n## A\none\n\n## B\ntwo\n\n## C\nthree"), doc("Intro\r\n\r\n## A\r\none  \r\n\r\n## B\r\n2\r\n\r\n## D\r\nfour"))
	want := []agreement.Change{
		{Kind: agreement.Changed, Section: "B", Was: "two", Is: "2"},
		{Kind: agreement.Added, Section: "D", Is: "four"},
		{Kind: agreement.Removed, Section: "C", Was: "three"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes = %+v", got)
	}
	if got := agreement.Compare(doc("a"), doc("a")); len(got) != 0 {
		t.Errorf("the same text differs: %+v", got)
	}
}

func TestTheHashIsOfWhatIsShown(t *testing.T) {
	h := agreement.TextHash("Terms", "", "a\nb")
	if h != agreement.TextHash("Terms", "", "a  \r\nb\r\n\r\n") {
		t.Error("line ends change the hash")
	}
	for _, other := range []string{agreement.TextHash("Terms", "", "a\nB"), agreement.TextHash("terms", "", "a\nb"), agreement.TextHash("Terms", "x", "a\nb"), agreement.TextHash("Terms\n", "", "a\nb")} {
		if other == h {
			t.Error("another text has the same hash")
		}
	}
	if bytes.Contains([]byte(h), []byte("=")) || len(h) != 64 {
		t.Errorf("hash = %s", h)
	}
}
