package agreement

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement/sqlc"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/job"
	"causeway/internal/partner"
	"causeway/internal/store"
	"causeway/internal/support"
)

// KindSignatory is the kind of the jobs that remind signatories and end what
// they did not answer; the key is the invitation's id.
const KindSignatory = "signatory"

// Signatures asks other people to sign. They get a link by mail that shows the
// terms and nothing else; they have no account here.
type Signatures struct {
	register *Register
	db       *store.DB
	now      func() time.Time
	queue    *job.Queue
	outbox   *support.Outbox
	settings *partner.Settings
	portal   string
	closed   func(context.Context, *store.Tx, Invitation) error
}

// NewSignatures names itself to the queue as the handler of KindSignatory.
// portal is the portal's address, for the links.
func NewSignatures(r *Register, queue *job.Queue, outbox *support.Outbox, settings *partner.Settings, portal string) *Signatures {
	s := &Signatures{
		register: r, db: r.db, now: r.now, queue: queue, outbox: outbox, settings: settings, portal: strings.TrimSuffix(portal, "/"),
		closed: func(context.Context, *store.Tx, Invitation) error { return nil },
	}
	queue.Handle(KindSignatory, s.follow)
	return s
}

// OnClose is called, in the transaction, when an invitation ends (signed,
// declined, withdrawn, expired): the onboarding that waits for it goes on.
func (s *Signatures) OnClose(f func(context.Context, *store.Tx, Invitation) error) { s.closed = f }

