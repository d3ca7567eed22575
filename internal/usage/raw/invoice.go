package raw

import (
	"context"
	"fmt"
	"io"
	"time"

	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"
	"causeway/internal/usage/raw/sqlc"
)

// Invoice is a document by which Microsoft bills the partner. Its tax stands in the
// reconciliation only.
type Invoice struct {
	ID       string       `json:"id"`    // G…
	Total    money.Amount `json:"total"` // with tax, billing currency
	Month    usage.Month  `json:"month"` // the billing period
	Date     time.Time    `json:"date"`
	Document string       `json:"document"`         // invoice, void_note, adjustment_note, credit_note
	Amends   string       `json:"amends,omitempty"` // of a note: the invoice that it changes
	PDF      *Blob        `json:"-"`                // nil: not here yet
	SeenAt   time.Time    `json:"seen_at"`
}

// Invoices lists Microsoft's invoices of a month, or with "" all of them.
func (s *Store) Invoices(ctx context.Context, m usage.Month) ([]Invoice, error) {
	rows, err := sqlc.New(s.db.Read()).Invoices(ctx, some(string(m)))
	if err != nil {
		return nil, fmt.Errorf("list Microsoft's invoices: %w", err)
	}
	all := []Invoice{}
	for _, r := range rows {
		i, err := invoice(r)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

// Invoice gives one of Microsoft's invoices.
func (s *Store) Invoice(ctx context.Context, id string) (Invoice, error) {
	r, err := sqlc.New(s.db.Read()).GetInvoice(ctx, id)
	if err != nil {
		return Invoice{}, store.Found(err, "There is no invoice %q of Microsoft.", id)
	}
	return invoice(r)
}

func invoice(r sqlc.MicrosoftInvoice) (Invoice, error) {
	total, err := money.Parse(r.Total, money.Currency(r.Currency))
	if err != nil {
		return Invoice{}, fmt.Errorf("total of Microsoft's invoice %s: %w", r.ID, err)
	}
	i := Invoice{
		ID: r.ID, Total: total, Month: usage.Month(r.Month), Date: store.Time(r.Date), Document: r.Document, Amends: r.Amends,
		SeenAt: store.Time(r.SeenAt),
	}
	if r.Pdf != "" {
		i.PDF = &Blob{r.Pdf, r.PdfSize, r.PdfHash}
	}
	return i, nil
}

// SeeInvoice keeps what Microsoft's list says of an invoice.
func (s *Store) SeeInvoice(ctx context.Context, tx *store.Tx, i Invoice) error {
	return sqlc.New(tx).SeeInvoice(ctx, sqlc.SeeInvoiceParams{
		ID: i.ID, Currency: string(i.Total.Currency()), Total: i.Total.Text(), Month: string(i.Month), Date: store.Micros(i.Date),
		Document: i.Document, Amends: i.Amends, SeenAt: store.Micros(s.now()),
	})
}

// KeepStatement notes where the PDF of an invoice lies.
func (s *Store) KeepStatement(ctx context.Context, tx *store.Tx, id string, b Blob) error {
	return sqlc.New(tx).KeepStatement(ctx, sqlc.KeepStatementParams{ID: id, Pdf: b.Place, PdfSize: b.Size, PdfHash: b.SHA256})
}

// OpenStatement gives the PDF of one of Microsoft's invoices, compared with its hash
// as Open does.
func (s *Store) OpenStatement(ctx context.Context, id string) (io.ReadCloser, error) {
	i, err := s.Invoice(ctx, id)
	if err != nil {
		return nil, err
	}
	if i.PDF == nil {
		return nil, errNotThere("The PDF of " + id)
	}
	return s.read(ctx, id+".pdf", *i.PDF)
}
