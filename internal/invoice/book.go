package invoice

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/invoice/sqlc"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// Book keeps the documents. Who may issue one is asked where it is done (billing).
type Book struct {
	db     *store.DB
	now    func() time.Time
	prefix func(entity string) string
}

// New opens the book. prefix begins the numbers of a series that has none yet.
func New(db *store.DB, now func() time.Time, prefix func(entity string) string) *Book {
	return &Book{db, now, prefix}
}

// Draft keeps a draft under its key; a later one replaces it. Once the document is
// issued the draft is not looked at any more: what was issued is given back, so that
// a repeated run of a month changes nothing.
func (b *Book) Draft(ctx context.Context, tx *store.Tx, d Document) (Document, error) {
	if err := d.Check(); err != nil {
		return d, err
	}
	if d.Status != Draft || d.Number != "" || d.Key == "" || d.Entity == "" || d.Account == "" {
		return d, fault.New(fault.Invalid, "a draft has a key, a seller and an account, and no number yet")
	}
	if d.ID == "" {
		d.ID = ID(store.NewID())
	}
	q := sqlc.New(tx)
	there, err := q.LockByKey(ctx, d.Key)
	if errors.Is(err, sql.ErrNoRows) {
		d.CreatedAt = b.now().UTC().Truncate(time.Microsecond)
		return b.add(ctx, q, d)
	}
	if err != nil {
		return d, fmt.Errorf("draft %s: %w", d.Key, err)
	}
	if there.Status != string(Draft) {
		return document(there)
	}
	d.ID, d.CreatedAt = ID(there.ID), store.Time(there.CreatedAt)
	body, hash, err := pack(d)
	if err != nil {
		return d, err
	}
	_, err = q.ChangeDraft(ctx, sqlc.ChangeDraftParams{ID: there.ID, FirstMonth: string(d.firstMonth()), Total: d.Total.Text(), Body: body, Hash: hash, Now: store.Micros(b.now())})
	if err != nil {
		return d, fmt.Errorf("draft %s: %w", d.Key, err)
	}
	return d, nil
}

func (b *Book) add(ctx context.Context, q *sqlc.Queries, d Document) (Document, error) {
	body, hash, err := pack(d)
	if err != nil {
		return d, err
	}
	n, err := q.AddDocument(ctx, sqlc.AddDocumentParams{
		ID: string(d.ID), Key: d.Key, Kind: string(d.Kind), Status: string(d.Status), Entity: d.Entity, Org: d.Org, Account: d.Account, CostCenter: d.CostCenter,
		Period: string(d.Period), FirstMonth: string(d.firstMonth()), Currency: string(d.Currency), Total: d.Total.Text(), TakesBack: string(d.Of), Body: body, Hash: hash, CreatedAt: store.Micros(d.CreatedAt),
	})
	if err != nil {
		return d, fmt.Errorf("draft %s: %w", d.Key, err)
	}
	if n == 0 { // another process made the same draft between our look and our write
		there, err := q.LockByKey(ctx, d.Key)
		if err != nil {
			return d, fmt.Errorf("draft %s: %w", d.Key, err)
		}
		return document(there)
	}
	return d, nil
}

// Issue gives a draft the next number of its seller and makes it final, in the
// caller's transaction: the number, the posting and the file are there together or
// not at all. A document that was issued before keeps its number: nothing is done.
func (b *Book) Issue(ctx context.Context, tx *store.Tx, id ID, actor string, due usage.Day) (Document, error) {
	q := sqlc.New(tx)
	row, err := q.LockDocument(ctx, string(id))
	if err != nil {
		return Document{}, store.Found(err, "there is no document %s", id)
	}
	d, err := document(row)
	if err != nil {
		return d, err
	}
	if d.Status == Issued || d.Status == Paid {
		return d, nil
	}
	if !d.Status.May(Issued) {
		return d, fault.New(fault.Conflict, "a document that is %s cannot be issued", d.Status)
	}
	if err := d.Check(); err != nil {
		return d, err
	}
	if err := due.Check(); err != nil {
		return d, err
	}
	if err := q.MakeSeries(ctx, sqlc.MakeSeriesParams{Entity: d.Entity, Prefix: b.prefix(d.Entity)}); err != nil {
		return d, fmt.Errorf("issue %s: %w", id, err)
	}
	next, err := q.NextNumber(ctx, d.Entity) // locks the series until the commit: the next one waits, and has no gap before it
	if err != nil {
		return d, fmt.Errorf("issue %s: %w", id, err)
	}
	d.Status, d.Number, d.IssuedAt, d.DueDay = Issued, fmt.Sprintf("%s%06d", next.Prefix, next.Last), b.now().UTC().Truncate(time.Microsecond), due
	body, hash, err := pack(d)
	if err != nil {
		return d, err
	}
	_, err = q.IssueDocument(ctx, sqlc.IssueDocumentParams{ID: string(id), Number: d.Number, Seq: next.Last, Total: d.Total.Text(), Body: body, Hash: hash, Now: store.Micros(d.IssuedAt)})
	if err != nil {
		return d, fmt.Errorf("issue %s: %w", id, err)
	}
	return d, b.record(ctx, tx, d, actor, "invoice.issue", map[string]any{"number": d.Number, "total": d.Total, "hash": hash})
}

