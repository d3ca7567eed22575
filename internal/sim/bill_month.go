package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// BillOptions say how a month's usage is made. The same options and customers give
// the same records, to the last byte.
type BillOptions struct {
	Month         string    `json:"month"`         // 2026-10; UTC, as all days of billing
	Seed          uint64    `json:"seed"`          // default 1
	Records       int64     `json:"records"`       // as many as this, exactly, where nobody joined or left within the month
	Resources     int       `json:"resources"`     // without Records: resources of each subscription, with about one record a day each; default 4
	Customers     int       `json:"customers"`     // synthetic ones beside those of the world, which get to know them
	Subscriptions int       `json:"subscriptions"` // of each synthetic customer; default 1
	FromStart     bool      `json:"fromStart"`     // customers of the world count from the month's first day, whenever they were created
	Currencies    []string  `json:"currencies"`    // in turn, by customer; default the partner's
	Currency      string    `json:"currency"`      // the same, for one
	Features      []Feature `json:"features"`      // left out: all; "none": nothing unusual
	Density       int       `json:"density"`       // unusual records are so many times as frequent; default 1, about 2 % of all
	TaxPercent    string    `json:"taxPercent"`    // default by the partner's country
}

// taxPercent is what a partner's country adds, where taxPercent is left out.
var taxPercent = map[string]string{"US": "8.25", "GB": "20", "DE": "19", "FR": "20", "NL": "21", "ES": "21", "IT": "22", "CH": "8.1", "CA": "5", "AU": "10", "JP": "10", "IN": "18"}

// billMonth is a calendar month of usage, UTC.
type billMonth struct {
	start   time.Time
	name    string
	days    int
	opt     BillOptions
	seed    uint64
	density uint64
	with    map[Feature]bool
	tax     decimal.Decimal // a share, such as 0.0825
	per     int             // resources of each entitlement
	moved   time.Time       // the month in which synthetic customers hand a subscription over

	fillers    map[string]int // by plan: further resources, so that Records is met
	lastFiller string         // the plan whose last filler has only lastDays
	lastDays   int

	planted  map[plantKey]*plant // while the month was open
	after    map[plantKey]*plant // after its invoice: billed with the next
	revision int

	frozen   []*billPlan // from the invoice on
	invoices []*billInvoice
	rates    map[[2]string]exact
}

// plantKey names a resource's day.
type plantKey struct {
	plan           string
	block, n, days int
}

// plant is a change that control asked for: further records, another quantity.
type plant struct {
	late     []exact
	quantity exact
}

func (m *billMonth) plantedAt(b *block, s *series, day int) *plant {
	if len(m.planted) == 0 {
		return nil
	}
	return m.planted[plantKey{b.plan.id, b.n, s.n, day}]
}

func (m *billMonth) plantedLater(b *block, s *series, day int) *plant {
	if len(m.after) == 0 {
		return nil
	}
	return m.after[plantKey{b.plan.id, b.n, s.n, day}]
}

func (m *billMonth) has(f Feature) bool { return m.with[f] }

func (m *billMonth) end() time.Time { return m.start.AddDate(0, 1, 0) }

// day is the number of a UTC day within the month, cut to it; otherwise for no day.
func (m *billMonth) day(at time.Time, otherwise int) int {
	if at.IsZero() {
		return otherwise
	}
	return min(max(int(at.Sub(m.start)/(24*time.Hour)), 0), m.days)
}

func (m *billMonth) rate(pricing, billing string) exact {
	key := [2]string{pricing, billing}
	if r, known := m.rates[key]; known {
		return r
	}
	return exchange(pricing, billing, m.name)
}

// cut is how many of the month's days have their records at now: those of a day are
// there six hours after its end.
func (m *billMonth) cut(now time.Time) int {
	d := int(now.Add(-6*time.Hour).Sub(m.start) / (24 * time.Hour))
	return max(d, 0)
}

func (m *billMonth) closed() bool { return m.frozen != nil }

