package web

import (
	"net/http"
	"strings"

	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/web/ui"
)

// signInPage: GET /signin.
func (s *Server) signInPage(v *visit) error {
	next := safePath(v.form("next"))
	if v.signedIn() {
		return v.to(next, "")
	}
	p := s.signInOf(v, next)
	if said := s.sessions.PopString(v.ctx(), "toast"); said != "" {
		p.Note = &ui.Note{Tone: ui.ToneInfo, Text: said}
	}
	return v.page(ui.SignIn(p))
}

func (s *Server) signInOf(v *visit, next string) ui.SignInPage {
	return ui.SignInPage{Brand: v.words, Next: next, Simulated: s.Simulated, Demo: s.Demo}
}

// signIn: POST /signin.
func (s *Server) signIn(v *visit) error {
	next := safePath(v.form("next"))
	u, err := s.People.SignIn(v.ctx(), v.form("email"), v.r.PostFormValue("password"), v.r.RemoteAddr)
	if f := fault.Of(err); f != nil {
		p := s.signInOf(v, next)
		p.Email, p.Error = v.form("email"), refusals(f)
		v.part(statusOf(err), ui.SignIn(p))
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.sessions.RenewToken(v.ctx()); err != nil { // what was known before the sign-in opens nothing after it
		return err
	}
	v.me = u.Actor(v.r.RemoteAddr)
	s.signedInNow(v)
	return v.to(next, "")
}

// signedInNow writes whose session this is, and since when.
func (s *Server) signedInNow(v *visit) {
	s.sessions.Put(v.ctx(), "user", string(v.me.User))
	s.sessions.Put(v.ctx(), "since", store.Micros(s.Now()))
}

// refusals is all that is wrong, one sentence after the other.
func refusals(f *fault.Error) string {
	if len(f.Refusals) == 0 {
		return f.Message
	}
	var all []string
	for _, r := range f.Refusals {
		all = append(all, r.String())
	}
	return strings.Join(all, " ")
}

// signOut: POST /signout. The session ends at the server, not only in the browser.
func (s *Server) signOut(v *visit) error {
	if err := s.sessions.Destroy(v.ctx()); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, "/signin", http.StatusSeeOther)
	return nil
}

// safePath keeps the way back on this site: an address like //elsewhere.example
// is another website to a browser.
func safePath(p string) string {
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.HasPrefix(p, "/\\") || strings.ContainsAny(p, "\r\n\t") {
		return "/"
	}
	return p
}