func (b *Book) record(ctx context.Context, tx *store.Tx, d Document, actor, action string, detail any) error {
	return audit.Write(ctx, tx, audit.Entry{Org: d.Org, At: b.now(), Actor: actor, Action: action, Object: "invoice:" + string(d.ID), Detail: detail})
}

// Pay marks an issued document as paid.
func (b *Book) Pay(ctx context.Context, tx *store.Tx, id ID, actor string) (Document, error) {
	return b.move(ctx, tx, id, actor, Paid, "invoice.pay")
}

// Drop makes a draft void; an issued document is taken back instead.
func (b *Book) Drop(ctx context.Context, tx *store.Tx, id ID, actor string) (Document, error) {
	row, err := sqlc.New(tx).LockDocument(ctx, string(id))
	if err != nil {
		return Document{}, store.Found(err, "there is no document %s", id)
	}
	if row.Status != string(Draft) && row.Status != string(Void) {
		return Document{}, fault.New(fault.Conflict, "%s was issued: take it back with a credit note", row.Number)
	}
	return b.move(ctx, tx, id, actor, Void, "invoice.drop")
}

func (b *Book) move(ctx context.Context, tx *store.Tx, id ID, actor string, to Status, action string) (Document, error) {
	q := sqlc.New(tx)
	row, err := q.LockDocument(ctx, string(id))
	if err != nil {
		return Document{}, store.Found(err, "there is no document %s", id)
	}
	d, err := document(row)
	if err != nil || d.Status == to {
		return d, err
	}
	if !d.Status.May(to) {
		return d, fault.New(fault.Conflict, "a document that is %s cannot become %s", d.Status, to)
	}
	n, err := q.MoveDocument(ctx, sqlc.MoveDocumentParams{ID: string(id), Was: string(d.Status), Status: string(to), Now: store.Micros(b.now())})
	if err != nil {
		return d, fmt.Errorf("%s %s: %w", action, id, err)
	}
	if n == 0 { // the row is locked: it cannot have moved
		return d, fmt.Errorf("%s %s: it is no longer %s", action, id, d.Status)
	}
	d.Status = to
	return d, b.record(ctx, tx, d, actor, action, map[string]any{"number": d.Number})
}

// TakeBack issues the credit note for a document, with a number of the same series,
// and makes an unpaid one void. A second time gives the same credit note.
func (b *Book) TakeBack(ctx context.Context, tx *store.Tx, id ID, actor, reason string, due usage.Day) (Document, error) {
	q := sqlc.New(tx)
	row, err := q.LockDocument(ctx, string(id))
	if err != nil {
		return Document{}, store.Found(err, "there is no document %s", id)
	}
	d, err := document(row)
	if err != nil {
		return d, err
	}
	if d.Status == Void && d.Number != "" {
		there, err := q.LockByKey(ctx, "credit:"+string(id))
		if err != nil {
			return Document{}, store.Found(err, "%s is void", d.Number)
		}
		return document(there)
	}
	note, err := d.Credit(ID(store.NewID()), reason)
	if err != nil {
		return d, err
	}
	if note, err = b.Draft(ctx, tx, note); err != nil {
		return note, err
	}
	if note, err = b.Issue(ctx, tx, note.ID, actor, due); err != nil {
		return note, err
	}
	if d.Status == Issued {
		_, err = b.move(ctx, tx, id, actor, Void, "invoice.take-back")
	}
	return note, err
}

// Document reads one.
func (b *Book) Document(ctx context.Context, id ID) (Document, error) {
	row, err := sqlc.New(b.db.Read()).GetDocument(ctx, string(id))
	if err != nil {
		return Document{}, store.Found(err, "There is no such invoice.")
	}
	return document(row)
}

