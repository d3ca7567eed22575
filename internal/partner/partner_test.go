package partner_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/partner"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

var (
	owner   = account.Actor{User: "u-owner", Role: account.RoleOwner, Name: "Owner", Email: "owner@partner.example", Address: "192.0.2.1"}
	support = account.Actor{User: "u-support", Role: account.RoleSupport}
	admin   = account.Actor{User: "u-admin", Org: "contoso", Role: account.RoleAdministrator}
	now     = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
)

func clock() time.Time { return now }

func TestSettingsHaveDefaultsUntilSomebodySaves(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		s := partner.New(db, clock, partner.WithBrand(partner.SeedBrand()))
		b, err := s.Brand(ctx)
		if err != nil || b.Version != 0 || b.AccountWord != "CLC Account" {
			t.Fatalf("brand before the first version = %+v, %v", b, err)
		}
		r, err := s.Rules(ctx)
		if err != nil || r.Version != 0 || !r.Serves("US") || r.Serves("GB") {
			t.Fatalf("rules before the first version = %+v, %v", r, err)
		}

		b.Product = "Contoso Cloud"
		if err := s.SetBrand(ctx, owner, 0, b); err != nil {
			t.Fatal(err)
		}
		r.Countries = []string{"US", "GB", "CA"}
		r.Answer.Holidays = []string{"2026-11-26"}
		if err := s.SetRules(ctx, owner, 0, r); err != nil {
			t.Fatal(err)
		}
		m, err := s.Microsoft(ctx)
		if err != nil || m.DomainSuffix != "onmicrosoft.com" {
			t.Fatalf("microsoft = %+v, %v", m, err)
		}
		m.Tenant, m.MPNID = "3f0c1c0e-5b0f-4c57-9d0e-6f1d6f1f3b11", "1234567"
		if err := s.SetMicrosoft(ctx, owner, 0, m); err != nil {
			t.Fatal(err)
		}

		// Another process sees all of it, and what was left alone.
		other := partner.New(db, clock)
		b, err = other.Brand(ctx)
		if err != nil || b.Version != 1 || b.Product != "Contoso Cloud" || b.LineLabel != "Integrated Azure Services Usage" {
			t.Errorf("brand = version %d %q %q, %v", b.Version, b.Product, b.LineLabel, err)
		}
		r, err = other.Rules(ctx)
		if err != nil || r.Version != 1 || !r.Serves("CA") || len(r.Answer.Holidays) != 1 || r.DefaultBudget.Text() != "2500" {
			t.Errorf("rules = %+v, %v", r, err)
		}
		m, err = other.Microsoft(ctx)
		if err != nil || m.Version != 1 || m.MPNID != "1234567" {
			t.Errorf("microsoft = %+v, %v", m, err)
		}
		if n, err := audit.Verify(ctx, db, ""); n != 3 || err != nil {
			t.Errorf("audit entries = %d, %v, want 3", n, err)
		}
		history, err := s.History(ctx, support, "brand", 10)
		if err != nil || len(history) != 1 || history[0].By != "user:u-owner" || !history[0].At.Equal(now) {
			t.Errorf("history = %+v, %v", history, err)
		}
	})
}

// A change by another replica must be seen at the next page, not after a time.
func TestAChangeIsSeenAtOnceByWhoReadBefore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		one, two := partner.New(db, clock), partner.New(db, clock)
		for i, name := range []string{"First", "Second", "Third"} {
			b, err := one.Brand(ctx)
			if err != nil {
				t.Fatal(err)
			}
			b.Product = name
			if err := one.SetBrand(ctx, owner, int64(i), b); err != nil {
				t.Fatal(err)
			}
			if b, err := two.Brand(ctx); err != nil || b.Product != name || b.Version != int64(i+1) {
				t.Errorf("the other reads %q version %d, %v; want %q version %d", b.Product, b.Version, err, name, i+1)
			}
		}
	})
}

func TestTwoWhoSaveTheSameVersionGiveOneConflict(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		s := partner.New(db, clock)
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				r := partner.DefaultRules()
				r.ExceptionDays = 10 + i
				errs[i] = s.SetRules(context.WithoutCancel(ctx), owner, 0, r)
			})
		}
		all.Wait()
		saved := 0
		for _, err := range errs {
			switch {
			case err == nil:
				saved++
			case !errors.Is(err, fault.Conflict):
				t.Errorf("the loser gets %v, want a conflict", err)
			}
		}
		if saved != 1 {
			t.Errorf("saved = %d, want 1", saved)
		}
		if r, err := s.Rules(ctx); err != nil || r.Version != 1 {
			t.Errorf("version = %d, %v, want 1", r.Version, err)
		}
		if err := s.SetRules(ctx, owner, 0, partner.DefaultRules()); !errors.Is(err, fault.Conflict) {
			t.Errorf("a stale version gives %v, want a conflict", err)
		}
		if err := s.SetRules(ctx, owner, 7, partner.DefaultRules()); !errors.Is(err, fault.Conflict) {
			t.Errorf("a version that never was gives %v, want a conflict", err)
		}
	})
}

