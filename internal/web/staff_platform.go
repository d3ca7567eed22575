package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/guardrail"
	"causeway/internal/support"
	"causeway/internal/web/ui"
)

func weekday(n int) time.Weekday { return time.Weekday(n) }

// serviceSettings: GET /staff/services is the list of services as data.
func (s *Server) serviceSettings(v *visit) error {
	p, err := s.servicePage(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.Settings(p))
}

func (s *Server) servicePage(v *visit, errs ui.Errors, sent bool) (ui.SettingsPage, error) {
	c, err := s.Guard.Catalogue(v.ctx())
	if err != nil {
		return ui.SettingsPage{}, err
	}
	p := ui.SettingsPage{
		Title: "Guardrails", Text: "The Azure services that customers may use, as data. Saving makes a new version; new subscriptions get it at once.",
		Action: "/staff/services", Version: strconv.FormatInt(c.Version, 10), Off: v.may(account.ActGuardrailChange, ""), Saved: serviceVersion(v, c),
	}
	if p.Shell, err = s.shell(v, "services", p.Title); err != nil {
		return p, err
	}
	body, err := json.MarshalIndent(struct {
		Unrestricted bool               `json:"unrestricted"`
		Regions      []guardrail.Region `json:"regions"`
		Groups       []guardrail.Group  `json:"groups"`
	}{c.Unrestricted, c.Regions, c.Groups}, "", "  ")
	if err != nil {
		return p, err
	}
	f := fields{v, errs, sent}
	p.Groups = []ui.FormGroup{{Title: "List of services", Text: "Regions, then groups of services with their resource types.", Fields: []ui.Field{
		f.one("body", "List as JSON", string(body), lines(24), func(x *ui.Field) { x.Mono = true }),
		f.one("note", "Why does it change?", "", wide, func(x *ui.Field) { x.MaxLength = 500; x.Hint = "Customers may read it." }),
	}}}
	policy := guardrail.Compile(c)
	history, err := s.Guard.History(v.ctx(), v.me, 5)
	if err != nil {
		return p, err
	}
	items := []string{}
	for _, h := range history {
		items = append(items, fmt.Sprintf("Version %d · %s · %s", h.Version, v.day(h.ChangedAt), plain(h.Note)))
	}
	p.Panel = []ui.Section{
		{Title: "As it is now", Pairs: []ui.Pair{{Name: "Resource types", Value: fmt.Sprint(len(c.Types()))}, {Name: "Regions", Value: fmt.Sprint(len(c.Regions))}, {Name: "Fingerprint", Value: clipTo(policy.Hash, 12)}}, Link: ui.Link{Label: "As customers see it", Href: "/services"}},
	}
	if len(items) > 0 {
		p.Panel = append(p.Panel, ui.Section{Title: "Latest versions", Items: items})
	}
	return p, nil
}

// saveServices: POST /staff/services.
func (s *Server) saveServices(v *visit) error {
	var c guardrail.Catalogue
	d := json.NewDecoder(bytes.NewReader([]byte(v.form("body"))))
	d.DisallowUnknownFields()
	err := d.Decode(&c)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is more after the end of the list")
		}
	}
	if err != nil {
		err = fault.Field("body", "This is no list of services: "+plainJSON(err)+".", "Correct it at that place, or load the page again.")
	} else {
		_, err = s.Guard.Set(v.ctx(), v.me, v.version(), c, v.form("note"))
	}
	return s.answer(v, err, "/staff/services", func(errs ui.Errors) (ui.SettingsPage, error) { return s.servicePage(v, errs, true) })
}

