package api

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/support"
)

// AuditEntry is one deed.
type AuditEntry struct {
	Organization string          `json:"organization,omitempty" doc:"Missing: the partner's own affairs."`
	Seq          int64           `json:"seq"`
	At           time.Time       `json:"at"`
	Actor        string          `json:"actor" example:"user:01a2…"`
	Action       string          `json:"action"`
	Object       string          `json:"object"`
	Detail       json.RawMessage `json:"detail"`
	Address      string          `json:"address,omitempty"`
	Hash         string          `json:"hash"`
}

// AuditVerdict says whether a chain is whole.
type AuditVerdict struct {
	Organization string `json:"organization,omitempty"`
	Entries      int64  `json:"entries"`
	Whole        bool   `json:"whole"`
	Fault        string `json:"fault,omitempty" doc:"The first entry that does not fit."`
}

// MailView is a mail in the outbox, without its text.
type MailView struct {
	ID      string     `json:"id"`
	To      string     `json:"to"`
	Subject string     `json:"subject"`
	State   string     `json:"state" enum:"waiting,sent,stuck"`
	Attempt int        `json:"attempt"`
	Answer  string     `json:"answer,omitempty" doc:"The mail server's last words."`
	MadeAt  time.Time  `json:"made_at"`
	SentAt  *time.Time `json:"sent_at,omitempty"`
}

// CountryView is a country with the parts of its addresses.
type CountryView struct {
	Code   string          `json:"code"`
	Name   string          `json:"name"`
	Fields []address.Field `json:"fields,omitempty" doc:"In the order in which they are typed."`
}

type auditIn struct {
	Organization string `query:"organization" maxLength:"100" doc:"Left out: the caller's own; for staff the partner's own affairs."`
	Object       string `query:"object" maxLength:"200" example:"provider:01a2…"`
	PageOf
}

type mailIn struct {
	State string `query:"state" enum:"waiting,sent,stuck"`
	PageOf
}

type mailRetryIn struct {
	ByID
	Body struct {
		To string `json:"to,omitempty" maxLength:"254" doc:"Another address; left out: the same."`
	}
}

type countryIn struct {
	Code string `path:"code" maxLength:"2"`
}

func (s *Server) routeRecord() {
	handle(s, op{id: "list-audit", is: "GET /audit", tag: "record", text: "Who did what, the newest first", act: account.ActAuditView}, s.audit)
	handle(s, op{id: "verify-audit", is: "GET /audit/verify", tag: "record", text: "Read a whole chain and tell whether it is unbroken", act: account.ActAuditView}, s.verify)
	handle(s, op{id: "list-mail", is: "GET /mail", tag: "record", text: "The outbox, the newest first", act: account.ActMailView}, s.mail)
	act(s, op{id: "retry-mail", is: "POST /mail/{id}/retry", tag: "record", text: "Send a stuck mail again", act: account.ActMailRetry}, func(ctx context.Context, a account.Actor, in *mailRetryIn) error {
		return s.Mail.Retry(ctx, a, in.ID, in.Body.To)
	})
	handle(s, op{id: "list-countries", is: "GET /countries", tag: "accounts", text: "All countries by name"}, func(context.Context, account.Actor, *none) (Page[CountryView], error) {
		return Page[CountryView]{Items: each(address.Countries(), func(c address.Country) CountryView { return CountryView{Code: c.Code, Name: c.Name} })}, nil
	})
	handle(s, op{id: "get-country", is: "GET /countries/{code}", tag: "accounts", text: "How a country writes an address"}, func(_ context.Context, _ account.Actor, in *countryIn) (CountryView, error) {
		if !address.Known(in.Code) {
			return CountryView{}, fault.New(fault.NotFound, "There is no such country.")
		}
		return CountryView{Code: in.Code, Name: address.CountryName(in.Code), Fields: address.Fields(in.Code)}, nil
	})
}

// auditOrg is whose chain is meant; another organization's is not there.
func (s *Server) auditOrg(ctx context.Context, a account.Actor, id string) (string, error) {
	org := account.OrgID(id)
	if org == "" {
		org = a.Org
	}
	if err := account.May(a, account.ActAuditView, org); err != nil {
		return "", err
	}
	if org != "" {
		if _, err := s.People.Org(ctx, org); err != nil {
			return "", err
		}
	}
	return string(org), nil
}

func (s *Server) audit(ctx context.Context, a account.Actor, in *auditIn) (Page[AuditEntry], error) {
	var p Page[AuditEntry]
	org, err := s.auditOrg(ctx, a, in.Organization)
	if err != nil {
		return p, err
	}
	f := audit.Filter{Org: &org, Object: in.Object, Limit: in.Limit + 1}
	if in.After != "" {
		us, _, err := store.ParseCursor(in.After)
		if err != nil {
			return p, err
		}
		f.Before = store.Time(us)
	}
	list, err := audit.List(ctx, s.DB, f)
	if err != nil {
		return p, err
	}
	if len(list) > in.Limit {
		list = list[:in.Limit]
		last := list[len(list)-1]
		p.Next = store.Cursor(store.Micros(last.At), strconv.FormatInt(last.Seq, 10))
	}
	p.Items = each(list, func(e audit.Entry) AuditEntry {
		detail, ok := e.Detail.(json.RawMessage)
		if !ok || len(detail) == 0 {
			detail = json.RawMessage("null")
		}
		return AuditEntry{e.Org, e.Seq, e.At, e.Actor, e.Action, e.Object, detail, e.Address, e.Hash}
	})
	return p, nil
}

type verifyIn struct {
	Organization string `query:"organization" maxLength:"100" doc:"Left out: the caller's own; for staff the partner's own affairs."`
}

func (s *Server) verify(ctx context.Context, a account.Actor, in *verifyIn) (AuditVerdict, error) {
	org, err := s.auditOrg(ctx, a, in.Organization)
	if err != nil {
		return AuditVerdict{}, err
	}
	n, err := audit.Verify(ctx, s.DB, org)
	v := AuditVerdict{Organization: org, Entries: n, Whole: err == nil}
	if err != nil {
		if ctx.Err() != nil {
			return v, err
		}
		v.Fault = err.Error()
	}
	return v, nil
}

func (s *Server) mail(ctx context.Context, a account.Actor, in *mailIn) (Page[MailView], error) {
	p, err := s.Mail.Mails(ctx, a, support.MailState(in.State), in.After, in.Limit)
	return Page[MailView]{each(p.Items, func(m support.Mail) MailView {
		return MailView{m.ID, m.To, m.Subject, string(m.State), m.Attempt, m.Answer, m.MadeAt, when(m.SentAt)}
	}), p.Next}, err
}
