package agreement_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/partner"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/support"
)

// office is all that a second signatory needs, on a clock of its own.
type office struct {
	*clock
	db       *store.DB
	register *agreement.Register
	queue    *job.Queue
	outbox   *support.Outbox
	sign     *agreement.Signatures
	mu       sync.Mutex
	closed   []agreement.Invitation
}

func newOffice(t *testing.T, db *store.DB) *office {
	t.Helper()
	r, c := newRegister(t, db)
	log := slog.New(slog.DiscardHandler)
	settings := partner.New(db, c.Now, partner.WithBrand(partner.SeedBrand()))
	q := job.New(db, "test", c.Now, log)
	o := &office{clock: c, db: db, register: r, queue: q, outbox: support.NewOutbox(db, c.Now, q, settings, support.Server{}, log)}
	o.sign = agreement.NewSignatures(r, q, o.outbox, settings, "https://portal.example/")
	o.sign.OnClose(func(_ context.Context, _ *store.Tx, i agreement.Invitation) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.closed = append(o.closed, i)
		return nil
	})
	return o
}

func (o *office) work(t *testing.T) {
	t.Helper()
	for {
		if did, err := o.queue.RunOnce(t.Context()); err != nil {
			t.Fatal(err)
		} else if !did {
			return
		}
	}
}

func (o *office) mails(t *testing.T) []support.Mail {
	t.Helper()
	p, err := o.outbox.Mails(t.Context(), desk, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return p.Items
}

var signLink = regexp.MustCompile(`https://portal\.example/sign/(\S+)`)

// tokens are the tokens of all mails so far, the newest first.
func (o *office) tokens(t *testing.T) (all []string) {
	t.Helper()
	for _, m := range o.mails(t) {
		if found := signLink.FindStringSubmatch(m.Text); found != nil {
			all = append(all, found[1])
		}
	}
	return all
}

func (o *office) invite(a account.Actor, change func(*agreement.Invitation)) (i agreement.Invitation, err error) {
	i = agreement.Invitation{
		Alias: "CTSE", Attempt: "provider-1", Company: "Contoso East LLC", Name: "Head of Purchasing", Email: "purchasing@contoso.example", Country: "US", Language: "en-US", Login: "ctso-admin",
	}
	change(&i)
	ctx := context.Background()
	err = o.db.Tx(ctx, func(tx *store.Tx) (err error) {
		i, err = o.sign.Invite(ctx, tx, a, i)
		return err
	})
	return i, err
}

func asIs(*agreement.Invitation) {}

func TestAnotherPersonSignsByLink(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		o := newOffice(t, db)
		i, err := o.invite(admin, asIs)
		if err != nil || i.State != agreement.Asked || !i.ExpiresAt.Equal(start.Add(30*24*time.Hour)) || !i.RemindAt.Equal(start.Add(3*24*time.Hour)) {
			t.Fatalf("invited: %+v, %v", i, err)
		}
		mail := o.mails(t)[0]
		if mail.To != "purchasing@contoso.example" || !mail.Secret || !strings.Contains(mail.Text, "CenturyLink Cloud Integration terms, version 7") || !strings.Contains(mail.Text, "Contoso East LLC") {
			t.Errorf("mail = %+v", mail)
		}
		token := o.tokens(t)[0]

		o.now = o.now.Add(time.Hour)
		opened, terms, err := o.sign.Open(ctx, token, "203.0.113.9")
		if err != nil || opened.State != agreement.Opened || !opened.OpenedAt.Equal(o.now) || terms.Partner.Version != 7 {
			t.Fatalf("opened: %+v, %v", opened, err)
		}
		if again, _, err := o.sign.Open(ctx, token, "203.0.113.9"); err != nil || !again.OpenedAt.Equal(opened.OpenedAt) {
			t.Errorf("opened again: %+v, %v", again, err)
		}
		if _, err := o.sign.Sign(ctx, token, "Head of Purchasing", "wrong", "203.0.113.9"); !errors.Is(err, fault.Invalid) {
			t.Errorf("another text is signed: %v", err)
		}
		if _, err := o.sign.Sign(ctx, token, "  ", terms.Partner.Hash, "203.0.113.9"); !errors.Is(err, fault.Invalid) {
			t.Errorf("nobody signs: %v", err)
		}
		signed, err := o.sign.Sign(ctx, token, "Head  of Purchasing", terms.Partner.Hash, "203.0.113.9")
		if err != nil || signed.State != agreement.Signed || signed.SignedName != "Head of Purchasing" {
			t.Fatalf("signed: %+v, %v", signed, err)
		}
		got, err := o.register.AcceptedFor(ctx, "provider-1")
		if err != nil || len(got) != 1 {
			t.Fatalf("accepted: %+v, %v", got, err)
		}
		if a := got[0]; a.Way != agreement.BySignatory || a.Reference != string(i.ID) || a.User != "" || a.Email != "purchasing@contoso.example" || a.Login != "ctso-admin" || a.Address != "203.0.113.9" || a.Alias != "CTSE" || a.Org != "contoso" {
			t.Errorf("acceptance = %+v", a)
		}
		if len(o.closed) != 1 || o.closed[0].State != agreement.Signed {
			t.Errorf("the onboarding was told %+v", o.closed)
		}
		if m := o.mails(t)[0]; m.To != "admin@contoso.example" || !strings.Contains(m.Text, "has accepted") || !strings.Contains(m.Text, "https://portal.example/providers/provider-1") {
			t.Errorf("the one who asked is told %+v", m)
		}
		if _, err := o.sign.Sign(ctx, token, "Head of Purchasing", terms.Partner.Hash, ""); !errors.Is(err, fault.Conflict) {
			t.Errorf("signed twice: %v", err)
		}
		if shown, _, err := o.sign.Open(ctx, token, ""); err != nil || shown.State != agreement.Signed {
			t.Errorf("the link afterwards shows %+v, %v", shown.State, err)
		}
		// invite, opened, acceptance, signed
		if n, err := audit.Verify(ctx, db, "contoso"); n != 4 || err != nil {
			t.Errorf("audit entries = %d, %v, want 4", n, err)
		}
		o.now = o.now.AddDate(0, 2, 0)
		o.work(t)
		if n := len(o.mails(t)); n != 2 {
			t.Errorf("%d mails, want 2: nobody reminds after the signature", n)
		}
	})
}

