package sim

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// blobRecords is about how many records a blob holds; Microsoft promises nothing.
const blobRecords = 125_000

// blobPart is the content of one blob: so many batches from a place in the source on.
// The place names a plan, so that nothing before that plan need be made again.
type blobPart struct {
	plan, skip, count int
}

// parts cuts the source's batches of a currency into blobs of about so many records.
func (s *source) parts(currency string, size int) []blobPart {
	var out []blobPart
	plan, within, rows := -1, 0, 0
	s.each(0, func(at int, x *batch) bool {
		if at != plan {
			plan, within = at, 0
		}
		if currency == "" || x.plan.currency == currency {
			if len(out) == 0 || rows >= size {
				out, rows = append(out, blobPart{plan: at, skip: within}), 0
			}
			out[len(out)-1].count++
			for _, b := range x.blocks {
				for i := range b.series {
					if x.later {
						rows++ // few records of a resource are left over
					} else {
						rows += b.series[i].to - b.series[i].from
					}
				}
			}
		}
		within++
		return true
	})
	return out
}

// write writes a part's usage records as JSON lines and says how many.
func (s *source) write(out io.Writer, part blobPart, currency string, v view, w *records) (int64, error) {
	count, buf := int64(0), make([]byte, 0, 1<<20)
	skip, left := part.skip, part.count
	var failed error
	s.each(part.plan, func(_ int, x *batch) bool {
		if skip > 0 {
			skip--
			return true
		}
		if currency != "" && x.plan.currency != currency {
			return true
		}
		left--
		x.each(v, func(r *row) {
			buf = w.append(buf, r)
			count++
			if len(buf) > 1<<20-16384 && failed == nil {
				_, failed = out.Write(buf)
				buf = buf[:0]
			}
		})
		return failed == nil && left > 0
	})
	if failed == nil {
		_, failed = out.Write(buf)
	}
	return count, failed
}

// UsageResult says what GenerateUsage wrote.
type UsageResult struct {
	Records   int64    `json:"records"`
	Bytes     int64    `json:"bytes"`      // of JSON lines
	Gzip      int64    `json:"gzip_bytes"` // of the blobs
	Blobs     []string `json:"blobs"`
	Customers int      `json:"customers"`
	Sealed    []Sealed `json:"sealed"` // one per currency
}

// UsageOptions are BillOptions for files.
type UsageOptions struct {
	BillOptions
	Partner  Partner // zero: the usual one
	Unbilled bool    // as the complete month looked before its invoice
	Workers  int     // default: one per processor
	Blobs    int     // about how many; default: 125 000 records each
	Sealed   bool    // work out the sealed list too, which takes a second pass
}

// GenerateUsage writes a month of daily usage without a server: for each currency the
// blobs of an export with full attributes, a manifest.json such as Graph's, and
// reconciliation lines. The same options give the same bytes, whatever the workers.
func GenerateUsage(ctx context.Context, dir string, o UsageOptions) (UsageResult, error) {
	var res UsageResult
	partner := Config{Partner: o.Partner}.withDefaults().Partner
	o.Customers = or(o.Customers, int(max(1, min(100_000, o.Records/1_000)))) // #nosec G115 -- at most 100 000
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	m, err := newMonth(o.BillOptions, partner.Country, partner.Currency)
	if err != nil {
		return res, err
	}
	if m.has(FeatureTransfers) {
		m.moved = m.start
	}
	plans := m.synthetics()
	if m.has(FeatureUnmapped) {
		plans = append(plans, m.stranger())
	}
	if err := m.allot(plans); err != nil {
		return res, err
	}
	res.Customers = len(plans)
	src := &source{month: m, plans: plans}
	v, number := view{billed: true}, "G000024135"
	if o.Unbilled {
		v, number = view{cut: m.days + carrySeen}, ""
	}
	size := blobRecords
	if o.Blobs > 0 {
		size = max(1, int(o.Records)/o.Blobs)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return res, err
	}
	for _, currency := range m.opt.Currencies {
		sub := dir
		if len(m.opt.Currencies) > 1 {
			sub = filepath.Join(dir, currency)
		}
		if err := m.writeFiles(ctx, src, sub, currency, number, v, size, o.Workers, &partner, &res); err != nil {
			return res, err
		}
		if o.Sealed {
			w := newSealing(src, currency, view{cut: m.days + carrySeen})
			w.run()
			res.Sealed = append(res.Sealed, w.sealed(number))
		}
	}
	return res, nil
}

