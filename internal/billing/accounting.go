package billing

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"causeway/internal/account"
	"causeway/internal/billing/sqlc"
	"causeway/internal/fault"
	"causeway/internal/ledger"
	"causeway/internal/store"
	"causeway/internal/usage"
)

// What begins the id of an event; the rest is the id of the document, or the key of the
// entry.
const (
	eventDocument = "document:"
	eventEntry    = "entry:"
)

// event is what accounting gets: a line of a file, or the body of a call. The id is
// the same for ever, and so is the rest: neither a document nor an entry changes.
type event struct {
	ID       string          `json:"id"`
	Type     string          `json:"type"`               // invoice, settlement, credit-note, entry
	Document json.RawMessage `json:"document,omitempty"` // as it was issued
	Entry    *ledger.Entry   `json:"entry,omitempty"`
}

// WriteDocuments writes the documents that were issued in a month (UTC), credit notes
// among them, as JSON lines by seller and number.
func (c *Cycle) WriteDocuments(ctx context.Context, a account.Actor, m usage.Month, w io.Writer) error {
	if err := mayExport(a, m); err != nil {
		return err
	}
	const batch = 200
	p := sqlc.IssuedBetweenParams{First: store.Micros(m.First().Time()), Until: store.Micros(m.Add(1).First().Time()), Batch: batch}
	for {
		rows, err := sqlc.New(c.db.Read()).IssuedBetween(ctx, p)
		if err != nil {
			return fmt.Errorf("documents issued in %s: %w", m, err)
		}
		for _, r := range rows {
			if err := writeEvent(w, event{ID: eventDocument + r.ID, Type: r.Kind, Document: json.RawMessage(r.Body)}); err != nil {
				return err
			}
			p.AfterEntity, p.AfterSeq = r.Entity, r.Seq
		}
		if len(rows) < batch {
			return nil
		}
	}
}

// WriteJournal writes the ledger entries of a month as JSON lines by key.
func (c *Cycle) WriteJournal(ctx context.Context, a account.Actor, m usage.Month, w io.Writer) error {
	if err := mayExport(a, m); err != nil {
		return err
	}
	return c.journal.EachOf(ctx, m, func(e ledger.Entry) error {
		return writeEvent(w, event{ID: eventEntry + e.Key, Type: "entry", Entry: &e})
	})
}

// ExportAccounting writes documents-2026-11.jsonl and journal-2026-11.jsonl into a folder,
// whole or not at all, and gives their names. Nothing is added to those of a month that is
// closed: the same bytes come again.
func (c *Cycle) ExportAccounting(ctx context.Context, a account.Actor, m usage.Month, dir string) ([]string, error) {
	if err := mayExport(a, m); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("export to accounting: %w", err)
	}
	var names []string
	for _, x := range []struct {
		name  string
		write func(context.Context, account.Actor, usage.Month, io.Writer) error
	}{{"documents", c.WriteDocuments}, {"journal", c.WriteJournal}} {
		name := filepath.Join(dir, x.name+"-"+string(m)+".jsonl")
		if err := writeWhole(name, func(w io.Writer) error { return x.write(ctx, a, m, w) }); err != nil {
			return names, fmt.Errorf("export to accounting: %w", err)
		}
		names = append(names, name)
	}
	return names, nil
}

func mayExport(a account.Actor, m usage.Month) error {
	if err := account.May(a, account.ActBillingView, ""); err != nil {
		return err
	}
	return m.Check()
}

func writeWhole(name string, write func(io.Writer) error) error {
	out, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	err = write(w)
	if err = errors.Join(err, w.Flush(), out.Sync(), out.Close()); err == nil {
		err = os.Rename(out.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return nil
}

func writeEvent(w io.Writer, e event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("event %s: %w", e.ID, err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// eventOf is an event as its line in the file has it, without the line's end.
func (c *Cycle) eventOf(ctx context.Context, id string) ([]byte, error) {
	if key, ok := strings.CutPrefix(id, eventEntry); ok {
		e, err := c.journal.Entry(ctx, key)
		if err != nil {
			return nil, err
		}
		return json.Marshal(event{ID: id, Type: "entry", Entry: &e})
	}
	doc, ok := strings.CutPrefix(id, eventDocument)
	if !ok {
		return nil, fault.New(fault.NotFound, "there is no event %s", id)
	}
	row, err := sqlc.New(c.db.Read()).DocumentBody(ctx, doc)
	if err != nil {
		return nil, store.Found(err, "there is no issued document %s", doc)
	}
	return json.Marshal(event{ID: id, Type: row.Kind, Document: json.RawMessage(row.Body)})
}