func TestSavingWithoutAChangeMakesNoVersion(t *testing.T) {
	db := storetest.SQLite(t)
	s := partner.New(db, clock)
	b := partner.SeedBrand()
	for range 2 {
		read, err := s.Brand(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetBrand(t.Context(), owner, read.Version, b); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := s.Brand(t.Context()); err != nil || b.Version != 1 {
		t.Errorf("version = %d, %v, want 1", b.Version, err)
	}
}

func TestOnlyTheOwnerChangesSettings(t *testing.T) {
	s := partner.New(storetest.SQLite(t), clock)
	for _, a := range []account.Actor{support, admin, {}} {
		if err := s.SetBrand(t.Context(), a, 0, partner.SeedBrand()); !errors.Is(err, fault.Forbidden) {
			t.Errorf("%s %q gets %v, want forbidden", a.Role, a.Org, err)
		}
	}
	if _, err := s.History(t.Context(), admin, "brand", 10); err == nil {
		t.Error("a customer reads the history of settings")
	}
	if b, err := s.Brand(t.Context()); err != nil || b.Version != 0 {
		t.Errorf("something was saved: version %d, %v", b.Version, err)
	}
}

func TestAReaderCannotChangeWhatOthersSee(t *testing.T) {
	s := partner.New(storetest.SQLite(t), clock)
	r := partner.DefaultRules()
	r.Countries = []string{"US", "GB"}
	if err := s.SetRules(t.Context(), owner, 0, r); err != nil {
		t.Fatal(err)
	}
	first, err := s.Rules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first.Countries[0] = "XX"
	if second, err := s.Rules(t.Context()); err != nil || second.Countries[0] != "US" {
		t.Errorf("countries = %v, %v", second.Countries, err)
	}
}

func TestBothBrandsAreGood(t *testing.T) {
	for name, b := range map[string]partner.Brand{"default": partner.DefaultBrand(), "seed": partner.SeedBrand()} {
		if err := b.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := partner.DefaultRules().Check(); err != nil {
		t.Errorf("rules: %v", err)
	}
	if err := partner.DefaultMicrosoft().Check(); err != nil {
		t.Errorf("microsoft: %v", err)
	}
}

func TestContrastIsTheOneOfWCAG(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"#000000", "#ffffff", 21},
		{"#ffffff", "#ffffff", 1},
		{"#3451d1", "#ffffff", 6.5}, // the portal's tokens, with the ratios of their documentation
		{"#9db0ff", "#1a1d23", 8.1},
		{"#767676", "#ffffff", 4.54}, // the lightest grey that passes
	} {
		got, err := partner.Contrast(c.a, c.b)
		if err != nil || got < c.want-0.1 || got > c.want+0.1 {
			t.Errorf("%s on %s = %.2f, %v, want %.2f", c.a, c.b, got, err, c.want)
		}
		if back, err := partner.Contrast(c.b, c.a); err != nil || back != got {
			t.Errorf("%s on %s depends on the order: %.2f, %.2f", c.a, c.b, got, back)
		}
	}
}

func TestABadBrandIsRefusedWithFieldReasonAndRemedy(t *testing.T) {
	for _, c := range []struct {
		is     string
		change func(*partner.Brand)
		field  string
		reason string // a part of it
	}{
		{"an accent too light for white", func(b *partner.Brand) { b.Accent = "#8ea2ff" }, "accent", ":1 on the white card and "},
		{"a grey just below, only on the canvas", func(b *partner.Brand) { b.Accent = "#757575" }, "accent", "4.3"},
		{"a dark accent in the dark theme", func(b *partner.Brand) { b.AccentDark = "#3451d1" }, "accent_dark", "on the dark card"},
		{"an accent that is a word", func(b *partner.Brand) { b.Accent = "blue" }, "accent", `"blue" is not a colour`},
		{"an accent with code in it", func(b *partner.Brand) { b.Accent = "#3451d1;}" }, "accent", "not a colour"},
		{"no product", func(b *partner.Brand) { b.Product = "  " }, "product", "is empty"},
		{"a product of 61 letters", func(b *partner.Brand) { b.Product = strings.Repeat("ü", 61) }, "product", "61 characters"},
		{"a sender's name with a line break", func(b *partner.Brand) { b.MailFromName = "A\r\nBcc: x@example.com" }, "mail_from_name", "line break"},
		{"a contact that is a name", func(b *partner.Brand) { b.ContactEmail = "Owner <owner@partner.example>" }, "contact_email", "not an e-mail address"},
		{"a link that runs code", func(b *partner.Brand) { b.SignUpURL = "javascript:alert(1)" }, "sign_up_url", "not a web address"},
		{"a NUL", func(b *partner.Brand) { b.MailSignature = "a\x00b" }, "mail_signature", "cannot be stored"},
		{"a mark with a script", func(b *partner.Brand) {
			b.Mark = []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`)
		}, "mark", `element "script"`},
		{"a mark with a handler", func(b *partner.Brand) {
			b.Mark = []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>`)
		}, "mark", `attribute "onload"`},
		{"a mark with a link", func(b *partner.Brand) {
			b.Mark = []byte(`<svg xmlns="http://www.w3.org/2000/svg"><path fill="url(https://x.example/a)"/></svg>`)
		}, "mark", `attribute "fill"`},
		{"a mark that is a page", func(b *partner.Brand) { b.Mark = []byte(`<html/>`) }, "mark", "not an SVG"},
		{"a mark with entities", func(b *partner.Brand) {
			b.Mark = []byte(`<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg"/>`)
		}, "mark", "not an SVG"},
		{"a mark of 33 KB", func(b *partner.Brand) { b.Mark = make([]byte, 33<<10) }, "mark", "33 KB"},
	} {
		t.Run(c.is, func(t *testing.T) {
			b := partner.SeedBrand()
			c.change(&b)
			f := fault.Of(b.Check())
			if f == nil || len(f.Refusals) != 1 {
				t.Fatalf("refusals = %+v, want one", f)
			}
			if r := f.Refusals[0]; r.Field != c.field || !strings.Contains(r.Reason, c.reason) || r.Remedy == "" {
				t.Errorf("refused with %+v, want field %s and reason …%s…", r, c.field, c.reason)
			}
		})
	}
	good := partner.SeedBrand()
	good.Mark = []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><defs><linearGradient id="a"><stop offset="0" stop-color="#fff"/></linearGradient></defs><path d="M0 0h24" fill="url(#a)"/></svg>`)
	if err := good.Check(); err != nil {
		t.Errorf("a plain mark: %v", err)
	}
	worst := partner.Brand{}
	if f := fault.Of(worst.Check()); f == nil || len(f.Refusals) < 15 {
		t.Errorf("an empty brand is refused with %v, want all that is missing", f)
	}
}

func TestBadRulesAreRefused(t *testing.T) {
	for _, c := range []struct {
		is     string
		change func(*partner.Rules)
		field  string
	}{
		{"no country", func(r *partner.Rules) { r.Countries = nil }, "countries"},
		{"a country in words", func(r *partner.Rules) { r.Countries = []string{"USA"} }, "countries"},
		{"a country twice", func(r *partner.Rules) { r.Countries = []string{"US", "US"} }, "countries"},
		{"an exception without end", func(r *partner.Rules) { r.ExceptionDays = 0 }, "exception_days"},
		{"reminders that fall", func(r *partner.Rules) { r.SignatoryReminders = []int{7, 3} }, "signatory_reminder_days"},
		{"a reminder after the end", func(r *partner.Rules) { r.SignatoryReminders = []int{30} }, "signatory_reminder_days"},
		{"an unknown role", func(r *partner.Rules) { r.AdminRole = "root" }, "admin_role"},
		{"an unknown way", func(r *partner.Rules) { r.AgreementWay = "" }, "agreement_way"},
		{"hours without a zone", func(r *partner.Rules) { r.Answer.Zone = "Mars/Olympus" }, "answer.zone"},
		{"hours that end before they begin", func(r *partner.Rules) { r.Answer.To = "08:00" }, "answer.from"},
		{"no business day", func(r *partner.Rules) { r.Answer.Days = nil }, "answer.days"},
		{"a holiday that is no date", func(r *partner.Rules) { r.Answer.Holidays = []string{"2026-02-30"} }, "answer.holidays"},
	} {
		t.Run(c.is, func(t *testing.T) {
			r := partner.DefaultRules()
			c.change(&r)
			f := fault.Of(r.Check())
			if f == nil || f.Refusals[0].Field != c.field || f.Refusals[0].Remedy == "" {
				t.Errorf("refused with %+v, want field %s", f, c.field)
			}
		})
	}
}

func TestAnswersArePromisedInBusinessHours(t *testing.T) {
	h := partner.DefaultRules().Answer
	h.Holidays = []string{"2026-11-26"}
	const form = "Mon 2 Jan 15:04"
	for _, c := range []struct{ asked, promised string }{
		{"2026-11-20T15:00:00Z", "Tue 24 Nov 17:00"}, // Friday 10:00 in New York: two business days later
		{"2026-11-20T21:59:59Z", "Tue 24 Nov 17:00"}, // a second before closing time
		{"2026-11-20T22:00:00Z", "Wed 25 Nov 17:00"}, // at closing time: counts as Monday
		{"2026-11-21T12:00:00Z", "Wed 25 Nov 17:00"}, // Saturday
		{"2026-11-24T15:00:00Z", "Fri 27 Nov 17:00"}, // a holiday in between
		{"2026-11-26T15:00:00Z", "Tue 1 Dec 17:00"},  // on a holiday
		{"2026-03-06T15:00:00Z", "Tue 10 Mar 17:00"}, // clocks change on the Sunday
		{"2026-12-31T15:00:00Z", "Mon 4 Jan 17:00"},  // over the year's end
	} {
		asked, err := time.Parse(time.RFC3339, c.asked)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.AnswerBy(asked).Format(form); got != c.promised {
			t.Errorf("asked %s: promised %s, want %s", c.asked, got, c.promised)
		}
	}
	h.Within = 0
	if got := h.AnswerBy(now).Format(form); got != "Fri 20 Nov 17:00" {
		t.Errorf("the same day: promised %s", got)
	}
}
