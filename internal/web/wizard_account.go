package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/address"
	"causeway/internal/eligibility"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/support"
	"causeway/internal/web/ui"
)

// amount writes money as people read it: "2,500.00 USD". An amount without a
// currency is none.
func amount(a money.Amount) string {
	if a.Currency() == "" {
		return "none"
	}
	return a.String()
}

// accountStep is step 4: connect, then choose who pays. In organization mode
// there is nothing to connect and one account to choose.
func (s *Server) accountStep(v *visit, d provision.Draft, w ui.Wizard) (ui.WizardAccountPage, error) {
	p := ui.WizardAccountPage{
		Wizard: w, Organization: v.rules.OrganizationMode,
		Chosen:        []ui.Pair{{Name: "Provider type", Value: v.words.TypeName}, {Name: "Azure account", Value: v.words.ModeNew}, {Name: "Name", Value: d.Provider.Name}},
		ConnectLink:   ui.Link{},
		InviteSubject: url.PathEscape("Please connect your " + v.words.AccountWord + " in " + v.words.Product),
		AskOff:        v.may(account.ActExceptionAsk, d.Provider.Org),
	}
	if !p.Organization && d.Connection == "" {
		return p, nil
	}
	choices, err := s.Provision.Choices(v.ctx(), v.me, d.Provider.ID)
	over := connectionOver(err)
	if p.Organization && fault.KindOf(err) == fault.Invalid { // the organization has no account that pays
		p.Connection = &ui.Connection{}
		p.Wizard.Errors, _ = errorsOf(err, labels(v), nil)
		return p, nil
	}
	if errors.Is(err, fault.NotFound) { // connected by a colleague: a connection counts for one person only
		return p, nil
	}
	if err != nil && !over {
		return p, err
	}
	if !p.Organization {
		p.Connection = &ui.Connection{User: d.Login, At: v.clock(d.ConnectedUntil.Add(-account.ConnectionLife)), Until: d.ConnectedUntil, Expired: over, Left: left(d.ConnectedUntil.Sub(v.now))}
	} else {
		p.Connection = &ui.Connection{}
	}
	if over {
		p.Wizard.Next.Off = "Connect again first."
		if d.Account != "" {
			if ch, err := s.choiceOf(v, d.Account, d.Budget); err == nil {
				choices = []provision.Choice{ch}
			} else if fault.Of(err) == nil {
				return p, err
			}
		}
	}
	return p, s.choices(v, d, choices, &p)
}

// left is how long a connection holds.
func left(t time.Duration) string {
	if t <= 0 {
		return "no longer"
	}
	return ui.Count(int((t+time.Minute-1)/time.Minute), "more minute", "more minutes")
}

// choices fills the picker: who can pay, and who cannot with every reason.
func (s *Server) choices(v *visit, d provision.Draft, list []provision.Choice, p *ui.WizardAccountPage) error {
	picked := string(d.Account)
	if v.r.Method == http.MethodPost && v.form("account") != "" {
		picked = v.form("account")
	}
	budget := d.Budget
	for _, ch := range list {
		if picked == "" && ch.Own && ch.Verdict.Eligible {
			picked = string(ch.Account.Alias)
		}
	}
	for _, ch := range list {
		a := ch.Account
		row := ui.AccountChoice{Alias: string(a.Alias), Name: a.Name, Checked: picked == string(a.Alias)}
		if ch.Verdict.Eligible {
			facts := []string{address.Line(a.Address)}
			if ch.Providers > 0 {
				facts = append(facts, ui.Count(ch.Providers, "provider", "providers"))
			}
			if a.Parent != "" {
				facts = append(facts, "parent "+string(a.Parent))
			}
			row.Facts, row.Side = strings.Join(facts, " · "), "Credit limit "+amount(a.CreditLimit)
			for _, l := range ch.Verdict.Lifted {
				row.Asked = "Exception " + l.Request
				if !l.Until.IsZero() {
					row.Asked += " until " + v.day(l.Until)
				}
			}
			if row.Checked {
				p.Wizard.Next.Label = "Continue with " + row.Alias
				p.Wizard.Panel = s.payer(v, ch, d, p.Wizard.Panel)
				if budget.Currency() == "" {
					budget = v.rules.DefaultBudget
				}
			}
			p.Can = append(p.Can, row)
			continue
		}
		row.Checked = false
		row.Where = address.City(a.Address)
		for _, f := range ch.Verdict.Failures {
			row.Reasons = append(row.Reasons, sentence(f, ch))
		}
		if err := s.exceptionOf(v, ch, &row); err != nil {
			return err
		}
		p.Cannot = append(p.Cannot, row)
	}
	p.Wizard.Next.Follow = "account"
	if p.Wizard.Next.Label == "" {
		p.Wizard.Next.Label = "Continue"
	}
	if len(p.Can) == 0 && p.Wizard.Next.Off == "" {
		p.Wizard.Next.Off = "No account here can be billed."
	}
	if len(p.Can) > 0 {
		if budget.Currency() == "" {
			budget = v.rules.DefaultBudget
		}
		text := strings.TrimSuffix(amount(budget), " "+string(budget.Currency()))
		if v.r.Method == http.MethodPost && v.r.PostForm.Has("budget") {
			text = v.form("budget")
		}
		p.Budget = ui.Field{
			ID: "budget", Label: "Monthly budget", Value: text, Suffix: string(budget.Currency()), Inputmode: "decimal", Span: "3", Complete: "off",
			Error: p.Wizard.Errors.For("budget"), Hint: "Microsoft mails when it is reached. Nothing is switched off.",
		}
	}
	return nil
}

