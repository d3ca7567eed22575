package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/demo"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/web/ui"

	"golang.org/x/sync/errgroup"
)

// pageRead is one page that somebody opens, and what must be on it.
type pageRead struct {
	name, path string
	who        int // of the sample; -1 = the partner's finance
	says       []string
	records    bool // it shows single records
	more       bool // then their second page is opened
}

// plan is all that is read, in an order that is the same in every run.
func (p *pagesBench) plan() []pageRead {
	order := rand.New(rand.NewPCG(1, uint64(len(p.months)))) // #nosec G404 -- nothing is secret about it
	var all []pageRead
	for i, n := range p.sample {
		alias := p.accounts[n]
		known, docs := p.known[alias], p.docs[alias]
		add := func(r pageRead) {
			r.who = i
			all = append(all, r)
		}
		add(pageRead{name: "usage", path: "/usage", says: []string{paidOf(known[pagesMonth])}})
		var all13 []string
		for _, m := range p.months {
			all13 = append(all13, cents(known[m].Sell))
		}
		add(pageRead{name: "history", path: "/usage/history", says: all13})
		closed := slices.Clone(p.months[:len(p.months)-1])
		order.Shuffle(len(closed), func(a, b int) { closed[a], closed[b] = closed[b], closed[a] })
		closed = firstFew(closed, 3)
		for k, m := range append(closed, pagesMonth) {
			x := known[m]
			month := "/usage/history/" + string(alias) + "/" + string(m)
			if k < 2 && m != pagesMonth {
				add(pageRead{name: "usage of a month", path: "/usage?month=" + string(m) + "&by=" + []string{"region", "provider"}[k], says: []string{paidOf(x)}})
				add(pageRead{name: "month", path: month, says: []string{inCoins(docs[m].Total)}})
				add(pageRead{name: "vendor cycle", path: month + "?view=vendor", says: []string{paidOf(x)}})
				add(pageRead{name: "invoice", path: "/invoices/" + string(docs[m].ID), says: []string{docs[m].Number, inCoins(docs[m].Total)}})
			}
			for _, r := range p.slices(alias, x, order) {
				add(r)
			}
		}
	}
	for _, m := range p.months {
		at := "/staff/billing?month=" + string(m)
		sum := inCoins(p.sums[m])
		all = append(all, pageRead{name: "staff: month", path: at, who: -1, says: []string{sum}})
		if len(p.accounts) > 200 {
			all = append(all, pageRead{name: "staff: month, next page", path: at + "&after=100&sort=margin", who: -1, says: []string{sum}})
		}
		alias := p.accounts[p.sample[order.IntN(len(p.sample))]]
		all = append(all, pageRead{name: "staff: usage of an account", path: "/usage?account=" + string(alias) + "&month=" + string(m), who: -1, says: []string{paidOf(p.known[alias][m])}})
		if d, ok := p.docs[alias][m]; ok {
			all = append(all, pageRead{name: "staff: invoices", path: "/staff/billing/invoices?month=" + string(m), who: -1, says: []string{"Invoices of " + m.String(), "/usage/history/B"}},
				pageRead{name: "staff: an invoice", path: "/invoices/" + string(d.ID), who: -1, says: []string{inCoins(d.Total)}})
		}
	}
	order.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	return all
}

// slices opens a month's figures: a service, a service of one subscription in one region,
// and a day of it. Each says why it is this amount, and shows its records.
func (p *pagesBench) slices(alias account.Alias, x billing.AccountMonth, order *rand.Rand) []pageRead {
	of := func(name string, s billing.Slice) pageRead {
		sum, rows := money.Zero(x.Currency), int64(0)
		for _, c := range x.Cells {
			if (s.Category == "" || s.Category == c.Category) && (s.Entitlement == "" || s.Entitlement == c.Entitlement) && (s.Region == "" || s.Region == c.Region) && (s.Day == "" || s.Day == c.Day) {
				sum, rows = money.Must(sum.Decimal().Add(c.Sell.Decimal()).String(), x.Currency), rows+c.Rows
			}
		}
		q := url.Values{}
		for k, v := range map[string]string{"category": s.Category, "entitlement": s.Entitlement, "region": s.Region, "day": string(s.Day)} {
			if v != "" {
				q.Set(k, v)
			}
		}
		return pageRead{name: name, path: "/usage/account/" + string(alias) + "/" + string(x.Month) + "?" + q.Encode(), says: []string{ui.FormatAmount(sum.Decimal().StringFixed(6), ""), "Unrounded"}, records: true, more: rows > 12}
	}
	usual := slices.DeleteFunc(slices.Clone(x.Cells), func(c billing.Cell) bool {
		return c.Kind != rating.KindUsage || c.Entitlement == "" || c.Region == "" || c.Rows == 0
	})
	if len(usual) == 0 {
		usual = x.Cells
	}
	c := usual[order.IntN(len(usual))]
	one := billing.Slice{Category: c.Category, Entitlement: c.Entitlement, Region: c.Region}
	day := one
	day.Day = c.Day
	return []pageRead{of("everything of a month", billing.Slice{}), of("service", billing.Slice{Category: c.Category}), of("service of a subscription", one), of("a day of it", day)}
}

// The portal's ways to write an amount.
func inCoins(a money.Amount) string { return ui.FormatAmount(a.Decimal().StringFixed(2), "") }

func paidOf(m billing.AccountMonth) string {
	paid, _, err := m.Paid()
	if err != nil {
		return err.Error()
	}
	return inCoins(paid)
}

