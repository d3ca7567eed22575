package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

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
)

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
