package ui_test

import (
	"causeway/internal/web/ui"
)

var roles = []ui.RoleRow{
	{"Administrator", "Create providers, accept terms, see credentials, invite people", "Approve charges without an Account Administrator"},
	{"Member", "See providers, their log and who has access", "Create, cancel, see credentials"},
	{"Account Administrator", "Approve that a CLC Account is charged; sign in for the connection", "Anything else in this portal"},
}

func restPictures() []picture {
	shell := customer
	signin := ui.SignInPage{Brand: brand, Next: "/providers", Simulated: "Simulated Microsoft", Demo: []ui.DemoSignIn{{"Customer administrator", "administrator@contoso.example", "x"}, {"Customer member", "member@contoso.example", "x"}, {"Partner owner", "owner@partner.example", "x"}}}
	wrong := signin
	wrong.Email, wrong.Error, wrong.Demo = "administrator@contoso.example", "E-mail or password is wrong. After 5 more tries you wait for 15 minutes.", nil

	requests := ui.RequestsPage{Shell: shell("Requests", "requests"),
		Filter: ui.Filter{Action: "/requests", Chips: []ui.Chip{{"All", 3, "/requests", true}, {"Open", 1, "/requests?state=open", false}, {"Decided", 2, "/requests?state=decided", false}}},
		Rows: []ui.RequestRow{
			{ID: "1", Title: "Exception for CTUK · Contoso UK Ltd.", Under: "administrator@contoso.example", State: ui.StateOpen, Line: "CenturyLink answers by 24 Nov, 17:00.", Asked: "20 Nov 2026"},
			{ID: "2", Title: "Service: Azure Databricks", Under: "administrator@contoso.example", State: ui.StateDeclined, Line: "Cannot be supported on weekends yet. Ask again in March.", Asked: "2 Oct 2026"},
			{ID: "3", Title: "Exception for CTSE · Contoso East LLC", Under: "administrator@contoso.example", State: ui.StateGranted, Line: "Credit limit confirmed by finance.", Note: "Valid until 31 Dec 2026", Asked: "11 Sep 2026", Actions: []ui.Action{{ID: "use-3", Label: "Use it", Href: "/providers"}}},
		},
		Foot: ui.Foot{Text: "1–3 of 3 requests", CSV: "#"},
		New:  ui.RequestForm{Kinds: []ui.Option{{Value: "exception", Label: "An exception for an account"}, {Value: "service", Label: "An Azure service"}, {Value: "support", Label: "Support"}}, Account: ui.Select{Options: []ui.Option{{Value: "", Label: "None"}, {Value: "CTUK", Label: "CTUK · Contoso UK Ltd."}}}},
	}
	asking := requests
	asking.New.Open, asking.New.Error = true, "Say what you need; 10 characters at least."
	noRequests := requests
	noRequests.Rows, noRequests.Foot = nil, ui.Foot{Text: "0 requests"}

	accounts := ui.AccountsPage{Shell: shell("CLC Accounts", "accounts"), Filter: ui.Filter{Action: "/accounts", Placeholder: "Alias or name", Chips: []ui.Chip{{"All", 4, "/accounts", true}, {"Can be billed", 2, "?can=yes", false}, {"Cannot", 2, "?can=no", false}}},
		Rows: []ui.AccountRow{
			{Alias: "CTSO", Name: "Contoso, Ltd.", Where: "Buffalo, NY, United States", Providers: 3, Limit: "120,000.00 USD", Allowed: true},
			{Alias: "CTSE", Name: "Contoso East LLC", Where: "Chicago, IL, United States", Parent: "CTSO", Providers: 2, Limit: "40,000.00 USD", Allowed: true},
			{Alias: "CTRP", Name: "Contoso Retail Partners", Where: "Denver, CO, United States", Parent: "TSPN", Limit: "15,000.00 USD", Reasons: []string{"CTRP is below **TSPN · Tailspin Resale**, which is a reseller account. Its customers are excluded."}},
			{Alias: "CTUK", Name: "Contoso UK Ltd.", Where: "Reading, United Kingdom", Parent: "CTSO", Limit: "0.00 USD", Reasons: []string{"The billing address is in the United Kingdom. Only addresses in the United States are served.", "The credit limit is 0.00 USD. An amount above the proposed budget is needed."}, Asked: "Exception asked 20 Nov"},
		}, Foot: ui.Foot{Text: "1–4 of 4 accounts", CSV: "#"}}
	account := ui.AccountPage{Shell: shell("CTSE", "accounts"), Alias: "CTSE", Name: "Contoso East LLC", Allowed: true,
		Facts:     []ui.KV{{Key: "Legal entity", Value: "Contoso East LLC"}, {Key: "Address", Value: "1 Lake Shore Drive, Chicago, IL 60601"}, {Key: "Country", Value: "United States"}, {Key: "Flags", Value: "billable"}, {Key: "Credit limit", Value: "40,000.00 USD"}},
		Ancestors: []ui.Link{{Label: "CTSO · Contoso, Ltd.", Href: "/accounts/CTSO"}, {Label: "CTSE · Contoso East LLC"}}, Administrators: []ui.KV{{Key: "ctso-admin", Value: "connected 23 Nov 2026"}},
		Pays: []ui.AssociationOf{{Provider: "Contoso analytics", Href: "/providers/01", Domain: "contosoanalytics.onmicrosoft.com", Tenant: "7c1e04b2-9d3f-4a61-8f0e-5d2c1b7fa90f", From: "23 Nov 2026, 00:00 UTC", State: ui.StateInProgress},
			{Provider: "Contoso archive", Href: "/providers/06", Domain: "contosoarchive.onmicrosoft.com", Tenant: "2f", Sub: "c86bb1fa-3a52-4d06-bd47-7b6c8ce15d10", From: "22 Sep 2026, 00:00 UTC", Until: "31 Dec 2026, 24:00 UTC", State: ui.StateReady}},
		Receipts: []ui.Receipt{{"CenturyLink terms, version 7", "administrator@contoso.example", "23 Nov 2026, 14:08", "#", ""}, {"Microsoft Customer Agreement", "ctso-admin", "23 Nov 2026, 14:10", "#", ""}},
		Budgets:  &ui.BudgetBar{Percent: 37, Taken: "14,900.00 of 40,000.00 USD", Note: "Sum of the monthly budgets of 3 subscriptions."}}
	refused := account
	refused.Alias, refused.Name, refused.Allowed, refused.Pays, refused.Receipts, refused.Budgets, refused.Administrators = "CTUK", "Contoso UK Ltd.", false, nil, nil, nil, nil
	refused.Reasons = accounts.Rows[3].Reasons
	refused.Exception = &ui.Note{Tone: ui.ToneWaiting, Title: "Exception asked 20 Nov 2026", Text: "CenturyLink answers by 24 Nov, 17:00. You will get a mail."}
	refused.AskOff = "An exception is already asked for."

	people := ui.PeoplePage{Shell: shell("People and roles", "people"), Roles: roles, Foot: ui.Foot{Text: "3 people"}, Rows: []ui.PersonRow{
		{Email: "administrator@contoso.example", Role: "Administrator", State: "Active", Tone: ui.ToneOK, Last: "Now", You: true, Actions: []ui.Action{{ID: "own", Label: "Change password…", Size: "sm", Dialog: "password-dialog"}}},
		{Email: "member@contoso.example", Role: "Member", State: "Active", Tone: ui.ToneOK, Last: "Yesterday, 17:20", Actions: []ui.Action{{ID: "role-2", Label: "Change role…", Size: "sm", Dialog: "role-dialog"}}},
		{Email: "cloud-team@contoso.example", Role: "Member", State: "Invited", Tone: ui.ToneWaiting, Last: "Never"}},
		Change: true, Actions: []ui.Action{{ID: "invite", Label: "Invite a person…", Icon: "user-plus", Variant: "primary", Dialog: "invite-dialog"}},
		Forms: []ui.FormDialog{{ID: "invite-dialog", Title: "Invite a person", Text: "They get a mail with a link that works for 7 days.", Action: "/people", Button: "Invite",
			Fields: []ui.Field{{ID: "invite-email", Name: "email", Label: "E-mail", Type: "email"}, {ID: "invite-role", Name: "role", Label: "Role", Type: "select", Options: []ui.Option{{Value: "member", Label: "Member"}, {Value: "administrator", Label: "Administrator"}}}}},
			{ID: "password-dialog", Title: "Change your password", Action: "/people/password", Button: "Change password", Fields: []ui.Field{{ID: "old", Label: "Present password", Type: "password"}, {ID: "new", Label: "New password", Type: "password", Hint: "At least 12 characters."}}},
			{ID: "role-dialog", Title: "Change the role of member@contoso.example", Action: "/people/2", Button: "Change role", Fields: []ui.Field{{ID: "role", Label: "Role", Type: "select", Options: []ui.Option{{Value: "member", Label: "Member"}}}}}}}

	services := ui.ServicesPage{Shell: shell("Azure services offered", "services"), Title: "Azure services offered", Version: "Version 12, in force since 1 Oct 2026", CanAsk: true, Feedback: brand.FeedbackEmail,
		Filter:  ui.Filter{Action: "/services", Placeholder: "Service or resource type", Chips: []ui.Chip{{"All", 212, "/services", true}, {"Offered", 148, "?offered=yes", false}, {"Not offered", 64, "?offered=no", false}}},
		Figures: []ui.Figure{{Label: "Services", Value: "148", Unit: "of 212", Note: "offered in version 12"}, {Label: "Regions", Value: "3", Note: "East US 2, Central US, West US 3"}, {Label: "Marketplace images", Value: "9", Note: "from 4 publishers"}},
		Groups: []ui.ServiceGroup{
			{"Compute", []ui.ServiceRow{{"Virtual Machines", "Microsoft.Compute/virtualMachines", true, "Sizes listed below", "Platform support"}, {"Virtual Machine Scale Sets", "Microsoft.Compute/virtualMachineScaleSets", true, "", "Platform support"}, {"Azure Databricks", "Microsoft.Databricks/workspaces", false, "Not supported outside office hours yet.", ""}}},
			{"Storage", []ui.ServiceRow{{"Storage accounts", "Microsoft.Storage/storageAccounts", true, "Public access is off", "Platform support"}}}},
		Regions: []string{"East US 2", "Central US", "West US 3"}, Sizes: []string{"B series", "D series, up to 16 cores"}, Foot: ui.Foot{Text: "4 of 212 services", CSV: "#"}}

	help := ui.HelpPage{Shell: shell("Help and contact", "help"), Roles: roles,
		Rules:    []string{"The billing address is in the **United States**.", "The account is billable, and neither it nor any account above it is a **reseller**, **internal** or **demo** account.", "The credit limit covers the budgets of its subscriptions."},
		InScope:  []string{"Sign-up and set-up", "Azure availability and billing", "Users and permissions", "Escalation to Microsoft"},
		OutScope: []string{"Remote administration", "Patching and monitoring of your machines"}, Phones: []ui.Pair{{"United States", "+1 800 555 0100"}, {"Europe", "+44 20 5550 0100"}}}
	public := help
	public.Public = true

	invite := people
	invite.Forms = append([]ui.FormDialog{}, people.Forms...)
	invite.Forms[0].Errors = ui.Errors{{Field: "invite-email", Label: "E-mail", Reason: "member@contoso.example is here already.", Remedy: "Change the role instead."}}

	document := ui.DocumentPage{Brand: brand, Document: partnerTerms, Hash: "51be…0c7d", Back: ui.Link{Label: "Back", Href: "/signin"}}
	within := shell("Terms", "")
	compare := ui.ComparePage{Brand: brand, Shell: &within, Title: partnerTerms.Title, Former: "Version 6, in force since 1 Feb 2026", Newer: "Version 7, in force since 1 Sep 2026", Back: ui.Link{Label: "Back", Href: "/providers"}, Changes: []ui.TextChange{
		{Section: "2. Charges", Was: "Usage is charged monthly to the CLC Account named in the order.", Is: "Usage is charged monthly to the CLC Account named in the order, as the line “Integrated Azure Services Usage”."}, {Section: "5. Off-boarding", Is: "A request ends it."}, {Section: "6. Fees", Was: "None."}}}
	existing := ui.ContactPage{Shell: shell("Existing Azure account", "providers"), Back: "/providers", Points: []string{"The domain of your Azure account", "Who is its Azure administrator", "Who supports it today, and until when"}}
	found := ui.SearchPage{Shell: shell("Search", ""), Query: "contoso", Groups: []ui.SearchGroup{{"Providers", []ui.SearchRow{{"Contoso analytics", "contosoanalytics.onmicrosoft.com", "/providers/1", "cloud", ui.StateInProgress}, {"Contoso production", "contosoprod.onmicrosoft.com", "/providers/4", "cloud", ui.StateReady}}}, {"CLC Accounts", []ui.SearchRow{{"CTSE · Contoso East LLC", "Chicago, IL", "/accounts/CTSE", "landmark", ""}}}}}

	s := customer("Not found", "")
	list := []picture{
		{"signin", ui.SignIn(signin)}, {"signin-wrong", ui.SignIn(wrong)}, {"requests", ui.Requests(requests)}, {"requests-new", ui.Requests(asking)}, {"requests-none", ui.Requests(noRequests)},
		{"accounts", ui.Accounts(accounts)}, {"account", ui.Account(account)}, {"account-refused", ui.Account(refused)}, {"people", ui.People(people)}, {"people-invite-refused", ui.People(invite)}, {"terms", ui.Terms(document)}, {"terms-compare", ui.Compare(compare)}, {"existing", ui.Existing(existing)}, {"search", ui.SearchResults(found)}, {"services", ui.Services(services)},
		{"help", ui.Help(help)}, {"help-public", ui.Help(public)},
		{"error-404", ui.Problem(ui.NotFound(brand, &s))}, {"error-403", ui.Problem(ui.Forbidden(brand, &s, "Only an Administrator of Contoso, Ltd. can see credentials. Ask one of them."))}, {"error-500", ui.Problem(ui.Broken(brand, nil, "0193c5a2-7f1e-7b3c-9a50-2f6d8e4b1c77"))},
	}
	return append(append(list, staffPictures()...), differencePictures()...)
}

