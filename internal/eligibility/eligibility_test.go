package eligibility_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"causeway/internal/eligibility"
	"causeway/internal/fault"
	"causeway/internal/money"

	"pgregory.net/rapid"
)

var (
	at    = time.Date(2026, 11, 23, 14, 6, 0, 0, time.UTC)
	seed  = eligibility.Settings{Countries: []string{"US"}}
	words = eligibility.Words{Account: "CLC Account", Partner: "CenturyLink"}
)

func good(alias, parent string) eligibility.Account {
	return eligibility.Account{Alias: alias, Name: "Contoso " + alias, Parent: parent, Country: "US", Billable: true, CreditLimit: money.Must("40000", "USD")}
}

func with(a eligibility.Account, change func(*eligibility.Account)) eligibility.Account {
	change(&a)
	return a
}

func reseller(a *eligibility.Account) { a.Reseller = true }

func TestEachRule(t *testing.T) {
	tspn := eligibility.Account{Alias: "TSPN", Name: "Tailspin Resale", Country: "US", Billable: true, Reseller: true}
	for _, c := range []struct {
		sentence string
		change   func(*eligibility.Input)
		want     []string // rule: reason
	}{
		{"C-25: an account that passes every rule needs nothing else", func(*eligibility.Input) {}, nil},
		{"a sub-account of a billable account is fine", func(in *eligibility.Input) {
			in.Chain = []eligibility.Account{good("CTSE", "CTSO"), good("CTSO", "")}
		}, nil},
		{"C-19: not billable", func(in *eligibility.Input) { in.Chain[0].Billable = false },
			[]string{"not-billable: CTSO is not billable. Only a billable CLC Account can pay for Azure."}},
		{"C-20: a reseller", func(in *eligibility.Input) { in.Chain[0].Reseller = true },
			[]string{"reseller: CTSO is a reseller account. Resellers and their customers are excluded."}},
		{"C-20: a reseller's customer, the reseller named", func(in *eligibility.Input) {
			in.Chain = []eligibility.Account{good("CTRP", "TSPN"), tspn}
		}, []string{"reseller-above: CTRP is below TSPN · Tailspin Resale, which is a reseller account. Its customers are excluded."}},
		{"N-07: billable below billable below a reseller", func(in *eligibility.Input) {
			in.Chain = []eligibility.Account{good("CTRX", "CTRP"), good("CTRP", "TSPN"), tspn}
		}, []string{"reseller-above: CTRX is below TSPN · Tailspin Resale, which is a reseller account. Its customers are excluded."}},
		{"C-22: a demo account", func(in *eligibility.Input) { in.Chain[0].Demo = true },
			[]string{"demo: CTSO is a demo account. Demo accounts are not billed."}},
		{"N-07: below a demo account", func(in *eligibility.Input) {
			in.Chain = []eligibility.Account{good("CTSE", "CTDM"), with(good("CTDM", ""), func(a *eligibility.Account) { a.Demo = true })}
		}, []string{"demo-above: CTSE is below CTDM · Contoso CTDM, which is a demo account. Accounts below it are not billed."}},
		{"C-23: an internal account", func(in *eligibility.Input) { in.Chain[0].Internal = true },
			[]string{"internal: CTSO is an internal account. Internal accounts are not billed."}},
		{"N-07: below an internal account without a name", func(in *eligibility.Input) {
			in.Chain = []eligibility.Account{good("CTSE", "CLIN"), {Alias: "CLIN", Internal: true}}
		}, []string{"internal-above: CTSE is below CLIN, which is an internal account. Accounts below it are not billed."}},
		{"C-21, N-05: outside the served country", func(in *eligibility.Input) { in.Chain[0].Country = "GB" },
			[]string{"country: The billing address is in the United Kingdom. Only addresses in the United States are served."}},
		{"N-08: the list is a setting", func(in *eligibility.Input) {
			in.Chain[0].Country, in.Settings.Countries = "GB", []string{"US", "GB", "CA"}
		}, nil},
		{"N-08: a longer list is named in order", func(in *eligibility.Input) {
			in.Chain[0].Country, in.Settings.Countries = "FR", []string{"US", "GB", "CA"}
		}, []string{"country: The billing address is in France. Only addresses in Canada, the United Kingdom and the United States are served."}},
		{"a forgotten list opens nothing", func(in *eligibility.Input) { in.Settings.Countries = nil },
			[]string{"country: The billing address is in the United States. No country is served at the moment."}},
		{"no country at all", func(in *eligibility.Input) { in.Chain[0].Country = "" },
			[]string{"country: The billing address names no country. Only addresses in the United States are served."}},
		{"the country of an ancestor does not matter", func(in *eligibility.Input) {
			in.Chain = []eligibility.Account{good("CTSE", "CTUK"), with(good("CTUK", ""), func(a *eligibility.Account) { a.Country = "GB" })}
		}, nil},
		{"public sector is fine unless it is switched off", func(in *eligibility.Input) { in.Chain[0].PublicSector = true }, nil},
		{"public sector, switched off", func(in *eligibility.Input) {
			in.Chain[0].PublicSector, in.Settings.RefusePublicSector = true, true
		}, []string{"public-sector: CTSO belongs to the public sector, which is not served here."}},
		{"no credit", func(in *eligibility.Input) {
			in.Chain[0].CreditLimit, in.Budget = money.Zero("USD"), money.Must("2500", "USD")
		}, []string{"credit-limit: The credit limit is 0.00 USD. At least the proposed budget of 2,500.00 USD is needed."}},
		{"a budget that fits to the cent", func(in *eligibility.Input) {
			in.Taken, in.Budget = money.Must("37500", "USD"), money.Must("2500", "USD")
		}, nil},
		{"a cent too much", func(in *eligibility.Input) {
			in.Taken, in.Budget = money.Must("37500", "USD"), money.Must("2500.01", "USD")
		}, []string{"credit-limit: The credit limit is 40,000.00 USD, and 37,500.00 USD of it is taken. The proposed budget of 2,500.01 USD does not fit."}},
		{"two currencies are never compared", func(in *eligibility.Input) { in.Budget = money.Must("1", "EUR") },
			[]string{"credit-limit: The proposed budget is in EUR and the credit limit in USD."}},
		{"nor added", func(in *eligibility.Input) {
			in.Budget, in.Taken = money.Must("1", "USD"), money.Must("1", "EUR")
		}, []string{"credit-limit: The proposed budget is in USD and the other budgets are in EUR."}},
		{"as many as allowed on one day", func(in *eligibility.Input) { in.Settings.MaxPerDay, in.Today = 3, 3 },
			[]string{"too-many-today: 3 onboardings were begun on CTSO today, and 3 a day are allowed."}},
		{"one less", func(in *eligibility.Input) { in.Settings.MaxPerDay, in.Today = 3, 2 }, nil},
		{"disabled", func(in *eligibility.Input) { in.Chain[0].Disabled = true },
			[]string{"disabled: CTSO is disabled. Nothing can be billed to it."}},
		{"below a disabled account", func(in *eligibility.Input) {
			in.Chain = []eligibility.Account{good("CTSE", "CTSO"), with(good("CTSO", ""), func(a *eligibility.Account) { a.Disabled = true })}
		}, []string{"disabled-above: CTSE is below CTSO · Contoso CTSO, which is disabled. Nothing can be billed below it."}},
		{"a parent that nobody knows could be anything", func(in *eligibility.Input) {
			in.Chain = []eligibility.Account{good("CTSE", "CTSO"), good("CTSO", "XXXX")}
		}, []string{"unknown-above: CTSE is below XXXX, which is not known here."}},
		{"each other's parents", func(in *eligibility.Input) {
			in.Chain = []eligibility.Account{good("CTSE", "CTSO"), good("CTSO", "CTSE")}
		}, []string{"loop: CTSO and CTSE are above each other, so nobody can tell who is responsible."}},
		{"every failing rule at once, the account's own first, then ancestors from below", func(in *eligibility.Input) {
			a := with(good("CTUK", "MIDD"), func(a *eligibility.Account) {
				a.Country, a.Demo, a.CreditLimit, a.Billable = "GB", true, money.Zero("USD"), false
			})
			in.Chain = []eligibility.Account{a, with(good("MIDD", "TSPN"), reseller), tspn}
			in.Budget = money.Must("2500", "USD")
		}, []string{
			"not-billable: CTUK is not billable. Only a billable CLC Account can pay for Azure.",
			"demo: CTUK is a demo account. Demo accounts are not billed.",
			"country: The billing address is in the United Kingdom. Only addresses in the United States are served.",
			"credit-limit: The credit limit is 0.00 USD. At least the proposed budget of 2,500.00 USD is needed.",
			"reseller-above: CTUK is below MIDD · Contoso MIDD, which is a reseller account. Its customers are excluded.",
			"reseller-above: CTUK is below TSPN · Tailspin Resale, which is a reseller account. Its customers are excluded.",
		}},
		{"an account that is not there", func(in *eligibility.Input) { in.Chain = nil }, []string{"unknown-above: The account is not known here."}},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			in := eligibility.Input{Chain: []eligibility.Account{good("CTSO", "")}, Settings: seed, At: at, Words: words}
			c.change(&in)
			v := eligibility.Judge(in)
			var got []string
			for _, f := range v.Failures {
				got = append(got, string(f.Rule)+": "+f.Reason)
				if f.Remedy == "" || !f.Rule.Known() || f.Rule.Title() == string(f.Rule) {
					t.Errorf("%s has no remedy or title: %+v", f.Rule, f)
				}
			}
			if !slices.Equal(got, c.want) || v.Eligible != (len(c.want) == 0) {
				t.Errorf("eligible %v\n got %s\nwant %s", v.Eligible, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
			}
			if err := v.Err(); (err == nil) != v.Eligible || err != nil && (!errors.Is(err, fault.Invalid) || len(fault.Of(err).Refusals) != len(c.want)) {
				t.Errorf("Err() = %v", err)
			}
		})
	}
}

