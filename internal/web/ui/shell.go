package ui

// Shell is what stands around a page: who is signed in, where one can go.
type Shell struct {
	Brand         Brand
	Title         string // of the browser's tab, before the product's name
	Current       string // key of the navigation entry that is open
	Staff         bool
	Organization  string // "Contoso, Ltd.", or "Staff · all customers"
	Organizations []Link // others to switch to (GET); none: only the name is shown
	Nav           []NavGroup
	User          User
	Search        Search
	Banners       []Note // over the whole width, e.g. MFABanner
	Simulated     string // "Simulated Microsoft · 20× speed"; empty at the real one
	Toasts        []Note // said once after a redirect, e.g. "Draft saved"
}

// User is the person who is signed in.
type User struct {
	Email string
	Role  string // "Administrator", "Member", "Support", …: shown as the name
}

// Search is the box in the bar: GET Action?q=
type Search struct {
	Action      string
	Placeholder string
	Value       string
}

// NavGroup is a part of the navigation; the first has no title.
type NavGroup struct {
	Title string
	Items []NavItem
}

// NavItem is one entry. Count is shown if above zero, with CountWord for those who hear it.
type NavItem struct {
	Key       string
	Label     string
	Icon      string
	Href      string
	Count     int
	CountWord string
}

// CustomerNav is the navigation of a customer. requests = own requests that wait for an answer; bills = this
// person sees what is charged.
func CustomerNav(b Brand, requests int, bills bool) []NavGroup {
	nav := []NavGroup{
		{Items: []NavItem{
			{"providers", "Providers", "cloud", "/providers", 0, ""},
			{"requests", "Requests", "inbox", "/requests", requests, "open"},
		}},
		{Title: "Billing", Items: []NavItem{
			{"usage", "Usage", "chart-column", "/usage", 0, ""},
			{"history", "Usage History", "history", "/usage/history", 0, ""},
			{"budgets", "Budgets", "wallet", "/usage/budgets", 0, ""},
		}},
		{Title: "Organization", Items: []NavItem{
			{"accounts", b.AccountWordPlural, "landmark", "/accounts", 0, ""},
			{"people", "People and roles", "users", "/people", 0, ""},
			{"services", "Azure services offered", "shield-check", "/services", 0, ""},
		}},
	}
	if !bills {
		return append(nav[:1], nav[2:]...)
	}
	return nav
}

// StaffNav is the navigation of the partner's staff. onboardings = open ones, requests = undecided ones,
// differences = those that wait for a person.
func StaffNav(onboardings, requests, differences int) []NavGroup {
	return []NavGroup{
		{Items: []NavItem{
			{"home", "Home", "house", "/staff", 0, ""},
			{"customers", "Customers", "building-2", "/staff/customers", 0, ""},
			{"onboardings", "Onboardings", "workflow", "/staff/onboardings", onboardings, "open"},
			{"requests", "Requests", "inbox", "/staff/requests", requests, "to decide"},
			{"differences", "Both sides", "arrow-left-right", "/staff/differences", differences, "open"},
		}},
		{Title: "Billing", Items: []NavItem{
			{"billing", "Months", "chart-column", "/staff/billing", 0, ""},
			{"closing", "Month close", "calendar-check", "/staff/billing/close", 0, ""},
			{"documents", "Invoices", "receipt-text", "/staff/billing/invoices", 0, ""},
			{"prices", "Price lists", "tags", "/staff/prices", 0, ""},
			{"billing-settings", "Billing settings", "landmark", "/staff/billing/settings", 0, ""},
		}},
		{Title: "Platform", Items: []NavItem{
			{"services", "Guardrails", "shield-check", "/staff/services", 0, ""},
			{"agreements", "Agreements", "file-check", "/staff/agreements", 0, ""},
			{"eligibility", "Eligibility", "list-checks", "/staff/eligibility", 0, ""},
			{"brand", "Brand", "palette", "/staff/brand", 0, ""},
			{"microsoft", "Microsoft", "plug-zap", "/staff/microsoft", 0, ""},
			{"mail", "Mail", "mail", "/staff/mail", 0, ""},
			{"audit", "Audit", "scroll-text", "/staff/audit", 0, ""},
		}},
	}
}

// MFABanner tells staff that their sign-in has one factor only.
func MFABanner() Note {
	return Note{Tone: ToneWaiting, Icon: "shield-alert", Title: "Second factor not set up.",
		Text: "Staff sign in with a password only until two-factor sign-in is available. Use a long password of your own."}
}

// Head is the top of a page.
type Head struct {
	Crumbs  []Link // the way here; the last is the page itself and needs no Href
	Title   string
	State   State // empty: none
	Text    string
	Actions []Action
	Note    string // small, before the actions
}
