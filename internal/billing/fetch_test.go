package billing_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/azure"
	"causeway/internal/azure/graph"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/azure/token"
	"causeway/internal/billing"
	"causeway/internal/job"
	"causeway/internal/seal"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"
	"causeway/internal/usage/raw"
)

// fetchers is a program that fetches, beside a simulated Microsoft with October's
// usage, on the 8th of November.
type fetchers struct {
	t      *testing.T
	db     *store.DB
	sim    *sim.Server
	ring   *seal.Ring
	folder string
	log    bytes.Buffer

	jobs *job.Queue
	raw  *raw.Store
	*billing.Fetcher

	mu     sync.Mutex
	hooked []usage.Snapshot
	calls  []azure.Exchange
	tenant string
	closed usage.Month
}

const exportsPath = "/v1.0/reports/partners/billing"

func newFetchers(t *testing.T, db *store.DB) *fetchers {
	t.Helper()
	now, began := time.Date(2026, 11, 8, 10, 0, 0, 0, time.UTC), time.Now()
	ms := sim.Start(t, func(c *sim.Config) { c.Now = func() time.Time { return now.Add(time.Since(began)) } },
		sim.WithSettings(func(set *sim.Settings) { set.BlobRecords = 100 }))
	ring, err := seal.New()
	w := &fetchers{t: t, db: db, sim: ms, ring: ring, folder: filepath.Join(t.TempDir(), "exports"), tenant: sim.DefaultPartnerTenant}
	w.must(err)
	w.build()
	w.control("POST", "/_sim/billing/generate", map[string]any{"month": "2026-10", "seed": 7, "customers": 3, "records": 300, "features": []string{"none"}}, nil)
	w.control("POST", "/_sim/billing/generate", map[string]any{"month": "2026-11", "seed": 7, "customers": 3, "records": 300, "features": []string{"none"}}, nil)
	return w
}

// build makes the program's parts; a second call is the program after a restart.
func (w *fetchers) build() {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pipe, err := azure.New(azure.Config{
		LoginURL: w.sim.URL, PartnerCenterURL: w.sim.URL, GraphURL: w.sim.URL, ARMURL: w.sim.URL, CAFile: w.sim.CAFile,
		PartnerTenant: sim.DefaultPartnerTenant, AppID: sim.DefaultAppID, Timeout: 20 * time.Second, Now: w.sim.Clock.Now, Log: log,
	})
	w.must(err)
	custody := token.New(w.db, w.ring, pipe, "test")
	if w.jobs == nil {
		const redirect = "http://127.0.0.1/callback"
		w.must(custody.SetApplication(w.t.Context(), token.By{Actor: "system"}, sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultAppSecret))
		var out struct{ Code string }
		w.control("POST", "/_sim/people/"+sim.DefaultUser+"/sign-in", map[string]any{"mfa": true, "redirectUri": redirect}, &out)
		_, err := custody.RedeemCode(w.t.Context(), token.By{Actor: "system"}, redirect, out.Code)
		w.must(err)
	} else {
		w.must(w.jobs.Stop())
	}
	pipe = pipe.With(custody)
	w.raw, err = raw.New(w.t.Context(), w.db, w.sim.Clock.Now, w.folder)
	w.must(err)
	w.jobs = job.New(w.db, "test", w.sim.Clock.Now, log)
	w.Fetcher = billing.NewFetcher(billing.FetchParts{
		DB: w.db, Now: w.sim.Clock.Now, Log: log, Jobs: w.jobs, Graph: graph.New(pipe), Partner: partnercenter.New(pipe), Raw: w.raw,
		Tenant: func(context.Context) (string, error) { return w.tenant, nil },
		Closed: func(_ context.Context, m usage.Month) (bool, error) { return m == w.closed, nil },
		OnSnapshot: func(ctx context.Context, tx *store.Tx, s usage.Snapshot) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.hooked = append(w.hooked, s)
			return w.jobs.Add(ctx, tx, "rate", s.ID, s, time.Time{})
		},
	})
	w.Handle(w.jobs)
	w.jobs.Handle("rate", func(context.Context, job.Job) error { return nil })
	w.must(w.jobs.Start(w.t.Context()))
	w.must(w.Watch(w.t.Context()))
}