// Invite asks a person to sign, in the caller's transaction, and sends the
// link. Of the invitation the caller fills Alias, Attempt, Company, Name,
// Email, Country, Language and Login. Conflict: somebody is asked already.
func (s *Signatures) Invite(ctx context.Context, tx *store.Tx, a account.Actor, i Invitation) (Invitation, error) {
	if err := account.May(a, account.ActTermsAccept, a.Org); err != nil {
		return Invitation{}, err
	}
	rules, err := s.settings.RulesTx(ctx, tx)
	if err != nil {
		return Invitation{}, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	i.ID, i.Org, i.AskedBy, i.AskedName, i.AskedEmail, i.AskedAt = InvitationID(store.NewID()), a.Org, a.User, a.Name, a.Email, now
	i.Name, i.Email, i.Company = strings.Join(strings.Fields(i.Name), " "), strings.TrimSpace(i.Email), strings.TrimSpace(i.Company)
	i.ExpiresAt, i.State, i.Reminders = now.Add(rules.InvitationValidity()), Asked, 0
	i.RemindAt = reminder(i, rules.SignatoryReminders)
	if err := i.check(); err != nil {
		return Invitation{}, err
	}
	terms, err := s.register.inForce(ctx, tx, i.Country, i.Language, now)
	if err != nil {
		return Invitation{}, err
	}
	q := sqlc.New(tx)
	if err := s.supersede(ctx, tx, i.Attempt, now); err != nil {
		return Invitation{}, err
	}
	err = q.AddInvitation(ctx, sqlc.AddInvitationParams{
		ID: string(i.ID), Org: string(i.Org), Alias: string(i.Alias), Attempt: i.Attempt, Company: i.Company, Name: i.Name, Email: i.Email,
		Country: i.Country, Language: i.Language, Login: i.Login, AskedBy: string(i.AskedBy), AskedName: i.AskedName, AskedEmail: i.AskedEmail,
		AskedAt: store.Micros(now), ExpiresAt: store.Micros(i.ExpiresAt), RemindAt: store.Micros(i.RemindAt),
	})
	if store.IsUnique(err) {
		return Invitation{}, fault.New(fault.Conflict, "Somebody is asked to sign already. Load the page again.")
	}
	if err != nil {
		return Invitation{}, fmt.Errorf("invite: %w", err)
	}
	if err := s.mail(ctx, tx, i, terms); err != nil {
		return Invitation{}, err
	}
	if err := s.queue.Add(ctx, tx, KindSignatory, string(i.ID), struct{}{}, next(i)); err != nil {
		return Invitation{}, err
	}
	return i, s.audit(ctx, tx, i, a.ID(), "signatory.invite", a.Address, map[string]any{"name": i.Name, "email": i.Email, "until": i.ExpiresAt})
}

// supersede makes room for a new invitation: one that has run out is ended, if
// its job was too late to do so; one that waits is a conflict.
func (s *Signatures) supersede(ctx context.Context, tx *store.Tx, attempt string, now time.Time) error {
	q := sqlc.New(tx)
	row, err := q.InvitationFor(ctx, attempt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	old := invitation(row)
	switch {
	case old.Waiting(now):
		return fault.New(fault.Conflict, "%s is asked to sign already. Withdraw that first to ask another person.", old.Name)
	case !slices.Contains(moves[old.State], Expired):
		return nil
	}
	if _, err := q.MoveInvitation(ctx, sqlc.MoveInvitationParams{
		ID: string(old.ID), State: string(Expired), OpenedAt: store.Micros(old.OpenedAt), ClosedAt: store.Micros(now), Was: string(old.State),
	}); err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	return s.audit(ctx, tx, old, audit.System, "signatory.expired", "", nil)
}

func (i Invitation) check() error {
	var all []fault.Refusal
	add := func(field, reason, remedy string) {
		all = append(all, fault.Refusal{Field: field, Reason: reason, Remedy: remedy})
	}
	if i.Name == "" || len(i.Name) > 200 {
		add("signatory_name", "The signatory's name is empty or too long.", "Give first and last name.")
	}
	if a, err := mail.ParseAddress(i.Email); err != nil || a.Address != i.Email || len(i.Email) > 254 {
		add("signatory_email", "The signatory's address is not an e-mail address.", "Write it like name@company.example.")
	}
	if i.Alias == "" || i.Attempt == "" || i.Company == "" {
		add("account", "It is not said for which account somebody shall sign.", "Choose the account first.")
	}
	for _, f := range []string{i.Name, i.Email, i.Company, i.Country, i.Language, i.Login, i.Attempt, string(i.Alias)} {
		if len(f) > 500 || store.CheckText("", f) != nil || strings.ContainsAny(f, "\r\n") {
			add("signatory_name", "A text is too long or holds characters that cannot be stored.", "Type it again instead of pasting it.")
			break
		}
	}
	if all == nil {
		return nil
	}
	return fault.Refuse(all...)
}

// reminder is when the next reminder is due, days after the invitation; zero
// after the last.
func reminder(i Invitation, days []int) time.Time {
	if i.Reminders >= len(days) {
		return time.Time{}
	}
	at := i.AskedAt.AddDate(0, 0, days[i.Reminders])
	if !at.Before(i.ExpiresAt) {
		return time.Time{}
	}
	return at
}

// next is when the invitation's job has something to do.
func next(i Invitation) time.Time {
	if i.RemindAt.IsZero() || i.RemindAt.After(i.ExpiresAt) {
		return i.ExpiresAt
	}
	return i.RemindAt
}

// mail makes a token and sends its link. Only the token's hash is kept here;
// the outbox erases the mail's text once it is sent.
func (s *Signatures) mail(ctx context.Context, tx *store.Tx, i Invitation, terms Terms) error {
	brand, err := s.settings.BrandTx(ctx, tx)
	if err != nil {
		return err
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: it ends the program instead
	token := base64.RawURLEncoding.EncodeToString(raw)
	if err := sqlc.New(tx).AddToken(ctx, sqlc.AddTokenParams{Hash: tokenHash(token), InvitationID: string(i.ID)}); err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	titles := make([]string, 0, 2)
	for _, d := range terms.Both() {
		titles = append(titles, fmt.Sprintf("%s, version %d", d.Title, d.Version))
	}
	return s.outbox.Send(ctx, tx, support.SignatoryMail(brand, support.Invited{
		InvitationID: string(i.ID), To: i.Email, Name: i.Name, AskedBy: i.AskedName, Company: i.Company, Account: string(i.Alias), Terms: titles,
		URL: s.portal + "/sign/" + token, Until: i.ExpiresAt, Reminder: i.Reminders,
	}))
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (s *Signatures) byToken(ctx context.Context, token string) (Invitation, error) {
	row, err := sqlc.New(s.db.Read()).InvitationByToken(ctx, tokenHash(token))
	if errors.Is(err, sql.ErrNoRows) {
		return Invitation{}, fault.New(fault.NotFound, "This link does not work. Ask the person who sent it to invite you again.")
	}
	if err != nil {
		return Invitation{}, fmt.Errorf("invitation: %w", err)
	}
	return invitation(row), nil
}

// Open gives what the link shows: the invitation, in whatever state it is, and
// the terms that are in force now. It notes the first time.
func (s *Signatures) Open(ctx context.Context, token, address string) (Invitation, Terms, error) {
	i, err := s.byToken(ctx, token)
	if err != nil {
		return Invitation{}, Terms{}, err
	}
	terms, err := s.register.InForce(ctx, i.Country, i.Language, s.now())
	if err != nil {
		return i, Terms{}, err
	}
	if i.State != Asked || !i.Waiting(s.now()) {
		return i, terms, nil
	}
	opened, err := s.move(ctx, i.ID, Opened, signer(i), address, func(i *Invitation) { i.OpenedAt = s.now() }, nil)
	if errors.Is(err, fault.Conflict) { // two clicks at once
		return i, terms, nil
	}
	if err != nil {
		return i, Terms{}, err
	}
	return opened, terms, nil
}

// Sign accepts the partner's terms for the company. name is as the signatory
// wrote it; hash is of the text that was shown. Microsoft's agreement is
// accepted on Microsoft's own page, which the same link shows.
func (s *Signatures) Sign(ctx context.Context, token, name, hash, address string) (Invitation, error) {
	i, err := s.byToken(ctx, token)
	if err != nil {
		return Invitation{}, err
	}
	if err := s.waiting(i); err != nil {
		return i, err
	}
	name = strings.Join(strings.Fields(name), " ")
	if name == "" || len(name) > 200 || store.CheckText("name", name) != nil {
		return i, fault.Field("name", "Your name is empty or too long.", "Write first and last name.")
	}
	now := s.now()
	terms, err := s.register.InForce(ctx, i.Country, i.Language, now)
	if err != nil {
		return i, err
	}
	return s.move(ctx, i.ID, Signed, signer(i), address, func(i *Invitation) { i.SignedName = name }, func(tx *store.Tx, i Invitation) error {
		return s.register.Accept(ctx, tx, Acceptance{
			Org: i.Org, Alias: i.Alias, Attempt: i.Attempt, Document: terms.Partner.ID, Name: name, Email: i.Email, Login: i.Login, At: now,
			Address: address, Hash: hash, Way: BySignatory, Reference: string(i.ID),
		})
	})
}

// Decline ends the invitation; the one who asked is told why.
func (s *Signatures) Decline(ctx context.Context, token, why, address string) (Invitation, error) {
	i, err := s.byToken(ctx, token)
	if err != nil {
		return Invitation{}, err
	}
	if err := s.waiting(i); err != nil {
		return i, err
	}
	if len(why) > 2000 || store.CheckText("why", why) != nil {
		return i, fault.Field("why", "The reason is too long.", "Say it in a sentence or two.")
	}
	return s.move(ctx, i.ID, Declined, signer(i), address, func(i *Invitation) { i.Why = strings.TrimSpace(why) }, nil)
}

// Withdraw takes an invitation back, e.g. to ask another person.
func (s *Signatures) Withdraw(ctx context.Context, a account.Actor, id InvitationID, why string) (Invitation, error) {
	i, err := s.Invitation(ctx, a, id)
	if err != nil {
		return Invitation{}, err
	}
	if err := account.May(a, account.ActTermsAccept, i.Org); err != nil {
		return Invitation{}, err
	}
	if len(why) > 2000 || store.CheckText("why", why) != nil {
		return i, fault.Field("why", "The reason is too long.", "Say it in a sentence or two.")
	}
	return s.move(ctx, id, Withdrawn, a.ID(), a.Address, func(i *Invitation) { i.Why = strings.TrimSpace(why) }, nil)
}

// WithdrawTx takes the waiting invitation of an attempt back, if there is one, in
// the transaction of what makes it pointless. It asks for no right: the caller has.
func (s *Signatures) WithdrawTx(ctx context.Context, tx *store.Tx, attempt, by, address, why string) error {
	row, err := sqlc.New(tx).InvitationFor(ctx, attempt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("invitation: %w", err)
	}
	i := invitation(row)
	if !i.Waiting(s.now()) {
		return nil
	}
	if i, err = s.moveTx(ctx, tx, i.ID, Withdrawn, by, address, func(i *Invitation) { i.Why = why }); err != nil {
		return err
	}
	return s.closed(ctx, tx, i)
}

// Invitation gives one invitation to somebody who may see the provider.
func (s *Signatures) Invitation(ctx context.Context, a account.Actor, id InvitationID) (Invitation, error) {
	none := fault.New(fault.NotFound, "There is no such invitation.")
	if store.CheckText("id", string(id)) != nil {
		return Invitation{}, none
	}
	row, err := sqlc.New(s.db.Read()).GetInvitation(ctx, string(id))
	if errors.Is(err, sql.ErrNoRows) {
		return Invitation{}, none
	}
	if err != nil {
		return Invitation{}, fmt.Errorf("invitation: %w", err)
	}
	return invitation(row), account.May(a, account.ActProviderView, account.OrgID(row.Org))
}

// For gives the newest invitation of an attempt; ok is false if there is none.
// It asks for no right: the onboarding itself needs it.
func (s *Signatures) For(ctx context.Context, attempt string) (i Invitation, ok bool, err error) {
	row, err := sqlc.New(s.db.Read()).InvitationFor(ctx, attempt)
	if errors.Is(err, sql.ErrNoRows) {
		return Invitation{}, false, nil
	}
	if err != nil {
		return Invitation{}, false, fmt.Errorf("invitation: %w", err)
	}
	return invitation(row), true, nil
}

func (s *Signatures) waiting(i Invitation) error {
	switch {
	case i.Waiting(s.now()):
		return nil
	case i.State == Asked || i.State == Opened || i.State == Expired:
		return fault.New(fault.Conflict, "This link ended on %s. Ask %s to invite you again.", i.ExpiresAt.Format("2 January 2006"), i.AskedName)
	}
	return fault.New(fault.Conflict, "This invitation is %s already.", i.State)
}

// move brings an invitation to another state, together with what belongs to it.
func (s *Signatures) move(ctx context.Context, id InvitationID, to InvitationState, by, address string, change func(*Invitation), also func(*store.Tx, Invitation) error) (Invitation, error) {
	brand, err := s.settings.Brand(ctx)
	if err != nil {
		return Invitation{}, err
	}
	var i Invitation
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		if i, err = s.moveTx(ctx, tx, id, to, by, address, change); err != nil {
			return err
		}
		if also != nil {
			if err := also(tx, i); err != nil {
				return err
			}
		}
		if to == Opened {
			return nil
		}
		if err := s.closed(ctx, tx, i); err != nil || to == Withdrawn || i.AskedEmail == "" { // nobody to write to
			return err
		}
		name := i.SignedName
		if name == "" {
			name = i.Name
		}
		return s.outbox.Send(ctx, tx, support.SignedMail(brand, support.Signed{
			InvitationID: string(i.ID), To: i.AskedEmail, Name: i.AskedName, Signatory: name, Company: i.Company, Outcome: string(to), Why: i.Why,
			URL: s.portal + "/providers/" + i.Attempt,
		}))
	})
	return i, err
}

func (s *Signatures) moveTx(ctx context.Context, tx *store.Tx, id InvitationID, to InvitationState, by, address string, change func(*Invitation)) (Invitation, error) {
	row, err := sqlc.New(tx).LockInvitation(ctx, string(id))
	if err != nil {
		return Invitation{}, store.Found(err, "There is no such invitation.")
	}
	i := invitation(row)
	was := i.State
	if !slices.Contains(moves[was], to) {
		return i, fault.New(fault.Conflict, "This invitation is %s already.", was)
	}
	if i.State = to; to != Opened {
		i.ClosedAt = s.now().UTC().Truncate(time.Microsecond)
	}
	change(&i)
	if _, err := sqlc.New(tx).MoveInvitation(ctx, sqlc.MoveInvitationParams{
		ID: string(id), State: string(to), OpenedAt: store.Micros(i.OpenedAt), ClosedAt: store.Micros(i.ClosedAt), SignedName: i.SignedName, Why: i.Why, Was: string(was),
	}); err != nil {
		return i, fmt.Errorf("invitation: %w", err)
	}
	return i, s.audit(ctx, tx, i, by, "signatory."+string(to), address, map[string]any{"why": i.Why, "signed_name": i.SignedName})
}

// follow is the job of an invitation: it reminds, and ends it when its time is
// over.
func (s *Signatures) follow(ctx context.Context, j job.Job) error {
	row, err := sqlc.New(s.db.Read()).GetInvitation(ctx, j.Key)
	if err != nil {
		return fmt.Errorf("invitation %s: %w", j.Key, err)
	}
	i, now := invitation(row), s.now()
	if i.State != Asked && i.State != Opened {
		return nil
	}
	if !now.Before(i.ExpiresAt) {
		_, err := s.move(ctx, i.ID, Expired, audit.System, "", func(*Invitation) {}, nil)
		if errors.Is(err, fault.Conflict) {
			return nil
		}
		return err
	}
	if !i.RemindAt.IsZero() && !now.Before(i.RemindAt) {
		if i, err = s.remind(ctx, i); err != nil {
			return err
		}
	}
	return job.Wait{Until: next(i), Why: "the signatory has not answered yet"}
}

// Again sends the link once more, with a new token, because a person asks for
// it; the reminders go on as planned.
func (s *Signatures) Again(ctx context.Context, a account.Actor, id InvitationID) (Invitation, error) {
	i, err := s.Invitation(ctx, a, id)
	if err != nil {
		return i, err
	}
	if err := account.May(a, account.ActTermsAccept, i.Org); err != nil {
		return i, err
	}
	if err := s.waiting(i); err != nil {
		return i, err
	}
	return s.remind(ctx, i)
}

func (s *Signatures) remind(ctx context.Context, i Invitation) (Invitation, error) {
	rules, err := s.settings.Rules(ctx)
	if err != nil {
		return i, err
	}
	terms, err := s.register.InForce(ctx, i.Country, i.Language, s.now())
	if err != nil {
		return i, err
	}
	was := i.Reminders
	i.Reminders++
	// After a pause of the whole system only one reminder is sent, not all that were missed.
	for i.RemindAt = reminder(i, rules.SignatoryReminders); !i.RemindAt.IsZero() && !i.RemindAt.After(s.now()); {
		i.Reminders++
		i.RemindAt = reminder(i, rules.SignatoryReminders)
	}
	return i, s.db.Tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).RemindInvitation(ctx, sqlc.RemindInvitationParams{
			ID: string(i.ID), RemindAt: store.Micros(i.RemindAt), Reminders: int64(i.Reminders), Was: int64(was),
		})
		if err != nil || n == 0 { // answered, or reminded by somebody else, meanwhile
			return err
		}
		if err := s.mail(ctx, tx, i, terms); err != nil {
			return err
		}
		return s.audit(ctx, tx, i, audit.System, "signatory.remind", "", map[string]any{"reminder": i.Reminders})
	})
}

