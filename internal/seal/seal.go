// Package seal keeps secrets unreadable at rest: AES-256-GCM with a key that is
// not in the database, and with what a secret belongs to bound into it, so that
// a sealed value copied to another row does not open. It does not know what
// the secrets are.
package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Ring opens and seals. There are two in a full process: partner (tokens and
// the app's secret; workers only) and customer (what the portal may show).
type Ring struct{ aead tink.AEAD }

// New makes a ring with a fresh key that is nowhere else, for tests.
func New() (*Ring, error) {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("new key: %w", err)
	}
	return ring(h)
}

func ring(h *keyset.Handle) (*Ring, error) {
	a, err := aead.New(h)
	if err != nil {
		return nil, fmt.Errorf("key ring: %w", err)
	}
	return &Ring{a}, nil
}

// Load reads the key file; the first time it makes one, readable by its owner
// only. Without that file everything sealed is lost: back it up apart from the
// database.
func Load(file string) (*Ring, error) {
	body, err := os.ReadFile(file) // #nosec G304 -- the operator names the key file
	if errors.Is(err, os.ErrNotExist) {
		if body, err = create(file); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return Parse(body)
}

// Parse reads a key ring from its JSON text, e.g. from the environment.
func Parse(body []byte) (*Ring, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(body)))
	if err != nil {
		return nil, errors.New("the key file is not a key ring; restore it from its backup")
	}
	return ring(h)
}

// create writes a new key under another name first: a crash leaves either no
// key file or a whole one.
func create(file string) ([]byte, error) {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("new key: %w", err)
	}
	var body bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&body)); err != nil {
		return nil, fmt.Errorf("new key: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".key-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	_, err = tmp.Write(body.Bytes())
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, os.ErrExist) { // another process may have been first
		return nil, fmt.Errorf("key file: %w", err)
	}
	if err := os.Remove(tmp.Name()); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	return os.ReadFile(file) // #nosec G304 -- see Load
}

// Seal makes secret unreadable, bound to what it belongs to (e.g. "tenant:<id>").
func (r *Ring) Seal(secret, belongs string) (string, error) {
	b, err := r.aead.Encrypt([]byte(secret), []byte(belongs))
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return base64.RawStdEncoding.EncodeToString(b), nil
}

// Open reads a sealed secret; it fails with another key or another owner.
func (r *Ring) Open(sealed, belongs string) (string, error) {
	b, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return "", errors.New("open a sealed secret: it is damaged")
	}
	plain, err := r.aead.Decrypt(b, []byte(belongs))
	if err != nil {
		return "", errors.New("open a sealed secret: wrong key, or it belongs to something else")
	}
	return string(plain), nil
}
