// Package partner holds what the partner decides: the words and colours that
// customers see (Brand), who may onboard and how (Rules), and who the partner
// is at Microsoft (Microsoft). It holds no secret: those are sealed in
// azure/token; and it judges nobody: that is eligibility.
package partner

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/partner/sqlc"
	"causeway/internal/store"
)

// The kinds of setting; each has its own versions.
const (
	kindBrand     = "brand"
	kindRules     = "rules"
	kindMicrosoft = "microsoft"
)

// Settings is what the partner decided, version after version. What was never
// set has its default, and so has a member that a newer program adds.
type Settings struct {
	db    *store.DB
	now   func() time.Time
	brand Brand // the default until the first version is saved

	mu    sync.Mutex
	cache map[string]cached
}

type cached struct {
	version int64
	body    string
}

// Option changes how Settings are made.
type Option func(*Settings)

// WithBrand starts with another brand than the neutral one, e.g. SeedBrand.
func WithBrand(b Brand) Option { return func(s *Settings) { s.brand = b } }

// New makes the settings of the partner whose database this is.
func New(db *store.DB, now func() time.Time, opts ...Option) *Settings {
	s := &Settings{db: db, now: now, brand: DefaultBrand(), cache: map[string]cached{}}
	for _, o := range opts {
		o(s)
	}
	return s
}

// Brand is the newest brand; Version 0 = the default, never saved.
func (s *Settings) Brand(ctx context.Context) (Brand, error) {
	return s.brandIn(ctx, s.db.Read())
}

// BrandTx is Brand inside a transaction, where a second connection must not be
// waited for.
func (s *Settings) BrandTx(ctx context.Context, tx *store.Tx) (Brand, error) {
	return s.brandIn(ctx, tx)
}

func (s *Settings) brandIn(ctx context.Context, db store.DBTX) (Brand, error) {
	return read(ctx, s, db, kindBrand, s.brand.clone, func(b *Brand, version int64) { b.Version = version })
}

// Rules are the newest rules of eligibility and onboarding.
func (s *Settings) Rules(ctx context.Context) (Rules, error) {
	return s.rulesIn(ctx, s.db.Read())
}

// RulesTx is Rules inside a transaction.
func (s *Settings) RulesTx(ctx context.Context, tx *store.Tx) (Rules, error) {
	return s.rulesIn(ctx, tx)
}

func (s *Settings) rulesIn(ctx context.Context, db store.DBTX) (Rules, error) {
	return read(ctx, s, db, kindRules, DefaultRules, func(r *Rules, version int64) { r.Version = version })
}

// Microsoft is who the partner is at Microsoft.
func (s *Settings) Microsoft(ctx context.Context) (Microsoft, error) {
	return read(ctx, s, s.db.Read(), kindMicrosoft, DefaultMicrosoft, func(m *Microsoft, version int64) { m.Version = version })
}

// SetBrand saves a new version on top of the one that was read. Conflict: some
// other person saved meanwhile.
func (s *Settings) SetBrand(ctx context.Context, a account.Actor, version int64, b Brand) error {
	b.Version = 0
	if err := b.Check(); err != nil {
		return err
	}
	return s.save(ctx, a, kindBrand, version, b)
}

// SetRules saves a new version on top of the one that was read.
func (s *Settings) SetRules(ctx context.Context, a account.Actor, version int64, r Rules) error {
	r.Version = 0
	if err := r.Check(); err != nil {
		return err
	}
	return s.save(ctx, a, kindRules, version, r)
}

// SetMicrosoft saves a new version on top of the one that was read.
func (s *Settings) SetMicrosoft(ctx context.Context, a account.Actor, version int64, m Microsoft) error {
	m.Version = 0
	if err := m.Check(); err != nil {
		return err
	}
	return s.save(ctx, a, kindMicrosoft, version, m)
}