func signer(i Invitation) string { return "signatory:" + i.Email }

func (s *Signatures) audit(ctx context.Context, tx *store.Tx, i Invitation, by, action, address string, detail map[string]any) error {
	return audit.Write(ctx, tx, audit.Entry{
		Org: string(i.Org), At: s.now(), Actor: by, Action: action, Object: "invitation:" + string(i.ID), Detail: detail, Address: address,
	})
}

func invitation(r sqlc.AgreementInvitation) Invitation {
	return Invitation{
		ID: InvitationID(r.ID), Org: account.OrgID(r.Org), Alias: account.Alias(r.Alias), Attempt: r.Attempt, Company: r.Company, Name: r.Name,
		Email: r.Email, Country: r.Country, Language: r.Language, Login: r.Login, AskedBy: account.UserID(r.AskedBy), AskedName: r.AskedName,
		AskedEmail: r.AskedEmail, AskedAt: store.Time(r.AskedAt), ExpiresAt: store.Time(r.ExpiresAt), RemindAt: store.Time(r.RemindAt),
		Reminders: int(r.Reminders), State: InvitationState(r.State), OpenedAt: store.Time(r.OpenedAt), ClosedAt: store.Time(r.ClosedAt),
		SignedName: r.SignedName, Why: r.Why,
	}
}
