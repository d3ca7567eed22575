package billing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/graph"
	"causeway/internal/job"
	"causeway/internal/store"
	"causeway/internal/usage"
	"causeway/internal/usage/raw"

	"golang.org/x/sync/errgroup"
)

// Figures of one export.
const (
	pollEvery     = 10 * time.Second // where Microsoft does not say
	fileTries     = 5                // then a person should know; it is tried on every hour
	filesAtOnce   = 4
	anewTries     = 3 // in a row, before it is waited longer
	anewPause     = 10 * time.Minute
	signatureTurn = 3 // a signature that is refused as soon as it is read
)

// fetching is one run of the job of an export.
type fetching struct {
	f   *Fetcher
	j   job.Job
	row raw.Fetch

	mu       sync.Mutex
	exchange *azure.Exchange // the last one that did not work
}

// tx commits together, and only while the job is ours.
func (w *fetching) tx(ctx context.Context, f func(*store.Tx) error) error {
	return w.f.DB.Tx(ctx, func(tx *store.Tx) error {
		if err := w.f.Jobs.Hold(ctx, tx, w.j); err != nil {
			return err
		}
		return f(tx)
	})
}

// errEnded says that a run has closed its fetch and its job.
var errEnded = errors.New("the fetch is closed")

// refusal is why a file is not ours to keep.
type refusal string

func (r refusal) Error() string { return string(r) }

// export is the handler of JobExport. Whatever it did is in the row before it goes
// on, so that it may begin again at any time.
func (f *Fetcher) export(ctx context.Context, j job.Job) error {
	e, err := exportOf(j)
	if err != nil {
		return err
	}
	ctx, end := f.quiet(ctx, j)
	defer end()
	w := &fetching{f: f, j: j}
	err = w.tx(ctx, func(tx *store.Tx) (err error) {
		w.row, err = f.Raw.Begin(ctx, tx, e)
		return err
	})
	if err != nil {
		return err
	}
	job.Point("fetch-begun")
	err = w.run(azure.WithRecorder(ctx, w.record))
	if errors.Is(err, errEnded) {
		return nil
	}
	return w.note(ctx, f.later(err))
}

func (w *fetching) record(_ context.Context, x azure.Exchange) {
	if x.Error == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchange = &x
}

// note writes down why it does not go on.
func (w *fetching) note(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, job.ErrFenced) || errors.Is(err, job.ErrStopping) || store.IsAway(err) || ctx.Err() != nil {
		return err
	}
	w.row.Note = err.Error()
	var wait job.Wait
	if errors.As(err, &wait) {
		w.row.Note = wait.Why
	}
	w.mu.Lock()
	if w.exchange != nil {
		if b, err := json.Marshal(w.exchange); err == nil {
			w.row.Exchange = string(b)
		}
	}
	w.mu.Unlock()
	if werr := w.tx(ctx, func(tx *store.Tx) error { return w.f.Raw.Save(ctx, tx, w.row) }); werr != nil {
		return errors.Join(err, werr)
	}
	return err
}

