package money_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"causeway/internal/fault"
	"causeway/internal/money"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

func TestAnAmountForPeople(t *testing.T) {
	for _, c := range []struct{ number, currency, want string }{
		{"1207.44", "USD", "1,207.44 USD"},
		{"-3", "USD", "−3.00 USD"},
		{"0", "EUR", "0.00 EUR"},
		{"-0.00", "EUR", "0.00 EUR"},
		{"1000000", "JPY", "1,000,000 JPY"},
		{"0.5", "JPY", "0.5 JPY"},
		{"12.3456789", "USD", "12.3456789 USD"},
		{"999", "KWD", "999.000 KWD"},
		{"100000.10", "USD", "100,000.10 USD"},
	} {
		if got := money.Must(c.number, money.Currency(c.currency)).String(); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.number, c.currency, got, c.want)
		}
	}
}

func TestWhatIsNoAmount(t *testing.T) {
	for _, s := range []string{
		"", "-", ".", "1.", ".5", "1,207.44", "1 207", "1e3", "1E3", "+1", "--1", "0x10", "NaN", "Infinity", "١٢", "1.2.3", "1_000",
		strings.Repeat("9", 41), "1\x00", "1\n",
	} {
		if a, err := money.Parse(s, "USD"); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, %v", s, a, err)
		}
	}
	for _, c := range []money.Currency{"", "US", "usd", "USDX", "U D", "ÜSD"} {
		if _, err := money.Parse("1", c); !errors.Is(err, fault.Invalid) {
			t.Errorf("currency %q: %v", c, err)
		}
	}
	if _, err := money.New(decimal.New(1, 1<<30), "USD"); !errors.Is(err, fault.Invalid) {
		t.Errorf("a number that fills the memory: %v", err)
	}
}

func TestTwoCurrenciesNeverMix(t *testing.T) {
	usd, eur := money.Must("1", "USD"), money.Must("1", "EUR")
	_, add := usd.Add(eur)
	_, sub := usd.Sub(eur)
	_, cmp := usd.Cmp(eur)
	_, none := money.Amount{}.Add(money.Amount{})
	for _, err := range []error{add, sub, cmp, none} {
		if !errors.Is(err, money.ErrMixed) || !errors.Is(err, fault.Invalid) {
			t.Error(err)
		}
	}
	if usd.Equal(eur) {
		t.Error("1 USD equals 1 EUR")
	}
}

func TestRoundingIsNamed(t *testing.T) {
	for _, c := range []struct {
		how          money.Rounding
		number, want string
	}{
		{money.HalfEven, "2.345", "2.34"}, {money.HalfEven, "2.355", "2.36"}, {money.HalfEven, "-2.345", "-2.34"},
		{money.HalfUp, "2.345", "2.35"}, {money.HalfUp, "-2.345", "-2.35"},
		{money.Down, "2.349", "2.34"}, {money.Down, "-2.349", "-2.34"},
		{money.Up, "2.341", "2.35"}, {money.Up, "-2.341", "-2.35"}, {money.Up, "2.34", "2.34"},
	} {
		got, err := money.Must(c.number, "USD").Round(c.how, 2)
		if err != nil || got.Text() != c.want {
			t.Errorf("%s %s: %s, want %s (%v)", c.number, c.how, got.Text(), c.want, err)
		}
	}
	if _, err := money.Must("1", "USD").Round("", 2); err == nil {
		t.Error("rounded without a name")
	}
}

func TestJSONCarriesTheNumberAsText(t *testing.T) {
	b, err := json.Marshal(map[string]money.Amount{"limit": money.Must("1207.44", "USD")})
	if err != nil || string(b) != `{"limit":{"amount":"1207.44","currency":"USD"}}` {
		t.Errorf("%s, %v", b, err)
	}
	var a money.Amount
	for _, s := range []string{`{"amount":1207.44,"currency":"USD"}`, `1207.44`, `{"amount":"1","currency":"usd"}`, `{"amount":"x","currency":"USD"}`, `{"amount":"1"}`} {
		if err := json.Unmarshal([]byte(s), &a); err == nil {
			t.Errorf("%s was read as %s", s, a)
		}
	}
}

func amounts(t *rapid.T, name string) money.Amount {
	return money.Must(rapid.StringMatching(`-?[0-9]{1,18}(\.[0-9]{1,15})?`).Draw(t, name), "USD")
}

func TestTheArithmeticIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := amounts(t, "a"), amounts(t, "b"), amounts(t, "c")
		add := func(x, y money.Amount) money.Amount {
			s, err := x.Add(y)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if !add(add(a, b), c).Equal(add(a, add(b, c))) || !add(a, b).Equal(add(b, a)) {
			t.Fatal("the order of adding changes the sum")
		}
		back, err := add(a, b).Sub(b)
		if err != nil || !back.Equal(a) {
			t.Fatalf("%s + %s − %s = %s", a, b, b, back)
		}
		if zero := add(a, a.Neg()); !zero.IsZero() || zero.Sign() != 0 || zero.String() != "0.00 USD" {
			t.Fatalf("a − a = %s", zero)
		}
		order, err := a.Cmp(b)
		diff, err2 := a.Sub(b)
		if err != nil || err2 != nil || order != diff.Sign() {
			t.Fatalf("%s ? %s = %d", a, b, order)
		}
	})
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := amounts(t, "a")
		text, err := money.FromText(a.Text(), string(a.Currency()))
		if err != nil || !text.Equal(a) || text.Text() != a.Text() {
			t.Fatalf("%s as text: %s, %v", a, text, err)
		}
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var again money.Amount
		if err := json.Unmarshal(b, &again); err != nil || !again.Equal(a) {
			t.Fatalf("%s as JSON: %s, %v", a, b, err)
		}
		shown := strings.NewReplacer(",", "", "−", "-", " USD", "").Replace(a.String())
		if p, err := money.Parse(shown, "USD"); err != nil || !p.Equal(a) {
			t.Fatalf("%s is shown as %s", a.Text(), a)
		}
	})
}

func TestNoAmountIsKeptAsNoAmount(t *testing.T) {
	a, err := money.FromText(money.Amount{}.Text(), "")
	if err != nil || a != (money.Amount{}) || a.Currency() != "" {
		t.Errorf("%+v, %v", a, err)
	}
	b, err := json.Marshal(money.Amount{})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &a); err != nil || a.Currency() != "" {
		t.Errorf("%s: %v", b, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1207.44", "-3", "1e9", "", "007.700"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := money.Parse(s, "USD")
		if err != nil {
			return
		}
		if again, err := money.Parse(a.Text(), "USD"); err != nil || !again.Equal(a) {
			t.Fatalf("%q became %s", s, a)
		}
	})
}
