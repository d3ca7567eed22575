// Package support is the desk: what people ask the partner's staff for, what
// is decided and until when, and the mail that tells them. It does not know
// what a granted exception lifts (eligibility judges) and answers nobody by itself.
package support

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"causeway/internal/account"
)

// RequestID names a request.
type RequestID string

// Kind says what is asked for.
type Kind string

// The kinds of request.
const (
	Exception   Kind = "exception"   // lift rules of eligibility for a billing account
	Contact     Kind = "contact"     // a representative, e.g. about an existing Azure account
	Service     Kind = "service"     // offer a further Azure service
	Reservation Kind = "reservation" // buy, exchange or return reserved capacity
)

// Kinds are all kinds there are.
var Kinds = []Kind{Exception, Contact, Service, Reservation}

// State is where a request stands.
type State string

// The states of a request.
const (
	Open      State = "open"
	Granted   State = "granted" // of all kinds but exceptions: done
	Refused   State = "refused"
	Withdrawn State = "withdrawn" // by the one who asked; a granted one by staff
)

// moves is the whole life of a request. A granted exception that has run out
// stays granted: its Until says since when it lifts nothing.
var moves = map[State][]State{
	Open:    {Granted, Refused, Withdrawn},
	Granted: {Withdrawn},
}

// Request is one thing that somebody asked for.
type Request struct {
	ID          RequestID
	Number      int64 // shown as R-1042
	Kind        Kind
	Org         account.OrgID
	Alias       account.Alias // "" = about no account
	State       State
	Subject     string
	Payload     json.RawMessage // by kind: ExceptionPayload, ContactPayload, ServicePayload, ReservationPayload
	AskedBy     account.UserID
	AskedName   string
	AskedEmail  string
	AskedAt     time.Time
	AnswerBy    time.Time // by the partner's business hours; UTC when read, so show it in Rules.Answer.Location()
	DecidedBy   string    // audit actor; "" = not decided
	DecidedName string
	DecidedAt   time.Time
	Reason      string    // of the decision
	Until       time.Time // of a granted one: end of its effect; zero = none
	Version     int64     // counts changes
}

// Label is the number as people say it: R-1042.
func (r Request) Label() string { return "R-" + strconv.FormatInt(r.Number, 10) }

// InForce tells whether the request is granted and has not run out.
func (r Request) InForce(at time.Time) bool {
	return r.State == Granted && (r.Until.IsZero() || at.Before(r.Until))
}

// Overdue tells whether staff should have answered.
func (r Request) Overdue(at time.Time) bool { return r.State == Open && at.After(r.AnswerBy) }

// ParseNumber reads R-1042, r-1042 or 1042.
func ParseNumber(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 2 && (s[:2] == "R-" || s[:2] == "r-") {
		s = s[2:]
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0
}

// ExceptionPayload is what an exception is asked for.
type ExceptionPayload struct {
	Rules []string `json:"rules"` // codes of eligibility, sorted
	Why   string   `json:"why"`
}

// ContactPayload asks to be called or written to.
type ContactPayload struct {
	Topic string `json:"topic"` // e.g. existing-azure-account
	Text  string `json:"text"`
	Phone string `json:"phone"`
}

// ServicePayload asks for a further Azure service.
type ServicePayload struct {
	Service string `json:"service"` // in the person's words, or a resource type
	Region  string `json:"region"`
	Text    string `json:"text"`
}

// Exception reads the payload of an exception.
func (r Request) Exception() (ExceptionPayload, error) {
	var p ExceptionPayload
	if r.Kind != Exception {
		return p, fmt.Errorf("request %s is of kind %s", r.Label(), r.Kind)
	}
	return p, json.Unmarshal(r.Payload, &p)
}

// Lifted is a rule that a granted exception lifts for an account.
type Lifted struct {
	Rule    string
	Until   time.Time // zero = no end
	Request RequestID
	Number  int64
	Org     account.OrgID // who asked for it
}

// EntryKind says what happened to a request.
type EntryKind string

// What can happen to a request.
const (
	EntryAsked     EntryKind = "asked"
	EntryWidened   EntryKind = "widened" // asked again with further rules
	EntryComment   EntryKind = "comment"
	EntryGranted   EntryKind = "granted"
	EntryRefused   EntryKind = "refused"
	EntryWithdrawn EntryKind = "withdrawn"
)

// Entry is one line of a request's timeline.
type Entry struct {
	At    time.Time
	Actor string // audit actor
	Name  string
	Staff bool
	Kind  EntryKind
	Text  string
}

// Filter chooses requests; empty members do not filter. A customer sees the
// own organization's only, whatever Org says.
type Filter struct {
	Org   account.OrgID
	Alias account.Alias
	Kind  Kind
	State State
	After string // cursor of the former page
	Limit int    // 0 = 50, at most 200
}

// Page is a part of a list, the newest first. Next is the cursor of the next
// page, "" at the end.
type Page[T any] struct {
	Items []T
	Next  string
}

// Counts is how many requests there are by kind and state.
type Counts map[Kind]map[State]int

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}
