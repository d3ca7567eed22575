package support_test

import (
	"context"
	"errors"
	"slices"
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
	"causeway/internal/support"
)

var (
	asker = account.Actor{User: "u-1", Org: "contoso", Role: account.RoleMember, Name: "Member", Email: "member@contoso.example", Address: "198.51.100.4"}
	other = account.Actor{User: "u-2", Org: "fabrikam", Role: account.RoleAdministrator, Name: "Admin", Email: "admin@fabrikam.example"}
)

func ask(t *testing.T, o *office, a account.Actor, alias account.Alias, rules ...string) support.Request {
	t.Helper()
	r, err := o.desk.AskException(t.Context(), a, alias, rules, "We open an office in Chicago in March.")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAnExceptionIsAskedGrantedAndRunsOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		o := newOffice(t, db, support.Server{})
		r := ask(t, o, asker, "CTUK", "country", "credit-limit")
		if r.Label() != "R-1001" || r.State != support.Open || r.Kind != support.Exception {
			t.Fatalf("asked: %+v", r)
		}
		// Asked on Friday 20 November at 10:00 in New York.
		if got := r.AnswerBy.Format("2 Jan 15:04 MST"); got != "24 Nov 17:00 EST" {
			t.Errorf("promised by %s", got)
		}
		if l, err := o.desk.Exceptions(ctx, "CTUK", o.now); err != nil || len(l) != 0 {
			t.Errorf("an open request lifts %v, %v", l, err)
		}
		if _, ok, err := o.desk.OpenException(ctx, asker, "CTUK"); err != nil || !ok {
			t.Errorf("the open one is not found: %v", err)
		}

		o.now = o.now.Add(time.Hour)
		granted, err := o.desk.Decide(ctx, staff, r.ID, support.Grant, "The office exists.", time.Time{})
		if err != nil || granted.State != support.Granted || !granted.Until.Equal(o.now.Add(90*24*time.Hour)) {
			t.Fatalf("granted: %+v, %v", granted, err)
		}
		lifted, err := o.desk.Exceptions(ctx, "CTUK", o.now)
		if err != nil || len(lifted) != 2 || lifted[0].Rule != "country" || lifted[1].Rule != "credit-limit" || lifted[0].Request != r.ID || lifted[0].Number != 1001 {
			t.Errorf("lifted = %+v, %v", lifted, err)
		}
		if l, err := o.desk.Exceptions(ctx, "CTSE", o.now); err != nil || len(l) != 0 {
			t.Errorf("another account: %v, %v", l, err)
		}
		if l, err := o.desk.Exceptions(ctx, "CTUK", granted.Until); err != nil || len(l) != 0 {
			t.Errorf("after its end: %v, %v", l, err)
		}

		timeline, err := o.desk.Timeline(ctx, asker, r.ID)
		if err != nil || len(timeline) != 2 || timeline[0].Kind != support.EntryAsked || timeline[1].Kind != support.EntryGranted || !timeline[1].Staff || timeline[1].Text != "The office exists." {
			t.Errorf("timeline = %+v, %v", timeline, err)
		}
		mails := o.mails(t)
		if len(mails) != 2 || mails[1].To != "cloudintegration@ctl.io" || mails[0].To != "member@contoso.example" || !strings.Contains(mails[0].Text, "is granted") {
			t.Errorf("mails = %+v", mails)
		}
		if n, err := audit.Verify(ctx, db, "contoso"); n != 2 || err != nil {
			t.Errorf("audit entries = %d, %v", n, err)
		}
	})
}

func TestARequestIsDecidedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, support.Server{})
		r := ask(t, o, asker, "CTUK", "country")
		ctx := context.WithoutCancel(t.Context())
		errs := make([]error, 6)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				switch i % 3 {
				case 0:
					_, errs[i] = o.desk.Decide(ctx, staff, r.ID, support.Grant, "yes", time.Time{})
				case 1:
					_, errs[i] = o.desk.Decide(ctx, staff, r.ID, support.Refuse, "no", time.Time{})
				default:
					_, errs[i] = o.desk.Withdraw(ctx, asker, r.ID, "")
				}
			})
		}
		all.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else if !errors.Is(err, fault.Conflict) && !errors.Is(err, fault.Forbidden) {
				t.Errorf("the loser gets %v", err)
			}
		}
		if done != 1 {
			t.Errorf("decided %d times", done)
		}
	})
}