// run goes on to the end, or to where it has to wait.
func (w *fetching) run(ctx context.Context) error {
	signatures := 0
	for {
		if job.Stopping(ctx) {
			return job.ErrStopping
		}
		if err := w.open(ctx); err != nil {
			return err
		}
		if w.row.Operation == "" {
			if err := w.ask(ctx); err != nil {
				return err
			}
		}
		m, err := w.manifest(ctx)
		if errors.Is(err, graph.ErrGone) {
			if err := w.anew(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := w.plan(ctx, m); err != nil {
			return err
		}
		before := w.here()
		err = w.receive(ctx, m)
		var no refusal
		switch {
		case errors.As(err, &no):
			return w.end(ctx, raw.Refused, string(no))
		case errors.Is(err, graph.ErrExpired):
			if w.here() > before {
				signatures = 0
			}
			if signatures++; signatures > signatureTurn {
				return job.Wait{Until: w.f.Now().Add(time.Minute), Why: "Azure Storage refuses the signature of the export's files: " + err.Error()}
			}
		case errors.Is(err, graph.ErrGone):
			if err := w.anew(ctx); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			return w.keep(ctx)
		}
	}
}

// open refuses what belongs to a closed month.
func (w *fetching) open(ctx context.Context) error {
	if w.f.Closed == nil {
		return nil
	}
	closed, err := w.f.Closed(ctx, w.row.Month)
	if err != nil || !closed {
		return err
	}
	return w.end(ctx, raw.Refused, fmt.Sprintf("The month %s is closed; its data is not replaced any more. Correct it in the next month.", w.row.Month))
}

// ask starts an export at Microsoft. If its answer is lost it is asked again: that
// changes nothing there.
func (w *fetching) ask(ctx context.Context) error {
	e := w.row.Export
	report, in := graph.UsageBilled, graph.ExportRequest{InvoiceID: e.Invoice, AttributeSet: "full"}
	if e.Feed == usage.Invoiced {
		report = graph.ReconciliationBilled
	}
	if !e.Billed() {
		report = graph.UsageUnbilled
		if e.Feed == usage.Invoiced {
			report = graph.ReconciliationUnbilled
		}
		in.CurrencyCode, in.BillingPeriod = string(e.Currency), period(e.Month, w.f.Now())
		if in.BillingPeriod == "" {
			return w.end(ctx, raw.None, "The month is over for so long that Microsoft has only its invoice.")
		}
	}
	job.Point("fetch-ask")
	id, err := w.f.Graph.StartExport(ctx, azure.NewRequestID(), report, in)
	if errors.Is(err, graph.ErrNoData) {
		return w.end(ctx, raw.None, "Microsoft has no data for it.")
	}
	if err != nil {
		return err
	}
	if !e.Billed() && period(e.Month, w.f.Now()) != in.BillingPeriod {
		return job.Wait{Until: w.f.Now().Add(time.Second), Why: "The month ended while it was asked for."} // of which month is not sure
	}
	job.Point("fetch-asked")
	w.row.Operation, w.row.Note = id, ""
	if err := w.tx(ctx, func(tx *store.Tx) error { return w.f.Raw.Save(ctx, tx, w.row) }); err != nil {
		return err
	}
	job.Point("fetch-operation")
	return nil
}

// anew forgets the operation; what was received of the same data stays.
func (w *fetching) anew(ctx context.Context) error {
	w.row.Operation = ""
	w.row.Restarts++
	if err := w.tx(ctx, func(tx *store.Tx) error { return w.f.Raw.Save(ctx, tx, w.row) }); err != nil {
		return err
	}
	if w.row.Restarts%anewTries == 0 {
		return job.Wait{Until: w.f.Now().Add(anewPause), Why: fmt.Sprintf("Microsoft's export had to be asked for anew %d times.", w.row.Restarts)}
	}
	return nil
}

// manifest reads how far the export is, and where its files are.
func (w *fetching) manifest(ctx context.Context) (graph.Manifest, error) {
	op, err := w.f.Graph.ExportOperation(ctx, w.row.Operation)
	var failed *graph.ExportFailed
	switch {
	case errors.Is(err, graph.ErrNoData):
		return op.Manifest, w.end(ctx, raw.None, "Microsoft has no data for it.")
	case errors.As(err, &failed): // it says so for ever
		return op.Manifest, errors.Join(w.anew(ctx), err)
	case err != nil:
		return op.Manifest, err
	case op.Running:
		if op.After <= 0 {
			op.After = pollEvery
		}
		return op.Manifest, job.Wait{Until: w.f.Now().Add(op.After), Why: "Microsoft prepares the export."}
	}
	return op.Manifest, w.judge(ctx, op.Manifest)
}

// judge refuses what is not ours, and ends with what is here already.
func (w *fetching) judge(ctx context.Context, m graph.Manifest) error {
	e := w.row.Export
	names := map[string]bool{}
	for _, b := range m.Blobs {
		if names[b.Name] || b.Name == "" || store.CheckText("name", b.Name) != nil {
			return w.end(ctx, raw.Refused, fmt.Sprintf("The manifest names the file %q twice, or a file without a usable name. Ask for the export again; if it stays, open a ticket with Microsoft.", b.Name))
		}
		names[b.Name] = true
	}
	switch {
	case !azure.SameID(m.PartnerTenantID, e.Partner):
		return w.end(ctx, raw.Refused, fmt.Sprintf("Field partnerTenantId: the export is of the partner %q, not of %s. Check which tenant is connected: causeway doctor.", m.PartnerTenantID, e.Partner))
	case !azure.SameWord(m.DataFormat, graph.FormatLines):
		return w.end(ctx, raw.Refused, fmt.Sprintf("Field dataFormat: %q cannot be read, only %s. Open a ticket with Microsoft.", m.DataFormat, graph.FormatLines))
	case len(m.Blobs) == 0:
		return w.end(ctx, raw.None, "Microsoft's export has no files.")
	}
	newest, ok, err := w.f.Raw.Newest(ctx, w.f.DB.Read(), e)
	if err != nil {
		return err
	}
	if ok && m.ETag != "" && newest.ETag == m.ETag {
		return w.end(ctx, raw.Unchanged, "")
	}
	return nil
}

// plan writes which files are to come. Other data than before begins a snapshot of
// its own.
func (w *fetching) plan(ctx context.Context, m graph.Manifest) error {
	same := slices.EqualFunc(w.row.Files, m.Blobs, func(x raw.FetchFile, b graph.ManifestBlob) bool { return x.Name == b.Name })
	if same && m.ETag != "" && w.row.ETag == m.ETag {
		return nil
	}
	left := w.row.Folder()
	if len(w.row.Files) > 0 {
		w.row.Snapshot = store.NewID()
	}
	w.row.ETag, w.row.Note, w.row.Files = m.ETag, "", nil
	for i, b := range m.Blobs {
		w.row.Files = append(w.row.Files, raw.FetchFile{Seq: i, Name: b.Name})
	}
	if err := w.tx(ctx, func(tx *store.Tx) error { return w.f.Raw.Plan(ctx, tx, w.row) }); err != nil {
		return err
	}
	job.Point("fetch-planned")
	if left == w.row.Folder() {
		return nil
	}
	return w.f.Raw.Clean(ctx, left, func(string) bool { return false })
}

// here counts the files that were received.
func (w *fetching) here() int {
	n := 0
	for _, x := range w.row.Files {
		if x.Here() {
			n++
		}
	}
	return n
}

// receive fetches what is missing. A file that cannot be read stops nobody else; its
// position is noted and it is fetched again.
func (w *fetching) receive(ctx context.Context, m graph.Manifest) error {
	all, ctx2 := errgroup.WithContext(ctx)
	all.SetLimit(filesAtOnce)
	for i := range w.row.Files {
		if !w.row.Files[i].Here() {
			all.Go(func() error {
				if ctx2.Err() != nil {
					return ctx2.Err()
				}
				return w.file(ctx2, m, &w.row.Files[i])
			})
		}
	}
	if err := all.Wait(); err != nil {
		return err
	}
	worst := raw.FetchFile{}
	for _, x := range w.row.Files {
		if !x.Here() && x.Tries > worst.Tries {
			worst = x
		}
	}
	if worst.Tries == 0 {
		return nil
	}
	wait := job.Wait{Until: w.f.Now().Add(time.Second << min(worst.Tries, 6)), Why: worst.Note + "; it is fetched again."}
	if worst.Tries >= fileTries { // a new export may have a whole one
		w.row.Operation = ""
		wait = job.Wait{Until: w.f.Now().Add(fetchLook), Why: fmt.Sprintf("%s; it was fetched %d times and is tried every hour. If it stays so, open a ticket with Microsoft.", worst.Note, worst.Tries)}
	}
	return wait
}

// file fetches one file. Its error is nil also if the file cannot be read: the row
// says that.
func (w *fetching) file(ctx context.Context, m graph.Manifest, x *raw.FetchFile) error {
	place := fmt.Sprintf("%s/%05d-%d.json.gz", w.row.Folder(), x.Seq, w.j.Fence) // a worker that lost its lease writes elsewhere
	var n int64
	got, err := w.f.Raw.Receive(ctx, x.Name, place, func(to io.Writer) (err error) {
		n, err = w.f.Graph.DownloadBlob(ctx, m, x.Name, to)
		return err
	})
	var damaged *usage.Damaged
	e := azure.AsError(err)
	next := *x
	switch {
	case errors.As(err, &damaged):
		next.Tries, next.Note = x.Tries+1, strings.TrimSuffix(damaged.Error(), ".")
	case e != nil && e.Unreadable && ctx.Err() == nil:
		next.Tries, next.Note = x.Tries+1, fmt.Sprintf("file %s of the export: the connection ended after %d bytes", x.Name, n)
	case err != nil:
		return err
	default:
		if reason := w.foreign(got.First); reason != "" {
			return refusal(fmt.Sprintf("File %s of the export, line 1: %s", x.Name, reason))
		}
		job.Point("fetch-file")
		next.Size, next.SHA256, next.Place, next.Note = got.Size, got.SHA256, got.Place, ""
	}
	if err := w.tx(ctx, func(tx *store.Tx) error { return w.f.Raw.SaveFile(ctx, tx, w.row.Key, next) }); err != nil {
		return err
	}
	*x = next
	job.Point("fetch-file-kept")
	return nil
}

// foreign says why a record is not of the export that we asked for.
func (w *fetching) foreign(record []byte) string {
	var r struct {
		PartnerID       string `json:"PartnerId"`
		BillingCurrency string
		Currency        string // of a reconciliation
	}
	if json.Unmarshal([]byte(strings.TrimPrefix(string(record), "\ufeff")), &r) != nil {
		return "" // what the columns are is the lake's to judge
	}
	if r.BillingCurrency == "" {
		r.BillingCurrency = r.Currency
	}
	switch e := w.row.Export; {
	case r.PartnerID != "" && !azure.SameID(r.PartnerID, e.Partner):
		return fmt.Sprintf("field PartnerId: the record is of the partner %q, not of %s. Check which tenant is connected: causeway doctor.", r.PartnerID, e.Partner)
	case r.BillingCurrency != "" && !strings.EqualFold(r.BillingCurrency, string(e.Currency)):
		return fmt.Sprintf("field BillingCurrency: the record is in %q, not in %s. Ask for the export again; if it stays, open a ticket with Microsoft.", r.BillingCurrency, e.Currency)
	}
	return ""
}

// keep makes the snapshot: all files are here.
func (w *fetching) keep(ctx context.Context) error {
	if err := w.open(ctx); err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, x := range w.row.Files {
		ours[x.Place] = true
	}
	if err := w.f.Raw.Clean(ctx, w.row.Folder(), func(place string) bool { return ours[place] }); err != nil {
		return err
	}
	job.Point("fetch-keep")
	err := w.f.DB.Tx(ctx, func(tx *store.Tx) error {
		s, err := w.f.Raw.Keep(ctx, tx, w.row)
		if err != nil {
			return err
		}
		if w.f.OnSnapshot != nil {
			if err := w.f.OnSnapshot(ctx, tx, s); err != nil {
				return err
			}
		}
		if err := w.f.Raw.End(ctx, tx, w.row, raw.Kept, ""); err != nil {
			return err
		}
		return w.f.Jobs.Finish(ctx, tx, w.j)
	})
	if err != nil {
		return err
	}
	job.Point("fetch-kept")
	w.f.Log.Info("export kept", "export", w.row.Key, "snapshot", w.row.Snapshot, "files", len(w.row.Files))
	return errEnded
}

// end closes the fetch without a snapshot, and its job with it.
func (w *fetching) end(ctx context.Context, state raw.State, why string) error {
	err := w.f.DB.Tx(ctx, func(tx *store.Tx) error {
		if err := w.f.Raw.End(ctx, tx, w.row, state, why); err != nil {
			return err
		}
		return w.f.Jobs.Finish(ctx, tx, w.j)
	})
	if err != nil {
		return err
	}
	if state == raw.Refused {
		w.f.Log.Warn("an export was refused", "export", w.row.Key, "reason", why)
	}
	if err := w.f.Raw.Clean(ctx, w.row.Folder(), func(string) bool { return false }); err != nil {
		w.f.Log.Warn("files of an export that was not kept are left", "folder", w.row.Folder(), "error", err)
	}
	return errEnded
}