func (w *fetchers) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *fetchers) http(method, to, bearer string, in any) (*http.Response, []byte) {
	w.t.Helper()
	body, err := json.Marshal(in)
	w.must(err)
	req, err := http.NewRequestWithContext(w.t.Context(), method, to, bytes.NewReader(body))
	w.must(err)
	if form, ok := in.(url.Values); ok {
		req, err = http.NewRequestWithContext(w.t.Context(), method, to, strings.NewReader(form.Encode()))
		w.must(err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := w.sim.Client().Do(req)
	w.must(err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	w.must(err)
	if res.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %s %s", method, to, res.Status, b)
	}
	return res, b
}

func (w *fetchers) control(method, path string, in, out any) {
	w.t.Helper()
	_, b := w.http(method, w.sim.URL+path, "", in)
	if out != nil {
		w.must(json.Unmarshal(b, out))
	}
}

// served is what the simulator gives to somebody else who asks for the same export.
func (w *fetchers) served(report string, in map[string]string) (etag string, files map[string][]byte) {
	w.t.Helper()
	_, b := w.http("POST", w.sim.URL+"/"+sim.DefaultPartnerTenant+"/oauth2/v2.0/token", "", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {sim.DefaultAppID}, "client_secret": {sim.DefaultAppSecret}, "scope": {"https://graph.microsoft.com/.default"},
	})
	var t struct {
		Access string `json:"access_token"`
	}
	w.must(json.Unmarshal(b, &t))
	started, _ := w.http("POST", w.sim.URL+exportsPath+"/"+report+"/export", t.Access, in)
	_, b = w.http("GET", started.Header.Get("Location"), t.Access, nil)
	var op struct {
		At struct {
			ETag, RootDirectory, SASToken string
			Blobs                         []struct{ Name string }
		} `json:"resourceLocation"`
	}
	w.must(json.Unmarshal(b, &op))
	files = map[string][]byte{}
	for _, x := range op.At.Blobs {
		_, files[x.Name] = w.http("GET", op.At.RootDirectory+"/"+x.Name+"?"+op.At.SASToken, "", nil)
	}
	return op.At.ETag, files
}

// watched is a context whose calls to Microsoft are kept as staff would see them.
func (w *fetchers) watched() context.Context {
	return azure.WithRecorder(w.t.Context(), func(_ context.Context, x azure.Exchange) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, x)
	})
}

// work runs all that is due, and lets time pass for what waits at most so long.
func (w *fetchers) work(patience time.Duration) {
	w.t.Helper()
	for range 500 {
		did, err := w.jobs.RunOnce(w.watched())
		w.must(err)
		if did {
			continue
		}
		next, err := w.jobs.Next(w.t.Context())
		w.must(err)
		wait := next.Sub(w.sim.Clock.Now())
		if next.IsZero() || wait > patience {
			return
		}
		w.sim.Advance(max(wait, time.Millisecond))
	}
	w.t.Fatal("the work has no end")
}

// look lets the standing job run, and all that comes of it.
func (w *fetchers) look() {
	w.t.Helper()
	w.must(w.db.Tx(w.t.Context(), func(tx *store.Tx) error { return w.jobs.Wake(w.t.Context(), tx, billing.JobFetch, "") }))
	w.work(2 * time.Minute)
}

func (w *fetchers) current(f raw.Filter) []usage.Snapshot {
	w.t.Helper()
	list, err := w.raw.Current(w.t.Context(), w.db.Read(), f)
	w.must(err)
	return list
}

// one is the newest snapshot of an export.
func (w *fetchers) one(f raw.Filter) usage.Snapshot {
	w.t.Helper()
	list := w.current(f)
	if len(list) != 1 {
		w.t.Fatalf("%d snapshots of %+v, want 1", len(list), f)
	}
	return list[0]
}

func (w *fetchers) fetch(key string) raw.Fetch {
	w.t.Helper()
	f, err := w.raw.Fetch(w.t.Context(), key)
	w.must(err)
	return f
}

