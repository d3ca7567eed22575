package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/ledger/sqlc"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// Journal is where entries are posted.
type Journal struct {
	db  *store.DB
	now func() time.Time
}

// New opens the journal.
func New(db *store.DB, now func() time.Time) *Journal { return &Journal{db, now} }

// Post writes an entry in the transaction of what it is the result of. The same
// key with the same content was posted already and is a no-op; with other content
// it is a Conflict, and so is a month that was closed.
//
// The month's row is locked from here to the commit, so that no entry slips into a
// month while it is closed. Whoever posts into two months in one transaction takes
// the earlier one first, else two of them may wait for each other.
func (j *Journal) Post(ctx context.Context, tx *store.Tx, e Entry) error {
	e, err := e.tidy()
	if err != nil {
		return err
	}
	for _, s := range append([]string{e.Key, e.Note}, memos(e)...) {
		if err := store.CheckText("note", s); err != nil {
			return err
		}
	}
	hash, err := e.hash()
	if err != nil {
		return err
	}
	q, period := sqlc.New(tx), string(e.Day.Month())
	n, err := q.AddEntry(ctx, sqlc.AddEntryParams{
		Key: e.Key, Day: string(e.Day), Period: period, Note: e.Note, Reverses: e.Reverses, Postings: int64(len(e.Postings)), Hash: hash, PostedAt: store.Micros(j.now()),
	})
	if err != nil {
		return fmt.Errorf("post %s: %w", e.Key, err)
	}
	if n == 0 {
		return same(ctx, q, e, hash)
	}
	if err := q.MakePeriod(ctx, period); err != nil {
		return fmt.Errorf("post %s: %w", e.Key, err)
	}
	if n, err = q.CountEntry(ctx, period); err != nil {
		return fmt.Errorf("post %s: %w", e.Key, err)
	}
	if n == 0 {
		return fault.New(fault.Conflict, "%s is closed: %s belongs into a later month", e.Day.Month(), e.Key)
	}
	for i, p := range e.Postings {
		err := q.AddPosting(ctx, sqlc.AddPostingParams{
			Entry: e.Key, Seq: int64(i), Period: period, Debit: string(p.Debit), Credit: string(p.Credit),
			Currency: string(p.Amount.Currency()), Amount: p.Amount.Text(), Memo: p.Memo,
		})
		if err != nil {
			return fmt.Errorf("post %s: %w", e.Key, err)
		}
	}
	return nil
}

func memos(e Entry) (all []string) {
	for _, p := range e.Postings {
		all = append(all, p.Memo, string(p.Debit), string(p.Credit))
	}
	return all
}

// same says whether the entry that is there already is this one.
func same(ctx context.Context, q *sqlc.Queries, e Entry, hash string) error {
	there, err := q.GetEntry(ctx, e.Key)
	switch {
	case errors.Is(err, sql.ErrNoRows): // another key, and the only other unique thing is what it reverses
		by, err := q.ReversalOf(ctx, e.Reverses)
		if err != nil {
			return fmt.Errorf("post %s: %w", e.Key, err)
		}
		return fault.New(fault.Conflict, "%s was taken back already, by %s", e.Reverses, by.Key)
	case err != nil:
		return fmt.Errorf("post %s: %w", e.Key, err)
	case there.Hash != hash:
		return fault.New(fault.Conflict, "%s was posted already with other content; correct it by a new entry", e.Key)
	}
	return nil
}

// Reverse posts the entry that takes another back. An entry is taken back once.
func (j *Journal) Reverse(ctx context.Context, tx *store.Tx, key, newKey string, day usage.Day, note string) error {
	e, err := read(ctx, sqlc.New(tx), key)
	if err != nil {
		return err
	}
	return j.Post(ctx, tx, e.Reverse(newKey, day, note))
}

// Entry reads one entry.
func (j *Journal) Entry(ctx context.Context, key string) (Entry, error) {
	return read(ctx, sqlc.New(j.db.Read()), key)
}

// EachOf gives every entry that counts for a month, by key.
func (j *Journal) EachOf(ctx context.Context, m usage.Month, each func(Entry) error) error {
	q, after := sqlc.New(j.db.Read()), ""
	for {
		rows, err := q.Entries(ctx, sqlc.EntriesParams{After: after, Batch: batch, Period: sql.NullString{String: string(m), Valid: true}})
		if err != nil {
			return fmt.Errorf("entries of %s: %w", m, err)
		}
		for _, r := range rows {
			e, err := read(ctx, q, r.Key)
			if err != nil {
				return err
			}
			if err := each(e); err != nil {
				return err
			}
			after = r.Key
		}
		if len(rows) < batch {
			return nil
		}
	}
}

func read(ctx context.Context, q *sqlc.Queries, key string) (Entry, error) {
	row, err := q.GetEntry(ctx, key)
	if err != nil {
		return Entry{}, store.Found(err, "there is no ledger entry %s", key)
	}
	rows, err := q.PostingsOf(ctx, key)
	if err != nil {
		return Entry{}, fmt.Errorf("read entry %s: %w", key, err)
	}
	e := Entry{Key: row.Key, Day: usage.Day(row.Day), Note: row.Note, Reverses: row.Reverses, Postings: make([]Posting, len(rows))}
	for i, r := range rows {
		if e.Postings[i], err = posting(r); err != nil {
			return Entry{}, err
		}
	}
	return e, nil
}

func posting(r sqlc.LedgerPosting) (Posting, error) {
	a, err := money.FromText(r.Amount, r.Currency)
	if err != nil {
		return Posting{}, fmt.Errorf("posting %d of entry %s: %w", r.Seq, r.Entry, err)
	}
	return Posting{Debit: Account(r.Debit), Credit: Account(r.Credit), Amount: a, Memo: r.Memo}, nil
}

