package support

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/partner"
	"causeway/internal/store"
	"causeway/internal/support/sqlc"
)

// Desk takes requests and decides them.
type Desk struct {
	db       *store.DB
	now      func() time.Time
	settings *partner.Settings
	outbox   *Outbox
	portal   string
}

// New makes the desk. portal is the portal's address for links in mails,
// without a slash at the end.
func New(db *store.DB, now func() time.Time, settings *partner.Settings, outbox *Outbox, portal string) *Desk {
	return &Desk{db, now, settings, outbox, strings.TrimSuffix(portal, "/")}
}

// AskException asks to lift rules of eligibility for an account. An
// organization has at most one open exception per account: asking again gives
// that one, widened by the rules that are new.
func (d *Desk) AskException(ctx context.Context, a account.Actor, alias account.Alias, rules []string, why string) (Request, error) {
	return d.ask(ctx, a, a.Org, alias, Exception, "Exception for "+string(alias), &ExceptionPayload{Rules: union(rules, nil), Why: strings.TrimSpace(why)})
}

// AskContact asks for a representative.
func (d *Desk) AskContact(ctx context.Context, a account.Actor, alias account.Alias, p ContactPayload) (Request, error) {
	p.Text, p.Topic = strings.TrimSpace(p.Text), strings.TrimSpace(p.Topic)
	return d.ask(ctx, a, a.Org, alias, Contact, "Contact: "+p.Topic, &p)
}

// AskService asks for a further Azure service.
func (d *Desk) AskService(ctx context.Context, a account.Actor, alias account.Alias, p ServicePayload) (Request, error) {
	p.Service, p.Text = strings.TrimSpace(p.Service), strings.TrimSpace(p.Text)
	return d.ask(ctx, a, a.Org, alias, Service, "Further service: "+p.Service, &p)
}

// ContactFor asks for a representative in the name of a person of an organization who
// has arranged before that this is asked: by is the platform, and answers go to the
// person. It is made in the caller's transaction, with what it is the consequence of.
func (d *Desk) ContactFor(ctx context.Context, tx *store.Tx, by account.Actor, who account.User, org account.OrgID, alias account.Alias, p ContactPayload) (Request, error) {
	if all := p.refusals(); all != nil {
		return Request{}, fault.Refuse(all...)
	}
	r := Request{
		ID: RequestID(store.NewID()), Kind: Contact, Org: org, Alias: alias, State: Open, Subject: "Contact: " + p.Topic,
		AskedBy: who.ID, AskedName: who.Name, AskedEmail: who.Email, Version: 1,
	}
	brand, err := d.dated(ctx, &r, &p)
	if err != nil {
		return Request{}, err
	}
	return d.add(ctx, tx, by, r, brand)
}

// dated gives a request its time, the promise of an answer and its payload.
func (d *Desk) dated(ctx context.Context, r *Request, p payload) (partner.Brand, error) {
	brand, err := d.settings.Brand(ctx)
	if err != nil {
		return brand, err
	}
	rules, err := d.settings.Rules(ctx)
	if err != nil {
		return brand, err
	}
	r.AskedAt = d.now().UTC().Truncate(time.Microsecond)
	r.AnswerBy = rules.Answer.AnswerBy(r.AskedAt)
	if r.Payload, err = json.Marshal(p); err != nil {
		return brand, fmt.Errorf("ask: %w", err)
	}
	return brand, nil
}

// payload is one of the kinds' payloads, which knows what is wrong with it.
type payload interface{ refusals() []fault.Refusal }

func (p *ExceptionPayload) refusals() (all []fault.Refusal) {
	if len(p.Rules) == 0 {
		all = append(all, fault.Refusal{Field: "rules", Reason: "No rule is named.", Remedy: "Name the rules that should be lifted."})
	}
	for _, r := range p.Rules {
		if r == "" || len(r) > 60 || strings.ContainsFunc(r, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
		}) {
			all = append(all, fault.Refusal{Field: "rules", Reason: fmt.Sprintf("There is no rule %q.", r), Remedy: "Name the rule by its code."})
		}
	}
	if len(p.Rules) > 50 {
		all = append(all, fault.Refusal{Field: "rules", Reason: "More than 50 rules are named.", Remedy: "Name those that refuse the account."})
	}
	return append(all, wordy("why", "The reason", p.Why, 2000)...)
}