// same compares a snapshot with what the simulator serves, byte by byte.
func (w *fetchers) same(s usage.Snapshot, report string, in map[string]string) {
	w.t.Helper()
	etag, files := w.served(report, in)
	if s.ETag != etag || len(s.Files) != len(files) || len(files) == 0 {
		w.t.Fatalf("snapshot %s of %d files, served %s of %d", s.ETag, len(s.Files), etag, len(files))
	}
	for _, f := range s.Files {
		r, err := w.raw.Open(w.t.Context(), s.ID, f)
		w.must(err)
		got, err := io.ReadAll(r)
		w.must(errors.Join(err, r.Close()))
		sum := sha256.Sum256(files[f.Name])
		if !bytes.Equal(got, files[f.Name]) || f.SHA256 != hex.EncodeToString(sum[:]) || f.Size != int64(len(got)) {
			w.t.Errorf("%s is not what was served: %d bytes, %d served", f.Name, len(got), len(files[f.Name]))
		}
	}
}

// text is a column of all rows.
func (w *fetchers) text(query string) (all string) {
	w.t.Helper()
	rows, err := w.db.Read().QueryContext(w.t.Context(), query)
	w.must(err)
	defer func() { w.must(rows.Close()) }()
	for rows.Next() {
		var text string
		w.must(rows.Scan(&text))
		all += text
	}
	w.must(rows.Err())
	return all
}

// noSecrets looks for a signature in all that was written.
func (w *fetchers) noSecrets() {
	w.t.Helper()
	calls, err := json.Marshal(w.calls)
	w.must(err)
	texts := map[string]string{"the log": w.log.String(), "the exchanges": string(calls)}
	if !strings.Contains(texts["the exchanges"], "/billingblobs/") || !strings.Contains(texts["the exchanges"], "sasToken") {
		w.t.Error("the exchanges lack a manifest or a file: nothing is proven")
	}
	for name, query := range map[string]string{"fetches": "SELECT note || exchange FROM usage_fetch", "files": "SELECT note FROM usage_fetch_file", "jobs": "SELECT args || last_error FROM job"} {
		texts[name] = w.text(query)
	}
	for name, text := range texts {
		for _, secret := range []string{"sig=", "eyJ", sim.DefaultAppSecret} {
			if at := strings.Index(text, secret); at >= 0 {
				w.t.Errorf("%s hold a secret: …%.300s", name, text[max(0, at-100):])
			}
		}
	}
}

var (
	october  = map[string]string{"invoiceId": "G000024135"}
	november = map[string]string{"currencyCode": "USD", "billingPeriod": "current"}
	lastOne  = map[string]string{"currencyCode": "USD", "billingPeriod": "last"}
)

func TestBothFeedsAreKeptAsMicrosoftServesThem(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newFetchers(t, db)
		w.look()
		if n := len(w.current(raw.Filter{Unbilled: true})); n != 4 {
			t.Fatalf("%d snapshots of two months and two feeds", n)
		}
		w.same(w.one(raw.Filter{Month: "2026-10", Feed: usage.Rated}), "usage/unbilled", lastOne)
		w.same(w.one(raw.Filter{Month: "2026-11", Feed: usage.Rated}), "usage/unbilled", november)
		w.same(w.one(raw.Filter{Month: "2026-11", Feed: usage.Invoiced}), "reconciliation/unbilled", november)

		w.control("POST", "/_sim/billing/close", map[string]any{"month": "2026-10"}, nil)
		w.look()
		s := w.one(raw.Filter{Invoice: "G000024135", Feed: usage.Rated})
		w.same(s, "usage/billed", october)
		w.same(w.one(raw.Filter{Invoice: "G000024135", Feed: usage.Invoiced}), "reconciliation/billed", october)
		if len(s.Files) < 2 || s.Month != "2026-10" || s.Currency != "USD" || s.Partner != sim.DefaultPartnerTenant {
			t.Errorf("the snapshot is %+v", s)
		}
		if got, err := w.raw.Snapshot(t.Context(), s.ID); err != nil || got.ETag != s.ETag || len(w.hooked) != 6 {
			t.Errorf("%+v (%v); %d were told of", got, err, len(w.hooked))
		}

		var months []struct {
			Invoices []struct{ Number, Total string }
		}
		w.control("GET", "/_sim/billing", nil, &months)
		list, err := w.raw.Invoices(t.Context(), "2026-10")
		if err != nil || len(list) != 1 || list[0].ID != "G000024135" || list[0].Total.String() == "" || list[0].Document != partnercenter.DocumentInvoice || list[0].PDF == nil {
			t.Fatalf("invoices: %+v (%v)", list, err)
		}
		if want := months[0].Invoices[0].Total; list[0].Total.Decimal().StringFixed(2) != want {
			t.Errorf("the invoice is over %s, not %s", list[0].Total, want)
		}
		pdf, err := w.raw.OpenStatement(t.Context(), "G000024135")
		w.must(err)
		text, err := io.ReadAll(pdf)
		w.must(errors.Join(err, pdf.Close()))
		if !bytes.HasPrefix(text, []byte("%PDF-")) || !bytes.Contains(text, []byte("G000024135")) {
			t.Errorf("the PDF is %.100s", text)
		}
		w.noSecrets()
	})
}

