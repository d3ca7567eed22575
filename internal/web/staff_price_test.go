package web_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"causeway/internal/demo"
	"causeway/internal/price"
	"causeway/internal/rating"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// richPrices has every kind of part, and something in each of their members.
func richPrices(t *testing.T) rating.List {
	t.Helper()
	dec := decimal.RequireFromString
	end := func(s string) *decimal.Decimal { d := dec(s); return &d }
	l := rating.Default("USD")
	l.ID, l.EarnedShare, l.Exchange = "rich", dec("12.5"), rating.ByPartner
	none := func(m rating.Match) rating.Match {
		m.Reservation, m.Credit = []string{"none"}, []string{"none"}
		return m
	}
	l.Rules = append(l.Rules,
		rating.Rule{ID: "storage", Match: none(rating.Match{Category: []string{"Storage", "Bandwidth"}, Source: []string{"microsoft"}}), Base: rating.OnCost, Percent: dec("-0.125"), BelowCost: "Agreed in “2026” <for now> & later"},
		rating.Rule{ID: "units.of-time", Match: none(rating.Match{Category: []string{"Functions"}, Meter: []string{"m-1"}, Tags: map[string][]string{"env": {"Prod", "a=b"}, "team": {"x"}}}), Tiers: &rating.Tiers{Of: rating.OfQuantity, How: rating.Volume, Steps: []rating.Step{{UpTo: end("1000.5"), Price: dec("0.02")}, {Price: dec("0.0175")}}}},
		rating.Rule{ID: "money", Match: none(rating.Match{Category: []string{"Key Vault"}, Subcategory: []string{"s"}, Service: []string{"v"}, Region: []string{"EU West"}, Publisher: []string{"p"}, ChargeType: []string{"new"}, Product: []string{"q"}, SKU: []string{"k"}, Entitlement: []string{"e"}}), Base: rating.OnGross, Tiers: &rating.Tiers{Of: rating.OfMoney, How: rating.Graduated, Steps: []rating.Step{{UpTo: end("100"), Percent: dec("7")}, {Percent: dec("-3")}}}},
	)
	l.Fees = []rating.Fee{{ID: "desk", Label: "Service desk", Amount: dec("49.90"), Always: true}, {ID: "backup", Label: "Backup care", Amount: dec("5"), Match: rating.Match{Category: []string{"Backup"}}}}
	l.Minimums = []rating.Minimum{{ID: "least", Label: "Minimum", Amount: dec("100")}}
	l.Support = &rating.Support{ID: "support", Label: "Platform support", Minimum: dec("29"), Steps: []rating.Step{{UpTo: end("10000"), Percent: dec("10")}, {Percent: dec("7")}}}
	l.Lines = []rating.Line{{ID: "saas", Label: "Software", Late: "Software of before"}, {ID: "iaas", Label: "Machines", Late: "Machines of before", Match: rating.Match{Category: []string{"Virtual Machines"}}}}
	return l
}

// A form that is sent as it came changes nothing: every member of every part has its
// input, to the last digit.
func TestAPartOfAPriceListComesBackAsItWas(t *testing.T) {
	w := newWorld(t)
	l := richPrices(t)
	v, err := w.app.Prices.Save(t.Context(), w.actor(demo.Finance), l, "", "All kinds of parts", nil, nil)
	w.must(err)
	s := w.signIn(demo.Finance)
	parts := []string{"terms", "support.support", "minimums.least"}
	for _, r := range l.Rules {
		parts = append(parts, "rules."+r.ID)
	}
	for _, f := range l.Fees {
		parts = append(parts, "fees."+f.ID)
	}
	for _, x := range l.Lines {
		parts = append(parts, "lines."+x.ID)
	}
	page := s.get("/staff/prices/rich").is(200)
	for _, of := range parts {
		at := "/staff/prices/rich/part?" + url.Values{"of": {of}}.Encode()
		if !strings.Contains(page.body, strings.ReplaceAll(at, "&", "&amp;")) {
			t.Errorf("the page does not lead to %s", at)
		}
		form := s.get(at).is(200).form()
		form.Del("remove")
		s.post(at, form).redirects("/staff/prices/rich")
		got, err := w.app.Prices.Versions(t.Context(), w.actor(demo.Finance), "rich")
		w.must(err)
		if len(got) != 1 || got[0].Hash != v.Hash {
			t.Errorf("%s: %d versions, the newest is\n%+v, want\n%+v", of, len(got), got[0].List, v.List)
		}
	}
	page.says("may sell below cost: Agreed in “2026” <for now> & later", "category Storage or Bandwidth, source microsoft, reservation none, credit none", "cost − 0.125 %",
		"0.02 up to 1000.5, then 0.0175 USD a unit (volume)", "gross + 7 % up to 100, then gross − 3 % (graduated)", "49.90 USD a month", "every month", "at least 100.00 USD a month", "10 % up to 10000, then 7 %, at least 29.00 USD", "Machines of before", "12.5 % is the customer's")
	rows := s.get("/staff/prices/rich/rules.csv").table()
	if len(rows) != 1+len(parts)-1 { // a head; the terms are no row
		t.Errorf("%d rows for %d parts: %q", len(rows)-1, len(parts)-1, rows)
	}
	if rows := s.get("/staff/prices/rich/rules.csv?kind=fees").table(); len(rows) != 3 || rows[1][3] != "desk" || rows[2][3] != "backup" {
		t.Errorf("fees: %q", rows)
	}
}

