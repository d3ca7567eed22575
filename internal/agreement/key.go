package agreement

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Signer signs receipts with the partner's key.
type Signer struct{ key ed25519.PrivateKey }

// NewSigner makes a signer with a fresh key that is nowhere else, for tests.
func NewSigner() (*Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("new signing key: %w", err)
	}
	return &Signer{key}, nil
}

// LoadSigner reads the key file; the first time it makes one, readable by its
// owner only. Beside it stands the public key, FILE.pub, to be published.
// Without the key file no new receipt can be signed; the old ones stay good.
func LoadSigner(file string) (*Signer, error) {
	body, err := os.ReadFile(file) // #nosec G304 -- the operator names the key file
	if errors.Is(err, os.ErrNotExist) {
		if body, err = createKey(file); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	s, err := ParseSigner(body)
	if err != nil {
		return nil, err
	}
	if now, err := os.ReadFile(file + ".pub"); err == nil && bytes.Equal(now, s.PublicKey()) { // #nosec G304 -- see above
		return s, nil
	}
	if err := os.WriteFile(file+".pub", s.PublicKey(), 0o644); err != nil { // #nosec G306 G703 -- it is public, beside the key that the operator named
		return nil, fmt.Errorf("public key: %w", err)
	}
	return s, nil
}

// ParseSigner reads a private key from its PEM text (PKCS #8), e.g. from the
// environment.
func ParseSigner(body []byte) (*Signer, error) {
	bad := errors.New("the signing key file is not an Ed25519 key in PEM; restore it from its backup")
	block, _ := pem.Decode(body)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, bad
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad
	}
	ed, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, bad
	}
	return &Signer{ed}, nil
}

// createKey writes a new key under another name first: a crash leaves either no
// key file or a whole one.
func createKey(file string) ([]byte, error) {
	s, err := NewSigner()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	if err != nil {
		return nil, fmt.Errorf("new signing key: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".key-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	err = pem.Encode(tmp, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		if err = os.Link(tmp.Name(), file); errors.Is(err, os.ErrExist) { // another process was first
			err = nil
		}
	}
	if err = errors.Join(err, os.Remove(tmp.Name())); err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return os.ReadFile(file) // #nosec G304 -- see LoadSigner
}

func (s *Signer) public() ed25519.PublicKey {
	return ed25519.PublicKey(s.key[ed25519.SeedSize:])
}

// PublicKey is the key that receipts are checked with, in PEM.
func (s *Signer) PublicKey() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der(s.public())})
}

// Fingerprint names the key: SHA-256 of its DER form, e.g. "SHA256:9f86d0…".
// The partner publishes it where a customer will believe it.
func (s *Signer) Fingerprint() string { return fingerprint(s.public()) }

// der never fails: it gets an Ed25519 key only.
func der(k ed25519.PublicKey) []byte {
	b, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		return nil
	}
	return b
}

func fingerprint(k ed25519.PublicKey) string {
	sum := sha256.Sum256(der(k))
	return "SHA256:" + hex.EncodeToString(sum[:])
}

// keyFor finds, among the trusted keys, the one that a receipt names. Trusted is
// PEM with one or more public keys, or fingerprints; carried is the key inside
// the receipt, which is as good as its fingerprint is trusted.
func keyFor(trusted []byte, name string, carried ed25519.PublicKey) (ed25519.PublicKey, error) {
	var known []string
	rest := trusted
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the trusted key file holds a key that is not readable")
		}
		if ed, ok := key.(ed25519.PublicKey); ok {
			if known = append(known, fingerprint(ed)); fingerprint(ed) == name {
				return ed, nil
			}
		}
	}
	for word := range strings.FieldsSeq(string(rest)) {
		if strings.HasPrefix(word, "SHA256:") {
			if known = append(known, word); strings.EqualFold(word, name) && fingerprint(carried) == name {
				return carried, nil
			}
		}
	}
	if known == nil {
		return nil, errors.New("no trusted key was given: neither a public key in PEM nor a fingerprint SHA256:…")
	}
	return nil, fmt.Errorf("the receipt is signed with the key %s, which is not trusted here (trusted: %s)", name, strings.Join(known, ", "))
}