func TestANewETagReplacesTheSnapshotWhole(t *testing.T) {
	w := newFetchers(t, storetest.SQLite(t))
	w.look()
	old := w.one(raw.Filter{Month: "2026-10", Feed: usage.Rated})
	w.must(w.Ask(t.Context(), "2026-10"))
	w.work(time.Minute)
	if f := w.fetch("rated/2026-10/USD"); f.State != raw.Unchanged {
		t.Errorf("nothing changed, and it is %s: %s", f.State, f.Note)
	}
	if s := w.one(raw.Filter{Month: "2026-10", Feed: usage.Rated}); s.ID != old.ID {
		t.Error("an unchanged export was kept again")
	}
	w.control("POST", "/_sim/billing/plant", map[string]any{"month": "2026-10", "restated": 3}, nil)
	w.sim.Advance(25 * time.Hour)
	before := w.sim.Clock.Now()
	w.look()
	s := w.one(raw.Filter{Month: "2026-10", Feed: usage.Rated})
	if s.ID == old.ID {
		t.Fatal("changed data was not kept")
	}
	w.same(s, "usage/unbilled", lastOne)
	history, err := w.raw.History(t.Context(), s.Export)
	if err != nil || len(history) != 2 || history[0].ID != s.ID || history[1].ID != old.ID {
		t.Errorf("history: %+v (%v)", history, err)
	}
	if then := w.one(raw.Filter{Month: "2026-10", Feed: usage.Rated, At: before}); then.ID != old.ID {
		t.Error("what was the newest then is not known any more")
	}
	for _, f := range old.Files { // the old one can still be read
		r, err := w.raw.Open(t.Context(), old.ID, f)
		w.must(err)
		_, err = io.Copy(io.Discard, r)
		w.must(errors.Join(err, r.Close()))
	}
}

// What Microsoft does to an export on its way, and what comes of it.
func TestAnExportThatGoesWrong(t *testing.T) {
	const key = "rated/2026-10/USD"
	blob := "GET /billingblobs/{}/{}"
	for _, tc := range []struct {
		says  string
		cause func(*fetchers)
		state raw.State
	}{
		{"an operation that is gone is begun anew", func(w *fetchers) {
			w.sim.Fail("GET "+exportsPath+"/operations/{}", sim.Fault{Kind: sim.FailBefore, Status: 410, Code: "gone"})
		}, raw.Kept},
		{"no data is no outage", func(w *fetchers) {
			w.sim.Fail("POST "+exportsPath+"/usage/unbilled/export", sim.Fault{Kind: sim.FailOperation, Count: -1})
		}, raw.None},
		{"another failure is asked for anew", func(w *fetchers) {
			w.sim.Fail("POST "+exportsPath+"/usage/unbilled/export", sim.Fault{Kind: sim.FailOperation, Code: "6000", Count: 2})
		}, raw.Kept},
		{"a signature that expires is read again", func(w *fetchers) { w.sim.Fail(blob, sim.Fault{Kind: sim.ExpireSAS, After: 1}) }, raw.Kept},
		{"a truncated file is fetched again", func(w *fetchers) { w.sim.Fail(blob, sim.Fault{Kind: sim.TruncateBlob}) }, raw.Kept},
		{"a corrupt file is fetched again", func(w *fetchers) { w.sim.Fail(blob, sim.Fault{Kind: sim.CorruptBlob, Count: 2}) }, raw.Kept},
		{"a connection that breaks is made again", func(w *fetchers) { w.sim.Fail(blob, sim.Fault{Kind: sim.CutBlob, Count: 3}) }, raw.Kept},
		{"a lost answer to the question is no loss", func(w *fetchers) { w.sim.HangUpAfter("POST " + exportsPath + "/usage/unbilled/export") }, raw.Kept},
		{"throttling is waited out", func(w *fetchers) { w.sim.ThrottleNext(blob, 3) }, raw.Kept},
		{"a manifest by link", func(w *fetchers) { w.sim.Change(func(s *sim.Settings) { s.ManifestByLink = true }) }, raw.Kept},
		{"an export that runs for a while", func(w *fetchers) { w.sim.SetWait(sim.WaitExport, 2*time.Minute) }, raw.Kept},
	} {
		t.Run(tc.says, func(t *testing.T) {
			w := newFetchers(t, storetest.SQLite(t))
			e := usage.Export{Partner: w.tenant, Feed: usage.Rated, Month: "2026-10", Currency: "USD"}
			tc.cause(w)
			w.must(w.db.Tx(t.Context(), func(tx *store.Tx) error {
				return w.jobs.Add(t.Context(), tx, billing.JobExport, raw.Key(e), e, time.Time{})
			}))
			w.work(2 * time.Minute)
			f := w.fetch(key)
			if f.State != tc.state {
				t.Fatalf("it is %s: %s", f.State, f.Note)
			}
			w.sim.ClearFaults()
			w.sim.SetWait(sim.WaitExport, 0)
			w.sim.Change(func(s *sim.Settings) { s.ManifestByLink = false })
			if tc.state == raw.Kept {
				w.same(w.one(raw.Filter{}), "usage/unbilled", lastOne)
				w.noSecrets()
			} else if len(w.current(raw.Filter{})) != 0 {
				t.Error("something was kept")
			}
		})
	}
}

