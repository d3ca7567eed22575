// Package fault names the five kinds of error that a caller can act on. Any
// other error is our bug: it is logged in full and shown to nobody. It does
// not know HTTP or pages; the edges map a kind once.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what the caller can do about an error.
type Kind string

// The five kinds, by what the caller can do.
const (
	Invalid     Kind = "invalid"     // change the request
	NotFound    Kind = "not-found"   // ask for something else
	Conflict    Kind = "conflict"    // look again: someone was first
	Forbidden   Kind = "forbidden"   // ask someone with the right
	Unavailable Kind = "unavailable" // try later
)

// Error makes a kind usable as a target of errors.Is.
func (k Kind) Error() string { return string(k) }

// Refusal is one thing that is wrong, in words for a person: which field, why,
// and what to do about it. Code is stable and meant for programs.
type Refusal struct {
	Field  string `json:"field,omitempty"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy,omitempty"`
}

// Error is an error of a known kind. Its message may be shown to the caller, so
// it never holds a secret.
type Error struct {
	Kind     Kind
	Message  string
	Refusals []Refusal     // all that is wrong, not only the first
	After    time.Duration // for Unavailable: when to try again; 0 = no advice
	cause    error
}

// New makes an error of a kind whose message is safe to show. A %w in the
// format keeps the cause for the log; it becomes part of the message, so wrap
// only what may be shown.
func New(k Kind, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Kind: k, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Field refuses one field of a request, with the reason and what to do.
func Field(field, reason, remedy string) *Error {
	return Refuse(Refusal{Field: field, Reason: reason, Remedy: remedy})
}

// Refuse is an Invalid error with everything that is wrong at once.
func Refuse(all ...Refusal) *Error {
	parts := make([]string, len(all))
	for i, r := range all {
		parts[i] = r.String()
	}
	return &Error{Kind: Invalid, Message: strings.Join(parts, " "), Refusals: all}
}

// Because attaches a cause that is logged and never shown.
func (e *Error) Because(cause error) *Error {
	e.cause = cause
	return e
}

// In gives the same refusals as another kind, e.g. a domain that somebody else
// took is a Conflict that names the field.
func (e *Error) In(k Kind) *Error {
	e.Kind = k
	return e
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// Is lets errors.Is(err, fault.NotFound) work.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// String is the refusal as a sentence: reason, then remedy.
func (r Refusal) String() string {
	if r.Remedy == "" {
		return r.Reason
	}
	return r.Reason + " " + r.Remedy
}

// Of gives the known error inside err, or nil if err is our own bug.
func Of(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// KindOf gives the kind of err, or "" if it is none of the five.
func KindOf(err error) Kind {
	if e := Of(err); e != nil {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return ""
}
