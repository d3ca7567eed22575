package partnercenter

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"causeway/internal/fault"
)

// Verifier checks that a webhook delivery comes from Microsoft.
// https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
type Verifier struct {
	Hosts        []string       // from which a certificate may be fetched; a leading dot means any host below
	Roots        *x509.CertPool // nil = the system's
	Organization string         // of the certificate's subject
	HTTP         *http.Client
	Now          func() time.Time

	mu    sync.Mutex
	known map[string]*x509.Certificate
}

// NewVerifier makes one that takes certificates of Microsoft's own hosts only.
func NewVerifier(client *http.Client, now func() time.Time) *Verifier {
	return &Verifier{
		Hosts:        []string{"3psostorageacct.blob.core.windows.net", ".partnercenter.microsoft.com", ".microsoft.com"},
		Organization: "Microsoft Corporation", HTTP: client, Now: now,
	}
}

func refuse(why string) error {
	return fault.New(fault.Forbidden, "the webhook delivery is refused: %s", why)
}

// Verify checks the signature over the body as it was received, byte for byte.
// A refusal is Forbidden; a certificate that cannot be fetched is Unavailable,
// for Microsoft delivers again.
func (v *Verifier) Verify(ctx context.Context, h http.Header, body []byte) error {
	signature := h.Get("x-ms-signature")
	if signature == "" {
		signature = h.Get("Authorization")
	}
	if kind, rest, ok := strings.Cut(signature, " "); ok && strings.EqualFold(kind, "Signature") {
		signature = rest
	}
	sig, err := base64.StdEncoding.DecodeString(strings.TrimSpace(signature))
	if err != nil || len(sig) == 0 {
		return refuse("it is not signed")
	}
	if a := h.Get("X-MS-Signature-Algorithm"); !strings.EqualFold(a, "rsa-sha256") {
		return refuse("its signature is of another kind than rsa-sha256")
	}
	cert, err := v.certificate(ctx, h.Get("X-MS-Certificate-Url"))
	if err != nil {
		return err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return refuse("its certificate holds no RSA key")
	}
	sum := sha256.Sum256(body)
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
		return refuse("its signature does not fit its content")
	}
	return nil
}

func (v *Verifier) certificate(ctx context.Context, place string) (*x509.Certificate, error) {
	u, err := url.Parse(place)
	if err != nil || u.Scheme != "https" || u.User != nil || !v.trusts(u.Hostname(), u.Host) {
		return nil, refuse("its certificate lies on a host that is not Microsoft's")
	}
	v.mu.Lock()
	cert := v.known[place]
	v.mu.Unlock()
	if cert != nil && v.Now().Before(cert.NotAfter) {
		return cert, nil
	}
	chain, err := v.fetch(ctx, place)
	if err != nil {
		return nil, err
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	leaf := chain[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: v.Roots, Intermediates: between, CurrentTime: v.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return nil, refuse("its certificate is not valid")
	}
	if !slices.Contains(leaf.Subject.Organization, v.Organization) {
		return nil, refuse("its certificate is not of " + v.Organization)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil || len(v.known) > 16 {
		v.known = map[string]*x509.Certificate{}
	}
	v.known[place] = leaf
	return leaf, nil
}

func (v *Verifier) trusts(hostname, host string) bool {
	return slices.ContainsFunc(v.Hosts, func(h string) bool {
		if strings.HasPrefix(h, ".") {
			return strings.HasSuffix(strings.ToLower(hostname), strings.ToLower(h))
		}
		return strings.EqualFold(h, hostname) || strings.EqualFold(h, host)
	})
}

func (v *Verifier) fetch(ctx context.Context, place string) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, refuse("the address of its certificate cannot be read")
	}
	client := *v.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // a redirect could leave Microsoft's hosts
	resp, err := client.Do(req)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the certificate of a webhook delivery cannot be fetched").Because(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fault.New(fault.Unavailable, "the certificate of a webhook delivery cannot be fetched (%d)", resp.StatusCode)
	}
	var chain []*x509.Certificate
	for rest := body; ; {
		block, more := pem.Decode(rest)
		if block == nil {
			break
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			chain = append(chain, c)
		}
		rest = more
	}
	if len(chain) == 0 { // not PEM: DER
		c, err := x509.ParseCertificate(body)
		if err != nil {
			return nil, refuse("its certificate cannot be read")
		}
		chain = append(chain, c)
	}
	return chain, nil
}
