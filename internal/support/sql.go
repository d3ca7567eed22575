package support

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/support/sqlc"
)

// Request gives one request to somebody who may see it.
func (d *Desk) Request(ctx context.Context, a account.Actor, id RequestID) (Request, error) {
	r, err := d.get(ctx, id)
	if err != nil {
		return Request{}, err
	}
	return r, account.May(a, account.ActRequestView, r.Org)
}

// ByNumber finds a request by the number that people say.
func (d *Desk) ByNumber(ctx context.Context, a account.Actor, number int64) (Request, error) {
	row, err := sqlc.New(d.db.Read()).RequestByNumber(ctx, number)
	if err != nil {
		return Request{}, store.Found(err, "There is no such request.")
	}
	return request(row), account.May(a, account.ActRequestView, account.OrgID(row.Org))
}

func (d *Desk) get(ctx context.Context, id RequestID) (Request, error) {
	if store.CheckText("id", string(id)) != nil {
		return Request{}, fault.New(fault.NotFound, "There is no such request.")
	}
	row, err := sqlc.New(d.db.Read()).GetRequest(ctx, string(id))
	if err != nil {
		return Request{}, store.Found(err, "There is no such request.")
	}
	return request(row), nil
}

// Requests lists requests, the newest first: all of them for staff, the own
// organization's for everybody else.
func (d *Desk) Requests(ctx context.Context, a account.Actor, f Filter) (Page[Request], error) {
	if !a.Staff() {
		f.Org = a.Org
	}
	if err := account.May(a, account.ActRequestView, f.Org); err != nil {
		return Page[Request]{}, err
	}
	at, id, err := cursor(f.After)
	if err != nil {
		return Page[Request]{}, err
	}
	for _, s := range []string{string(f.Org), string(f.Alias), string(f.Kind), string(f.State)} {
		if err := store.CheckText("filter", s); err != nil {
			return Page[Request]{}, err
		}
	}
	limit := limit(f.Limit)
	rows, err := sqlc.New(d.db.Read()).ListRequests(ctx, sqlc.ListRequestsParams{
		Org: null(string(f.Org)), Alias: null(string(f.Alias)), Kind: null(string(f.Kind)), State: null(string(f.State)),
		Before: at, BeforeID: id, Batch: limit + 1,
	})
	if err != nil {
		return Page[Request]{}, fmt.Errorf("list requests: %w", err)
	}
	var p Page[Request]
	for i, r := range rows {
		if i == int(limit) {
			last := rows[i-1]
			p.Next = cursorOf(last.AskedAt, last.ID)
			break
		}
		p.Items = append(p.Items, request(r))
	}
	return p, nil
}

// Counts counts requests by kind and state, for the chips above a list.
func (d *Desk) Counts(ctx context.Context, a account.Actor) (Counts, error) {
	if err := account.May(a, account.ActRequestView, a.Org); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(d.db.Read()).CountRequests(ctx, null(string(a.Org)))
	if err != nil {
		return nil, fmt.Errorf("count requests: %w", err)
	}
	c := Counts{}
	for _, r := range rows {
		if c[Kind(r.Kind)] == nil {
			c[Kind(r.Kind)] = map[State]int{}
		}
		c[Kind(r.Kind)][State(r.State)] = int(r.N)
	}
	return c, nil
}

// Timeline gives what happened to a request, the oldest first.
func (d *Desk) Timeline(ctx context.Context, a account.Actor, id RequestID) ([]Entry, error) {
	if _, err := d.Request(ctx, a, id); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(d.db.Read()).Entries(ctx, string(id))
	if err != nil {
		return nil, fmt.Errorf("request's timeline: %w", err)
	}
	list := make([]Entry, len(rows))
	for i, r := range rows {
		list[i] = Entry{At: store.Time(r.At), Actor: r.Actor, Name: r.Name, Staff: r.Staff, Kind: EntryKind(r.Kind), Text: r.Body}
	}
	return list, nil
}

// Exceptions gives the rules that are lifted for an account at an instant. It
// asks for no right: eligibility needs it for everybody's choice of accounts.
func (d *Desk) Exceptions(ctx context.Context, alias account.Alias, at time.Time) ([]Lifted, error) {
	rows, err := sqlc.New(d.db.Read()).GrantedExceptions(ctx, sqlc.GrantedExceptionsParams{Alias: string(alias), At: store.Micros(at)})
	if err != nil {
		return nil, fmt.Errorf("exceptions of %s: %w", alias, err)
	}
	var all []Lifted
	for _, row := range rows {
		r := request(row)
		p, err := r.Exception()
		if err != nil {
			return nil, fmt.Errorf("request %s: %w", r.Label(), err)
		}
		for _, rule := range p.Rules {
			all = append(all, Lifted{Rule: rule, Until: r.Until, Request: r.ID, Number: r.Number, Org: r.Org})
		}
	}
	return all, nil
}

// OpenException gives the organization's open exception for an account; ok is
// false if there is none.
func (d *Desk) OpenException(ctx context.Context, a account.Actor, alias account.Alias) (r Request, ok bool, err error) {
	p, err := d.Requests(ctx, a, Filter{Alias: alias, Kind: Exception, State: Open, Limit: 1})
	if err != nil || len(p.Items) == 0 {
		return Request{}, false, err
	}
	return p.Items[0], true, nil
}

func request(r sqlc.SupportRequest) Request {
	return Request{
		ID: RequestID(r.ID), Number: r.Number, Kind: Kind(r.Kind), Org: account.OrgID(r.Org), Alias: account.Alias(r.Alias), State: State(r.State),
		Subject: r.Subject, Payload: json.RawMessage(r.Payload), AskedBy: account.UserID(r.AskedBy), AskedName: r.AskedName, AskedEmail: r.AskedEmail,
		AskedAt: store.Time(r.AskedAt), AnswerBy: store.Time(r.AnswerBy), DecidedBy: r.DecidedBy, DecidedName: r.DecidedName,
		DecidedAt: store.Time(r.DecidedAt), Reason: r.Reason, Until: store.Time(r.Until), Version: r.Version,
	}
}

func null(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

func limit(n int) int32 {
	if n <= 0 {
		n = 50
	}
	return int32(min(n, 200)) // #nosec G115 -- at most 200
}

// cursor reads where the former page ended; "" = at the newest.
func cursor(s string) (at int64, id string, err error) {
	if s == "" {
		return math.MaxInt64, "", nil
	}
	bad := fault.Field("after", "The place in the list is not readable.", "Begin again without it.")
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, "", bad
	}
	us, id, ok := strings.Cut(string(b), " ")
	at, err = strconv.ParseInt(us, 10, 64)
	if !ok || err != nil || store.CheckText("after", id) != nil {
		return 0, "", bad
	}
	return at, id, nil
}

func cursorOf(at int64, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(at, 10) + " " + id))
}