func TestAskingAgainGivesTheSameRequest(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, support.Server{})
		ctx := context.WithoutCancel(t.Context())
		got := make([]support.Request, 8)
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				var err error
				if got[i], err = o.desk.AskException(ctx, asker, "CTUK", []string{"country"}, "please"); err != nil {
					t.Errorf("ask: %v", err)
				}
			})
		}
		all.Wait()
		for _, r := range got[1:] {
			if r.ID != got[0].ID {
				t.Errorf("two requests: %s and %s", r.Label(), got[0].Label())
			}
		}
		if n := len(o.mails(t)); n != 1 {
			t.Errorf("staff are told %d times", n)
		}
		wider := ask(t, o, asker, "CTUK", "demo")
		p, err := wider.Exception()
		if err != nil || wider.ID != got[0].ID || !slices.Equal(p.Rules, []string{"country", "demo"}) {
			t.Errorf("widened: %+v, %v", p, err)
		}
		if r := ask(t, o, other, "CTUK", "country"); r.ID == wider.ID {
			t.Error("another organization gets the same request")
		}
		if _, err := o.desk.Decide(ctx, staff, wider.ID, support.Refuse, "no office", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if r := ask(t, o, asker, "CTUK", "country"); r.ID == wider.ID || r.State != support.Open {
			t.Errorf("after a refusal the same request is open again: %+v", r)
		}
	})
}

func TestADecisionNeedsARightAReasonAndAnEnd(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t), support.Server{})
	r := ask(t, o, asker, "CTUK", "country")
	reader := staff
	reader.Role = account.RoleReader
	for _, c := range []struct {
		is       string
		actor    account.Actor
		id       support.RequestID
		decision support.Decision
		reason   string
		until    time.Time
		want     fault.Kind
	}{
		{"by the one who asked", asker, r.ID, support.Grant, "yes", time.Time{}, fault.Forbidden},
		{"by a reader", reader, r.ID, support.Grant, "yes", time.Time{}, fault.Forbidden},
		{"without a reason", staff, r.ID, support.Grant, "  ", time.Time{}, fault.Invalid},
		{"with a reason that cannot be stored", staff, r.ID, support.Grant, "a\x00", time.Time{}, fault.Invalid},
		{"neither granted nor refused", staff, r.ID, "maybe", "hm", time.Time{}, fault.Invalid},
		{"ended yesterday", staff, r.ID, support.Grant, "yes", o.now.Add(-24 * time.Hour), fault.Invalid},
		{"for ten years", staff, r.ID, support.Grant, "yes", o.now.AddDate(10, 0, 0), fault.Invalid},
		{"of no request", staff, "nothing", support.Grant, "yes", time.Time{}, fault.NotFound},
		{"of a broken id", staff, "\xff\x00", support.Grant, "yes", time.Time{}, fault.NotFound},
	} {
		if _, err := o.desk.Decide(t.Context(), c.actor, c.id, c.decision, c.reason, c.until); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", c.is, err, c.want)
		}
	}
	if got, err := o.desk.Request(t.Context(), asker, r.ID); err != nil || got.State != support.Open {
		t.Errorf("the request is %s, %v", got.State, err)
	}
}

func TestAGrantedExceptionCanBeTakenBackByStaffOnly(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t), support.Server{})
	r := ask(t, o, asker, "CTUK", "country")
	if _, err := o.desk.Decide(t.Context(), staff, r.ID, support.Grant, "yes", o.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.desk.Withdraw(t.Context(), asker, r.ID, ""); !errors.Is(err, fault.Forbidden) {
		t.Errorf("the customer: %v", err)
	}
	if _, err := o.desk.Withdraw(t.Context(), staff, r.ID, "The account was sold."); err != nil {
		t.Fatal(err)
	}
	if l, err := o.desk.Exceptions(t.Context(), "CTUK", o.now); err != nil || len(l) != 0 {
		t.Errorf("it still lifts %v, %v", l, err)
	}
}

