package sim

import (
	"fmt"
	"time"
)

// Feature is a habit of Azure's billing that the generator can be told to have.
type Feature string

const (
	FeatureLate         Feature = "late"         // records that arrive days after their day, some after the invoice
	FeatureRestated     Feature = "restated"     // values that Microsoft corrects, before and after the invoice
	FeatureIdentical    Feature = "identical"    // equal rows that are both charges
	FeatureTiers        Feature = "tiers"        // prices that fall with the month's quantity
	FeatureEarned       Feature = "earned"       // partner earned credit, won and lost in mid month
	FeatureCredits      Feature = "credits"      // refunds in the usage, Azure credit, credits only on the invoice
	FeatureMarketplace  Feature = "marketplace"  // other publishers' usage, and purchases only on the invoice
	FeatureReservations Feature = "reservations" // covered usage at no cost, and purchases only on the invoice
	FeaturePlanLevel    Feature = "plan-level"   // rows without entitlement
	FeatureCurrencies   Feature = "currencies"   // marketplace prices in other currencies than US dollars
	FeatureTax          Feature = "tax"          // on the invoice
	FeatureTransfers    Feature = "transfers"    // subscriptions that change their customer in mid month
	FeatureUnmapped     Feature = "unmapped"     // usage of a tenant that is no customer
)

// Features are all that can be asked for.
var Features = []Feature{FeatureLate, FeatureRestated, FeatureIdentical, FeatureTiers, FeatureEarned, FeatureCredits, FeatureMarketplace,
	FeatureReservations, FeaturePlanLevel, FeatureCurrencies, FeatureTax, FeatureTransfers, FeatureUnmapped}

// block is the unit of generation: one meter of one plan over a month. Tiers count
// within it, and each of its prices is one line of the invoice. It is made from the
// seed and its number alone, so any part of 100 million records can be made again.
type block struct {
	month   *billMonth
	plan    *billPlan
	n       int
	key     uint64
	meter   *meter
	rate    exact // from pricing to billing currency, of the month of usage
	azure   bool  // Azure credit pays all of it
	benefit int   // 1 reservation, 2 savings plan: quantity without cost
	events  bool  // may be late, restated, repeated, refunded
	wide    bool  // of the plan, without entitlement
	series  []series
}

// series is one resource's use of a block's meter.
type series struct {
	ent      *billEntitlement // nil: of the plan
	n        int
	key      uint64
	base     exact
	from, to int // days of the month, to excluded
	text     *rowText
}

// row is one daily rated usage record.
type row struct {
	b        *block
	s        *series
	day      int
	quantity exact
	price    exact
	credit   exact // percent
	earned   bool
	refund   bool // ChargeType customerCredit
	reversal bool // takes back what an earlier invoice charged
	event    event
}

func (r *row) effective() exact {
	switch r.credit {
	case 0:
		return r.price
	case 100:
		return 0
	}
	return r.price * (100 - r.credit) / 100 // a price has eight decimals: this is exact
}

func (r *row) pricing() exact { return r.effective().times(r.quantity) }
func (r *row) billing() exact { return r.pricing().times(r.b.rate) }

// event is what is unusual about a resource's record of a day.
type event int

const (
	usual          event = iota
	lateArrival          // some days later, and before the invoice
	lateAtInvoice        // never seen unbilled
	restated             // another quantity for some days
	restatedLast         // another quantity until the invoice
	repeated             // two identical rows
	refunded             // and a quarter of it back
	carried              // billed with the next invoice
	corrected            // charged, and with the next invoice taken back and charged rightly
	fullCreditDays = 2   // credits show within 48 h
	carryDays      = 5   // the last days of a month from which records are carried over
	carrySeen      = 10  // day of the next month on which they are seen
	firstFiller    = 1 << 20
)

