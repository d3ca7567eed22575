package web

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// differences: GET /staff/differences?state=&kind=&open= is what is not the same
// here and at Microsoft.
func (s *Server) differences(v *visit) error {
	return s.showDifferences(v, v.form("open"), http.StatusOK, nil)
}

func (s *Server) showDifferences(v *visit, id string, code int, errs ui.Errors) error {
	var p ui.DifferencesPage
	var err error
	if p.Shell, err = s.shell(v, "differences", "Both sides"); err != nil {
		return err
	}
	counts, err := s.Provision.DifferenceCounts(v.ctx(), v.me)
	if err != nil {
		return err
	}
	f := provision.DifferenceFilter{State: provision.DifferenceState(v.form("state")), Kind: provision.DifferenceKind(v.form("kind")), After: v.form("after"), Limit: perPage}
	list, next, err := s.Provision.Differences(v.ctx(), v.me, f)
	if err != nil {
		return err
	}
	s.differenceFilter(v, &p, counts, f)
	for _, d := range list {
		p.Rows = append(p.Rows, differenceRow(v, d))
	}
	p.Foot = v.foot("/staff/differences", len(list), next, -1, "difference", "differences")
	p.Foot.CSV = link("/staff/differences/list.csv", v.query("state", "kind"))
	p.List = link("/staff/differences", v.query("state", "kind", "after", "back"))
	if err := s.lastSweep(v, &p, counts); err != nil {
		return err
	}
	if id != "" {
		if p.Sheet, err = s.differenceSheet(v, id, errs); err != nil {
			return err
		}
	}
	v.part(code, ui.Differences(p))
	return nil
}

func (s *Server) differenceFilter(v *visit, p *ui.DifferencesPage, counts provision.DifferenceCounts, f provision.DifferenceFilter) {
	p.Filter.Action = "/staff/differences"
	chip := func(label string, n int, state provision.DifferenceState, kind provision.DifferenceKind) {
		q := v.query()
		if state != "" {
			q.Set("state", string(state))
		}
		if kind != "" {
			q.Set("kind", string(kind))
		}
		p.Filter.Chips = append(p.Filter.Chips, ui.Chip{Label: label, Count: n, Href: link("/staff/differences", q), On: f.State == state && f.Kind == kind})
	}
	chip("All open", counts.All(), "", "")
	for _, k := range provision.DifferenceKinds {
		if n := counts.Open[k]; n > 0 || f.Kind == k {
			chip(k.Title(), n, "", k)
		}
	}
	chip("Ignored", counts.Ignored, provision.DiffIgnored, "")
}

// lastSweep says when both sides were compared, and what goes on now.
func (s *Server) lastSweep(v *visit, p *ui.DifferencesPage, counts provision.DifferenceCounts) error {
	last, err := s.Provision.LastSweep(v.ctx())
	if err != nil {
		return err
	}
	p.Text = "These records and Microsoft have not been compared yet."
	if !last.StartedAt.IsZero() {
		p.Text = fmt.Sprintf("Compared with Microsoft %s: %s and %s.", lower(v.when(last.EndedAt)),
			ui.Count(last.Customers, "customer", "customers"), ui.Count(last.Subscriptions, "subscription", "subscriptions"))
		if last.Unseen > 0 {
			p.Text += " " + ui.Count(last.Unseen, "tenant", "tenants") + " could not be looked into."
		}
	}
	now, err := s.Provision.SweepOf(v.ctx(), v.me, "")
	if err != nil {
		return err
	}
	switch {
	case !now.Done() && now.ID != "":
		text := "Reload the page to see what it finds."
		if now.Note != "" {
			text = now.Note + " It goes on by itself."
		}
		p.Notice = ui.Note{Tone: ui.ToneInfo, Icon: "refresh-cw", Title: "Both sides are being compared", Text: text}
	case counts.Doing > 0:
		p.Notice = ui.Note{Tone: ui.ToneInfo, Icon: "refresh-cw", Title: ui.Count(counts.Doing, "decision is", "decisions are") + " being carried out", Text: "Each line goes away when both sides agree on it."}
	}
	off := v.may(account.ActDifferenceResolve, "")
	if counts.Open[provision.DiffCustomer] > 0 {
		p.Actions = append(p.Actions, ui.Action{ID: "adopt-matched", Label: "Adopt all matches", Post: "/staff/differences/apply", Fields: []ui.Pair{{Name: "which", Value: "matched"}}, Busy: "Adopting…", Off: off})
	}
	if counts.Open[provision.DiffPolicy]+counts.Open[provision.DiffGrant]+counts.Open[provision.DiffName]+counts.Open[provision.DiffPlan]+counts.Open[provision.DiffPayer] > 0 {
		p.Actions = append(p.Actions, ui.Action{ID: "repair-all", Label: "Repair all", Post: "/staff/differences/apply", Fields: []ui.Pair{{Name: "which", Value: "safe"}}, Busy: "Repairing…", Off: off})
	}
	p.Actions = append(p.Actions, ui.Action{ID: "sweep", Label: "Compare now", Icon: "refresh-cw", Variant: "primary", Post: "/staff/differences/sweep", Busy: "Asking…", Off: v.may(account.ActSweep, "")})
	return nil
}

func lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func differenceRow(v *visit, d provision.Difference) ui.DifferenceRow {
	q := v.query("state", "kind", "after", "back")
	q.Set("open", d.ID)
	state, word := differenceState(d)
	row := ui.DifferenceRow{
		Href: link("/staff/differences", q), Title: d.Title, Text: d.Text, Kind: d.Kind.Title(), Proposal: capitalized(string(d.Proposal)),
		State: state, Word: word, Since: ui.FormatSpan(v.now.Sub(d.Since)),
	}
	if d.Proposal == provision.FixIgnore {
		row.Proposal = "Somebody looks"
	}
	if m := d.Details; m != nil && m.Suggestion.Account != "" {
		row.Proposal += ", for " + string(m.Suggestion.Account)
		if !m.Suggestion.Sure {
			row.Proposal += "?"
		}
	}
	return row
}

func differenceState(d provision.Difference) (ui.State, string) {
	switch {
	case d.State == provision.DiffResolved:
		return ui.StateReady, "Resolved"
	case d.State == provision.DiffIgnored:
		return ui.StateDraft, "Ignored"
	case d.Doing != "":
		return ui.StateInProgress, "Being done"
	case d.Trouble != "":
		return ui.StateStuck, "Did not work"
	}
	return ui.StateOpen, "Open"
}

// fixWords are the buttons' labels.
var fixWords = map[provision.Fix]string{
	provision.FixAdopt: "Adopt", provision.FixRepair: "Repair", provision.FixCancel: "End it at Microsoft", provision.FixIgnore: "Ignore",
}