func differencePictures() []picture {
	rows := []ui.DifferenceRow{
		{Href: "?open=1", Title: "Fabrikam, Inc. (FBRK)", Text: "Microsoft has the customer Fabrikam, Inc. (FBRK) (fabrikam.onmicrosoft.com), which is not known here.", Kind: "Customer", Proposal: "Adopt, for FBRK", State: ui.StateOpen, Word: "Open", Since: "12 min"},
		{Href: "?open=2", Title: "Contoso analytics", Text: "The policy “Services offered, of every kind” of “Contoso analytics” is not as it is written here: not enforced, other values.", Kind: "Guardrail", Proposal: "Repair", State: ui.StateInProgress, Word: "Being done", Since: "1 h 12 min"},
		{Href: "?open=3", Title: "tailspintoys.onmicrosoft.com", Text: "tailspintoys.onmicrosoft.com is not ours to sell to any more: its relationship is “none”.", Kind: "Relationship", Proposal: "Somebody looks", State: ui.StateOpen, Word: "Open", Since: "3 days"},
		{Href: "?open=4", Title: "Northwind orders", Text: "The user 8c2d5b1e-7a0f-4e86-9b53-0c1d2e3f4a5b has the role Owner on “Northwind orders” at Microsoft, which is not recorded here.", Kind: "Role", Proposal: "Adopt", State: ui.StateStuck, Word: "Did not work", Since: "2 h"},
	}
	page := ui.DifferencesPage{Shell: staff("Both sides", "differences"), Text: "Compared with Microsoft 12 minutes ago: 214 customers and 388 subscriptions.", List: "/staff/differences", Rows: rows,
		Notice:  ui.Note{Tone: ui.ToneInfo, Icon: "refresh-cw", Title: "1 decision is being carried out", Text: "Each line goes away when both sides agree on it."},
		Actions: []ui.Action{{ID: "adopt-matched", Label: "Adopt all matches", Post: "#"}, {ID: "repair-all", Label: "Repair all", Post: "#"}, {ID: "sweep", Label: "Compare now", Icon: "refresh-cw", Variant: "primary", Post: "#"}},
		Filter:  ui.Filter{Action: "/staff/differences", Chips: []ui.Chip{{"All open", 4, "#", true}, {"Customer", 1, "?kind=customer", false}, {"Relationship", 1, "?kind=relationship", false}, {"Guardrail", 1, "?kind=policy", false}, {"Role", 1, "?kind=grant", false}, {"Ignored", 2, "?state=ignored", false}}},
		Foot:    ui.Foot{Text: "1–4 of 4 differences", CSV: "/staff/differences/list.csv"}}
	one := page
	one.Sheet = &ui.DifferenceSheet{ID: "1", Title: "Fabrikam, Inc. (FBRK)", State: ui.StateOpen, Word: "Open", Sub: "Customer · found 12 minutes ago · last seen 12 minutes ago", Text: rows[0].Text,
		Remedy:   "Take it into the records, with the organization and the account that pay for it. Nothing is changed at Microsoft.",
		Rows:     []ui.KV{{Key: "Domain", Value: "fabrikam.onmicrosoft.com", Break: true}, {Key: "Tenant", Value: "0f4f5a1c-3c58-4c8e-9a26-1a2b3c4d5e6f", Mono: true, Copy: true}, {Key: "Country", Value: "US"}, {Key: "Matches", Value: "FBRK", Href: "/accounts/FBRK", Sub: "The company's name holds the alias FBRK."}},
		Evidence: []ui.KV{{Key: "Made", Value: "22 Nov 2026, 10:58"}, {Key: "By", Value: "agent@partner.example"}, {Key: "Correlation id", Value: "b9b0c1d2-1111-4222-8333-944455556666", Mono: true, Copy: true}},
		Account:  ui.Field{ID: "account", Label: "CLC Account that pays from today on", Hint: "Its organization becomes the customer's.", Value: "FBRK", Optional: true},
		Reason:   ui.Field{ID: "reason", Label: "Reason, to ignore it", Type: "textarea", Rows: 2, Optional: true, Hint: "An ignored difference comes back when it changes.", Error: "A difference is ignored only with a reason."},
		Errors:   ui.Errors{{Field: "reason", Label: "Reason", Reason: "A difference is ignored only with a reason.", Remedy: "Say why it may stay as it is."}},
		Buttons:  []ui.Action{{ID: "fix-adopt", Label: "Adopt", Variant: "primary", Submit: true, Form: "resolve", Name: "action", Value: "adopt"}, {ID: "fix-ignore", Label: "Ignore", Submit: true, Form: "resolve", Name: "action", Value: "ignore"}}}
	none := page
	none.Rows, none.Notice, none.Actions, none.Foot = nil, ui.Note{}, page.Actions[2:], ui.Foot{Text: "No differences"}
	none.Filter.Chips = []ui.Chip{{"All open", 0, "#", true}, {"Ignored", 2, "?state=ignored", false}}
	return []picture{{"both-sides", ui.Differences(page)}, {"both-sides-one", ui.Differences(one)}, {"both-sides-none", ui.Differences(none)}}
}

