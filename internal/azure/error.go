package azure

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"causeway/internal/fault"
)

// Error is a refusal of Microsoft, or the lack of a readable answer (then Status
// is 0, or a success whose body could not be read). Everything in it is already
// without secrets, so it may be logged, stored and shown to staff.
type Error struct {
	Service   Service
	Method    string
	Path      string // with its query, secrets taken out
	Status    int    // 0 = no answer
	Code      string // Microsoft's code as text: "13605", "RoleAssignmentExists", "AADSTS50076"
	Message   string
	Details   []Detail // nested errors of ARM, Graph and Partner Center
	Retryable *bool    // isRetryable, where it was sent

	RequestID     string
	CorrelationID string
	CV            string        // MS-CV, for Microsoft's support
	RetryAfter    time.Duration // 0 = not sent
	Challenge     string        // WWW-Authenticate of a 401: ARM names the right tenant there
	Raw           string        // the body, at most rawLimit bytes
	Unreadable    bool          // a success whose answer could not be read: the effect happened
	StaleToken    bool          // a 401 that another token may mend: the refused one was dropped

	cause error
}

// Detail is an error below the error: a policy that denied, a field at fault.
type Detail struct {
	Code, Target, Message string
	PolicyAssignmentID    string // of RequestDisallowedByPolicy
	PolicyDefinitionID    string
}

// rawLimit bounds what an error keeps of a body: enough for every documented
// form, little enough for a log line.
const rawLimit = 4 << 10

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: ", e.Method, e.Path)
	switch {
	case e.Unreadable:
		fmt.Fprintf(&b, "%d with an answer that cannot be read", e.Status)
	case e.Status == 0:
		b.WriteString("no answer")
	default:
		fmt.Fprintf(&b, "%d", e.Status)
	}
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	fmt.Fprintf(&b, " (request %s, correlation %s", e.RequestID, e.CorrelationID)
	if e.CV != "" {
		b.WriteString(", CV " + e.CV)
	}
	b.WriteString(")")
	return b.String()
}

// Unwrap gives the cause and, where trying later may help, the Unavailable fault
// that tells job and edge so. Other refusals have no kind of their own: what a
// 404 of Microsoft means to our caller is for the caller to say (see Refusal).
func (e *Error) Unwrap() []error {
	var all []error
	if e.cause != nil {
		all = append(all, e.cause)
	}
	if f := e.fault(); f != nil {
		all = append(all, f)
	}
	return all
}

func (e *Error) fault() *fault.Error {
	var f *fault.Error
	switch {
	case e.Unreadable:
		f = fault.New(fault.Unavailable, "%s sent an answer that cannot be read.", e.Service.Word())
	case e.Status == 0 || e.Status == http.StatusRequestTimeout:
		f = fault.New(fault.Unavailable, "%s did not answer.", e.Service.Word())
	case e.Status == http.StatusTooManyRequests:
		f = fault.New(fault.Unavailable, "%s takes no more requests for a while.", e.Service.Word())
	case e.Status >= 500 && e.class() == R2:
		f = fault.New(fault.Unavailable, "%s has a fault of its own (%d).", e.Service.Word(), e.Status)
	default:
		return nil
	}
	f.After = e.RetryAfter
	return f
}

// AsError gives the *Error inside err, or nil.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// CodeOf is Microsoft's code in err, "" if there is none.
func CodeOf(err error) string {
	if e := AsError(err); e != nil {
		return e.Code
	}
	return ""
}

// HasCode tells whether err, or an error nested in it, carries one of the codes.
func HasCode(err error, codes ...string) bool {
	e := AsError(err)
	if e == nil {
		return false
	}
	for _, c := range codes {
		if strings.EqualFold(e.Code, c) {
			return true
		}
		for _, d := range e.Details {
			if strings.EqualFold(d.Code, c) {
				return true
			}
		}
	}
	return false
}

