package guardrail

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/guardrail/sqlc"
	"causeway/internal/store"
)

//go:embed default.json
var builtIn []byte

// Default is the built-in catalogue.
func Default() Catalogue {
	var c Catalogue
	if err := json.Unmarshal(builtIn, &c); err != nil {
		return Catalogue{} // a test reads it; an empty list offers nothing
	}
	return c
}

// Book keeps the catalogue, version after version.
type Book struct {
	db  *store.DB
	now func() time.Time
}

// New makes the book on a database.
func New(db *store.DB, now func() time.Time) *Book { return &Book{db, now} }

// Catalogue is the newest version; the built-in one until staff save another.
func (b *Book) Catalogue(ctx context.Context) (Catalogue, error) {
	row, err := sqlc.New(b.db.Read()).Newest(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Default(), nil
	}
	if err != nil {
		return Catalogue{}, fmt.Errorf("read the list of services: %w", err)
	}
	return catalogue(row)
}

// Version is one version, e.g. the one that a subscription was guarded with;
// 0 is the built-in one.
func (b *Book) Version(ctx context.Context, version int64) (Catalogue, error) {
	if version == 0 {
		return Default(), nil
	}
	row, err := sqlc.New(b.db.Read()).OneVersion(ctx, version)
	if err != nil {
		return Catalogue{}, store.Found(err, "There is no version %d of the list of services.", version)
	}
	return catalogue(row)
}

func catalogue(row sqlc.GuardrailCatalogue) (Catalogue, error) {
	var c Catalogue
	if err := json.Unmarshal([]byte(row.Body), &c); err != nil {
		return c, fmt.Errorf("list of services, version %d: %w", row.Version, err)
	}
	c.Version, c.ChangedAt, c.Note = row.Version, store.Time(row.ChangedAt), row.Note
	return c, nil
}

// Set saves a new version on top of the one that was read, with a note that
// says why. Conflict: somebody else saved meanwhile. It changes nothing at
// Microsoft: new subscriptions get it at once, others when they are guarded again.
func (b *Book) Set(ctx context.Context, a account.Actor, version int64, c Catalogue, note string) (Catalogue, error) {
	if err := account.May(a, account.ActGuardrailChange, ""); err != nil {
		return Catalogue{}, err
	}
	if err := c.Check(); err != nil {
		return Catalogue{}, err
	}
	if note = strings.TrimSpace(note); note == "" || len(note) > 1000 || store.CheckText("note", note) != nil {
		return Catalogue{}, fault.Field("note", "A change of the list of services needs a reason of at most 1000 bytes.", "Say why it changes; customers may read it.")
	}
	now := b.now()
	c.Version, c.ChangedAt, c.Note = 0, time.Time{}, ""
	body, err := json.Marshal(c)
	if err != nil {
		return Catalogue{}, fmt.Errorf("list of services: %w", err)
	}
	stale := fault.New(fault.Conflict, "Somebody else changed the list of services meanwhile. Load the page again and repeat your change.")
	err = b.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		last, err := q.NewestVersion(ctx)
		if err != nil {
			return fmt.Errorf("read the list of services: %w", err)
		}
		if last != version {
			return stale
		}
		err = q.AddVersion(ctx, sqlc.AddVersionParams{Version: version + 1, Body: string(body), Note: note, ChangedAt: store.Micros(now), ChangedBy: a.ID()})
		if store.IsUnique(err) {
			return stale
		}
		if err != nil {
			return fmt.Errorf("save the list of services: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{
			At: now, Actor: a.ID(), Action: string(account.ActGuardrailChange), Object: fmt.Sprintf("guardrail:%d", version+1),
			Detail: map[string]any{"note": note, "unrestricted": c.Unrestricted, "policy": Compile(c).Hash}, Address: a.Address,
		})
	})
	if err != nil {
		return Catalogue{}, err
	}
	c.Version, c.ChangedAt, c.Note = version+1, now.UTC().Truncate(time.Microsecond), note
	return c, nil
}

// History gives the newest versions first.
func (b *Book) History(ctx context.Context, a account.Actor, limit int) ([]Catalogue, error) {
	if err := account.May(a, account.ActGuardrailView, a.Org); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(b.db.Read()).History(ctx, int32(min(max(limit, 1), 200))) // #nosec G115 -- at most 200
	if err != nil {
		return nil, fmt.Errorf("history of the list of services: %w", err)
	}
	list := make([]Catalogue, len(rows))
	for i, r := range rows {
		if list[i], err = catalogue(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}