func TestASignatoryIsRemindedAndThenTheLinkEnds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		o := newOffice(t, db)
		i, err := o.invite(admin, asIs)
		if err != nil {
			t.Fatal(err)
		}
		var days []int
		for day := range 40 {
			o.now = start.AddDate(0, 0, day).Add(time.Minute)
			before := len(o.mails(t))
			o.work(t)
			if len(o.mails(t)) > before {
				days = append(days, day)
			}
		}
		if want := []int{3, 7, 14, 21, 30}; !slices.Equal(days, want) {
			t.Errorf("mails on days %v, want %v", days, want)
		}
		tokens := o.tokens(t)
		if len(tokens) != 5 || len(slices.Compact(slices.Sorted(slices.Values(tokens)))) != 5 {
			t.Fatalf("tokens = %v", tokens)
		}
		for _, token := range tokens { // each mail's link shows the same invitation
			if shown, _, err := o.sign.Open(ctx, token, ""); err != nil || shown.ID != i.ID || shown.State != agreement.Expired {
				t.Errorf("link shows %s %s, %v", shown.ID, shown.State, err)
			}
			if _, err := o.sign.Sign(ctx, token, "Head", "x", ""); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "20 December 2026") {
				t.Errorf("signed after the end: %v", err)
			}
		}
		if len(o.closed) != 1 || o.closed[0].State != agreement.Expired {
			t.Errorf("the onboarding was told %+v", o.closed)
		}
		if m := o.mails(t)[0]; m.To != "admin@contoso.example" || !strings.Contains(m.Text, "did not answer in time") {
			t.Errorf("the one who asked is told %+v", m)
		}
		if jobs, err := o.queue.Open(ctx); err != nil || len(jobs) != 0 {
			t.Errorf("jobs left: %v, %v", jobs, err)
		}
		if _, err := o.invite(admin, asIs); err != nil {
			t.Errorf("inviting again: %v", err)
		}
	})
}

// The link ends at its minute, also while the job that ends it is late.
func TestALinkEndsOnTimeWithoutTheJob(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t))
	if _, err := o.invite(admin, asIs); err != nil {
		t.Fatal(err)
	}
	token := o.tokens(t)[0]
	o.now = start.Add(30 * 24 * time.Hour)
	terms, err := o.register.InForce(t.Context(), "US", "en-US", o.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.sign.Sign(t.Context(), token, "Head", terms.Partner.Hash, ""); !errors.Is(err, fault.Conflict) {
		t.Errorf("signed at its end: %v", err)
	}
	if shown, _, err := o.sign.Open(t.Context(), token, ""); err != nil || shown.State != agreement.Asked {
		t.Errorf("opened at its end: %+v, %v", shown, err)
	}
	again, err := o.invite(admin, asIs)
	if err != nil {
		t.Fatalf("inviting again: %v", err)
	}
	o.work(t) // the late job of the first
	if now, _, err := o.sign.For(t.Context(), "provider-1"); err != nil || now.ID != again.ID || now.State != agreement.Asked || len(o.closed) != 0 {
		t.Errorf("the new invitation is %+v, %v", now, err)
	}
}

