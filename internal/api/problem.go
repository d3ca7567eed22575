package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/store"

	"github.com/danielgtaylor/huma/v2"
)

// status is the one table from kinds of fault to HTTP.
var status = map[fault.Kind]int{
	fault.Invalid:     http.StatusUnprocessableEntity,
	fault.NotFound:    http.StatusNotFound,
	fault.Conflict:    http.StatusConflict,
	fault.Forbidden:   http.StatusForbidden,
	fault.Unavailable: http.StatusServiceUnavailable,
}

// unauthorized are the refusals that mean: nobody known is calling.
var unauthorized = map[string]bool{"token-unknown": true, "token-expired": true, "token-revoked": true, "signed-out": true}

// Problem is an error as it is sent (RFC 9457). It never repeats what was sent.
type Problem struct {
	Type     string        `json:"type,omitempty" format:"uri-reference" example:"about:blank"`
	Title    string        `json:"title" example:"Unprocessable Entity"`
	Status   int           `json:"status" example:"422"`
	Detail   string        `json:"detail" doc:"What is wrong, in words for a person."`
	Instance string        `json:"instance,omitempty" doc:"Number of the request; support finds it in the log."`
	Errors   []ErrorAt     `json:"errors,omitempty" doc:"Everything that is wrong, each with its place."`
	Refusals []RefusalView `json:"refusals,omitempty" doc:"The same for people and programs: field, code, reason and remedy."`

	after int // seconds
}

// ErrorAt is one thing that is wrong and where.
type ErrorAt struct {
	Location string `json:"location,omitempty" example:"body.domain_prefix"`
	Message  string `json:"message"`
}

// RefusalView is one thing that is wrong, with what to do about it.
type RefusalView struct {
	Field  string `json:"field,omitempty" example:"domain_prefix"`
	Code   string `json:"code,omitempty" example:"domain-taken" doc:"Stable; for programs."`
	Reason string `json:"reason"`
	Remedy string `json:"remedy,omitempty"`
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is a problem document's.
func (p *Problem) ContentType(ct string) string {
	if ct == "application/json" {
		return "application/problem+json"
	}
	return ct
}

// GetHeaders says when to come again, if that helps.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.after > 0 {
		h.Set("Retry-After", strconv.Itoa(p.after))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="Causeway"`)
	}
	return h
}

// problem is what huma calls for its own refusals. Values are left out: what was
// sent may be a secret.
func problem(code int, msg string, errs ...error) huma.StatusError {
	p := &Problem{Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: msg}
	for _, err := range errs {
		var d *huma.ErrorDetail
		if errors.As(err, &d) {
			p.Errors = append(p.Errors, ErrorAt{d.Location, plain(d.Message)})
		} else if err != nil && code < 500 {
			p.Errors = append(p.Errors, ErrorAt{Message: plain(err.Error())})
		}
	}
	if code == http.StatusUnprocessableEntity {
		p.Detail = "The request does not fit: " + places(p.Errors) + "."
	} else if msg != "" && !strings.HasSuffix(msg, ".") {
		p.Detail = strings.ToUpper(msg[:1]) + msg[1:] + "."
	}
	for _, e := range p.Errors {
		field, _ := strings.CutPrefix(e.Location, "body.")
		p.Refusals = append(p.Refusals, RefusalView{Field: field, Code: "form", Reason: sentence(e.Message)})
	}
	return p
}

// plain cuts what a decoder quotes of the text that it could not read.
func plain(msg string) string {
	for _, mark := range []string{"invalid character", "json:", "unmarshal"} {
		if strings.Contains(msg, mark) {
			return "this is not valid JSON, or not of the form that is documented"
		}
	}
	return msg
}

func places(list []ErrorAt) string {
	var all []string
	for _, e := range list {
		all = append(all, strings.TrimSpace(e.Location+" "+e.Message))
	}
	if len(all) == 0 {
		return "see the document"
	}
	return strings.Join(all, "; ")
}

func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// fail turns any error into a problem: a known kind shows its message; anything
// else is our bug, logged in full and shown to nobody.
func fail(log *slog.Logger, request string, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, context.Canceled) { // the caller hung up, or we are stopping
		return &Problem{
			Type: "about:blank", Title: http.StatusText(http.StatusServiceUnavailable), Status: http.StatusServiceUnavailable,
			Detail: "The call was broken off.", Instance: "request:" + request, after: 1,
		}
	}
	err = store.Known(err)
	f := fault.Of(err)
	if f == nil || status[f.Kind] == 0 {
		log.Error("a request broke", "request", request, "error", err)
		return &Problem{
			Type: "about:blank", Title: http.StatusText(http.StatusInternalServerError), Status: http.StatusInternalServerError,
			Detail: "Something broke on our side. Tell support the number of this request.", Instance: "request:" + request,
		}
	}
	p = &Problem{Type: "about:blank", Status: status[f.Kind], Detail: f.Message, Instance: "request:" + request}
	var deep placed
	inDetails := errors.As(err, &deep)
	for _, r := range f.Refusals {
		if unauthorized[r.Code] {
			p.Status = http.StatusUnauthorized
		}
		p.Refusals = append(p.Refusals, RefusalView(r))
		at := ErrorAt{Message: r.String()}
		if r.Field != "" {
			at.Location = "body." + r.Field
			if inDetails {
				at.Location = "body." + deep.in + place(r.Field)
			}
		}
		p.Errors = append(p.Errors, at)
	}
	if p.Detail == "" {
		var all []string
		for _, r := range f.Refusals {
			all = append(all, r.String())
		}
		p.Detail = strings.Join(all, " ")
	}
	if cause := errors.Unwrap(f); cause != nil {
		log.Info("refused", "request", request, "kind", string(f.Kind), "cause", cause)
	}
	p.Title = http.StatusText(p.Status)
	if f.After > 0 {
		p.after = int(math.Ceil(f.After.Seconds()))
	} else if f.Kind == fault.Unavailable {
		p.after = 2
	}
	return p
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, err huma.StatusError) {
	if h, ok := err.(huma.HeadersError); ok {
		for k, v := range h.GetHeaders() {
			w.Header()[k] = v
		}
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(err.GetStatus())
	_ = json.NewEncoder(w).Encode(err)
}

// misused is a 4xx of the edge itself.
func misused(code int, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(code), Status: code, Detail: fmt.Sprintf(format, args...)}
}
