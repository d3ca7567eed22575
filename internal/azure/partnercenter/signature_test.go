package partnercenter_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"causeway/internal/azure/partnercenter"
	"causeway/internal/fault"
)

// signer is one of Microsoft's signing certificates with its key, on a host.
type signer struct {
	key    *rsa.PrivateKey
	roots  *x509.CertPool
	server *httptest.Server
	host   string
	asked  int
}

func newSigner(t *testing.T, organization string, until time.Time) *signer {
	t.Helper()
	make := func(c, parent *x509.Certificate, key, by *rsa.PrivateKey) *x509.Certificate {
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	newKey := func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	from := until.AddDate(-1, 0, 0)
	rootKey, s := newKey(), &signer{key: newKey(), roots: x509.NewCertPool()}
	rootC := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test root"}, NotBefore: from, NotAfter: until.AddDate(9, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	root := make(rootC, rootC, rootKey, rootKey)
	s.roots.AddCert(root)
	leaf := make(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "signing", Organization: []string{organization}}, NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature}, root, s.key, rootKey)
	s.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked++
		switch r.URL.Path {
		case "/der":
			_, _ = w.Write(leaf.Raw)
		case "/away":
			http.Redirect(w, r, "/der", http.StatusFound)
		default:
			_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
		}
	}))
	t.Cleanup(s.server.Close)
	u, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s.host = u.Host
	return s
}

func (s *signer) verifier(now func() time.Time) *partnercenter.Verifier {
	v := partnercenter.NewVerifier(s.server.Client(), now)
	v.Hosts, v.Roots = append(v.Hosts, s.host), s.roots
	return v
}

func (s *signer) delivery(t *testing.T, body string) http.Header {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return http.Header{
		"Authorization":            {"Signature " + base64.StdEncoding.EncodeToString(sig)},
		"X-Ms-Certificate-Url":     {s.server.URL + "/cert"},
		"X-Ms-Signature-Algorithm": {"rsa-sha256"},
	}
}

func TestADeliveryIsTakenOnlyFromMicrosoft(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }
	const body = `{"EventName":"test-created","ResourceUri":"http://x/1","ResourceChangeUtcDate":"2026-02-28T12:00:00.1234567Z"}`
	good := newSigner(t, "Microsoft Corporation", now().AddDate(0, 1, 0))
	for _, c := range []struct {
		says   string
		signer *signer
		change func(http.Header)
		body   string
		takes  bool
	}{
		{"as it should be", good, func(http.Header) {}, body, true},
		{"in the other header", good, func(h http.Header) {
			h.Set("x-ms-signature", h.Get("Authorization")[len("Signature "):])
			h.Del("Authorization")
		}, body, true},
		{"with a certificate in DER form", good, func(h http.Header) { h.Set("X-MS-Certificate-Url", good.server.URL+"/der") }, body, true},
		{"changed on its way", good, func(http.Header) {}, body + " ", false},
		{"not signed", good, func(h http.Header) { h.Del("Authorization") }, body, false},
		{"another algorithm", good, func(h http.Header) { h.Set("X-MS-Signature-Algorithm", "none") }, body, false},
		{"a certificate on a stranger's host", good, func(h http.Header) { h.Set("X-MS-Certificate-Url", "https://microsoft.com.elsewhere.example/c") }, body, false},
		{"a host that ends like Microsoft's", good, func(h http.Header) { h.Set("X-MS-Certificate-Url", "https://evilmicrosoft.com/c") }, body, false},
		{"a certificate over plain HTTP", good, func(h http.Header) { h.Set("X-MS-Certificate-Url", "http://"+good.host+"/cert") }, body, false},
		{"a certificate behind a redirect", good, func(h http.Header) { h.Set("X-MS-Certificate-Url", good.server.URL+"/away") }, body, false},
		{"somebody else's certificate", newSigner(t, "Tailspin Toys", now().AddDate(0, 1, 0)), func(http.Header) {}, body, false},
		{"a certificate that has ended", newSigner(t, "Microsoft Corporation", now().AddDate(0, 0, -1)), func(http.Header) {}, body, false},
	} {
		h := c.signer.delivery(t, body)
		c.change(h)
		err := c.signer.verifier(now).Verify(t.Context(), h, []byte(c.body))
		if (err == nil) != c.takes || err != nil && !errors.Is(err, fault.Forbidden) && !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", c.says, err)
		}
	}
	other := newSigner(t, "Microsoft Corporation", now().AddDate(0, 1, 0))
	v := other.verifier(now)
	v.Roots = good.roots
	if err := v.Verify(t.Context(), other.delivery(t, body), []byte(body)); !errors.Is(err, fault.Forbidden) {
		t.Errorf("a certificate of no known root: %v", err)
	}
}

func TestACertificateIsFetchedOnce(t *testing.T) {
	now := time.Now
	s := newSigner(t, "Microsoft Corporation", now().AddDate(0, 1, 0))
	v := s.verifier(now)
	for range 3 {
		if err := v.Verify(t.Context(), s.delivery(t, "x"), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if s.asked != 1 {
		t.Errorf("fetched %d times", s.asked)
	}
}

func TestARepeatedDeliveryHasTheSameKey(t *testing.T) {
	a, err := partnercenter.ParseEvent([]byte(`{"EventName":"test-created","ResourceUri":"http://x/1","AuditUri":null,"ResourceChangeUtcDate":"2026-02-28T12:00:00.1234567Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := partnercenter.ParseEvent([]byte(`{"eventName":"test-created","resourceUri":"http://x/1","resourceChangeUtcDate":"2026-02-28T12:00:00.1234567+00:00"}`))
	if err != nil || a.Key() != b.Key() {
		t.Errorf("%q and %q, %v", a.Key(), b.Key(), err)
	}
	c, err := partnercenter.ParseEvent([]byte(`{"EventName":"test-created","ResourceUri":"http://x/2"}`))
	if err != nil || a.Key() == c.Key() {
		t.Errorf("%q, %v", c.Key(), err)
	}
}
