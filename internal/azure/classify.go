package azure

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"causeway/internal/fault"
)

// Class says what to do about an error of Microsoft (reference: error codes,
// throttling guidance; the letters are those of our table of codes).
// https://learn.microsoft.com/partner-center/developer/error-codes
type Class string

// The classes.
const (
	R1 Class = "R1" // throttled: wait as told, every try counts against the limit
	R2 Class = "R2" // outcome unknown or a passing fault: again, with the same request id; after 5 tries look for the effect
	R3 Class = "R3" // not yet consistent: ask again until a deadline (minutes, for some codes a day)
	R4 Class = "R4" // somebody changed it: read again, merge, write again
	W  Class = "W"  // a person or Microsoft's review must act first; hours to weeks, no failure
	F  Class = "F"  // final: show it with its reason and remedy
)

// Classify gives the class of an error of Microsoft; "" for nil. An error that
// is not Microsoft's is final, unless it is an Unavailable fault of ours.
func Classify(err error) Class {
	if err == nil {
		return ""
	}
	var held *Throttled
	if errors.As(err, &held) {
		return R1
	}
	e := AsError(err)
	if e == nil {
		if errors.Is(err, fault.Unavailable) {
			return R2
		}
		return F
	}
	if c := e.class(); c != F || e.Status != http.StatusUnauthorized || e.Code != "" && !e.StaleToken || isNotSent(err) {
		return c
	}
	return R3 // the token was dropped, the next try has a new one
}

// class judges the error itself; it must not unwrap it, for Unwrap asks it.
func (e *Error) class() Class {
	if e.Status == http.StatusTooManyRequests {
		return R1
	}
	if x, ok := Explain(e.Code); ok && x.Class != F {
		return x.Class
	}
	switch {
	case e.Unreadable, e.Status == 0, e.Status == http.StatusRequestTimeout:
		return R2
	case e.Status == http.StatusPreconditionFailed, e.Status == http.StatusExpectationFailed:
		return R4
	case e.Status == http.StatusConflict && strings.Contains(strings.ToLower(e.Message), "in progress"):
		return R3
	case e.Status >= 500 && e.Status != http.StatusNotImplemented:
		return R2
	}
	return F
}

// Refusal puts an error of Microsoft into field, reason and remedy for a person.
// A code that is not in our table is shown as Microsoft said it. False if err is
// no error of Microsoft.
func Refusal(err error) (fault.Refusal, bool) {
	e := AsError(err)
	if e == nil {
		return fault.Refusal{}, false
	}
	x, ok := Explain(e.Code)
	if !ok || x.Vague {
		for _, d := range e.Details { // a general code may hold the real one
			if below, found := Explain(d.Code); found && d.Code != "" {
				x, ok = below, true
				break
			}
		}
	}
	if !ok {
		x = byStatus(e)
	}
	r := fault.Refusal{Field: x.Field, Code: e.Code, Reason: x.Reason, Remedy: x.Remedy}
	if r.Field == "" || x.Vague {
		for _, d := range e.Details { // Partner Center names the property in data
			if f := fieldOf(d.Target); f != "" {
				r.Field = f
				if x.Field == "address" && !ofAddress(f) { // the code's words are about something else
					r.Reason, r.Remedy = "Microsoft does not accept this value. "+said(e), fixAndTry
				}
				break
			}
		}
	}
	return r, true
}

// fieldOf maps a property of Microsoft's to a field of our form.
func fieldOf(property string) string {
	if i := strings.LastIndexAny(property, "./"); i >= 0 {
		property = property[i+1:]
	}
	switch strings.ToLower(strings.TrimSpace(property)) {
	case "state", "region":
		return "state"
	case "city":
		return "city"
	case "postalcode", "zipcode":
		return "postal_code"
	case "addressline1", "addressline2", "address", "defaultaddress":
		return "address"
	case "country":
		return "country"
	case "phonenumber", "phone":
		return "phone"
	case "email":
		return "email"
	case "firstname":
		return "first_name"
	case "lastname":
		return "last_name"
	case "companyname":
		return "company"
	case "domain":
		return "domain"
	case "organizationregistrationnumber":
		return "registration_number"
	case "culture", "language":
		return "language"
	}
	return ""
}

func ofAddress(field string) bool {
	return slices.Contains([]string{"address", "city", "state", "postal_code", "country"}, field)
}

// said is Microsoft's own message as a sentence, "" if there is none.
func said(e *Error) string {
	m := strings.TrimSpace(e.Message)
	if m != "" && !strings.HasSuffix(m, ".") {
		m += "."
	}
	return m
}

func byStatus(e *Error) Explanation {
	said := said(e)
	switch {
	case e.Status == 0 || e.Unreadable:
		return Explanation{Reason: e.Service.Word() + " gave no readable answer.", Remedy: "It is asked again by itself; nothing is done twice."}
	case e.Status == http.StatusTooManyRequests:
		return Explanation{Reason: e.Service.Word() + " takes no more requests for a while.", Remedy: "It is asked again by itself."}
	case e.Status >= 500:
		return Explanation{Reason: e.Service.Word() + " has a fault of its own.", Remedy: "It is asked again by itself; if it lasts, open a ticket with Microsoft and give it the request id."}
	case e.Status == http.StatusUnauthorized:
		return Explanation{Reason: "The sign-in was not accepted. " + said, Remedy: "Run causeway doctor; if it finds a fault in the partner's sign-in, connect the partner again."}
	case e.Status == http.StatusForbidden:
		return Explanation{Reason: "Microsoft does not allow this. " + said, Remedy: "Run causeway doctor: it names the role or right that is missing."}
	case e.Status == http.StatusNotFound:
		return Explanation{Reason: "Microsoft does not know this object. " + said, Remedy: "Look it up in Partner Center; it may have been removed there."}
	}
	return Explanation{Reason: "Microsoft refused the request. " + said, Remedy: "Correct what it names and try again."}
}