// eventOdds are in thousandths of records, times the density.
var eventOdds = []struct {
	event   event
	odds    uint64
	feature Feature
	late    bool // only in the last days of the month
}{
	{lateArrival, 4, FeatureLate, false}, {lateAtInvoice, 2, FeatureLate, false}, {restated, 4, FeatureRestated, false}, {restatedLast, 2, FeatureRestated, false},
	{repeated, 4, FeatureIdentical, false}, {refunded, 2, FeatureCredits, false}, {carried, 5, FeatureLate, true}, {corrected, 5, FeatureRestated, true},
}

// view is what a reader sees of a month: its unbilled records up to a day, or what its
// invoice bills.
type view struct {
	billed bool
	cut    int // unbilled: days of the month whose records have arrived
}

// resources is how many resources of an entitlement use block n. It does not depend
// on the plan, so that all plans have the same number of blocks.
func (m *billMonth) resources(n int) int {
	if n >= firstFiller {
		return 1
	}
	return []int{1, 1, 1, 2, 1, 1, 3, 1}[mix(m.seed, 3, uint64(n))%8] // #nosec G115 -- a block's number is not negative
}

// blockAt makes block n of a plan; left is how many resources are still to be placed,
// days how many days a filler has (0: all).
func (m *billMonth) blockAt(p *billPlan, n, left, days int) *block {
	number := uint64(n) // #nosec G115 -- a block's number is not negative
	b := &block{month: m, plan: p, n: n, key: mix(m.seed, p.key, number)}
	all := meters()
	// A stride without common divisor walks through all meters before one comes again.
	b.meter = &all[(mix(p.key, 5)%meterCount+(number%firstFiller+number/firstFiller*1500)*1_009)%meterCount]
	if b.meter.family.foreign && !m.has(FeatureMarketplace) {
		b.meter = &all[b.meter.n/len(families)*len(families)]
	}
	filler := n >= firstFiller
	foreign := b.meter.family.foreign
	kind := mix(b.key, 1) % 100
	tiered := m.has(FeatureTiers) && len(b.meter.tiers) > 0 && !filler
	switch {
	case filler || tiered:
	case kind < 4 && m.has(FeatureCredits):
		b.azure = true
	case kind < 12 && m.has(FeatureReservations) && !foreign:
		b.benefit = 1 + int(b.key%2) // #nosec G115 -- 1 or 2
	case kind < 15 && m.has(FeaturePlanLevel) && n > 0:
		b.wide = true
	default:
		b.events = true
	}
	b.rate = m.rate(b.pricing(), p.currency)
	k := min(m.resources(n), left)
	add := func(e *billEntitlement, i int) {
		s := series{ent: e, n: len(b.series), to: m.days}
		s.key = mix(b.key, 2, uint64(i)) // #nosec G115 -- a resource's number is not negative
		if e != nil {
			s.key = mix(s.key, mixText(e.id))
			s.from, s.to = m.day(e.from, 0), m.day(e.to, m.days)
		} else {
			s.from, s.to = m.daysOf(p)
		}
		if days > 0 {
			s.to = min(s.to, s.from+days)
		}
		s.base = b.meter.usual(s.key)
		if s.to > s.from {
			b.series = append(b.series, s)
		}
	}
	switch {
	case b.wide:
		add(nil, 0)
	case filler:
		add(&p.entitlements[0], 0)
	default:
		for i := range p.entitlements {
			for j := range k {
				add(&p.entitlements[i], j)
			}
		}
	}
	return b
}

// daysOf are the days of the month on which any subscription of the plan is charged.
func (m *billMonth) daysOf(p *billPlan) (from, to int) {
	from = m.days
	for _, e := range p.entitlements {
		from, to = min(from, m.day(e.from, 0)), max(to, m.day(e.to, m.days))
	}
	return from, to
}

// pricing is the currency in which the block's meter has its price.
func (b *block) pricing() string {
	if b.month.has(FeatureCurrencies) {
		return b.meter.pricing
	}
	return "USD"
}

func (b *block) tiered() bool {
	return b.month.has(FeatureTiers) && len(b.meter.tiers) > 0 && b.n < firstFiller
}