// batch bounds the memory of a sum over a month of 100 000 accounts.
const batch = 5000

// Balances are debit − credit of every account and currency of a month.
func (j *Journal) Balances(ctx context.Context, on store.DBTX, m usage.Month) ([]Balance, error) {
	q, s := sqlc.New(on), sums{}
	p := sqlc.PostingsOfPeriodParams{Period: string(m), AfterSeq: -1, Batch: batch}
	for {
		rows, err := q.PostingsOfPeriod(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("balances of %s: %w", m, err)
		}
		if err := s.rows(rows); err != nil {
			return nil, err
		}
		if len(rows) < batch {
			return s.balances(), nil
		}
		p.After, p.AfterSeq = rows[len(rows)-1].Entry, rows[len(rows)-1].Seq
	}
}

// Balance is debit − credit of one account by currency, in one month or, with "",
// over all.
func (j *Journal) Balance(ctx context.Context, on store.DBTX, a Account, m usage.Month) ([]money.Amount, error) {
	q, s := sqlc.New(on), sums{}
	p := sqlc.PostingsOfAccountParams{Account: string(a), AfterSeq: -1, Batch: batch, Period: sql.NullString{String: string(m), Valid: m != ""}}
	for {
		rows, err := q.PostingsOfAccount(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("balance of %s: %w", a, err)
		}
		if err := s.rows(rows); err != nil {
			return nil, err
		}
		if len(rows) < batch {
			break
		}
		p.After, p.AfterSeq = rows[len(rows)-1].Entry, rows[len(rows)-1].Seq
	}
	var list []money.Amount
	for _, b := range s.balances() {
		if b.Account == a {
			list = append(list, b.Amount)
		}
	}
	return list, nil
}

// Close ends a month: nothing is posted into it any more. Whether it may be closed
// is decided before, in the same transaction (billing). Closing twice is a no-op.
func (j *Journal) Close(ctx context.Context, tx *store.Tx, m usage.Month, actor string) error {
	if err := m.Check(); err != nil {
		return err
	}
	q := sqlc.New(tx)
	if err := q.MakePeriod(ctx, string(m)); err != nil {
		return fmt.Errorf("close %s: %w", m, err)
	}
	n, err := q.ClosePeriod(ctx, sqlc.ClosePeriodParams{Period: string(m), Now: store.Micros(j.now()), Actor: actor})
	if err != nil || n == 0 {
		return err
	}
	return audit.Write(ctx, tx, audit.Entry{At: j.now(), Actor: actor, Action: "ledger.close", Object: "month:" + string(m)})
}

// Closed tells whether a month is closed.
func (j *Journal) Closed(ctx context.Context, on store.DBTX, m usage.Month) (bool, error) {
	rows, err := sqlc.New(on).Periods(ctx)
	if err != nil {
		return false, fmt.Errorf("months of the ledger: %w", err)
	}
	return slices.ContainsFunc(rows, func(r sqlc.LedgerPeriod) bool { return r.Period == string(m) && r.ClosedAt != 0 }), nil
}

// Verify reads everything and names the first entry that was changed, or the month
// that misses one; entries is how many it read.
func (j *Journal) Verify(ctx context.Context) (entries int64, err error) {
	q, counted := sqlc.New(j.db.Read()), map[string]int64{}
	after := ""
	for {
		rows, err := q.Entries(ctx, sqlc.EntriesParams{After: after, Batch: batch})
		if err != nil {
			return entries, fmt.Errorf("verify the ledger: %w", err)
		}
		for _, r := range rows {
			e, err := read(ctx, q, r.Key)
			if err != nil {
				return entries, err
			}
			hash, err := e.hash()
			if err != nil {
				return entries, err
			}
			if hash != r.Hash || r.Period != string(e.Day.Month()) || r.Postings != int64(len(e.Postings)) {
				return entries, fmt.Errorf("ledger entry %s was changed after it was posted", r.Key)
			}
			entries, after = entries+1, r.Key
			counted[r.Period]++
		}
		if len(rows) < batch {
			break
		}
	}
	periods, err := q.Periods(ctx)
	if err != nil {
		return entries, fmt.Errorf("verify the ledger: %w", err)
	}
	for _, p := range periods {
		if counted[p.Period] != p.Entries {
			return entries, fmt.Errorf("%s has %d ledger entries, %d were posted", usage.Month(p.Period), counted[p.Period], p.Entries)
		}
	}
	return entries, nil
}

type sums map[Account]map[money.Currency]money.Amount

func (s sums) add(p Posting) error {
	for account, a := range map[Account]money.Amount{p.Debit: p.Amount, p.Credit: p.Amount.Neg()} {
		if s[account] == nil {
			s[account] = map[money.Currency]money.Amount{}
		}
		before, ok := s[account][a.Currency()]
		if !ok {
			before = money.Zero(a.Currency())
		}
		sum, err := before.Add(a)
		if err != nil {
			return err
		}
		s[account][a.Currency()] = sum
	}
	return nil
}

func (s sums) rows(rows []sqlc.LedgerPosting) error {
	for _, r := range rows {
		p, err := posting(r)
		if err != nil {
			return err
		}
		if err := s.add(p); err != nil {
			return err
		}
	}
	return nil
}

func (s sums) balances() []Balance {
	list := []Balance{}
	for account, by := range s {
		for _, a := range by {
			list = append(list, Balance{account, a})
		}
	}
	slices.SortFunc(list, func(a, b Balance) int {
		return cmp.Or(strings.Compare(string(a.Account), string(b.Account)), strings.Compare(string(a.Amount.Currency()), string(b.Amount.Currency())))
	})
	return list
}
