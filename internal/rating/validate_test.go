package rating_test

import (
	"errors"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/rating"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

func TestAListThatIsNotClearIsRefused(t *testing.T) {
	all := rating.Rule{ID: "all", Base: rating.OnList}
	in := func(id string, m rating.Match) rating.Rule {
		return rating.Rule{ID: id, Match: m, Base: rating.OnList}
	}
	storage, west := rating.Match{Category: []string{"Storage"}}, rating.Match{Region: []string{"EU West"}}
	both := rating.Match{Category: []string{"Storage"}, Region: []string{"EU West"}}
	for _, c := range []struct {
		name  string
		rules []rating.Rule
		want  string // codes and names, "" = it is good
	}{
		{"one rule for all", []rating.Rule{all}, ""},
		{"a narrower rule beside it", []rating.Rule{all, in("s", storage)}, ""},
		{"two rules that share some usage", []rating.Rule{all, in("s", storage), in("w", west)}, "overlap s w"},
		{"a third rule for what they share", []rating.Rule{all, in("s", storage), in("w", west), in("sw", both)}, ""},
		{"a third rule that is as wide as they", []rating.Rule{all, in("s", storage), in("w", west), in("s2", rating.Match{Category: []string{"Storage", "Bandwidth"}})}, "overlap s w"},
		{"two rules for the same", []rating.Rule{all, in("s", storage), in("s2", rating.Match{Category: []string{"STORAGE"}})}, "overlap s s2"},
		{"values that cross", []rating.Rule{all, in("a", rating.Match{Meter: []string{"1", "2"}}), in("b", rating.Match{Meter: []string{"2", "3"}})}, "overlap a b"},
		{"values apart", []rating.Rule{all, in("a", rating.Match{Meter: []string{"1"}}), in("b", rating.Match{Meter: []string{"2"}})}, ""},
		{"one reservation is narrower than any", []rating.Rule{all, in("any", rating.Match{Reservation: []string{"any"}}), in("one", rating.Match{Reservation: []string{"R-7"}})}, ""},
		{"any reservation and none", []rating.Rule{all, in("any", rating.Match{Reservation: []string{"any"}}), in("none", rating.Match{Reservation: []string{"none"}})}, ""},
		{"usage that no rule covers", []rating.Rule{in("s", storage)}, "gap"},
		{"two values of a tag", []rating.Rule{all, in("a", rating.Match{Tags: map[string][]string{"env": {"test"}}}), in("b", rating.Match{Tags: map[string][]string{"ENV": {"test", "dev"}}})}, ""},
		{"an id used twice", []rating.Rule{all, in("all", storage)}, "form all"},
		{"no base", []rating.Rule{{ID: "r"}}, "form r"},
		{"more than all off", []rating.Rule{{ID: "r", Base: rating.OnList, Percent: dec("-101")}}, "form r"},
		{"tiers that end", []rating.Rule{{ID: "r", Tiers: &rating.Tiers{Of: rating.OfQuantity, How: rating.Volume, Steps: []rating.Step{{UpTo: upTo("5"), Price: dec("1")}}}}}, "form r"},
		{"tiers that fall", []rating.Rule{{ID: "r", Tiers: &rating.Tiers{Of: rating.OfQuantity, How: rating.Volume, Steps: []rating.Step{{UpTo: upTo("5")}, {UpTo: upTo("5")}, {}}}}}, "form r"},
		{"a credit that does not exist", []rating.Rule{all, in("r", rating.Match{Credit: []string{"store"}})}, "form store"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := refusals(t, terms(c.rules...).List, nil)
			if c.want == "" {
				if len(got) > 0 {
					t.Errorf("refused: %v", got)
				}
				return
			}
			words := strings.Fields(c.want)
			if len(got) == 0 || got[0].Code != words[0] {
				t.Fatalf("%v, want %s", got, words[0])
			}
			for _, w := range words[1:] {
				if !strings.Contains(got[0].Reason, w) {
					t.Errorf("%q does not name %s", got[0].Reason, w)
				}
			}
			if got[0].Field == "" || got[0].Remedy == "" {
				t.Errorf("%+v has no field or no remedy", got[0])
			}
		})
	}
}