func TestOtherOrganizationsRequestsAreNotThere(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t), support.Server{})
	r := ask(t, o, asker, "CTUK", "country")
	ctx := t.Context()
	for deed, err := range map[string]error{
		"see":      second(o.desk.Request(ctx, other, r.ID)),
		"by label": second(o.desk.ByNumber(ctx, other, r.Number)),
		"timeline": second(o.desk.Timeline(ctx, other, r.ID)),
		"withdraw": second(o.desk.Withdraw(ctx, other, r.ID, "x")),
		"comment":  o.desk.Comment(ctx, other, r.ID, "x"),
	} {
		if !errors.Is(err, fault.NotFound) {
			t.Errorf("%s: %v, want not found", deed, err)
		}
	}
	p, err := o.desk.Requests(ctx, other, support.Filter{Org: "contoso"})
	if err != nil || len(p.Items) != 0 {
		t.Errorf("list of another organization = %+v, %v", p, err)
	}
	if c, err := o.desk.Counts(ctx, other); err != nil || len(c) != 0 {
		t.Errorf("counts of another organization = %+v, %v", c, err)
	}
	if err := o.desk.Comment(ctx, asker, r.ID, "We have the keys now."); err != nil {
		t.Fatal(err)
	}
	if tl, err := o.desk.Timeline(ctx, staff, r.ID); err != nil || len(tl) != 2 || tl[1].Text != "We have the keys now." {
		t.Errorf("timeline = %+v, %v", tl, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestAListGoesOnWhereItEnded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, support.Server{})
		ctx := t.Context()
		var want []support.RequestID
		for i := range 25 {
			if i%4 == 0 { // several share an instant
				o.now = o.now.Add(time.Minute)
			}
			r, err := o.desk.AskService(ctx, asker, "", support.ServicePayload{Service: "Redis", Text: "for our shop"})
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, r.ID)
		}
		slices.Reverse(want)
		var got []support.RequestID
		after := ""
		for {
			p, err := o.desk.Requests(ctx, staff, support.Filter{Kind: support.Service, State: support.Open, After: after, Limit: 7})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range p.Items {
				got = append(got, r.ID)
			}
			if after = p.Next; after == "" {
				break
			}
			if len(got) == 14 { // one more at the top does not disturb
				if _, err := o.desk.AskContact(ctx, asker, "", support.ContactPayload{Topic: "existing-azure-account", Text: "We have one."}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %d of %d requests, or in another order", len(got), len(want))
		}
		c, err := o.desk.Counts(ctx, staff)
		if err != nil || c[support.Service][support.Open] != 25 || c[support.Contact][support.Open] != 1 {
			t.Errorf("counts = %v, %v", c, err)
		}
		for _, bad := range []string{"x", "%%%", "AAAA", "MSBhAGI"} {
			if _, err := o.desk.Requests(ctx, staff, support.Filter{After: bad}); !errors.Is(err, fault.Invalid) {
				t.Errorf("cursor %q: %v", bad, err)
			}
		}
		if _, err := o.desk.Requests(ctx, staff, support.Filter{State: "\xff"}); !errors.Is(err, fault.Invalid) {
			t.Errorf("a state that cannot be stored: %v", err)
		}
	})
}

func TestARequestThatSaysNothingIsRefused(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t), support.Server{})
	ctx := t.Context()
	for is, err := range map[string]error{
		"no rule":         second(o.desk.AskException(ctx, asker, "CTUK", nil, "why")),
		"no reason":       second(o.desk.AskException(ctx, asker, "CTUK", []string{"country"}, " ")),
		"no account":      second(o.desk.AskException(ctx, asker, "", []string{"country"}, "why")),
		"a rule in words": second(o.desk.AskException(ctx, asker, "CTUK", []string{"My Rule"}, "why")),
		"a long reason":   second(o.desk.AskException(ctx, asker, "CTUK", []string{"country"}, strings.Repeat("x", 2001))),
		"no topic":        second(o.desk.AskContact(ctx, asker, "", support.ContactPayload{Text: "x"})),
		"no service":      second(o.desk.AskService(ctx, asker, "", support.ServicePayload{Text: "x"})),
		"by nobody":       second(o.desk.AskException(ctx, staff, "CTUK", []string{"country"}, "why")),
	} {
		if !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", is, err)
		}
	}
	if n := len(o.mails(t)); n != 0 {
		t.Errorf("%d mails", n)
	}
}

func TestNumbersAreReadAsPeopleWriteThem(t *testing.T) {
	for s, want := range map[string]int64{"R-1042": 1042, "r-1042": 1042, " 1042 ": 1042, "R-": 0, "R-x": 0, "": 0, "-5": 0} {
		if n, ok := support.ParseNumber(s); ok != (want != 0) || ok && n != want {
			t.Errorf("%q = %d, %t", s, n, ok)
		}
	}
}

