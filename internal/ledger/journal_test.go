package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/ledger"
	"causeway/internal/money"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"

	"pgregory.net/rapid"
)

var now = time.Date(2026, 2, 8, 9, 0, 0, 0, time.UTC)

func open(db *store.DB) *ledger.Journal {
	return ledger.New(db, func() time.Time { return now })
}

func post(t testing.TB, db *store.DB, e ledger.Entry) error {
	t.Helper()
	return db.Tx(t.Context(), func(tx *store.Tx) error { return open(db).Post(t.Context(), tx, e) })
}

func usd(s string) money.Amount { return money.Must(s, "USD") }

// bill is a document of 118.03: cost 100.0251, margin 15, tax 3, rounded up by 0.0049.
func bill(key string) ledger.Entry {
	owed := ledger.Receivable.Of("CTSE")
	return ledger.Entry{Key: key, Day: "2026-01-31", Note: "Invoice 7", Postings: []ledger.Posting{
		{Debit: owed, Credit: ledger.Cost.Of("CTSE"), Amount: usd("100.0251")},
		{Debit: owed, Credit: ledger.Margin.Of("CTSE"), Amount: usd("15")},
		{Debit: owed, Credit: ledger.Tax.Of(""), Amount: usd("3")},
		{Debit: owed, Credit: ledger.Rounding.Of("CTSE"), Amount: usd("0.0049")},
	}}
}

func balance(t *testing.T, db *store.DB, a ledger.Account, m usage.Month) string {
	t.Helper()
	list, err := open(db).Balance(t.Context(), db.Read(), a, m)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, b := range list {
		words = append(words, b.String())
	}
	return strings.Join(words, " ")
}

func TestAnEntryIsPostedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for range 3 {
			if err := post(t, db, bill("invoice:7")); err != nil {
				t.Fatal(err)
			}
		}
		if got := balance(t, db, ledger.Receivable.Of("CTSE"), ""); got != "118.03 USD" {
			t.Errorf("owed %s", got)
		}
		other := bill("invoice:7")
		other.Postings[1].Amount = usd("15.01")
		if err := post(t, db, other); !errors.Is(err, fault.Conflict) {
			t.Errorf("other content under the same key: %v", err)
		}
		if got := balance(t, db, ledger.Margin.Of("CTSE"), "2026-01"); got != "−15.00 USD" {
			t.Errorf("margin %s", got)
		}
		e, err := open(db).Entry(t.Context(), "invoice:7")
		if err != nil || len(e.Postings) != 4 || !e.Postings[0].Amount.Equal(usd("100.0251")) {
			t.Errorf("%+v (%v)", e, err)
		}
		if _, err := open(db).Entry(t.Context(), "invoice:8"); !errors.Is(err, fault.NotFound) {
			t.Errorf("an entry that nobody posted: %v", err)
		}
	})
}

func TestACorrectionIsANewEntry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := post(t, db, bill("invoice:7")); err != nil {
			t.Fatal(err)
		}
		reverse := func(key string) error {
			return db.Tx(t.Context(), func(tx *store.Tx) error {
				return open(db).Reverse(t.Context(), tx, "invoice:7", key, "2026-02-03", "Wrong account")
			})
		}
		for range 2 {
			if err := reverse("void:7"); err != nil {
				t.Fatal(err)
			}
		}
		if err := reverse("void:7 again"); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "void:7") {
			t.Errorf("taken back twice: %v", err)
		}
		if got := balance(t, db, ledger.Receivable.Of("CTSE"), ""); got != "0.00 USD" {
			t.Errorf("owed after the reversal: %s", got)
		}
		if got := balance(t, db, ledger.Receivable.Of("CTSE"), "2026-01"); got != "118.03 USD" {
			t.Errorf("January was changed to %s", got)
		}
	})
}