// cents leaves the digits out that the portal shows small.
func cents(a money.Amount) string {
	s := a.Decimal().StringFixed(6)
	return ui.FormatAmount(s[:len(s)-4], "")
}

// timed is how long a page took.
type timed struct {
	name string
	ms   float64
}

// browsers are those of the sample and of staff.
type browsers struct {
	url     string
	client  *http.Client
	session map[int]*http.Cookie
}

// read serves the portal on l and reads its pages: all of them one at a time, then four
// at a time in another order.
func (p *pagesBench) read(ctx context.Context, l net.Listener, f *pagesFigures) error {
	server := &http.Server{Handler: p.app.Handler(), ReadHeaderTimeout: headerTime}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	defer func() {
		_ = server.Close() // nobody reads any more
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			p.app.Config.Log.Warn("the portal of the bench ended", "error", err)
		}
	}()
	r := &browsers{url: "http://" + l.Addr().String(), session: map[int]*http.Cookie{}, client: &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	defer r.client.CloseIdleConnections()
	for i, n := range p.sample {
		if err := r.signIn(ctx, i, adminOf(p.accounts[n])); err != nil {
			return err
		}
	}
	if err := r.signIn(ctx, -1, demo.Finance); err != nil {
		return err
	}
	plan, began := p.plan(), processorTime()
	alone, err := r.all(ctx, plan, 1)
	if err != nil {
		return err
	}
	slices.Reverse(plan)
	together, err := r.all(ctx, plan, 4)
	if err != nil {
		return err
	}
	f.First, f.Together = percentile(alone, 95), percentile(together, 95)
	all := slices.Concat(alone, together)
	f.CPU = round(float64((processorTime()-began).Microseconds())/1000/float64(len(all)), 1)
	f.Requests, f.P50, f.P95, f.P99, f.Max = len(all), percentile(all, 50), percentile(all, 95), percentile(all, 99), percentile(all, 100)
	by := map[string][]timed{}
	for _, x := range all {
		by[x.name] = append(by[x.name], x)
	}
	for name, list := range by {
		f.Pages = append(f.Pages, pageFigure{name, len(list), percentile(list, 50), percentile(list, 95), percentile(list, 100)})
	}
	slices.SortFunc(f.Pages, func(a, b pageFigure) int { return cmp.Or(cmp.Compare(b.P95, a.P95), strings.Compare(a.Name, b.Name)) })
	return nil
}

// processorTime is what this process has had.
func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// percentile is the time within which so many of a hundred pages were there.
func percentile(list []timed, of int) float64 {
	ms := make([]float64, len(list))
	for i, x := range list {
		ms[i] = x.ms
	}
	slices.Sort(ms)
	return round(ms[max((len(ms)*of+99)/100-1, 0)], 1)
}

func (r *browsers) signIn(ctx context.Context, who int, email string) error {
	form := url.Values{"email": {email}, "password": {demo.Password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/signin", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	for _, c := range res.Cookies() {
		if c.Name == "session" && res.StatusCode == http.StatusSeeOther {
			r.session[who] = c
			return nil
		}
	}
	return fmt.Errorf("%s cannot sign in: %s", email, res.Status)
}

// all opens the pages of a plan, so many at once.
func (r *browsers) all(ctx context.Context, plan []pageRead, at int) ([]timed, error) {
	var mu sync.Mutex
	var list []timed
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range at {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(plan) {
					return nil
				}
				got, err := r.open(ctx, plan[i])
				if err != nil {
					return err
				}
				mu.Lock()
				list = append(list, got...)
				mu.Unlock()
			}
		})
	}
	return list, g.Wait()
}

var nextRecords = regexp.MustCompile(`href="([^"]*[?&;]after=[^"]*)"`)

// open reads a page, and where there are more of its records the next of them.
func (r *browsers) open(ctx context.Context, x pageRead) ([]timed, error) {
	body, first, err := r.get(ctx, x)
	if err != nil || !x.more {
		return []timed{first}, err
	}
	link := nextRecords.FindStringSubmatch(body[strings.Index(body, `id="records"`):])
	if link == nil {
		return nil, fmt.Errorf("%s has no second page of records", x.path)
	}
	x.name, x.path = x.name+", next records", strings.ReplaceAll(link[1], "&amp;", "&")
	_, second, err := r.get(ctx, x)
	return []timed{first, second}, err
}

func (r *browsers) get(ctx context.Context, x pageRead) (body string, took timed, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+x.path, nil)
	if err != nil {
		return "", took, err
	}
	req.AddCookie(r.session[x.who])
	began := time.Now()
	res, err := r.client.Do(req)
	if err != nil {
		return "", took, err
	}
	b, err := io.ReadAll(res.Body)
	took = timed{x.name, float64(time.Since(began).Microseconds()) / 1000}
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return "", took, err
	}
	body = string(b)
	if res.StatusCode != http.StatusOK {
		return body, took, fmt.Errorf("%s: %s", x.path, res.Status)
	}
	for _, s := range x.says {
		if !strings.Contains(body, s) {
			return body, took, fmt.Errorf("%s (%s) does not say %q", x.path, x.name, s)
		}
	}
	if i := strings.Index(body, `id="records"`); x.records && (i < 0 || !strings.Contains(body[i:], "<td")) {
		return body, took, fmt.Errorf("%s (%s) shows no record", x.path, x.name)
	}
	return body, took, nil
}
