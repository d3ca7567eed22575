package sim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// authority is the simulator's own certification authority: a root that signs the
// listener's certificate and the one that signs webhooks.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// openAuthority reads the CA kept in certFile and keyFile, or makes one and writes
// what has a name. A kept CA lets clients survive a restart of the simulator.
func openAuthority(certFile, keyFile string) (*authority, error) {
	if certFile != "" && keyFile != "" {
		a, err := readAuthority(certFile, keyFile)
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return a, err
		}
	}
	a, err := newAuthority()
	if err != nil {
		return nil, err
	}
	if keyFile != "" {
		der, err := x509.MarshalECPrivateKey(a.key)
		if err != nil {
			return nil, err
		}
		key := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
		if err := os.WriteFile(keyFile, key, 0o600); err != nil {
			return nil, err
		}
	}
	if certFile != "" {
		if err := os.WriteFile(certFile, a.pem, 0o644); err != nil { // #nosec G306 -- a certificate is public
			return nil, err
		}
	}
	return a, nil
}

func readAuthority(certFile, keyFile string) (*authority, error) {
	cert, err := os.ReadFile(certFile) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(keyFile) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", certFile, keyFile, err)
	}
	private, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, not an ECDSA key", keyFile, pair.PrivateKey)
	}
	return &authority{cert: pair.Leaf, key: private, pem: cert}, nil
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := certTemplate("Causeway simulator test CA", 10*365*24*time.Hour)
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

func certTemplate(name string, life time.Duration) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil { // crypto/rand does not fail
		serial = big.NewInt(time.Now().UnixNano())
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: []string{"Causeway simulator"}},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(life),
	}
}

// listener makes the certificate of the HTTPS listener.
func (a *authority) listener(hosts ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := certTemplate("simulator", 2*365*24*time.Hour)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if h != "" {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}, nil
}

// signer makes the RSA certificate that signs webhooks; receivers check that its
// organisation is Microsoft Corporation.
func (a *authority) signer() (*rsa.PrivateKey, []byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	t := certTemplate("webhooks.partnercenter.simulated", 2*365*24*time.Hour)
	t.Subject.Organization = []string{"Microsoft Corporation"}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, nil, err
	}
	return key, der, nil
}
