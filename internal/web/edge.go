package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/partner"
	"causeway/internal/store"
	"causeway/internal/web/ui"

	"github.com/a-h/templ"
)

// visit is one request of one person: what every handler needs of it.
type visit struct {
	s     *Server
	w     http.ResponseWriter
	r     *http.Request
	me    account.Actor // zero for who is not signed in
	brand partner.Brand
	rules partner.Rules
	words ui.Brand
	now   time.Time // in the reader's zone
}

func (v *visit) ctx() context.Context { return v.r.Context() }

// signedIn tells whether somebody is signed in.
func (v *visit) signedIn() bool { return v.me.User != "" }

// htmx tells whether only a part of the page is wanted.
func (v *visit) htmx() bool { return v.r.Header.Get("HX-Request") == "true" }

// form is one field of a form, or of the address.
func (v *visit) form(name string) string { return strings.TrimSpace(v.r.FormValue(name)) }

// limits of what is taken from outside.
const (
	maxBody  = 1 << 20
	maxQuery = 4096
)

// status is the one table from faults to HTTP.
var status = map[fault.Kind]int{
	fault.Invalid:     http.StatusUnprocessableEntity,
	fault.NotFound:    http.StatusNotFound,
	fault.Conflict:    http.StatusConflict,
	fault.Forbidden:   http.StatusForbidden,
	fault.Unavailable: http.StatusServiceUnavailable,
}

func statusOf(err error) int {
	if code, ok := status[fault.KindOf(err)]; ok {
		return code
	}
	return http.StatusInternalServerError
}

// codeSignedOut is the refusal of a session that has ended.
const codeSignedOut = "signed-out"

// edge is the one place where a request becomes a visit, and an error a page.
func (s *Server) edge(rt route) http.Handler {
	return s.sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{s: s, w: w, r: r}
		w.Header().Set("Cache-Control", "no-store") // pages hold a customer's data
		err := s.enter(v, rt)
		if err == nil {
			err = rt.handle(v)
		}
		if err != nil {
			s.refuse(v, store.Known(err))
		}
	}))
}

// enter finds out who asks and whether the route is for them.
func (s *Server) enter(v *visit, rt route) error {
	v.now = s.Now().In(zone(v.r))
	if len(v.r.URL.RawQuery) > maxQuery {
		return fault.New(fault.Invalid, "The address is too long.")
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxBody)
	var err error
	if v.brand, err = s.Settings.Brand(v.ctx()); err != nil {
		return err
	}
	if v.rules, err = s.Settings.Rules(v.ctx()); err != nil {
		return err
	}
	v.words = s.wordsOf(v)
	if err := v.r.ParseForm(); err != nil {
		return unreadable(err)
	}
	for name, values := range v.r.Form {
		for _, x := range values {
			if err := store.CheckText(name, x); err != nil {
				return err
			}
		}
	}
	if err := s.resume(v); err != nil {
		return err
	}
	switch {
	case rt.who == everybody:
		return nil
	case !v.signedIn():
		return fault.Refuse(fault.Refusal{Code: codeSignedOut, Reason: "You are not signed in."}).In(fault.Forbidden)
	case rt.who == staff && !v.me.Staff():
		return fault.New(fault.Forbidden, "This page is for the staff of %s.", v.brand.Partner)
	case rt.act == "":
		return nil
	}
	return account.May(v.me, rt.act, v.me.Org)
}

func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.New(fault.Invalid, "What was sent is larger than 1 MB. Nothing of it was kept.")
	}
	return fault.New(fault.Invalid, "The form could not be read. Nothing of it was kept.")
}

// resume finds the person of the session. It is asked for on every request: who
// was deactivated is out at once.
func (s *Server) resume(v *visit) error {
	id := s.sessions.GetString(v.ctx(), "user")
	if id == "" {
		return nil
	}
	me, err := s.People.Resume(v.ctx(), account.UserID(id), store.Time(s.sessions.GetInt64(v.ctx(), "since")), v.r.RemoteAddr)
	if errors.Is(err, fault.Forbidden) {
		if derr := s.sessions.Destroy(v.ctx()); derr != nil {
			return derr
		}
		return fault.Refuse(fault.Refusal{Code: codeSignedOut, Reason: fault.Of(err).Message}).In(fault.Forbidden)
	}
	v.me = me
	return err
}