func (p *ContactPayload) refusals() []fault.Refusal {
	all := append(wordy("topic", "The topic", p.Topic, 100), wordy("text", "The message", p.Text, 4000)...)
	if len(p.Phone) > 40 || store.CheckText("phone", p.Phone) != nil {
		all = append(all, fault.Refusal{Field: "phone", Reason: "The phone number is too long.", Remedy: "Use at most 40 characters."})
	}
	return all
}

func (p *ServicePayload) refusals() []fault.Refusal {
	all := append(wordy("service", "The service", p.Service, 200), wordy("text", "What it is for", p.Text, 4000)...)
	if len(p.Region) > 60 || store.CheckText("region", p.Region) != nil {
		all = append(all, fault.Refusal{Field: "region", Reason: "The region is too long.", Remedy: "Use Azure's name, like eastus2."})
	}
	return all
}

// wordy wants some text, not too much, that both databases can hold.
func wordy(field, what, s string, most int) []fault.Refusal {
	switch n := utf8.RuneCountInString(s); {
	case store.CheckText(field, s) != nil:
		return []fault.Refusal{{Field: field, Reason: what + " holds characters that cannot be stored.", Remedy: "Type it again instead of pasting it."}}
	case strings.TrimSpace(s) == "":
		return []fault.Refusal{{Field: field, Reason: what + " is empty.", Remedy: "Say it in a sentence or two."}}
	case n > most:
		return []fault.Refusal{{Field: field, Reason: fmt.Sprintf("%s has %d characters.", what, n), Remedy: fmt.Sprintf("Use at most %d.", most)}}
	}
	return nil
}

func (d *Desk) ask(ctx context.Context, a account.Actor, org account.OrgID, alias account.Alias, kind Kind, subject string, p payload) (Request, error) {
	act := account.ActRequestCreate
	if kind == Exception {
		act = account.ActExceptionAsk
	}
	if err := account.May(a, act, org); err != nil {
		return Request{}, err
	}
	if org == "" {
		return Request{}, fault.New(fault.Invalid, "A request is made by a person of an organization.")
	}
	all := p.refusals()
	if kind == Exception && alias == "" || len(alias) > 10 || store.CheckText("alias", string(alias)) != nil {
		all = append(all, fault.Refusal{Field: "alias", Reason: "The account is not named.", Remedy: "Name the account by its alias."})
	}
	if all != nil {
		return Request{}, fault.Refuse(all...)
	}
	r := Request{
		ID: RequestID(store.NewID()), Kind: kind, Org: org, Alias: alias, State: Open, Subject: subject,
		AskedBy: a.User, AskedName: a.Name, AskedEmail: a.Email, Version: 1,
	}
	brand, err := d.dated(ctx, &r, p)
	if err != nil {
		return Request{}, err
	}
	// Two clicks at once: the unique index lets one through; the other then finds it.
	for range 3 {
		var made Request
		err = d.db.Tx(ctx, func(tx *store.Tx) (err error) {
			made, err = d.add(ctx, tx, a, r, brand)
			return err
		})
		if !store.IsUnique(err) {
			return made, err
		}
	}
	return Request{}, fmt.Errorf("ask: %w", err)
}

func (d *Desk) add(ctx context.Context, tx *store.Tx, a account.Actor, r Request, brand partner.Brand) (Request, error) {
	q := sqlc.New(tx)
	if r.Kind == Exception {
		row, err := q.OpenException(ctx, sqlc.OpenExceptionParams{Org: string(r.Org), Alias: string(r.Alias)})
		if err == nil {
			return d.widen(ctx, tx, a, request(row), r)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return Request{}, fmt.Errorf("ask: %w", err)
		}
	}
	n, err := q.NextNumber(ctx)
	if err != nil {
		return Request{}, fmt.Errorf("ask: next number: %w", err)
	}
	r.Number = n
	err = q.AddRequest(ctx, sqlc.AddRequestParams{
		ID: string(r.ID), Number: n, Kind: string(r.Kind), Org: string(r.Org), Alias: string(r.Alias), Subject: r.Subject, Payload: string(r.Payload),
		AskedBy: string(r.AskedBy), AskedName: r.AskedName, AskedEmail: r.AskedEmail, AskedAt: store.Micros(r.AskedAt), AnswerBy: store.Micros(r.AnswerBy),
	})
	if err != nil {
		return Request{}, fmt.Errorf("ask: %w", err)
	}
	if err := d.note(ctx, tx, a, r.ID, EntryAsked, text(r)); err != nil {
		return Request{}, err
	}
	if err := d.outbox.Send(ctx, tx, AskedMail(brand, Asked{Request: r, URL: d.portal + "/staff/requests"})); err != nil {
		return Request{}, err
	}
	return r, d.audit(ctx, tx, a, "request.ask", r, map[string]any{"kind": r.Kind, "alias": r.Alias, "payload": r.Payload})
}

