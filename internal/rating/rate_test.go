package rating_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func upTo(s string) *decimal.Decimal {
	d := dec(s)
	return &d
}

// group is usage as Microsoft sends it: priced in USD, billed in EUR at 0.5, so that
// every sum can be checked in the head.
func group(day usage.Day, meter, quantity, price string, change ...func(*usage.Group)) usage.Group {
	g := usage.Group{Key: usage.Key{
		Tenant: "t", Entitlement: "e", Day: day, Meter: meter, Category: "Virtual Machines", Service: "Microsoft.Compute", Region: "EU West",
		Publisher: "Microsoft", ChargeType: "new", Unit: "1 Hour", Currency: "EUR", PricingCurrency: "USD", Rate: dec("0.5"),
	}, Rows: 1, Quantity: dec(quantity)}
	priced := dec(quantity).Mul(dec(price))
	g.PricedList, _ = money.New(priced, "USD")
	g.PricedCost, g.PricedGross = g.PricedList, g.PricedList
	g.List, _ = money.New(priced.Mul(g.Rate), "EUR")
	g.Cost, g.Gross = g.List, g.List
	for _, c := range change {
		c(&g)
	}
	return g
}

// earned gives the partner 15 percent of credit.
func earned(g *usage.Group) {
	g.Credit = usage.CreditEarned
	g.Cost, g.PricedCost = g.List.Times(dec("0.85")), g.PricedList.Times(dec("0.85"))
}

func covered(g *usage.Group) {
	g.Reservation = "r-1"
	g.Cost, g.Gross, g.PricedCost, g.PricedGross = money.Zero("EUR"), money.Zero("EUR"), money.Zero("USD"), money.Zero("USD")
}

func terms(rules ...rating.Rule) rating.Terms {
	return rating.Terms{Currency: "EUR", List: rating.List{ID: "l", Version: 3, Currency: "EUR", Exchange: rating.ByMicrosoft, Rules: rules}}
}

func TestARuleNamesItsBase(t *testing.T) {
	standard := rating.Terms{List: rating.Default("EUR"), Currency: "EUR"}
	for _, c := range []struct {
		name                            string
		usage                           usage.Group
		terms                           rating.Terms
		sell, margin, keptCredit, ruled string
	}{
		{"without a discount the price is Microsoft's list price, and the earned credit is the partner's", group("2026-01-05", "m", "10", "4", earned), standard, "20", "0", "3", "list"},
		{"what a reservation covers was paid with the reservation", group("2026-01-05", "m", "10", "4", covered), standard, "0", "0", "0", "covered"},
		{"a mark-up on list", group("2026-01-05", "m", "10", "4", earned), terms(rating.Rule{ID: "r", Base: rating.OnList, Percent: dec("10")}), "22", "2", "3", "r"},
		{"a discount on list", group("2026-01-05", "m", "10", "4", earned), terms(rating.Rule{ID: "r", Base: rating.OnList, Percent: dec("-10")}), "18", "-2", "3", "r"},
		{"cost passes the earned credit on by itself", group("2026-01-05", "m", "10", "4", earned), terms(rating.Rule{ID: "r", Base: rating.OnCost, Percent: dec("10")}), "18.7", "1.7", "0", "r"},
		{"cost before earned credit keeps it", group("2026-01-05", "m", "10", "4", earned), terms(rating.Rule{ID: "r", Base: rating.OnGross}), "20", "0", "3", "r"},
		{"a refund is negative usage", group("2026-01-05", "m", "-10", "4", earned), terms(rating.Rule{ID: "r", Base: rating.OnList, Percent: dec("10")}), "-22", "-2", "-3", "r"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := rating.Rate(c.usage, c.terms)
			if err != nil {
				t.Fatal(err)
			}
			if got.Sell.Text() != c.sell || got.Margin.Text() != c.margin || got.Earned.Text() != c.keptCredit || got.Rule != c.ruled {
				t.Errorf("sell %s, margin %s, credit kept %s by %s; want %s, %s, %s by %s", got.Sell, got.Margin, got.Earned, got.Rule, c.sell, c.margin, c.keptCredit, c.ruled)
			}
			if got.Cost != c.usage.Cost {
				t.Errorf("cost %s was sent as %s", got.Cost, c.usage.Cost)
			}
			hash, err := c.terms.List.Hash()
			if err != nil || got.Terms != (rating.Ref{List: c.terms.List.ID, Version: c.terms.List.Version, Hash: hash}) {
				t.Errorf("terms %+v, want those of list %s (%v)", got.Terms, c.terms.List.ID, err)
			}
		})
	}
}