func TestExceptions(t *testing.T) {
	uk := with(good("CTUK", "TSPN"), func(a *eligibility.Account) { a.Country = "GB" })
	tspn := with(good("TSPN", ""), reseller)
	day := 24 * time.Hour
	for _, c := range []struct {
		sentence   string
		exceptions []eligibility.Exception
		failing    string
		lifted     string
	}{
		{"without one both rules stand", nil, "country reseller-above", ""},
		{"C-24: one for each rule lets the account pass", []eligibility.Exception{{Rule: eligibility.Country, Until: at.Add(day), Request: "R-1"}, {Rule: eligibility.ResellerAbove, Until: at.Add(day), Request: "R-2"}}, "", "country R-1, reseller-above R-2"},
		{"one rule lifted leaves the other", []eligibility.Exception{{Rule: eligibility.Country, Until: at.Add(day), Request: "R-1"}}, "reseller-above", "country R-1"},
		{"an exception ends at its time exactly", []eligibility.Exception{{Rule: eligibility.Country, Until: at, Request: "R-1"}}, "country reseller-above", ""},
		{"an exception without an end", []eligibility.Exception{{Rule: eligibility.Country, Request: "R-1"}}, "reseller-above", "country R-1"},
		{"the longest one is named", []eligibility.Exception{{Rule: eligibility.Country, Until: at.Add(day), Request: "R-1"}, {Rule: eligibility.Country, Until: at.Add(2 * day), Request: "R-2"}}, "reseller-above", "country R-2"},
		{"one for the account itself does not lift its ancestor", []eligibility.Exception{{Rule: eligibility.Reseller, Request: "R-1"}}, "country reseller-above", ""},
		{"an unknown rule lifts nothing", []eligibility.Exception{{Rule: "everything", Request: "R-1"}}, "country reseller-above", ""},
	} {
		v := eligibility.Judge(eligibility.Input{Chain: []eligibility.Account{uk, tspn}, Settings: seed, At: at, Exceptions: c.exceptions})
		var failing, lifted []string
		for _, f := range v.Failures {
			failing = append(failing, string(f.Rule))
		}
		for _, l := range v.Lifted {
			lifted = append(lifted, string(l.Rule)+" "+l.Request)
		}
		if strings.Join(failing, " ") != c.failing || strings.Join(lifted, ", ") != c.lifted || v.Eligible != (c.failing == "") {
			t.Errorf("%s: failing %v, lifted %v, eligible %v", c.sentence, failing, lifted, v.Eligible)
		}
	}
	off := with(good("CTSO", ""), func(a *eligibility.Account) { a.Disabled = true })
	v := eligibility.Judge(eligibility.Input{Chain: []eligibility.Account{off}, Settings: seed, At: at, Exceptions: []eligibility.Exception{{Rule: eligibility.Disabled}}})
	if v.Eligible || v.CanAsk() {
		t.Error("a disabled account passed by an exception")
	}
	if v := eligibility.Judge(eligibility.Input{Chain: []eligibility.Account{uk, tspn}, Settings: seed, At: at}); !v.CanAsk() {
		t.Error("an exception could lift both")
	}
}