// text is what a person wrote into the request.
func text(r Request) string {
	var p struct{ Why, Text string }
	if json.Unmarshal(r.Payload, &p) != nil {
		return ""
	}
	return strings.TrimSpace(p.Why + p.Text)
}

func (d *Desk) widen(ctx context.Context, tx *store.Tx, a account.Actor, old, asked Request) (Request, error) {
	was, err := old.Exception()
	if err != nil {
		return old, err
	}
	more, err := asked.Exception()
	if err != nil {
		return old, err
	}
	all := union(was.Rules, more.Rules)
	if slices.Equal(all, was.Rules) {
		return old, nil // asked again: the same request
	}
	added := slices.DeleteFunc(slices.Clone(all), func(r string) bool { return slices.Contains(was.Rules, r) })
	was.Rules = all
	if old.Payload, err = json.Marshal(was); err != nil {
		return old, fmt.Errorf("ask: %w", err)
	}
	if _, err := sqlc.New(tx).WidenRequest(ctx, sqlc.WidenRequestParams{ID: string(old.ID), Payload: string(old.Payload)}); err != nil {
		return old, fmt.Errorf("ask: %w", err)
	}
	old.Version++
	if err := d.note(ctx, tx, a, old.ID, EntryWidened, more.Why); err != nil {
		return old, err
	}
	return old, d.audit(ctx, tx, a, "request.widen", old, map[string]any{"added": added})
}

// Decision is what staff decide.
type Decision string

// The decisions.
const (
	Grant  Decision = "grant"
	Refuse Decision = "refuse"
)

// Decide grants or refuses an open request and tells the one who asked. until
// ends a granted exception; zero = by the partner's rules. Conflict: it was
// decided or withdrawn meanwhile.
func (d *Desk) Decide(ctx context.Context, a account.Actor, id RequestID, decision Decision, reason string, until time.Time) (Request, error) {
	r, err := d.get(ctx, id)
	if err != nil {
		return Request{}, err
	}
	act := account.ActRequestDecide
	if r.Kind == Exception {
		act = account.ActExceptionDecide
	}
	if err := account.May(a, act, ""); err != nil {
		return Request{}, err
	}
	now := d.now()
	reason = strings.TrimSpace(reason)
	all := wordy("reason", "The reason", reason, 2000)
	to := map[Decision]State{Grant: Granted, Refuse: Refused}[decision]
	if to == "" {
		all = append(all, fault.Refusal{Field: "decision", Reason: fmt.Sprintf("There is no decision %q.", decision), Remedy: "Choose grant or refuse."})
	}
	rules, err := d.settings.Rules(ctx)
	if err != nil {
		return Request{}, err
	}
	switch {
	case to != Granted || r.Kind != Exception:
		until = time.Time{}
	case until.IsZero():
		until = now.Add(rules.ExceptionValidity())
	case !until.After(now):
		all = append(all, fault.Refusal{Field: "until", Reason: "The end of the exception is in the past.", Remedy: "Choose a later day, or none for " + fmt.Sprint(rules.ExceptionDays) + " days."})
	case until.After(now.AddDate(5, 0, 0)):
		all = append(all, fault.Refusal{Field: "until", Reason: "The exception would last longer than five years.", Remedy: "Choose an earlier day."})
	}
	if all != nil {
		return Request{}, fault.Refuse(all...)
	}
	return d.move(ctx, a, id, to, reason, until)
}