func TestTheEarnedCreditIsKeptPassedOnOrShared(t *testing.T) {
	for share, want := range map[string][2]string{"0": {"20", "3"}, "100": {"17", "0"}, "40": {"18.8", "1.8"}} {
		tt := terms(rating.Rule{ID: "r", Base: rating.OnList})
		tt.List.EarnedShare = dec(share)
		c, err := rating.Rate(group("2026-01-05", "m", "10", "4", earned), tt)
		if err != nil || c.Sell.Text() != want[0] || c.Earned.Text() != want[1] || !c.Margin.IsZero() {
			t.Errorf("share of %s %%: sell %s, kept %s, margin %s (%v); want %v", share, c.Sell, c.Earned, c.Margin, err, want)
		}
	}
}

func TestThePartnersExchangeRate(t *testing.T) {
	own := terms(rating.Rule{ID: "r", Base: rating.OnList, Percent: dec("10")})
	own.List.Exchange, own.List.EarnedShare = rating.ByPartner, dec("40")
	own.Exchange = []rating.Exchange{{From: "USD", To: "EUR", Month: "2026-01", Rate: dec("0.6"), Day: "2026-01-31"}}
	c, err := rating.Rate(group("2026-01-05", "m", "10", "4", earned), own)
	if err != nil {
		t.Fatal(err)
	}
	// list 40 USD × 0.6 = 24, + 10 % = 26.4; credit 6 USD × 0.6 × 40 % = 1.44 passed on; sell 24.96.
	// gain: list 24 − 20 = 4, less the credit passed on 1.44 − 3 × 40 % = 0.24, is 3.76. kept 3 × 60 % = 1.8. margin 10 % of 24.
	if c.Sell.Text() != "24.96" || c.Gain.Text() != "3.76" || c.Earned.Text() != "1.8" || c.Margin.Text() != "2.4" || c.SoldCost.Text() != "17" {
		t.Errorf("sell %s = cost %s + margin %s + credit %s + gain %s", c.Sell, c.SoldCost, c.Margin, c.Earned, c.Gain)
	}
	if c.Rate.By != rating.ByPartner || !c.Rate.Rate.Equal(dec("0.6")) || c.Rate.Day != "2026-01-31" {
		t.Errorf("the rate %+v is not stored with the charge", c.Rate)
	}

	pounds := own
	pounds.Currency, pounds.List.Currency = "GBP", "GBP"
	if _, err := rating.Rate(group("2026-01-05", "m", "10", "4"), pounds); !errors.Is(err, fault.Invalid) {
		t.Errorf("a rate that nobody gave: %v", err)
	}
	pounds.Exchange = []rating.Exchange{{From: "USD", To: "GBP", Month: "2026-01", Rate: dec("0.4"), Day: "2026-01-31"}}
	c, err = rating.Rate(group("2026-01-05", "m", "10", "4", earned), pounds)
	if err != nil || c.Sell.String() != "16.64 GBP" || c.SoldCost.String() != "13.60 GBP" || c.Cost.String() != "17.00 EUR" {
		t.Errorf("in pounds: sell %s, cost %s = %s (%v)", c.Sell, c.SoldCost, c.Cost, err)
	}
	pounds.List.Exchange = rating.ByMicrosoft
	if _, err := rating.Rate(group("2026-01-05", "m", "10", "4"), pounds); !errors.Is(err, fault.Invalid) {
		t.Errorf("Microsoft's rate leads to EUR only: %v", err)
	}
}

func TestNothingIsRoundedBeforeTheLine(t *testing.T) {
	own := terms(rating.Rule{ID: "r", Base: rating.OnList, Percent: dec("7.77")})
	own.List.Exchange = rating.ByPartner
	own.Exchange = []rating.Exchange{{From: "USD", To: "EUR", Month: "2026-01", Rate: dec("0.923456789012345"), Day: "2026-01-31"}}
	c, err := rating.Rate(group("2026-01-05", "m", "12345.123456789012345", "0.000000123456789"), own)
	if err != nil || c.Sell.Text() != "0.0015167879714073288627265401248163687714337523325" {
		t.Errorf("sell %s (%v)", c.Sell.Text(), err)
	}
}

