package billing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"causeway/internal/billing/sqlc"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"

	"github.com/klauspost/compress/gzip"
)

// Months keeps what each account's months cost, as they were rated last: one row an
// account and month, its cells packed, so that thirteen months are thirteen rows.
type Months struct{ db *store.DB }

// NewMonths opens the store.
func NewMonths(db *store.DB) *Months { return &Months{db} }

// Save keeps a month in place of what was known of it before.
func (m *Months) Save(ctx context.Context, tx *store.Tx, x AccountMonth) error {
	cells, err := packCells(x.Cells)
	if err != nil {
		return fmt.Errorf("keep %s of %s: %w", x.Month, x.Account, err)
	}
	return m.save(ctx, tx, x, cells)
}

func (m *Months) save(ctx context.Context, tx *store.Tx, x AccountMonth, cells []byte) error {
	err := x.Month.Check()
	if err == nil {
		err = sqlc.New(tx).SaveMonth(ctx, sqlc.SaveMonthParams{
			Month: string(x.Month), Account: x.Account, Currency: string(x.Currency), Billed: x.Billed, AsOf: string(x.AsOf), RatedAt: store.Micros(x.RatedAt),
			Sell: x.Sell.Text(), Cost: x.Cost.Text(), CostCurrency: string(x.Cost.Currency()), Sold: x.Sold.Text(), Margin: x.Margin.Text(),
			Earned: x.Earned.Text(), Gain: x.Gain.Text(), Cells: cells,
		})
	}
	if err != nil {
		return fmt.Errorf("keep %s of %s: %w", x.Month, x.Account, err)
	}
	return nil
}

// Forget drops a month that has no usage any more.
func (m *Months) Forget(ctx context.Context, tx *store.Tx, account string, month usage.Month) error {
	if err := sqlc.New(tx).ForgetMonth(ctx, sqlc.ForgetMonthParams{Account: account, Month: string(month)}); err != nil {
		return fmt.Errorf("forget %s of %s: %w", month, account, err)
	}
	return nil
}

// Of gives an account's months with their cells, oldest first; a month without usage
// is not there. Who may see them is asked before.
func (m *Months) Of(ctx context.Context, account string, from, to usage.Month) ([]AccountMonth, error) {
	rows, err := sqlc.New(m.db.Read()).MonthsOf(ctx, sqlc.MonthsOfParams{Account: account, First: string(from), Last: string(to)})
	if err != nil {
		return nil, fmt.Errorf("months of %s: %w", account, err)
	}
	list := make([]AccountMonth, len(rows))
	for i, r := range rows {
		list[i], err = accountMonth(sqlc.MonthTotalsRow{
			Account: r.Account, Month: r.Month, Currency: r.Currency, Billed: r.Billed, AsOf: r.AsOf, RatedAt: r.RatedAt, Sell: r.Sell,
			Cost: r.Cost, CostCurrency: r.CostCurrency, Sold: r.Sold, Margin: r.Margin, Earned: r.Earned, Gain: r.Gain,
		})
		if err == nil {
			list[i].Cells, err = unpackCells(r.Cells)
		}
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", usage.Month(r.Month), account, err)
		}
	}
	return list, nil
}

// Totals gives a month of all accounts without cells, by account; "" is suspense.
func (m *Months) Totals(ctx context.Context, month usage.Month) ([]AccountMonth, error) {
	rows, err := sqlc.New(m.db.Read()).MonthTotals(ctx, string(month))
	if err != nil {
		return nil, fmt.Errorf("accounts of %s: %w", month, err)
	}
	list := make([]AccountMonth, len(rows))
	for i, r := range rows {
		if list[i], err = accountMonth(r); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", month, r.Account, err)
		}
	}
	return list, nil
}

func accountMonth(r sqlc.MonthTotalsRow) (AccountMonth, error) {
	x := AccountMonth{
		Account: r.Account, Month: usage.Month(r.Month), Currency: money.Currency(r.Currency), Billed: r.Billed, AsOf: usage.Day(r.AsOf), RatedAt: store.Time(r.RatedAt),
	}
	for _, a := range []struct {
		to             *money.Amount
		text, currency string
	}{{&x.Sell, r.Sell, r.Currency}, {&x.Cost, r.Cost, r.CostCurrency}, {&x.Sold, r.Sold, r.Currency}, {&x.Margin, r.Margin, r.Currency}, {&x.Earned, r.Earned, r.Currency}, {&x.Gain, r.Gain, r.Currency}} {
		var err error
		if *a.to, err = money.FromText(a.text, a.currency); err != nil {
			return x, err
		}
	}
	return x, nil
}

// packers are used again: making one costs more than packing an account's month.
var packers = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}

func pack(body []byte) ([]byte, error) {
	z, ok := packers.Get().(*gzip.Writer)
	if !ok {
		return nil, errors.New("that is no packer")
	}
	defer packers.Put(z)
	var b bytes.Buffer
	z.Reset(&b)
	_, err := z.Write(body)
	err = errors.Join(err, z.Close()) // before the bytes are taken
	return b.Bytes(), err
}

func unpack(packed []byte, into any) error {
	body, err := unpacked(packed)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

func unpacked(packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(z)
	return body, errors.Join(err, z.Close())
}