// IsStatus tells whether err is an answer with this HTTP status.
func IsStatus(err error, status int) bool {
	e := AsError(err)
	return e != nil && e.Status == status && !isNotSent(err)
}

// IsNotFound tells whether Microsoft answered 404.
func IsNotFound(err error) bool { return IsStatus(err, http.StatusNotFound) }

// Unknown tells that a request was sent and we do not know whether it took
// effect: no answer, 408, 5xx, or a success that could not be read. The step
// then keeps its request id and asks again with it. It is false for a request
// that never left, because a token or the throttle governor refused first.
func Unknown(err error) bool {
	if err == nil || isNotSent(err) {
		return false
	}
	e := AsError(err)
	return e != nil && (e.Unreadable || e.Status == 0 || e.Status == http.StatusRequestTimeout || e.Status >= 500)
}

// notSent marks an error before anything was sent, so that the error of a token
// endpoint is not taken for an unknown outcome of the call that needed the token.
type notSent struct{ err error }

func (n notSent) Error() string { return n.err.Error() }
func (n notSent) Unwrap() error { return n.err }

func isNotSent(err error) bool {
	var n notSent
	return errors.As(err, &n)
}

// NotSent wraps the reason why a request was not sent.
func NotSent(err error) error {
	if err == nil {
		return nil
	}
	return notSent{err}
}

// errorBody is every documented form of an error at once (they share members).
type errorBody struct {
	// Partner Center: classic, newer, gateway.
	Code                 Text
	Description          json.RawMessage
	Message              json.RawMessage
	ErrorName            string
	IsRetryable          *bool
	ErrorMessageExtended string
	StatusCode           Text
	Data                 json.RawMessage
	// Partner API, Graph, ARM: an object. Entra ID: a word.
	Error            json.RawMessage
	ErrorDescription string  `json:"error_description"`
	ErrorCodes       []Int   `json:"error_codes"`
	Errors           []inner `json:"errors"`
}

type inner struct {
	Code           Text
	Message        json.RawMessage
	Target         string
	Details        []inner
	AdditionalInfo []struct {
		Type string
		Info json.RawMessage
	}
	InnerError json.RawMessage
}

// read fills code, message and details from a body whose secrets are out
// already. It never fails: what is no error form stays as raw text.
func (e *Error) read(body string) {
	e.Raw = cut(body, rawLimit)
	body = strings.TrimSpace(body)
	if body == "" {
		e.Message = http.StatusText(e.Status)
		return
	}
	var b errorBody
	if err := json.Unmarshal([]byte(body), &b); err != nil {
		e.readXML(body)
		return
	}
	switch {
	case len(b.ErrorCodes) > 0 || b.ErrorDescription != "":
		e.readEntra(b)
	case len(b.Error) > 0 && b.Error[0] == '{':
		var in inner
		if json.Unmarshal(b.Error, &in) == nil {
			e.readInner(in)
		}
	default:
		e.readPartner(b)
	}
	if e.Message == "" {
		e.Message = http.StatusText(e.Status)
	}
}

// readEntra: the number of an AADSTS error is in error_codes and in the text.
func (e *Error) readEntra(b errorBody) {
	var word string
	_ = json.Unmarshal(b.Error, &word) // not a word: leave it out
	e.Code = word
	if len(b.ErrorCodes) > 0 {
		e.Code = "AADSTS" + strconv.FormatInt(int64(b.ErrorCodes[0]), 10)
	} else if rest, ok := strings.CutPrefix(b.ErrorDescription, "AADSTS"); ok {
		if number, _, ok := strings.Cut(rest, ":"); ok {
			e.Code = "AADSTS" + number
		}
	}
	first, _, _ := strings.Cut(b.ErrorDescription, "\n") // trace ids follow
	e.Message = strings.TrimSpace(first)
	if word != "" && e.Message == "" {
		e.Message = word
	}
}

