package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/demo"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/money"
	"causeway/internal/rating"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/usage"
	"causeway/internal/usage/raw"
	"causeway/internal/web/ui"

	"golang.org/x/sync/errgroup"
)

type benchPagesCmd struct {
	Records  int64  `default:"10000000" help:"Daily usage records of each month."`
	Months   int    `default:"13" help:"Months in the lake, the running one included."`
	Accounts int    `default:"10000" help:"Billing accounts, each with one customer."`
	Sample   int    `default:"20" help:"Accounts whose pages are read."`
	Dir      string `placeholder:"DIR" help:"Where to work: a folder of its own is made there, and removed. Left out: the temporary one of the system."`
	JSON     bool   `name:"json"`
}

// pagesFigures is what bench pages prints. A page's time ends with its last byte.
type pagesFigures struct {
	Months   int          `json:"months"`
	Records  int64        `json:"records"` // in the lake, of all months
	Accounts int          `json:"accounts"`
	Requests int          `json:"requests"`
	P50      float64      `json:"p50_ms"`
	P95      float64      `json:"p95_ms"`
	P99      float64      `json:"p99_ms"`
	Max      float64      `json:"max_ms"`
	First    float64      `json:"first_p95_ms"`    // of those that were asked for one at a time, each for the first time
	Together float64      `json:"together_p95_ms"` // of those that were asked for four at a time
	CPU      float64      `json:"cpu_ms"`          // processor time of a page on average, ours and the reader's: what others do on the machine counts little
	Pages    []pageFigure `json:"pages"`
	Lake     int64        `json:"lake_bytes"`
	PeakRSS  int64        `json:"peak_rss_bytes"` // while pages were read
	Prepared float64      `json:"prepared_seconds"`
}

type pageFigure struct {
	Name     string  `json:"name"`
	Requests int     `json:"requests"`
	P50      float64 `json:"p50_ms"`
	P95      float64 `json:"p95_ms"`
	Max      float64 `json:"max_ms"`
}

func (c *benchPagesCmd) Run(ctx context.Context, std Std) error {
	switch {
	case c.Months < 2 || c.Months > 13:
		return fault.Field("months", fmt.Sprintf("%d months are too few or too many.", c.Months), "Give 2 to 13: one that runs, and closed ones.")
	case c.Accounts < 1 || c.Accounts > 99_999 || c.Records < int64(c.Accounts):
		return fault.Field("accounts", fmt.Sprintf("%d accounts cannot share %d records.", c.Accounts, c.Records), "Give 1 to 99999 accounts, and at least as many records.")
	case c.Sample < 1 || c.Sample > c.Accounts:
		return fault.Field("sample", fmt.Sprintf("%d of %d accounts cannot be read.", c.Sample, c.Accounts), "Give at least 1, and no more than there are.")
	}
	dir, err := os.MkdirTemp(c.Dir, "causeway-bench-pages-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	f, err := c.measure(ctx, dir)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.Out, f)
	}
	_, err = fmt.Fprintf(std.Out, "%d pages over %d months with %d records: half within %.0f ms, 95 %% within %.0f ms, the slowest %.0f ms; lake %d MB, peak %d MB\n",
		f.Requests, f.Months, f.Records, f.P50, f.P95, f.Max, f.Lake>>20, f.PeakRSS>>20)
	return err
}

// The month that is made, and in whose last hours the portal is read: Microsoft has not
// billed it yet, but has all months before. Nothing depends on the day of the run.
const pagesMonth usage.Month = "2026-10"

// pagesInvoice is what GenerateUsage calls Microsoft's invoice.
const pagesInvoice = "G000024135"

// pagesBench is a partner's installation with a large lake.
type pagesBench struct {
	cmd   *benchPagesCmd
	dir   string
	app   *App
	began time.Time
	base  map[usage.Feed]usage.Loaded // of the month that was made

	months   []usage.Month // oldest first
	accounts []account.Alias
	orgs     []account.OrgID
	sample   []int // of accounts
	records  int64

	known map[account.Alias]map[usage.Month]billing.AccountMonth // of the sample
	docs  map[account.Alias]map[usage.Month]invoice.Document
	small map[account.Alias][]invoice.Line // of the last closed month, for documents of others
	sums  map[usage.Month]money.Amount     // of all accounts
}

// now is the portal's clock.
func (p *pagesBench) now() time.Time {
	return pagesMonth.Last().Time().Add(18 * time.Hour).Add(time.Since(p.began))
}

