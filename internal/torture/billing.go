package torture

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// The properties of a partner's books.
const (
	Balanced  Property = "balanced"  // postings sum to zero, and both formulas of each month are at zero
	Explained Property = "explained" // every difference has the cause that was planted, to the last digit
	Billed    Property = "billed"    // every account has one bill for each month, with a number and a file
	Replayed  Property = "replayed"  // what was billed can be worked out again, to the last digit
)

// planted are the classes that the simulated Microsoft seals, as "bridge class". What
// leads from its estimate to the usage is known per record; what leads from the usage
// to its invoice, to the cent.
var planted = []string{
	"invoice rounding", "invoice currency", "invoice marketplace", "invoice reservation", "invoice credit", "invoice tax",
	"estimate late usage", "estimate restatement", "estimate earned credit",
}

// Causes holds the causes of an invoice, summed up by "bridge class", against those that
// were planted, and says where they differ. Of the bridge from the estimate the
// simulator counts a record's last digits with whatever else changed of it; in the
// causes they are "estimate rounding".
func Causes(sealed map[string]string, found map[string]decimal.Decimal) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	apart := found["estimate rounding"]
	for _, class := range planted {
		want, err := decimal.NewFromString(sealed[class])
		if err != nil {
			say("%s: %q was planted", class, sealed[class])
			continue
		}
		d := found[class].Sub(want)
		switch estimate := strings.HasPrefix(class, "estimate"); {
		case !estimate && !d.IsZero(), estimate && d.Abs().GreaterThan(decimal.New(1, -8)):
			say("%s: %s, planted %s", class, found[class], want)
		case estimate:
			apart = apart.Add(d)
		}
	}
	if !apart.IsZero() {
		say("estimate: %s is lost between the causes", apart)
	}
	for class, amount := range found {
		if !amount.IsZero() && class != "estimate rounding" && !slices.Contains(planted, class) {
			say("%s: %s, which was not planted", class, amount)
		}
	}
	slices.Sort(wrong)
	return wrong
}
