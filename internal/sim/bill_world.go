package sim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// billing is what the simulated vendor bills. It has a lock of its own, taken before
// the world's where both are needed: making an invoice of millions of records must
// not stop the world.
type billing struct {
	s *Server

	mu       sync.Mutex
	months   map[string]*billMonth
	moved    time.Time // the month in which synthetic customers hand subscriptions over
	invoices []*billInvoice
	exports  map[string]*export
	fraud    []*fraudEvent

	blobMu sync.Mutex
	dir    string               // of blobs that were made; "" = none yet
	blobs  map[string]*blobFile // by content
}

func newBilling(s *Server) *billing {
	b := &billing{s: s}
	b.reset()
	return b
}

// reset forgets every month, export and file.
func (b *billing) reset() {
	b.mu.Lock()
	b.months, b.exports, b.invoices, b.fraud, b.moved = map[string]*billMonth{}, map[string]*export{}, nil, nil, time.Time{}
	b.mu.Unlock()
	b.blobMu.Lock()
	defer b.blobMu.Unlock()
	if b.dir != "" {
		_ = os.RemoveAll(b.dir) // in the system's temporary folder: left over, it goes with it
	}
	b.dir, b.blobs = "", map[string]*blobFile{}
}

var errNoUsage = errors.New("no customer had an Azure plan in that month")

