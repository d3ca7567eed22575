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

	"golang.org/x/sync/errgroup"
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
	for some := range slices.Chunk(ids, issuedTogether) {
		if job.Stopping(ctx) {
			return n, job.ErrStopping
		}
		batch := make([]invoice.ID, len(some))
		for i, id := range some {
			batch[i] = invoice.ID(id)
		}
		done, err := c.issue(ctx, batch, actor)
		n += len(done)
		if !needsAPerson(err) {
			if err != nil {
				return n, err
			}
			continue
		}
		for _, id := range batch { // one of them is refused: the others go on
			done, err := c.issue(ctx, []invoice.ID{id}, actor)
			n += len(done)
			switch {
			case needsAPerson(err):
				refused = append(refused, err) // a person looks
			case err != nil:
				return n, err
			}
		}
	}
	if len(refused) > 0 {
		c.log.Warn("bills were not issued", "month", string(closing), "refused", len(refused), "first", refused[0])
		return n, c.redraft(ctx, closing)
	}
	return n, nil
}

// issuedTogether is how many bills are issued in one transaction: their files are made
// at the same time, and the disk is flushed once.
const issuedTogether = 20

// needsAPerson tells whether an error is about the draft.
func needsAPerson(err error) bool {
	return fault.KindOf(err) == fault.Conflict || fault.KindOf(err) == fault.Invalid
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
	if _, err := c.issue(ctx, []invoice.ID{id}, a.ID()); err != nil {
		return invoice.Document{}, err
	}
	return c.book.Document(ctx, id)
}

// issue makes drafts final, all of them or none, and gives those that were not before.
func (c *Cycle) issue(ctx context.Context, ids []invoice.ID, actor string) ([]invoice.Document, error) {
	setup, err := c.Setup(ctx)
	if err != nil {
		return nil, err
	}
	labels, err := c.labels(ctx)
	if err != nil {
		return nil, err
	}
	var docs []invoice.Document
	for _, id := range ids {
		d, err := c.book.Document(ctx, id)
		if err != nil {
			return nil, err
		}
		if d.Number == "" {
			docs = append(docs, d)
		}
	}
	looks, err := c.looks(ctx, setup, docs)
	if err != nil {
		return nil, err
	}
	job.Point("billing.issue:begin")
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		for i, d := range docs {
			if err := c.still(ctx, tx, d, setup, labels); err != nil {
				return fmt.Errorf("issue %s: %w", d.Key, err)
			}
			var err error
			if docs[i], err = c.book.Issue(ctx, tx, d.ID, actor, usage.DayOf(c.now()).Add(setup.PayDays)); err != nil {
				return fmt.Errorf("issue %s: %w", d.Key, err)
			}
			if err := c.postDocument(ctx, tx, docs[i]); err != nil {
				return fmt.Errorf("issue %s: %w", d.Key, err)
			}
		}
		if err := c.keepFiles(ctx, tx, docs, looks); err != nil {
			return err
		}
		job.Point("billing.issue:filed") // the files are there, and nothing of it is committed
		for _, d := range docs {
			if err := c.send(ctx, tx, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	job.Point("billing.issue:done")
	return docs, nil
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
	if err := c.post(ctx, tx, e); err != nil {
		return err
	}
	return c.tell(ctx, tx, eventDocument+string(d.ID))
}

// looks are those of the documents' sellers.
func (c *Cycle) looks(ctx context.Context, setup Setup, docs []invoice.Document) (map[string]invoice.Look, error) {
	brand, err := c.settings.Brand(ctx)
	if err != nil {
		return nil, err
	}
	looks := map[string]invoice.Look{}
	for _, d := range docs {
		seller, err := setup.seller(d.Entity)
		if err != nil {
			return nil, err
		}
		looks[d.Entity] = invoice.Look{Product: brand.Product, Accent: brand.Accent, Contact: brand.ContactEmail, Pay: seller.Pay}
	}
	return looks, nil
}

// keepFiles writes documents as they are sent: first the files, under the hash of their
// content, then the rows that name them.
func (c *Cycle) keepFiles(ctx context.Context, tx *store.Tx, docs []invoice.Document, looks map[string]invoice.Look) error {
	rows := make([]sqlc.AddFileParams, len(docs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.workers)
	for i, d := range docs {
		g.Go(func() error {
			var pdf bytes.Buffer
			if err := invoice.PDF(&pdf, d, looks[d.Entity], c.names); err != nil {
				return err
			}
			sum := sha256.Sum256(pdf.Bytes())
			hash := hex.EncodeToString(sum[:])
			rows[i] = sqlc.AddFileParams{Document: string(d.ID), Sha256: hash, Size: int64(pdf.Len()), KeptAt: store.Micros(c.now())}
			return c.files.Put(gctx, hash, pdf.Bytes())
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, row := range rows {
		if err := sqlc.New(tx).AddFile(ctx, row); err != nil {
			return err
		}
	}
	return nil
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

// send tells those who get the account's documents.
func (c *Cycle) send(ctx context.Context, tx *store.Tx, d invoice.Document) error {
	setup, err := c.setup(ctx, tx)
	if err != nil || !setup.Mail || c.mail == nil {
		return err
	}
	a, err := c.people.Account(ctx, account.Alias(d.Account))
	if err != nil {
		return err
	}
	all, err := c.addressees(ctx, a)
	if err != nil {
		return err
	}
	for _, to := range all {
		err := c.mail.Send(ctx, tx, support.Message{
			Key: "document:" + string(d.ID) + ":" + to, To: to, Subject: d.Seller.Name + ": " + d.Number,
			Text: fmt.Sprintf("%s for %s, account %s: %s, due on %s.\n\n%s/invoices/%s\n", d.Number, d.Period, d.Account, d.Total, d.DueDay, c.portal, d.ID),
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
	d, err := c.book.Document(ctx, id)
	if err != nil {
		return d, err
	}
	looks, err := c.looks(ctx, setup, []invoice.Document{d}) // the credit note is of the same seller
	if err != nil {
		return d, err
	}
	var note invoice.Document
	err = c.db.Tx(ctx, func(tx *store.Tx) error {
		if note, err = c.book.TakeBack(ctx, tx, id, a.ID(), reason, usage.DayOf(c.now())); err != nil {
			return err
		}
		if err := c.postDocument(ctx, tx, note); err != nil {
			return err
		}
		if err := c.keepFiles(ctx, tx, []invoice.Document{note}, looks); err != nil {
			return err
		}
		if err := sqlc.New(tx).ChargeTakenBack(ctx, note.Account); err != nil {
			return err
		}
		return c.jobs.Add(ctx, tx, JobDraft, string(note.Period), struct{}{}, time.Time{})
	})
	return note, err
}