// sentence is a failing rule with its cause, the ancestor marked. Where an
// exception can be asked for, the button beside it is the remedy.
func sentence(f eligibility.Failure, ch provision.Choice) string {
	reason := f.Reason
	for _, a := range ch.Ancestors {
		if string(a.Alias) != f.Cause {
			continue
		}
		mark := f.Cause
		if named := f.Cause + " · " + a.Name; strings.Contains(reason, named) {
			mark = named
		}
		reason = strings.Replace(reason, mark, "**"+mark+"**", 1)
	}
	if ch.Verdict.CanAsk() {
		return reason
	}
	return strings.TrimSpace(reason + " " + f.Remedy)
}

// payer adds what is known of the chosen account to the panel.
func (s *Server) payer(v *visit, ch provision.Choice, d provision.Draft, panel []ui.Section) []ui.Section {
	a := ch.Account
	budget := d.Budget
	if budget.Currency() == "" {
		budget = v.rules.DefaultBudget
	}
	lines := []string{
		a.Name + " (" + string(a.Alias) + "), monthly, at list price. One invoice line: **" + v.words.LineLabel + "**.",
		"Proposed budget **" + amount(budget) + "** a month.",
	}
	if ch.Providers > 0 {
		lines[1] += " " + amount(ch.Committed) + " of the limit of " + amount(a.CreditLimit) + " is taken by " + ui.Count(ch.Providers, "other provider", "other providers") + "."
	} else {
		lines[1] += " The credit limit is " + amount(a.CreditLimit) + "."
	}
	for i := range panel {
		if panel[i].Title == "Who pays" {
			panel[i].Paragraphs = lines
		}
	}
	return panel
}

