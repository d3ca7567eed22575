package ui_test

import (
	"time"

	"causeway/internal/web/ui"
)

func wizard(step string, chosen map[string]string, panel []ui.Section) ui.Wizard {
	return ui.Wizard{Shell: customer("New provider", "providers"), ID: "01", Step: step, Steps: ui.WizardSteps(brand, chosen), Saved: "14:06", Panel: panel}
}

func chosen(n int) map[string]string {
	out := map[string]string{}
	for i, p := range []ui.Pair{{"type", "Azure Resource Manager"}, {"mode", "Create a new Azure customer account"}, {"name", "Contoso analytics"}, {"account", "CTSE · Contoso East LLC"}, {"details", "contosoanalytics.onmicrosoft.com"}, {"terms", "Both accepted"}} {
		if i < n {
			out[p.Name] = p.Value
		}
	}
	return out
}

var presets = []ui.Preset{
	{"Small", "East US 2", "2 cores, 8 GiB", "10.20.0.0/24, no inbound"},
	{"Standard", "East US 2", "4 cores, 16 GiB", "10.20.1.0/24, HTTPS inbound"},
	{"Large", "Central US", "16 cores, 64 GiB", "10.20.2.0/24, HTTPS inbound"},
}

var partnerTerms = ui.Document{
	Title: "CenturyLink Cloud Integration terms", Version: "7", Facts: "Version 7 · in force since 1 Sep 2026 · United States",
	Sections: []ui.DocSection{
		{"1. What you order", []string{"An Azure tenant and subscription in your company's name, provided under CenturyLink's agreement with Microsoft. CenturyLink bills the usage and is the first contact for Azure support."}},
		{"2. Charges", []string{"Usage is charged monthly to the CLC Account named in the order, as the line “Integrated Azure Services Usage”. Usage that Microsoft reports late appears in the next month as “Update to previous month”."}},
		{"3. Access", []string{"CenturyLink holds the roles listed on the provider's page for as long as it supports the account."}},
	},
	Pages: "4 pages", AllURL: "#", PDF: "#", Changes: "Changed since version 6: section 2.", CompareURL: "#",
	AcceptTitle: "I accept version 7 for Contoso East LLC", AcceptText: "as Administrator of Contoso, Ltd., with ctso-admin as Account Administrator of CTSE", Accepted: true,
}