// parseMonth reads 2026-10.
func parseMonth(text string) (time.Time, error) {
	t, err := time.Parse("2006-01", text)
	if err != nil {
		return t, fmt.Errorf("month %q is not like 2026-10", text)
	}
	return t, nil
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// newMonth reads the options; country and currency are the partner's.
func newMonth(opt BillOptions, country, currency string) (*billMonth, error) {
	start, err := parseMonth(opt.Month)
	if err != nil {
		return nil, err
	}
	opt.Seed, opt.Density, opt.Subscriptions = or(opt.Seed, 1), or(opt.Density, 1), or(opt.Subscriptions, 1)
	if len(opt.Currencies) == 0 {
		opt.Currencies = []string{or(opt.Currency, currency)}
	}
	for i, c := range opt.Currencies {
		opt.Currencies[i] = strings.ToUpper(c)
		if usdPerUnit[opt.Currencies[i]] == 0 {
			return nil, fmt.Errorf("currency %q has no rate here", c)
		}
	}
	if opt.Density < 1 || opt.Density > 20 {
		return nil, fmt.Errorf("density %d is not within 1 to 20", opt.Density)
	}
	if opt.Records < 0 || opt.Resources < 0 || opt.Customers < 0 || opt.Subscriptions < 1 {
		return nil, fmt.Errorf("records, resources, customers and subscriptions cannot be negative")
	}
	m := &billMonth{start: start, name: opt.Month, opt: opt, seed: mix(opt.Seed, mixText(opt.Month)), density: uint64(opt.Density), // #nosec G115 -- 1 to 20
		with: map[Feature]bool{}, planted: map[plantKey]*plant{}, after: map[plantKey]*plant{}, rates: map[[2]string]exact{}, per: or(opt.Resources, 4)}
	m.days = m.end().AddDate(0, 0, -1).Day()
	wanted := opt.Features
	if len(wanted) == 0 {
		wanted = Features
	}
	for _, f := range wanted {
		if f != "none" && !slices.Contains(Features, f) {
			return nil, fmt.Errorf("feature %q is unknown: %v", f, Features)
		}
		m.with[f] = true
	}
	if m.has(FeatureTax) {
		percent, err := decimal.NewFromString(or(opt.TaxPercent, taxPercent[country], "10"))
		if err != nil {
			return nil, fmt.Errorf("taxPercent %q is no number", opt.TaxPercent)
		}
		m.tax = percent.Shift(-2)
	}
	for p := range usdPerUnit {
		for b := range usdPerUnit {
			m.rates[[2]string{p, b}] = exchange(p, b, m.name)
		}
	}
	return m, nil
}

// synthetics are the month's made-up customers, and the stranger.
func (m *billMonth) synthetics() []*billPlan {
	var out []*billPlan
	for i := range m.opt.Customers {
		moved := m.moved
		if i == m.opt.Customers-1 && i%10 == 2 {
			moved = time.Time{} // nobody is there to take it
		}
		p := synthetic(m.opt.Seed, i, m.opt.Subscriptions, moved, m.start)
		n := i
		if i%10 == 3 {
			n-- // who takes a subscription over is billed in the same currency
		}
		p.currency = m.opt.Currencies[n%len(m.opt.Currencies)]
		out = append(out, p)
	}
	return out
}

// stranger is the plan of a tenant that nobody knows.
func (m *billMonth) stranger() *billPlan {
	p := synthetic(m.opt.Seed, -1, 1, time.Time{}, m.start)
	p.currency = m.opt.Currencies[0]
	return p
}

// allot finds how many resources each subscription needs for Records, and fills up
// to it with resources that do nothing unusual.
func (m *billMonth) allot(plans []*billPlan) error {
	m.fillers, m.lastFiller = nil, ""
	if m.opt.Records == 0 {
		return nil
	}
	var subscriptions int64
	var whole []*billPlan // whose first subscription has all days
	for _, p := range plans {
		subscriptions += int64(len(p.entitlements))
		if len(p.entitlements) > 0 && m.day(p.entitlements[0].from, 0) == 0 && m.day(p.entitlements[0].to, m.days) == m.days {
			whole = append(whole, p)
		}
	}
	if len(whole) == 0 {
		return fmt.Errorf("no customer has usage in all of %s: records need one", m.name)
	}
	var have int64
	for m.per = int(m.opt.Records / (int64(m.days) * subscriptions)); ; m.per-- {
		have = 0
		src := source{month: m, plans: plans}
		src.each(0, func(_ int, x *batch) bool {
			x.each(view{billed: true}, func(*row) { have++ })
			return have <= m.opt.Records
		})
		if have <= m.opt.Records || m.per == 0 {
			break
		}
		m.per -= m.per / 100 // a large world comes down faster
	}
	missing := m.opt.Records - have
	m.fillers = map[string]int{}
	days := int64(m.days)
	for i := int64(0); i*days < missing; i++ {
		m.lastFiller = whole[i%int64(len(whole))].id
		m.lastDays = int(min(days, missing-i*days))
		m.fillers[m.lastFiller]++
	}
	return nil
}

// plant adds late records or corrections to the month: to what is unbilled while it
// is open, to the next invoice afterwards. It returns how many it found a place for.
func (m *billMonth) plant(plans []*billPlan, late, corrections int) int {
	into, firstDay := m.planted, 0
	if m.closed() {
		into, firstDay = m.after, m.days-carryDays
	}
	done := 0
	for _, p := range plans {
		if p.unmapped {
			continue
		}
		m.batches(p, false, func(x *batch) bool {
			for _, b := range x.blocks {
				if !b.events {
					continue
				}
				for j := range b.series {
					s := &b.series[j]
					for day := max(s.from, firstDay); day < s.to; day++ {
						if done == late+corrections {
							return false
						}
						key := plantKey{p.id, b.n, s.n, day}
						if b.eventOn(s, day) != usual || m.planted[key] != nil || m.after[key] != nil {
							continue
						}
						q := b.quantity(s, day)
						if done < late {
							into[key] = &plant{late: []exact{b.before(q)}}
						} else {
							into[key] = &plant{quantity: b.after(q)}
						}
						done++
						break // another resource next
					}
				}
			}
			return done < late+corrections
		})
	}
	m.revision++
	return done
}