// exceptionOf says whether an exception is asked, and whether one can be.
func (s *Server) exceptionOf(v *visit, ch provision.Choice, row *ui.AccountChoice) error {
	row.NoAsk = !ch.Verdict.CanAsk()
	page, err := s.Desk.Requests(v.ctx(), v.me, support.Filter{Alias: ch.Account.Alias, Kind: support.Exception, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	switch r := page.Items[0]; r.State {
	case support.Open:
		row.Asked = "Exception asked " + v.day(r.AskedAt)
		row.Note = v.brand.PartnerTitle() + " answers by " + v.moment(r.AnswerBy) + ". You will get a mail."
	case support.Refused:
		if ch.Verdict.CanAsk() {
			row.Note = "An exception was declined on " + v.day(r.DecidedAt) + ": " + r.Reason
		}
	}
	return nil
}

// choiceOf is one account with its verdict, for pages without a connection.
func (s *Server) choiceOf(v *visit, alias account.Alias, budget money.Amount) (provision.Choice, error) {
	var ch provision.Choice
	chain, err := s.People.Chain(v.ctx(), alias)
	if err != nil && (!errors.Is(err, fault.Conflict) || len(chain) == 0) { // of accounts that are each other's parents the rules say so
		return ch, err
	}
	ch.Account, ch.Ancestors = chain[0], chain[1:]
	if budget.Currency() == "" {
		budget = v.rules.DefaultBudget
	}
	if c := ch.Account.Currency; c != "" && c != budget.Currency() {
		if same, err := money.New(budget.Decimal(), c); err == nil {
			budget = same
		}
	}
	ch.Committed = money.Zero(budget.Currency())
	list, _, err := s.Provision.List(v.ctx(), account.System(), provision.Filter{Org: ch.Account.Org, Limit: 200})
	if err != nil {
		return ch, err
	}
	in := eligibility.Input{
		Chain: account.FactsOf(chain), Budget: budget, At: v.now,
		Settings: eligibility.Settings{Countries: v.rules.Countries, RefusePublicSector: !v.rules.PublicSector, MaxPerDay: v.rules.PerAccountAndDay},
		Words:    eligibility.Words{Account: v.brand.AccountWord, Partner: v.brand.Partner},
	}
	midnight := v.now.UTC().Truncate(24 * time.Hour)
	for _, o := range list {
		if o.Account != alias || o.State == provision.Cancelled {
			continue
		}
		ch.Providers++
		if sum, err := ch.Committed.Add(o.Budget); err == nil {
			ch.Committed = sum
		}
		if !o.StartedAt.Before(midnight) {
			in.Today++
		}
	}
	in.Taken = ch.Committed
	lifted, err := s.Desk.Exceptions(v.ctx(), alias, v.now)
	if err != nil {
		return ch, err
	}
	for _, l := range lifted {
		in.Exceptions = append(in.Exceptions, eligibility.Exception{Rule: eligibility.Rule(l.Rule), Until: l.Until, Request: support.Request{Number: l.Number}.Label()})
	}
	ch.Verdict = eligibility.Judge(in)
	return ch, nil
}

// connect: POST /providers/{id}/connect proves that the person may approve
// charges. The password is used once and is nowhere in the answer.
func (s *Server) connect(v *visit) error {
	d, err := s.draft(v)
	if err != nil {
		return err
	}
	if d.Provider.State != provider.Draft {
		return v.to("/providers/"+string(d.Provider.ID), "")
	}
	_, err = s.Provision.Connect(v.ctx(), v.me, d.Provider.ID, v.form("user"), v.r.PostFormValue("password"))
	if err == nil {
		return v.to(stepPath(d.Provider.ID, provision.WizardAccount), "")
	}
	f := fault.Of(err)
	if f == nil || f.Kind == fault.NotFound {
		return err
	}
	w, werr := s.wizard(v, d, provision.WizardAccount)
	if werr != nil {
		return werr
	}
	p, werr := s.accountStep(v, d, w)
	if werr != nil {
		return werr
	}
	p.ConnectUser, p.ConnectError = v.form("user"), refusals(f)
	for _, r := range f.Refusals {
		if r.Code == account.CodeNotAdministrator {
			p.ConnectError = r.Reason + " Ask an " + v.words.AdminWord + " to connect, or to make you one."
			p.ConnectLink = ui.Link{Label: "Find yours", Href: "/help#administrator"}
		}
	}
	v.part(statusOf(err), ui.WizardAccount(p))
	return nil
}

// keepAccount takes the account that pays, and its budget.
func (s *Server) keepAccount(v *visit, d provision.Draft) error {
	alias := account.Alias(v.form("account"))
	if alias == "" {
		return fault.Field("account", "No account is chosen.", "Connect first, then choose the account that pays.")
	}
	if err := s.Provision.Choose(v.ctx(), v.me, d.Provider.ID, alias); err != nil {
		return err
	}
	text := strings.ReplaceAll(strings.ReplaceAll(v.form("budget"), ",", ""), " ", "")
	if text == "" {
		return nil
	}
	d, err := s.draft(v)
	if err != nil {
		return err
	}
	budget, err := money.Parse(text, d.Budget.Currency())
	if err != nil || budget.Sign() <= 0 {
		return fault.Field("budget", "“"+v.form("budget")+"” is not an amount above zero.", "Write it like 2500.00.")
	}
	if budget.Equal(d.Budget) {
		return nil
	}
	return s.Provision.SetBudget(v.ctx(), v.me, d.Provider.ID, budget)
}