// plainJSON says what is wrong with a JSON text, and where.
func plainJSON(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("%s at character %d", syntax.Error(), syntax.Offset)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// agreements: GET /staff/agreements.
func (s *Server) agreements(v *visit) error {
	p, err := s.agreementsPage(v, nil)
	if err != nil {
		return err
	}
	p.New.Open = v.form("new") != ""
	return v.page(ui.Agreements(p))
}

func (s *Server) agreementsPage(v *visit, errs ui.Errors) (ui.AgreementsPage, error) {
	var p ui.AgreementsPage
	var err error
	if p.Shell, err = s.shell(v, "agreements", "Agreements"); err != nil {
		return p, err
	}
	list, err := s.Terms.Documents(v.ctx(), v.me)
	if err != nil {
		return p, err
	}
	accepted, err := s.Terms.AcceptedBy(v.ctx(), v.me)
	if err != nil {
		return p, err
	}
	newest := map[string]bool{}
	for _, d := range list {
		row := ui.AgreementRow{
			Title: d.Title, Country: "Everywhere else · " + d.Language, Version: fmt.Sprint(d.Version), From: v.day(d.ValidFrom), Hash: d.Hash[:12], Href: "/terms/" + string(d.ID),
			Accepted: "nobody yet", State: ui.StateExpired, Word: "Replaced",
		}
		if d.Country != agreement.Everywhere {
			row.Country = countryNames([]string{d.Country}) + " · " + d.Language
		}
		if n := accepted[d.ID]; n > 0 {
			row.Accepted = ui.Count(n, "account", "accounts")
		}
		key := string(d.Kind) + d.Country + d.Language
		switch {
		case d.ValidFrom.After(v.now):
			row.State, row.Word = ui.StateDraft, "To come"
		case !newest[key]:
			newest[key] = true
			row.State, row.Word = ui.StateReady, "In force"
		}
		p.Rows = append(p.Rows, row)
	}
	p.Foot = ui.Foot{Text: ui.Count(len(list), "version", "versions")}
	p.Notice = ui.Note{Tone: ui.ToneInfo, Title: "A new version asks again", Text: "From its day on, every account accepts it at its next order. Running onboardings keep what they accepted."}
	f := fields{v, errs, len(errs) > 0}
	kinds := []ui.Option{{Value: "partner", Label: v.words.Partner + "'s terms"}, {Value: "microsoft", Label: "Microsoft's agreement (reference)"}}
	p.New = ui.AgreementForm{Off: v.may(account.ActAgreementPublish, ""), Errors: errs, Fields: []ui.Field{
		f.one("kind", "Whose document", "partner", choice(kinds)),
		f.one("country", "Country", "US", hint("Two letters, or * for everywhere else")),
		f.one("language", "Language", "en-US"), f.one("title", "Title", v.brand.TermsTitle),
		f.one("from", "In force from", v.now.AddDate(0, 0, 1).Format(time.DateOnly), func(x *ui.Field) { x.Type = "date" }, hint("00:00 in your zone")),
		f.one("link", "Link to the original", "", optional),
		f.one("note", "What changed", "", wide, hint("One sentence that customers read; needed from version 2 on")),
		f.one("text", "Text", "", lines(14), hint("Headings with #, lists with -, **bold** and [links](https://…)")),
	}}
	p.New.Fields[len(p.New.Fields)-1].Hint = "Headings with #, lists with - and links as [words](https://…)"
	return p, nil
}

// publish: POST /staff/agreements adds a version.
func (s *Server) publish(v *visit) error {
	d := agreement.Draft{
		Kind: agreement.Kind(v.form("kind")), Country: strings.ToUpper(v.form("country")), Language: v.form("language"), Title: v.form("title"),
		Text: v.form("text"), Link: v.form("link"), Note: v.form("note"),
	}
	var err error
	if text := v.form("from"); text != "" {
		day, perr := time.ParseInLocation(time.DateOnly, text, v.now.Location())
		if perr != nil {
			err = fault.Field("from", fmt.Sprintf("%q is no day.", text), "Write it like 2026-12-31.")
		}
		if day.Format(time.DateOnly) != v.now.Format(time.DateOnly) { // today: at once
			d.ValidFrom = day
		}
	}
	var doc agreement.Document
	if err == nil {
		doc, err = s.Terms.Publish(v.ctx(), v.me, d)
	}
	if err == nil {
		return v.to("/staff/agreements", fmt.Sprintf("Version %d published, in force from %s", doc.Version, v.day(doc.ValidFrom)))
	}
	errs, ok := errorsOf(err, nil, map[string]string{"valid_from": "from"})
	if !ok || fault.KindOf(err) == fault.Forbidden {
		return err
	}
	p, perr := s.agreementsPage(v, errs)
	if perr != nil {
		return perr
	}
	v.part(statusOf(err), ui.Agreements(p))
	return nil
}

// auditScan is how many entries a search looks at: the record is searched by
// object in its table, by words here.
const auditScan = 1000

// audit: GET /staff/audit?q=&org=&before= lists who did what, and whether the
// chain is whole.
func (s *Server) audit(v *visit) error {
	shell, err := s.shell(v, "audit", "Audit")
	if err != nil {
		return err
	}
	p := ui.AuditPage{Shell: shell, Filter: ui.Filter{Action: "/staff/audit", Query: v.form("q"), Placeholder: "Action, object or person"}}
	f := audit.Filter{Limit: perPage + 1}
	if text := v.form("after"); text != "" {
		us, perr := strconv.ParseInt(text, 10, 64)
		if perr != nil {
			return fault.New(fault.Invalid, "The page's address is not one of ours.")
		}
		f.Before = time.UnixMicro(us)
	}
	q := strings.ToLower(v.form("q"))
	if q != "" {
		f.Limit = auditScan
	}
	entries, err := audit.List(v.ctx(), s.DB, f)
	if err != nil {
		return err
	}
	who, err := s.actors(v, entries)
	if err != nil {
		return err
	}
	next := ""
	names := map[account.OrgID]string{"": v.brand.PartnerTitle()}
	for _, e := range entries {
		if q != "" && !strings.Contains(strings.ToLower(e.Action+" "+deed(e.Action)+" "+e.Object+" "+who[e.Actor]+" "+e.Address), q) {
			continue
		}
		if len(p.Rows) == perPage {
			break
		}
		org, oerr := s.orgName(v, account.OrgID(e.Org), names)
		if oerr != nil {
			return oerr
		}
		p.Rows = append(p.Rows, ui.AuditRow{
			At: v.moment(e.At), ISO: e.At.UTC().Format(time.RFC3339), Who: who[e.Actor], Via: via(e), Act: deed(e.Action), What: e.Object, Where: org,
			Number: fmt.Sprint(e.Seq), Hash: clipTo(e.Hash, 8),
		})
		next = strconv.FormatInt(e.At.UnixMicro(), 10)
	}
	if len(entries) < f.Limit && len(p.Rows) < perPage || len(entries) == 0 {
		next = ""
	}
	p.Foot = v.foot("/staff/audit", len(p.Rows), next, -1, "entry", "entries")
	p.Chain = s.chain(v)
	return v.page(ui.Audit(p))
}

// chain says whether the partner's own chain is whole; all of them are checked
// by `causeway audit verify`.
func (s *Server) chain(v *visit) ui.Note {
	n, err := audit.Verify(v.ctx(), s.DB, "")
	if err != nil {
		s.Log.Error("the audit chain is broken", "error", err)
		return ui.Note{Tone: ui.ToneStuck, Title: "The partner's chain is broken", Text: plain(err.Error()) + ". Tell whoever runs this installation; compare with a head that left the database."}
	}
	return ui.Note{Tone: ui.ToneOK, Title: "The partner's chain is whole", Text: fmt.Sprintf("%d entries, checked a moment ago. The chains of all customers are checked with causeway audit verify.", n)}
}

// actors gives who did something, in words.
func (s *Server) actors(v *visit, list []audit.Entry) (map[string]string, error) {
	words := map[string]string{audit.System: "Platform", "": "Platform"}
	for _, e := range list {
		if _, seen := words[e.Actor]; seen {
			continue
		}
		words[e.Actor] = e.Actor
		if mail, ok := strings.CutPrefix(e.Actor, "signatory:"); ok {
			words[e.Actor] = mail + " (signatory)"
			continue
		}
		if strings.HasPrefix(e.Actor, "token:") {
			words[e.Actor] = "an API token"
			continue
		}
		id, ok := audit.IsUser(e.Actor)
		if !ok {
			continue
		}
		u, err := s.People.User(v.ctx(), account.UserID(id))
		switch {
		case err == nil:
			words[e.Actor] = u.Email
		case fault.KindOf(err) == fault.NotFound:
			words[e.Actor] = "a person who is gone"
		default:
			return nil, err
		}
	}
	return words, nil
}

func via(e audit.Entry) string {
	switch {
	case strings.HasPrefix(e.Actor, "token:"):
		return "API · " + e.Address
	case e.Address == "":
		return "by itself"
	}
	return e.Address
}

// deed is an action in words: "provider.create" is "Provider: create".
func deed(action string) string {
	noun, verb, ok := strings.Cut(action, ".")
	if !ok {
		return capitalized(strings.ReplaceAll(action, "-", " "))
	}
	return capitalized(noun) + ": " + strings.ReplaceAll(verb, "-", " ")
}

// outbox: GET /staff/mail?state= lists mail.
func (s *Server) outbox(v *visit) error {
	if s.Mail == nil {
		return fault.New(fault.NotFound, "There is no outbox.")
	}
	shell, err := s.shell(v, "mail", "Mail")
	if err != nil {
		return err
	}
	state := support.MailState(v.form("state"))
	p := ui.OutboxPage{Shell: shell, Filter: ui.Filter{Action: "/staff/mail"}}
	page, err := s.Mail.Mails(v.ctx(), v.me, state, v.form("after"), perPage)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		label string
		state support.MailState
	}{{"All", ""}, {"Stuck", support.MailStuck}, {"On their way", support.MailWaiting}, {"Sent", support.MailSent}} {
		list, err := s.Mail.Mails(v.ctx(), v.me, c.state, "", 200)
		if err != nil {
			return err
		}
		href := "/staff/mail"
		if c.state != "" {
			href += "?state=" + string(c.state)
		}
		p.Filter.Chips = append(p.Filter.Chips, ui.Chip{Label: c.label, Count: len(list.Items), Href: href, On: state == c.state})
	}
	off := v.may(account.ActMailRetry, "")
	for _, m := range page.Items {
		row := ui.MailRow{ID: m.ID, To: m.To, Subject: m.Subject, Made: v.when(m.MadeAt), Answer: m.Answer, State: ui.StateInProgress, Word: "On its way"}
		switch m.State {
		case support.MailSent:
			row.State, row.Word, row.Answer = ui.StateReady, "Sent", ""
		case support.MailStuck:
			row.State, row.Word = ui.StateStuck, "Stuck"
			row.Actions = []ui.Action{{ID: "retry-" + m.ID, Label: "Send again", Size: "sm", Post: "/staff/mail/" + m.ID + "/retry", Off: off}}
		case support.MailWaiting:
		}
		p.Rows = append(p.Rows, row)
	}
	p.Foot = v.foot("/staff/mail", len(page.Items), page.Next, -1, "mail", "mails")
	return v.page(ui.Outbox(p))
}

// retryMail: POST /staff/mail/{id}/retry.
func (s *Server) retryMail(v *visit) error {
	if s.Mail == nil {
		return fault.New(fault.NotFound, "There is no outbox.")
	}
	if err := s.Mail.Retry(v.ctx(), v.me, v.r.PathValue("id"), v.form("to")); err != nil {
		return err
	}
	return v.to("/staff/mail?state=stuck", "It is tried again")
}