func TestWhatIsNoEntry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, change := range map[string]func(*ledger.Entry){
			"no key":                      func(e *ledger.Entry) { e.Key = "" },
			"a day that does not exist":   func(e *ledger.Entry) { e.Day = "2026-02-30" },
			"an account of no kind":       func(e *ledger.Entry) { e.Postings[0].Credit = "profit:CTSE" },
			"an account to itself":        func(e *ledger.Entry) { e.Postings[0].Credit = e.Postings[0].Debit },
			"an amount without currency":  func(e *ledger.Entry) { e.Postings[0].Amount = money.Amount{} },
			"text that cannot be stored":  func(e *ledger.Entry) { e.Postings[0].Memo = "a\x00b" },
			"an owner that is not stored": func(e *ledger.Entry) { e.Postings[0].Credit = "cost:\xff" },
		} {
			e := bill("x")
			change(&e)
			if err := post(t, db, e); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n, err := open(db).Verify(t.Context()); n != 0 || err != nil {
			t.Errorf("%d entries were kept (%v)", n, err)
		}
	})
}

func TestTheDatabaseItselfHoldsNoRowThatMakesMoney(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := post(t, db, bill("invoice:7")); err != nil {
			t.Fatal(err)
		}
		for name, values := range map[string]string{
			"both sides the same": "'invoice:7', 9, '2026-01', 'margin', 'margin', 'USD', '1', ''",
			"one side missing":    "'invoice:7', 9, '2026-01', 'margin', '', 'USD', '1', ''",
			"a negative amount":   "'invoice:7', 9, '2026-01', 'margin', 'tax', 'USD', '-1', ''",
			"no amount":           "'invoice:7', 9, '2026-01', 'margin', 'tax', 'USD', '', ''",
			"no currency":         "'invoice:7', 9, '2026-01', 'margin', 'tax', '', '1', ''",
			"no entry":            "'invoice:8', 9, '2026-01', 'margin', 'tax', 'USD', '1', ''",
			"the same row again":  "'invoice:7', 0, '2026-01', 'margin', 'tax', 'USD', '1', ''",
		} {
			err := db.Tx(t.Context(), func(tx *store.Tx) error {
				_, err := tx.ExecContext(t.Context(), "INSERT INTO ledger_posting (entry, seq, period, debit, credit, currency, amount, memo) VALUES ("+values+")")
				return err
			})
			if err == nil {
				t.Errorf("%s: the database took it", name)
			}
		}
	})
}

func TestAChangedLedgerShows(t *testing.T) {
	for name, spoil := range map[string]string{
		"another amount":       "UPDATE ledger_posting SET amount = '15.01' WHERE entry = 'invoice:1' AND seq = 1",
		"another account":      "UPDATE ledger_posting SET credit = 'tax' WHERE entry = 'invoice:1' AND seq = 1",
		"a posting taken away": "DELETE FROM ledger_posting WHERE entry = 'invoice:1' AND seq = 3",
		"another note":         "UPDATE ledger_entry SET note = 'x' WHERE key = 'invoice:1'",
		"an entry taken away":  "DELETE FROM ledger_entry WHERE key = 'empty'",
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				for _, e := range []ledger.Entry{bill("invoice:1"), bill("invoice:2"), {Key: "empty", Day: "2026-01-31", Note: "An invoice of nothing"}} {
					if err := post(t, db, e); err != nil {
						t.Fatal(err)
					}
				}
				if n, err := open(db).Verify(t.Context()); n != 3 || err != nil {
					t.Fatalf("a good ledger: %d entries, %v", n, err)
				}
				err := db.Tx(t.Context(), func(tx *store.Tx) error {
					_, err := tx.ExecContext(t.Context(), spoil)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := open(db).Verify(t.Context()); err == nil {
					t.Error("nobody noticed")
				}
			})
		})
	}
}

