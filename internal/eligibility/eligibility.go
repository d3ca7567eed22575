// Package eligibility says who may onboard, and if not, every rule that stands
// against it. It is pure: it reads nothing but its arguments, so that the
// picker, the preflight and the step before the order give the same answer. It
// does not know how an exception is asked for or granted (support).
package eligibility

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/address"
	"causeway/internal/fault"
	"causeway/internal/money"
)

// Rule is one condition, by a code that is stable: exceptions name it.
type Rule string

// The rules, in the order in which their failures are shown. The account itself
// comes first, then what is above it.
const (
	Disabled      Rule = "disabled"
	NotBillable   Rule = "not-billable"
	Reseller      Rule = "reseller"
	Demo          Rule = "demo"
	Internal      Rule = "internal"
	PublicSector  Rule = "public-sector"
	Country       Rule = "country"
	Credit        Rule = "credit-limit"
	TooMany       Rule = "too-many-today"
	ResellerAbove Rule = "reseller-above"
	DemoAbove     Rule = "demo-above"
	InternalAbove Rule = "internal-above"
	DisabledAbove Rule = "disabled-above"
	UnknownAbove  Rule = "unknown-above"
	Loop          Rule = "loop"
)

var order = []Rule{
	Disabled, NotBillable, Reseller, Demo, Internal, PublicSector, Country, Credit, TooMany,
	ResellerAbove, DemoAbove, InternalAbove, DisabledAbove, UnknownAbove, Loop,
}

// Rules lists every rule in the order of display.
func Rules() []Rule { return slices.Clone(order) }

// Known tells whether there is such a rule.
func (r Rule) Known() bool { return slices.Contains(order, r) }

// Liftable tells whether an exception can lift the rule. What is a wrong or
// missing fact is corrected instead.
func (r Rule) Liftable() bool {
	switch r {
	case Disabled, DisabledAbove, UnknownAbove, Loop:
		return false
	}
	return r.Known()
}

// Title is the rule in a few words, for the page that explains the rules and
// for the queue of exceptions.
func (r Rule) Title() string {
	switch r {
	case Disabled:
		return "In use"
	case NotBillable:
		return "Billable"
	case Reseller:
		return "Not a reseller"
	case Demo:
		return "Not a demo account"
	case Internal:
		return "Not an internal account"
	case PublicSector:
		return "Not in the public sector"
	case Country:
		return "Billing address in a served country"
	case Credit:
		return "Credit limit covers the budget"
	case TooMany:
		return "Not too many on one day"
	case ResellerAbove:
		return "Not below a reseller"
	case DemoAbove:
		return "Not below a demo account"
	case InternalAbove:
		return "Not below an internal account"
	case DisabledAbove:
		return "Not below a disabled account"
	case UnknownAbove:
		return "Hierarchy known up to its root"
	case Loop:
		return "Hierarchy without a loop"
	}
	return string(r)
}

// Account is what the rules look at.
type Account struct {
	Alias, Name  string
	Parent       string // alias, "" = a root
	Country      string // of the billing address, ISO 3166-1 alpha-2
	Billable     bool
	Reseller     bool
	Demo         bool
	Internal     bool
	PublicSector bool
	Disabled     bool
	CreditLimit  money.Amount
}

// Settings are the partner's choices. The zero value serves no country: what
// was forgotten opens nothing.
type Settings struct {
	Countries          []string // billing addresses that are served, ISO 3166-1 alpha-2
	RefusePublicSector bool
	MaxPerDay          int // onboardings begun per account and UTC day; 0 = no limit
}

// Exception lifts one rule for the account that is judged.
type Exception struct {
	Rule    Rule
	Until   time.Time // exclusive; zero = without an end
	Request string    // number of the request that granted it
}

// Words are the brand's words for the customer.
type Words struct {
	Account string // "billing account", "CLC Account"
	Partner string // who runs this
}

// Input is everything that a verdict depends on.
type Input struct {
	Chain      []Account // the account, then its ancestors up to the root
	Settings   Settings
	Budget     money.Amount // monthly, that is proposed; the zero value = none yet, and the credit limit is not asked
	Taken      money.Amount // budgets of the account's other subscriptions; the zero value = none
	Today      int          // onboardings begun on this account today
	Exceptions []Exception
	At         time.Time
	Words      Words
}