func wizardPictures() []picture {
	var list []picture
	types := ui.WizardTypePage{Wizard: wizard("type", nil, []ui.Section{{Title: "What is a provider?", Paragraphs: []string{"A named connection to a cloud account. You see it in your list, give people access to it, and find its costs under its name."}}}), Choices: []ui.Choice{
		{Value: "azure", Title: "Azure Resource Manager", Text: "Virtual machines, storage, networks, databases and the other services of Microsoft Azure.", Checked: true},
		{Value: "aws", Title: "Amazon Web Services", Text: "Accounts at Amazon.", Off: "CenturyLink does not offer it in this portal yet."},
		{Value: "google", Title: "Google Compute", Text: "Projects at Google.", Off: "CenturyLink does not offer it in this portal yet."},
	}}
	list = append(list, picture{"wizard-1-type", ui.WizardType(types)})
	modes := ui.WizardModePage{Wizard: wizard("mode", chosen(1), []ui.Section{
		{Title: "What happens next", Ordered: true, Items: []string{"You give it a name.", "An Account Administrator connects the CLC Account that pays.", "You accept two sets of terms."}}}),
		Choices: []ui.Choice{
			{Value: "new", Title: brand.ModeNew, Tag: "Supported and billed by CenturyLink", Text: "Microsoft opens a tenant and a subscription in your company's name.", Good: []string{"One monthly line on your CLC Account", "CenturyLink is the first contact for Azure", "Ready in 10 to 35 minutes"}, Checked: true},
			{Value: "existing", Title: brand.ModeExisting, Text: "You have an Azure account already and want it supported and billed here.", Bad: []string{"Not by this form yet"}, Off: "Moving an existing account is done by our staff, together with its Azure administrator.", Link: ui.Link{Label: "Contact your representative", Href: brand.Contact()}},
		}}
	list = append(list, picture{"wizard-2-mode", ui.WizardMode(modes)})
	second := modes
	second.Note = &ui.Note{Tone: ui.ToneRunning, Icon: "info", Title: "Contoso, Ltd. already has an Azure customer account", Text: "contosoprod.onmicrosoft.com, with 2 subscriptions. For the same legal entity this adds a subscription to it and makes no second account."}
	list = append(list, picture{"wizard-2-mode-second", ui.WizardMode(second)})
	name := ui.WizardNamePage{Wizard: wizard("name", chosen(2), []ui.Section{{Title: "A good name", Items: []string{"says what it is for: **Contoso analytics**", "is different from your other providers", "has at most 64 characters, in any script"}}}),
		Name: ui.Field{ID: "name", Label: "Name of the provider", Value: "Contoso analytics", MaxLength: 64, Focus: true, Hint: "At most 64 characters. People who work with it see it everywhere."}, Presets: presets}
	list = append(list, picture{"wizard-3-name", ui.WizardName(name)})
	bad := name
	bad.Wizard.Errors = ui.Errors{{"name", "Name of the provider", "“Contoso production” is the name of another provider of yours.", "Choose a different one."}}
	bad.Name.Value, bad.Name.Error = "Contoso production", bad.Wizard.Errors.For("name")
	list = append(list, picture{"wizard-3-name-refused", ui.WizardName(bad)})

	pick := ui.WizardAccountPage{
		Wizard: wizard("account", chosen(3), []ui.Section{
			{Title: "What happens next", Ordered: true, Items: []string{"You check the details we send to Microsoft, filled in from CTSE.", "You accept CenturyLink's and Microsoft's terms.", "We set Azure up, usually in 10 to 35 minutes. You can watch or leave."}},
			{Title: "Who pays", Paragraphs: []string{"Contoso East LLC (CTSE), monthly, at list price in USD. One invoice line: **Integrated Azure Services Usage**.", "12,400.00 of the limit of 40,000.00 is taken by two other providers."}},
			{Title: "What can be undone", Items: []string{"**Until you create:** everything.", "**Later:** name, budget, and the account that pays, from any UTC day on.", "**Never:** the domain name at Microsoft."}}}),
		Chosen:     []ui.Pair{{"Provider type", "Azure Resource Manager"}, {"Azure account", "Create a new Azure customer account"}, {"Name", "Contoso analytics"}},
		Connection: &ui.Connection{User: "ctso-admin", At: "14:06", Until: time.Now().Add(12 * time.Minute), Left: "12 more minutes"},
		Can: []ui.AccountChoice{
			{Alias: "CTSE", Name: "Contoso East LLC", Facts: "1 Lake Shore Drive, Chicago, IL 60601 · 2 providers · parent CTSO", Side: "Credit limit 40,000.00 USD", Checked: true},
			{Alias: "CTSO", Name: "Contoso, Ltd.", Facts: "4567 Main Street, Buffalo, NY 14201 · 3 providers", Side: "Credit limit 120,000.00 USD"}},
		Cannot: []ui.AccountChoice{
			{Alias: "CTRP", Name: "Contoso Retail Partners", Where: "Denver, CO", Reasons: []string{"CTRP is below **TSPN · Tailspin Resale**, which is a reseller account. Its customers are excluded."}},
			{Alias: "CTUK", Name: "Contoso UK Ltd.", Where: "Reading, RG1 1AA", Reasons: []string{"The billing address is in the United Kingdom. Only addresses in the United States are served.", "The credit limit is 0.00 USD. An amount above the proposed budget is needed."}, Asked: "Exception asked 20 Nov", Note: "CenturyLink answers by 24 Nov, 17:00. You will get a mail."},
			{Alias: "CTDM", Name: "Contoso Demo", Where: "Buffalo, NY", Reasons: []string{"CTDM is a demo account. Demo accounts are not billed."}}},
		Budget:        ui.Field{ID: "budget", Label: "Monthly budget", Value: "2,500.00", Suffix: "USD", Inputmode: "decimal", Hint: "You are told at 50, 80 and 100 %. It does not stop usage. All budgets of an account stay within its credit limit."},
		InviteSubject: "Connect%20a%20CLC%20Account",
	}
	pick.Wizard.Next = ui.Action{Label: "Continue with CTSE", Follow: "account"}
	list = append(list, picture{"wizard-4-account", ui.WizardAccount(pick)})
	connect := pick
	connect.Connection, connect.Can, connect.Cannot = nil, nil, nil
	connect.Wizard.Next = ui.Action{Off: "Connect a CLC Account to continue"}
	list = append(list, picture{"wizard-4-connect", ui.WizardAccount(connect)})
	refused := connect
	refused.ConnectUser, refused.ConnectError = "ctso-viewer", "**ctso-viewer** is not an Account Administrator of any account. Ask a person who is, or have the role given to you."
	refused.ConnectLink = ui.Link{Label: "Find your account's administrator", Href: "/help#administrator"}
	list = append(list, picture{"wizard-4-connect-refused", ui.WizardAccount(refused)})

	details := ui.WizardDetailsPage{
		Wizard: wizard("details", chosen(4), []ui.Section{
			{Title: "Why Microsoft asks", Paragraphs: []string{"The account at Microsoft is in your company's name. Microsoft checks the address and refuses what it cannot find."}},
			{Title: "What can be undone", Items: []string{"**Until you create:** everything.", "**Later:** company, address and contact.", "**Never:** the domain name."}}}),
		Account:   "CTSE · Contoso East LLC",
		Domain:    ui.Field{ID: "prefix", Label: "Domain prefix", Value: "contosoanalytics", Suffix: ".onmicrosoft.com", Hint: "3 to 27 letters and digits.", Spellfree: true, MaxLength: 27},
		DomainNow: ui.DomainState{Tone: ui.ToneOK, Text: "contosoanalytics.onmicrosoft.com is free, asked 14:09."},
		Company:   []ui.Field{{ID: "company", Label: "Company name", Value: "Contoso East LLC", Complete: "organization", Span: "4"}, {ID: "registration_number", Label: "Registration number", Optional: true, Span: "2", Hint: "Not asked for in the United States."}},
		Country:   "the United States",
		Address: []ui.Field{{ID: "address_line1", Label: "Street address", Value: "1 Lake Shore Drive", Complete: "address-line1"}, {ID: "address_line2", Label: "Suite or floor", Optional: true, Complete: "address-line2"},
			{ID: "city", Label: "City", Value: "Chicago", Complete: "address-level2", Span: "2"}, {ID: "state", Label: "State", Type: "select", Value: "IL", Options: []ui.Option{{Value: "IL", Label: "Illinois"}, {Value: "NY", Label: "New York"}}, Span: "2", KeepSpan: true}, {ID: "postal_code", Label: "ZIP code", Value: "60601", Complete: "postal-code", Inputmode: "numeric", Span: "2", KeepSpan: true}},
		Contact:   []ui.Field{{ID: "first_name", Label: "First name", Value: "Account", Complete: "given-name", Span: "3"}, {ID: "last_name", Label: "Last name", Value: "Administrator", Complete: "family-name", Span: "3"}, {ID: "email", Label: "E-mail", Type: "email", Value: "administrator@contoso.example", Complete: "email", Span: "3"}, {ID: "phone", Label: "Phone", Type: "tel", Value: "+1 312 555 0100", Complete: "tel", Span: "3", Hint: "With the country's code."}},
		Signatory: []ui.Field{{ID: "signatory_first", Label: "First name", Span: "3"}, {ID: "signatory_last", Label: "Last name", Span: "3"}, {ID: "signatory_email", Label: "E-mail", Type: "email"}},
		SameSign:  true,
		Language:  []ui.Field{{ID: "language", Label: "Language of Microsoft's mails", Type: "select", Value: "en", Options: []ui.Option{{Value: "en", Label: "English"}, {Value: "es", Label: "Spanish"}}, Span: "3"}},
	}
	list = append(list, picture{"wizard-5-details", ui.WizardDetails(details)})
	wrong := details
	wrong.Wizard.Errors = ui.Errors{
		{"prefix", "Domain prefix", "“contoso” belongs to somebody else's tenant.", "Choose another prefix."},
		{"permanent", "Permanent", "Confirm that the prefix is permanent.", ""},
		{"postal_code", "ZIP code", "60601-12 is not a ZIP code.", "Write five digits, or five and four as in 60601-1234."},
	}
	wrong.Domain.Value, wrong.Domain.Error, wrong.DomainNow, wrong.ConfirmErr = "contoso", wrong.Wizard.Errors.For("prefix"), ui.DomainState{}, "Confirm that the prefix is permanent."
	wrong.Address = append([]ui.Field{}, details.Address...)
	wrong.Address[4].Value, wrong.Address[4].Error = "60601-12", wrong.Wizard.Errors.For("postal_code")
	wrong.SameSign = false
	wrong.Suggestion = &ui.AddressSuggestion{Sent: []string{"1 Lake Shore Drive", "Chicago, IL 60601-12"}, Suggested: []string{"1 N Lake Shore Dr", "Chicago, IL 60611-1234"}}
	list = append(list, picture{"wizard-5-details-refused", ui.WizardDetails(wrong)})

	signer := func(a ui.Attestation) ui.Attestation {
		a.URL, a.Title, a.Company, a.FrameLabel = "/providers/01/attestation", "Microsoft Customer Agreement", "Contoso East LLC", "Microsoft · agreement attestation"
		a.First, a.Last = ui.Field{ID: "signer_first", Label: "First name", Span: "3", Value: a.First.Value}, ui.Field{ID: "signer_last", Label: "Last name", Span: "3", Value: a.Last.Value}
		a.Email = ui.Field{ID: "signer_email", Label: "E-mail", Type: "email", Value: a.Email.Value}
		return a
	}
	terms := ui.WizardTermsPage{Wizard: wizard("terms", chosen(5), []ui.Section{
		{Title: "What happens next", Ordered: true, Items: []string{"You see everything once more, then press Create.", "Nothing exists at Microsoft until then."}},
		{Title: "If someone else signs", Paragraphs: []string{"They get a link by mail that shows these terms and nothing else. The draft waits for 30 days and costs nothing. You will be asked to connect CTSE again if it takes more than 15 minutes."}},
		{Title: "Accepted before for CTSE", Pairs: []ui.Pair{{"CenturyLink terms, version 6", "11 Mar 2026"}, {"Microsoft Customer Agreement", "11 Mar 2026"}}, Paragraphs: []string{"Terms are shown on every order, also when nothing changed."}, Link: ui.Link{Label: "Receipts", Href: "/accounts/CTSE"}},
		{Title: "What can be undone", Paragraphs: []string{"An acceptance stays on record. Without a provider it causes no charges."}}}),
		For: "CTSE", Document: partnerTerms, Attestation: signer(ui.Attestation{State: "open", FrameURL: "/attestation"})}
	terms.Wizard.Next = ui.Action{Off: "Accept Microsoft's agreement above to continue"}
	list = append(list, picture{"wizard-6-terms", ui.WizardTerms(terms)})
	other := terms
	other.Attestation = signer(ui.Attestation{State: "sent", Other: true, Facts: "On 19 Nov 2026. A reminder went out on 21 Nov. The link works until 20 Dec.", First: ui.Field{Value: "Chief"}, Last: ui.Field{Value: "Counsel"}, Email: ui.Field{Value: "legal@contoso.example"}})
	other.Wizard.Next = ui.Action{Off: "The draft waits for the signatory. You can close this page."}
	list = append(list, picture{"wizard-6-terms-other", ui.WizardTerms(other)})
	done := terms
	done.Attestation = signer(ui.Attestation{State: "accepted", Facts: "By Account Administrator of CTSE on 23 Nov 2026, 14:10."})
	done.Wizard.Next = ui.Action{}
	list = append(list, picture{"wizard-6-terms-accepted", ui.WizardTerms(done)})

	review := ui.WizardReviewPage{Wizard: wizard("review", chosen(6), []ui.Section{
		{Title: "What happens when you create", Ordered: true, Items: []string{"Your details go to Microsoft.", "Microsoft opens the customer account.", "A subscription is ordered.", "CTSE pays from today, 00:00 UTC.", "The permissions are granted."}},
		{Title: "What it costs", Paragraphs: []string{"Nothing to create. Usage is billed monthly at list price."}}}),
		Groups: []ui.ReviewGroup{
			{"Provider", "type", []ui.KV{{Key: "Type", Value: "Azure Resource Manager"}, {Key: "Azure account", Value: "Create a new Azure customer account"}, {Key: "Name", Value: "Contoso analytics"}}},
			{"Billing", "account", []ui.KV{{Key: "CLC Account", Value: "CTSE · Contoso East LLC"}, {Key: "Approved by", Value: "ctso-admin, Account Administrator"}, {Key: "Monthly budget", Value: "2,500.00 USD"}, {Key: "Invoice line", Value: "Integrated Azure Services Usage"}}},
			{"Details for Microsoft", "details", []ui.KV{{Key: "Domain", Value: "contosoanalytics.onmicrosoft.com", Break: true, Sub: "permanent"}, {Key: "Company", Value: "Contoso East LLC"}, {Key: "Address", Value: "1 Lake Shore Drive, Chicago, IL 60601, United States"}, {Key: "Contact", Value: "Account Administrator, administrator@contoso.example"}}},
			{"Terms", "terms", []ui.KV{{Key: "CenturyLink", Value: "Version 7", Sub: "accepted 14:08"}, {Key: "Microsoft", Value: "Microsoft Customer Agreement", Sub: "accepted 14:10"}}},
		},
		Checks: []ui.Check{{State: ui.StateReady, Title: "Account may be billed", Text: "All rules pass; 27,600.00 USD of the limit is free."}, {State: ui.StateReady, Title: "Domain is free", Text: "Asked at Microsoft 14:11."}, {State: ui.StateReady, Title: "Address is known to Microsoft", Text: "Verified as shippable."}},
		Note:   ui.Note{Tone: ui.ToneInfo, Icon: "clock", Title: "Expect at least two minutes, usually 10 to 35", Text: "You can watch or close the page. We mail you when it is ready."},
	}
	review.Wizard.Next = ui.Action{Label: "Create Contoso analytics", Busy: "Creating…"}
	list = append(list, picture{"wizard-7-review", ui.WizardReview(review)})
	checking := review
	checking.Checking = &ui.Waiting{Text: "Still checking the domain at Microsoft.", Poll: "/providers/01/check"}
	checking.Wizard.Next.Off = "Microsoft has not answered yet"
	list = append(list, picture{"wizard-7-checking", ui.WizardReview(checking)})

	sign := ui.SignPage{Brand: brand, Company: "Contoso East LLC", AskedBy: "The Administrator of Contoso, Ltd. (administrator@contoso.example)", What: "an Azure account billed to CTSE", Until: "20 Dec 2026",
		Document: partnerTerms, Attestation: signer(ui.Attestation{State: "open", FrameURL: "/attestation", Public: true})}
	both := sign
	both.AskPartner, both.MayDecline, both.URL, both.Attestation.Second = true, true, "/sign/token", true
	both.Name = ui.Field{ID: "name", Label: "Your name, as your signature", Complete: "name"}
	signed := sign
	signed.State, signed.DoneText = "done", "Microsoft Customer Agreement, accepted on 23 Nov 2026, 16:02."
	expired := sign
	expired.State = "expired"
	return append(list, picture{"sign", ui.Sign(sign)}, picture{"sign-both", ui.Sign(both)}, picture{"sign-done", ui.Sign(signed)}, picture{"sign-expired", ui.Sign(expired)})
}