// refuse turns an error into its page, or into a note for a part of one.
func (s *Server) refuse(v *visit, err error) {
	code := statusOf(err)
	f := fault.Of(err)
	if f != nil && store.IsAway(f.Unwrap()) {
		s.Log.Warn("the database is away", "request", reference(v.r), "error", f.Unwrap())
	}
	if code == http.StatusInternalServerError {
		if v.ctx().Err() != nil {
			return // the person has left
		}
		s.Log.Error("a page broke", "request", reference(v.r), "path", v.r.URL.Path, "error", err)
	}
	if f != nil && len(f.Refusals) == 1 && f.Refusals[0].Code == codeSignedOut {
		s.askToSignIn(v, f.Refusals[0].Reason)
		return
	}
	if f != nil && f.Kind == fault.Unavailable && f.After > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.After.Seconds()))))
	}
	if v.htmx() {
		text := "Something broke on our side. It was recorded; try again in a minute."
		if f != nil {
			text = f.Message
		}
		v.part(code, ui.Notice(ui.Note{Tone: ui.ToneStuck, Text: text}))
		return
	}
	p := s.errorPage(v, code, err)
	if v.signedIn() {
		if shell, serr := s.shell(v, "", p.Title); serr == nil {
			p.Shell = &shell
		} else if v.ctx().Err() == nil {
			s.Log.Error("no frame for an error page", "request", reference(v.r), "error", serr)
		}
	}
	v.part(code, ui.Problem(p))
}

func (s *Server) errorPage(v *visit, code int, err error) ui.ErrorPage {
	b, message := v.words, ""
	if b.Product == "" { // not even the brand could be read
		b = brandWords(partner.DefaultBrand(), partner.DefaultRules(), documentedSpan)
	}
	if f := fault.Of(err); f != nil {
		message = f.Message
	}
	back := ui.Action{Label: "Back", Href: v.back(), Variant: "primary"}
	switch code {
	case http.StatusNotFound:
		return ui.NotFound(b, nil)
	case http.StatusForbidden:
		return ui.Forbidden(b, nil, message)
	case http.StatusConflict:
		return ui.ErrorPage{Brand: b, Code: code, Title: "It has changed meanwhile", Text: message, Actions: []ui.Action{back}}
	case http.StatusUnprocessableEntity:
		return ui.ErrorPage{Brand: b, Code: code, Title: "This cannot be done as it was sent", Text: message, Actions: []ui.Action{back}}
	case http.StatusServiceUnavailable:
		return ui.ErrorPage{Brand: b, Code: code, Title: "Not at the moment", Text: message, Actions: []ui.Action{back}}
	}
	return ui.Broken(b, nil, reference(v.r))
}

// back is where the person came from, if that is a page of ours.
func (v *visit) back() string {
	u, err := url.Parse(v.r.Referer())
	if err != nil || u.Path == "" || u.Host != v.r.Host {
		return "/"
	}
	return u.RequestURI()
}