func anyAccount(t *rapid.T, alias, parent string) eligibility.Account {
	flag := func(name string) bool { return rapid.Bool().Draw(t, alias+name) }
	return eligibility.Account{
		Alias: alias, Parent: parent, Country: rapid.SampledFrom([]string{"", "US", "GB", "DE"}).Draw(t, alias+"country"),
		Billable: flag("billable"), Reseller: flag("reseller"), Demo: flag("demo"), Internal: flag("internal"),
		PublicSector: flag("public"), Disabled: flag("disabled"),
		CreditLimit: money.Must(fmt.Sprint(rapid.IntRange(0, 100).Draw(t, alias+"limit")), "USD"),
	}
}

func anyInput(t *rapid.T) eligibility.Input {
	n := rapid.IntRange(1, 5).Draw(t, "depth")
	in := eligibility.Input{At: at, Words: words, Today: rapid.IntRange(0, 5).Draw(t, "today")}
	for i := range n {
		parent := ""
		if i+1 < n {
			parent = fmt.Sprint("A", i+1)
		}
		in.Chain = append(in.Chain, anyAccount(t, fmt.Sprint("A", i), parent))
	}
	in.Settings = eligibility.Settings{
		Countries:          rapid.SliceOfDistinct(rapid.SampledFrom([]string{"US", "GB", "CA"}), rapid.ID).Draw(t, "countries"),
		RefusePublicSector: rapid.Bool().Draw(t, "refuse"), MaxPerDay: rapid.IntRange(0, 5).Draw(t, "max"),
	}
	in.Budget = money.Must(fmt.Sprint(rapid.IntRange(0, 100).Draw(t, "budget")), "USD")
	in.Exceptions = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) eligibility.Exception {
		return eligibility.Exception{
			Rule: rapid.SampledFrom(eligibility.Rules()).Draw(t, "rule"), Request: rapid.StringMatching(`R-[0-9]{2}`).Draw(t, "request"),
			Until: at.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "until")) * time.Hour),
		}
	}), 0, 6).Draw(t, "exceptions")
	return in
}