func (c *benchPagesCmd) measure(ctx context.Context, dir string) (f pagesFigures, err error) {
	p := &pagesBench{
		cmd: c, dir: dir, began: time.Now(), base: map[usage.Feed]usage.Loaded{}, known: map[account.Alias]map[usage.Month]billing.AccountMonth{},
		docs: map[account.Alias]map[usage.Month]invoice.Document{}, small: map[account.Alias][]invoice.Line{}, sums: map[usage.Month]money.Amount{},
	}
	for i := range c.Months {
		p.months = append(p.months, pagesMonth.Add(i+1-c.Months))
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return f, err
	}
	defer func() { _ = listener.Close() }()
	p.app, err = New(ctx, Config{
		Database: filepath.Join(dir, "pages.db"), Keys: filepath.Join(dir, "keys"), Listen: listener.Addr().String(), WorkerName: "bench",
		PasswordMemory: 64, PasswordPasses: 1, Now: p.now, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, p.app.Close()) }()
	for _, step := range []func(context.Context) error{p.load, p.rate, p.others} {
		if err := step(ctx); err != nil {
			return f, err
		}
	}
	f.Months, f.Records, f.Accounts, f.Prepared = len(p.months), p.records, len(p.accounts), seconds(time.Since(p.began))
	if f.Lake, err = folderBytes(p.lake()); err != nil {
		return f, err
	}
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600) // where that cannot be, the peak is that of all
	if err := p.read(ctx, listener, &f); err != nil {
		return f, err
	}
	f.PeakRSS, err = ownPeak()
	return f, err
}

func (p *pagesBench) lake() string { return filepath.Join(p.dir, "lake") }

// room refuses to fill a disk.
func (p *pagesBench) room(need int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(p.dir, &s); err != nil {
		return err
	}
	if free := int64(s.Bavail) * s.Bsize; free < need { // #nosec G115 -- blocks of a disk
		return fault.Field("dir", fmt.Sprintf("%s has %d MB left, and this needs %d MB.", filepath.Dir(p.dir), free>>20, need>>20), "Name a folder with more room, or ask for fewer records or months.")
	}
	return nil
}

// About how many bytes of disk a record takes: as it was sent, and in the lake.
const (
	gzipRecord = 300
	lakeRecord = 60
)

// load makes a month, says who pays for each of its customers, and loads it.
func (p *pagesBench) load(ctx context.Context) error {
	if err := p.room(p.cmd.Records*(gzipRecord+lakeRecord*int64(len(p.months)+1)) + 1<<30); err != nil {
		return err
	}
	export := filepath.Join(p.dir, "export")
	made, err := sim.GenerateUsage(ctx, export, sim.UsageOptions{BillOptions: sim.BillOptions{Month: string(pagesMonth), Seed: 1, Records: p.cmd.Records, Customers: p.cmd.Accounts}})
	if err != nil {
		return err
	}
	const lines = "reconciliation-00000.json.gz"
	owners, err := billedTenants(filepath.Join(export, lines))
	if err != nil {
		return err
	}
	if err := p.book(ctx, owners); err != nil {
		return err
	}
	for feed, names := range map[usage.Feed][]string{usage.Rated: made.Blobs, usage.Invoiced: {lines}} {
		s := usage.Snapshot{ID: "made-" + string(feed), Export: usage.Export{Feed: feed, Invoice: pagesInvoice, Month: pagesMonth, Currency: "USD"}}
		for _, name := range names {
			file, err := hashed(filepath.Join(export, filepath.Base(name)))
			if err != nil {
				return err
			}
			s.Files = append(s.Files, file)
		}
		if p.base[feed], err = p.app.Lake.Load(ctx, s, rawFolder(export)); err != nil {
			return err
		}
		defer func() { _ = p.app.Lake.Drop(context.WithoutCancel(ctx), s.ID) }() // else it goes with the folder
		if err := p.snapshots(ctx, s); err != nil {
			return err
		}
	}
	return os.RemoveAll(export)
}

