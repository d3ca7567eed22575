package raw

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/store/storetest"
	"causeway/internal/usage"
)

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func give(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

func (s *Store) lying(t *testing.T) []string {
	t.Helper()
	all, err := s.files.list(t.Context(), "a/b")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOnlyAFileThatIsReadableToItsEndIsKept(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		whole := packed(t, "{\"a\":1}\n"+strings.Repeat("{\"b\":2}\n", 9)+"{\"c\":3}")
		got, err := s.Receive(t.Context(), "x.gz", "a/b/0.gz", give(whole))
		if err != nil || got.Lines != 11 || string(got.First) != "{\"a\":1}\n" || got.Size != int64(len(whole)) || got.SHA256 == "" {
			t.Fatalf("%+v (%v)", got, err)
		}
		flipped := bytes.Clone(whole)
		flipped[len(flipped)-6] ^= 1 // of the checksum
		lost := errors.New("lost")
		for says, tc := range map[string]struct {
			fill    func(io.Writer) error
			damaged bool
		}{
			"truncated":        {give(whole[:len(whole)/2]), true},
			"without its end":  {give(whole[:len(whole)-1]), true},
			"another checksum": {give(flipped), true},
			"more behind":      {give(append(bytes.Clone(whole), "more"...)), true},
			"empty":            {give(nil), true},
			"no gzip":          {give([]byte("{\"a\":1}\n")), true},
			"broken off":       {func(w io.Writer) error { return errors.Join(give(whole[:5])(w), lost) }, false},
		} {
			_, err := s.Receive(t.Context(), "x.gz", "a/b/1.gz", tc.fill)
			var d *usage.Damaged
			if errors.As(err, &d) != tc.damaged || !tc.damaged && !errors.Is(err, lost) || tc.damaged && (d.File != "x.gz" || d.Line < 1) {
				t.Errorf("%s: %v", says, err)
			}
			if all := s.lying(t); len(all) != 1 {
				t.Errorf("%s: there lie %v", says, all)
			}
		}
	})
}

func TestCleanRemovesWhatIsNotKept(t *testing.T) {
	everywhere(t, func(t *testing.T, s *Store) {
		for _, name := range []string{"a/b/0", "a/b/1"} {
			if _, err := s.Put(t.Context(), name, give([]byte("x"))); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Clean(t.Context(), "a/b", func(p string) bool { return p == "a/b/1" }); err != nil {
			t.Fatal(err)
		}
		if all := s.lying(t); len(all) != 1 || all[0] != "a/b/1" {
			t.Errorf("there lie %v", all)
		}
		if err := s.Clean(t.Context(), "never", nil); err != nil {
			t.Errorf("a folder that is not there: %v", err)
		}
		if _, err := s.files.open(t.Context(), "a/b/0"); !errors.Is(err, fault.NotFound) {
			t.Errorf("a removed file: %v", err)
		}
	})
}

// A file that somebody changed since it came is not given as if it were Microsoft's.
func TestAChangedFileIsFoundWhileItIsRead(t *testing.T) {
	db := storetest.SQLite(t)
	dir := filepath.Join(t.TempDir(), "exports")
	s, err := New(t.Context(), db, time.Now, "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	read := func(snapshot usage.Snapshot) error {
		r, err := s.Open(t.Context(), snapshot.ID, snapshot.Files[0])
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		return errors.Join(err, r.Close())
	}
	kept := keepOne(t, db, s, packed(t, "{}\n"))
	if err := read(kept); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a", "b", "0.gz")
	b, err := os.ReadFile(file) // #nosec G304 -- of this test
	if err != nil {
		t.Fatal(err)
	}
	b[9] ^= 1
	var d *usage.Damaged
	if err := errors.Join(os.WriteFile(file, b, 0o600), read(kept)); !errors.As(err, &d) || d.File != "x.gz" {
		t.Errorf("another byte: %v", err)
	}
	if err := errors.Join(os.WriteFile(file, b[:9], 0o600), read(kept)); !errors.As(err, &d) {
		t.Errorf("a shorter one: %v", err)
	}
	if err := errors.Join(os.Remove(file), read(kept)); !errors.Is(err, fault.NotFound) {
		t.Errorf("none: %v", err)
	}
}

func keepOne(t *testing.T, db *store.DB, s *Store, content []byte) usage.Snapshot {
	t.Helper()
	got, err := s.Receive(t.Context(), "x.gz", "a/b/0.gz", give(content))
	if err != nil {
		t.Fatal(err)
	}
	var kept usage.Snapshot
	err = db.Tx(t.Context(), func(tx *store.Tx) error {
		f, err := s.Begin(t.Context(), tx, usage.Export{Partner: "p", Feed: usage.Rated, Month: "2026-10", Currency: "EUR"})
		if err != nil {
			return err
		}
		f.Files = []FetchFile{{Name: "x.gz", Size: got.Size, SHA256: got.SHA256, Place: got.Place}}
		kept, err = s.Keep(t.Context(), tx, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestAnAddressThatCannotWorkIsRefused(t *testing.T) {
	for _, address := range []string{"", "ftp://x", "file://host/x", "azblob://", "s3://?region=x", "postgres://user:hunter2@x/y"} {
		s, err := New(context.Background(), nil, time.Now, address)
		if !errors.Is(err, fault.Invalid) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, %v", address, s, err)
		}
	}
	s := folder(t.TempDir())
	if err := s.put(t.Context(), "../x", give(nil)); err == nil {
		t.Error("a name outside the folder is taken")
	}
}
