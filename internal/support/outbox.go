package support

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/partner"
	"causeway/internal/store"
	"causeway/internal/support/sqlc"

	"golang.org/x/net/idna"
)

// KindMail is the kind of the jobs that deliver mail; the key is the mail's id.
const KindMail = "mail"

// giveUp is how long a mail server may say "not now". RFC 5321 asks for four to
// five days; a person who waits for a signature is helped by a call before that.
const giveUp = 72 * time.Hour

// Message is a mail to be sent.
type Message struct {
	Key         string // what it is for, e.g. "ready:<provider>"; the same key is never sent twice
	To          string // one address
	Name        string // of the person; "" = the address alone
	Subject     string
	Text        string
	HTML        string // "" = text alone
	Attachments []Attachment
	Secret      bool // holds a token: text and HTML are erased once it is sent
}

// Attachment is a file in a mail.
type Attachment struct {
	Name string `json:"name"` // plain ASCII
	Type string `json:"type"` // media type
	Body []byte `json:"body"`
}

// MailState is where a mail stands.
type MailState string

// The states of a mail.
const (
	MailWaiting MailState = "waiting"
	MailSent    MailState = "sent"
	MailStuck   MailState = "stuck" // refused for good: a person looks
)

// Mail is a mail in the outbox.
type Mail struct {
	ID string
	Message
	State   MailState
	Attempt int
	Answer  string // the mail server's last words
	MadeAt  time.Time
	SentAt  time.Time // zero = not sent
}

// Outbox keeps mail in the database and delivers it through a mail server. A
// mail that is not stored with the deed it tells of is never sent; a stored one
// is delivered at least once. If the server's last answer was lost, it comes
// again under the same Message-ID, by which it can be recognised.
type Outbox struct {
	db       *store.DB
	now      func() time.Time
	queue    *job.Queue
	settings *partner.Settings
	server   Server
	log      *slog.Logger
}

// NewOutbox makes the outbox and names itself to the queue as the handler of
// KindMail. Without a server's address mail is kept until there is one.
func NewOutbox(db *store.DB, now func() time.Time, queue *job.Queue, settings *partner.Settings, server Server, log *slog.Logger) *Outbox {
	o := &Outbox{db, now, queue, settings, server, log}
	queue.Handle(KindMail, o.deliver)
	return o
}

// Send stores a mail in the caller's transaction; a key that is known already
// is left as it was. It refuses what could forge a header or cannot be sent.
func (o *Outbox) Send(ctx context.Context, tx *store.Tx, m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	files, err := json.Marshal(m.Attachments)
	if err != nil {
		return fmt.Errorf("mail %s: %w", m.Key, err)
	}
	id := store.NewID()
	n, err := sqlc.New(tx).AddMail(ctx, sqlc.AddMailParams{
		ID: id, Key: m.Key, Recipient: m.To, Name: m.Name, Subject: m.Subject, Body: m.Text, Html: m.HTML, Attachments: string(files), Secret: m.Secret, MadeAt: store.Micros(o.now()),
	})
	if err != nil {
		return fmt.Errorf("mail %s: %w", m.Key, err)
	}
	if n == 0 || o.server.Address == "" {
		return nil
	}
	return o.queue.Add(ctx, tx, KindMail, id, struct{}{}, time.Time{})
}