func (e *Error) readInner(in inner) {
	e.Code, e.Message = string(in.Code), plain(in.Message)
	e.Details = append(e.Details, in.nested()...)
	var below inner
	if e.Code == "" && json.Unmarshal(in.InnerError, &below) == nil {
		e.Code = string(below.Code)
	}
}

// nested flattens details, the policies that denied among them.
func (in inner) nested() []Detail {
	var all []Detail
	for _, info := range in.AdditionalInfo {
		var p struct{ PolicyAssignmentID, PolicyDefinitionID string }
		if json.Unmarshal(info.Info, &p) == nil && (p.PolicyAssignmentID != "" || p.PolicyDefinitionID != "") {
			all = append(all, Detail{
				Code: string(in.Code), Target: in.Target, Message: plain(in.Message),
				PolicyAssignmentID: p.PolicyAssignmentID, PolicyDefinitionID: p.PolicyDefinitionID,
			})
		}
	}
	var old struct { // older answers carry innererror.policyInfo
		PolicyInfo []struct{ PolicyAssignmentID, PolicyDefinitionID string }
	}
	if json.Unmarshal(in.InnerError, &old) == nil {
		for _, p := range old.PolicyInfo {
			all = append(all, Detail{Code: string(in.Code), Target: in.Target, Message: plain(in.Message), PolicyAssignmentID: p.PolicyAssignmentID, PolicyDefinitionID: p.PolicyDefinitionID})
		}
	}
	for _, d := range in.Details {
		below := d.nested()
		if len(below) == 0 {
			below = []Detail{{Code: string(d.Code), Target: d.Target, Message: plain(d.Message)}}
		}
		all = append(all, below...)
	}
	return all
}

func (e *Error) readPartner(b errorBody) {
	e.Code, e.Retryable = string(b.Code), b.IsRetryable
	e.Message = plain(b.Description)
	if e.Message == "" {
		e.Message = plain(b.Message)
	}
	if e.Code == "" && b.StatusCode == "" {
		e.Code = strings.TrimPrefix(b.ErrorMessageExtended, "InternalErrorCode=")
	}
	if e.Code == "" {
		e.Code = b.ErrorName
	}
	// The description may be the JSON error of a service below, at times as text.
	var below errorBody
	if strings.HasPrefix(e.Message, "{") && json.Unmarshal([]byte(e.Message), &below) == nil {
		d := Detail{Code: string(below.Code), Message: plain(below.Description)}
		if d.Message == "" {
			d.Message = plain(below.Message)
		}
		var in inner
		if len(below.Error) > 0 && json.Unmarshal(below.Error, &in) == nil {
			d = Detail{Code: string(in.Code), Message: plain(in.Message), Target: in.Target}
		}
		if d.Code != "" || d.Message != "" {
			e.Details, e.Message = append(e.Details, d), d.Message
		}
	}
	var data []Text // what the error is about: field names, ids
	if json.Unmarshal(b.Data, &data) == nil {
		for _, text := range data {
			if text != "" {
				e.Details = append(e.Details, Detail{Target: string(text)})
			}
		}
	}
	for _, in := range b.Errors {
		e.Details = append(e.Details, Detail{Code: string(in.Code), Target: in.Target, Message: plain(in.Message)})
	}
}

func (e *Error) readXML(body string) {
	var x struct{ Code, Message string }
	if xml.Unmarshal([]byte(body), &x) == nil && x.Code != "" {
		e.Code, e.Message = x.Code, strings.TrimSpace(x.Message)
		return
	}
	e.Message = http.StatusText(e.Status)
	if !strings.HasPrefix(body, "<") {
		e.Message = cut(body, 300) // plain text of a gateway
	}
}

// plain gives the text of a JSON string; an object (a translated message, a
// nested error) stays as JSON.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return strings.TrimSpace(s)
	}
	var v struct{ Value string }
	if json.Unmarshal(raw, &v) == nil && v.Value != "" {
		return v.Value
	}
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	return string(raw)
}

// cut keeps at most n bytes and no half rune.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