// usual is how much a resource uses of the meter on a usual day.
func (m *meter) usual(key uint64) exact {
	h := mix(key, 9)
	part := exact(h>>16%1_000_000) + 1 // #nosec G115 -- a million at most
	switch m.family.kind {
	case byHour:
		if h%4 > 0 {
			return 24 * unit
		}
		return (1 + exact(h>>8%92)) * unit / 4 // #nosec G115 -- below 93
	case byCapacity:
		return part * 150 * micro // up to 150 GB/Month a day
	case byCount:
		return part * 300 * micro
	}
	return part * 200 * micro
}

// quantity is what the resource uses on a day, with six decimals.
func (b *block) quantity(s *series, day int) exact {
	h := mix(s.key, 11, uint64(day)) // #nosec G115 -- a day of a month
	q := s.base
	switch b.meter.family.kind {
	case byHour:
		if h%5 == 0 {
			q = q / 100 * exact(50+h>>8%50) // #nosec G115 -- below 100
		}
	case byCapacity:
		q += q / 200 * exact(day)
	default:
		q = q / 100 * exact(50+h>>8%100) // #nosec G115 -- below 150
	}
	return max(q/micro, 1000) * micro
}

// eventOn is what happens to the resource's record of a day.
func (b *block) eventOn(s *series, day int) event {
	if !b.events {
		return usual
	}
	m := b.month
	h := mix(s.key, 13, uint64(day)) % 1000 // #nosec G115 -- a day of a month
	for _, o := range eventOdds {
		odds := o.odds * m.density
		if h < odds {
			if !m.has(o.feature) || (o.late && day < m.days-carryDays) {
				return usual
			}
			return o.event
		}
		h -= odds
	}
	return usual
}

// credit is the percentage that a day's record earns the partner, and whether it is
// the partner's.
func (b *block) credit(day int, v view) (exact, bool) {
	m := b.month
	switch {
	case b.azure:
		return 100, false
	case b.benefit > 0 || b.wide || !m.has(FeatureEarned) || !b.meter.earns():
		return 0, false
	}
	h := mix(b.plan.key, m.seed, 17)
	turn := 8 + int(h>>8%14) // #nosec G115 -- a day in the middle of the month
	on := true
	switch h % 10 {
	case 0:
		on = false // nobody holds an eligible role
	case 1:
		on = day < turn // the customer removed it
	case 2:
		on = day >= turn
	case 3:
		on = v.billed || day < m.days-7 // found out at the invoice
	}
	if !v.billed && v.cut-day <= fullCreditDays {
		on = false
	}
	if on {
		return 15, true
	}
	return 0, false
}

// on appends the rows that a view shows of a resource's day. used is the month's
// quantity of the block so far, by which tiers are found.
func (b *block) on(s *series, day int, v view, used *exact, out []row) []row {
	if day < s.from || day >= s.to || (!v.billed && day >= v.cut) {
		return out
	}
	m := b.month
	e := b.eventOn(s, day)
	q := b.quantity(s, day)
	if p := m.plantedAt(b, s, day); p != nil && p.quantity != 0 {
		q = p.quantity
	}
	switch e {
	case lateArrival:
		if !v.billed && v.cut < day+3+int(s.key%4) { // #nosec G115 -- below 4
			return out
		}
	case lateAtInvoice:
		if !v.billed {
			return out
		}
	case carried:
		return out
	case restated:
		if !v.billed && v.cut < day+5 {
			q = b.before(q)
		}
	case restatedLast:
		if !v.billed {
			q = b.before(q)
		}
	}
	r := row{b: b, s: s, day: day, quantity: q, price: b.meter.price, event: e}
	r.credit, r.earned = b.credit(day, v)
	switch {
	case b.benefit > 0:
		r.price = 0
	case b.tiered():
		return r.split(used, out)
	}
	out = append(out, r)
	if e == repeated {
		out = append(out, r)
	}
	if p := m.plantedAt(b, s, day); p != nil {
		for _, more := range p.late {
			again := r
			again.quantity = more
			out = append(out, again)
		}
	}
	if e == refunded {
		r.quantity, r.refund = -(r.quantity / 4 / micro * micro), true
		out = append(out, r)
	}
	return out
}