// hashed is a file as the raw store knows it.
func hashed(name string) (usage.File, error) {
	in, err := os.Open(name) // #nosec G304 -- the bench's own folder
	if err != nil {
		return usage.File{}, err
	}
	defer func() { _ = in.Close() }() // only read
	h := sha256.New()
	n, err := io.Copy(h, in)
	return usage.File{Name: filepath.Base(name), Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

func folderBytes(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// book makes an account for each customer, and people for those that are read.
func (p *pagesBench) book(ctx context.Context, owners []usage.Owner) error {
	if len(owners) < p.cmd.Accounts {
		return fmt.Errorf("%d customers have usage, want %d: give more records", len(owners), p.cmd.Accounts)
	}
	for i, o := range owners[:p.cmd.Accounts] {
		alias, err := billedAccount(ctx, p.app, closeFinance, o.Tenant, i, p.months[0].First(), pagesMonth.Last())
		if err != nil {
			return err
		}
		a, err := p.app.People.Account(ctx, alias)
		if err != nil {
			return err
		}
		p.accounts, p.orgs = append(p.accounts, alias), append(p.orgs, a.Org)
	}
	for i := range p.cmd.Sample {
		n := i * p.cmd.Accounts / p.cmd.Sample
		p.sample = append(p.sample, n)
		if err := p.person(ctx, p.orgs[n], account.RoleAdministrator, adminOf(p.accounts[n])); err != nil {
			return err
		}
	}
	return p.person(ctx, "", account.RoleFinance, demo.Finance)
}

func adminOf(a account.Alias) string { return "admin@" + strings.ToLower(string(a)) + ".example" }

func (p *pagesBench) person(ctx context.Context, org account.OrgID, role account.Role, email string) error {
	_, err := p.app.People.CreateUser(ctx, account.System(), account.User{Org: org, Role: role, Name: "A Person", Email: email}, demo.Password)
	return err
}

// snapshots makes each month of what was loaded, and has the cycle take note of it: of
// the running month Microsoft's estimate, of the others its invoice.
func (p *pagesBench) snapshots(ctx context.Context, made usage.Snapshot) error {
	from := p.base[made.Feed]
	if made.Feed == usage.Rated {
		size, err := folderBytes(filepath.Join(p.lake(), made.ID))
		if err == nil {
			err = p.room(size*int64(len(p.months)) + 1<<29)
		}
		if err != nil {
			return err
		}
	}
	copies := monthCopy{lake: p.lake(), base: pagesMonth, workers: runtime.GOMAXPROCS(0)}
	for _, m := range p.months {
		e := usage.Export{Partner: sim.DefaultPartnerTenant, Feed: made.Feed, Month: m, Currency: "USD"}
		if m != pagesMonth {
			e.Invoice = "G" + strings.ReplaceAll(string(m), "-", "")
		} else if made.Feed == usage.Invoiced {
			continue
		}
		s, err := p.received(ctx, e, made.Files)
		if err != nil {
			return err
		}
		if err := copies.to(ctx, from, s); err != nil {
			return err
		}
		if err := p.app.Billing.Load(ctx, s); err != nil { // it is in the lake already
			return err
		}
		if made.Feed == usage.Rated {
			p.records += from.Rows
		}
	}
	return nil
}

// received has the raw store know an export, whose files nobody reads any more.
func (p *pagesBench) received(ctx context.Context, e usage.Export, files []usage.File) (s usage.Snapshot, err error) {
	err = p.app.DB.Tx(ctx, func(tx *store.Tx) error {
		f, err := p.app.Raw.Begin(ctx, tx, e)
		if err != nil {
			return err
		}
		for i, x := range files {
			f.Files = append(f.Files, raw.FetchFile{Seq: i, Name: x.Name, Size: x.Size, SHA256: x.SHA256, Place: f.Folder() + "/" + x.Name})
		}
		if s, err = p.app.Raw.Keep(ctx, tx, f); err != nil {
			return err
		}
		return p.app.Raw.End(ctx, tx, f, raw.Kept, "")
	})
	return s, err
}

// rate prices the months of the sample with what the lake says, and issues a document
// of each that Microsoft has billed.
func (p *pagesBench) rate(ctx context.Context) error {
	for _, n := range p.sample {
		alias := p.accounts[n]
		p.known[alias], p.docs[alias] = map[usage.Month]billing.AccountMonth{}, map[usage.Month]invoice.Document{}
		for _, m := range p.months {
			charges, err := p.app.Billing.Charges(ctx, billing.Slice{Account: string(alias), Month: m})
			if err != nil {
				return err
			}
			if len(charges) == 0 {
				return fmt.Errorf("%s has no usage in %s: give more records", alias, m)
			}
			x, err := p.priced(string(alias), m, charges)
			if err != nil {
				return err
			}
			p.known[alias][m] = x
			if !x.Billed {
				continue
			}
			lines, err := invoice.Lines(invoice.Bill{Month: m, Charges: charges}, pagesLabels, "USD")
			if err != nil {
				return err
			}
			if p.small[alias], err = invoice.Lines(invoice.Bill{Month: m, Charges: firstFew(charges, cellsOfOthers)}, pagesLabels, "USD"); err != nil {
				return err
			}
			err = p.app.DB.Tx(ctx, func(tx *store.Tx) (err error) {
				p.docs[alias][m], err = p.issue(ctx, tx, n, m, lines)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

var pagesLabels = invoice.Labels{Line: "Azure usage", Late: "Update to previous month"}

// priced is a month as the cycle keeps it: charges added up by day, service and region.
func (p *pagesBench) priced(alias string, m usage.Month, charges []rating.Charge) (billing.AccountMonth, error) {
	z := money.Zero("USD")
	x := billing.AccountMonth{Account: alias, Month: m, Currency: "USD", Billed: m != pagesMonth, AsOf: m.Last(), RatedAt: p.now(), Sell: z, Cost: z, Sold: z, Margin: z, Earned: z, Gain: z}
	at := map[billing.Cell]int{}
	for _, ch := range charges {
		k := billing.Cell{Day: ch.Group.Day, Kind: ch.Kind, Line: ch.Line, Tenant: ch.Group.Tenant, Entitlement: ch.Group.Entitlement, Category: invoice.Service(ch), Region: ch.Group.Region}
		i, ok := at[k]
		if !ok {
			i = len(x.Cells)
			at[k] = i
			x.Cells = append(x.Cells, k)
			x.Cells[i].Sell, x.Cells[i].Cost = z, z
		}
		cell := &x.Cells[i]
		cell.Rows += ch.Group.Rows
		for _, y := range []struct {
			to *money.Amount
			a  money.Amount
		}{{&cell.Sell, ch.Sell}, {&cell.Cost, ch.Cost}, {&x.Sell, ch.Sell}, {&x.Cost, ch.Cost}, {&x.Sold, ch.SoldCost}, {&x.Margin, ch.Margin}, {&x.Earned, ch.Earned}, {&x.Gain, ch.Gain}} {
			var err error
			if *y.to, err = y.to.Add(y.a); err != nil {
				return x, err
			}
		}
	}
	slices.SortFunc(x.Cells, func(a, b billing.Cell) int {
		return cmp.Or(strings.Compare(string(a.Day), string(b.Day)), strings.Compare(a.Entitlement, b.Entitlement), strings.Compare(a.Category, b.Category), strings.Compare(a.Region, b.Region))
	})
	return x, nil
}

func (p *pagesBench) issue(ctx context.Context, tx *store.Tx, n int, m usage.Month, lines []invoice.Line) (d invoice.Document, err error) {
	alias, party := string(p.accounts[n]), invoice.Party{Name: "Company", Address: []string{"4567 Main Street", "Buffalo, NY 14201"}, Country: "US"}
	d, err = invoice.Compose(invoice.Document{Key: alias + ":" + string(m), Kind: invoice.Invoice, Entity: "main", Org: string(p.orgs[n]), Account: alias, Period: m, Currency: "USD", Seller: party, Buyer: party},
		lines, m.Last(), []invoice.TaxRule{{ID: "none", Country: "US", Label: "No tax"}})
	if err != nil {
		return d, err
	}
	if d, err = p.app.Billing.Book().Draft(ctx, tx, d); err != nil {
		return d, err
	}
	return p.app.Billing.Book().Issue(ctx, tx, d.ID, "bench", m.Add(1).First().Add(29))
}

// cellsOfOthers is how much of a month those accounts have that nobody reads: pages over
// all accounts read sums only.
const cellsOfOthers = 20

// others gives every account its months, and a document of the last one that is closed,
// after the pattern of the sample: pages of staff show all accounts.
func (p *pagesBench) others(ctx context.Context) error {
	sampled := map[int]bool{}
	for _, n := range p.sample {
		sampled[n] = true
	}
	closed := pagesMonth.Add(-1)
	for from := 0; from < len(p.accounts); from += 500 {
		err := p.app.DB.Tx(ctx, func(tx *store.Tx) error {
			for n := from; n < min(from+500, len(p.accounts)); n++ {
				like := p.accounts[p.sample[n%len(p.sample)]]
				if sampled[n] {
					like = p.accounts[n]
				}
				for _, m := range p.months {
					x := p.known[like][m]
					x.Account = string(p.accounts[n])
					if !sampled[n] {
						x.Cells, x.Sell = firstFew(x.Cells, cellsOfOthers), money.Zero("USD")
						for _, c := range x.Cells {
							var err error
							if x.Sell, err = x.Sell.Add(c.Sell); err != nil {
								return err
							}
						}
					}
					if err := p.app.Billing.Months().Save(ctx, tx, x); err != nil {
						return err
					}
					sum, ok := p.sums[m]
					if !ok {
						sum = money.Zero("USD")
					}
					var err error
					if p.sums[m], err = sum.Add(x.Sell); err != nil {
						return err
					}
					if sampled[n] || m != closed {
						continue
					}
					if _, err := p.issue(ctx, tx, n, m, p.small[like]); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

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
