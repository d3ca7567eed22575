package seal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"causeway/internal/seal"
)

func TestASecretOpensOnlyWithItsKeyAndItsOwner(t *testing.T) {
	file := filepath.Join(t.TempDir(), "customer.key")
	a := load(t, file)
	sealed, err := a.Seal("0Krha*Io", "tenant:1")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "0Krha") {
		t.Fatal("the secret can be read")
	}
	if got, err := load(t, file).Open(sealed, "tenant:1"); err != nil || got != "0Krha*Io" {
		t.Errorf("with the same key file: %q, %v", got, err)
	}
	if _, err := a.Open(sealed, "tenant:2"); err == nil {
		t.Error("a secret copied to another tenant opens")
	}
	other, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(sealed, "tenant:1"); err == nil {
		t.Error("another key opens it")
	}
}

func TestAKeyFileIsForItsOwnerOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "partner.key")
	load(t, file)
	fi, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", fi.Mode().Perm())
	}
}

func TestADamagedKeyFileIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "partner.key")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Load(file); err == nil {
		t.Error("a damaged key file is taken, and replaced keys lose every secret")
	}
}

func load(t *testing.T, file string) *seal.Ring {
	t.Helper()
	r, err := seal.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
