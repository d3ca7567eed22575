package ui_test

import "causeway/internal/web/ui"

const attestation = `<!doctype html><html lang="en"><title>Agreement attestation</title><body><main>
<h1>Microsoft Customer Agreement · United States · English</h1><p>Company: Contoso East LLC</p><p>Signatory: Account administrator of CTSE</p>
<p><label><input type="checkbox"> I am authorised to accept the Microsoft Customer Agreement for this company.</label></p><p><button>Accept</button></p></main></body></html>`

var brand = ui.Brand{
	Product: "Cloud Application Manager", Partner: "CenturyLink", AccountWord: "CLC Account", AccountWordPlural: "CLC Accounts",
	AdminWord: "Account Administrator", TypeName: "Azure Resource Manager", ModeNew: "Create a new Azure customer account",
	ModeExisting: "Use an existing Azure account", LineLabel: "Integrated Azure Services Usage", ContactEmail: "cloudintegration@partner.example",
	FeedbackEmail: "cloudintegration-feedback@partner.example", SignUpURL: "/help#sign-up", SignUpLabel: "Get a free account",
	AllowedCountries: "the United States", DurationToExpect: "10 to 35 minutes", MinimumWait: "at least two minutes", IntegrationFeature: "Cloud Integration",
}

func customer(title, current string) ui.Shell {
	return ui.Shell{Brand: brand, Title: title, Current: current, Organization: "Contoso, Ltd.",
		Organizations: []ui.Link{{Label: "Contoso, Ltd.", Href: "?org=contoso"}, {Label: "Fabrikam, Inc.", Href: "?org=fabrikam"}},
		Nav:           ui.CustomerNav(brand, 1, true), User: ui.User{Email: "administrator@contoso.example", Role: "Administrator"},
		Search: ui.Search{Action: "/providers", Placeholder: "Find a provider or account"}}
}

func staff(title, current string) ui.Shell {
	return ui.Shell{Brand: brand, Title: title, Current: current, Staff: true, Organization: "Staff · all customers",
		Nav: ui.StaffNav(9, 4, 3), User: ui.User{Email: "support@partner.example", Role: "Support"}, Simulated: "Simulated Microsoft · 20× speed",
		Search: ui.Search{Action: "/staff/customers", Placeholder: "Find a customer, tenant or request id"}}
}

func gallery() []picture {
	var list []picture
	list = append(list, providerPictures()...)
	list = append(list, wizardPictures()...)
	list = append(list, progressPictures()...)
	list = append(list, readyPictures()...)
	list = append(list, restPictures()...)
	return list
}

func providerPictures() []picture {
	ready := func(id string) []ui.Action {
		return []ui.Action{{Label: "Open", Href: "/providers/" + id}, {Label: "Open Azure portal", Icon: "external-link", Href: "https://portal.azure.example/", NewTab: true}}
	}
	full := ui.ProvidersPage{
		Shell: customer("Providers", "providers"),
		Filter: ui.Filter{Action: "/providers", Placeholder: "Name, domain or subscription",
			Chips: []ui.Chip{{"All", 7, "/providers", true}, {"Ready", 3, "/providers?state=ready", false}, {"In progress", 1, "/providers?state=in-progress", false},
				{"Waiting for you", 1, "/providers?state=waiting-for-you", false}, {"Stuck", 1, "/providers?state=stuck", false}, {"Draft", 1, "/providers?state=draft", false}},
			Select: ui.Select{Name: "account", Label: "CLC Account", Options: []ui.Option{{Value: "", Label: "CLC Account: all"}, {Value: "CTSE", Label: "CTSE · Contoso East LLC"}, {Value: "CTSO", Label: "CTSO · Contoso, Ltd."}}}},
		Rows: []ui.ProviderRow{
			{ID: "1", Name: "Contoso analytics", Under: "contosoanalytics.onmicrosoft.com", State: ui.StateInProgress, Line: "Step 5 of 5: applying the guardrail", Note: "9 min so far, about 8 to 20 min to go", Progress: 55, Account: "CTSE", AccountName: "Contoso East LLC", Changed: "2 minutes ago", ChangedBy: "Platform", Action: ui.Action{ID: "a1", Label: "Watch", Href: "/providers/1"}},
			{ID: "2", Name: "Contoso retail web", Under: "contosoretail.onmicrosoft.com", State: ui.StateStuck, Line: "Microsoft does not recognise the street address.", Note: "Our support was told at 13:42. You can correct it now.", Account: "CTSO", AccountName: "Contoso, Ltd.", Changed: "Today, 13:42", ChangedBy: "Platform", Action: ui.Action{ID: "a2", Label: "Correct address", Href: "/providers/2/wizard/details"}},
			{ID: "3", Name: "Contoso field services", Under: "New Azure customer account", State: ui.StateWaitingForYou, Line: "The signatory has not signed Microsoft's agreement.", Note: "Reminder sent 21 Nov. The draft is kept until 20 Dec.", Account: "CTSE", AccountName: "Contoso East LLC", Changed: "19 Nov 2026", ChangedBy: "Administrator", Action: ui.Action{ID: "a3", Label: "Send again", Post: "/providers/3/attestation"}},
			{ID: "4", Name: "Contoso production", Under: "contosoprod.onmicrosoft.com", State: ui.StateReady, Account: "CTSO", AccountName: "Contoso, Ltd.", Changed: "18 Nov 2026", ChangedBy: "Administrator", Menu: ready("4")},
			{ID: "5", Name: "Contoso development", Under: "contosoprod.onmicrosoft.com", State: ui.StateReady, Account: "CTSO", AccountName: "Contoso, Ltd.", Changed: "18 Nov 2026", ChangedBy: "Member", Menu: ready("5")},
			{ID: "6", Name: "Contoso archive", Under: "contosoarchive.onmicrosoft.com", State: ui.StateReady, Account: "CTSE", AccountName: "Contoso East LLC", Changed: "22 Sep 2026", ChangedBy: "Administrator", Menu: ready("6")},
			{ID: "7", Name: "Contoso lab", Under: "No domain yet", State: ui.StateDraft, Note: "Next: choose the billing account", Account: "Not chosen", Changed: "16 Nov 2026", ChangedBy: "Administrator", Action: ui.Action{ID: "a7", Label: "Continue", Href: "/providers/7/wizard/account"}},
		},
		Foot: ui.Foot{Text: "1–7 of 7 providers", CSV: "/providers?format=csv"},
	}
	empty := ui.ProvidersPage{Shell: customer("Providers", "providers"), Empty: &ui.ProvidersEmpty{Organization: "Contoso", Checks: []ui.Check{
		{State: ui.StateReady, Title: "You are an Administrator of Contoso, Ltd.", Text: "Members can look, not create."},
		{Title: "Sign-in of a CLC Account Administrator", Text: "Yours or a colleague's.", Link: ui.Link{Label: "Get a free account", Href: "/help#sign-up"}},
		{Title: "A billing address in the United States", Text: "Resellers, demo and internal accounts need an exception.", Link: ui.Link{Label: "See the rules", Href: "/help#rules"}},
	}}}
	none := full
	none.Rows, none.NewOff = nil, "Only an Administrator of Contoso, Ltd. can create providers."
	none.Filter.Query = "warehouse"
	none.Foot = ui.Foot{Text: "0 of 7 providers"}
	return []picture{{"providers", ui.Providers(full)}, {"providers-empty", ui.Providers(empty)}, {"providers-none", ui.Providers(none)}}
}