func progressPictures() []picture {
	now := time.Now()
	p := ui.Progress{ID: "01", Name: "Contoso analytics", State: ui.StateInProgress, Sub: "Azure Resource Manager · billed to CTSE, Contoso East LLC", Crumbs: []ui.Link{{Label: "Providers", Href: "/providers"}, {Label: "Contoso analytics"}},
		Actions: []ui.Action{{Label: "Mail me when ready", Post: "/providers/01/notify"}, {Label: "Cancel…", Variant: "ghost", Dialog: "cancel"}},
		Live:    true, Step: 5, Of: 5, Doing: "Waiting for Microsoft to apply the guardrail", Started: now.Add(-588 * time.Second), Elapsed: "9 min 48 s", ToGo: "8 to 20 min", Percent: 55,
		Note: &ui.Note{Tone: ui.ToneWaiting, Title: "Nothing is wrong and there is nothing to do.", Text: "Microsoft copies the guardrail to all its regions before it takes effect. We ask every 30 seconds until a forbidden service is refused and an allowed one is not. 8 of 10 finish within 19 minutes. You can close this page."},
		Steps: []ui.Step{
			{Title: "Provides Microsoft your account details", State: ui.StepDone, Took: "3 s", Facts: []string{"Details checked", "Address accepted", "Domain free"}},
			{Title: "Creates an Azure Customer account on your behalf", State: ui.StepDone, Took: "41 s", Facts: []string{"Tenant contosoanalytics.onmicrosoft.com", "Credentials sealed", "Agreement confirmed"}},
			{Title: "Creates a Microsoft Azure Subscription", State: ui.StepDone, Took: "1 min 52 s", Facts: []string{"Azure plan ordered", "Subscription “Contoso analytics”"}},
			{Title: "Associates it with your CLC Account", State: ui.StepDone, Took: "1 s", Facts: []string{"CTSE pays from 23 Nov 2026, 00:00 UTC"}},
			{Title: "Grants Cloud Application Manager the permissions", State: ui.StepRunning, Took: "7 min 11 s", Since: now.Add(-431 * time.Second), Subs: []ui.Sub{
				{Title: "Enter the new tenant", State: ui.StepDone, Took: "58 s", Text: "Delegated roles, application consent, 6 resource providers registered"},
				{Title: "Apply the guardrail", State: ui.StepWaiting, Took: "6 min 13 s", Since: now.Add(-373 * time.Second), Text: "Assigned 14:14:26. Asked 12 times, not in effect yet. Next at 14:20:41."},
				{Title: "Grant Azure roles and set the budget", State: ui.StepLater, Took: "about 1 min", Text: "Starts when the guardrail holds"}}}},
		Log:    []ui.LogLine{{"14:20:11", "", "guard", ui.ToneWaiting, "Asked: would a forbidden type be refused? Not yet (12)"}, {"14:19:41", "", "guard", ui.ToneWaiting, "Asked: would a forbidden type be refused? Not yet (11)"}, {"14:14:26", "", "guard", ui.ToneWaiting, "Policy “Azure services offered, v12” assigned"}, {"14:14:21", "", "enter", ui.ToneOK, "Subscription renamed to “Contoso analytics”"}, {"14:13:28", "", "associate", ui.ToneOK, "Association confirmed: tenant 7c1e…a90f, account CTSE"}},
		LogAll: ui.Link{Label: "All 41 entries", Href: "/providers/01?tab=log"},
		Panel: []ui.Section{{Title: "When it is ready", Items: []string{"You get a mail with your receipt.", "The first sign-in is shown once you sign in again, and kept sealed for 7 days.", "The portal link opens your subscription."}},
			{Title: "If this page is closed", Paragraphs: []string{"The work goes on. Come back at any time; nothing is done twice."}},
			{Title: "If you cancel now", Paragraphs: []string{"The subscription is cancelled at Microsoft. The tenant and its domain are kept for Contoso East LLC and used again next time."}}},
		SoFar:      []ui.KV{{Key: "Tenant", Value: "7c1e04b2-…-a90f", Mono: true}, {Key: "Domain", Value: "contosoanalytics.onmicrosoft.com", Break: true}, {Key: "Subscription", Value: "3d90c6f1-…-52be", Mono: true}, {Key: "Receipt", Value: "Signed, 14:10", Href: "#"}},
		Said:       "Step 4 of 5 done: associated with CTSE",
		CancelInfo: &ui.CancelInfo{Lost: []string{"The subscription **Contoso analytics** is cancelled at Microsoft."}, Kept: []string{"The tenant and its domain, for Contoso East LLC.", "Acceptances and receipts."}, Told: "The other administrators of Contoso, Ltd. get a mail."},
	}
	stuck := p
	stuck.State, stuck.Live, stuck.Ended, stuck.Step, stuck.Doing, stuck.Percent, stuck.ToGo = ui.StateStuck, false, true, 1, "Microsoft does not recognise the street address", 8, ""
	stuck.Note = &ui.Note{Tone: ui.ToneStuck, Title: "Billing address · street address", Text: "Microsoft knows no “1 Lake Shoer Drive” in Chicago. Correct the address; the work then goes on by itself. Our support was told at 13:42."}
	stuck.Fix = &ui.FixForm{Title: "Billing address", Button: "Correct address", Fields: []ui.Field{{ID: "address_line1", Label: "Street address", Value: "1 Lake Shoer Drive", Error: "Not known to Microsoft. Did you mean 1 Lake Shore Drive?"}}}
	stuck.Steps = []ui.Step{{Title: "Provides Microsoft your account details", State: ui.StepStuck, Took: "2 s", Facts: []string{"Details checked"}}, {Title: "Creates an Azure Customer account on your behalf", State: ui.StepLater}, {Title: "Creates a Microsoft Azure Subscription", State: ui.StepLater}, {Title: "Associates it with your CLC Account", State: ui.StepLater}, {Title: "Grants Cloud Application Manager the permissions", State: ui.StepLater}}
	stuck.SoFar = nil
	held := p
	held.Note = &ui.Note{Tone: ui.ToneWaiting, Title: "Nothing is wrong and there is nothing to do.", Text: "Microsoft takes 160 such requests a minute from us; 37 are before this one; about 12 min, an estimate from those who waited before. You can close this page."}
	shell := customer("Contoso analytics", "providers")
	return []picture{{"progress-held", ui.Progressing(ui.ProgressPage{Shell: shell, Progress: held})}, {"progress", ui.Progressing(ui.ProgressPage{Shell: shell, Progress: p})}, {"progress-stuck", ui.Progressing(ui.ProgressPage{Shell: shell, Progress: stuck})}}
}