// A file that stays damaged is waited for, with its name and position; the others
// are fetched once.
func TestADamagedFileStopsItselfOnly(t *testing.T) {
	w := newFetchers(t, storetest.SQLite(t))
	e := usage.Export{Partner: w.tenant, Feed: usage.Rated, Month: "2026-10", Currency: "USD"}
	_, all := w.served("usage/unbilled", lastOne)
	w.sim.Fail("GET /billingblobs/{}/{}", sim.Fault{Kind: sim.TruncateBlob, After: len(all) - 1, Count: -1})
	w.must(w.db.Tx(t.Context(), func(tx *store.Tx) error {
		return w.jobs.Add(t.Context(), tx, billing.JobExport, raw.Key(e), e, time.Time{})
	}))
	w.work(time.Minute)
	f := w.fetch(raw.Key(e))
	if f.State != raw.Fetching || len(f.Files) != len(all) || len(all) < 2 {
		t.Fatalf("it is %s with %d files", f.State, len(f.Files))
	}
	var damaged []raw.FetchFile
	for _, x := range f.Files {
		if !x.Here() {
			damaged = append(damaged, x)
		}
	}
	if len(damaged) != 1 || damaged[0].Tries != 5 {
		t.Fatalf("damaged: %+v", damaged)
	}
	for _, want := range []string{damaged[0].Name, "line ", "unexpected EOF", "every hour"} {
		if !strings.Contains(f.Note, want) {
			t.Errorf("the note %q does not tell %q", f.Note, want)
		}
	}
	downloads := map[string]int{}
	for _, c := range w.sim.Calls("GET /billingblobs/{}/{}") {
		export, _, _ := strings.Cut(strings.TrimPrefix(c.Path, "/billingblobs/"), "/")
		downloads[export]++
	}
	for _, n := range downloads {
		if want := len(all) - 1 + 5; n != len(all) && n != want { // by the test itself, once each
			t.Errorf("%d downloads, want %d: five of the damaged file and one of each other", n, want)
		}
	}
	w.sim.ClearFaults()
	w.must(w.Ask(t.Context(), "2026-10"))
	w.work(time.Minute)
	w.same(w.one(raw.Filter{Feed: usage.Rated, Month: "2026-10"}), "usage/unbilled", lastOne)
}