// Withdraw takes back an open request; staff can also take back a granted one,
// which then lifts nothing from now on.
func (d *Desk) Withdraw(ctx context.Context, a account.Actor, id RequestID, reason string) (Request, error) {
	r, err := d.get(ctx, id)
	if err != nil {
		return Request{}, err
	}
	if err := account.May(a, account.ActRequestWithdraw, r.Org); err != nil {
		return Request{}, err
	}
	if r.State == Granted {
		if err := account.May(a, account.ActExceptionDecide, ""); err != nil {
			return Request{}, err
		}
	}
	reason = strings.TrimSpace(reason)
	if reason == "" && !a.Staff() {
		reason = "No longer needed."
	}
	if all := wordy("reason", "The reason", reason, 2000); all != nil {
		return Request{}, fault.Refuse(all...)
	}
	return d.move(ctx, a, id, Withdrawn, reason, time.Time{})
}

func (d *Desk) move(ctx context.Context, a account.Actor, id RequestID, to State, reason string, until time.Time) (Request, error) {
	brand, err := d.settings.Brand(ctx)
	if err != nil {
		return Request{}, err
	}
	now := d.now().UTC().Truncate(time.Microsecond)
	var r Request
	err = d.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		row, err := q.LockRequest(ctx, string(id))
		if err != nil {
			return store.Found(err, "There is no such request.")
		}
		r = request(row)
		if !slices.Contains(moves[r.State], to) {
			return fault.New(fault.Conflict, "Request %s is %s already. Load the page again.", r.Label(), r.State)
		}
		if r.State == Granted && !a.Staff() {
			return fault.New(fault.Conflict, "Request %s is granted already. Load the page again.", r.Label())
		}
		was := r.State
		r.State, r.Reason, r.Until, r.DecidedBy, r.DecidedName, r.DecidedAt, r.Version = to, reason, until, a.ID(), a.Name, now, r.Version+1
		n, err := q.DecideRequest(ctx, sqlc.DecideRequestParams{
			ID: string(id), State: string(to), DecidedBy: r.DecidedBy, DecidedName: a.Name, DecidedAt: store.Micros(now), Reason: reason,
			Until: store.Micros(until), Was: string(was),
		})
		if err != nil {
			return fmt.Errorf("decide %s: %w", r.Label(), err)
		}
		if n == 0 {
			return fault.New(fault.Conflict, "Request %s was changed meanwhile. Load the page again.", r.Label())
		}
		if err := d.note(ctx, tx, a, id, EntryKind(to), reason); err != nil {
			return err
		}
		if a.Staff() && r.AskedEmail != "" {
			if err := d.outbox.Send(ctx, tx, DecidedMail(brand, Decided{Request: r, URL: d.portal + "/requests"})); err != nil {
				return err
			}
		}
		return d.audit(ctx, tx, a, "request."+string(to), r, map[string]any{"was": was, "reason": reason, "until": store.Micros(until), "payload": r.Payload})
	})
	if err != nil {
		return Request{}, err
	}
	return r, nil
}

// Comment adds a line to a request's timeline.
func (d *Desk) Comment(ctx context.Context, a account.Actor, id RequestID, text string) error {
	r, err := d.get(ctx, id)
	if err != nil {
		return err
	}
	if err := account.May(a, account.ActRequestView, r.Org); err != nil {
		return err
	}
	if err := account.May(a, account.ActRequestCreate, r.Org); err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	if all := wordy("text", "The comment", text, 4000); all != nil {
		return fault.Refuse(all...)
	}
	return d.db.Tx(ctx, func(tx *store.Tx) error {
		if err := d.note(ctx, tx, a, id, EntryComment, text); err != nil {
			return err
		}
		return d.audit(ctx, tx, a, "request.comment", r, nil)
	})
}

func (d *Desk) note(ctx context.Context, tx *store.Tx, a account.Actor, id RequestID, kind EntryKind, text string) error {
	err := sqlc.New(tx).AddEntry(ctx, sqlc.AddEntryParams{
		ID: store.NewID(), RequestID: string(id), At: store.Micros(d.now()), Actor: a.ID(), Name: a.Name, Staff: a.Staff(), Kind: string(kind), Body: text,
	})
	if err != nil {
		return fmt.Errorf("request's timeline: %w", err)
	}
	return nil
}

func (d *Desk) audit(ctx context.Context, tx *store.Tx, a account.Actor, action string, r Request, detail map[string]any) error {
	return audit.Write(ctx, tx, audit.Entry{
		Org: string(r.Org), At: d.now(), Actor: a.ID(), Action: action, Object: "request:" + string(r.ID), Detail: detail, Address: a.Address,
	})
}
