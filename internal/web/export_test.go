package web

import "causeway/internal/account"

// Route is one line of the table of addresses, for the test that walks all of them.
type Route struct {
	Pattern string
	Who     string
	Act     account.Action
}

// Routes is every address of the portal.
func Routes() []Route {
	var list []Route
	for _, r := range (&Server{}).routes() {
		list = append(list, Route{r.pattern, string(r.who), r.act})
	}
	return list
}