func TestWhatIsNotOursIsRefused(t *testing.T) {
	for says, tc := range map[string]struct {
		cause func(*fetchers)
		want  string
	}{
		"another partner's export": {func(w *fetchers) { w.tenant = "11111111-2222-4333-8444-555555555555" }, "partnerTenantId"},
		"a closed month":           {func(w *fetchers) { w.closed = "2026-10" }, "is closed"},
		"another partner's record": {func(w *fetchers) {
			w.sim.Fail("GET /billingblobs/{}/{}", sim.Fault{Kind: sim.RenameMembers, Members: []string{"CustomerId=PartnerId"}, Count: -1})
		}, "field PartnerId"},
		"another currency": {func(w *fetchers) {
			w.sim.Fail("GET /billingblobs/{}/{}", sim.Fault{Kind: sim.RenameMembers, Members: []string{"CustomerCountry=BillingCurrency"}, Count: -1})
		}, "field BillingCurrency"},
	} {
		t.Run(says, func(t *testing.T) {
			w := newFetchers(t, storetest.SQLite(t))
			tc.cause(w)
			e := usage.Export{Partner: w.tenant, Feed: usage.Rated, Month: "2026-10", Currency: "USD"}
			w.must(w.db.Tx(t.Context(), func(tx *store.Tx) error {
				return w.jobs.Add(t.Context(), tx, billing.JobExport, raw.Key(e), e, time.Time{})
			}))
			w.work(time.Minute)
			f := w.fetch(raw.Key(e))
			if f.State != raw.Refused || !strings.Contains(f.Note, tc.want) {
				t.Errorf("it is %s: %s", f.State, f.Note)
			}
			if len(w.current(raw.Filter{})) != 0 || len(w.hooked) != 0 {
				t.Error("it was kept")
			}
			if left := files(t, w.folder); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func files(t *testing.T, folder string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(folder, func(name string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, name)
		}
		return nil // a folder that is not there has no files
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A worker that dies at any point, and is started again, ends with each snapshot once.
func TestKilledAnywhereWhileItFetches(t *testing.T) {
	for _, point := range billing.FetchPoints() {
		t.Run(point, func(t *testing.T) {
			w := newFetchers(t, storetest.SQLite(t))
			w.control("POST", "/_sim/billing/close", map[string]any{"month": "2026-10"}, nil)
			died := false
			var once sync.Mutex
			job.OnPoint(func(name string) {
				once.Lock()
				defer once.Unlock()
				if name == point && !died {
					died = true
					runtime.Goexit()
				}
			})
			defer job.OnPoint(nil)
			w.must(w.db.Tx(t.Context(), func(tx *store.Tx) error { return w.jobs.Wake(t.Context(), tx, billing.JobFetch, "") }))
			for !w.died(&once, &died) {
				ended := make(chan struct{})
				go func() { // dies at the point
					defer close(ended)
					if _, err := w.jobs.RunOnce(context.Background()); err != nil {
						t.Error(err)
					}
				}()
				<-ended
				if next, err := w.jobs.Next(t.Context()); err != nil || next.Sub(w.sim.Clock.Now()) > time.Minute {
					break
				}
			}
			if !died {
				t.Fatal("the point was not reached")
			}
			w.build()
			w.work(2 * time.Minute)
			w.look()
			w.same(w.one(raw.Filter{Invoice: "G000024135", Feed: usage.Rated}), "usage/billed", october)
			w.same(w.one(raw.Filter{Invoice: "G000024135", Feed: usage.Invoiced}), "reconciliation/billed", october)
			w.same(w.one(raw.Filter{Month: "2026-11", Feed: usage.Rated}), "usage/unbilled", november)
			kept := 0
			for _, s := range w.current(raw.Filter{}) {
				history, err := w.raw.History(t.Context(), s.Export)
				if err != nil || len(history) != 1 {
					t.Errorf("%d snapshots of %s (%v)", len(history), raw.Key(s.Export), err)
				}
				kept += len(s.Files)
			}
			if all := files(t, w.folder); len(all) != kept+1 && point != "fetch-statement" { // and the PDF
				t.Errorf("%d files lie there, %d are of snapshots: %v", len(all), kept, all)
			}
			var rated int
			w.must(w.db.Read().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM job WHERE kind = 'rate'").Scan(&rated))
			if rated != 4 {
				t.Errorf("the next job was put %d times, want once for each of 4 snapshots", rated)
			}
		})
	}
}

func (w *fetchers) died(mu *sync.Mutex, died *bool) bool {
	mu.Lock()
	defer mu.Unlock()
	return *died
}