// worldPlans are the Azure plans of the world's customers with the days on which they
// are charged. Called under the world's lock.
func (m *billMonth) worldPlans(w *world, made map[string]bool) []*billPlan {
	var out []*billPlan
	for i, cu := range w.list {
		if cu == nil || made[cu.ID] {
			continue
		}
		for _, p := range cu.Plans {
			if p.Product == nil || !p.Product.azurePlan() {
				continue
			}
			x := &billPlan{id: p.ID, key: mixText(p.ID), customer: cu.ID, name: cu.Name, domain: cu.Domain, country: cu.Billing.Address.Country,
				reseller: cu.Reseller, currency: m.opt.Currencies[i%len(m.opt.Currencies)]}
			if p.Order != nil {
				x.order = p.Order.ID
			}
			for _, a := range p.Azure {
				e := billEntitlement{id: a.ID, name: a.Name.new, from: dayOf(a.Created)}
				if m.opt.FromStart {
					e.from = time.Time{}
				}
				if a.Status.new != "active" {
					e.to = dayOf(a.Status.from).AddDate(0, 0, 1) // the day of the end is still used
				}
				if !e.from.Before(m.end()) || (!e.to.IsZero() && !e.to.After(m.start)) {
					continue
				}
				x.entitlements = append(x.entitlements, e)
			}
			if len(x.entitlements) > 0 {
				out = append(out, x)
			}
		}
	}
	return out
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// plans are all that the month charges: those of the world, the made-up ones and, if
// asked for, a stranger's. After the invoice they stay as they were.
func (b *billing) plans(m *billMonth) []*billPlan {
	if m.frozen != nil {
		return m.frozen
	}
	out := m.synthetics()
	made := map[string]bool{}
	for _, p := range out {
		made[p.customer] = true
	}
	b.s.mu.RLock()
	for _, p := range out {
		for i := range p.entitlements {
			if a := b.s.w.azure[p.entitlements[i].id]; a != nil && a.Status.new != "active" {
				p.entitlements[i].to = dayOf(a.Status.from).AddDate(0, 0, 1)
			}
		}
	}
	out = append(out, m.worldPlans(b.s.w, made)...)
	b.s.mu.RUnlock()
	if m.has(FeatureUnmapped) {
		out = append(out, m.stranger())
	}
	return out
}

// month finds a month, or makes the usual one if the world has customers in it: with
// no transfers and no strangers. Called with b.mu held.
func (b *billing) month(start time.Time) *billMonth {
	name := start.Format("2006-01")
	if m := b.months[name]; m != nil {
		return m
	}
	opt := BillOptions{Month: name, Seed: b.s.cfg.Seed}
	for _, f := range Features {
		if f != FeatureTransfers && f != FeatureUnmapped {
			opt.Features = append(opt.Features, f)
		}
	}
	m, err := newMonth(opt, b.s.cfg.Partner.Country, b.s.cfg.Partner.Currency)
	if err != nil { // the partner's currency is unknown here
		return nil
	}
	b.months[name] = m
	return m
}

// generate sets how a month's usage is made; synthetic customers become customers.
func (b *billing) generate(opt BillOptions) (*billMonth, []*billPlan, error) {
	opt.Seed = or(opt.Seed, b.s.cfg.Seed, 1)
	m, err := newMonth(opt, b.s.cfg.Partner.Country, b.s.cfg.Partner.Currency)
	if err != nil {
		return nil, nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.months[m.name]; old != nil && old.closed() {
		return nil, nil, fmt.Errorf("%s has been invoiced: it cannot change; plant late or corrected records instead", m.name)
	}
	if m.has(FeatureTransfers) && b.moved.IsZero() && m.opt.Customers > 0 {
		b.moved = m.start
	}
	m.moved = b.moved
	if old := b.months[m.name]; old != nil {
		m.revision = old.revision + 1
	}
	b.know(m)
	plans := b.plans(m)
	if err := m.allot(plans); err != nil {
		return nil, nil, err
	}
	b.months[m.name] = m
	return m, plans, nil
}

// know makes customers of the month's synthetic ones, as of its beginning.
func (b *billing) know(m *billMonth) {
	s := b.s
	s.mu.Lock()
	defer s.mu.Unlock()
	phone := "4255550100"
	for _, p := range m.synthetics() {
		cu := s.w.customers[p.customer]
		if cu == nil {
			x := SeedCustomer{ID: p.customer, Domain: p.domain, Name: p.name,
				Billing: BillingProfile{Email: "owner@synthetic.example", Culture: "en-US", Language: "en", Address: Address{Country: p.country, City: "Redmond", State: "WA",
					AddressLine1: "1 Microsoft Way", PostalCode: "98052", FirstName: "Account", LastName: "Owner", PhoneNumber: &phone}},
				Agreements: []SeedAgreement{{First: "Account", Last: "Owner", Email: "owner@synthetic.example", Agreed: m.start.Format("2006-01-02")}},
				Plan:       &SeedPlan{ID: p.id, Order: p.order}}
			if _, taken := s.w.domains[foldDomain(x.Domain)]; taken {
				x.Domain = p.customer[:8] + "." + p.domain
			}
			s.seedCustomer(s.w, x, s.Clock.Now())
			cu = s.w.customers[p.customer]
		}
		if cu.Created.After(m.start) {
			cu.Created = m.start
		}
		c := &call{s: s, w: s.w, now: s.Clock.Now(), received: s.Clock.Now(), log: &Call{}}
		for _, e := range p.entitlements {
			if e.moved {
				continue // it ends up with somebody else
			}
			a := s.w.azure[e.id]
			if a == nil {
				c.newAzure(cu, cu.Plans[0], e.id, e.name, "", c.now, c.now)
				a = s.w.azure[e.id]
			}
			if a.Created.After(m.start) {
				a.Created = m.start
			}
		}
		cu.effects = nil
	}
}

// source is what the invoice or the unbilled snapshot of a month holds.
func (b *billing) source(m *billMonth) *source {
	src := &source{month: m, plans: b.plans(m)}
	if prior := b.months[m.start.AddDate(0, -1, 0).Format("2006-01")]; prior != nil && prior.frozen != nil {
		src.prior, src.left = prior, prior.frozen
	}
	return src
}

// close makes the month's invoices, one per currency. last is when its unbilled data
// were looked at for the last time.
func (b *billing) close(start, last, date time.Time) ([]*billInvoice, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.month(start)
	if m == nil {
		return nil, errNoUsage
	}
	if m.closed() {
		return nil, fmt.Errorf("%s has been invoiced already", m.name)
	}
	for _, other := range b.months {
		if other.start.Before(m.start) && !other.closed() && len(b.plans(other)) > 0 {
			return nil, fmt.Errorf("%s comes first: it has not been invoiced", other.name)
		}
	}
	src := b.source(m)
	if len(src.plans) == 0 {
		return nil, errNoUsage
	}
	currencies := slices.Clone(m.opt.Currencies)
	if src.prior != nil { // whose late records are charged in their own
		for _, c := range src.prior.opt.Currencies {
			if !slices.Contains(currencies, c) {
				currencies = append(currencies, c)
			}
		}
	}
	var made []*billInvoice
	for _, currency := range currencies {
		w := newSealing(src, currency, view{cut: m.cut(last)})
		w.run()
		if w.lines == 0 {
			continue
		}
		n := len(b.invoices) + len(made)
		inv := &billInvoice{number: fmt.Sprintf("G%09d", 24135+n), currency: currency, date: date, total: w.total, tax: w.tax, lines: w.lines, receipt: fmt.Sprint(123456 + n)}
		inv.sealed = w.sealed(inv.number)
		made = append(made, inv)
	}
	// What was exported before keeps the month as it was.
	next := *m
	next.frozen, next.invoices = src.plans, made
	next.revision++
	src.month = &next
	for _, inv := range made {
		inv.month, inv.src = &next, src
	}
	b.invoices = append(b.invoices, made...)
	b.months[m.name] = &next
	return made, nil
}

// plant adds late or corrected records to a month: to its unbilled data, or, once it
// has its invoice, to the next one.
func (b *billing) plant(start time.Time, late, corrections int) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.month(start)
	if m == nil {
		return 0, errNoUsage
	}
	if next := b.months[m.end().Format("2006-01")]; m.closed() && next != nil && next.closed() {
		return 0, fmt.Errorf("%s and the month after it have been invoiced: nothing can be billed late any more", m.name)
	}
	next := *m
	next.planted, next.after = maps.Clone(m.planted), maps.Clone(m.after)
	n := next.plant(b.plans(m), late, corrections)
	b.months[m.name] = &next
	return n, nil
}

// invoice finds an invoice; ids may carry a prefix: OneTime-G000024135.
func (b *billing) invoice(id string) *billInvoice {
	if _, after, found := strings.Cut(id, "-"); found {
		id = after
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range b.invoices {
		if strings.EqualFold(i.number, id) {
			return i
		}
	}
	return nil
}

// export is one request of the Graph API for a file of records.
type export struct {
	id, manifest string
	created      time.Time
	ready        time.Time
	dies         time.Time // 410 from then on
	lines        bool      // reconciliation instead of usage
	full         bool
	code         string // why it failed; "" = it did not
	message      string
	src          *source
	currency     string
	view         view
	number       string
	etag         string
	parts        []blobPart
}

// snapshot names the content of what a source shows: the etag of its manifest.
func (s *source) snapshot(kind, currency, number string, v view, full bool) string {
	h := sha256.New()
	_, _ = fmt.Fprint(h, kind, currency, number, v.billed, full, s.month.opt, s.month.revision, s.month.seed) // a hash does not fail
	if !v.billed {
		_, _ = fmt.Fprint(h, min(v.cut, s.month.days+2*carrySeen))
	}
	for _, p := range s.plans {
		_, _ = fmt.Fprint(h, p.id, p.name, len(p.entitlements))
		for _, e := range p.entitlements {
			_, _ = fmt.Fprint(h, e.id, e.name, e.from.Unix(), e.to.Unix())
		}
	}
	if s.prior != nil {
		_, _ = fmt.Fprint(h, s.prior.seed, s.prior.revision)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// blobFile is a blob that was made, and how to make it.
type blobFile struct {
	once sync.Once
	name string
	size blobSize
	hash [32]byte
	err  error
}

// blob makes a blob of an export if nobody has yet; equal content is made once.
func (b *billing) blob(x *export, n int) (*blobFile, error) {
	b.blobMu.Lock()
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "causeway-sim-blobs-")
		if err != nil {
			b.blobMu.Unlock()
			return nil, err
		}
		b.dir = dir
	}
	name := fmt.Sprintf("%s-%05d.json.gz", x.etag, n)
	f := b.blobs[name]
	if f == nil {
		f = &blobFile{name: filepath.Join(b.dir, name)}
		b.blobs[name] = f
	}
	b.blobMu.Unlock()
	f.once.Do(func() {
		f.size, f.hash, f.err = writeBlob(f.name, func(out io.Writer) (int64, error) { return x.write(out, n, b.s) })
	})
	return f, f.err
}

func (x *export) write(out io.Writer, n int, s *Server) (int64, error) {
	w := &records{partner: &s.cfg.Partner, full: x.full, number: x.number}
	if x.lines {
		return writeLines(out, x.src, x.currency, x.view, w)
	}
	return x.src.write(out, x.parts[n], x.currency, x.view, w)
}

// sas signs the way to an export's blobs until a moment, as a directory-scoped SAS.
func (s *Server) sas(export string, until time.Time) string {
	end := until.UTC().Format("2006-01-02T15:04:05Z")
	return "sv=2023-11-03&se=" + strings.ReplaceAll(end, ":", "%3A") + "&sr=d&sp=rl&sdd=1&sig=" + s.sasSignature(export, end)
}

func (s *Server) sasSignature(export, end string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte("sas\n" + export + "\n" + end))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// sorted lists the months by time. Called with b.mu held.
func (b *billing) sorted() []*billMonth {
	var out []*billMonth
	for _, m := range b.months {
		out = append(out, m)
	}
	slices.SortFunc(out, func(x, y *billMonth) int { return x.start.Compare(y.start) })
	return out
}
