package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"causeway/internal/account"
	"causeway/internal/api/sqlc"
	"causeway/internal/audit"
	"causeway/internal/store"
)

// Headers of idempotency.
const (
	KeyHeader      = "Idempotency-Key"
	ReplayedHeader = "Idempotency-Replayed"
)

// keyLease is how long a run holds its key: longer than any answer takes
// (the server cuts at 60 s). After a crash, a repeated call goes on then.
const keyLease = 75 * time.Second

// secrets are members that are neither hashed nor kept: a fast hash of a
// password would let who reads the table guess it.
var secrets = map[string]bool{"password": true, "secret": true, "app_secret": true, "code": true, "new_password": true}

// run is one execution of a write that named a key.
type run struct {
	s         *Server
	principal string
	key       string
	id        string
	object    string // what an earlier run of it made already
}

// once lets a write that names a key take effect one time per person and key.
// See docs/decisions/idempotency-keys.md for what happens at a crash.
func (s *Server) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get(KeyHeader)
		a := actor(r.Context())
		if key == "" || r.Method == http.MethodGet || r.Method == http.MethodHead || a.User == "" {
			next.ServeHTTP(w, r)
			return
		}
		if !goodKey(key) {
			p := misused(http.StatusUnprocessableEntity, "The %s is not usable.", KeyHeader)
			p.Errors = []ErrorAt{{"header." + KeyHeader, "use 1 to 200 printable ASCII characters, for example a UUID"}}
			writeProblem(w, p)
			return
		}
		if err := s.runOnce(w, r, a, key, next); err != nil {
			writeProblem(w, fail(s.Log, requestID(r.Context()), err))
		}
	})
}

func goodKey(k string) bool {
	for _, c := range []byte(k) {
		if c < 0x21 || c > 0x7e {
			return false
		}
	}
	return len(k) <= 200
}

