package web

import (
	"fmt"
	"strings"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/fault"
	"causeway/internal/guardrail"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// help: GET /help, also for people who are not signed in.
func (s *Server) help(v *visit) error {
	p := ui.HelpPage{Public: !v.signedIn(), Shell: ui.Shell{Brand: v.words}, Rules: s.ruleSentences(v), Roles: customerRoles(v)}
	if v.signedIn() {
		shell, err := s.shell(v, "help", "Help and contact")
		if err != nil {
			return err
		}
		p.Shell = shell
	}
	p.InScope = []string{
		"Questions about Azure, its bill and its availability", "Services on the list of " + v.words.IntegrationFeature, "Access, sign-in and the first administrator",
		"What only Microsoft can solve: we pass it on and follow it",
	}
	p.OutScope = []string{"Running, patching and watching your own programs", "Services that are not on the list", "Accounts that you have at Microsoft directly"}
	if v.brand.SupportPhone != "" {
		p.Phones = []ui.Pair{{Name: "Everywhere", Value: v.brand.SupportPhone}}
	}
	return v.page(ui.Help(p))
}

// ruleSentences are the rules of eligibility in words, as they are set.
func (s *Server) ruleSentences(v *visit) []string {
	word := v.words.AccountWord
	list := []string{
		"The " + word + " is **billable** and in use.",
		"It is **no reseller, no demo account and no internal account**, and none of the accounts above it is one.",
		"Its billing address is in **" + v.words.AllowedCountries + "**.",
		"Its **credit limit** covers the monthly budgets of all its subscriptions.",
	}
	if !v.rules.PublicSector {
		list = append(list, "It does not belong to the **public sector**.")
	}
	if n := v.rules.PerAccountAndDay; n > 0 {
		list = append(list, fmt.Sprintf("At most **%d** providers a day are begun on it.", n))
	}
	if v.rules.OrganizationMode {
		list = append(list, "Your **organization** is billed. Only its Administrators may create providers.")
	} else {
		list = append(list, "An **"+v.words.AdminWord+"** of it approves, by signing in once in the wizard.")
	}
	return list
}

// customerRoles says what each role of an organization may do.
func customerRoles(v *visit) []ui.RoleRow {
	create := "Create providers"
	memberNot := "Cancel what runs, see credentials, manage people"
	if v.rules.OrganizationMode {
		memberNot = "Create providers, cancel what runs, see credentials, manage people"
		create = "See providers"
	}
	return []ui.RoleRow{
		{Role: account.RoleAdministrator.Title(), May: "Everything: create and cancel providers, see the first sign-in, correct details, manage people, see who did what", Not: "See other organizations"},
		{Role: account.RoleMember.Title(), May: create + ", accept terms, ask for exceptions and services", Not: memberNot},
		{Role: v.words.AdminWord, May: "Approve charges to a " + v.words.AccountWord + ": signs in once in the wizard, for 15 minutes", Not: "Anything else here; it is a role of the " + v.words.AccountWord + ", not of the portal"},
	}
}

// staffRoles says what each role of the partner may do.
func staffRoles() []ui.RoleRow {
	return []ui.RoleRow{
		{Role: account.RoleOwner.Title(), May: "Everything, also settings, terms, the list of services and people", Not: "Accept terms or see credentials of customers"},
		{Role: account.RoleSupport.Title(), May: "Help with onboardings: try again, correct, cancel; decide requests; change administrators of accounts", Not: "Settings, terms, who pays"},
		{Role: account.RoleFinance.Title(), May: "Accounts, credit limits, who pays; decide requests", Not: "Onboardings, settings, terms"},
		{Role: account.RoleReader.Title(), May: "See everything that staff see", Not: "Change anything"},
	}
}

// document: GET /terms/{id} shows one version of a document, to anybody: receipts
// lead here.
func (s *Server) document(v *visit) error {
	doc, err := s.Terms.Document(v.ctx(), agreement.DocumentID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	p := ui.DocumentPage{Brand: v.words, Hash: doc.Hash}
	if p.Document, err = s.documentOf(v, doc); err != nil {
		return err
	}
	// The title is the page's h1, so the parts are h2. The text is escaped: these
	// tags are the renderer's own.
	p.Document.HTML = strings.NewReplacer("<h3>", "<h2>", "</h3>", "</h2>", "<h4>", "<h3>", "</h4>", "</h3>").Replace(agreement.HTML(doc.Text))
	if doc.Link != "" {
		p.Back = ui.Link{Label: "The original", Href: doc.Link, NewTab: true}
	}
	if p.Shell, err = s.shellIf(v, doc.Title); err != nil {
		return err
	}
	return v.page(ui.Terms(p))
}

// shellIf is the frame for who is signed in, nil for others.
func (s *Server) shellIf(v *visit, title string) (*ui.Shell, error) {
	if !v.signedIn() {
		return nil, nil
	}
	shell, err := s.shell(v, "", title)
	return &shell, err
}

// compareDocument: GET /terms/{id}/compare shows what changed since the version before.
func (s *Server) compareDocument(v *visit) error {
	doc, err := s.Terms.Document(v.ctx(), agreement.DocumentID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	former, ok, err := s.Terms.Former(v.ctx(), doc)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.NotFound, "There is no version before this one.")
	}
	named := func(d agreement.Document) string {
		return fmt.Sprintf("Version %d, in force since %s", d.Version, v.day(d.ValidFrom))
	}
	p := ui.ComparePage{Brand: v.words, Title: doc.Title, Former: named(former), Newer: named(doc), Back: ui.Link{Label: "The whole text", Href: "/terms/" + string(doc.ID)}}
	for _, c := range agreement.Compare(former, doc) {
		p.Changes = append(p.Changes, ui.TextChange{Section: c.Section, Was: c.Was, Is: c.Is})
	}
	if p.Shell, err = s.shellIf(v, "What changed"); err != nil {
		return err
	}
	return v.page(ui.Compare(p))
}

// services: GET /services?q=&category= is the list of services offered (C-33).
func (s *Server) services(v *visit) error {
	c, err := s.Guard.Catalogue(v.ctx())
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "services", "Azure services offered")
	if err != nil {
		return err
	}
	p := ui.ServicesPage{Shell: shell, Title: "Azure services offered", Version: serviceVersion(v, c), Feedback: v.words.FeedbackEmail, CanAsk: !v.me.Staff() && v.may(account.ActRequestCreate, v.me.Org) == ""}
	q, category := strings.ToLower(v.form("q")), v.form("category")
	p.Filter = ui.Filter{Action: "/services", Query: v.form("q"), Placeholder: "Service or resource type"}
	all, shown := 0, 0
	for _, g := range c.Groups {
		all += len(g.Services)
	}
	p.Filter.Chips = []ui.Chip{{Label: "All", Count: all, Href: link("/services", v.query("q")), On: category == ""}}
	if category != "" {
		p.Filter.Hidden = []ui.Pair{{Name: "category", Value: category}}
	}
	sizes := map[string]bool{}
	for _, g := range c.Groups {
		query := v.query("q")
		query.Set("category", g.Name)
		p.Filter.Chips = append(p.Filter.Chips, ui.Chip{Label: g.Name, Count: len(g.Services), Href: link("/services", query), On: category == g.Name})
		out := ui.ServiceGroup{Title: g.Name}
		for _, x := range g.Services {
			for _, z := range x.Sizes {
				if !sizes[z] {
					sizes[z] = true
					p.Sizes = append(p.Sizes, z)
				}
			}
			if category != "" && category != g.Name || q != "" && !strings.Contains(strings.ToLower(x.Name+" "+strings.Join(x.Types, " ")), q) {
				continue
			}
			out.Rows = append(out.Rows, serviceRow(v, c, x))
		}
		shown += len(out.Rows)
		if len(out.Rows) > 0 {
			p.Groups = append(p.Groups, out)
		}
	}
	for _, r := range c.Regions {
		p.Regions = append(p.Regions, r.Label)
	}
	p.Figures = []ui.Figure{
		{Label: "Services", Value: fmt.Sprint(all), Note: "in " + ui.Count(len(c.Groups), "group", "groups")},
		{Label: "Resource types", Value: fmt.Sprint(len(c.Types())), Note: "as Azure names them"},
		{Label: "Regions", Value: fmt.Sprint(len(c.Regions)), Note: "where they may run"},
	}
	if c.Unrestricted {
		p.Open = &ui.Note{Tone: ui.ToneInfo, Title: "Nothing is restricted", Text: "Everything that Microsoft offers to partners may be used. The services below are the ones we know best."}
		p.Figures[2].Value = "All"
	}
	p.Foot = ui.Foot{Text: ui.Count(shown, "service", "services")}
	return v.page(ui.Services(p))
}

func serviceVersion(v *visit, c guardrail.Catalogue) string {
	if c.Version == 0 {
		return "The list that this installation began with"
	}
	return fmt.Sprintf("Version %d, in force since %s", c.Version, v.day(c.ChangedAt))
}

func serviceRow(v *visit, c guardrail.Catalogue, x guardrail.Service) ui.ServiceRow {
	row := ui.ServiceRow{Name: x.Name, Type: strings.Join(x.Types, ", "), Allowed: true, Reason: x.Reason, Support: "Supported by " + v.words.Partner}
	if len(x.Types) > 2 {
		row.Type = strings.Join(x.Types[:2], ", ") + fmt.Sprintf(" and %d more", len(x.Types)-2)
	}
	if len(x.Regions) > 0 {
		var names []string
		for _, r := range c.RegionsOf(x) {
			names = append(names, r.Label)
		}
		row.Support += " · only in " + and(names)
	}
	return row
}

// rulesOf is a verdict as reasons.
func rulesOf(ch provision.Choice) []string {
	var list []string
	for _, f := range ch.Verdict.Failures {
		list = append(list, sentence(f, ch))
	}
	return list
}