func TestNothingIsPostedIntoAClosedMonth(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := post(t, db, bill("invoice:7")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := db.Tx(t.Context(), func(tx *store.Tx) error { return open(db).Close(t.Context(), tx, "2026-01", "user:1") }); err != nil {
				t.Fatal(err)
			}
		}
		if closed, err := open(db).Closed(t.Context(), db.Read(), "2026-01"); !closed || err != nil {
			t.Errorf("closed = %v (%v)", closed, err)
		}
		if err := post(t, db, bill("invoice:8")); !errors.Is(err, fault.Conflict) {
			t.Errorf("a new entry: %v", err)
		}
		if err := post(t, db, bill("invoice:7")); err != nil {
			t.Errorf("the repetition of what was posted before: %v", err)
		}
		late := bill("invoice:8")
		late.Day = "2026-02-01"
		if err := post(t, db, late); err != nil {
			t.Errorf("the next month: %v", err)
		}
		if n, err := open(db).Verify(t.Context()); n != 2 || err != nil {
			t.Errorf("%d entries (%v)", n, err)
		}
	})
}

// Ten writers post ten entries each, five of which all of them post.
func TestManyPostAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var wg sync.WaitGroup
		errs := make(chan error, 100)
		for w := range 10 {
			wg.Go(func() {
				for i := range 10 {
					key := fmt.Sprintf("shared:%d", i)
					if i >= 5 {
						key = fmt.Sprintf("own:%d:%d", w, i)
					}
					errs <- db.Tx(t.Context(), func(tx *store.Tx) error { return open(db).Post(t.Context(), tx, bill(key)) })
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		if n, err := open(db).Verify(t.Context()); n != 55 || err != nil {
			t.Errorf("%d entries, want 5 + 50 (%v)", n, err)
		}
		if got := balance(t, db, ledger.Receivable.Of("CTSE"), "2026-01"); got != "6,491.65 USD" { // 55 × 118.03
			t.Errorf("owed %s", got)
		}
	})
}

func TestPostingsSumToZeroAfterAnySequence(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		accounts := []ledger.Account{
			ledger.Microsoft.Of(""), ledger.Cost.Of("A"), ledger.Cost.Of("B"), ledger.Receivable.Of("A"), ledger.Margin.Of("A"),
			ledger.Currency.Of(""), ledger.Rounding.Of("B"), ledger.Suspense.Of(""),
		}
		rapid.Check(t, func(r *rapid.T) {
			month := usage.Month(fmt.Sprintf("%04d-01", rapid.IntRange(1, 9999).Draw(r, "year")))
			var keys []string
			for i := range rapid.IntRange(1, 6).Draw(r, "entries") {
				e := ledger.Entry{Key: store.NewID(), Day: month.First(), Note: "n"}
				if i > 0 && rapid.Bool().Draw(r, "reverse") {
					err := db.Tx(t.Context(), func(tx *store.Tx) error {
						return open(db).Reverse(t.Context(), tx, rapid.SampledFrom(keys).Draw(r, "which"), e.Key, month.Last(), "back")
					})
					if err != nil && !errors.Is(err, fault.Conflict) {
						r.Fatal(err)
					}
					continue
				}
				for range rapid.IntRange(0, 5).Draw(r, "postings") {
					two := rapid.Permutation(accounts).Draw(r, "accounts")
					e.Postings = append(e.Postings, ledger.Posting{Debit: two[0], Credit: two[1], Amount: money.Must(
						rapid.StringMatching(`-?[0-9]{1,9}(\.[0-9]{1,15})?`).Draw(r, "amount"), rapid.SampledFrom([]money.Currency{"USD", "EUR", "JPY"}).Draw(r, "currency"))})
				}
				if err := post(t, db, e); err != nil {
					r.Fatal(err)
				}
				keys = append(keys, e.Key)
			}
			list, err := open(db).Balances(t.Context(), db.Read(), month)
			if err != nil {
				r.Fatal(err)
			}
			sum := map[money.Currency]money.Amount{}
			for _, b := range list {
				c := b.Amount.Currency()
				if _, ok := sum[c]; !ok {
					sum[c] = money.Zero(c)
				}
				if sum[c], err = sum[c].Add(b.Amount); err != nil {
					r.Fatal(err)
				}
			}
			for c, a := range sum {
				if !a.IsZero() {
					r.Fatalf("the postings of %s sum to %s", c, a)
				}
			}
		})
		if _, err := open(db).Verify(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