func TestTheMostSpecificRuleWins(t *testing.T) {
	at := terms(
		rating.Rule{ID: "all", Base: rating.OnList},
		rating.Rule{ID: "machines", Match: rating.Match{Category: []string{"virtual machines"}}, Base: rating.OnList},
		rating.Rule{ID: "west", Match: rating.Match{Region: []string{"EU West", "US West"}}, Base: rating.OnList},
		rating.Rule{ID: "machines west", Match: rating.Match{Category: []string{"Virtual Machines"}, Region: []string{"EU WEST", "US West"}}, Base: rating.OnList},
		rating.Rule{ID: "test", Match: rating.Match{Tags: map[string][]string{"Env": {"test"}}, Category: []string{"Virtual Machines"}, Region: []string{"EU West"}}, Base: rating.OnList},
	)
	for _, c := range []struct {
		name, want string
		change     func(*usage.Group)
	}{
		{"a rule for all takes the rest", "all", func(g *usage.Group) { g.Category, g.Region = "Storage", "US East" }},
		{"one condition", "machines", func(g *usage.Group) { g.Region = "US East" }},
		{"one of two regions", "west", func(g *usage.Group) { g.Category = "Storage" }},
		{"both conditions", "machines west", func(g *usage.Group) { g.Region = "US West" }},
		{"a tag, its name in any case", "test", func(g *usage.Group) { g.Tags = map[string]string{"env": "test"} }},
		{"another value of the tag", "machines west", func(g *usage.Group) { g.Tags = map[string]string{"env": "Test"} }},
	} {
		got, err := rating.Rate(group("2026-01-05", "m", "1", "1", c.change), at)
		if err != nil || got.Rule != c.want {
			t.Errorf("%s: rule %q, want %q (%v)", c.name, got.Rule, c.want, err)
		}
	}
	if names := at.List.TagNames(); len(names) != 1 || names[0] != "env" {
		t.Errorf("the lake is asked for the tags %q", names)
	}
	at.List.Rules = at.List.Rules[1:3] // nobody validated this one
	if _, err := rating.Rate(group("2026-01-05", "m", "1", "1"), at); !errors.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "machines") || !strings.Contains(err.Error(), "west") {
		t.Errorf("two rules that claim the same: %v", err)
	}
	if _, err := rating.Rate(group("2026-01-05", "m", "1", "1", func(g *usage.Group) { g.Category, g.Region = "Storage", "US East" }), at); !errors.Is(err, fault.Invalid) {
		t.Errorf("usage without a rule: %v", err)
	}
}

var perHour = rating.Tiers{Of: rating.OfQuantity, How: rating.Graduated, Steps: []rating.Step{{UpTo: upTo("100"), Price: dec("2")}, {UpTo: upTo("200"), Price: dec("1.5")}, {Price: dec("1")}}}

func total(t *testing.T, charges []rating.Charge) string {
	t.Helper()
	sum := decimal.Decimal{}
	for _, c := range charges {
		sum = sum.Add(c.Sell.Decimal())
	}
	return sum.String()
}

