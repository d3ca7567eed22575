// Package audit is the record of who did what. An entry is written in the
// transaction of the deed; the entries of an organization form a chain of
// hashes without a gap, so that a changed or missing one shows. It does not
// decide who may do what (account).
package audit

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"causeway/internal/audit/sqlc"
	"causeway/internal/store"
)

// Entry is one deed. Detail goes out as JSON and never holds a secret.
type Entry struct {
	Org     string // organization id, "" for the partner's own affairs
	Seq     int64  // set by Write: 1, 2, 3 … within the organization
	At      time.Time
	Actor   string // "user:<id>", "token:<id>", "system"
	Action  string // e.g. "provider.create"
	Object  string // e.g. "provider:<id>"
	Detail  any
	Address string // the caller's network address, "" for the system
	Prev    string
	Hash    string // hex SHA-256 over all of the above
}

// Write appends e to its organization's chain, in the transaction of the deed.
func Write(ctx context.Context, tx *store.Tx, e Entry) error {
	if e.Detail == nil {
		e.Detail = struct{}{}
	}
	body, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	q := sqlc.New(tx)
	if err := q.MakeHead(ctx, e.Org); err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	head, err := q.LockHead(ctx, e.Org)
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	row := sqlc.AuditEntry{
		Org: e.Org, Seq: head.Seq + 1, At: store.Micros(e.At), Actor: e.Actor, Action: e.Action,
		Object: e.Object, Detail: string(body), Address: e.Address, Prev: head.Hash,
	}
	row.Hash = hash(row)
	err = q.AddEntry(ctx, sqlc.AddEntryParams(row))
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return q.MoveHead(ctx, sqlc.MoveHeadParams{Org: e.Org, Seq: row.Seq, Hash: row.Hash})
}

// hash covers every field; each is written with its length, so that no two
// entries give the same text.
func hash(r sqlc.AuditEntry) string {
	h := sha256.New()
	for _, s := range []string{r.Org, fmt.Sprint(r.Seq), fmt.Sprint(r.At), r.Actor, r.Action, r.Object, r.Detail, r.Address, r.Prev} {
		_, _ = fmt.Fprintf(h, "%d:%s", len(s), s) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Verify reads the whole chain of an organization and names the first entry
// that does not fit; 0 entries and no head is a good chain.
func Verify(ctx context.Context, db *store.DB, org string) (entries int64, err error) {
	q := sqlc.New(db.Read())
	var seq int64
	var prev string
	for {
		rows, err := q.Chain(ctx, sqlc.ChainParams{Org: org, After: seq, Batch: 1000})
		if err != nil {
			return seq, err
		}
		for _, r := range rows {
			if r.Seq != seq+1 || r.Prev != prev || r.Hash != hash(r) {
				return seq, fmt.Errorf("the audit chain of %q is broken at entry %d", org, seq+1)
			}
			seq, prev = r.Seq, r.Hash
		}
		if len(rows) < 1000 {
			break
		}
	}
	heads, err := q.Orgs(ctx)
	if err != nil {
		return seq, err
	}
	for _, h := range heads {
		if h.Org == org && (h.Seq != seq || h.Hash != prev) {
			return seq, fmt.Errorf("the audit chain of %q ends at entry %d, its head says %d", org, seq, h.Seq)
		}
	}
	return seq, nil
}

// Filter chooses entries to show; empty members do not filter.
type Filter struct {
	Org    *string
	Object string
	Before time.Time // exclusive; zero = from the newest on
	Limit  int
}

// List gives the newest entries first. Detail is json.RawMessage.
func List(ctx context.Context, db *store.DB, f Filter) ([]Entry, error) {
	p := sqlc.NewestParams{Before: math.MaxInt64, Batch: 50}
	if f.Org != nil {
		p.Org = sql.NullString{String: *f.Org, Valid: true}
	}
	if f.Object != "" {
		p.Object = sql.NullString{String: f.Object, Valid: true}
	}
	if !f.Before.IsZero() {
		p.Before = store.Micros(f.Before)
	}
	if f.Limit > 0 {
		p.Batch = int32(min(f.Limit, 1000)) // #nosec G115 -- at most 1000
	}
	rows, err := sqlc.New(db.Read()).Newest(ctx, p)
	if err != nil {
		return nil, err
	}
	list := make([]Entry, len(rows))
	for i, r := range rows {
		list[i] = Entry{
			Org: r.Org, Seq: r.Seq, At: store.Time(r.At), Actor: r.Actor, Action: r.Action, Object: r.Object,
			Detail: json.RawMessage(r.Detail), Address: r.Address, Prev: r.Prev, Hash: r.Hash,
		}
	}
	return list, nil
}

// User names a person as an actor.
func User(id string) string { return "user:" + id }

// System is the actor of what the platform does by itself.
const System = "system"

// IsUser tells the id of the person behind an actor.
func IsUser(actor string) (id string, ok bool) { return strings.CutPrefix(actor, "user:") }
