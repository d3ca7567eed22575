package price_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/price"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

var (
	finance = account.Actor{User: "1", Role: account.RoleFinance}
	reader  = account.Actor{User: "2", Role: account.RoleReader}
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func plus(percent string) rating.List {
	return rating.List{ID: "plus", Currency: "EUR", Exchange: rating.ByPartner, Rules: []rating.Rule{{ID: "all", Base: rating.OnList, Percent: dec(percent)}}}
}

// open is the book on 10 March 2026; now moves its clock.
func open(db *store.DB, now *time.Time) *price.Book {
	*now = time.Date(2026, 3, 10, 23, 30, 0, 0, time.UTC)
	return price.New(db, func() time.Time { return *now })
}

func TestAVersionIsNeverChangedOnceItIsInForce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var now time.Time
		b, ctx := open(db, &now), t.Context()
		one, err := b.Save(ctx, finance, plus("5"), "", "First prices", nil, nil)
		if err != nil || one.List.Version != 1 || one.State != price.Draft {
			t.Fatalf("%+v (%v)", one, err)
		}
		if _, err := b.Save(ctx, finance, plus("6"), "", "Blind", nil, nil); !errors.Is(err, fault.Conflict) {
			t.Errorf("a draft that was not read was overwritten: %v", err)
		}
		two, err := b.Save(ctx, finance, plus("6"), one.Hash, "Better", nil, nil)
		if err != nil || two.List.Version != 1 || two.Hash == one.Hash {
			t.Fatalf("%+v (%v)", two, err)
		}
		if _, err := b.Save(ctx, finance, plus("7"), one.Hash, "Late", nil, nil); !errors.Is(err, fault.Conflict) {
			t.Errorf("somebody else's draft was overwritten: %v", err)
		}
		active, err := b.Activate(ctx, finance, "plus", 1, "2026-01-01") // the first may begin earlier
		if err != nil || active.State != price.Active || active.From != "2026-01-01" {
			t.Fatalf("%+v (%v)", active, err)
		}
		if _, err := b.Activate(ctx, finance, "plus", 1, "2026-04-01"); !errors.Is(err, fault.Conflict) {
			t.Errorf("activated twice: %v", err)
		}
		if err := b.Withdraw(ctx, finance, "plus", 1); !errors.Is(err, fault.Conflict) {
			t.Errorf("withdrawn while in force: %v", err)
		}
		next, err := b.Save(ctx, finance, plus("8"), "", "New year", nil, nil)
		if err != nil || next.List.Version != 2 {
			t.Fatalf("%+v (%v)", next, err)
		}
		for _, day := range []usage.Day{"2026-03-09", "2025-12-31", "2026-02-30"} {
			if _, err := b.Activate(ctx, finance, "plus", 2, day); !errors.Is(err, fault.Invalid) {
				t.Errorf("from %s: %v", day, err)
			}
		}
		if _, err := b.Activate(ctx, finance, "plus", 2, "2026-04-01"); err != nil {
			t.Fatal(err)
		}
		if err := b.Withdraw(ctx, finance, "plus", 2); err != nil {
			t.Errorf("not in force yet, and not withdrawn: %v", err)
		}
		list, err := b.Versions(ctx, reader, "plus")
		if err != nil || len(list) != 2 || list[0].State != price.Withdrawn || list[1].State != price.Active || list[1].Hash != two.Hash || !list[1].List.Rules[0].Percent.Equal(dec("6")) {
			t.Errorf("%+v (%v)", list, err)
		}
		deeds, err := audit.List(ctx, db, audit.Filter{})
		var words []string
		for _, d := range deeds {
			words = append(words, d.Action)
		}
		if got := strings.Join(words, " "); err != nil || got != "price.withdraw price.activate price.save price.activate price.save price.save" {
			t.Errorf("audit: %s (%v)", got, err)
		}
		err = db.Tx(ctx, func(tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE price_list SET body = replace(body, '"6"', '"60"') WHERE version = 1`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Versions(ctx, reader, "plus"); err == nil {
			t.Error("a version that was changed behind the book's back was read")
		}
	})
}

func TestABadListIsNotSaved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var now time.Time
		b, ctx := open(db, &now), t.Context()
		gap := plus("5")
		gap.Rules[0].Match = rating.Match{Category: []string{"Storage"}}
		taken := plus("5")
		taken.ID = "list-price"
		for name, c := range map[string]struct {
			list rating.List
			note string
		}{"a gap": {gap, "n"}, "the standard list": {taken, "n"}, "no reason": {plus("5"), " "}} {
			if _, err := b.Save(ctx, finance, c.list, "", c.note, nil, nil); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := b.Save(ctx, reader, plus("5"), "", "n", nil, nil); !errors.Is(err, fault.Forbidden) {
			t.Errorf("saved by a reader: %v", err)
		}
		if _, err := b.Activate(ctx, reader, "plus", 1, "2026-04-01"); !errors.Is(err, fault.Forbidden) {
			t.Errorf("activated by a reader: %v", err)
		}
		if err := b.Assign(ctx, reader, "CTSE", "plus", "2026-04-01"); !errors.Is(err, fault.Forbidden) {
			t.Errorf("assigned by a reader: %v", err)
		}
		if err := b.SetRate(ctx, reader, rating.Exchange{}); !errors.Is(err, fault.Forbidden) {
			t.Errorf("a rate by a reader: %v", err)
		}
		if _, err := b.Versions(ctx, reader, "plus"); !errors.Is(err, fault.NotFound) {
			t.Errorf("a list that nobody saved: %v", err)
		}
	})
}

func shown(terms []rating.Terms) string {
	var words []string
	for _, x := range terms {
		words = append(words, string(x.From)+".."+string(x.To)+" "+x.List.ID+" "+x.List.Rules[0].Percent.String())
	}
	return strings.Join(words, ", ")
}

func TestTheTermsOfAnAccountDayByDay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var now time.Time
		b, ctx := open(db, &now), t.Context()
		terms := func(m usage.Month) ([]rating.Terms, error) { return b.Terms(ctx, db.Read(), "CTSE", "EUR", m) }
		if got, err := terms("2026-03"); err != nil || shown(got) != "2026-03-01..2026-03-31 list-price 0" || got[0].List.Currency != "EUR" {
			t.Errorf("without a list: %s (%v)", shown(got), err)
		}
		if _, err := b.Save(ctx, finance, plus("5"), "", "n", nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := b.Assign(ctx, finance, "CTSE", "plus", "2026-03-20"); !errors.Is(err, fault.Invalid) {
			t.Errorf("a list that is a draft was assigned: %v", err)
		}
		if _, err := b.Activate(ctx, finance, "plus", 1, "2026-03-15"); err != nil {
			t.Fatal(err)
		}
		if err := b.Assign(ctx, finance, "CTSE", "plus", "2026-03-20"); err != nil {
			t.Fatal(err)
		}
		v, err := b.Save(ctx, finance, plus("9"), "", "n", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Activate(ctx, finance, "plus", v.List.Version, "2026-03-25"); err != nil {
			t.Fatal(err)
		}
		rate := rating.Exchange{From: "USD", To: "EUR", Month: "2026-03", Rate: dec("0.95"), Day: "2026-03-31"}
		if err := b.SetRate(ctx, finance, rate); err != nil {
			t.Fatal(err)
		}
		got, err := terms("2026-03")
		if want := "2026-03-01..2026-03-19 list-price 0, 2026-03-20..2026-03-24 plus 5, 2026-03-25..2026-03-31 plus 9"; err != nil || shown(got) != want {
			t.Errorf("%s (%v), want %s", shown(got), err, want)
		}
		if len(got) > 0 && (len(got[0].Exchange) != 1 || !got[0].Exchange[0].Rate.Equal(dec("0.95")) || got[0].Exchange[0].By != rating.ByPartner) {
			t.Errorf("rates %+v", got[0].Exchange)
		}
		if charges, err := rating.Month("2026-03", nil, got); err != nil || len(charges) != 0 {
			t.Errorf("the terms do not fit together: %v", err)
		}
		if got, err := terms("2026-04"); err != nil || shown(got) != "2026-04-01..2026-04-30 plus 9" {
			t.Errorf("April: %s (%v)", shown(got), err)
		}
		if err := b.Assign(ctx, finance, "CTSE", "list-price", "2026-03-09"); !errors.Is(err, fault.Invalid) {
			t.Errorf("a day that is over: %v", err)
		}
		now = now.AddDate(0, 1, 0)
		if err := b.Assign(ctx, finance, "CTSE", "list-price", "2026-04-10"); err != nil {
			t.Error(err)
		}
		if got, err := terms("2026-04"); err != nil || shown(got) != "2026-04-01..2026-04-09 plus 9, 2026-04-10..2026-04-30 list-price 0" {
			t.Errorf("back to list price: %s (%v)", shown(got), err)
		}
		for name, bad := range map[string]rating.Exchange{
			"zero":     {From: "USD", To: "EUR", Month: "2026-03", Day: "2026-03-31"},
			"itself":   {From: "EUR", To: "EUR", Month: "2026-03", Rate: dec("1"), Day: "2026-03-31"},
			"no month": {From: "USD", To: "EUR", Month: "2026-13", Rate: dec("1"), Day: "2026-03-31"},
		} {
			if err := b.SetRate(ctx, finance, bad); !errors.Is(err, fault.Invalid) {
				t.Errorf("a rate of %s: %v", name, err)
			}
		}
	})
}