func TestTiersCountInTheOrderOfServiceDays(t *testing.T) {
	volume := perHour
	volume.How = rating.Volume
	byMoney := rating.Tiers{Of: rating.OfMoney, How: rating.Graduated, Steps: []rating.Step{{UpTo: upTo("100")}, {Percent: dec("-10")}}}
	// 250 hours in three days, handed over in the wrong order; 4 USD an hour = 2 EUR list.
	groups := []usage.Group{group("2026-01-30", "m", "90", "4"), group("2026-01-02", "m", "120", "4"), group("2026-01-15", "m", "40", "4")}
	for _, c := range []struct {
		name string
		rule rating.Rule
		days string // what each day gives, by day
		sum  string
	}{
		{"graduated: 100 × 2 + 20 × 1.5, 40 × 1.5, 40 × 1.5 + 50 × 1", rating.Rule{ID: "r", Tiers: &perHour}, "230 60 110", "400"},
		{"volume: all 250 hours at 1", rating.Rule{ID: "r", Tiers: &volume}, "120 40 90", "250"},
		{"of money: 240, 80 and 180 at list; the first 100 without discount", rating.Rule{ID: "r", Base: rating.OnList, Tiers: &byMoney}, "226 72 162", "460"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := rating.Month("2026-01", groups, []rating.Terms{terms(c.rule)})
			if err != nil {
				t.Fatal(err)
			}
			var days []string
			for _, g := range got {
				days = append(days, g.Sell.Text())
			}
			if strings.Join(days, " ") != c.days || total(t, got) != c.sum {
				t.Errorf("%v, together %s; want %s, %s", days, total(t, got), c.days, c.sum)
			}
			if _, err := rating.Rate(groups[0], terms(c.rule)); !errors.Is(err, fault.Invalid) {
				t.Errorf("one group alone was priced with tiers: %v", err)
			}
		})
	}
	t.Run("a bound belongs to the tier below it", func(t *testing.T) {
		got, err := rating.Month("2026-01", []usage.Group{group("2026-01-02", "m", "100", "4")}, []rating.Terms{terms(rating.Rule{ID: "r", Tiers: &volume})})
		if err != nil || total(t, got) != "200" {
			t.Errorf("%s (%v), want 100 × 2", total(t, got), err)
		}
	})
	t.Run("a refund takes off what the last hours had cost", func(t *testing.T) {
		got, err := rating.Month("2026-01", append(groups, group("2026-01-31", "m", "-60", "4")), []rating.Terms{terms(rating.Rule{ID: "r", Tiers: &perHour})})
		if err != nil || total(t, got) != "335" { // 190 hours are left
			t.Errorf("%s (%v), want 100 × 2 + 90 × 1.5 = 335", total(t, got), err)
		}
	})
	t.Run("meters and units are counted apart", func(t *testing.T) {
		got, err := rating.Month("2026-01", append(groups[:2:2], group("2026-01-15", "other", "40", "4")), []rating.Terms{terms(rating.Rule{ID: "r", Tiers: &perHour})})
		if err != nil || total(t, got) != "440" { // 210 hours: 100 × 2 + 100 × 1.5 + 10 × 1; and 40 × 2
			t.Errorf("%s (%v), want 360 + 80", total(t, got), err)
		}
	})
}

func TestThePriceOfAMonthDoesNotDependOnTheOrderOfItsGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.SampledFrom([]usage.Day{"2026-01-01", "2026-01-02", "2026-01-31"})
		groups := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) usage.Group {
			return group(days.Draw(t, "day"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "meter"),
				rapid.StringMatching(`-?[0-9]{1,3}\.[0-9]{1,10}`).Draw(t, "quantity"), rapid.StringMatching(`[0-9]\.[0-9]{1,15}`).Draw(t, "price"), earned)
		}), 0, 12).Draw(t, "groups")
		how := rapid.SampledFrom([]rating.Climb{rating.Graduated, rating.Volume}).Draw(t, "how")
		tiers := perHour
		tiers.How = how
		list := terms(rating.Rule{ID: "rest", Base: rating.OnCost, Percent: dec("3.75")}, rating.Rule{ID: "b", Match: rating.Match{Meter: []string{"b"}}, Tiers: &tiers})
		list.List.Support = &rating.Support{ID: "support", Label: "Support", Steps: []rating.Step{{UpTo: upTo("100"), Percent: dec("10")}, {Percent: dec("7")}}}
		first, err := rating.Month("2026-01", groups, []rating.Terms{list})
		if err != nil {
			t.Fatal(err)
		}
		again := append([]usage.Group(nil), groups...)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		second, err := rating.Month("2026-01", again, []rating.Terms{list})
		if err != nil {
			t.Fatal(err)
		}
		one, _ := json.Marshal(first)
		two, _ := json.Marshal(second)
		if string(one) != string(two) {
			t.Fatalf("another order, another bill:\n%s\n%s", one, two)
		}
		for _, c := range first {
			sum := c.SoldCost.Decimal().Add(c.Margin.Decimal()).Add(c.Earned.Decimal()).Add(c.Gain.Decimal())
			if !sum.Equal(c.Sell.Decimal()) {
				t.Fatalf("sell %s ≠ cost + margin + credit + gain = %s", c.Sell, sum)
			}
			var back rating.Charge
			b, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &back); err != nil || !back.Sell.Equal(c.Sell) || !back.Margin.Equal(c.Margin) {
				t.Fatalf("a stored charge is read as %s (%v), was %s", back.Sell, err, c.Sell)
			}
		}
	})
}