// before is the quantity that was reported first.
func (b *block) before(q exact) exact { return max(q/8*7/micro, 1) * micro }

// after is the quantity that a correction brings.
func (b *block) after(q exact) exact { return q/8*9/micro*micro + micro }

// split cuts a row where the month's quantity passes into another tier.
func (r *row) split(used *exact, out []row) []row {
	left := r.quantity
	part := *r
	tiers := r.b.meter.tiers
	for i, t := range tiers {
		if left == 0 {
			break
		}
		room := left
		if i+1 < len(tiers) {
			room = min(left, tiers[i+1].from-*used)
		}
		if room <= 0 {
			continue
		}
		part.quantity, part.price = room, t.price
		out = append(out, part)
		*used += room
		left -= room
	}
	return out
}

// later appends the rows of a resource's day that the next invoice bills.
func (b *block) later(s *series, day int, out []row) []row {
	if day < s.from || day >= s.to {
		return out
	}
	q := b.quantity(s, day)
	r := row{b: b, s: s, day: day, quantity: q, price: b.meter.price, event: carried}
	r.credit, r.earned = b.credit(day, view{billed: true})
	if b.eventOn(s, day) == carried {
		out = append(out, r)
	}
	p := b.month.plantedLater(b, s, day)
	if p != nil {
		for _, more := range p.late {
			again := r
			again.quantity = more
			out = append(out, again)
		}
	}
	if b.eventOn(s, day) == corrected || (p != nil && p.quantity != 0) {
		back := r
		back.event, back.reversal, back.quantity = corrected, true, -q
		r.event, r.quantity = corrected, b.after(q)
		if p != nil && p.quantity != 0 {
			r.quantity = p.quantity
		}
		out = append(out, back, r)
	}
	return out
}

// batch is some blocks of one plan; within it records come by day, so that neighbours
// differ as they do in Microsoft's files.
type batch struct {
	month  *billMonth
	plan   *billPlan
	later  bool // the records that the next month's invoice bills
	blocks []*block
}

const batchSeries = 256

// each calls emit with every row of the batch that the view shows.
func (x *batch) each(v view, emit func(r *row)) {
	used := make([]exact, len(x.blocks))
	var rows []row
	first := 0
	if x.later {
		if !v.billed && v.cut < carrySeen {
			return
		}
		first = x.month.days - carryDays
	}
	for day := first; day < x.month.days; day++ {
		for i, b := range x.blocks {
			for j := range b.series {
				rows = rows[:0]
				if x.later {
					rows = b.later(&b.series[j], day, rows)
				} else {
					rows = b.on(&b.series[j], day, v, &used[i], rows)
				}
				for k := range rows {
					emit(&rows[k])
				}
			}
		}
	}
}

// compare calls use with each resource's day as the invoice bills it, and as it was
// last seen unbilled.
func (x *batch) compare(seen view, use func(b *block, billed, seen []row)) {
	usedBilled, usedSeen := make([]exact, len(x.blocks)), make([]exact, len(x.blocks))
	final := view{billed: true}
	var now, then []row
	for day := range x.month.days {
		for i, b := range x.blocks {
			for j := range b.series {
				s := &b.series[j]
				now, then = now[:0], then[:0]
				if !x.later {
					now, then = b.on(s, day, final, &usedBilled[i], now), b.on(s, day, seen, &usedSeen[i], then)
				} else if day >= x.month.days-carryDays {
					now = b.later(s, day, now)
					if seen.cut >= carrySeen {
						then = append(then, now...)
					}
				}
				if len(now)+len(then) > 0 {
					use(b, now, then)
				}
			}
		}
	}
}

