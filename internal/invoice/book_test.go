package invoice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"
)

func open(db *store.DB) *invoice.Book {
	return invoice.New(db, func() time.Time { return time.Date(2026, 2, 8, 9, 0, 0, 0, time.UTC) }, func(entity string) string { return entity + "-" })
}

func draft(t testing.TB, key, account, amount string) invoice.Document {
	t.Helper()
	lines, err := invoice.Lines(invoice.Bill{Month: "2026-01", Charges: []rating.Charge{charge("2026-01-02", "Storage", "EU", amount, "USD")}}, labels, "USD")
	if err != nil {
		t.Fatal(err)
	}
	d, err := invoice.Compose(invoice.Document{Key: key, Kind: invoice.Invoice, Entity: "CW", Org: "org", Account: account, Period: "2026-01", Currency: "USD", Seller: usa, Buyer: usa}, lines, "2026-02-01", noTax)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func in(t testing.TB, db *store.DB, f func(tx *store.Tx) (invoice.Document, error)) (d invoice.Document, err error) {
	t.Helper()
	err = db.Tx(t.Context(), func(tx *store.Tx) error {
		d, err = f(tx)
		return err
	})
	return d, err
}

func keep(t testing.TB, db *store.DB, d invoice.Document) (invoice.Document, error) {
	return in(t, db, func(tx *store.Tx) (invoice.Document, error) { return open(db).Draft(t.Context(), tx, d) })
}

func issue(t testing.TB, db *store.DB, id invoice.ID) (invoice.Document, error) {
	return in(t, db, func(tx *store.Tx) (invoice.Document, error) {
		return open(db).Issue(t.Context(), tx, id, "user:1", "2026-03-01")
	})
}

func TestASecondIssueIsTheSameDocument(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		first, err := keep(t, db, draft(t, "CTSE/2026-01", "CTSE", "10.004"))
		if err != nil {
			t.Fatal(err)
		}
		newer, err := keep(t, db, draft(t, "CTSE/2026-01", "CTSE", "11.004"))
		if err != nil || newer.ID != first.ID {
			t.Fatalf("a newer draft is another document: %s, %s (%v)", first.ID, newer.ID, err)
		}
		one, err := issue(t, db, first.ID)
		if err != nil || one.Number != "CW-000001" || one.Total.String() != "11.00 USD" || one.Status != invoice.Issued || one.DueDay != "2026-03-01" {
			t.Fatalf("%+v (%v)", one, err)
		}
		two, err := issue(t, db, first.ID)
		if err != nil || two.Number != one.Number {
			t.Errorf("issued again as %s (%v)", two.Number, err)
		}
		late, err := keep(t, db, draft(t, "CTSE/2026-01", "CTSE", "12"))
		if err != nil || late.Number != one.Number || late.Total.String() != "11.00 USD" {
			t.Errorf("a draft after the issue gave %s of %s (%v)", late.Number, late.Total, err)
		}
		read, err := open(db).Document(t.Context(), first.ID)
		was, _ := json.Marshal(one)
		is, _ := json.Marshal(read)
		if err != nil || string(was) != string(is) {
			t.Errorf("issued\n%s\nand is\n%s (%v)", was, is, err)
		}
		if n, err := open(db).Verify(t.Context(), "CW"); n != 1 || err != nil {
			t.Errorf("%d numbers (%v)", n, err)
		}
	})
}

// Eight workers issue forty documents; every third transaction fails after it took
// its number, and the document is issued by the next try.
func TestNumbersHaveNoGapWhateverFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ids := make(chan invoice.ID, 100)
		for i := range 40 {
			d, err := keep(t, db, draft(t, fmt.Sprintf("A%d/2026-01", i), fmt.Sprintf("A%d", i), "1.5"))
			if err != nil {
				t.Fatal(err)
			}
			ids <- d.ID
			if i%4 == 0 {
				ids <- d.ID // two workers have the same job
			}
		}
		close(ids)
		died := errors.New("died")
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for id := range ids {
					if w%3 == 0 {
						err := db.Tx(t.Context(), func(tx *store.Tx) error {
							if _, err := open(db).Issue(t.Context(), tx, id, "system", "2026-03-01"); err != nil {
								return err
							}
							return died
						})
						if !errors.Is(err, died) {
							t.Error(err)
						}
					}
					if _, err := issue(t, db, id); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n, err := open(db).Verify(t.Context(), "CW"); n != 40 || err != nil {
			t.Errorf("%d numbers (%v)", n, err)
		}
		list, err := open(db).OfMonth(t.Context(), "2026-01", invoice.Issued, "", 1000)
		seen := map[string]bool{}
		for _, d := range list {
			seen[d.Number] = true
		}
		if err != nil || len(list) != 40 || len(seen) != 40 {
			t.Errorf("%d documents with %d numbers (%v)", len(list), len(seen), err)
		}
	})
}