func (m Message) check() error {
	var all []fault.Refusal
	for _, f := range []struct{ field, value string }{{"key", m.Key}, {"subject", m.Subject}, {"name", m.Name}} {
		if strings.ContainsFunc(f.value, func(r rune) bool { return r < ' ' || r == 0x7f }) || store.CheckText(f.field, f.value) != nil {
			all = append(all, fault.Refusal{Field: f.field, Reason: "The mail's " + f.field + " holds control characters.", Remedy: "Write it on one line."})
		}
	}
	if m.Key == "" || strings.TrimSpace(m.Subject) == "" || strings.TrimSpace(m.Text) == "" {
		all = append(all, fault.Refusal{Field: "text", Reason: "The mail has no key, no subject or no text.", Remedy: "Give all three."})
	}
	if utf8.RuneCountInString(m.Subject) > 250 {
		all = append(all, fault.Refusal{Field: "subject", Reason: "The mail's subject is longer than 250 characters.", Remedy: "Shorten it."})
	}
	if store.CheckText("text", m.Text) != nil || store.CheckText("html", m.HTML) != nil {
		all = append(all, fault.Refusal{Field: "text", Reason: "The mail's text holds characters that cannot be stored.", Remedy: "Type it again instead of pasting it."})
	}
	if _, err := address(m.To); err != nil {
		all = append(all, fault.Refusal{Field: "to", Reason: "The recipient is not an e-mail address.", Remedy: "Write it like name@company.example."})
	}
	for _, a := range m.Attachments {
		if strings.ContainsFunc(a.Name+a.Type, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) || a.Name == "" || a.Type == "" {
			all = append(all, fault.Refusal{Field: "attachments", Reason: "An attachment's name or type is not plain ASCII.", Remedy: "Rename it."})
		}
	}
	if all == nil {
		return nil
	}
	return fault.Refuse(all...)
}

// CheckAddress tells whether mail can be sent there: one bare address.
func CheckAddress(s string) error {
	_, err := address(s)
	return err
}

// address checks one bare address and gives it with its domain in ASCII, as
// mail servers know it.
func address(s string) (string, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", errors.New("not an address")
	}
	at := strings.LastIndexByte(s, '@')
	domain, err := idna.Lookup.ToASCII(s[at+1:])
	if err != nil {
		return "", err
	}
	return s[:at+1] + domain, nil
}

// deliver is the job: one try for one mail.
func (o *Outbox) deliver(ctx context.Context, j job.Job) error {
	row, err := sqlc.New(o.db.Read()).GetMail(ctx, j.Key)
	if err != nil {
		return fmt.Errorf("mail %s: %w", j.Key, err)
	}
	m, err := letterOf(row)
	if err != nil {
		return err
	}
	if m.State != MailWaiting || o.server.Address == "" {
		return nil
	}
	brand, err := o.settings.Brand(ctx)
	if err != nil {
		return err
	}
	text, from, to, err := compose(m, brand.From())
	if err == nil {
		err = o.server.send(ctx, from, to, text)
	}
	var final *refusal
	state, answer := MailSent, ""
	switch {
	case err == nil:
	case errors.As(err, &final), o.now().Sub(m.MadeAt) > giveUp:
		state, answer = MailStuck, err.Error()
	default:
		state, answer = MailWaiting, err.Error()
	}
	job.Point("mail." + string(state)) // the server has it, we have not written so: it is sent again
	if ctx.Err() != nil && state != MailSent {
		return ctx.Err()
	}
	ctx = context.WithoutCancel(ctx)
	werr := o.db.Tx(ctx, func(tx *store.Tx) error {
		p := sqlc.MoveMailParams{ID: m.ID, State: string(state), Answer: clip(answer, 1000)}
		if state == MailSent {
			p.SentAt = store.Micros(o.now())
		}
		if _, err := sqlc.New(tx).MoveMail(ctx, p); err != nil || state == MailWaiting {
			return err
		}
		return o.queue.Finish(ctx, tx, j)
	})
	switch {
	case werr != nil:
		return fmt.Errorf("mail %s: %w", m.ID, werr)
	case state == MailStuck:
		o.log.Warn("mail is stuck", "mail", m.ID, "key", m.Key, "answer", answer)
	case state == MailWaiting:
		f := fault.New(fault.Unavailable, "The mail server did not take the mail: %s", answer)
		if m.Attempt >= 6 { // after the queue's own six minutes it is no passing trouble
			f.After = 15 * time.Minute
		}
		return f
	}
	return nil
}