func readyPictures() []picture {
	tabs := func(on int) []ui.Tab {
		l := []ui.Tab{{Label: "Overview", Href: "?"}, {Label: "Access (5)", Href: "?tab=access"}, {Label: "Guardrail", Href: "?tab=guardrail"}, {Label: "Log (64)", Href: "?tab=log"}}
		l[on].On = true
		return l
	}
	v := ui.ProviderView{ID: "04", Name: "Contoso production", State: ui.StateReady, Sub: "Azure Resource Manager · since 18 Nov 2026 · billed to CTSO, Contoso, Ltd.", PortalURL: "https://portal.azure.example/contosoprod.onmicrosoft.com",
		PortalHint: "Signed in at Azure with another account? Open the portal in a private window, or sign out there first.",
		Tabs:       tabs(0), Tab: "overview", Scope: "Supported and billed by CenturyLink",
		Azure: []ui.KV{{Key: "Domain", Value: "contosoprod.onmicrosoft.com", Copy: true}, {Key: "Tenant", Value: "b5f0a1c7-44d2-4e0b-9a6e-1d83c07e2f41", Mono: true, Copy: true}, {Key: "Subscription", Value: "**Contoso production**", Sub: "· active · Azure plan", Below: "e27a5b90-1c4d-4f83-a6d2-90b5c83f17e4", Copy: true},
			{Key: "In the same tenant", Value: "Contoso development", Href: "/providers/05"}, {Key: "Billed to", Value: "CTSO · Contoso, Ltd.", Sub: "from 18 Nov 2026, 00:00 UTC", Link: ui.Link{Label: "History", Href: "#association"}}, {Key: "Agreements", Value: "CenturyLink v7, Microsoft Customer Agreement", Link: ui.Link{Label: "Signed receipt", Href: "#"}}},
		CopyAll: "contosoprod.onmicrosoft.com",
		Grants: []ui.Grant{{Who: "Contoso administrator", Under: "admin@contosoprod", Role: "Owner, limited", Limit: "not policies, not plain Owner", Where: "Subscription", Intent: "You run your own Azure", Change: "By this administrator at Azure"},
			{Who: "Platform", Under: "Application of this portal", Role: "Contributor", Where: "Subscription", Intent: "Sets up, tags and reads usage", Change: "Ask support"},
			{Who: "Platform", Role: "Resource Policy Contributor", Where: "Subscription", Intent: "Keeps the guardrail in place", Change: "Ask support"},
			{Who: "CenturyLink support", Under: "Group, 14 people", Role: "Directory readers, Service support", Where: "Tenant", Intent: "Support cases; ends 17 Nov 2028", Change: "Ask support, or end it at Microsoft"},
			{Who: "CenturyLink partner", Under: "Admin on behalf of", Role: "Owner", Where: "Subscription", Intent: "Given by Microsoft at birth; needed to earn partner credit", Change: "Ask support"}},
		GrantsAt: "Compared with Azure 11 minutes ago", GrantsTag: ui.StateReady, GrantsWord: "Equal",
		Related:   []ui.SubscriptionRow{{Name: "Contoso production", ID: "e27a5b90-1c4d-4f83-a6d2-90b5c83f17e4", State: ui.StateReady, Account: "CTSO", Since: "18 Nov 2026"}, {Name: "Contoso development", ID: "0a7c44d1-92be-4a1f-8b30-5518c2d7ef60", Href: "/providers/05", State: ui.StateReady, Account: "CTSO", Since: "18 Nov 2026"}},
		History:   []ui.AssociationRow{{Account: "CTSO", Href: "/accounts/CTSO", What: "Tenant", From: "18 Nov 2026, 00:00 UTC", By: "administrator@contoso.example with ctso-admin"}},
		Guardrail: ui.GuardrailView{Title: "Azure services offered, v12", Figures: []ui.KV{{Key: "Services", Value: "148 of 212 allowed", Sub: "Marketplace images: 9"}, {Key: "Regions", Value: "East US 2, Central US, West US 3"}, {Key: "Last proof", Value: "18 Nov 2026, 15:02", Sub: "Forbidden refused, allowed let through"}}, Refused: "Refused this week: 2 deployments (Azure Databricks)"},
		SignIn:    &ui.FirstSignIn{ID: "04", Sealed: "sealed until 25 Nov, 15:04", User: "admin@contosoprod.onmicrosoft.com", Text: "Shown once more at most. We ask for your own password first, and your organization's log records it."},
		Receipts:  []ui.Receipt{{"CenturyLink terms, version 7", "administrator@contoso.example", "18 Nov 2026, 14:31", "#", "#"}, {"Microsoft Customer Agreement", "ctso-admin", "18 Nov 2026, 14:33", "#", ""}},
		Presets:   presets, Latest: []ui.Pair{{"Admin credentials shown to Administrator", "18 Nov"}, {"Ready after 24 min 10 s", "18 Nov"}},
		Log:     []ui.LogLine{{"18 Nov, 14:58:02", "", "ready", ui.ToneOK, "Welcome mail sent, receipt signed"}, {"18 Nov, 14:57:40", "", "grant", ui.ToneOK, "Owner, limited, given to admin@contosoprod.onmicrosoft.com"}},
		LogFoot: ui.Foot{Text: "1–2 of 64 entries", Next: "?tab=log&after=2", CSV: "#"},
	}
	shell := customer("Contoso production", "providers")
	page := func(tab string, i int) ui.ProviderPage {
		c := v
		c.Tab, c.Tabs = tab, tabs(i)
		return ui.ProviderPage{Shell: shell, Provider: c}
	}
	gone := v
	gone.SignIn = &ui.FirstSignIn{ID: "04", User: "admin@contosoprod.onmicrosoft.com", Gone: "Stored by the Administrator on 19 Nov 2026. Lost it? An Azure administrator can set a new one, or [ask support]."}
	gone.AddOff = "Only an Administrator of Contoso, Ltd. can add one."
	shell.Toasts = []ui.Note{{Tone: ui.ToneOK, Title: "Contoso production is ready.", Text: "We sent you a mail with the receipt."}}
	return []picture{{"provider", ui.ProviderReady(page("overview", 0))}, {"provider-access", ui.ProviderReady(page("access", 1))}, {"provider-guardrail", ui.ProviderReady(page("guardrail", 2))}, {"provider-log", ui.ProviderReady(page("log", 3))},
		{"provider-member", ui.ProviderReady(ui.ProviderPage{Shell: shell, Provider: gone})}}
}