func TestACreditNoteHasTheNextNumberAndVoidsTheInvoice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d, err := keep(t, db, draft(t, "CTSE/2026-01", "CTSE", "10.004"))
		if err != nil {
			t.Fatal(err)
		}
		takeBack := func() (invoice.Document, error) {
			return in(t, db, func(tx *store.Tx) (invoice.Document, error) {
				return open(db).TakeBack(t.Context(), tx, d.ID, "user:1", "Wrong account", "2026-03-01")
			})
		}
		if _, err := takeBack(); !errors.Is(err, fault.Conflict) {
			t.Errorf("a draft was taken back: %v", err)
		}
		if d, err = issue(t, db, d.ID); err != nil {
			t.Fatal(err)
		}
		note, err := takeBack()
		if err != nil || note.Number != "CW-000002" || note.Total.String() != "−10.00 USD" || note.OfNumber != "CW-000001" {
			t.Fatalf("%+v (%v)", note, err)
		}
		if again, err := takeBack(); err != nil || again.Number != note.Number {
			t.Errorf("taken back twice: %s (%v)", again.Number, err)
		}
		if old, err := open(db).Document(t.Context(), d.ID); err != nil || old.Status != invoice.Void || old.Number != "CW-000001" || !old.Total.Equal(d.Total) {
			t.Errorf("the invoice is now %+v (%v)", old, err)
		}
		lines, err := open(db).Billed(t.Context(), db.Read(), "CTSE", "", "USD", "2026-01")
		if err != nil || len(lines) != 0 {
			t.Errorf("still billed: %+v (%v)", lines, err)
		}
		if n, err := open(db).Verify(t.Context(), "CW"); n != 2 || err != nil {
			t.Errorf("%d numbers (%v)", n, err)
		}
	})
}

func TestWhatWasBilledOfAMonthIsFoundInAnyLaterDocument(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		later := draft(t, "CTSE/2026-03", "CTSE", "7")
		later.Period = "2026-03"
		other := draft(t, "CTSE/2026-01/RD", "CTSE", "9")
		other.CostCenter = "RD"
		for _, d := range []invoice.Document{draft(t, "CTSE/2026-01", "CTSE", "5"), later, other, draft(t, "ELSE/2026-01", "ELSE", "3")} {
			kept, err := keep(t, db, d)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := issue(t, db, kept.ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := keep(t, db, draft(t, "CTSE/draft", "CTSE", "100")); err != nil {
			t.Fatal(err)
		}
		lines, err := open(db).Billed(t.Context(), db.Read(), "CTSE", "", "USD", "2026-01")
		if err != nil || len(lines) != 2 || lines[0].Amount.Text() != "5" || lines[1].Amount.Text() != "7" {
			t.Errorf("%+v (%v)", lines, err)
		}
		if lines, err := open(db).Billed(t.Context(), db.Read(), "CTSE", "", "USD", usage.Month("2026-02")); err != nil || len(lines) != 0 {
			t.Errorf("of another month: %+v (%v)", lines, err)
		}
	})
}

func TestPaidAndDropped(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		d, err := keep(t, db, draft(t, "CTSE/2026-01", "CTSE", "5"))
		if err != nil {
			t.Fatal(err)
		}
		pay := func(id invoice.ID) error {
			_, err := in(t, db, func(tx *store.Tx) (invoice.Document, error) { return open(db).Pay(t.Context(), tx, id, "user:1") })
			return err
		}
		drop := func(id invoice.ID) error {
			_, err := in(t, db, func(tx *store.Tx) (invoice.Document, error) { return open(db).Drop(t.Context(), tx, id, "user:1") })
			return err
		}
		if err := pay(d.ID); !errors.Is(err, fault.Conflict) {
			t.Errorf("a draft was paid: %v", err)
		}
		if _, err := issue(t, db, d.ID); err != nil {
			t.Fatal(err)
		}
		if err := drop(d.ID); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "credit note") {
			t.Errorf("an issued one was dropped: %v", err)
		}
		for range 2 {
			if err := pay(d.ID); err != nil {
				t.Error(err)
			}
		}
		other, err := keep(t, db, draft(t, "ELSE/2026-01", "ELSE", "5"))
		if err != nil {
			t.Fatal(err)
		}
		if err := drop(other.ID); err != nil {
			t.Error(err)
		}
		if _, err := issue(t, db, other.ID); !errors.Is(err, fault.Conflict) {
			t.Errorf("a dropped draft was issued: %v", err)
		}
		if _, err := issue(t, db, "gone"); !errors.Is(err, fault.NotFound) {
			t.Errorf("no document: %v", err)
		}
		if list, err := open(db).OfAccount(t.Context(), "CTSE", invoice.Document{}, 10); err != nil || len(list) != 1 || list[0].Status != invoice.Paid {
			t.Errorf("%+v (%v)", list, err)
		}
	})
}

func TestAnIssuedDocumentThatWasChangedShows(t *testing.T) {
	for name, spoil := range map[string]string{
		"another body":     "UPDATE invoice_document SET body = replace(body, 'Storage', 'Backup') WHERE seq = 1",
		"another total":    "UPDATE invoice_document SET total = '1' WHERE seq = 1",
		"a missing number": "DELETE FROM invoice_document WHERE seq = 1",
		"the last number":  "DELETE FROM invoice_document WHERE seq = 2",
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				for _, a := range []string{"A1", "A2"} {
					d, err := keep(t, db, draft(t, a, a, "5"))
					if err != nil {
						t.Fatal(err)
					}
					if _, err := issue(t, db, d.ID); err != nil {
						t.Fatal(err)
					}
				}
				err := db.Tx(t.Context(), func(tx *store.Tx) error {
					_, err := tx.ExecContext(t.Context(), spoil)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := open(db).Verify(t.Context(), "CW"); err == nil {
					t.Error("nobody noticed")
				}
			})
		})
	}
}