func staffPictures() []picture {
	rows := []ui.OnboardingRow{
		{ID: "1", Provider: "Tailspin web shop", Customer: "Tailspin Toys", State: ui.StateStuck, Step: "customer", Reason: "domain taken between check and creation", Account: "TSPT", Age: "3 h 12 min", Selected: true},
		{ID: "2", Provider: "Contoso retail web", Customer: "Contoso, Ltd.", State: ui.StateStuck, Step: "details", Reason: "street not recognised", Account: "CTSO", Age: "41 min", Owner: "support@partner.example"},
		{ID: "3", Provider: "Contoso analytics", Customer: "Contoso, Ltd.", State: ui.StateInProgress, Step: "guard", Reason: "policy spreading", Account: "CTSE", Age: "9 min"},
		{ID: "4", Provider: "Fabrikam ERP", Customer: "Fabrikam, Inc.", State: ui.StateInProgress, Step: "grant", Reason: "role not visible yet", Account: "FBRK", Age: "22 min"},
		{ID: "5", Provider: "Northwind orders", Customer: "Northwind Traders", State: ui.StateInProgress, Step: "plan", Reason: "validation status pending", Account: "NWTR", Age: "2 min"},
		{ID: "6", Provider: "Contoso field services", Customer: "Contoso, Ltd.", State: ui.StateWaiting, Step: "terms", Reason: "signatory, reminded 21 Nov", Account: "CTSE", Age: "4 days"},
		{ID: "7", Provider: "WWI logistics", Customer: "Wide World Importers", State: ui.StateWaiting, Step: "account", Reason: "exception: reseller above", Account: "WWIM", Age: "1 day"},
	}
	board := ui.OnboardingsPage{Shell: staff("Onboardings", "onboardings"), Text: "9 open. 2 stuck, the oldest for 3 h 12 min; the target is an answer within 4 h.", List: "/staff/onboardings",
		Filter: ui.Filter{Action: "/staff/onboardings", Placeholder: "Provider, customer, domain or request id", Chips: []ui.Chip{{"All open", 9, "#", true}, {"Stuck", 2, "#", false}, {"In progress", 3, "#", false}, {"Waiting for people", 4, "#", false}, {"Ready, 7 days", 31, "#", false}}},
		Rows:   rows, Foot: ui.Foot{Text: "1–7 of 9 onboardings", Next: "?after=7", CSV: "#"}}
	plain := board
	board.Limits = []ui.LimitRow{
		{Name: "Microsoft Partner Center, orders and carts", Sub: "all customers together", Limit: "160 a minute", Spent: 154, Of: 160, Waiting: 212, Estimate: "about 12 min", Opens: "Renewed at 14:23:10", Next: "Northwind Traders", NextHref: "/staff/onboardings/5"},
		{Name: "Microsoft Partner Center, customers", Sub: "all customers together", Limit: "500 a minute", Spent: 17, Of: 500, Opens: "Renewed at 14:23:41"},
		{Name: "Azure Resource Manager, new subscriptions", Sub: "customer b5f0a1c7-44d2-4e0b-9a6e-1d83c07e2f41", Waiting: 1, Estimate: "about 40 s", Opens: "Closed until 14:22:57", Next: "شركة الواحة للتقنية", NextHref: "/staff/onboardings/4"},
	}
	plain.Limits = board.Limits
	plain.Rows = append([]ui.OnboardingRow{}, rows...)
	plain.Rows[0].Selected = false
	board.Sheet = &ui.OnboardingSheet{ID: "1", Provider: "Tailspin web shop", State: ui.StateStuck, Sub: "Tailspin Toys · account TSPT · 3 h 12 min at step **customer**",
		Rows: []ui.KV{{Key: "Field", Value: "**Domain prefix · tailspintoys**"}, {Key: "Reason", Value: "Somebody else's tenant took tailspintoys.onmicrosoft.com between our check (10:55:02) and the creation (10:58:31)."}, {Key: "Remedy", Value: "Ask the customer for another prefix, then go on. Details stay as they are."}, {Key: "Exists at Microsoft", Value: "Nothing.", Sub: "No customer with our correlation id in the audit records, read 10:58:40."}, {Key: "Waits on this", Value: "Tailspin analytics, same legal entity"}},
		Exchange: &ui.Exchange{Title: "try 1 of 1", Parts: []ui.ExchangePart{
			{Line: "POST /v1/customers", At: "10:58:31.204", Headers: []ui.Pair{{"MS-RequestId", "5f0c9b1e-…-71aa"}, {"MS-CorrelationId", "c2d4417f-…-09b3"}, {"Authorization", ui.Removed}}, Body: `{"companyProfile":{"domain":"tailspintoys.onmicrosoft.com"},` + "\n" + ` "billingProfile":{"email":` + ui.Removed + `,"companyName":"Tailspin Toys"…}}`},
			{Line: "409 Conflict", At: "10:58:32.017", Body: `{"code":600002,"description":"The domain prefix is already in use."}`}}},
		EditTitle: "New prefix", Edit: []ui.Field{{ID: "prefix", Label: "New prefix", Value: "tailspintoysus", Suffix: ".onmicrosoft.com"}}, Check: true, EditState: ui.DomainState{Tone: ui.ToneOK, Text: "Free a moment ago. The customer confirms it, because it is permanent."}, EditLabel: "Send to customer",
		History:  []ui.LogLine{{At: "10:55:02", Text: "Domain asked at Microsoft: free"}, {At: "10:58:31", Text: "Create customer sent, refused 0.8 s later"}, {At: "10:58:40", Text: "Audit records read: no customer of ours"}, {At: "10:58:41", Text: "Stuck. Support and the customer's Administrator told"}},
		RetryOff: "Try again is off: the same prefix would be refused again.", Take: true,
		Cancel: ui.CancelInfo{Lost: []string{"The order. Nothing exists at Microsoft."}, Kept: []string{"The draft's details, for 30 days."}, Told: "The Administrator of Tailspin Toys gets a mail with your reason."}}

	request := ui.StaffRequestsPage{Shell: staff("Requests", "requests"), Text: "4 to decide, the oldest since 20 Nov. The target is an answer within two working days.", List: "/staff/requests",
		Filter: ui.Filter{Action: "/staff/requests", Placeholder: "Customer or account", Chips: []ui.Chip{{"To decide", 4, "#", true}, {"Granted", 12, "#", false}, {"Declined", 3, "#", false}, {"Expired", 2, "#", false}}},
		Rows: []ui.RequestRow{{ID: "1", Title: "Exception for CTUK · Contoso UK Ltd.", Under: "administrator@contoso.example", Who: "Contoso, Ltd.", State: ui.StateOpen, Line: "Territory, credit limit", Note: "Answer by 24 Nov, 17:00", Asked: "20 Nov 2026", Href: "/staff/requests?open=1"},
			{ID: "2", Title: "Service: Azure Databricks", Under: "administrator@fabrikam.example", Who: "Fabrikam, Inc.", State: ui.StateOpen, Line: "For a proof of concept until March", Note: "Answer by 25 Nov, 12:00", Asked: "23 Nov 2026", Href: "/staff/requests?open=2"}},
		Foot: ui.Foot{Text: "1–2 of 4 requests", CSV: "#"}}
	deciding := request
	deciding.Sheet = &ui.RequestSheet{ID: "1", Title: "Exception for CTUK", State: ui.StateOpen, Sub: "Contoso, Ltd. · asked 20 Nov 2026 by administrator@contoso.example · answer by **24 Nov, 17:00**",
		Text: "Our UK office takes over the data platform in December. We need one subscription there, about 800 USD a month.", Reasons: []string{"The billing address is in the United Kingdom. Only addresses in the United States are served.", "The credit limit is 0.00 USD. An amount above the proposed budget is needed."},
		Account: []ui.KV{{Key: "Account", Value: "CTUK · Contoso UK Ltd."}, {Key: "Address", Value: "Reading, RG1 1AA, United Kingdom"}, {Key: "Parent", Value: "CTSO · Contoso, Ltd.", Sub: "billable"}, {Key: "Other providers", Value: "7", Sub: "none stuck by payment"}},
		Decide:  true, Reason: ui.Field{ID: "reason", Label: "Reason, as the customer will read it", Type: "textarea", MaxLength: 1000}, Until: ui.Field{ID: "until", Label: "Valid until", Type: "date", Value: "2026-12-31", Hint: "A grant ends on this day, end of day UTC. Providers made before stay."},
		History: []ui.LogLine{{At: "20 Nov 2026, 09:14", Text: "Asked in the wizard of Contoso analytics"}, {At: "20 Nov 2026, 09:14", Text: "Mail to cloudintegration@partner.example"}}}

	home := ui.StaffHomePage{Shell: staff("Home", "home"),
		Figures: []ui.Figure{{Label: "Open onboardings", Value: "9", Note: "now", Href: "/staff/onboardings"}, {Label: "Stuck", Value: "2", Note: "oldest 3 h 12 min", Href: "/staff/onboardings?state=stuck", Tone: ui.ToneStuck}, {Label: "Requests to decide", Value: "4", Note: "oldest since 20 Nov", Href: "/staff/requests"}, {Label: "Ready in 7 days", Value: "31", Note: "16 to 22 Nov; 8 of 10 within 19 min"}},
		Stuck:   plain.Rows[:2], Requests: request.Rows, HealthAt: "Looked at 2 minutes ago",
		Health: []ui.Check{{State: ui.StateReady, Title: "Partner token", Text: "Fresh, with MFA, renewed 13:58"}, {State: ui.StateReady, Title: "Webhooks", Text: "Registered, last event 14:12"}, {State: ui.StateWaiting, Title: "GDAP group", Text: "14 people; the relationship of 1 customer ends in 20 days.", Link: ui.Link{Label: "Customers", Href: "/staff/customers"}}, {State: ui.StateStuck, Title: "Mail", Text: "3 mails wait; the server refused at 14:01."}},
		Events: []ui.LogLine{{At: "14:20", Text: "Contoso analytics: guardrail asked 12 times"}, {At: "14:02", Text: "Northwind orders started"}}}
	home.Shell.Banners = []ui.Note{ui.MFABanner()}

	customers := ui.CustomersPage{Shell: staff("Customers", "customers"), Filter: ui.Filter{Action: "/staff/customers", Placeholder: "Name, domain, tenant or account", Chips: []ui.Chip{{"All", 214, "#", true}, {"With stuck work", 2, "#", false}}},
		Rows: []ui.CustomerRow{{Name: "Contoso, Ltd.", Href: "#", Domain: "contosoprod.onmicrosoft.com", Tenants: 3, Providers: 7, State: ui.StateStuck, Line: "1 of 7 providers", Accounts: "CTSO, CTSE", Since: "11 Mar 2026"}, {Name: "富士山クラウド株式会社", Href: "#", Domain: "fujisancloud.onmicrosoft.com", Tenants: 1, Providers: 2, State: ui.StateReady, Accounts: "FJSN", Since: "4 Oct 2026"}, {Name: "شركة الواحة للتقنية", Href: "#", Domain: "alwaha.onmicrosoft.com", Tenants: 1, Providers: 1, State: ui.StateInProgress, Line: "step 3 of 5", Accounts: "ALWH", Since: "23 Nov 2026"}},
		Foot: ui.Foot{Text: "1–3 of 214 customers", Next: "#", CSV: "#"}}

	one := ui.CustomerPage{Shell: staff("Contoso, Ltd.", "customers"), Name: "Contoso, Ltd.", Facts: []ui.KV{{Key: "Since", Value: "11 Mar 2026"}, {Key: "Country", Value: "United States"}}, Tenants: []ui.KV{{Key: "Contoso, Ltd.", Value: "contosoprod.onmicrosoft.com", Break: true, Below: "b5f0a1c7-44d2-4e0b-9a6e-1d83c07e2f41", Copy: true}},
		Providers: []ui.ProviderRow{{ID: "4", Name: "Contoso production", Under: "contosoprod.onmicrosoft.com", State: ui.StateReady, Account: "CTSO", AccountName: "Contoso, Ltd.", Changed: "18 Nov 2026", ChangedBy: "Administrator"}},
		Accounts:  []ui.AccountRow{{Alias: "CTSO", Name: "Contoso, Ltd.", Where: "Buffalo, NY", Providers: 3, Limit: "120,000.00 USD", Allowed: true}},
		People:    []ui.PersonRow{{Email: "administrator@contoso.example", Role: "Administrator", State: "Active", Tone: ui.ToneOK, Last: "Now"}}, Requests: request.Rows[:1]}
	outbox := ui.OutboxPage{Shell: staff("Mail", "mail"), Filter: ui.Filter{Action: "/staff/mail", Chips: []ui.Chip{{"All", 214, "#", true}, {"Given up", 1, "#", false}}}, Foot: ui.Foot{Text: "1–2 of 214 mails"},
		Rows: []ui.MailRow{{ID: "1", To: "legal@contoso.example", Subject: "Please sign for Contoso East LLC", State: ui.StateStuck, Word: "Given up", Answer: "550 5.1.1 no such user", Made: "Today, 13:58", Actions: []ui.Action{{ID: "again-1", Label: "Send again", Post: "/staff/mail/1/retry"}}}, {ID: "2", To: "administrator@contoso.example", Subject: "Contoso production is ready", State: ui.StateReady, Word: "Sent", Made: "18 Nov 2026"}}}

	brandPage := ui.SettingsPage{Shell: staff("Brand", "brand"), Title: "Brand", Text: "Every word, address and colour that customers see. Changes show at once.", Action: "/staff/brand", Version: "4", Saved: "Version 4, saved by owner@partner.example on 20 Nov 2026, 11:02",
		Groups: []ui.FormGroup{
			{Title: "Names", Fields: []ui.Field{{ID: "product", Label: "Name of the portal", Value: brand.Product, Span: "3"}, {ID: "partner", Label: "Your company", Value: brand.Partner, Span: "3"}, {ID: "account_word", Label: "Word for a billing account", Value: "CLC Account", Span: "3"}, {ID: "account_word_plural", Label: "The same, plural", Value: "CLC Accounts", Span: "3"}}},
			{Title: "Colour", Text: "One accent, once for each theme. It is refused below 4.5 to 1 on card and canvas, and under its own button text.", Fields: []ui.Field{{ID: "accent_light", Label: "Accent, light theme", Value: "#3451d1", Span: "3", KeepSpan: true, Spellfree: true}, {ID: "accent_dark", Label: "Accent, dark theme", Value: "#7a7a7a", Span: "3", KeepSpan: true, Spellfree: true, Error: "On the card its contrast is 3.8 to 1; 4.5 to 1 is needed. Choose a lighter colour."}}},
			{Title: "Contact", Fields: []ui.Field{{ID: "contact_email", Label: "Special considerations", Type: "email", Value: brand.ContactEmail, Span: "3"}, {ID: "feedback_email", Label: "Wishes for services", Type: "email", Value: brand.FeedbackEmail, Span: "3"}}}},
		Errors:  ui.Errors{{"accent_dark", "Accent, dark theme", "On the card its contrast is 3.8 to 1; 4.5 to 1 is needed.", "Choose a lighter colour."}},
		Preview: &ui.Preview{Light: []ui.Pair{{"card", "6.5 to 1"}, {"canvas", "6.1 to 1"}}, Dark: []ui.Pair{{"card", "8.1 to 1"}, {"canvas", "9.1 to 1"}}}}
	eligibility := ui.SettingsPage{Shell: staff("Eligibility", "eligibility"), Title: "Eligibility", Text: "Who may onboard. All failing rules are shown to the customer at once, by name.", Action: "/staff/eligibility", Version: "9", Saved: "Version 9, saved by owner@partner.example on 1 Oct 2026, 08:30", Off: "Only the owner can change the rules.",
		Groups: []ui.FormGroup{
			{Title: "Territory", Text: "Decided by the billing address of the account.", Fields: []ui.Field{{ID: "countries", Label: "Countries served", Value: "US", Hint: "Two-letter codes, separated by spaces. Each needs a published agreement.", Spellfree: true}}},
			{Title: "Accounts", Checks: []ui.CheckField{{ID: "refuse_reseller", Label: "Refuse resellers and their customers", Text: "The account or any account above it.", On: true}, {ID: "refuse_demo", Label: "Refuse demo accounts", On: true}, {ID: "refuse_internal", Label: "Refuse internal accounts", On: true}, {ID: "refuse_public", Label: "Refuse public-sector accounts", Off: "Needs the agreement for public sector."}}},
			{Title: "Limits", Fields: []ui.Field{{ID: "per_account", Label: "Onboardings per account and day", Type: "number", Value: "5", Span: "3", KeepSpan: true}, {ID: "per_org", Label: "Tenants per legal entity", Type: "number", Value: "1", Span: "3", KeepSpan: true}}}},
		Panel: []ui.Section{{Title: "What a change does", Items: []string{"Accounts are judged anew at once.", "Orders that run are not stopped.", "Granted exceptions stay until their day."}}}}

	agreements := ui.AgreementsPage{Shell: staff("Agreements", "agreements"), Foot: ui.Foot{Text: "3 versions"}, Notice: ui.Note{Tone: ui.ToneInfo, Inline: true, Title: "Microsoft's agreement", Text: "is read from Microsoft with its version and date at each order; nothing is kept here."},
		Rows: []ui.AgreementRow{{Title: "Cloud Integration terms", Country: "United States", Version: "8", From: "1 Jan 2027", State: ui.StateDraft, Word: "To come", Accepted: "nobody yet", Hash: "9f2c…41aa", Href: "#"}, {Title: "Cloud Integration terms", Country: "United States", Version: "7", From: "1 Sep 2026", State: ui.StateReady, Word: "In force", Accepted: "214 accounts", Hash: "51be…0c7d", Href: "#"}, {Title: "Cloud Integration terms", Country: "United States", Version: "6", From: "1 Feb 2026", State: ui.StateExpired, Word: "Replaced", Accepted: "180 accounts", Hash: "e07a…b912", Href: "#"}}}
	newVersion := agreements
	newVersion.New = ui.AgreementForm{Open: true, Fields: []ui.Field{{ID: "country", Label: "Country", Type: "select", Span: "3", Value: "US", Options: []ui.Option{{Value: "US", Label: "United States"}, {Value: "GB", Label: "United Kingdom"}}}, {ID: "from", Label: "In force from", Type: "date", Span: "3", Value: "2027-01-01"}, {ID: "title", Label: "Title", Value: "Cloud Integration terms"}, {ID: "text", Label: "Text", Type: "textarea", Rows: 10, Hint: "Lines that begin with # are headings. It can never be edited afterwards."}}}

	audit := ui.AuditPage{Shell: staff("Audit", "audit"), Chain: ui.Note{Tone: ui.ToneOK, Icon: "link", Inline: true, Title: "The chain is whole.", Text: "18,204 entries checked 11 minutes ago; the last signed head left the database at 14:00."},
		Filter: ui.Filter{Action: "/staff/audit", Placeholder: "Person, action or object", Select: ui.Select{Name: "days", Label: "Period", Value: "7", Options: []ui.Option{{Value: "1", Label: "Today"}, {Value: "7", Label: "7 days"}, {Value: "", Label: "All"}}}},
		Rows:   []ui.AuditRow{{At: "23 Nov 2026, 14:11:02", Who: "administrator@contoso.example", Via: "portal, 198.51.100.7", Act: "Created provider", What: "Contoso analytics", Where: "Contoso, Ltd.", Number: "18,204", Hash: "a91f…02bc"}, {At: "23 Nov 2026, 14:10:40", Who: "platform", Via: "worker 2", Act: "Acceptance recorded", What: "Microsoft Customer Agreement for CTSE", Where: "Contoso, Ltd.", Number: "18,203", Hash: "77d0…e1a4"}},
		Foot:   ui.Foot{Text: "1–2 of 18,204 entries", Next: "#", CSV: "#"}}

	return []picture{{"staff-home", ui.StaffHome(home)}, {"staff-customers", ui.Customers(customers)}, {"staff-customer", ui.Customer(one)}, {"staff-mail", ui.Outbox(outbox)}, {"staff-onboardings", ui.Onboardings(plain)}, {"staff-onboardings-sheet", ui.Onboardings(board)}, {"staff-requests", ui.StaffRequests(request)}, {"staff-requests-sheet", ui.StaffRequests(deciding)},
		{"staff-brand", ui.Settings(brandPage)}, {"staff-eligibility", ui.Settings(eligibility)}, {"staff-agreements", ui.Agreements(agreements)}, {"staff-agreements-new", ui.Agreements(newVersion)}, {"staff-audit", ui.Audit(audit)}}
}