// read gives the newest value of a kind. The version is asked for at each call
// (one look into a small index), so another replica's change is seen at once.
// The text is kept per version and decoded for each caller, so that none can
// change what the others see.
func read[T any](ctx context.Context, s *Settings, db store.DBTX, kind string, fallback func() T, mark func(*T, int64)) (T, error) {
	var none T
	q := sqlc.New(db)
	version, err := q.NewestVersion(ctx, kind)
	if err != nil {
		return none, fmt.Errorf("read %s settings: %w", kind, err)
	}
	if version == 0 {
		return fallback(), nil
	}
	s.mu.Lock()
	c, ok := s.cache[kind]
	s.mu.Unlock()
	if ok && c.version == version {
		return decode(kind, c.body, c.version, fallback, mark)
	}
	row, err := q.Newest(ctx, kind)
	if err != nil {
		return none, fmt.Errorf("read %s settings: %w", kind, err)
	}
	if _, open := db.(*store.Tx); !open { // what a transaction sees may yet be rolled back
		s.mu.Lock()
		s.cache[kind] = cached{row.Version, row.Body}
		s.mu.Unlock()
	}
	return decode(kind, row.Body, row.Version, fallback, mark)
}

// decode reads the JSON over the defaults, so that what it leaves out keeps
// its default.
func decode[T any](kind, body string, version int64, fallback func() T, mark func(*T, int64)) (T, error) {
	v := fallback()
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return v, fmt.Errorf("%s settings, version %d: %w", kind, version, err)
	}
	mark(&v, version)
	return v, nil
}

func (s *Settings) save(ctx context.Context, a account.Actor, kind string, version int64, v any) error {
	if err := account.May(a, account.ActSettingsChange, ""); err != nil {
		return err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s settings: %w", kind, err)
	}
	stale := fault.New(fault.Conflict, "Somebody else changed these settings meanwhile. Load the page again and repeat your change.")
	now := s.now()
	err = s.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		last, err := q.Newest(ctx, kind)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read %s settings: %w", kind, err)
		}
		if last.Version != version {
			return stale
		}
		if last.Body == string(body) {
			return nil // saved without a change: no new version
		}
		err = q.AddVersion(ctx, sqlc.AddVersionParams{
			Kind: kind, Version: version + 1, Body: string(body), ChangedAt: store.Micros(now), ChangedBy: a.ID(),
		})
		if store.IsUnique(err) {
			return stale
		}
		if err != nil {
			return fmt.Errorf("save %s settings: %w", kind, err)
		}
		return audit.Write(ctx, tx, audit.Entry{
			At: now, Actor: a.ID(), Action: "partner." + kind, Object: fmt.Sprintf("setting:%s:%d", kind, version+1),
			Detail: map[string]any{"was": json.RawMessage(orEmpty(last.Body)), "is": json.RawMessage(body)}, Address: a.Address,
		})
	})
	return err
}

func orEmpty(body string) string {
	if body == "" {
		return "{}"
	}
	return body
}

// Change is one saved version, for the page that shows who changed what.
type Change struct {
	Version int64
	At      time.Time
	By      string // audit actor
	Body    json.RawMessage
}

// History gives the newest versions of a kind ("brand", "rules", "microsoft") first.
func (s *Settings) History(ctx context.Context, a account.Actor, kind string, limit int) ([]Change, error) {
	if err := account.May(a, account.ActSettingsView, ""); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(s.db.Read()).History(ctx, sqlc.HistoryParams{Kind: kind, Batch: int32(min(max(limit, 1), 200))}) // #nosec G115 -- at most 200
	if err != nil {
		return nil, fmt.Errorf("history of %s settings: %w", kind, err)
	}
	list := make([]Change, len(rows))
	for i, r := range rows {
		list[i] = Change{Version: r.Version, At: store.Time(r.ChangedAt), By: r.ChangedBy, Body: json.RawMessage(r.Body)}
	}
	return list, nil
}
