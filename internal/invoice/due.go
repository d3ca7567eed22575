package invoice

import (
	"cmp"
	"fmt"
	"slices"

	"causeway/internal/fault"
	"causeway/internal/usage"
)

// Way is when a month of usage is billed.
type Way string

// The three ways.
const (
	// MonthEnd bills the newest estimate at the end of the month; the difference to
	// Microsoft's invoice is a line of the next invoice.
	MonthEnd Way = "month-end"
	// Arrears waits for Microsoft's invoice, and bills it some months later: 0 to 2.
	Arrears Way = "arrears"
	// Settle bills the estimate as MonthEnd does, and the difference at once, in a
	// document of its own, when Microsoft's invoice is there.
	Settle Way = "settle"
)

// Pattern is a way with its months.
type Pattern struct {
	Way    Way `json:"way"`
	Months int `json:"months,omitempty"` // of Arrears
}

// Switch says which pattern holds for the usage from a month on. A pattern belongs to
// the month of the service, so a switch never changes how an earlier month is billed.
type Switch struct {
	From    usage.Month `json:"from"` // "" = from the beginning
	Pattern Pattern     `json:"pattern"`
}

// What is due of a month.
type What string

// A month is billed once, and corrected as often as it changes.
const (
	First  What = "first"
	Update What = "update"
)

// Due is one thing that an invoice has to hold.
type Due struct {
	Service  usage.Month // the month of the usage
	What     What
	Estimate bool // from unbilled data; else Microsoft's invoice must be there
	Own      bool // in a document of its own
}

// updates is for how many months after its bill a month is still corrected.
// Microsoft restates for at most a few; what is unchanged makes no line.
const updates = 12

// DueAt says what the invoice that closes a month holds: months billed for the first
// time before corrections, newest before older.
func DueAt(switches []Switch, closing usage.Month) []Due {
	var all []Due
	for back := 0; back <= updates+2; back++ {
		m := closing.Add(-back)
		p, ok := inForce(switches, m)
		if !ok {
			continue
		}
		lag := 0
		if p.Way == Arrears {
			lag = p.Months
		}
		switch {
		case back == lag:
			all = append(all, Due{Service: m, What: First, Estimate: p.Way != Arrears})
			if p.Way == Settle {
				all = append(all, Due{Service: m, What: Update, Own: true})
			}
		case back > lag && back <= lag+updates:
			all = append(all, Due{Service: m, What: Update})
		}
	}
	slices.SortStableFunc(all, func(a, b Due) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

func rank(d Due) int {
	switch {
	case d.Own:
		return 2
	case d.What == Update:
		return 1
	}
	return 0
}

func inForce(switches []Switch, m usage.Month) (Pattern, bool) {
	var best Switch
	found := false
	for _, s := range switches {
		if s.From <= m && (!found || s.From >= best.From) {
			best, found = s, true
		}
	}
	return best.Pattern, found
}

// CheckSwitches refuses a list of patterns that is not clear, and a change of a
// month that was billed already: billed is the last such month, "" = none.
func CheckSwitches(before, after []Switch, billed usage.Month) error {
	var all []fault.Refusal
	refuse := func(reason, remedy string, args ...any) {
		all = append(all, fault.Refusal{Field: "pattern", Reason: fmt.Sprintf(reason, args...), Remedy: remedy})
	}
	seen := map[usage.Month]bool{}
	for _, s := range after {
		switch {
		case s.From != "" && s.From.Check() != nil:
			refuse("%q is not a month.", "Write it like 2026-11: a pattern holds for whole months.", string(s.From))
		case seen[s.From]:
			refuse("Two patterns begin in %s.", "Leave one of them out.", s.From)
		case s.Pattern.Way != MonthEnd && s.Pattern.Way != Arrears && s.Pattern.Way != Settle:
			refuse("%q is no pattern.", "Choose month-end, arrears or settle.", string(s.Pattern.Way))
		case s.Pattern.Way == Arrears && (s.Pattern.Months < 0 || s.Pattern.Months > 2):
			refuse("Arrears of %d months are not possible.", "Choose 0, 1 or 2.", s.Pattern.Months)
		case s.Pattern.Way != Arrears && s.Pattern.Months != 0:
			refuse("Only arrears have months.", "Leave the months out.")
		}
		seen[s.From] = true
	}
	if billed != "" && len(all) == 0 {
		for back := 0; back <= updates; back++ {
			m := billed.Add(-back)
			was, ok := inForce(before, m)
			is, still := inForce(after, m)
			if ok && (!still || was != is) {
				refuse("%s was billed already, so its pattern stays.", "Let the new pattern begin with a month that is not billed yet.", m)
				break
			}
		}
	}
	if len(all) > 0 {
		return fault.Refuse(all...)
	}
	return nil
}

// String is the pattern in a word: "month-end", "arrears 1", "settle".
func (p Pattern) String() string {
	if p.Way == Arrears {
		return fmt.Sprintf("%s %d", p.Way, p.Months)
	}
	return string(p.Way)
}