// askToSignIn leads to the sign-in and, after it, back here.
func (s *Server) askToSignIn(v *visit, why string) {
	next := "/"
	if v.r.Method == http.MethodGet && !v.htmx() && !strings.HasSuffix(v.r.URL.Path, "/events") {
		next = v.r.URL.RequestURI()
	} else if v.htmx() {
		next = v.back()
	}
	to := "/signin"
	if q := (url.Values{"next": {next}}); next != "/" {
		to += "?" + q.Encode()
	}
	if why != "You are not signed in." {
		s.sessions.Put(v.ctx(), "toast", why)
	}
	if v.htmx() {
		v.w.Header().Set("HX-Redirect", to)
		v.w.WriteHeader(http.StatusOK) // htmx follows it with any answer but an empty 204
		return
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
}

// part writes HTML with a status: a whole page or a piece of one.
func (v *visit) part(code int, c templ.Component) {
	var b bytes.Buffer
	if err := c.Render(v.ctx(), &b); err != nil {
		v.s.Log.Error("a page could not be written", "request", reference(v.r), "error", err)
		http.Error(v.w, "Something broke on our side. Its number is "+reference(v.r)+".", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(code)
	_, _ = v.w.Write(b.Bytes()) // who has left reads nothing
}

// page answers 200 with a page.
func (v *visit) page(c templ.Component) error {
	v.part(http.StatusOK, c)
	return nil
}

// to leads to another page after a form; said is shown there once.
func (v *visit) to(path, said string) error {
	if said != "" {
		v.s.sessions.Put(v.ctx(), "toast", said)
	}
	if v.htmx() {
		v.w.Header().Set("HX-Redirect", path)
		v.w.WriteHeader(http.StatusOK)
		return nil
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// reference is the request's number, for people to quote.
func reference(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" {
		return id
	}
	return "none"
}

// zone is the reader's, from the cookie that theme.js sets; UTC for who has none.
func zone(r *http.Request) *time.Location {
	c, err := r.Cookie("cw-zone")
	if err != nil || len(c.Value) > 64 || c.Value == "Local" {
		return time.UTC
	}
	name, err := url.QueryUnescape(c.Value)
	if err != nil {
		return time.UTC
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return l
}

// errorsOf gives the refusals of err as a form shows them, for the kinds that a
// form can answer; ok is false if err is of another kind.
func errorsOf(err error, labels map[string]string, ids map[string]string) (ui.Errors, bool) {
	f := fault.Of(err)
	if f == nil || f.Kind == fault.NotFound || f.Kind == fault.Unavailable && len(f.Refusals) == 0 && f.Message == "" {
		return nil, false
	}
	if len(f.Refusals) == 0 {
		return ui.Errors{{Reason: f.Message}}, true
	}
	var list ui.Errors
	for _, r := range f.Refusals {
		id := r.Field
		if to, ok := ids[id]; ok {
			id = to
		}
		list = append(list, ui.FieldError{Field: id, Label: labels[id], Reason: r.Reason, Remedy: r.Remedy})
	}
	return list, true
}

// first is the first refusal in one sentence.
func first(err error) string {
	f := fault.Of(err)
	if f == nil {
		return ""
	}
	if len(f.Refusals) > 0 {
		return f.Refusals[0].String()
	}
	return f.Message
}

// why gives the reason why something is off, or "" if it is not. Errors that
// are no refusal are given back.
func why(err error) (string, error) {
	if fault.Of(err) == nil {
		return "", err
	}
	text := first(err)
	return text, nil
}

// may gives the reason why this person may not do it, or "".
func (v *visit) may(act account.Action, org account.OrgID) string {
	if err := account.May(v.me, act, org); err != nil {
		return first(err)
	}
	return ""
}

// nothing answers every address that is none.
func (s *Server) nothing(v *visit) error {
	return fault.New(fault.NotFound, "There is nothing at %s.", v.r.URL.Path)
}

// front leads to the first page of whoever asks.
func (s *Server) front(v *visit) error {
	switch {
	case !v.signedIn():
		return v.to("/signin", "")
	case v.me.Staff():
		return v.to("/staff", "")
	}
	return v.to("/providers", "")
}

// brandCSS is the partner's accent.
func (s *Server) brandCSS(v *visit) error {
	v.w.Header().Set("Content-Type", "text/css; charset=utf-8")
	if v.r.URL.Query().Has("v") {
		v.w.Header().Set("Cache-Control", "public, max-age=86400")
	}
	_, err := fmt.Fprint(v.w, ui.Accent{Light: v.brand.Accent, Dark: v.brand.AccentDark}.CSS())
	return ignoreGone(v, err)
}

// brandMark is the partner's mark. Whatever is in it, it cannot do anything.
func (s *Server) brandMark(v *visit) error {
	if len(v.brand.Mark) == 0 {
		return fault.New(fault.NotFound, "There is no mark.")
	}
	v.w.Header().Set("Content-Type", "image/svg+xml")
	v.w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if v.r.URL.Query().Has("v") {
		v.w.Header().Set("Cache-Control", "public, max-age=86400")
	}
	_, err := v.w.Write(v.brand.Mark)
	return ignoreGone(v, err)
}

// ignoreGone drops the error of writing to a person who has left.
func ignoreGone(v *visit, err error) error {
	if v.ctx().Err() == nil {
		return err
	}
	return nil
}