func show(v eligibility.Verdict) string { return fmt.Sprintf("%+v", v) }

func TestTheVerdictDoesNotDependOnTheOrderOfItsLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		want := show(eligibility.Judge(in))
		in.Settings.Countries = rapid.Permutation(in.Settings.Countries).Draw(t, "countries again")
		in.Exceptions = rapid.Permutation(in.Exceptions).Draw(t, "exceptions again")
		if got := show(eligibility.Judge(in)); got != want {
			t.Fatalf("%s\n%s", want, got)
		}
	})
}

func TestAWorseAccountIsNeverEligible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		in.Exceptions = nil
		before := eligibility.Judge(in)
		bad := anyAccount(t, "BAD", "")
		bad.Reseller = true
		in.Chain[len(in.Chain)-1].Parent = "BAD"
		in.Chain = append(in.Chain, bad)
		after := eligibility.Judge(in)
		if after.Eligible {
			t.Fatal("below a reseller and eligible")
		}
		for _, f := range before.Failures { // nothing that stood against it is gone
			if !slices.Contains(after.Failures, f) {
				t.Fatalf("%+v vanished", f)
			}
		}
	})
}

func TestOneFlagMoreNeverHelps(t *testing.T) {
	flags := map[string]func(*eligibility.Account){
		"reseller": reseller,
		"demo":     func(a *eligibility.Account) { a.Demo = true },
		"internal": func(a *eligibility.Account) { a.Internal = true },
		"disabled": func(a *eligibility.Account) { a.Disabled = true },
		"public":   func(a *eligibility.Account) { a.PublicSector = true },
	}
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		before := eligibility.Judge(in).Eligible
		who := rapid.IntRange(0, len(in.Chain)-1).Draw(t, "who")
		flags[rapid.SampledFrom([]string{"reseller", "demo", "internal", "disabled", "public"}).Draw(t, "flag")](&in.Chain[who])
		if after := eligibility.Judge(in).Eligible; after && !before {
			t.Fatal("a flag more made it eligible")
		}
	})
}

func TestAnExceptionNeverHurtsAndLiftsOnlyItsRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := anyInput(t)
		before := eligibility.Judge(in)
		rule := rapid.SampledFrom(eligibility.Rules()).Draw(t, "granted")
		in.Exceptions = append(in.Exceptions, eligibility.Exception{Rule: rule, Request: "R-99"})
		after := eligibility.Judge(in)
		if before.Eligible && !after.Eligible {
			t.Fatal("an exception took the right away")
		}
		for _, f := range before.Failures {
			stands := slices.Contains(after.Failures, f)
			if lifts := f.Rule == rule && rule.Liftable(); stands == lifts {
				t.Fatalf("%s with an exception for %s: stands = %v", f.Rule, rule, stands)
			}
		}
	})
}