func TestEveryMailSpeaksTheBrandsWords(t *testing.T) {
	b := partner.SeedBrand()
	b.Product, b.Partner, b.ContactEmail, b.SupportPhone, b.MailSignature = "Adatum Clouds", "Adatum", "help@adatum.example", "+1 555 0100", ""
	at := time.Date(2026, 11, 24, 17, 0, 0, 0, time.UTC)
	req := support.Request{ID: "r", Number: 1042, Kind: support.Exception, Alias: "CTUK", State: support.Granted, Subject: "Exception for CTUK", AskedName: "<b>Eve</b>", AskedEmail: "eve@contoso.example", Reason: "fine & good", Until: at, Payload: []byte(`{"why":"office"}`), AnswerBy: at}
	refused := req
	refused.State, refused.Version = support.Refused, 3
	stuck := support.Stuck{Key: "o:customer:1", To: "eve@contoso.example", Name: "Eve", Provider: "Contoso <analytics>", Company: "Contoso", Step: "Create the Azure customer account", Reason: "The domain was taken.", Remedy: "Choose another one.", AnswerBy: at, URL: "https://portal.example/providers/p", StaffURL: "https://portal.example/staff/onboardings/o", VendorCode: "600039"}
	invited := support.Invited{InvitationID: "i", To: "eve@contoso.example", Name: "Eve", AskedBy: "Adam", Company: "Contoso", Account: "CTSE", Terms: []string{"Terms, version 7"}, URL: "https://portal.example/sign/t0ken", Until: at}
	reminded := invited
	reminded.Reminder = 2
	keys := map[string]bool{}
	for name, c := range map[string]struct {
		mail support.Message
		says []string
	}{
		"ready": {support.ReadyMail(b, support.Ready{To: "eve@contoso.example", Name: "Eve", ProviderID: "p", Provider: "Contoso analytics", Account: "CTSE · Contoso East LLC", Domain: "contoso.onmicrosoft.com", TenantID: "t-1", SubscriptionID: "s-1", ProviderURL: "https://portal.example/providers/p", CredentialsUntil: at, Receipt: []byte("{}")}),
			[]string{"“Contoso analytics” is ready", "t-1", "s-1", "CTSE · Contoso East LLC", "Integrated Azure Services Usage", "24 November 2026", "https://portal.example/providers/p"}},
		"invited":  {support.SignatoryMail(b, invited), []string{"Adam asks you", "Terms, version 7", "https://portal.example/sign/t0ken", "24 November 2026"}},
		"reminded": {support.SignatoryMail(b, reminded), []string{"reminder", "https://portal.example/sign/t0ken"}},
		"signed":   {support.SignedMail(b, support.Signed{InvitationID: "i", To: "adam@contoso.example", Name: "Adam", Signatory: "Eve", Company: "Contoso", Outcome: "signed", URL: "https://portal.example/providers/p"}), []string{"Eve has accepted"}},
		"declined": {support.SignedMail(b, support.Signed{InvitationID: "i", To: "adam@contoso.example", Name: "Adam", Signatory: "Eve", Company: "Contoso", Outcome: "declined", Why: "wrong company"}), []string{"does not accept", "wrong company"}},
		"expired":  {support.SignedMail(b, support.Signed{InvitationID: "i", To: "adam@contoso.example", Name: "Adam", Signatory: "Eve", Company: "Contoso", Outcome: "expired"}), []string{"did not answer in time"}},
		"stuck":    {support.StuckMail(b, stuck), []string{"Nothing is lost", "The domain was taken.", "24 November 2026, 17:00 UTC", "Adatum has been told"}},
		"staff":    {support.StuckStaffMail(b, stuck), []string{"600039", "https://portal.example/staff/onboardings/o"}},
		"asked":    {support.AskedMail(b, support.Asked{Request: req}), []string{"R-1042", "CTUK", "office"}},
		"spent": {support.SpentMail(b, support.Spent{Key: "a:eve", To: "eve@contoso.example", Account: "CTSE · Contoso <East>", Month: "November 2026", Percent: 80, Amount: "5,000.00 USD", Used: "4,012.33 USD, 80.2 %", Next: "100 % of it is used", Asks: true, UsageURL: "https://portal.example/usage?account=CTSE"}),
			[]string{"80 % of the budget of CTSE · Contoso <East> is used in November 2026", "Used so far: 4,012.33 USD, 80.2 %", "When all of it is used, Adatum is asked", "Nothing is stopped", "comes when 100 % of it is used", "calendar months in UTC", "See the usage:\nhttps://portal.example/usage?account=CTSE"}},
		"expected": {support.SpentMail(b, support.Spent{Key: "b:eve", To: "eve@contoso.example", Account: "CTSE", Subscription: "<b>Eve", Month: "November 2026", Percent: 100, Forecast: true, Amount: "5,000.00 USD", Asked: "R-1042"}),
			[]string{"by the forecast, November 2026 ends at or above 100 % of the budget of “<b>Eve” at CTSE", "Adatum has been asked what to do: request R-1042", "its last threshold"}},
		"granted": {support.DecidedMail(b, support.Decided{Request: req}), []string{"is granted", "24 November 2026", "fine & good"}},
		"refused": {support.DecidedMail(b, support.Decided{Request: refused}), []string{"is refused", "fine & good"}},
	} {
		for _, s := range append(c.says, "Adatum Clouds\nAdatum", "help@adatum.example or call +1 555 0100") {
			if !strings.Contains(c.mail.Text, s) {
				t.Errorf("%s does not say %q:\n%s", name, s, c.mail.Text)
			}
		}
		if strings.Contains(c.mail.HTML, "<b>Eve") || strings.Contains(c.mail.HTML, "<analytics>") || !strings.Contains(c.mail.HTML, "Adatum Clouds") {
			t.Errorf("%s as HTML:\n%s", name, c.mail.HTML)
		}
		if strings.Contains(c.mail.Text+c.mail.Subject+c.mail.HTML, "%!") || strings.Contains(c.mail.Text, "CenturyLink") {
			t.Errorf("%s: %s", name, c.mail.Text)
		}
		if keys[c.mail.Key] {
			t.Errorf("%s has the key of another mail: %s", name, c.mail.Key)
		}
		keys[c.mail.Key] = true
		if strings.Contains(c.mail.Text, "/sign/") != c.mail.Secret {
			t.Errorf("%s: secret is %t", name, c.mail.Secret)
		}
	}
}