// clip shortens foreign words without cutting a letter, and drops what the
// databases cannot hold.
func clip(s string, most int) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	for len(s) > most {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// Resume puts mail into the queue that was kept while there was no mail
// server. Call it at start.
func (o *Outbox) Resume(ctx context.Context) error {
	if o.server.Address == "" {
		return nil
	}
	ids, err := sqlc.New(o.db.Read()).WaitingMail(ctx)
	if err != nil {
		return fmt.Errorf("waiting mail: %w", err)
	}
	for _, id := range ids {
		err := o.db.Tx(ctx, func(tx *store.Tx) error { return o.queue.Add(ctx, tx, KindMail, id, struct{}{}, time.Time{}) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Retry sends a stuck mail again, to another address if to is not "".
func (o *Outbox) Retry(ctx context.Context, a account.Actor, id, to string) error {
	if err := account.May(a, account.ActMailRetry, ""); err != nil {
		return err
	}
	if store.CheckText("id", id) != nil {
		return fault.New(fault.NotFound, "There is no such mail.")
	}
	row, err := sqlc.New(o.db.Read()).GetMail(ctx, id)
	if err != nil {
		return store.Found(err, "There is no such mail.")
	}
	if to == "" {
		to = row.Recipient
	}
	if _, err := address(to); err != nil {
		return fault.Field("to", "The recipient is not an e-mail address.", "Write it like name@company.example.")
	}
	return o.db.Tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).RetryMail(ctx, sqlc.RetryMailParams{ID: id, Recipient: to})
		if err != nil {
			return fmt.Errorf("mail %s: %w", id, err)
		}
		if n == 0 {
			return fault.New(fault.Conflict, "Only a stuck mail can be sent again; this one is %s.", row.State)
		}
		if err := audit.Write(ctx, tx, audit.Entry{
			At: o.now(), Actor: a.ID(), Action: string(account.ActMailRetry), Object: "mail:" + id, Detail: map[string]any{"key": row.Key, "to": to}, Address: a.Address,
		}); err != nil {
			return err
		}
		return o.queue.Add(ctx, tx, KindMail, id, struct{}{}, time.Time{})
	})
}

// Mails lists the outbox for staff, the newest first; state "" = all.
func (o *Outbox) Mails(ctx context.Context, a account.Actor, state MailState, after string, n int) (Page[Mail], error) {
	if err := account.May(a, account.ActMailView, ""); err != nil {
		return Page[Mail]{}, err
	}
	at, id, err := cursor(after)
	if err != nil {
		return Page[Mail]{}, err
	}
	if err := store.CheckText("state", string(state)); err != nil {
		return Page[Mail]{}, err
	}
	limit := limit(n)
	rows, err := sqlc.New(o.db.Read()).ListMail(ctx, sqlc.ListMailParams{State: null(string(state)), Before: at, BeforeID: id, Batch: limit + 1})
	if err != nil {
		return Page[Mail]{}, fmt.Errorf("list mail: %w", err)
	}
	var p Page[Mail]
	for i, r := range rows {
		if i == int(limit) {
			p.Next = cursorOf(rows[i-1].MadeAt, rows[i-1].ID)
			break
		}
		m, err := letterOf(r)
		if err != nil {
			return Page[Mail]{}, err
		}
		p.Items = append(p.Items, m)
	}
	return p, nil
}

func letterOf(r sqlc.SupportMail) (Mail, error) {
	m := Mail{
		ID: r.ID, State: MailState(r.State), Attempt: int(r.Attempt), Answer: r.Answer, MadeAt: store.Time(r.MadeAt), SentAt: store.Time(r.SentAt),
		Message: Message{Key: r.Key, To: r.Recipient, Name: r.Name, Subject: r.Subject, Text: r.Body, HTML: r.Html, Secret: r.Secret},
	}
	if err := json.Unmarshal([]byte(r.Attachments), &m.Attachments); err != nil {
		return m, fmt.Errorf("mail %s: %w", r.ID, err)
	}
	return m, nil
}
