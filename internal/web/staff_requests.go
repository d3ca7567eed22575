package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/support"
	"causeway/internal/web/ui"
)

// staffRequestRow is a request in the queue.
func (s *Server) staffRequestRow(v *visit, r support.Request) (ui.RequestRow, error) {
	row := s.requestRow(v, r)
	row.Href = "/staff/requests?open=" + row.ID
	who, err := s.orgName(v, r.Org, map[account.OrgID]string{})
	row.Who = who
	return row, err
}

// staffRequests: GET /staff/requests?state=&kind=&open=.
func (s *Server) staffRequests(v *visit) error {
	return s.showRequests(v, support.RequestID(v.form("open")), http.StatusOK, nil)
}

func (s *Server) showRequests(v *visit, id support.RequestID, code int, errs ui.Errors) error {
	var p ui.StaffRequestsPage
	var err error
	if p.Shell, err = s.shell(v, "requests", "Requests"); err != nil {
		return err
	}
	bar, f, err := s.requestFilter(v, "/staff/requests")
	if err != nil {
		return err
	}
	p.Filter = bar
	page, err := s.Desk.Requests(v.ctx(), v.me, f)
	if err != nil {
		return err
	}
	names := map[account.OrgID]string{}
	for _, r := range page.Items {
		row := s.requestRow(v, r)
		q := v.query("state", "kind", "after", "back")
		q.Set("open", row.ID)
		row.Href = link("/staff/requests", q)
		if row.Who, err = s.orgName(v, r.Org, names); err != nil {
			return err
		}
		p.Rows = append(p.Rows, row)
	}
	p.Text = "What customers ask for. Answers go out by mail."
	p.Foot = v.foot("/staff/requests", len(page.Items), page.Next, -1, "request", "requests")
	p.List = link("/staff/requests", v.query("state", "kind", "after", "back"))
	if id != "" {
		if p.Sheet, err = s.requestSheet(v, id, errs); err != nil {
			return err
		}
	}
	v.part(code, ui.StaffRequests(p))
	return nil
}

// requestSheet is one request with all that a decision needs.
func (s *Server) requestSheet(v *visit, id support.RequestID, errs ui.Errors) (*ui.RequestSheet, error) {
	r, err := s.Desk.Request(v.ctx(), v.me, id)
	if err != nil {
		return nil, err
	}
	org, err := s.orgName(v, r.Org, map[account.OrgID]string{})
	if err != nil {
		return nil, err
	}
	sh := &ui.RequestSheet{ID: string(r.ID), Title: r.Subject, State: requestState(v, r), Sub: r.Label() + " · " + plain(org) + " · asked by " + plain(r.AskedName) + ", " + r.AskedEmail, Errors: errs}
	sh.Text, sh.Rows, sh.Reasons = wrote(r)
	answer := ui.KV{Key: "Answer by", Value: v.moment(r.AnswerBy)}
	if r.Overdue(v.now) {
		answer.Tone, answer.Sub = ui.ToneStuck, "overdue"
	}
	if r.State == support.Open {
		sh.Rows = append(sh.Rows, answer)
	} else {
		sh.Rows = append(sh.Rows, ui.KV{Key: "Decided", Value: v.moment(r.DecidedAt), Sub: "by " + r.DecidedName}, ui.KV{Key: "Reason", Value: plain(r.Reason)})
		if !r.Until.IsZero() {
			sh.Rows = append(sh.Rows, ui.KV{Key: "Valid until", Value: v.day(r.Until)})
		}
	}
	if r.Alias != "" {
		a, err := s.People.Account(v.ctx(), r.Alias)
		if err != nil {
			return nil, err
		}
		sh.Account = append([]ui.KV{{Key: v.words.AccountWord, Value: string(a.Alias) + " · " + a.Name, Href: "/accounts/" + string(a.Alias)}}, accountFacts(v, a)...)
	}
	timeline, err := s.Desk.Timeline(v.ctx(), v.me, id)
	if err != nil {
		return nil, err
	}
	for _, e := range timeline {
		text := capitalized(string(e.Kind)) + " by " + e.Name
		if e.Text != "" && e.Kind != support.EntryAsked {
			text += ": " + e.Text
		}
		sh.History = append(sh.History, ui.LogLine{At: v.in(e.At).Format("2 Jan 15:04"), ISO: e.At.UTC().Format(time.RFC3339), Text: text})
	}
	sh.Decide = r.State == support.Open
	act := account.ActRequestDecide
	if r.Kind == support.Exception {
		act = account.ActExceptionDecide
	}
	sh.Off = v.may(act, "")
	sh.Reason = ui.Field{ID: "reason", Label: "Reason, as the customer will read it", Type: "textarea", Rows: 3, MaxLength: 2000, Value: v.form("reason"), Error: errs.For("reason")}
	if r.Kind == support.Exception {
		until := v.form("until")
		if until == "" {
			until = v.now.Add(v.rules.ExceptionValidity()).Format(time.DateOnly)
		}
		sh.Until = ui.Field{ID: "until", Label: "Valid until, if granted", Type: "date", Value: until, Error: errs.For("until"), Hint: "End of that day in your zone. Usual: " + ui.Count(v.rules.ExceptionDays, "day", "days") + "."}
	}
	return sh, nil
}

// decide: POST /staff/requests/{id}/decide grants or declines.
func (s *Server) decide(v *visit) error {
	id := support.RequestID(v.r.PathValue("id"))
	r, err := s.Desk.Request(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	decision := map[string]support.Decision{"grant": support.Grant, "decline": support.Refuse}[v.form("decision")]
	if want := map[support.Decision]support.State{support.Grant: support.Granted, support.Refuse: support.Refused}[decision]; r.State == want && want != "" { // sent twice
		return v.to("/staff/requests?open="+string(id), "")
	}
	var until time.Time
	if text := v.form("until"); text != "" && decision == support.Grant {
		day, perr := time.ParseInLocation(time.DateOnly, text, v.now.Location())
		if perr != nil {
			err = fault.Field("until", fmt.Sprintf("%s is no day.", strconv.Quote(text)), "Write it like 2026-12-31.")
		}
		until = day.AddDate(0, 0, 1)
	}
	if err == nil {
		r, err = s.Desk.Decide(v.ctx(), v.me, id, decision, v.form("reason"), until)
	}
	if err == nil {
		word := "granted"
		if decision == support.Refuse {
			word = "declined"
		}
		return v.to("/staff/requests?state=open", r.Label()+" "+word+". "+r.AskedName+" gets a mail.")
	}
	errs, ok := errorsOf(err, map[string]string{"reason": "Reason", "until": "Valid until"}, nil)
	if !ok || fault.KindOf(err) == fault.Forbidden {
		return err
	}
	return s.showRequests(v, id, statusOf(err), errs)
}
