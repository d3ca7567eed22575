package sim_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"causeway/internal/sim"
)

type received struct {
	header http.Header
	body   []byte
}

// receiver takes webhooks and refuses the first so many.
func receiver(t *testing.T, refuse int) (*httptest.Server, chan received) {
	got := make(chan received, 16)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if refuse > 0 {
			refuse--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		got <- received{r.Header, body}
	}))
	t.Cleanup(h.Close)
	return h, got
}

func next(t *testing.T, from chan received) received {
	t.Helper()
	select {
	case r := <-from:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("no webhook came")
		return received{}
	}
}

func TestAWebhookIsSignedAndTriedAgain(t *testing.T) {
	s := sim.Start(t, sim.WithFactor(1000)) // a pause between attempts is 30 ms
	p := newPartner(t, s)
	hook, got := receiver(t, 2)
	register := map[string]any{"WebhookUrl": hook.URL, "WebhookEvents": []string{"subscription-updated", "test-created"}}
	p.as(p.app, "POST", "/webhooks/v1/registration", map[string]any{"WebhookUrl": hook.URL, "WebhookEvents": []string{"no-such-event"}}).want(t, 400, 3000)
	if a := p.as(p.app, "POST", "/webhooks/v1/registration", register).want(t, 200); a.at("SubscriberId") == "" {
		t.Errorf("registration: %s", a.raw)
	}
	p.as(p.app, "POST", "/webhooks/v1/registration", register).want(t, 409, 3000)
	p.as(p.app, "PUT", "/webhooks/v1/registration", register).want(t, 200)

	correlation := p.as(p.app, "POST", "/webhooks/v1/registration/validationEvents", nil).want(t, 200).at("correlationId")
	r := next(t, got)
	var event struct{ EventName, ResourceURI, ResourceChangeUtcDate string }
	if err := json.Unmarshal(r.body, &event); err != nil || event.EventName != "test-created" {
		t.Errorf("event %s: %v", r.body, err)
	}
	checkSignature(t, p, r)
	if a := p.as(p.app, "GET", "/webhooks/v1/registration/validationEvents/"+correlation, nil).want(t, 200); a.at("results.0.responseCode") == "" {
		t.Errorf("results of the validation: %s", a.raw)
	}

	p.as(p.app, "POST", "/webhooks/v1/registration/validationEvents", nil).want(t, 200)
	next(t, got)
	s.Change(func(set *sim.Settings) { set.Throttle = map[string]int{sim.GroupValidations: 0} })
	p.as(p.app, "POST", "/webhooks/v1/registration/validationEvents", nil).want(t, 429)

	id := p.create("contoso.onmicrosoft.com")
	p.agree(id)
	plan, subscription := p.buy(id)
	at := "/v1/customers/" + id + "/subscriptions/" + plan
	p.as(p.app, "POST", at+"/azureEntitlements/"+subscription+"/cancel", map[string]string{"cancellationReason": "compromise"}).want(t, 200)
	p.as(p.app, "PATCH", at, map[string]string{"status": "suspended"}).want(t, 200)
	if r := next(t, got); !strings.Contains(string(r.body), "subscription-updated") || !strings.Contains(string(r.body), plan) {
		t.Errorf("event %s", r.body)
	}
}

// checkSignature checks what a careful receiver checks.
func checkSignature(t *testing.T, p *partner, r received) {
	t.Helper()
	signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.header.Get("Authorization"), "Signature "))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate([]byte(p.do("GET", r.header.Get("X-MS-Certificate-Url"), "").want(t, 200).raw))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.s.CAPEM)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Error(err)
	}
	if len(cert.Subject.Organization) != 1 || cert.Subject.Organization[0] != "Microsoft Corporation" {
		t.Errorf("organisation %v", cert.Subject.Organization)
	}
	sum := sha256.Sum256(r.body)
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
	}
	if r.header.Get("X-MS-Signature-Algorithm") != "rsa-sha256" {
		t.Errorf("algorithm %q", r.header.Get("X-MS-Signature-Algorithm"))
	}
}

func TestAStrangerBecomesACustomerByAcceptingTheInvitation(t *testing.T) {
	s := sim.Start(t)
	p := newPartner(t, s)
	if err := s.TakeDomain("stranger.onmicrosoft.com"); err != nil {
		t.Fatal(err)
	}
	hook, got := receiver(t, 0)
	p.as(p.app, "POST", "/webhooks/v1/registration", map[string]any{"WebhookUrl": hook.URL, "WebhookEvents": []string{"reseller-relationship-accepted-by-customer"}, "SignatureTokenToMsSignatureHeader": true}).want(t, 200)
	if a := p.as(p.user, "GET", "/v1/customers/relationshiprequests", nil).want(t, 200); !strings.Contains(a.at("url"), sim.DefaultPartnerTenant) {
		t.Errorf("invitation: %s", a.raw)
	}
	id := p.do("POST", s.URL+"/_sim/strangers/stranger.onmicrosoft.com/accept-relationship", "").want(t, 200).at("id")
	if got := p.as(p.app, "GET", "/v1/customers/"+id, nil).want(t, 200).at("relationshipToPartner"); got != "reseller" {
		t.Errorf("relationship is %q", got)
	}
	if r := next(t, got); r.header.Get("x-ms-signature") == "" || !strings.Contains(string(r.body), id) {
		t.Errorf("event %v %s", r.header, r.body)
	}
}
