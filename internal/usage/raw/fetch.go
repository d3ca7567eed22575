package raw

import (
	"context"
	"fmt"
	"time"

	"causeway/internal/store"
	"causeway/internal/usage"
	"causeway/internal/usage/raw/sqlc"
)

// State says how the fetch of an export stands, or how it last ended.
type State string

// The states.
const (
	Fetching  State = "fetching"
	Kept      State = "kept"
	Unchanged State = "unchanged" // Microsoft has what is here already
	None      State = "none"      // Microsoft has no data
	Refused   State = "refused"   // it is not ours to keep: the note says why
)

// Fetch is an export on its way, or how that last ended.
type Fetch struct {
	Key string `json:"key"`
	usage.Export
	State     State       `json:"state"`
	Snapshot  string      `json:"snapshot,omitempty"`  // that it makes, or made
	Operation string      `json:"operation,omitempty"` // Microsoft's
	ETag      string      `json:"etag,omitempty"`      // of the files
	Restarts  int         `json:"restarts,omitempty"`  // how often it was asked for anew
	Note      string      `json:"note,omitempty"`      // what it waits for, or why it was refused
	Exchange  string      `json:"exchange,omitempty"`  // JSON: the last call that did not work
	StartedAt time.Time   `json:"started_at"`
	EndedAt   time.Time   `json:"ended_at,omitzero"` // of the last time that it came to an end
	Files     []FetchFile `json:"files,omitempty"`
}

// FetchFile is a file that the manifest names.
type FetchFile struct {
	Seq    int    `json:"seq"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	Place  string `json:"place,omitempty"`
	Tries  int    `json:"tries,omitempty"` // that failed
	Note   string `json:"note,omitempty"`  // why, and where
}

// Here tells whether the file was received.
func (f FetchFile) Here() bool { return f.SHA256 != "" }

// Key names an export without doubt, for its row and its job.
func Key(e usage.Export) string {
	of := e.Invoice
	if of == "" {
		of = string(e.Month)
	}
	return string(e.Feed) + "/" + of + "/" + string(e.Currency)
}

// Folder is where the files of the snapshot lie that the fetch makes.
func (f Fetch) Folder() string {
	kind := f.Invoice
	if kind == "" {
		kind = "unbilled"
	}
	return fmt.Sprintf("%s/%s-%s-%s/%s", f.Month, f.Feed, kind, f.Currency, f.Snapshot)
}

// Begin gives the fetch of an export: the one on its way, or a new one.
func (s *Store) Begin(ctx context.Context, tx *store.Tx, e usage.Export) (Fetch, error) {
	q := sqlc.New(tx)
	err := q.AddFetch(ctx, sqlc.AddFetchParams{
		Key: Key(e), Partner: e.Partner, Feed: string(e.Feed), Invoice: e.Invoice, Month: string(e.Month), Currency: string(e.Currency),
		State: string(Fetching), Snapshot: store.NewID(), StartedAt: store.Micros(s.now()),
	})
	if err != nil {
		return Fetch{}, fmt.Errorf("begin to fetch %s: %w", Key(e), err)
	}
	f, err := s.fetch(ctx, q, Key(e))
	if err != nil || f.State == Fetching && f.Partner == e.Partner {
		return f, err
	}
	f = Fetch{Key: f.Key, Export: e, State: Fetching, Snapshot: store.NewID(), StartedAt: s.now(), EndedAt: f.EndedAt}
	if err := q.ForgetFetchFiles(ctx, f.Key); err != nil {
		return f, err
	}
	return f, s.Save(ctx, tx, f)
}

// Fetch tells how the fetch of an export stands.
func (s *Store) Fetch(ctx context.Context, key string) (Fetch, error) {
	f, err := s.fetch(ctx, sqlc.New(s.db.Read()), key)
	return f, store.Found(err, "The export %q was never asked for.", key)
}

// Fetches lists them, of a month or, with "", of all.
func (s *Store) Fetches(ctx context.Context, m usage.Month) ([]Fetch, error) {
	q := sqlc.New(s.db.Read())
	rows, err := q.FetchesOf(ctx, some(string(m)))
	if err != nil {
		return nil, err
	}
	all := []Fetch{}
	for _, row := range rows {
		f, err := withFetchFiles(ctx, q, row)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

func (s *Store) fetch(ctx context.Context, q *sqlc.Queries, key string) (Fetch, error) {
	row, err := q.GetFetch(ctx, key)
	if err != nil {
		return Fetch{}, err
	}
	return withFetchFiles(ctx, q, row)
}

func withFetchFiles(ctx context.Context, q *sqlc.Queries, r sqlc.UsageFetch) (Fetch, error) {
	f := Fetch{
		Key: r.Key, Export: export(r.Partner, r.Feed, r.Invoice, r.Month, r.Currency), State: State(r.State), Snapshot: r.Snapshot, Operation: r.Operation,
		ETag: r.Etag, Restarts: int(r.Restarts), Note: r.Note, Exchange: r.Exchange, StartedAt: store.Time(r.StartedAt), EndedAt: store.Time(r.EndedAt),
	}
	files, err := q.FetchFiles(ctx, r.Key)
	for _, x := range files {
		f.Files = append(f.Files, FetchFile{Seq: int(x.Seq), Name: x.Name, Size: x.Size, SHA256: x.Sha256, Place: x.Place, Tries: int(x.Tries), Note: x.Note})
	}
	return f, err
}

// Save writes how the fetch stands; not its files.
func (s *Store) Save(ctx context.Context, tx *store.Tx, f Fetch) error {
	return sqlc.New(tx).SaveFetch(ctx, sqlc.SaveFetchParams{
		Key: f.Key, Partner: f.Partner, State: string(f.State), Snapshot: f.Snapshot, Operation: f.Operation, Etag: f.ETag, Restarts: int64(f.Restarts), Note: f.Note, Exchange: f.Exchange,
		StartedAt: store.Micros(f.StartedAt), EndedAt: store.Micros(f.EndedAt),
	})
}

// Plan writes which files are to come, instead of those of an earlier manifest.
func (s *Store) Plan(ctx context.Context, tx *store.Tx, f Fetch) error {
	q := sqlc.New(tx)
	if err := q.ForgetFetchFiles(ctx, f.Key); err != nil {
		return err
	}
	for _, x := range f.Files {
		if err := q.AddFetchFile(ctx, sqlc.AddFetchFileParams{Key: f.Key, Seq: int64(x.Seq), Name: x.Name}); err != nil {
			return fmt.Errorf("plan to fetch %s: %w", x.Name, err)
		}
	}
	return s.Save(ctx, tx, f)
}

// SaveFile writes how one file stands.
func (s *Store) SaveFile(ctx context.Context, tx *store.Tx, key string, x FetchFile) error {
	return sqlc.New(tx).SaveFetchFile(ctx, sqlc.SaveFetchFileParams{
		Key: key, Seq: int64(x.Seq), Size: x.Size, Sha256: x.SHA256, Place: x.Place, Tries: int64(x.Tries), Note: x.Note,
	})
}

// End closes a fetch: its files are a snapshot's now, or nobody's.
func (s *Store) End(ctx context.Context, tx *store.Tx, f Fetch, state State, note string) error {
	f.State, f.Note, f.Operation, f.Restarts, f.EndedAt = state, note, "", 0, s.now()
	if state != Kept {
		f.Snapshot = ""
	}
	if state != Refused {
		f.Exchange = ""
	}
	if err := sqlc.New(tx).ForgetFetchFiles(ctx, f.Key); err != nil {
		return err
	}
	return s.Save(ctx, tx, f)
}