func TestAMonthIsPricedWithTheTermsOfEachDay(t *testing.T) {
	old, changed := terms(rating.Rule{ID: "r", Base: rating.OnList}), terms(rating.Rule{ID: "r", Base: rating.OnList, Percent: dec("50")})
	old.To, changed.From, changed.List.Version = "2026-01-15", "2026-01-16", 4
	groups := []usage.Group{group("2026-01-15", "m", "1", "4"), group("2026-01-16", "m", "1", "4")}
	got, err := rating.Month("2026-01", groups, []rating.Terms{changed, old})
	if err != nil || got[0].Sell.Text() != "2" || got[1].Sell.Text() != "3" || got[0].Terms.Version != 3 || got[1].Terms.Version != 4 {
		t.Errorf("%+v (%v)", got, err)
	}
	changed.From = "2026-01-15"
	if _, err := rating.Month("2026-01", groups, []rating.Terms{changed, old}); !errors.Is(err, fault.Conflict) {
		t.Errorf("two terms on one day: %v", err)
	}
	changed.From = "2026-01-17"
	if _, err := rating.Month("2026-01", groups, []rating.Terms{changed, old}); !errors.Is(err, fault.Invalid) {
		t.Errorf("a day without terms: %v", err)
	}
	if _, err := rating.Month("2026-02", groups, []rating.Terms{old}); !errors.Is(err, fault.Invalid) {
		t.Errorf("usage of another month: %v", err)
	}
}

func TestFeesMinimumsAndSupport(t *testing.T) {
	list := terms(rating.Rule{ID: "r", Base: rating.OnList})
	storage := rating.Match{Category: []string{"Storage"}}
	list.List.Fees = []rating.Fee{
		{ID: "platform", Label: "Platform", Amount: dec("25"), Always: true},
		{ID: "vault", Label: "Vault", Amount: dec("9"), Match: storage},
	}
	list.List.Minimums = []rating.Minimum{{ID: "least", Label: "Minimum", Amount: dec("100")}, {ID: "storage", Label: "Storage minimum", Amount: dec("50"), Match: storage}}
	list.List.Support = &rating.Support{ID: "support", Label: "Support", Minimum: dec("5"), Steps: []rating.Step{{UpTo: upTo("100"), Percent: dec("10")}, {Percent: dec("4")}}}
	got, err := rating.Month("2026-01", []usage.Group{group("2026-01-05", "m", "40", "4")}, []rating.Terms{list})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range got {
		lines = append(lines, string(c.Kind)+" "+c.Rule+" "+c.Sell.Text())
	}
	// usage 80; the fee 25; 20 more to the minimum of usage; support of 125: 10 % of 100 and 4 % of 25.
	want := []string{"usage r 80", "fee platform 25", "minimum least 20", "support support 11"}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
	list.List.Fees, list.List.Minimums = list.List.Fees[1:], nil
	if got, err = rating.Month("2026-01", nil, []rating.Terms{list}); err != nil || len(got) != 0 {
		t.Errorf("a month without usage: %+v (%v)", got, err)
	}
}

func TestIaaSAndSaaSGoToTheirOwnLines(t *testing.T) {
	list := rating.Terms{List: rating.Default("EUR"), Currency: "EUR"}
	list.List.Lines = rating.SplitIaaSSaaS("Integrated Microsoft Azure Services IaaS", "late", "Integrated Microsoft Azure Services SaaS", "late")
	if bad := refusals(t, list.List, nil); len(bad) > 0 {
		t.Fatal(bad)
	}
	for want, g := range map[string]usage.Group{
		"iaas": group("2026-01-05", "m", "1", "1"),
		"saas": group("2026-01-05", "m", "1", "1", func(g *usage.Group) { g.Category = "Azure Cognitive Search" }),
	} {
		if c, err := rating.Rate(g, list); err != nil || c.Line != want {
			t.Errorf("%s is on line %q, want %q (%v)", g.Category, c.Line, want, err)
		}
	}
	third := group("2026-01-05", "m", "1", "1", func(g *usage.Group) { g.ThirdParty, g.Publisher = true, "Contoso" })
	if c, err := rating.Rate(third, list); err != nil || c.Line != "saas" {
		t.Errorf("a machine of the marketplace is on line %q (%v)", c.Line, err)
	}
}

// Ten thousand groups are a large account's month; ns/op divided by that is one group.
func BenchmarkMonth(b *testing.B) {
	groups := make([]usage.Group, 10000)
	for i := range groups {
		groups[i] = group("2026-01-05", string(rune('a'+i%20)), "1.234567", "0.0123", earned)
	}
	at := []rating.Terms{{List: rating.Default("EUR"), Currency: "EUR"}}
	for b.Loop() {
		if _, err := rating.Month("2026-01", groups, at); err != nil {
			b.Fatal(err)
		}
	}
}