func (m *billMonth) writeFiles(ctx context.Context, src *source, dir, currency, number string, v view, size, workers int, partner *Partner, res *UsageResult) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	parts := src.parts(currency, size)
	var (
		mu     sync.Mutex
		all    sync.WaitGroup
		failed error
		next   int
	)
	names := make([]string, len(parts))
	sums := make([][32]byte, len(parts))
	for range min(workers, len(parts)) {
		all.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				stop := failed != nil || ctx.Err() != nil
				mu.Unlock()
				if i >= len(parts) || stop {
					return
				}
				names[i] = fmt.Sprintf("part-%05d.json.gz", i)
				got, sum, err := writeBlob(filepath.Join(dir, names[i]), func(out io.Writer) (int64, error) {
					return src.write(out, parts[i], currency, v, &records{partner: partner, full: true, number: number})
				})
				mu.Lock()
				sums[i] = sum
				res.Records, res.Bytes, res.Gzip = res.Records+got.records, res.Bytes+got.bytes, res.Gzip+got.gzip
				if err != nil && failed == nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if failed != nil {
		return failed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, n := range names {
		res.Blobs = append(res.Blobs, filepath.Join(dir, n))
	}
	if _, _, err := writeBlob(filepath.Join(dir, "reconciliation-00000.json.gz"), func(out io.Writer) (int64, error) {
		return writeLines(out, src, currency, v, &records{partner: partner, full: true, number: number})
	}); err != nil {
		return err
	}
	whole := sha256.New()
	for _, s := range sums {
		whole.Write(s[:])
	}
	list := []manifestBlob{}
	for i, n := range names {
		list = append(list, manifestBlob{Name: n, Partition: fmt.Sprint(i)})
	}
	text, err := json.MarshalIndent(manifestBody{ID: mixID(m.seed, mixText(currency)), Schema: "1", Format: "compressedJSONLines", Created: dayText(m.end()), Etag: hex.EncodeToString(whole.Sum(nil)[:12]),
		Partner: partner.TenantID, Root: ".", Kind: "ItemCount", Count: len(list), Blobs: list}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "manifest.json"), append(text, '\n'), 0o600)
}

// blobSize is what a blob came to.
type blobSize struct{ records, bytes, gzip int64 }

// counter counts what goes through it.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

// writeBlob writes a gzip file that nobody sees half, and its hash. The gzip header
// has no time, so equal content is equal bytes.
func writeBlob(name string, content func(io.Writer) (int64, error)) (blobSize, [32]byte, error) {
	var size blobSize
	var sum [32]byte
	f, err := os.Create(name + ".part") // #nosec G304 -- the caller's folder
	if err != nil {
		return size, sum, err
	}
	hash := sha256.New()
	packed := &counter{Writer: io.MultiWriter(f, hash)}
	z, err := gzip.NewWriterLevel(packed, gzip.BestSpeed)
	if err != nil {
		return size, sum, err
	}
	plain := &counter{Writer: z}
	size.records, err = content(plain)
	if err == nil {
		err = z.Close()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(name + ".part") // the first error is the one to tell
		return size, sum, err
	}
	size.bytes, size.gzip = plain.n, packed.n
	copy(sum[:], hash.Sum(nil))
	return size, sum, os.Rename(name+".part", name)
}

// writeLines writes the reconciliation of a currency as JSON lines.
func writeLines(out io.Writer, src *source, currency string, v view, w *records) (int64, error) {
	var n int64
	var failed error
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	l := &lines{src: src}
	l.each(v, currency, func(x *billLine) {
		if failed != nil {
			return
		}
		n++
		failed = e.Encode(w.reconciliation(x))
		if buf.Len() > 1<<20 && failed == nil {
			_, failed = buf.WriteTo(out)
		}
	})
	if failed == nil {
		_, failed = buf.WriteTo(out)
	}
	return n, failed
}

// manifestBody is the manifest of an export.
type manifestBody struct {
	Context string         `json:"@odata.context,omitempty"`
	Type    string         `json:"@odata.type,omitempty"`
	ID      string         `json:"id"`
	Schema  string         `json:"schemaVersion"`
	Format  string         `json:"dataFormat"`
	Created string         `json:"createdDateTime"`
	Etag    string         `json:"eTag"`
	Partner string         `json:"partnerTenantId"`
	Root    string         `json:"rootDirectory"`
	SAS     string         `json:"sasToken"`
	Kind    string         `json:"partitionType"`
	Count   int            `json:"blobCount"`
	Blobs   []manifestBlob `json:"blobs"`
}

type manifestBlob struct {
	Name      string `json:"name"`
	Partition string `json:"partitionValue"`
}
