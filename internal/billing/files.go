package billing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder keeps issued documents by the hash of their content, in a folder of this
// machine.
type Folder string

// Put writes a file and waits until it is on the disk; the same again is no change.
func (f Folder) Put(_ context.Context, sha256 string, content []byte) error {
	name := f.name(sha256)
	if there, err := os.ReadFile(name); err == nil && len(there) == len(content) { // #nosec G304 -- a name of ours
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("keep a document: %w", err)
	}
	out, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return fmt.Errorf("keep a document: %w", err)
	}
	_, err = out.Write(content)
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = os.Rename(out.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep a document: %w", err), os.Remove(out.Name()))
	}
	return nil
}

// Get reads a file.
func (f Folder) Get(_ context.Context, sha256 string) ([]byte, error) {
	b, err := os.ReadFile(f.name(sha256)) // #nosec G304 -- a name of ours
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the file %s of a document is missing in %s", sha256, f)
	}
	return b, err
}

func (f Folder) name(sha256 string) string {
	return filepath.Join(string(f), sha256[:2], sha256)
}
