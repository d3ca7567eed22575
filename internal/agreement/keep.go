package agreement

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement/sqlc"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// Kept is a signed receipt as it is kept.
type Kept struct {
	ID      string
	Org     account.OrgID
	Alias   account.Alias
	Attempt string
	Stage   string // StageTerms or StageReady
	Body    []byte // the signed file
	MadeAt  time.Time
}

// Keep stores a signed receipt in the caller's transaction. An attempt has one
// of each stage: a second one is left out, so that a step which runs again does
// not replace what a customer holds already. It gives the one that is kept.
func (r *Register) Keep(ctx context.Context, tx *store.Tx, k Kept) (Kept, error) {
	q := sqlc.New(tx)
	_, err := q.AddReceipt(ctx, sqlc.AddReceiptParams{
		ID: store.NewID(), Org: string(k.Org), Alias: string(k.Alias), Attempt: k.Attempt, Stage: k.Stage, Body: string(k.Body), MadeAt: store.Micros(r.now()),
	})
	if err != nil {
		return Kept{}, fmt.Errorf("keep receipt: %w", err)
	}
	row, err := q.ReceiptOf(ctx, sqlc.ReceiptOfParams{Attempt: k.Attempt, Stage: k.Stage})
	if err != nil {
		return Kept{}, fmt.Errorf("keep receipt: %w", err)
	}
	return kept(row), nil
}

// Receipt gives one receipt to somebody who may see it.
func (r *Register) Receipt(ctx context.Context, a account.Actor, id string) (Kept, error) {
	if store.CheckText("id", id) != nil {
		return Kept{}, fault.New(fault.NotFound, "There is no such receipt.")
	}
	row, err := sqlc.New(r.db.Read()).GetReceipt(ctx, id)
	if err != nil {
		return Kept{}, store.Found(err, "There is no such receipt.")
	}
	if err := account.May(a, account.ActReceiptView, account.OrgID(row.Org)); err != nil {
		return Kept{}, err
	}
	return kept(row), nil
}

// Receipts gives the receipts of an attempt, the newest first. Receipts of
// another organization are as if they were not there.
func (r *Register) Receipts(ctx context.Context, a account.Actor, attempt string) ([]Kept, error) {
	rows, err := sqlc.New(r.db.Read()).ReceiptsFor(ctx, attempt)
	if err != nil {
		return nil, fmt.Errorf("receipts: %w", err)
	}
	return visible(a, rows), nil
}

// ReceiptsOf gives the receipts of a billing account, the newest first.
func (r *Register) ReceiptsOf(ctx context.Context, a account.Actor, alias account.Alias) ([]Kept, error) {
	rows, err := sqlc.New(r.db.Read()).ReceiptsOf(ctx, string(alias))
	if err != nil {
		return nil, fmt.Errorf("receipts of %s: %w", alias, err)
	}
	return visible(a, rows), nil
}

func visible(a account.Actor, rows []sqlc.AgreementReceipt) []Kept {
	var list []Kept
	for _, row := range rows {
		if account.May(a, account.ActReceiptView, account.OrgID(row.Org)) == nil {
			list = append(list, kept(row))
		}
	}
	return list
}

func kept(r sqlc.AgreementReceipt) Kept {
	return Kept{
		ID: r.ID, Org: account.OrgID(r.Org), Alias: account.Alias(r.Alias), Attempt: r.Attempt, Stage: r.Stage, Body: []byte(r.Body), MadeAt: store.Time(r.MadeAt),
	}
}
