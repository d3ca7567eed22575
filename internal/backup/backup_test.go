package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"causeway/internal/backup"
	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
)

// fill puts in rows with everything that a value can be, many enough for several
// blocks, and one table that refers to another.
func fill(t *testing.T, db *store.DB) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *store.Tx) error {
		for i := range 2100 {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO job (id, kind, key, args, due_at, created_at, done_at) VALUES ($1, 'work', $1, $2, $3, -1, $4)",
				fmt.Sprintf("j%05d", i), "Größe \"x\"\n\t\\ 漢字 <&> \u2028 𠮷 "+strings.Repeat("y", i%7), int64(1)<<62+int64(i), map[bool]any{true: int64(i), false: nil}[i%2 == 0])
			if err != nil {
				return err
			}
		}
		for _, q := range []string{
			"INSERT INTO support_request (id, number, kind, org, alias, state, subject, payload, asked_by, asked_name, asked_email, asked_at, answer_by) VALUES ('r', 1, 'k', 'o', '', 'open', '', '{}', '', '', '', 0, 0)",
			"INSERT INTO support_entry (id, request_id, at, actor, name, staff, kind, body) VALUES ('e1', 'r', 0, '', '', TRUE, '', ''), ('e2', 'r', 0, '', '', FALSE, '', '')",
		} {
			if _, err := tx.ExecContext(t.Context(), q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dump is a database's whole content, in an order that both databases know.
func dump(t *testing.T, db *store.DB) string {
	t.Helper()
	var b strings.Builder
	for _, q := range []string{
		"SELECT id, kind, key, args, due_at, created_at, done_at FROM job ORDER BY id",
		"SELECT id, number, subject, payload FROM support_request ORDER BY id", "SELECT id, request_id, CASE WHEN staff THEN 'yes' ELSE 'no' END FROM support_entry ORDER BY id", "SELECT id FROM billing_tree",
	} {
		rows, err := db.Read().QueryContext(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, into := make([]any, len(names)), make([]any, len(names))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%#v\n", values)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// differs is the first line that does.
func differs(got, want string) string {
	w := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(w) || line != w[i] {
			return fmt.Sprintf("%s\nwant\n%s", line, w[min(i, len(w)-1)])
		}
	}
	return "it is shorter"
}

func write(t *testing.T, db *store.DB, keys map[string][]byte) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, s, err := backup.Write(t.Context(), &file, db, backup.Head{Program: "test"}, keys); err != nil || s.Bytes != int64(file.Len()) {
		t.Fatalf("%d bytes of %d: %v", s.Bytes, file.Len(), err)
	}
	return file.Bytes()
}

func load(t *testing.T, db *store.DB, file io.Reader) error {
	t.Helper()
	return db.Tx(t.Context(), func(tx *store.Tx) error {
		_, _, err := backup.Load(t.Context(), tx, db, file)
		return err
	})
}

func TestABackupOfEitherDatabaseFillsEither(t *testing.T) {
	storetest.Each(t, func(t *testing.T, from *store.DB) {
		fill(t, from)
		want := dump(t, from)
		file := write(t, from, nil)
		storetest.Each(t, func(t *testing.T, to *store.DB) {
			if err := load(t, to, bytes.NewReader(file)); err != nil {
				t.Fatal(err)
			}
			if got := dump(t, to); got != want {
				t.Errorf("the restored state is another one: %s", differs(got, want))
			}
			if err := load(t, to, bytes.NewReader(file)); !errors.Is(err, fault.Conflict) {
				t.Errorf("into a database that is in use: %v, want a refusal", err)
			}
		})
	})
}

// Somebody writes all the while; the backup shows one moment.
func TestABackupShowsOneMoment(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		fill(t, db)
		want := dump(t, db)
		file := &bytes.Buffer{}
		meddled := false
		_, _, err := backup.Write(t.Context(), writerFunc(func(b []byte) (int, error) {
			if !meddled {
				meddled = true
				if err := db.Tx(t.Context(), func(tx *store.Tx) error {
					_, err := tx.ExecContext(t.Context(), "UPDATE job SET args = 'later'")
					return err
				}); err != nil {
					return 0, err
				}
			}
			return file.Write(b)
		}), db, backup.Head{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		to := storetest.SQLite(t)
		if err := load(t, to, file); err != nil {
			t.Fatal(err)
		}
		if got := dump(t, to); got != want {
			t.Errorf("the backup shows what was written while it was taken: %s", differs(got, want))
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A file that is not what was written is refused wherever it is damaged, and
// nothing of it stays in the database.
func TestADamagedBackupIsRefusedWithItsPlace(t *testing.T) {
	from := storetest.SQLite(t)
	fill(t, from)
	file := write(t, from, map[string][]byte{"customer.key": []byte("secret")})
	to := storetest.SQLite(t)
	empty := dump(t, to)
	damage := map[string][]byte{
		"nothing at all":        {},
		"something else":        []byte("PK\x03\x04 nothing of ours"),
		"a later form":          append([]byte("causeway backup 9\n"), file[18:]...),
		"something behind it":   append(bytes.Clone(file), 'x'),
		"its first half, twice": append(bytes.Clone(file[:len(file)/2]), file[:len(file)/2]...),
	}
	for cut := 0; cut < len(file); cut += 1 + len(file)/60 {
		damage[fmt.Sprintf("cut at %d", cut)] = file[:cut]
		flipped := bytes.Clone(file)
		flipped[cut] ^= 0x10
		damage[fmt.Sprintf("one bit at %d", cut)] = flipped
	}
	for name, body := range damage {
		_, _, err := backup.Read(bytes.NewReader(body), backup.Contents{Rows: func(backup.Table, [][]any) error { return nil }})
		if err == nil {
			t.Errorf("%s: it was taken", name)
		} else if (strings.HasPrefix(name, "cut") || strings.HasPrefix(name, "one bit")) && !strings.Contains(err.Error(), "at byte") && !strings.Contains(err.Error(), "no backup of Causeway") && !strings.Contains(err.Error(), "form") {
			t.Errorf("%s: %v names no place", name, err)
		}
	}
	for _, body := range [][]byte{file[:len(file)-10], file[:len(file)/2]} {
		if err := load(t, to, bytes.NewReader(body)); err == nil {
			t.Error("a file that is cut off was taken")
		}
		if got := dump(t, to); got != empty {
			t.Fatal("something of it stayed")
		}
	}
}

func TestABlockThatIsMissingOrMovedShows(t *testing.T) {
	from := storetest.SQLite(t)
	fill(t, from)
	file := write(t, from, nil)
	lines := bytes.SplitAfter(file, []byte("{\"kind\":\"rows\"")) // each ends with the beginning of the next
	if len(lines) < 4 {
		t.Fatalf("only %d blocks", len(lines))
	}
	lines[1], lines[2] = lines[2], lines[1]
	if _, _, err := backup.Read(bytes.NewReader(bytes.Join(lines, nil)), backup.Contents{}); err == nil {
		t.Error("two blocks changed places, and it was taken")
	}
	lines = append(lines[:1], lines[2:]...)
	if _, _, err := backup.Read(bytes.NewReader(bytes.Join(lines, nil)), backup.Contents{}); err == nil {
		t.Error("a block is missing, and it was taken")
	}
}

// A restore that is broken off leaves nothing.
func TestARestoreIsAllOrNothing(t *testing.T) {
	from := storetest.SQLite(t)
	fill(t, from)
	file := write(t, from, nil)
	storetest.Each(t, func(t *testing.T, to *store.DB) {
		empty := dump(t, to)
		ctx, stop := context.WithCancel(t.Context())
		err := to.Tx(ctx, func(tx *store.Tx) error {
			_, _, err := backup.Load(ctx, tx, to, bytes.NewReader(file))
			stop()
			return err
		})
		if err == nil {
			t.Fatal("it was broken off before its end, and was kept")
		}
		if got := dump(t, to); got != empty {
			t.Error("something of it stayed")
		}
	})
}