func TestSellingBelowCostIsRefusedWithTheRule(t *testing.T) {
	sample := replay( // of two accounts, which are one sale together
		rating.AccountMonth{Account: "A", Month: "2026-01", Groups: []usage.Group{group("2026-01-05", "m", "10", "4", earned)}},
		rating.AccountMonth{Account: "B", Month: "2026-01", Groups: []usage.Group{group("2026-01-06", "m", "10", "4")}})
	at := func(percent string) rating.List {
		return terms(rating.Rule{ID: "cheap", Base: rating.OnList, Percent: dec(percent)}).List
	}
	// list 40, cost 17 + 20 = 37: at 7.5 % off it is even.
	if got := refusals(t, at("-7.5"), sample); len(got) > 0 {
		t.Errorf("sold at cost: %v", got)
	}
	got := refusals(t, at("-8"), sample)
	if len(got) != 1 || got[0].Code != "below-cost" || got[0].Field != "rules.cheap" || !strings.Contains(got[0].Reason, "36.80 EUR for what costs 37.00 EUR") {
		t.Errorf("%+v", got)
	}
	signed := at("-8")
	signed.Rules[0].BelowCost = "Contract 2026-7: lost leader until June."
	if got := refusals(t, signed, sample); len(got) > 0 {
		t.Errorf("below cost with a reason: %v", got)
	}
	abroad := at("0")
	abroad.Currency = "GBP"
	if got := refusals(t, abroad, sample); len(got) != 1 || got[0].Code != "sample" {
		t.Errorf("a sample in another currency: %+v", got)
	}
}

// replay gives these, as a lake does.
func replay(all ...rating.AccountMonth) rating.Replay {
	return func(each func(rating.AccountMonth) error) error {
		for _, m := range all {
			if err := each(m); err != nil {
				return err
			}
		}
		return nil
	}
}

func refusals(t *testing.T, l rating.List, sample rating.Replay) []fault.Refusal {
	t.Helper()
	bad, err := rating.Validate(l, sample, nil)
	if err != nil {
		t.Fatal(err)
	}
	return bad
}

// A sample that cannot be read is no verdict on the list.
func TestASampleThatCannotBeRead(t *testing.T) {
	away := errors.New("the lake is away")
	bad, err := rating.Validate(rating.Default("EUR"), func(func(rating.AccountMonth) error) error { return away }, nil)
	if !errors.Is(err, away) || len(bad) > 0 {
		t.Errorf("%v, %v", bad, err)
	}
}

func TestTheLabSaysWhoPaysMoreAndWhatLoses(t *testing.T) {
	months := replay(
		rating.AccountMonth{Account: "BIG", Month: "2026-01", Groups: []usage.Group{group("2026-01-05", "m", "100", "4", earned)}},
		rating.AccountMonth{Account: "BIG", Month: "2026-02", Groups: []usage.Group{group("2026-02-05", "m", "50", "4", earned)}},
		rating.AccountMonth{Account: "DISK", Month: "2026-01", Groups: []usage.Group{group("2026-01-05", "d", "10", "4", func(g *usage.Group) { g.Category = "Storage" })}},
	)
	draft := terms(rating.Rule{ID: "all", Base: rating.OnList, Percent: decimal.NewFromInt(10)}, rating.Rule{ID: "storage", Match: rating.Match{Category: []string{"Storage"}}, Base: rating.OnList, Percent: dec("-20")})
	lab, err := rating.Compare(months, func(rating.AccountMonth) ([]rating.Terms, error) {
		return []rating.Terms{{List: rating.Default("EUR"), Currency: "EUR"}}, nil
	}, draft)
	if err != nil {
		t.Fatal(err)
	}
	// BIG: 300 at list, 330 with the draft; cost 255. DISK: 20, then 16; cost 20.
	if len(lab.Rows) != 2 || lab.Rows[0].Account != "BIG" || lab.Rows[0].More.Text() != "30" || lab.Rows[0].OldMargin.Text() != "45" || lab.Rows[0].DraftMargin.Text() != "75" ||
		lab.Rows[1].More.Text() != "-4" || lab.Rows[1].DraftMargin.Text() != "-4" || lab.Total.More.Text() != "26" {
		t.Errorf("%+v", lab)
	}
	if len(lab.Below) != 1 || lab.Below[0].Rule != "storage" || lab.Below[0].Cost.Text() != "20" || lab.Below[0].Sell.Text() != "16" {
		t.Errorf("below cost: %+v", lab.Below)
	}
}
