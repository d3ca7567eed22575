package billing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/job"
	"causeway/internal/store"
	"causeway/internal/support"
	"causeway/internal/usage"
)

// Approve lets all drafts of a month be issued that are there now; who approves is
// asked once, and stands on each in the audit.
func (c *Cycle) Approve(ctx context.Context, a account.Actor, closing usage.Month) error {
	if err := account.May(a, account.ActBillingIssue, ""); err != nil {
		return err
	}
	if err := closing.Check(); err != nil {
		return err
	}
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		return c.jobs.Add(ctx, tx, JobIssue, string(closing), approval{a.ID()}, time.Time{})
	})
}

type approval struct {
	Actor string `json:"actor"`
}

func (c *Cycle) doIssue(ctx context.Context, j job.Job) error {
	m, err := monthOf(j)
	if err != nil {
		return err
	}
	var by approval
	if err := json.Unmarshal(j.Args, &by); err != nil {
		return fmt.Errorf("issue %s: %w", m, err)
	}
	_, err = c.issueMonth(ctx, m, by.Actor)
	return err
}

// IssueMonth issues all drafts of a month now, and gives how many there were.
func (c *Cycle) IssueMonth(ctx context.Context, a account.Actor, closing usage.Month) (int, error) {
	if err := account.May(a, account.ActBillingIssue, ""); err != nil {
		return 0, err
	}
	return c.issueMonth(ctx, closing, a.ID())
}

func (c *Cycle) issueMonth(ctx context.Context, closing usage.Month, actor string) (int, error) {
	ids, err := sqlc.New(c.db.Read()).DraftIDs(ctx, string(closing))
	if err != nil {
		return 0, fmt.Errorf("issue %s: %w", closing, err)
	}
	n := 0
	var refused []error
	for _, id := range ids {
		if job.Stopping(ctx) {
			return n, job.ErrStopping
		}
		_, err := c.issue(ctx, invoice.ID(id), actor)
		switch {
		case fault.KindOf(err) == fault.Conflict || fault.KindOf(err) == fault.Invalid:
			refused = append(refused, err) // a person looks; the others go on
		case err != nil:
			return n, err
		default:
			n++
		}
	}
	if len(refused) > 0 {
		c.log.Warn("bills were not issued", "month", string(closing), "refused", len(refused), "first", refused[0])
		return n, c.redraft(ctx, closing)
	}
	return n, nil
}

func (c *Cycle) redraft(ctx context.Context, closing usage.Month) error {
	return c.db.Tx(ctx, func(tx *store.Tx) error {
		return c.jobs.Add(ctx, tx, JobDraft, string(closing), struct{}{}, time.Time{})
	})
}

// Issue makes a draft final: its number, its posting, its file and the mail are there
// together or not at all. What was issued already is given as it is, with the same
// number. A draft that no longer says what holds now is refused: it has to be looked
// at again.
func (c *Cycle) Issue(ctx context.Context, a account.Actor, id invoice.ID) (invoice.Document, error) {
	if err := account.May(a, account.ActBillingIssue, ""); err != nil {
		return invoice.Document{}, err
	}
	return c.issue(ctx, id, a.ID())
}

func (c *Cycle) issue(ctx context.Context, id invoice.ID, actor string) (invoice.Document, error) {
	d, err := c.book.Document(ctx, id)
	if err != nil || d.Number != "" {
		return d, err
	}
	setup, err := c.Setup(ctx)
	if err != nil {
		return d, err
	}
	labels, err := c.labels(ctx)
	if err != nil {
		return d, err
	}
	look, err := c.look(ctx, setup, d.Entity)
	if err != nil {
		return d, err
	}
	job.Point("billing.issue:begin")
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		if err := c.still(ctx, tx, d, setup, labels); err != nil {
			return err
		}
		due := usage.DayOf(c.now()).Add(setup.PayDays)
		if d, err = c.book.Issue(ctx, tx, id, actor, due); err != nil {
			return err
		}
		if err := c.postDocument(ctx, tx, d); err != nil {
			return err
		}
		if err := c.keepFile(ctx, tx, d, look); err != nil {
			return err
		}
		job.Point("billing.issue:filed") // the file is there, and nothing of it is committed
		return c.send(ctx, tx, d)
	})
	if err != nil {
		return d, fmt.Errorf("issue %s: %w", d.Key, err)
	}
	job.Point("billing.issue:done")
	return d, nil
}

// still refuses a draft that is not what would be drafted now, and one that an
// earlier month's draft of the account comes before: else both would bill the same
// correction. It notes which charges the document bills.
func (c *Cycle) still(ctx context.Context, tx *store.Tx, d invoice.Document, setup Setup, labels invoice.Labels) error {
	if usage.DayOf(c.now()) <= d.Period.Last() {
		return fault.New(fault.Conflict, "%s is not over yet: its bills can be issued from %s UTC on.", d.Period, d.Period.Add(1).First())
	}
	earlier, err := sqlc.New(tx).EarlierDrafts(ctx, sqlc.EarlierDraftsParams{Account: d.Account, Period: string(d.Period)})
	if err != nil {
		return err
	}
	if len(earlier) > 0 {
		return fault.New(fault.Conflict, "The draft %s comes before it: issue that one first.", earlier[0])
	}
	b, err := c.bill(ctx, tx, d.Account, d.Period, setup, labels)
	if err != nil {
		return err
	}
	if b.trouble != nil {
		return fault.New(fault.Conflict, "%s cannot be billed any more: %s", d.Key, b.trouble)
	}
	i := slices.IndexFunc(b.docs, func(x invoice.Document) bool { return x.Key == d.Key })
	if i < 0 || !sameLines(b.docs[i], d) {
		return fault.New(fault.Conflict, "What %s bills has changed since it was drafted. It is drafted anew: look at it again.", d.Key)
	}
	if len(b.docs) > 1 {
		return nil // the months are billed with the last of them
	}
	q := sqlc.New(tx)
	for m, hash := range b.months {
		if err := q.ChargeIssued(ctx, sqlc.ChargeIssuedParams{Account: d.Account, Month: string(m), BilledHash: hash}); err != nil {
			return err
		}
	}
	return nil
}