// OfAccount gives an account's documents, newest month first; last is the last one
// of the page before, the zero Document = from the start.
func (b *Book) OfAccount(ctx context.Context, account string, last Document, limit int) ([]Document, error) {
	p := sqlc.DocumentsOfAccountParams{Account: account, Before: "9999-99", Batch: int32(min(max(limit, 1), 500))} // #nosec G115 -- at most 500
	if last.ID != "" {
		p.Before, p.BeforeID = string(last.Period), string(last.ID)
	}
	rows, err := sqlc.New(b.db.Read()).DocumentsOfAccount(ctx, p)
	return documents(rows, err)
}

// OfMonth gives the documents that close a month, in pages by id; "" = any status.
func (b *Book) OfMonth(ctx context.Context, m usage.Month, s Status, after ID, limit int) ([]Document, error) {
	rows, err := sqlc.New(b.db.Read()).DocumentsOfPeriod(ctx, sqlc.DocumentsOfPeriodParams{
		Period: string(m), Status: sql.NullString{String: string(s), Valid: s != ""}, After: string(after), Batch: int32(min(max(limit, 1), 1000)), // #nosec G115 -- at most 1000
	})
	return documents(rows, err)
}

// Billed gives every line that numbered documents of an account have of a service
// month: what a correction is the difference to. A document that was taken back and
// its credit note are nothing together, so neither is given: the month is billed anew.
func (b *Book) Billed(ctx context.Context, on store.DBTX, account, costCenter string, c money.Currency, service usage.Month) ([]Line, error) {
	rows, err := sqlc.New(on).NumberedOfAccount(ctx, sqlc.NumberedOfAccountParams{Account: account, Currency: string(c), Since: string(service)})
	all, err := documents(rows, err)
	if err != nil {
		return nil, err
	}
	back := map[ID]bool{}
	for _, d := range all {
		back[d.Of] = true
	}
	var lines []Line
	for _, d := range all {
		for _, l := range d.Lines {
			if l.Month == service && d.Kind != CreditNote && !back[d.ID] && d.CostCenter == costCenter && l.Kind != LineAdjustment {
				lines = append(lines, l)
			}
		}
	}
	return lines, nil
}

// Verify reads all documents of a seller and names the first number that is missing
// or whose document was changed after it was issued; it gives how many there are.
func (b *Book) Verify(ctx context.Context, entity string) (int64, error) {
	q := sqlc.New(b.db.Read())
	var seq int64
	for {
		rows, err := q.DocumentsOfEntity(ctx, sqlc.DocumentsOfEntityParams{Entity: entity, After: seq, Batch: 500})
		if err != nil {
			return seq, fmt.Errorf("verify the documents of %s: %w", entity, err)
		}
		for _, r := range rows {
			if r.Seq != seq+1 {
				return seq, fmt.Errorf("number %d of %s is missing", seq+1, entity)
			}
			d, err := document(r)
			if err != nil {
				return seq, err
			}
			if hashOf(r.Body) != r.Hash || d.Number != r.Number || d.Total.Text() != r.Total || d.Check() != nil {
				return seq, fmt.Errorf("%s was changed after it was issued", r.Number)
			}
			seq = r.Seq
		}
		if len(rows) < 500 {
			break
		}
	}
	s, err := q.GetSeries(ctx, entity)
	if errors.Is(err, sql.ErrNoRows) {
		return seq, nil
	}
	if err != nil {
		return seq, fmt.Errorf("verify the documents of %s: %w", entity, err)
	}
	if s.Last != seq {
		return seq, fmt.Errorf("number %d of %s is missing", seq+1, entity)
	}
	return seq, nil
}

func (d Document) firstMonth() usage.Month {
	first := d.Period
	for _, l := range d.Lines {
		first = min(first, l.Month)
	}
	return first
}

func pack(d Document) (body, hash string, err error) {
	b, err := json.Marshal(d)
	if err != nil {
		return "", "", fmt.Errorf("document %s: %w", d.Key, err)
	}
	return string(b), hashOf(string(b)), store.CheckText("document", string(b))
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// document reads a row. The status alone may be newer than the body.
func document(r sqlc.InvoiceDocument) (Document, error) {
	var d Document
	if err := json.Unmarshal([]byte(r.Body), &d); err != nil {
		return d, fmt.Errorf("document %s: %w", r.ID, err)
	}
	d.Status = Status(r.Status)
	return d, nil
}

func documents(rows []sqlc.InvoiceDocument, err error) ([]Document, error) {
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	list := make([]Document, len(rows))
	for i, r := range rows {
		if list[i], err = document(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}