// Failure is a rule that stands against the account, in words for the customer.
type Failure struct {
	Rule   Rule
	Cause  string // alias of the ancestor that causes it; "" = the account itself
	Reason string
	Remedy string
}

// Lifted is a failure that an exception lifts.
type Lifted struct {
	Failure
	Until   time.Time
	Request string
}

// Verdict is the answer, with all failing rules at once.
type Verdict struct {
	Eligible bool
	Failures []Failure
	Lifted   []Lifted
}

// Judge answers whether the account may onboard.
func Judge(in Input) Verdict {
	var v Verdict
	for _, f := range failures(in) {
		if e, ok := lift(f.Rule, in); ok {
			v.Lifted = append(v.Lifted, Lifted{f, e.Until, e.Request})
			continue
		}
		v.Failures = append(v.Failures, f)
	}
	v.Eligible = len(v.Failures) == 0 && len(in.Chain) > 0
	return v
}

// lift finds the exception that holds longest.
func lift(r Rule, in Input) (best Exception, ok bool) {
	if !r.Liftable() {
		return best, false
	}
	for _, e := range in.Exceptions {
		if e.Rule != r || !e.Until.IsZero() && !in.At.Before(e.Until) {
			continue
		}
		switch longer := e.Until.IsZero() || e.Until.After(best.Until); {
		case !ok, !best.Until.IsZero() && longer, e.Until.Equal(best.Until) && e.Request < best.Request:
			best, ok = e, true
		}
	}
	return best, ok
}

func failures(in Input) []Failure {
	if len(in.Chain) == 0 {
		return []Failure{{Rule: UnknownAbove, Reason: "The account is not known here.", Remedy: "Connect an account that is."}}
	}
	word := in.Words.Account
	if word == "" {
		word = "billing account"
	}
	ask := "Choose another " + word + ", or ask for an exception."
	choose := "Choose another " + word + "."
	a := in.Chain[0]
	var all []Failure
	add := func(r Rule, cause, reason, remedy string) {
		all = append(all, Failure{Rule: r, Cause: cause, Reason: reason, Remedy: remedy})
	}
	if a.Disabled {
		add(Disabled, "", a.Alias+" is disabled. Nothing can be billed to it.", choose)
	}
	if !a.Billable {
		add(NotBillable, "", a.Alias+" is not billable. Only a billable "+word+" can pay for Azure.", ask)
	}
	if a.Reseller {
		add(Reseller, "", a.Alias+" is a reseller account. Resellers and their customers are excluded.", ask)
	}
	if a.Demo {
		add(Demo, "", a.Alias+" is a demo account. Demo accounts are not billed.", ask)
	}
	if a.Internal {
		add(Internal, "", a.Alias+" is an internal account. Internal accounts are not billed.", ask)
	}
	if a.PublicSector && in.Settings.RefusePublicSector {
		add(PublicSector, "", a.Alias+" belongs to the public sector, which is not served here.", ask)
	}
	if !slices.Contains(in.Settings.Countries, a.Country) {
		reason := "The billing address names no country."
		if a.Country != "" {
			reason = "The billing address is in " + address.CountryInSentence(a.Country) + "."
		}
		add(Country, "", reason+" "+served(in.Settings.Countries), ask)
	}
	if f, ok := credit(a, in); ok {
		all = append(all, f)
	}
	if m := in.Settings.MaxPerDay; m > 0 && in.Today >= m {
		add(TooMany, "", fmt.Sprintf("%s begun on %s today, and %d a day are allowed.", count(in.Today), a.Alias, m), "Go on tomorrow (UTC), or ask for an exception.")
	}
	all = append(all, above(in.Chain, ask)...)
	slices.SortStableFunc(all, func(x, y Failure) int { return slices.Index(order, x.Rule) - slices.Index(order, y.Rule) })
	return all
}

func count(n int) string {
	if n == 1 {
		return "1 onboarding was"
	}
	return fmt.Sprintf("%d onboardings were", n)
}

