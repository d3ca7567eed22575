// Package provider is what the customer owns and sees: a named connection to a
// cloud, with its state, its log, who pays for it and who has access. It does
// not know how an Azure account comes into being (provision), nor what an
// account may do (account, eligibility).
package provider

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/account"
	"causeway/internal/fault"

	"golang.org/x/text/unicode/norm"
)

// ID of a provider.
type ID string

// Types and modes that this version knows.
const (
	TypeAzure   = "azure-resource-manager"
	ModeNew     = "new"      // a new Azure customer account, or a further subscription of it
	ModeOwn     = "existing" // led to the representative
	ModeMigrate = "migrate"  // was at Microsoft already and was taken into the records
)

// State of a provider's life.
type State string

// The states. Waiting is for a person of the customer; waiting for Microsoft is
// Running, since nobody has to do anything.
const (
	Draft      State = "draft"
	Running    State = "in-progress"
	Waiting    State = "waiting"
	Stuck      State = "stuck"
	Ready      State = "ready"
	Cancelling State = "cancelling"
	Cancelled  State = "cancelled"
)

// moves is the whole life of a provider.
var moves = map[State][]State{
	Draft:      {Running, Waiting},
	Running:    {Waiting, Stuck, Ready, Cancelling},
	Waiting:    {Draft, Running, Stuck, Cancelling}, // back to a draft if it cannot begin after the signature
	Stuck:      {Running, Waiting, Cancelling},
	Ready:      {Cancelling},
	Cancelling: {Cancelled, Stuck},
	Cancelled:  {},
}

// May tells whether a provider can go from one state to another.
func (s State) May(to State) bool {
	for _, m := range moves[s] {
		if m == to {
			return true
		}
	}
	return s == to
}

// Provider is one connection to a cloud.
type Provider struct {
	ID           ID
	Org          account.OrgID
	Owner        account.UserID
	Type         string
	Mode         string
	Name         string // also the name of the Azure subscription (N-14)
	State        State
	Note         string        // one line: what goes on, or why not
	Account      account.Alias // who pays, "" = not chosen yet
	Tenant       string        // our tenant row
	TenantID     string        // Microsoft's id of the tenant
	Domain       string
	Subscription string // Azure subscription id = entitlement id
	CreatedAt    time.Time
	ChangedAt    time.Time
	ChangedBy    string // a user's id, or "platform"
	Version      int64  // grows with everything that a page of it shows
}

// Platform is who changed a provider when it was no person.
const Platform = "platform"

// MaxName is the longest name in characters: Azure takes 64 for a subscription.
const MaxName = 64

// Name checks a provider's name and gives it in the form that is stored: white
// space folded, Unicode NFC. Azure refuses < > ; and | in subscription names.
func Name(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fault.Field("name", "The name holds broken characters.", "Type it again instead of pasting it.")
	}
	s = norm.NFC.String(strings.Join(strings.Fields(s), " "))
	switch {
	case s == "":
		return "", fault.Field("name", "The name is empty.", "Give the provider a name that tells you what it is for.")
	case utf8.RuneCountInString(s) > MaxName:
		return "", fault.Field("name", "The name is longer than 64 characters, which is what Azure takes for a subscription.", "Shorten it.")
	case strings.ContainsAny(s, "<>;|"):
		return "", fault.Field("name", "Azure does not take the characters < > ; | in a subscription's name.", "Leave them out.")
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return "", fault.Field("name", "The name holds control characters.", "Type it again instead of pasting it.")
		}
	}
	return s, nil
}

// fold is the form in which names are searched: lower case, no marks.
func fold(parts ...string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(strings.Join(parts, "\n"))) {
		if r < 0x300 || r > 0x36f { // combining marks
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Levels of a log entry. Forty for "done" is the only one that the original
// product documented, so we keep it.
const (
	Info    = 20
	Warning = 30
	Done    = 40
	Failed  = 50
)

// Entry is one line of a provider's log.
type Entry struct {
	Seq   int64
	At    time.Time
	Level int
	Step  string
	Text  string
}

// Day is a whole day in UTC, as 2026-11-23.
type Day string

// DayOf gives the UTC day of an instant.
func DayOf(t time.Time) Day { return Day(t.UTC().Format(time.DateOnly)) }

// Before gives the day before d.
func (d Day) Before() Day {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return d
	}
	return DayOf(t.AddDate(0, 0, -1))
}

// After gives the day after d.
func (d Day) After() Day {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return d
	}
	return DayOf(t.AddDate(0, 0, 1))
}

// Association says which billing account pays, in whole UTC days. Entitlement
// "" is the tenant's own answer, which holds where a subscription has none.
type Association struct {
	ID          string
	Tenant      string // our tenant row
	Entitlement string // Azure subscription id, or ""
	Account     account.Alias
	Org         account.OrgID
	Provider    ID
	From, To    Day  // To "" = still
	Confirmed   bool // false: intended at the beginning of an onboarding
}

// Payer answers who pays for an entitlement on a day: the subscription's own
// association, else the tenant's.
func Payer(all []Association, entitlement string, day Day) (account.Alias, bool) {
	for _, want := range []string{entitlement, ""} {
		for _, a := range all {
			if a.Entitlement == want && a.From <= day && (a.To == "" || day <= a.To) {
				return a.Account, true
			}
		}
	}
	return "", false
}

// Span is whole UTC days, the first and the last.
type Span struct{ From, To Day }

// Unpaid checks who pays for an entitlement ("" = the tenant itself) from a day
// to another, both included: the spans for which nobody does, and those for which
// two do. There is to be exactly one answer for every day. Only what is
// confirmed counts.
func Unpaid(all []Association, entitlement string, from, to Day) (gaps, twice []Span) {
	var own []Association
	for _, a := range all {
		if a.Entitlement == entitlement && a.Confirmed && a.From <= to && (a.To == "" || a.To >= from && a.To >= a.From) {
			own = append(own, a)
		}
	}
	slices.SortFunc(own, func(a, b Association) int { return strings.Compare(string(a.From), string(b.From)) })
	next := from // the first day that is not answered yet
	for _, a := range own {
		end := a.To
		if end == "" || end > to {
			end = to
		}
		switch {
		case a.From > next:
			gaps = append(gaps, Span{next, a.From.Before()})
		case a.From < next && a.From >= from:
			twice = append(twice, Span{a.From, min(end, next.Before())})
		}
		if end >= next {
			next = end.After()
		}
	}
	if next <= to {
		gaps = append(gaps, Span{next, to})
	}
	return gaps, twice
}

// Grant is one access that the partner or the platform holds, or gave, in a
// customer's Azure.
type Grant struct {
	Scope         string
	Principal     string // object id in the customer's tenant, or of a foreign group
	PrincipalName string
	Role          string
	Intent        string // why, in words for the customer
	Since         time.Time
}