// sameLines compares what two drafts bill, and to whom; adjustments depend on other
// accounts and were looked at with the draft.
func sameLines(now, drafted invoice.Document) bool {
	drafted.Lines = slices.DeleteFunc(slices.Clone(drafted.Lines), func(l invoice.Line) bool { return l.Kind == invoice.LineAdjustment })
	a, aerr := json.Marshal([]any{now.Lines, now.Buyer, now.Seller})
	b, berr := json.Marshal([]any{drafted.Lines, drafted.Buyer, drafted.Seller})
	return aerr == nil && berr == nil && bytes.Equal(a, b)
}

func (c *Cycle) postDocument(ctx context.Context, tx *store.Tx, d invoice.Document) error {
	e, err := DocumentEntry(d)
	if err != nil {
		return err
	}
	return c.journal.Post(ctx, tx, e)
}

func (c *Cycle) look(ctx context.Context, setup Setup, entity string) (invoice.Look, error) {
	brand, err := c.settings.Brand(ctx)
	if err != nil {
		return invoice.Look{}, err
	}
	seller, err := setup.seller(entity)
	return invoice.Look{Product: brand.Product, Accent: brand.Accent, Contact: brand.ContactEmail, Pay: seller.Pay}, err
}

// keepFile writes the document as it is sent: first the file, under the hash of its
// content, then the row that names it.
func (c *Cycle) keepFile(ctx context.Context, tx *store.Tx, d invoice.Document, look invoice.Look) error {
	var pdf bytes.Buffer
	if err := invoice.PDF(&pdf, d, look, c.names); err != nil {
		return err
	}
	sum := sha256.Sum256(pdf.Bytes())
	hash := hex.EncodeToString(sum[:])
	if err := c.files.Put(ctx, hash, pdf.Bytes()); err != nil {
		return err
	}
	return sqlc.New(tx).AddFile(ctx, sqlc.AddFileParams{Document: string(d.ID), Sha256: hash, Size: int64(pdf.Len()), KeptAt: store.Micros(c.now())})
}

// PDF gives the file of an issued document as it was made when it was issued. Who may
// see it is asked before.
func (c *Cycle) PDF(ctx context.Context, id invoice.ID) ([]byte, error) {
	row, err := sqlc.New(c.db.Read()).GetFile(ctx, string(id))
	if err != nil {
		return nil, store.Found(err, "There is no file of this document.")
	}
	b, err := c.files.Get(ctx, row.Sha256)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != row.Sha256 {
		return nil, errors.New("the file of document " + string(id) + " was changed after it was issued")
	}
	return b, nil
}

// send tells the account's administrators.
func (c *Cycle) send(ctx context.Context, tx *store.Tx, d invoice.Document) error {
	setup, err := c.setup(ctx, tx)
	if err != nil || !setup.Mail || c.mail == nil {
		return err
	}
	admins, err := c.people.Administrators(ctx, account.Alias(d.Account))
	if err != nil {
		return err
	}
	for _, a := range admins {
		if !a.Active || !strings.Contains(a.Login, "@") {
			continue
		}
		err := c.mail.Send(ctx, tx, support.Message{
			Key: "document:" + string(d.ID) + ":" + a.Login, To: a.Login, Subject: d.Seller.Name + ": " + d.Number,
			Text: fmt.Sprintf("%s for %s, account %s: %s, due on %s.\n\n%s/billing\n", d.Number, d.Period, d.Account, d.Total, d.DueDay, c.portal),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// TakeBack issues the credit note of a document and posts it. What it billed is
// drafted anew, under a new key.
func (c *Cycle) TakeBack(ctx context.Context, a account.Actor, id invoice.ID, reason string) (invoice.Document, error) {
	if err := account.May(a, account.ActBillingIssue, ""); err != nil {
		return invoice.Document{}, err
	}
	if reason = strings.TrimSpace(reason); reason == "" || len(reason) > 1000 || store.CheckText("reason", reason) != nil {
		return invoice.Document{}, fault.Field("reason", "A document is taken back for a reason of at most 1000 bytes.", "Say why.")
	}
	setup, err := c.Setup(ctx)
	if err != nil {
		return invoice.Document{}, err
	}
	var note invoice.Document
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		if note, err = c.book.TakeBack(ctx, tx, id, a.ID(), reason, usage.DayOf(c.now())); err != nil {
			return err
		}
		if err := c.postDocument(ctx, tx, note); err != nil {
			return err
		}
		look, err := c.look(ctx, setup, note.Entity)
		if err != nil {
			return err
		}
		if err := c.keepFile(ctx, tx, note, look); err != nil {
			return err
		}
		if err := sqlc.New(tx).ChargeTakenBack(ctx, note.Account); err != nil {
			return err
		}
		return c.jobs.Add(ctx, tx, JobDraft, string(note.Period), struct{}{}, time.Time{})
	})
	return note, err
}
