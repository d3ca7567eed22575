package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"causeway/internal/api"
	"causeway/internal/demo"
	"causeway/internal/money"
	"causeway/internal/sim"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// history lets a partner work for some months before anybody looks. Nothing is written
// by hand: the clock of both processes begins in the past, customers are onboarded then,
// Microsoft bills month by month, and staff's part is done over the API. So documents
// carry the days on which they would have been issued.
type history struct {
	w      *world
	out    io.Writer // what is going on
	now    time.Time
	first  usage.Month
	last   usage.Month // its drafts are left for whoever looks
	months []usage.Month

	profile sim.Profile // Microsoft's waits once the history is there
	finance *client
	payers  int // accounts that have usage
}

// newHistory is nil for no months.
func newHistory(months int, now time.Time, out io.Writer) *history {
	if months < 1 {
		return nil
	}
	h := &history{out: out, now: now.UTC(), last: usage.MonthOf(now).Add(-1)}
	h.first = h.last.Add(1 - months)
	for m := h.first; m <= h.last; m = m.Add(1) {
		h.months = append(h.months, m)
	}
	return h
}

// The days of the month after, on which Microsoft's data of a month are whole and its
// invoice is there.
const (
	dayOfEstimate = 2
	dayOfInvoice  = 8
)

func (h *history) run(ctx context.Context, w *world) error {
	h.w = w
	began := time.Now()
	h.say("Making %d months of bills first: both clocks begin in %s, and the portal opens when they are here.\n\n", len(h.months), h.first)
	if err := h.waits(ctx, sim.Instant); err != nil {
		return err
	}
	if err := h.onboard(ctx); err != nil {
		return err
	}
	if err := h.generate(ctx, h.first); err != nil {
		return err
	}
	for _, m := range h.months {
		if err := h.month(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
	}
	running := h.last.Add(1)
	if err := h.at(ctx, h.now); err != nil {
		return err
	}
	seen := usage.DayOf(time.Now().Add(-30 * time.Hour)) // of which the usage is certainly there
	if seen.Month() == running {
		if err := h.until(ctx, running, func(m api.BillingMonth) bool { return m.AsOf >= string(seen) }); err != nil {
			return err
		}
		if err := h.budget(ctx); err != nil {
			return fmt.Errorf("budget: %w", err)
		}
	}
	h.say("  %s  the running month: an estimate\n\nThat took %.0f s. Left to do, for Finance at the partner: the drafts of %s, and who pays for a tenant that nobody knows.\n",
		running, time.Since(began).Seconds(), h.last)
	return h.waits(ctx, h.profile)
}

func (h *history) waits(ctx context.Context, p sim.Profile) error {
	return h.w.control(ctx, http.MethodPatch, "/_sim/latency", map[string]any{"profile": p}, nil)
}

func (h *history) say(text string, args ...any) { _, _ = fmt.Fprintf(h.out, text, args...) }

// after is 10:00 UTC of a day of the month after m.
func after(m usage.Month, day int) time.Time {
	return m.Add(1).First().Time().AddDate(0, 0, day-1).Add(10 * time.Hour)
}

// at moves both clocks to a time, the present at most. Whoever signed in a month ago
// signs in again.
func (h *history) at(ctx context.Context, t time.Time) (err error) {
	if err := h.w.at(ctx, t); err != nil {
		return err
	}
	h.finance, err = h.w.login(ctx, demo.Finance)
	return err
}

// onboard takes the demo's customers through the wizard, all accounts at once.
func (h *history) onboard(ctx context.Context) error {
	by := map[string][]demo.Customer{}
	for _, c := range demo.Customers() {
		by[c.Account] = append(by[c.Account], c)
	}
	h.payers = len(by)
	failed := make(chan error, len(by))
	for _, list := range by {
		go func() {
			for _, c := range list {
				if err := h.provider(ctx, c); err != nil {
					failed <- fmt.Errorf("%s: %w", c.Name, err)
					return
				}
			}
			failed <- nil
		}()
	}
	var all []error
	for range by {
		all = append(all, <-failed)
	}
	if err := errors.Join(all...); err != nil {
		return err
	}
	h.say("  %s  %d providers of %d customers are ready\n", h.first, len(demo.Customers()), len(by))
	return nil
}

func (h *history) provider(ctx context.Context, c demo.Customer) error {
	admin, err := h.w.login(ctx, c.Email)
	if err != nil {
		return err
	}
	j := &journey{w: h.w, c: admin, name: c.Name, account: c.Account, login: c.Login, prefix: c.Prefix}
	if err := j.submit(ctx); err != nil {
		return err
	}
	p, err := await(ctx, admin, j.id, nil)
	if err == nil && p.Provider.State != "ready" {
		err = fmt.Errorf("it is %s at %s", p.Provider.State, p.Onboarding.Step)
	}
	return err
}

// budget lets one customer set a budget that the running month is expected to exceed, and
// waits until it has told so.
func (h *history) budget(ctx context.Context) error {
	c := demo.Customers()[0]
	admin, err := h.w.login(ctx, c.Email)
	if err != nil {
		return err
	}
	var e api.Estimate
	if err := admin.get(ctx, "/accounts/"+c.Account+"/azure/billingestimate", &e); err != nil {
		return err
	}
	amount, err := money.New(e.EOMEstimate.Mul(decimal.New(9, -1)).Round(0), money.Currency(e.Currency))
	if err != nil {
		return err
	}
	at := "/billing/accounts/" + c.Account
	err = admin.put(ctx, at+"/budgets/account", map[string]any{
		"version": 0, "amount": amount, "recipients": []string{c.Email},
		"thresholds": []api.BudgetThreshold{{Percent: 50, Basis: "actual"}, {Percent: 80, Basis: "actual"}, {Percent: 100, Basis: "actual"}, {Percent: 100, Basis: "forecast"}},
	}, nil)
	for end := time.Now().Add(monthPatience); err == nil; err = pause(ctx, 150*time.Millisecond) {
		var told api.Page[api.BudgetAlert]
		if err := admin.get(ctx, at+"/budget-alerts", &told); err != nil || len(told.Items) > 0 {
			return err
		}
		if time.Now().After(end) {
			return errors.New("it tells nothing")
		}
	}
	return err
}

// generate lets Microsoft count what a month has. Use grows a little from month to
// month; in the last whole one there is a tenant that nobody knows.
func (h *history) generate(ctx context.Context, m usage.Month) error {
	grown := slices.Index(h.months, m)
	if grown < 0 {
		grown = len(h.months)
	}
	features := slices.DeleteFunc(slices.Clone(sim.Features), func(f sim.Feature) bool {
		return f == sim.FeatureTransfers || f == sim.FeatureUnmapped && m != h.last
	})
	return h.w.control(ctx, http.MethodPost, "/_sim/billing/generate", sim.BillOptions{Month: string(m), Seed: 13, Resources: 14 + grown/2, FromStart: true, Features: features}, nil)
}

// month bills a month: what is estimated on the 2nd, what Microsoft billed on the 8th.
// The month before is closed: what was late of it has been billed by then.
func (h *history) month(ctx context.Context, m usage.Month) error {
	if err := h.generate(ctx, m.Add(1)); err != nil {
		return err
	}
	if after(m, dayOfEstimate).Before(h.now) {
		if err := h.at(ctx, after(m, dayOfEstimate)); err != nil {
			return err
		}
		whole := func(x api.BillingMonth) bool { return x.AsOf == string(m.Last()) && x.Drafts+x.Issued > 0 }
		if err := h.until(ctx, m, whole); err != nil {
			return err
		}
		if m < h.last {
			if err := h.issue(ctx, m, func(x api.BillingMonth) bool { return x.Issued > 0 && x.Drafts == 0 }); err != nil {
				return err
			}
		}
	}
	invoiced := after(m, dayOfInvoice).Add(-10 * time.Hour)
	if h.now.Before(invoiced) {
		invoiced = h.now
	}
	if err := h.w.control(ctx, http.MethodPost, "/_sim/billing/close", map[string]any{"month": m, "date": invoiced}, nil); err != nil {
		return err
	}
	if err := h.at(ctx, after(m, dayOfInvoice)); err != nil {
		return err
	}
	explained := func(x api.BillingMonth) bool {
		return x.Billed && len(x.Statements) > 0 && !slices.ContainsFunc(x.Statements, func(s api.VendorStatement) bool { return !s.Posted }) && len(x.Undrafted) == 0 && x.Drafts+x.Issued >= h.payers
	}
	if m == h.last {
		err := h.until(ctx, m, explained)
		if err == nil {
			h.say("  %s  drafts to look at\n", m)
		}
		return err
	}
	var now api.BillingMonth
	err := h.issue(ctx, m, func(x api.BillingMonth) bool {
		now = x
		return explained(x) && x.Drafts == 0 && len(x.Open) == 0
	})
	if err != nil {
		return err
	}
	h.say("  %s  Microsoft %s, %s; %d documents\n", m, now.Statements[0].Invoice, now.Statements[0].Total, now.Issued)
	if m == h.first {
		return nil
	}
	return h.close(ctx, m.Add(-1))
}

// close closes a month if that is possible, as staff would.
func (h *history) close(ctx context.Context, m usage.Month) error {
	x, err := h.status(ctx, m)
	if err != nil || len(x.Missing) > 0 {
		return err
	}
	return h.finance.post(ctx, "/billing/months/"+url.PathEscape(string(m))+"/close", nil, nil)
}

func (h *history) status(ctx context.Context, m usage.Month) (x api.BillingMonth, err error) {
	return x, h.finance.get(ctx, "/billing/months/"+url.PathEscape(string(m)), &x)
}

// issue approves the drafts of a month until all that it waits for is issued.
func (h *history) issue(ctx context.Context, m usage.Month, done func(api.BillingMonth) bool) error {
	asked := time.Time{}
	var failed error
	err := h.until(ctx, m, func(x api.BillingMonth) bool {
		if x.Drafts > 0 && time.Since(asked) > time.Second {
			asked = time.Now()
			failed = h.finance.post(ctx, "/billing/months/"+url.PathEscape(string(m))+"/issue", nil, nil)
		}
		return failed != nil || done(x)
	})
	return errors.Join(failed, err)
}

// monthPatience is how long a month may take on a machine that has other things to do.
const monthPatience = 3 * time.Minute

// until asks how a month stands until that is so.
func (h *history) until(ctx context.Context, m usage.Month, so func(api.BillingMonth) bool) error {
	for end := time.Now().Add(monthPatience); ; {
		x, err := h.status(ctx, m)
		if err != nil {
			return err
		}
		if so(x) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("it stands still: usage up to %s, billed %t, %d drafts, %d issued; %s", x.AsOf, x.Billed, x.Drafts, x.Issued, strings.Join(x.Missing, " "))
		}
		if err := pause(ctx, 150*time.Millisecond); err != nil {
			return err
		}
	}
}
