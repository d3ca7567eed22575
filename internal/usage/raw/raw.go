// Package raw keeps Microsoft's exports as received: the files in a folder, S3 or
// Azure Blob, and in the database which files make a snapshot, which snapshot is the
// newest of its export, and how far one is that is on its way. Files are hashed as
// they come, and never edited. It does not know how they are got (billing) or what
// is in them (the lake).
package raw

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"causeway/internal/fault"
	"causeway/internal/store"
	"causeway/internal/usage"
	"causeway/internal/usage/raw/sqlc"
)

// Store keeps files and snapshots. It is a usage.Blobs.
type Store struct {
	db    *store.DB
	now   func() time.Time
	files place
}

var _ usage.Blobs = (*Store)(nil)

// New opens the place of the files: a folder, file:///…, azblob://container or
// s3://bucket; the clouds' own variables name the account (see gocloud.dev/blob).
// A folder is made when it is first written to.
func New(ctx context.Context, db *store.DB, now func() time.Time, address string) (*Store, error) {
	files, err := open(ctx, address)
	if err != nil {
		return nil, err
	}
	return &Store{db: db, now: now, files: files}, nil
}

// Close gives the place of the files free.
func (s *Store) Close() error { return s.files.close() }

// Blob is a file as it was kept.
type Blob struct {
	Place  string
	Size   int64 // bytes
	SHA256 string
}

// Put keeps what fill writes: whole and on the disk, or not at all.
func (s *Store) Put(ctx context.Context, place string, fill func(io.Writer) error) (Blob, error) {
	m := &meter{hash: sha256.New()}
	err := s.files.put(ctx, place, func(w io.Writer) error {
		m.to = w
		return fill(m)
	})
	if err != nil {
		return Blob{}, err
	}
	return Blob{place, m.n, m.sum()}, nil
}

// Clean removes what lies below a folder and is not to be kept: what a process
// that was killed has left.
func (s *Store) Clean(ctx context.Context, folder string, keep func(place string) bool) error {
	all, err := s.files.list(ctx, folder)
	if err != nil {
		return err
	}
	for _, name := range all {
		if !keep(name) {
			err = errors.Join(err, s.files.remove(ctx, name))
		}
	}
	return err
}

// Open gives a file of a snapshot. What is read is compared with the hash of what
// came: a file that was changed since ends with *usage.Damaged instead of io.EOF.
func (s *Store) Open(ctx context.Context, snapshot string, f usage.File) (io.ReadCloser, error) {
	row, err := sqlc.New(s.db.Read()).GetFile(ctx, sqlc.GetFileParams{Snapshot: snapshot, Name: f.Name})
	if err != nil {
		return nil, store.Found(err, "The snapshot %s has no file %q.", snapshot, f.Name)
	}
	return s.read(ctx, f.Name, Blob{row.Place, row.Size, row.Sha256})
}

func (s *Store) read(ctx context.Context, name string, b Blob) (io.ReadCloser, error) {
	in, err := s.files.open(ctx, b.Place)
	if err != nil {
		return nil, fmt.Errorf("file %s of an export: %w", name, err)
	}
	return &checked{in: in, name: name, want: b, meter: meter{hash: sha256.New(), to: io.Discard}}, nil
}

// meter hashes and counts what goes through it.
type meter struct {
	to   io.Writer
	hash hash.Hash
	n    int64
}

func (m *meter) Write(b []byte) (int, error) {
	_, _ = m.hash.Write(b) // never fails
	m.n += int64(len(b))
	return m.to.Write(b)
}

func (m *meter) sum() string { return hex.EncodeToString(m.hash.Sum(nil)) }

// checked compares a file with its hash while it is read.
type checked struct {
	meter
	in   io.ReadCloser
	name string
	want Blob
}

func (c *checked) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	_, _ = c.Write(b[:n]) // to nowhere
	if errors.Is(err, io.EOF) && (c.n != c.want.Size || c.sum() != c.want.SHA256) {
		return n, &usage.Damaged{File: c.name, Reason: fmt.Sprintf("it is not what was received: %d bytes instead of %d, or other ones; restore it from a backup of %s", c.n, c.want.Size, c.want.Place)}
	}
	return n, err
}

func (c *checked) Close() error { return c.in.Close() }

// errNotThere is a file that should be where it was put.
func errNotThere(place string) error {
	return fault.New(fault.NotFound, "%s is not where it was kept; restore it from a backup", place)
}