// above judges the ancestors. A billable account below a billable one below a
// reseller is a reseller's customer all the same.
func above(chain []Account, ask string) []Failure {
	a := chain[0]
	var all []Failure
	seen := map[string]bool{a.Alias: true}
	for _, p := range chain[1:] {
		if seen[p.Alias] { // a chain that was read in a loop
			break
		}
		seen[p.Alias] = true
		who := p.Alias
		if p.Name != "" {
			who += " · " + p.Name
		}
		for _, c := range []struct {
			bad  bool
			rule Rule
			what string
		}{
			{p.Reseller, ResellerAbove, "which is a reseller account. Its customers are excluded."},
			{p.Demo, DemoAbove, "which is a demo account. Accounts below it are not billed."},
			{p.Internal, InternalAbove, "which is an internal account. Accounts below it are not billed."},
			{p.Disabled, DisabledAbove, "which is disabled. Nothing can be billed below it."},
		} {
			if c.bad {
				all = append(all, Failure{Rule: c.rule, Cause: p.Alias, Reason: a.Alias + " is below " + who + ", " + c.what, Remedy: ask})
			}
		}
	}
	top := chain[len(chain)-1]
	switch {
	case top.Parent == "":
	case seen[top.Parent]:
		all = append(all, Failure{
			Rule: Loop, Cause: top.Alias, Reason: top.Alias + " and " + top.Parent + " are above each other, so nobody can tell who is responsible.",
			Remedy: "Ask the partner to correct the hierarchy.",
		})
	default:
		all = append(all, Failure{
			Rule: UnknownAbove, Cause: top.Parent, Reason: a.Alias + " is below " + top.Parent + ", which is not known here.",
			Remedy: "Ask the partner to record " + top.Parent + ".",
		})
	}
	for i := range all {
		if !all[i].Rule.Liftable() && all[i].Rule == DisabledAbove {
			all[i].Remedy = "Ask the partner about " + all[i].Cause + "."
		}
	}
	return all
}

// credit asks whether the budget fits under the limit beside the others.
func credit(a Account, in Input) (Failure, bool) {
	if in.Budget.Currency() == "" {
		return Failure{}, false
	}
	fail := func(reason string) (Failure, bool) {
		return Failure{Rule: Credit, Reason: reason, Remedy: "Propose a smaller budget, or ask the partner for a higher limit."}, true
	}
	taken := in.Taken
	if taken.Currency() == "" {
		taken = money.Zero(in.Budget.Currency())
	}
	need, err := taken.Add(in.Budget)
	if err != nil {
		return fail("The proposed budget is in " + string(in.Budget.Currency()) + " and the other budgets are in " + string(taken.Currency()) + ".")
	}
	limit := a.CreditLimit
	if limit.Currency() == "" && limit.IsZero() {
		limit = money.Zero(in.Budget.Currency())
	}
	cmp, err := limit.Cmp(need)
	if err != nil {
		return fail("The proposed budget is in " + string(in.Budget.Currency()) + " and the credit limit in " + string(limit.Currency()) + ".")
	}
	if cmp >= 0 {
		return Failure{}, false
	}
	if taken.IsZero() {
		return fail("The credit limit is " + limit.String() + ". At least the proposed budget of " + in.Budget.String() + " is needed.")
	}
	return fail("The credit limit is " + limit.String() + ", and " + taken.String() + " of it is taken. The proposed budget of " + in.Budget.String() + " does not fit.")
}

// served names the countries: "Only addresses in the United States are served."
func served(codes []string) string {
	if len(codes) == 0 {
		return "No country is served at the moment."
	}
	names := make([]string, 0, len(codes))
	for _, c := range codes {
		names = append(names, address.CountryInSentence(c))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > 8 {
		return fmt.Sprintf("Addresses in %d other countries are served.", len(names))
	}
	list := names[0]
	if n := len(names); n > 1 {
		list = strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return "Only addresses in " + list + " are served."
}

// Err is nil for an eligible account, else Invalid with a refusal of the field
// "account" for each failing rule; the rule is its code.
func (v Verdict) Err() error {
	if v.Eligible {
		return nil
	}
	all := make([]fault.Refusal, len(v.Failures))
	for i, f := range v.Failures {
		all[i] = fault.Refusal{Field: "account", Code: string(f.Rule), Reason: f.Reason, Remedy: f.Remedy}
	}
	return fault.Refuse(all...)
}

// CanAsk tells whether exceptions could lift everything that stands against the
// account.
func (v Verdict) CanAsk() bool {
	return len(v.Failures) > 0 && !slices.ContainsFunc(v.Failures, func(f Failure) bool { return !f.Rule.Liftable() })
}