// What people wrote must not stop their own deed: it is bent for the mail.
func TestAStrangeNameDoesNotStopADecision(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t), support.Server{})
	strange := asker
	strange.Name = strings.Repeat("Very\tlong\nname ", 40)
	r := ask(t, o, strange, "CTUK", "country")
	if _, err := o.desk.Decide(t.Context(), staff, r.ID, support.Refuse, "No.\nReally.", time.Time{}); err != nil {
		t.Errorf("decide: %v", err)
	}
}

func TestAReservationIsAskedForWithAllThatItTakes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		o := newOffice(t, db, support.Server{})
		good := support.ReservationPayload{
			Intent: support.Purchase, Subscription: "sub-1", Scope: "shared", Region: "eastus2", Type: "Standard_D4s_v5", Cores: 4, Memory: 16, Quantity: 3, Term: "P3Y", Billing: "monthly",
		}
		r, err := o.desk.AskReservation(t.Context(), asker, "CTUK", good)
		if err != nil || r.Kind != support.Reservation || r.Subject != "Reserve 3 × Standard_D4s_v5, eastus2, 3 years" {
			t.Fatalf("%+v, %v", r, err)
		}
		for field, spoil := range map[string]func(*support.ReservationPayload){
			"intent":       func(p *support.ReservationPayload) { p.Intent = "steal" },
			"subscription": func(p *support.ReservationPayload) { p.Subscription = " " },
			"scope":        func(p *support.ReservationPayload) { p.Scope = "" },
			"region":       func(p *support.ReservationPayload) { p.Region = strings.Repeat("x", 61) },
			"type":         func(p *support.ReservationPayload) { p.Type = "a\x00" },
			"cores":        func(p *support.ReservationPayload) { p.Memory = -1 },
			"quantity":     func(p *support.ReservationPayload) { p.Quantity = 0 },
			"term":         func(p *support.ReservationPayload) { p.Term = "P2Y" },
			"billing":      func(p *support.ReservationPayload) { p.Billing = "never" },
			"order":        func(p *support.ReservationPayload) { p.Intent = support.Cancel },
		} {
			p := good
			spoil(&p)
			_, err := o.desk.AskReservation(t.Context(), asker, "CTUK", p)
			if f := fault.Of(err); f == nil || len(f.Refusals) != 1 || f.Refusals[0].Field != field || f.Refusals[0].Remedy == "" {
				t.Errorf("%s: %v", field, err)
			}
		}
		good.Intent, good.Order, good.Bought = support.Exchange, "order-1", "2026-01-05"
		if r, err = o.desk.AskReservation(t.Context(), asker, "CTUK", good); err != nil || !strings.Contains(string(r.Payload), `"order":"order-1"`) {
			t.Errorf("%s, %v", r.Payload, err)
		}
	})
}
