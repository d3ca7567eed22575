package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/partner"
	"causeway/internal/provision"
	"causeway/internal/support"
	"causeway/internal/web/ui"
)

// usual is how long onboardings take here: eight of ten are within it.
type usual struct {
	low, high time.Duration
	runs      int
	read      time.Time
}

// documentedSpan is what Microsoft's documents add up to, for an installation
// that has not made ten customers yet.
var documentedSpan = usual{low: 10 * time.Minute, high: 35 * time.Minute}

// usually reads the span from the last hundred onboardings, at most once a minute.
func (s *Server) usually(v *visit) usual {
	s.mu.Lock()
	u := s.usual
	s.mu.Unlock()
	now := s.Now()
	if !u.read.IsZero() && now.Sub(u.read) < time.Minute {
		return u
	}
	u = documentedSpan
	list, _, err := s.Provision.List(v.ctx(), account.System(), provision.Filter{State: provision.Ready, Limit: 100})
	if err != nil {
		s.Log.Warn("how long onboardings take could not be read", "error", err)
		return u
	}
	var took []time.Duration
	for _, o := range list {
		if !o.FinishedAt.IsZero() {
			took = append(took, o.FinishedAt.Sub(o.StartedAt))
		}
	}
	if len(took) >= 10 {
		slices.Sort(took)
		u = usual{low: took[len(took)/10], high: took[len(took)*9/10], runs: len(took)}
	}
	u.read = now
	s.mu.Lock()
	s.usual = u
	s.mu.Unlock()
	return u
}

// words is the span as it stands in a sentence: "10 to 35 minutes".
func (u usual) words() string {
	if u.high < 2*time.Minute {
		return fmt.Sprintf("%d to %d seconds", max(int(u.low.Seconds()), 1), max(int(u.high.Seconds())+1, 2))
	}
	low, high := max(int(u.low.Minutes()), 1), int((u.high+time.Minute-1)/time.Minute)
	if low >= high {
		return fmt.Sprintf("about %d minutes", high)
	}
	return fmt.Sprintf("%d to %d minutes", low, high)
}

func (s *Server) wordsOf(v *visit) ui.Brand { return brandWords(v.brand, v.rules, s.usually(v)) }

// brandWords are the partner's words as the pages need them.
func brandWords(b partner.Brand, rules partner.Rules, u usual) ui.Brand {
	w := ui.Brand{
		Product: b.Product, Partner: b.Partner, AccountWord: b.AccountWord, AccountWordPlural: b.AccountWordPlural, AdminWord: b.AdministratorWord,
		TypeName: b.TypeName, ModeNew: b.ModeNew, ModeExisting: b.ModeExisting, LineLabel: b.LineLabel,
		ContactEmail: b.ContactEmail, ContactURL: b.ContactURL, FeedbackEmail: b.Feedback(), SignUpURL: b.SignUpURL, SignUpLabel: "Get an account",
		AllowedCountries: countries(rules.Countries), DurationToExpect: u.words(), MinimumWait: "at least two minutes",
		AccentCSS: fmt.Sprintf("/brand.css?v=%d", b.Version), IntegrationFeature: "Cloud Integration",
		StepNames: [5]string{
			"Provides Microsoft your account details",
			"Creates an Azure customer account on your behalf",
			"Creates a Microsoft Azure subscription",
			"Associates it with your " + b.AccountWord,
			"Grants " + b.Product + " the permissions",
		},
	}
	if len(b.Mark) > 0 {
		w.LogoURL = fmt.Sprintf("/brand/mark.svg?v=%d", b.Version)
	}
	return w
}

// countries as they stand in a sentence: "the United States, Canada and Japan".
func countries(codes []string) string {
	names := make([]string, len(codes))
	for i, c := range codes {
		names[i] = address.CountryInSentence(c)
	}
	return and(names)
}

// and joins words: "a, b and c".
func and(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// shell is what stands around a page.
func (s *Server) shell(v *visit, current, title string) (ui.Shell, error) {
	sh := ui.Shell{
		Brand: v.words, Title: title, Current: current, Staff: v.me.Staff(), User: ui.User{Email: v.me.Email, Role: v.me.Role.Title()},
		Simulated: s.Simulated,
		Search:    ui.Search{Action: "/search", Placeholder: "Find a provider or " + v.words.AccountWord},
	}
	if said := s.sessions.PopString(v.ctx(), "toast"); said != "" {
		sh.Toasts = []ui.Note{{Tone: ui.ToneOK, Title: said}}
	}
	counts, err := s.Desk.Counts(v.ctx(), v.me)
	if err != nil {
		return sh, err
	}
	open := 0
	for _, byState := range counts {
		open += byState[support.Open]
	}
	if v.me.Staff() {
		running, err := s.Provision.Counts(v.ctx(), v.me)
		if err != nil {
			return sh, err
		}
		n := 0
		for _, st := range openStates {
			n += running[st]
		}
		differ, err := s.Provision.DifferenceCounts(v.ctx(), v.me)
		if err != nil {
			return sh, err
		}
		sh.Organization, sh.Nav = "Staff · all customers", ui.StaffNav(n, open, differ.All())
		sh.Search.Placeholder = "Find a customer, tenant, account or request"
		sh.Banners = []ui.Note{ui.MFABanner()}
		return sh, nil
	}
	org, err := s.People.Org(v.ctx(), v.me.Org)
	if err != nil {
		return sh, err
	}
	sh.Organization, sh.Nav = org.Name, ui.CustomerNav(v.words, open, v.may(account.ActUsageView, v.me.Org) == "")
	return sh, nil
}

var openStates = []provision.State{provision.Running, provision.Waiting, provision.Stuck, provision.Cancelling}

// Times as the reader's zone has them.

func (v *visit) in(t time.Time) time.Time { return t.In(v.now.Location()) }

// when is for lists: "2 minutes ago", "Today, 13:42", "19 Nov 2026".
func (v *visit) when(t time.Time) string { return ui.FormatWhen(t, v.now) }

func (v *visit) day(t time.Time) string { return ui.FormatDay(v.in(t)) }

// moment is "19 Nov 2026, 14:06"; who has told no zone reads UTC, and that it is.
func (v *visit) moment(t time.Time) string { return ui.FormatMoment(v.in(t)) + v.utc() }

// clock is "14:06".
func (v *visit) clock(t time.Time) string { return v.in(t).Format("15:04") + v.utc() }

// second is "14:06:09", for logs.
func (v *visit) second(t time.Time) string { return v.in(t).Format("15:04:05") }

func (v *visit) utc() string {
	if v.now.Location() == time.UTC {
		return " UTC"
	}
	return ""
}

// utcDay is a billing day, which is always UTC and says so: "18 Nov 2026, 00:00 UTC".
func utcDay(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("2 Jan 2006") + ", 00:00 UTC"
}

// endOfDay is the last instant of a billing day.
func endOfDay(day string) string {
	if day == "" {
		return ""
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("2 Jan 2006") + ", 24:00 UTC"
}