func TestAMissedReminderIsNotSentFourTimes(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t))
	if _, err := o.invite(admin, asIs); err != nil {
		t.Fatal(err)
	}
	o.now = start.AddDate(0, 0, 15) // the system was off for two weeks
	o.work(t)
	if n := len(o.mails(t)); n != 2 {
		t.Errorf("%d mails, want the invitation and one reminder", n)
	}
	o.now = start.AddDate(0, 0, 22)
	o.work(t)
	if n := len(o.mails(t)); n != 3 {
		t.Errorf("%d mails after three weeks, want 3", n)
	}
}

func TestASignatoryCanDecline(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t))
	if _, err := o.invite(admin, asIs); err != nil {
		t.Fatal(err)
	}
	i, err := o.sign.Decline(t.Context(), o.tokens(t)[0], "Not our company.", "203.0.113.9")
	if err != nil || i.State != agreement.Declined || len(o.closed) != 1 {
		t.Fatalf("declined: %+v, %v", i, err)
	}
	if m := o.mails(t)[0]; !strings.Contains(m.Text, "Not our company.") {
		t.Errorf("mail = %s", m.Text)
	}
	if got, err := o.register.AcceptedFor(t.Context(), "provider-1"); err != nil || len(got) != 0 {
		t.Errorf("accepted: %v, %v", got, err)
	}
}

func TestAnInvitationIsWithdrawnToAskAnotherPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db)
		i, err := o.invite(admin, asIs)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.invite(admin, asIs); !errors.Is(err, fault.Conflict) {
			t.Errorf("two are asked at once: %v", err)
		}
		if _, err := o.sign.Withdraw(t.Context(), rival, i.ID, ""); !errors.Is(err, fault.NotFound) {
			t.Errorf("another organization withdraws: %v", err)
		}
		if _, err := o.sign.Withdraw(t.Context(), desk, i.ID, ""); !errors.Is(err, fault.Forbidden) {
			t.Errorf("staff withdraw what a customer asked: %v", err)
		}
		token := o.tokens(t)[0]
		if w, err := o.sign.Withdraw(t.Context(), admin, i.ID, "left the company"); err != nil || w.State != agreement.Withdrawn {
			t.Fatalf("withdrawn: %+v, %v", w, err)
		}
		if _, err := o.sign.Sign(t.Context(), token, "Head", "x", ""); !errors.Is(err, fault.Conflict) {
			t.Errorf("signed afterwards: %v", err)
		}
		next, err := o.invite(admin, func(i *agreement.Invitation) { i.Email = "legal@contoso.example" })
		if err != nil {
			t.Fatal(err)
		}
		if now, ok, err := o.sign.For(t.Context(), "provider-1"); err != nil || !ok || now.ID != next.ID {
			t.Errorf("the newest is %+v, %v", now, err)
		}
		if _, ok, err := o.sign.For(t.Context(), "provider-9"); err != nil || ok {
			t.Errorf("an invitation of nothing: %v", err)
		}
	})
}

func TestTwoClicksAskOnePerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db)
		var all sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			all.Go(func() { _, errs[i] = o.invite(admin, asIs) })
		}
		all.Wait()
		asked := 0
		for _, err := range errs {
			if err == nil {
				asked++
			} else if !errors.Is(err, fault.Conflict) {
				t.Errorf("the loser gets %v", err)
			}
		}
		if asked != 1 || len(o.mails(t)) != 1 {
			t.Errorf("asked %d times, %d mails", asked, len(o.mails(t)))
		}
	})
}

func TestABadInvitationIsRefused(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t))
	for _, c := range []struct {
		is     string
		actor  account.Actor
		change func(*agreement.Invitation)
		want   fault.Kind
	}{
		{"by staff", owner, asIs, fault.Forbidden},
		{"nobody", admin, func(i *agreement.Invitation) { i.Name = " " }, fault.Invalid},
		{"no address", admin, func(i *agreement.Invitation) { i.Email = "purchasing" }, fault.Invalid},
		{"an address with a header", admin, func(i *agreement.Invitation) { i.Email = "a@b.example\r\nBcc: c@d.example" }, fault.Invalid},
		{"a company with a line break", admin, func(i *agreement.Invitation) { i.Company = "A\nB" }, fault.Invalid},
		{"no account", admin, func(i *agreement.Invitation) { i.Alias = "" }, fault.Invalid},
	} {
		if _, err := o.invite(c.actor, c.change); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", c.is, err, c.want)
		}
	}
	if n := len(o.mails(t)); n != 0 {
		t.Errorf("%d mails", n)
	}
	for _, token := range []string{"", "x", strings.Repeat("A", 43), "\xff\x00"} {
		if _, _, err := o.sign.Open(t.Context(), token, ""); !errors.Is(err, fault.NotFound) {
			t.Errorf("token %q: %v", token, err)
		}
	}
}