// A list grows from nothing to rules, tiers, fees and a support charge by forms alone;
// what does not fit is refused by name, and what was typed is still there.
func TestPriceListsAreMadeByForms(t *testing.T) {
	w := newWorld(t)
	w.bills()
	s := w.signIn(demo.Finance)
	newest := func() price.Version {
		t.Helper()
		all, err := w.app.Prices.Versions(t.Context(), w.actor(demo.Finance), "forms")
		w.must(err)
		return all[0]
	}
	page := s.get("/staff/prices?new=1").is(200).says("New price list", "Mark-up or discount").hides("tiers with unit prices")
	begin := page.form()
	with := func(from url.Values, more ...string) url.Values {
		q := url.Values{}
		for k, x := range from {
			q[k] = slices.Clone(x)
		}
		for i := 0; i < len(more); i += 2 {
			q.Set(more[i], more[i+1])
		}
		return q
	}
	s.post("/staff/prices", with(begin, "id", "forms", "percent", "much", "note", "Ours")).is(422).says("“much” is no number", "Mark-up or discount").hides(`name="list"`)
	s.post("/staff/prices", with(begin, "id", "forms", "percent", "1e9", "note", "Ours")).is(422).says("is no number")
	s.post("/staff/prices", with(begin, "id", "a/b", "note", "Ours")).is(422).says("cannot have the id")
	s.post("/staff/prices", with(begin, "id", "forms", "percent", "−40", "note", "Ours")).is(422).says("below cost")
	s.post("/staff/prices", with(begin, "id", "forms", "percent", "5 %", "note", "Ours")).redirects("/staff/prices/forms")

	s.post("/staff/prices", with(begin, "id", "forms", "note", "Once more")).is(422).says("There is a price list forms already")

	at := func(of string) string { return "/staff/prices/forms/part?of=" + of }
	send := func(of string, more ...string) *answer {
		t.Helper()
		form := s.get(at(of)).is(200).form()
		form.Del("remove")
		return s.post(at(of), with(form, more...))
	}
	send("rules", "id", "storage", "category", "Storage", "percent", "-3").is(422).says("The rules covered", "claim the same usage").says("Which rule counts")
	if again := send("rules", "id", "storage", "category", "Storage", "percent", "3,5").is(422).says("“3,5” is no number"); again.value("category") != "Storage" {
		t.Error("what was typed is gone")
	}
	send("rules", "id", "storage", "category", "Storage | Bandwidth", "reservation", "none", "credit", "none", "percent", "-3").redirects("/staff/prices/forms")
	send("rules", "id", "iops", "category", "Storage", "meter", "m-1", "reservation", "none", "credit", "none", "tiers", "quantity", "base", "", "steps", "100 | 0.02").is(422).says("end, so that some usage has no price")
	send("rules", "id", "iops", "category", "Storage", "meter", "m-1", "reservation", "none", "credit", "none", "tiers", "quantity", "base", "", "steps", "100 | 0.02\r\nrest | 0.018").redirects("/staff/prices/forms")
	send("fees", "id", "desk", "label", "Service desk", "amount", "").is(422).says("is no number")
	send("fees", "id", "desk", "label", "Service desk", "amount", "49.90", "always", "yes").redirects("/staff/prices/forms")
	send("minimums", "id", "least", "label", "Minimum", "amount", "-1").is(422).says("least is negative")
	send("support", "id", "care", "label", "Care", "steps", "rest | 3", "amount", "0").redirects("/staff/prices/forms")
	send("rules.iops", "remove", "yes").redirects("/staff/prices/forms")
	send("terms", "earned_share", "40").redirects("/staff/prices/forms")
	send("rules.list", "remove", "yes").is(422).says("some usage has none")
	s.get(at("rules.iops")).is(404)

	want := rating.Default("USD")
	want.ID, want.EarnedShare = "forms", decimal.NewFromInt(40)
	want.Rules[0].Percent = decimal.NewFromInt(5)
	want.Rules = append(want.Rules, rating.Rule{ID: "storage", Match: rating.Match{Category: []string{"Storage", "Bandwidth"}, Reservation: []string{"none"}, Credit: []string{"none"}}, Base: rating.OnList, Percent: decimal.NewFromInt(-3)})
	want.Fees = []rating.Fee{{ID: "desk", Label: "Service desk", Amount: decimal.RequireFromString("49.9"), Always: true}}
	want.Support = &rating.Support{ID: "care", Label: "Care", Steps: []rating.Step{{Percent: decimal.NewFromInt(3)}}}
	hash, err := want.Hash()
	w.must(err)
	got := newest()
	if got.Hash != hash || got.State != price.Draft || got.Note != "Ours" {
		t.Errorf("%+v\nwant %+v", got, want)
	}

	// Two people: the second sees that the list changed, and loses nothing of theirs.
	old := s.get(at("fees.desk")).form()
	old.Del("remove")
	send("fees.desk", "amount", "59").redirects("/staff/prices/forms")
	s.post(at("fees.desk"), with(old, "amount", "69")).is(409).says("Somebody else changed this price list")
	if fee := newest().List.Fees[0].Amount; !fee.Equal(decimal.NewFromInt(59)) {
		t.Errorf("the fee is %s", fee)
	}

	// A version that is in force stays: the next change is a draft that can be taken back.
	tomorrow := string(usage.DayOf(w.app.Config.Now()).Add(1))
	s.post("/staff/prices/forms/activate", url.Values{"version": {"1"}, "from": {tomorrow}}).redirects("/staff/prices/forms")
	send("fees.desk", "amount", "79", "note", "Dearer").redirects("/staff/prices/forms")
	if v := newest(); v.List.Version != 2 || v.State != price.Draft || v.Note != "Dearer" {
		t.Errorf("%+v", v)
	}
	s.get("/staff/prices/forms").is(200).says("To come", "Draft", "Withdraw…")
	reader := w.signIn(demo.Reader)
	reader.get(at("fees.desk")).is(403)
	reader.post("/staff/prices/forms/withdraw", url.Values{"version": {"2"}}).is(403)
	reader.get("/staff/prices/forms").is(200).hides("Add a fee", "/part?")
	s.post("/staff/prices/forms/withdraw", url.Values{"version": {"2"}}).redirects("/staff/prices/forms")
	if v := newest(); v.State != price.Withdrawn {
		t.Errorf("%+v", v)
	}
	s.post("/staff/prices/forms/withdraw", url.Values{"version": {"7"}}).is(422)

	// What was withdrawn comes back with nothing that follows.
	s.get("/staff/prices/forms").is(200).says("Withdrawn", "59.00 USD a month").hides("79.00")
	send("terms", "earned_share", "50", "note", "More credit").redirects("/staff/prices/forms")
	if v := newest(); v.List.Version != 3 || !v.List.Fees[0].Amount.Equal(decimal.NewFromInt(59)) || !v.List.EarnedShare.Equal(decimal.NewFromInt(50)) {
		t.Errorf("%+v", v)
	}
}

// A value that a form would cut or lose is left to JSON.
func TestAValueThatAFormWouldLoseIsForJSON(t *testing.T) {
	w := newWorld(t)
	l := ourPrices("ours", "5")
	l.Rules = l.Rules[:5]
	m := &l.Rules[4].Match
	m.Reservation, m.Credit = []string{"none"}, []string{"none"}
	s := w.signIn(demo.Finance)
	was := ""
	for _, value := range []string{"Storage | old", " Storage", "two\nlines", ""} {
		for _, to := range []rating.Match{{Category: []string{value}}, {Tags: map[string][]string{"env": {value}}}} {
			m.Category, m.Tags = to.Category, to.Tags
			v, err := w.app.Prices.Save(t.Context(), w.actor(demo.Finance), l, was, "A value", nil, nil)
			w.must(err)
			was = v.Hash
			s.get("/staff/prices/ours/part?of=rules.storage").is(409).says("Edit the list as JSON")
		}
	}
}
