package provision

// Points are the places at which a crash test may kill a process while it takes
// an onboarding from the first step to the last, in no order: the boundaries of
// each step; and for each thing that is done at Microsoft the moments before it is
// sent, after it is sent, after the answer, and after that was written.
func Points() []string {
	var list []string
	for _, s := range Steps {
		for _, at := range []string{":start", ":end", ":done"} {
			list = append(list, string(s)+at)
		}
	}
	for _, name := range []string{
		"create-customer", "confirm-agreement", "cart", "checkout", "access-assignment", "consent", "register", "rename", "policy", "assign", "grant", "budget",
	} {
		for _, at := range []string{":before-send", ":sent", ":after-answer", ":confirmed"} {
			list = append(list, name+at)
		}
	}
	return append(list, "registered:before-send", "registered:after-answer", "registered:confirmed", "role:before-send", "role:after-answer", "role:confirmed")
}