// batches calls use with the plan's batches in order, until it returns false.
func (m *billMonth) batches(p *billPlan, later bool, use func(*batch) bool) bool {
	if len(p.entitlements) == 0 {
		return true
	}
	x := &batch{month: m, plan: p, later: later}
	held := 0
	flush := func(always bool) bool {
		if held == 0 || (!always && held < batchSeries) {
			return true
		}
		done := x
		x, held = &batch{month: m, plan: p, later: later}, 0
		return use(done)
	}
	add := func(b *block) bool {
		if len(b.series) > 0 {
			x.blocks, held = append(x.blocks, b), held+len(b.series)
		}
		return flush(false)
	}
	for n, left := 0, m.per; left > 0; n++ {
		b := m.blockAt(p, n, left, 0)
		left -= min(left, m.resources(n))
		if !add(b) {
			return false
		}
	}
	if !later {
		for i := range m.fillers[p.id] {
			days := m.days
			if p.id == m.lastFiller && i == m.fillers[p.id]-1 {
				days = m.lastDays
			}
			if !add(m.blockAt(p, firstFiller+i, 1, days)) {
				return false
			}
		}
	}
	return flush(true)
}

// source is the order of everything that an invoice or an unbilled snapshot holds:
// the month's plans, then what the month before left over.
type source struct {
	month *billMonth
	plans []*billPlan
	prior *billMonth
	left  []*billPlan // the plans of the month before
}

// each calls use with every batch, from the given plan on, until it returns false.
// Plans count through the month's and then those of the month before.
func (s *source) each(from int, use func(plan int, x *batch) bool) {
	for i, p := range s.plans {
		if i >= from && !s.month.batches(p, false, func(x *batch) bool { return use(i, x) }) {
			return
		}
	}
	if s.prior == nil {
		return
	}
	for i, p := range s.left {
		if at := len(s.plans) + i; at >= from && !s.prior.batches(p, true, func(x *batch) bool { return use(at, x) }) {
			return
		}
	}
}

// billEntitlement is an Azure subscription with the days on which its plan is charged.
type billEntitlement struct {
	id, name string
	from, to time.Time // UTC days; to is the first day without usage, zero = none
	moved    bool      // at its end it went to another customer
	leaves   bool      // it goes there in the next month, whose invoice has late records of both
}

// billPlan is an Azure plan with its customer, as the bill shows them.
type billPlan struct {
	id, order, currency             string
	key                             uint64
	customer, name, domain, country string
	reseller                        string
	unmapped                        bool // the tenant is no customer
	entitlements                    []billEntitlement
}

// synthetic makes customer i of a seed, whether or not the world has it. Of each ten
// the third loses its first subscription to the fourth on the 16th of the month moved.
func synthetic(seed uint64, i, subscriptions int, moved, month time.Time) *billPlan {
	n := uint64(i) // #nosec G115 -- a customer's number; -1 is the stranger
	p := &billPlan{id: mixID(seed, n, 2), customer: mixID(seed, n, 1), key: mix(seed, n, 3), order: mixID(seed, n, 4)[:12], country: "US",
		name: fmt.Sprintf("Synthetic company %06d", i), domain: fmt.Sprintf("synthetic%06d.onmicrosoft.com", i)}
	p.key = mixText(p.id)
	if i < 0 {
		p.name, p.domain, p.unmapped = "Unknown company", "unknown.onmicrosoft.com", true
	}
	for e := range subscriptions {
		p.entitlements = append(p.entitlements, billEntitlement{id: mixID(seed, n, 5, uint64(e)), name: fmt.Sprintf("Subscription %d", e+1)}) // #nosec G115 -- a number of a subscription
	}
	if i < 0 || moved.IsZero() {
		return p
	}
	day := moved.AddDate(0, 0, 15)
	switch i % 10 {
	case 2:
		switch {
		case month.After(moved):
			p.entitlements = p.entitlements[1:]
		case month.Equal(moved):
			p.entitlements[0].to, p.entitlements[0].moved = day, true
		case month.AddDate(0, 1, 0).Equal(moved):
			p.entitlements[0].leaves = true
		}
	case 3:
		if !month.Before(moved) {
			e := billEntitlement{id: mixID(seed, n-1, 5, 0), name: "Subscription 1"}
			if month.Equal(moved) {
				e.from = day
			}
			p.entitlements = append(p.entitlements, e)
		}
	}
	return p
}