func (s *Server) differenceSheet(v *visit, id string, errs ui.Errors) (*ui.DifferenceSheet, error) {
	d, err := s.Provision.Difference(v.ctx(), v.me, id)
	if err != nil {
		return nil, err
	}
	state, word := differenceState(d)
	sh := &ui.DifferenceSheet{
		ID: d.ID, Title: d.Title, State: state, Word: word, Text: d.Text, Remedy: d.Remedy, Errors: errs,
		Sub: d.Kind.Title() + " · found " + v.when(d.Since) + " · last seen " + v.when(d.SeenAt),
	}
	if d.Org != "" {
		name, err := s.orgName(v, d.Org, map[account.OrgID]string{})
		if err != nil {
			return nil, err
		}
		sh.Rows = append(sh.Rows, ui.KV{Key: "Customer", Value: plain(name), Href: "/staff/customers/" + string(d.Org)})
	}
	if d.About.Domain != "" {
		sh.Rows = append(sh.Rows, ui.KV{Key: "Domain", Value: d.About.Domain, Break: true})
	}
	if d.AzureID != "" {
		sh.Rows = append(sh.Rows, ui.KV{Key: "Tenant", Value: d.AzureID, Mono: true, Copy: true})
	}
	if d.About.Subscription != "" {
		sh.Rows = append(sh.Rows, ui.KV{Key: "Subscription", Value: d.About.Subscription, Mono: true, Copy: true})
	}
	if m := d.Details; m != nil {
		if m.Country != "" {
			sh.Rows = append(sh.Rows, ui.KV{Key: "Country", Value: m.Country})
		}
		if m.Number != "" {
			sh.Rows = append(sh.Rows, ui.KV{Key: "Registration number", Value: plain(m.Number)})
		}
		if m.Suggestion.Account != "" {
			sh.Rows = append(sh.Rows, ui.KV{Key: "Matches", Value: string(m.Suggestion.Account), Href: "/accounts/" + string(m.Suggestion.Account), Sub: m.Suggestion.Why})
		} else {
			sh.Rows = append(sh.Rows, ui.KV{Key: "Matches", Value: "No account of ours"})
		}
	}
	if d.Trouble != "" {
		sh.Rows = append(sh.Rows, ui.KV{Key: "Last try", Value: plain(d.Trouble), Tone: ui.ToneStuck})
	}
	if err := s.differenceEnd(v, sh, d); err != nil {
		return nil, err
	}
	sh.Evidence = evidenceRows(v, d.Evidence)
	if d.State != provision.DiffResolved && d.Doing == "" {
		s.differenceForm(v, sh, d, errs)
	}
	return sh, nil
}

// differenceEnd says who decided what.
func (s *Server) differenceEnd(v *visit, sh *ui.DifferenceSheet, d provision.Difference) error {
	if d.EndedAt.IsZero() || d.State == provision.DiffOpen {
		return nil
	}
	who, err := s.actors(v, []audit.Entry{{Actor: d.EndedBy}})
	if err != nil {
		return err
	}
	word := "It was gone by itself"
	if w, ok := fixWords[provision.Fix(d.Ending)]; ok {
		word = w
	}
	sh.Rows = append(sh.Rows, ui.KV{Key: "Ended", Value: v.moment(d.EndedAt), Sub: "· " + word + ", by " + who[d.EndedBy]})
	if d.Reason != "" {
		sh.Rows = append(sh.Rows, ui.KV{Key: "Reason", Value: plain(d.Reason)})
	}
	return nil
}

func evidenceRows(v *visit, e provision.Evidence) []ui.KV {
	var rows []ui.KV
	if !e.At.IsZero() {
		rows = append(rows, ui.KV{Key: "Made", Value: v.moment(e.At)})
	}
	if e.By != "" {
		rows = append(rows, ui.KV{Key: "By", Value: plain(e.By)})
	}
	if e.Correlation != "" {
		rows = append(rows, ui.KV{Key: "Correlation id", Value: e.Correlation, Mono: true, Copy: true})
	}
	if e.Onboarding != "" {
		rows = append(rows, ui.KV{Key: "Our onboarding", Value: "See it", Href: "/staff/onboardings/" + string(e.Onboarding)})
	}
	for _, f := range e.Facts {
		rows = append(rows, ui.KV{Key: "Fact", Value: plain(f)})
	}
	return rows
}

func (s *Server) differenceForm(v *visit, sh *ui.DifferenceSheet, d provision.Difference, errs ui.Errors) {
	off := v.may(account.ActDifferenceResolve, "")
	if d.Kind == provision.DiffCustomer && d.Tenant == "" {
		value := v.form("account")
		if value == "" && d.Details != nil {
			value = string(d.Details.Suggestion.Account)
		}
		sh.Account = ui.Field{ID: "account", Label: v.words.AccountWord + " that pays from today on", Hint: "Its organization becomes the customer's.", Value: value, Error: errs.For("account"), Spellfree: true, MaxLength: 10}
	}
	if slices.Contains(d.Fixes, provision.FixIgnore) && d.State != provision.DiffIgnored {
		sh.Reason = ui.Field{ID: "reason", Label: "Reason, to ignore it", Type: "textarea", Rows: 2, MaxLength: 2000, Value: v.form("reason"), Error: errs.For("reason"), Optional: true, Hint: "An ignored difference comes back when it changes."}
	}
	for i, f := range d.Fixes {
		if f == provision.FixIgnore && d.State == provision.DiffIgnored {
			continue
		}
		a := ui.Action{ID: "fix-" + string(f), Label: fixWords[f], Submit: true, Form: "resolve", Name: "action", Value: string(f)}
		if i == 0 {
			a.Variant, a.Off = "primary", off
		}
		if f == provision.FixCancel && i > 0 {
			a.Variant = "destructive"
		}
		if off != "" && i > 0 {
			continue // said once is enough
		}
		sh.Buttons = append(sh.Buttons, a)
	}
}