func (s *Server) runOnce(w http.ResponseWriter, r *http.Request, a account.Actor, key string, next http.Handler) error {
	ctx := r.Context()
	body, err := io.ReadAll(r.Body) // at most 1 MiB, see edge
	if err != nil {
		return err
	}
	run := &run{s: s, principal: audit.User(string(a.User)), key: key, id: store.NewID()}
	kept, err := run.claim(ctx, content(r, body))
	if err != nil {
		return err
	}
	if kept != nil {
		w.Header().Set(ReplayedHeader, "true")
		if len(kept.Body) > 0 {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(int(kept.Status))
		_, err := w.Write([]byte(kept.Body))
		return ignoreGone(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := &recorder{header: w.Header(), status: http.StatusOK}
	// The caller may hang up; what was begun is finished and its answer kept.
	run.finish(ctx, rec, func() {
		next.ServeHTTP(rec, r.WithContext(context.WithValue(context.WithoutCancel(ctx), ctxOnce, run)))
	})
	w.WriteHeader(rec.status)
	_, err = w.Write(rec.body.Bytes())
	return ignoreGone(err)
}

// ignoreGone: a caller that hung up gets no second answer.
func ignoreGone(error) error { return nil }

// content is the fingerprint of what was sent, secrets left out.
func content(r *http.Request, body []byte) string {
	h := sha256.New()
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if len(body) > 0 && d.Decode(&v) == nil {
		if b, err := json.Marshal(withoutSecrets(v)); err == nil { // members sorted: order means nothing
			body = b
		}
	}
	for _, part := range []string{r.Method, r.URL.Path, r.URL.Query().Encode(), string(body)} {
		_, _ = io.WriteString(h, part)
		_, _ = h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

func withoutSecrets(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if secrets[k] {
				v[k] = ""
				continue
			}
			v[k] = withoutSecrets(x)
		}
	case []any:
		for i := range v {
			v[i] = withoutSecrets(v[i])
		}
	}
	return v
}

// claim takes the key for this run, or gives the kept answer.
func (r *run) claim(ctx context.Context, hash string) (*sqlc.ApiKey, error) {
	now := r.s.Now()
	var kept *sqlc.ApiKey
	err := r.s.DB.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		n, err := q.AddKey(ctx, sqlc.AddKeyParams{
			Principal: r.principal, Key: r.key, Hash: hash, Run: r.id, LeasedUntil: store.Micros(now.Add(keyLease)), CreatedAt: store.Micros(now),
		})
		if err != nil || n == 1 {
			return err
		}
		row, err := q.GetKey(ctx, sqlc.GetKeyParams{Principal: r.principal, Key: r.key})
		if err != nil {
			return err
		}
		if row.Hash != hash {
			p := misused(http.StatusUnprocessableEntity, "This key was used for other content. Use a new key for a new write.")
			p.Errors = []ErrorAt{{"header." + KeyHeader, "this key was used for other content"}}
			p.Refusals = []RefusalView{{Field: KeyHeader, Code: "key-other-content", Reason: "This key was used for other content.", Remedy: "Use a new key for a new write."}}
			return p
		}
		if row.Status != 0 {
			kept = &row
			return nil
		}
		n, err = q.TakeKey(ctx, sqlc.TakeKeyParams{Principal: r.principal, Key: r.key, Run: r.id, LeasedUntil: store.Micros(now.Add(keyLease)), Now: store.Micros(now)})
		if err != nil {
			return err
		}
		if n == 0 {
			p := misused(http.StatusConflict, "The same write is running. Ask again with the same key in a moment: it then gives the answer.")
			p.Refusals = []RefusalView{{Field: KeyHeader, Code: "key-in-flight", Reason: "The same write is running.", Remedy: "Ask again with the same key in a moment."}}
			p.after = 1
			return p
		}
		r.object = row.Object
		return nil
	})
	return kept, err
}

// finish runs the write and keeps its answer. A refusal changed nothing, so the
// key is free again; so it is after a fault of ours, unless something was made:
// then the next run goes on with that.
func (r *run) finish(ctx context.Context, rec *recorder, serve func()) {
	ctx = context.WithoutCancel(ctx)
	ended := false
	defer func() {
		err := r.s.DB.Tx(ctx, func(tx *store.Tx) error {
			q := sqlc.New(tx)
			if ended && rec.status < 300 {
				_, err := q.KeepAnswer(ctx, sqlc.KeepAnswerParams{Principal: r.principal, Key: r.key, Run: r.id, Status: int64(rec.status), Body: rec.keep()})
				return err
			}
			n, err := q.DropKey(ctx, sqlc.DropKeyParams{Principal: r.principal, Key: r.key, Run: r.id})
			if err != nil || n == 1 {
				return err
			}
			_, err = q.FreeKey(ctx, sqlc.FreeKeyParams{Principal: r.principal, Key: r.key, Run: r.id})
			return err
		})
		if err != nil { // the lease ends by itself
			r.s.Log.Error("the answer of a write was not kept", "error", err)
		}
	}()
	serve()
	ended = true
}

// made notes in the key's row what this run has made so far ("" = it was taken
// back), so that a repeated call goes on with it instead of making another.
func made(ctx context.Context, object string) error {
	r, ok := ctx.Value(ctxOnce).(*run)
	if !ok {
		return nil
	}
	return r.s.DB.Tx(ctx, func(tx *store.Tx) error {
		n, err := sqlc.New(tx).NoteObject(ctx, sqlc.NoteObjectParams{Principal: r.principal, Key: r.key, Run: r.id, Object: object})
		if err == nil && n == 0 {
			err = errors.New("the key was taken over by another run")
		}
		return err
	})
}

// madeBefore is what an earlier run of this write made, "" if nothing.
func madeBefore(ctx context.Context) string {
	if r, ok := ctx.Value(ctxOnce).(*run); ok {
		return r.object
	}
	return ""
}

// recorder holds an answer back until it is kept.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(code int) {
	if !r.wrote {
		r.status, r.wrote = code, true
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.body.Write(b)
}

// keep is the body as it is stored, secrets left out: they are shown once.
func (r *recorder) keep() string {
	var v any
	d := json.NewDecoder(bytes.NewReader(r.body.Bytes()))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return r.body.String()
	}
	b, err := json.Marshal(withoutSecrets(v))
	if err != nil {
		return ""
	}
	return string(b)
}
