package azure

import (
	"strings"
)

var _ = strings.ToLower

// Explanation is what one of Microsoft's codes means and what to do about it.
type Explanation struct {
	Code   string
	Class  Class
	Soon   bool   // the class holds only soon after a creation or a change of rights; later it is final
	Vague  bool   // a general code: the details say more
	Field  string // field of our form, "" if none is at fault
	Reason string // a sentence, for staff and, where a field is named, for customers
	Remedy string // a sentence
}

func Explain(code string) (Explanation, bool) { return Explanation{}, false }

const CodeNoMFA = "900421"
