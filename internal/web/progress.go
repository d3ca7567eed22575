package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/store"
	"causeway/internal/web/ui"
)

// Figures of the progress stream. It is told when something changes, in whichever
// process; that may get lost, so it also asks. Asking is one look into an index.
const (
	streamAsk   = 2 * time.Second
	streamSpeak = 15 * time.Second // proxies cut what is silent for a minute
)

// provider: GET /providers/{id} is the page of a provider in whatever state.
func (s *Server) provider(v *visit) error {
	p, err := s.Providers.Get(v.ctx(), v.me, provider.ID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	switch p.State {
	case provider.Draft:
		return v.to("/providers/"+string(p.ID)+"/wizard", "")
	case provider.Ready:
		return s.readyPage(v, p)
	}
	view, err := s.progress(v, p)
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "providers", nameOf(p))
	if err != nil {
		return err
	}
	return v.page(ui.Progressing(ui.ProgressPage{Shell: shell, Progress: view}))
}

// panel: GET /providers/{id}/panel is the part that is fetched again when the
// state has changed.
func (s *Server) panel(v *visit) error {
	p, err := s.Providers.Get(v.ctx(), v.me, provider.ID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	switch p.State {
	case provider.Draft: // it could not begin after the signature: back to the wizard
		return v.to("/providers/"+string(p.ID)+"/wizard", "")
	case provider.Ready:
		view, err := s.readyView(v, p)
		if err != nil {
			return err
		}
		return v.page(ui.ProviderPanel(view))
	}
	view, err := s.progress(v, p)
	if err != nil {
		return err
	}
	return v.page(ui.ProgressPanel(view))
}

// ended tells whether nothing will happen any more by itself or by anybody.
func ended(s provider.State) bool {
	return s == provider.Ready || s == provider.Cancelled || s == provider.Draft
}

// events: GET /providers/{id}/events?state= streams the body of the progress
// page, whole, at each change. It ends when the state is another one than the
// page was made for: the page then fetches its panel. It also ends when this
// process stops: the page connects again, to another replica.
func (s *Server) events(v *visit) error {
	id := provider.ID(v.r.PathValue("id"))
	p, err := s.Providers.Get(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	rc := http.NewResponseController(v.w)
	if err := rc.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) { // else the server's timeout cuts the stream
		return err
	}
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.Header().Set("X-Accel-Buffering", "no")
	shown := v.form("state")
	changed, unwatch := s.Providers.Watch(id)
	defer unwatch()
	ask, speak := time.NewTicker(streamAsk), time.NewTicker(streamSpeak)
	defer ask.Stop()
	defer speak.Stop()
	var sent int64 = -1
	var last string
	for {
		if p.Version != sent {
			if last, err = s.sendBody(v, p, last); store.IsAway(err) {
				if !s.soon(v) {
					return nil
				}
				continue
			}
			if err != nil {
				return s.brokenStream(v, err)
			}
			sent = p.Version
			if string(stateOf(p)) != shown || ended(p.State) {
				_, _ = fmt.Fprint(v.w, "event: done\ndata: {}\n\n")
				_ = rc.Flush() // who has left misses nothing
				return nil
			}
			if rc.Flush() != nil { // the person has left
				return nil
			}
		}
		select {
		case <-v.ctx().Done():
			return nil
		case <-s.Closing:
			return nil
		case <-speak.C:
			err = s.heartbeat(v, &p, &last)
			if err == nil && rc.Flush() != nil { // the person has left
				return nil
			}
		case <-changed:
			p, err = s.newer(v, p)
		case <-ask.C:
			p, err = s.newer(v, p)
		}
		if err != nil && !store.IsAway(err) { // a database that is being restarted is asked again
			return s.brokenStream(v, err)
		}
	}
}

// soon waits a moment for a database that is away; false: the stream ends.
func (s *Server) soon(v *visit) bool {
	t := time.NewTimer(streamAsk)
	defer t.Stop()
	select {
	case <-v.ctx().Done():
		return false
	case <-s.Closing:
		return false
	case <-t.C:
		return true
	}
}

// newer gives the provider as it is now, if it changed.
func (s *Server) newer(v *visit, p provider.Provider) (provider.Provider, error) {
	version, _, err := s.Providers.Version(v.ctx(), p.ID)
	if err != nil || version == p.Version {
		return p, err
	}
	now, err := s.Providers.Get(v.ctx(), v.me, p.ID)
	if err != nil {
		return p, err
	}
	return now, nil
}

// heartbeat keeps the connection and the estimate alive, and ends the stream of
// who was signed out meanwhile.
func (s *Server) heartbeat(v *visit, p *provider.Provider, last *string) error {
	if err := s.resume(v); err != nil {
		return err
	}
	now, err := s.Providers.Get(v.ctx(), v.me, p.ID)
	if err != nil {
		return err
	}
	*p = now
	if _, err := fmt.Fprint(v.w, ": here\n\n"); err != nil {
		return err
	}
	*last, err = s.sendBody(v, now, *last)
	return err
}

// sendBody writes the body as one message, unless it is what was sent last.
func (s *Server) sendBody(v *visit, p provider.Provider, last string) (string, error) {
	v.now = s.Now().In(v.now.Location())
	view, err := s.progress(v, p)
	if err != nil {
		return last, err
	}
	var b bytes.Buffer
	if err := ui.ProgressBody(view).Render(v.ctx(), &b); err != nil {
		return last, err
	}
	html := b.String()
	if html == last {
		return last, nil
	}
	if _, err := fmt.Fprintf(v.w, "id: %d\n", p.Version); err != nil {
		return last, err
	}
	for line := range strings.SplitSeq(html, "\n") {
		if _, err := fmt.Fprintf(v.w, "data: %s\n", line); err != nil {
			return last, err
		}
	}
	_, err = fmt.Fprint(v.w, "\n")
	return html, err
}

// brokenStream ends a stream; the page connects again and sees what is.
func (s *Server) brokenStream(v *visit, err error) error {
	if v.ctx().Err() == nil && fault.Of(err) == nil {
		s.Log.Error("a progress stream broke", "request", reference(v.r), "error", err)
	}
	return nil
}

// progress is everything about a provider that is being made, or was cancelled.
func (s *Server) progress(v *visit, p provider.Provider) (ui.Progress, error) {
	g := ui.Progress{
		ID: string(p.ID), Name: nameOf(p), State: stateOf(p), Of: 5, Step: 1,
		Crumbs: []ui.Link{{Label: "Providers", Href: "/providers"}, {Label: nameOf(p)}},
		Live:   !ended(p.State),
	}
	g.Sub = v.words.TypeName
	if p.Account != "" {
		names, err := s.accountNames(v, []provider.Provider{p})
		if err != nil {
			return g, err
		}
		g.Sub += " · billed to " + plain(string(p.Account)+", "+names[p.Account])
	}
	if off := v.may(account.ActProviderCancel, p.Org); p.State != provider.Cancelled && p.State != provider.Cancelling {
		if waitingForSignature(p) {
			off = v.may(account.ActProviderEdit, p.Org)
		}
		g.Actions = append(g.Actions, ui.Action{ID: "cancel-provider", Label: "Cancel…", Variant: "ghost", Dialog: "cancel", Off: off})
		g.CancelInfo = s.cancelInfo(v, p)
	}
	if waitingForSignature(p) {
		return s.signatureProgress(v, p, g)
	}
	pr, err := s.Provision.Progress(v.ctx(), v.me, p.ID)
	if err != nil {
		return g, err
	}
	return s.onboardingProgress(v, pr, g), nil
}

// cancelInfo says what is lost, what stays and who is told.
func (s *Server) cancelInfo(v *visit, p provider.Provider) *ui.CancelInfo {
	if waitingForSignature(p) {
		return &ui.CancelInfo{
			Lost: []string{"The draft, and the link that the signatory has."}, Kept: []string{"Nothing exists at Microsoft yet, so nothing has to be undone there."},
			Told: "Nobody is told.",
		}
	}
	c := &ui.CancelInfo{
		Lost: []string{"The subscription and everything that runs in it. Microsoft keeps its data for 90 days at most."},
		Kept: []string{"The tenant and its domain, for the next provider of the same company.", "The receipt, the log and every bill."},
		Told: "It shows in the log of your organization. Usage until now is billed.",
		Type: p.State == provider.Ready,
	}
	if p.State != provider.Ready {
		c.Lost[0] = "What was made so far is undone: the subscription, if there is one, is cancelled at Microsoft."
	}
	return c
}

// signatureProgress is a submitted draft that waits for its signatory.
func (s *Server) signatureProgress(v *visit, p provider.Provider, g ui.Progress) (ui.Progress, error) {
	d, err := s.Provision.Draft(v.ctx(), v.me, p.ID)
	if err != nil {
		return g, err
	}
	g.Doing, g.Started, g.Percent = "Waiting for the signature", d.UpdatedAt, 1
	if d.Submitted != nil {
		g.Started = d.Submitted.At
	}
	g.Elapsed = ui.FormatSpan(v.now.Sub(g.Started))
	note := ui.Note{Tone: ui.ToneWaiting, Title: "Nothing is wrong and there is nothing to do.", Text: "It begins by itself after the signature. You can close this page."}
	inv, invited, err := s.Signatures.For(v.ctx(), string(p.ID))
	if err != nil {
		return g, err
	}
	if d.Microsoft != nil {
		sig := d.Microsoft.Signatory
		note.Text = plain(sig.FirstName+" "+sig.LastName+" ("+sig.Email+")") + " has the link. " + note.Text
	}
	if invited {
		note.Text += " " + plain(s.invitationFacts(v, inv))
		if !inv.Waiting(v.now) && inv.State != agreement.Signed {
			note = ui.Note{Tone: ui.ToneStuck, Title: "The invitation is " + string(inv.State) + ".", Text: "The draft opens again in a moment: choose somebody else at the step Terms."}
		} else if inv.Waiting(v.now) {
			note.Action = ui.Action{ID: "withdraw", Label: "Withdraw the link", Post: "/providers/" + g.ID + "/withdraw", Off: v.may(account.ActTermsAccept, p.Org)}
		}
	}
	g.Note = &note
	for _, name := range v.words.StepNames {
		g.Steps = append(g.Steps, ui.Step{Title: name, State: ui.StepLater})
	}
	log, _, err := s.Providers.Tail(v.ctx(), p.ID, 8)
	if err != nil {
		return g, err
	}
	g.Log = s.logLines(v, log, false)
	g.Panel = []ui.Section{
		{Title: "How long it waits", Paragraphs: []string{"The draft is kept until " + v.day(d.KeepUntil) + ". Reminders go out by themselves."}},
		{Title: "If somebody else should sign", Paragraphs: []string{"Withdraw the link: the draft opens again at the step Terms. Nothing exists at Microsoft yet."}},
	}
	if domain, ok := s.domainOf(v, d); ok {
		g.SoFar = []ui.KV{{Key: "Domain", Value: domain, Break: true, Sub: "not made yet"}}
	}
	return g, nil
}

// withdraw: POST /providers/{id}/withdraw takes the signatory's link back; the
// draft can be filled in again as soon as a worker has seen it.
func (s *Server) withdraw(v *visit) error {
	p, err := s.Providers.Get(v.ctx(), v.me, provider.ID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	inv, ok, err := s.Signatures.For(v.ctx(), string(p.ID))
	if err != nil {
		return err
	}
	if ok && inv.Waiting(v.now) {
		if _, err := s.Signatures.Withdraw(v.ctx(), v.me, inv.ID, "Withdrawn by the one who asked."); err != nil {
			return err
		}
	}
	return v.to("/providers/"+string(p.ID), "The link does not work any more")
}

// onboardingProgress turns the nine steps into the seed's five.
func (s *Server) onboardingProgress(v *visit, pr provision.Progress, g ui.Progress) ui.Progress {
	o := pr.Onboarding
	g.Step, g.Started = o.Step.Group(), o.StartedAt
	gone := v.now.Sub(o.StartedAt)
	if !o.FinishedAt.IsZero() {
		gone, g.Ended = o.FinishedAt.Sub(o.StartedAt), true
	}
	g.Elapsed = ui.FormatSpan(gone)
	g.Percent, g.ToGo = percent(gone, pr.Estimate), toGo(pr.Estimate)
	g.Doing = o.Step.Title()
	g.Steps = s.fiveSteps(v, pr)
	switch o.State {
	case provision.Stuck:
		g.ToGo, g.Doing = "", "Stuck: "+small(o.Step.Title())
		g.Fix = s.fixForm(v, pr)
		g.Note = s.stuckNote(v, o, g.Fix != nil)
	case provision.Cancelling:
		g.ToGo, g.Doing = "", "Being cancelled"
		g.Note = &ui.Note{Tone: ui.ToneWaiting, Title: "Nothing is wrong and there is nothing to do.", Text: "What exists at Microsoft is undone, which takes about ten minutes. You can close this page."}
	case provision.Cancelled:
		g.ToGo, g.Doing, g.Percent = "", "Cancelled", 100
		g.Note = &ui.Note{Tone: ui.ToneInfo, Title: pr.Provider.Note, Text: "Make a new provider whenever you need one."}
	default:
		g.Note = s.waitNote(v, pr)
	}
	if done := finished(g.Steps); done > 0 {
		g.Said = fmt.Sprintf("Step %d of 5 done: %s", done, g.Steps[done-1].Title)
	}
	if o.State == provision.Running || o.State == provision.Waiting {
		label, value := "Mail me when ready", "on"
		if o.MailMe {
			label, value = "Do not mail me", "off"
		}
		g.Actions = append([]ui.Action{{ID: "mail-me", Label: label, Post: "/providers/" + g.ID + "/mail", Fields: []ui.Pair{{Name: "on", Value: value}}, Off: v.may(account.ActProviderEdit, o.Org)}}, g.Actions...)
	}
	n := min(len(pr.Log), 8)
	g.Log = s.logLines(v, pr.Log[:n], false)
	if pr.LogCount > n {
		g.LogAll = ui.Link{Label: fmt.Sprintf("All %d entries", pr.LogCount), Href: "/providers/" + g.ID + "?tab=log"}
	}
	g.Panel = s.progressPanel(v, o)
	g.SoFar = s.soFar(pr)
	return g
}

func finished(steps []ui.Step) int {
	n := 0
	for _, x := range steps {
		if x.State != ui.StepDone {
			break
		}
		n++
	}
	return n
}

// fiveSteps groups the steps; the last group shows what is inside.
func (s *Server) fiveSteps(v *visit, pr provision.Progress) []ui.Step {
	list := make([]ui.Step, 5)
	parts := make([][]provision.StepRecord, 5)
	for _, r := range pr.Steps {
		if r.Name != provision.StepReady {
			g := r.Name.Group() - 1
			parts[g] = append(parts[g], r)
		}
	}
	for i := range list {
		st := &list[i]
		st.Title, st.State = v.words.StepNames[i], ui.StepLater
		var began, end time.Time
		all := len(parts[i]) > 0
		for _, r := range parts[i] {
			if !r.Started.IsZero() && (began.IsZero() || r.Started.Before(began)) {
				began = r.Started
			}
			if r.Finished.After(end) {
				end = r.Finished
			}
			st.Facts = append(st.Facts, r.Facts...)
			all = all && r.State == provision.StepDone
			switch r.State {
			case provision.StepRunning, provision.StepWaiting, provision.StepStuck:
				st.State = stepState(r.State)
			case provision.StepDone, provision.StepPending, provision.StepSkipped:
			}
		}
		switch {
		case all:
			st.State, st.Took = ui.StepDone, ui.FormatSpan(end.Sub(began))
		case st.State == ui.StepLater && !began.IsZero():
			st.State = ui.StepRunning // between two of its parts
			fallthrough
		case st.State != ui.StepLater:
			st.Since, st.Took = began, ui.FormatSpan(v.now.Sub(began))
		}
		if pr.Onboarding.State == provision.Cancelled && st.State != ui.StepDone {
			st.State, st.Since, st.Took = ui.StepLater, time.Time{}, ""
		}
		if st.State != ui.StepDone && st.State != ui.StepLater && len(parts[i]) > 1 {
			st.Facts = nil
			st.Subs = s.subs(v, parts[i])
		}
	}
	return list
}

func stepState(s provision.StepState) ui.StepState {
	switch s {
	case provision.StepDone:
		return ui.StepDone
	case provision.StepRunning:
		return ui.StepRunning
	case provision.StepWaiting:
		return ui.StepWaiting
	case provision.StepStuck:
		return ui.StepStuck
	}
	return ui.StepLater
}

func (s *Server) subs(v *visit, list []provision.StepRecord) []ui.Sub {
	out := make([]ui.Sub, len(list))
	for i, r := range list {
		u := ui.Sub{Title: r.Name.Title(), State: stepState(r.State), Text: r.Note}
		switch {
		case r.State == provision.StepDone:
			u.Took, u.Text = ui.FormatSpan(r.Finished.Sub(r.Started)), strings.Join(r.Facts, ", ")
		case r.State == provision.StepPending:
			u.Text = "Starts when the one above is done"
		case !r.Started.IsZero():
			u.Since, u.Took = r.Started, ui.FormatSpan(v.now.Sub(r.Started))
			if r.Asked > 1 {
				u.Text = strings.TrimSpace(fmt.Sprintf("%s Asked %d times.", r.Note, r.Asked))
			}
			if !r.Next.IsZero() && r.Next.After(v.now.Add(2*time.Second)) {
				u.Text += " Next at " + v.second(r.Next) + "."
			}
		}
		out[i] = u
	}
	return out
}

// waitNote calms: what is waited for, and that nobody has to do anything.
func (s *Server) waitNote(v *visit, pr provision.Progress) *ui.Note {
	var now provision.StepRecord
	for _, r := range pr.Steps {
		if r.Name == pr.Onboarding.Step {
			now = r
		}
	}
	if now.State != provision.StepWaiting {
		return nil
	}
	text := now.Note
	if now.Name == provision.StepGuard {
		text = "Microsoft copies the guardrail to all its regions before it takes effect. We ask until a forbidden service is refused and an allowed one is not."
	}
	if pr.Queue != nil {
		text = queueText(v, *pr.Queue)
	}
	if pr.Estimate.Over {
		text += " It takes longer than usual. After a while our support looks at it by itself."
	}
	return &ui.Note{Tone: ui.ToneWaiting, Title: "Nothing is wrong and there is nothing to do.", Text: plain(text) + " You can close this page."}
}

// queueText says how long the line at one of Microsoft's limits is.
func queueText(v *visit, w azure.Wait) string {
	text := "Microsoft takes only so many requests a minute. This one waits for its turn"
	if w.PerMinute > 0 {
		text = fmt.Sprintf("Microsoft takes %d such requests a minute from us", w.PerMinute)
		switch w.Ahead {
		case 0:
			text += "; this one is next"
		case 1:
			text += "; 1 is before this one"
		default:
			text += fmt.Sprintf("; %d are before this one", w.Ahead)
		}
	}
	if !w.Closed.IsZero() {
		text += "; it takes none until " + v.second(w.Closed)
	}
	if w.Estimate > 0 {
		text += "; about " + about(w.Estimate) + ", an estimate from those who waited before"
	}
	return text + "."
}

// about rounds a time that is only estimated: to whole minutes from two on.
func about(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return ui.FormatSpan((d + 5*time.Second).Round(10 * time.Second))
	case d < time.Hour:
		return ui.FormatSpan(d.Round(time.Minute))
	}
	return ui.FormatSpan(d.Round(10 * time.Minute))
}

// stuckNote says what happened, why, what to do and by when.
func (s *Server) stuckNote(v *visit, o provision.Onboarding, fixable bool) *ui.Note {
	n := &ui.Note{Tone: ui.ToneStuck, Title: "It cannot go on by itself."}
	if o.Refusal != nil {
		n.Title = plain(o.Refusal.Reason)
		n.Text = plain(o.Refusal.Remedy)
	}
	at := o.StuckAt
	if at.IsZero() {
		at = o.ChangedAt
	}
	n.Text = strings.TrimSpace(n.Text + " Our support was told at " + v.clock(at) + " and answers by " + v.moment(v.rules.Answer.AnswerBy(at)) + ".")
	if fixable {
		n.Text += " You can correct it yourself now:"
	} else {
		n.Text += " Nothing has to be typed again."
	}
	return n
}

func (s *Server) progressPanel(v *visit, o provision.Onboarding) []ui.Section {
	ready := []string{"The first sign-in is shown once you sign in again, and kept sealed for " + ui.Count(v.rules.CredentialDays, "day", "days") + ".", "The portal link opens your subscription."}
	if o.MailMe {
		ready = append([]string{"You get a mail with your receipt."}, ready...)
	}
	return []ui.Section{
		{Title: "When it is ready", Items: ready},
		{Title: "If this page is closed", Paragraphs: []string{"The work goes on. Come back at any time; nothing is done twice."}},
		{Title: "If you cancel now", Paragraphs: []string{"The subscription is cancelled at Microsoft. The tenant and its domain are kept for your company and used again next time."}},
	}
}

func (s *Server) soFar(pr provision.Progress) []ui.KV {
	var list []ui.KV
	p := pr.Provider
	if p.TenantID != "" {
		list = append(list, ui.KV{Key: "Tenant", Value: p.TenantID, Mono: true, Copy: true})
	}
	if p.Domain != "" {
		kv := ui.KV{Key: "Domain", Value: p.Domain, Break: true}
		if p.TenantID == "" {
			kv.Sub = "not made yet"
		}
		list = append(list, kv)
	}
	if pr.Onboarding.Subscription != "" {
		list = append(list, ui.KV{Key: "Subscription", Value: pr.Onboarding.Subscription, Mono: true, Copy: true})
	}
	return list
}

// logLines are entries of a provider's log, newest first.
func (s *Server) logLines(v *visit, list []provider.Entry, dated bool) []ui.LogLine {
	out := make([]ui.LogLine, len(list))
	for i, e := range list {
		l := ui.LogLine{At: v.second(e.At), ISO: e.At.UTC().Format(time.RFC3339), Step: e.Step, Text: e.Text}
		if dated {
			l.At = v.in(e.At).Format("2 Jan 15:04:05")
		}
		switch {
		case e.Level >= provider.Failed:
			l.Tone = ui.ToneStuck
		case e.Level >= provider.Done:
			l.Tone = ui.ToneOK
		case e.Level >= provider.Warning:
			l.Tone = ui.ToneWaiting
		}
		if l.Step == "" {
			l.Step = "provider"
		}
		out[i] = l
	}
	return out
}
