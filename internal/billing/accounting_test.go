package billing_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"causeway/internal/account"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/sim"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"
)

const hookSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" // of 32 bytes, for the test

// ledgerOf is the partner's accounting on the other side of the wire: it keeps what it
// gets once by its id, as the receiver of a webhook should.
type ledgerOf struct {
	mu      sync.Mutex
	wrong   []string // signature, content type
	effects map[string]string
	answer  func(id string) int // status; 0 = hang up after the effect
}

func (l *ledgerOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	m := hmac.New(sha256.New, []byte("01234567890123456789012345678901"))
	m.Write([]byte(id + "." + at + "." + string(body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)); err != nil || r.Header.Get("webhook-signature") != want || r.Header.Get("Content-Type") != "application/json" || at == "" {
		l.wrong = append(l.wrong, id)
	}
	status := l.answer(id)
	if status == 0 || status < 300 {
		if was, ok := l.effects[id]; ok && was != string(body) {
			l.wrong = append(l.wrong, id+" came with other content")
		}
		l.effects[id] = string(body)
	}
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
}

// What is issued and posted is in the files of its month, the same bytes each time, and
// reaches accounting once: although it does not answer at first, loses an answer, and
// refuses one event for a while.
func TestAccountingIsToldOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b, ctx := newBooks(t, db, "2026-11-08"), t.Context()
		l := &ledgerOf{effects: map[string]string{}}
		down, lost, refused := true, false, 0
		l.answer = func(id string) int {
			switch {
			case down:
				return http.StatusInternalServerError
			case strings.HasPrefix(id, "entry:microsoft:") && refused < 2:
				refused++
				return http.StatusUnprocessableEntity
			case !lost:
				lost = true
				return 0
			}
			return http.StatusOK
		}
		listener := httptest.NewServer(l)
		t.Cleanup(listener.Close)
		b.must(b.SetAccountingHook(ctx, finance, listener.URL+"/books?key=hidden", hookSecret))
		b.generate(sim.BillOptions{Month: "2026-10", Seed: 5, Customers: 2, Records: 90, Features: []sim.Feature{sim.FeatureTax}})
		b.connect("2026-01-01")
		b.close("2026-10")
		b.look()
		docs := b.issue("2026-10")
		_, err := b.TakeBack(ctx, finance, docs[0].ID, "Wrong address")
		b.must(err)
		b.work()
		open, err := b.AccountingOpen(ctx, finance)
		b.must(err)
		if len(open) == 0 || !slices.ContainsFunc(open, func(d billing.AccountingDelivery) bool {
			return d.Attempts > 0 && strings.Contains(d.Answer, "answered 500")
		}) {
			t.Errorf("nothing waits, or not for its reason: %+v", open)
		}
		l.mu.Lock()
		down = false
		l.mu.Unlock()
		for range 3 { // hours, of which each has its tries
			b.sim.Advance(time.Hour)
			b.work()
		}
		b.issue("2026-10") // the month again
		b.work()

		dir := filepath.Join(t.TempDir(), "books")
		first := b.files("2026-11", dir)
		if again := b.files("2026-11", dir); again != first || first == "" {
			t.Error("the files have other bytes the second time")
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		lines := strings.Split(strings.TrimSuffix(first, "\n"), "\n")
		kinds := map[string]int{}
		for _, line := range lines {
			var e struct {
				ID, Type string
				Document struct{ Number, Status string }
			}
			b.must(json.Unmarshal([]byte(line), &e))
			kinds[e.Type]++
			if l.effects[e.ID] != line {
				t.Errorf("accounting has of %s:\n%s\nthe file:\n%s", e.ID, l.effects[e.ID], line)
			}
			if e.Type != "entry" && (e.Document.Number == "" || e.Document.Status != "issued") {
				t.Errorf("%s is not as it was issued: %+v", e.ID, e.Document)
			}
		}
		if len(l.effects) != len(lines) || kinds["invoice"] != 3 || kinds["credit-note"] != 1 || kinds["entry"] != 5 {
			t.Errorf("%d effects, %d lines: %v", len(l.effects), len(lines), kinds)
		}
		if len(l.wrong) > 0 || refused != 2 || !lost {
			t.Errorf("wrong calls %q, %d refused, one lost: %t", l.wrong, refused, lost)
		}
		if open, err := b.AccountingOpen(ctx, finance); err != nil || len(open) > 0 {
			t.Errorf("still open: %+v (%v)", open, err)
		}
	})
}

// files are both files of a month, one after the other.
func (b *books) files(m usage.Month, dir string) string {
	b.t.Helper()
	names, err := b.ExportAccounting(b.t.Context(), finance, m, dir)
	b.must(err)
	if len(names) != 2 || filepath.Base(names[0]) != "documents-2026-11.jsonl" || filepath.Base(names[1]) != "journal-2026-11.jsonl" {
		b.t.Fatalf("%q", names)
	}
	var all bytes.Buffer
	for _, name := range names {
		body, err := os.ReadFile(name)
		b.must(err)
		all.Write(body)
	}
	return all.String()
}

func TestAWebhookIsRefusedThatIsNotSafe(t *testing.T) {
	b, ctx := newBooks(t, storetest.SQLite(t), "2026-11-08"), t.Context()
	for _, x := range []struct {
		who         account.Actor
		url, secret string
		want        fault.Kind
	}{
		{account.Actor{User: "2", Role: account.RoleReader}, "https://books.example/", hookSecret, fault.Forbidden},
		{finance, "http://books.example/", hookSecret, fault.Invalid},
		{finance, "https://user:name@books.example/", hookSecret, fault.Invalid},
		{finance, "file:///etc/passwd", hookSecret, fault.Invalid},
		{finance, "https://books.example/", "short", fault.Invalid},
		{finance, "https://books.example/", "whsec_%%%", fault.Invalid},
		{finance, "https://books.example/", "", fault.Invalid},
		{finance, "https://books.example/?key=hidden", hookSecret, ""},
		{finance, "https://books.example/other?key=hidden", "", ""}, // with the secret that is there
	} {
		if err := b.SetAccountingHook(ctx, x.who, x.url, x.secret); fault.KindOf(err) != x.want || err == nil != (x.want == "") {
			t.Errorf("%s: %v, want %q", x.url, err, x.want)
		}
	}
	if url, err := b.AccountingHook(ctx, finance); err != nil || url != "https://books.example/other?key=hidden" {
		t.Errorf("%s (%v)", url, err)
	}
	var kept string
	b.must(b.db.Read().QueryRowContext(ctx, `SELECT secret FROM accounting_hook`).Scan(&kept))
	var told int
	b.must(b.db.Read().QueryRowContext(ctx, `SELECT COUNT(*) FROM audit_entry WHERE detail LIKE '%whsec%' OR detail LIKE '%hidden%'`).Scan(&told))
	if strings.Contains(kept, "whsec") || told > 0 {
		t.Errorf("the secret can be read: %q, %d in the audit", kept, told)
	}
	if _, err := b.ExportAccounting(ctx, account.Actor{User: "3", Role: account.RoleMember, Org: "x"}, "2026-10", t.TempDir()); !errors.Is(err, fault.Forbidden) {
		t.Errorf("a customer exports: %v", err)
	}
}