// resolveDifference: POST /staff/differences/{id}/resolve carries out a decision.
func (s *Server) resolveDifference(v *visit) error {
	id := v.r.PathValue("id")
	d, err := s.Provision.Resolve(v.ctx(), v.me, id, provision.Decision{
		Fix: provision.Fix(v.form("action")), Reason: v.form("reason"), Account: account.Alias(strings.ToUpper(strings.TrimSpace(v.form("account")))),
	})
	if err == nil {
		said := "It is being done"
		if d.State == provision.DiffIgnored {
			said = "Ignored until it changes"
		}
		return v.to("/staff/differences?open="+id, said)
	}
	errs, ok := errorsOf(err, map[string]string{"account": v.words.AccountWord, "reason": "Reason"}, nil)
	if !ok || fault.KindOf(err) == fault.Forbidden || fault.KindOf(err) == fault.NotFound {
		return err
	}
	return s.showDifferences(v, id, statusOf(err), errs)
}

// applyProposals: POST /staff/differences/apply carries out many proposals.
func (s *Server) applyProposals(v *visit) error {
	which := provision.Which(v.form("which"))
	n, more, err := s.Provision.Apply(v.ctx(), v.me, which)
	if err != nil {
		return err
	}
	said := ui.Count(n, "proposal is", "proposals are") + " being carried out"
	if more {
		said += "; press it again for the rest"
	}
	return v.to("/staff/differences", said)
}

// askSweep: POST /staff/differences/sweep compares both sides now.
func (s *Server) askSweep(v *visit) error {
	if _, err := s.Provision.AskSweep(v.ctx(), v.me); err != nil {
		return err
	}
	return v.to("/staff/differences", "Both sides are being compared")
}

// exportDifferences: GET /staff/differences/list.csv?state=&kind=.
func (s *Server) exportDifferences(v *visit) error {
	f := provision.DifferenceFilter{State: provision.DifferenceState(v.form("state")), Kind: provision.DifferenceKind(v.form("kind")), Limit: 500}
	list, next, err := s.Provision.Differences(v.ctx(), v.me, f)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="differences.csv"`)
	w := csv.NewWriter(v.w)
	// The first three columns are those of an import: a filtered file can be sent back.
	if err := w.Write([]string{"customer", "organization", "account", "kind", "title", "text", "proposal", "sure", "state", "since_utc", "seen_utc"}); err != nil {
		return ignoreGone(v, err)
	}
	for {
		for _, d := range list {
			org, alias, sure := string(d.Org), "", ""
			if m := d.Details; m != nil && m.Suggestion.Account != "" {
				org, alias, sure = string(m.Suggestion.Org), string(m.Suggestion.Account), fmt.Sprint(m.Suggestion.Sure)
			}
			err := w.Write(cells(d.AzureID, org, alias, string(d.Kind), d.Title, d.Text, string(d.Proposal), sure, string(d.State), d.Since.UTC().Format(time.RFC3339), d.SeenAt.UTC().Format(time.RFC3339)))
			if err != nil {
				return ignoreGone(v, err)
			}
		}
		if next == "" {
			break
		}
		f.After = next
		if list, next, err = s.Provision.Differences(v.ctx(), v.me, f); err != nil {
			s.Log.Error("an export broke off", "request", reference(v.r), "error", err)
			panic(http.ErrAbortHandler) // half a file must not look whole
		}
	}
	w.Flush()
	return ignoreGone(v, w.Error())
}
