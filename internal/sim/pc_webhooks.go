package sim

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Registration is the partner's one webhook registration.
type Registration struct {
	Subscriber string
	URL        string
	Events     []string
	MSHeader   bool // signature in x-ms-signature instead of Authorization
	validation []*validationEvent
}

type validationEvent struct {
	Correlation string
	At          time.Time
	Results     []deliveryResult
	Status      string
}

// webhookEvents are the names that can be registered (partner-center §7).
var webhookEvents = []string{
	"test-created", "subscription-updated", "usagerecords-thresholdExceeded", "invoice-ready", "azure-fraud-event-detected",
	"reseller-relationship-accepted-by-customer", "dap-admin-relationship-approved", "dap-admin-relationship-terminated",
	"dap-admin-relationship-terminated-by-microsoft", "granular-admin-relationship-approved", "granular-admin-relationship-activated",
	"granular-admin-relationship-terminated", "granular-admin-relationship-expired", "granular-admin-access-assignment-created",
	"granular-admin-access-assignment-activated", "granular-admin-access-assignment-updated", "granular-admin-access-assignment-deleted",
	"new-commerce-migration-created", "new-commerce-migration-completed", "new-commerce-migration-failed",
	"new-commerce-migration-schedule-failed", "referral-created", "referral-updated", "related-referral-created", "related-referral-updated",
}

func (s *Server) registerWebhooks() {
	const base = "/webhooks/v1/registration"
	pc := servicePartnerCenter
	s.on(pc, "GET "+base+"/events", needsToken, reads, func(*call) reply { return ok(webhookEvents) }, gzipped)
	s.on(pc, "GET "+base, needsToken, reads, getRegistration, gzipped)
	s.on(pc, "POST "+base, needsToken, writes, createRegistration, gzipped)
	s.on(pc, "PUT "+base, needsToken, writes, updateRegistration, gzipped)
	s.on(pc, "POST "+base+"/validationEvents", needsToken, writes, createValidation, gzipped, group(GroupValidations), neverReplayed)
	s.on(pc, "GET "+base+"/validationEvents/{correlation}", needsToken, reads, getValidation, gzipped)
	s.on(servicePage, "GET /webhooks/certificate.cer", needsNothing, unlocked, func(c *call) reply {
		_, der, err := c.s.hooks.signer()
		if err != nil {
			return page(http.StatusInternalServerError, "Certificate", err.Error())
		}
		return reply{status: http.StatusOK, raw: der, header: map[string]string{"Content-Type": "application/pkix-cert"}}
	})
}

type registrationBody struct {
	Subscriber string   `json:"SubscriberId,omitempty"`
	URL        string   `json:"WebhookUrl"`
	Events     []string `json:"WebhookEvents"`
	MSHeader   bool     `json:"SignatureTokenToMsSignatureHeader,omitempty"`
}

func getRegistration(c *call) reply {
	if c.w.hook == nil {
		return pcError(http.StatusNotFound, 1000, "Not found")
	}
	return ok(registrationBody{URL: c.w.hook.URL, Events: c.w.hook.Events})
}

func createRegistration(c *call) reply {
	if c.w.hook != nil {
		return pcError(http.StatusConflict, 3000, "A webhook registration already exists for this partner.")
	}
	return c.saveRegistration(&Registration{Subscriber: c.s.newID()})
}

func updateRegistration(c *call) reply {
	if c.w.hook == nil {
		return pcError(http.StatusNotFound, 1000, "Not found")
	}
	return c.saveRegistration(c.w.hook)
}

func (c *call) saveRegistration(into *Registration) reply {
	var in registrationBody
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	u, err := url.Parse(in.URL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "WebhookUrl")
	}
	if len(in.Events) == 0 {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "WebhookEvents")
	}
	for _, e := range in.Events {
		if !slices.Contains(webhookEvents, e) {
			return pcError(http.StatusBadRequest, 3000, "Invalid property", "WebhookEvents", e)
		}
	}
	into.URL, into.Events, into.MSHeader = in.URL, in.Events, in.MSHeader
	c.w.hook = into
	return ok(registrationBody{Subscriber: into.Subscriber, URL: into.URL, Events: into.Events})
}

// deliveryResult is one attempt of a validation event.
type deliveryResult struct {
	Code    string `json:"responseCode"`
	Message string `json:"responseMessage"`
	System  bool   `json:"systemError"`
	At      string `json:"dateTimeUtc"`
}

func createValidation(c *call) reply {
	h := c.w.hook
	if h == nil || !slices.Contains(h.Events, "test-created") {
		return pcError(http.StatusBadRequest, 3000, "The event test-created is not registered.")
	}
	v := &validationEvent{Correlation: c.log.CorrelationID, At: c.now, Status: "inProgress"}
	h.validation = append(h.validation, v)
	c.s.hooks.send(c, h, "test-created", "https://api.partnercenter.microsoft.com/webhooks/v1/registration/test", "test", v)
	return ok(map[string]string{"correlationId": v.Correlation})
}

func getValidation(c *call) reply {
	if h := c.w.hook; h != nil {
		for _, v := range h.validation {
			if v.Correlation == c.param("correlation") && c.now.Sub(v.At) < 7*24*time.Hour {
				results := v.Results
				if results == nil {
					results = []deliveryResult{}
				}
				return ok(map[string]any{"correlationId": v.Correlation, "partnerId": c.s.cfg.Partner.TenantID,
					"status": v.Status, "callbackUrl": h.URL, "results": results})
			}
		}
	}
	return pcError(http.StatusNotFound, 1000, "Not found")
}

// emit sends an event to the partner, if it registered for it. Called under the
// world's lock: the delivery itself happens later, in the background.
func (c *call) emit(event, uri, name string) {
	if h := c.w.hook; h != nil && slices.Contains(h.Events, event) {
		c.s.hooks.send(c, h, event, uri, name, nil)
	}
}

// hooks delivers webhooks: in order, each with up to ten attempts.
type hooks struct {
	s       *Server
	queue   chan delivery
	ctx     context.Context
	cancel  context.CancelFunc
	once    sync.Once
	key     *rsa.PrivateKey
	cert    []byte
	keyErr  error
	client  *http.Client
	started bool
}

type delivery struct {
	url      string
	body     []byte
	msHeader bool
	due      time.Time
	validate *validationEvent
}

const (
	deliveryAttempts = 10
	deliveryPause    = 30 * time.Second // between attempts, the vendor's time; U
	deliveryBacklog  = 4096             // further events are dropped: webhooks are hints
)

func (h *hooks) start(s *Server) {
	h.s = s
	h.queue = make(chan delivery, deliveryBacklog)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	// Receivers are on loopback and may have a certificate of any kind.
	// The simulator is the sender of a test event, not a guard.
	h.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- receivers in tests have certificates that nobody knows
	}}
}

func (h *hooks) stop() {
	h.cancel()
	h.client.CloseIdleConnections()
}

// signer makes the signing key when it is first needed: an RSA key takes a while.
func (h *hooks) signer() (*rsa.PrivateKey, []byte, error) {
	h.once.Do(func() { h.key, h.cert, h.keyErr = h.s.ca.signer() })
	return h.key, h.cert, h.keyErr
}

// send queues an event. The first one starts the goroutine that delivers.
func (h *hooks) send(c *call, reg *Registration, event, uri, name string, v *validationEvent) {
	body, err := json.Marshal(struct {
		EventName    string
		ResourceURI  string `json:"ResourceUri"`
		ResourceName string
		AuditURI     *string `json:"AuditUri"`
		Changed      string  `json:"ResourceChangeUtcDate"`
	}{event, uri, name, nil, stamp(c.now)})
	if err != nil { // text always marshals
		return
	}
	if !h.started {
		h.started = true
		h.s.running.Go(h.deliver)
	}
	select {
	case h.queue <- delivery{reg.URL, body, reg.MSHeader, c.after(WaitWebhook), v}:
	default:
	}
}

func (h *hooks) deliver() {
	for {
		select {
		case <-h.ctx.Done():
			return
		case d := <-h.queue:
			if !h.pause(d.due.Sub(h.s.Clock.Now())) {
				return
			}
			for n := 1; ; n++ {
				result, done := h.attempt(d)
				h.note(d.validate, result, done || n == deliveryAttempts)
				if done || n == deliveryAttempts {
					break
				}
				if !h.pause(h.s.Clock.Real(deliveryPause)) {
					return
				}
			}
		}
	}
}

func (h *hooks) pause(d time.Duration) bool {
	if d <= 0 {
		return h.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-h.ctx.Done():
		return false
	}
}

func (h *hooks) note(v *validationEvent, r deliveryResult, last bool) {
	if v == nil {
		return
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	v.Results = append(v.Results, r)
	if last {
		v.Status = "completed"
	}
}

// attempt posts the event once, signed over the raw bytes of the body.
func (h *hooks) attempt(d delivery) (deliveryResult, bool) {
	at := stamp(h.s.Clock.Now())
	key, _, err := h.signer()
	if err != nil {
		return deliveryResult{"", err.Error(), true, at}, false
	}
	sum := sha256.Sum256(d.body)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return deliveryResult{"", err.Error(), true, at}, false
	}
	req, err := http.NewRequestWithContext(h.ctx, http.MethodPost, d.url, bytes.NewReader(d.body))
	if err != nil {
		return deliveryResult{"", err.Error(), true, at}, false
	}
	text := base64.StdEncoding.EncodeToString(signature)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	if d.msHeader {
		req.Header.Set("x-ms-signature", text)
	} else {
		req.Header.Set("Authorization", "Signature "+text)
	}
	req.Header.Set("X-MS-Certificate-Url", h.s.URL+"/webhooks/certificate.cer")
	req.Header.Set("X-MS-Signature-Algorithm", "rsa-sha256")
	resp, err := h.client.Do(req)
	if err != nil {
		return deliveryResult{"", err.Error(), true, at}, false
	}
	_ = resp.Body.Close()
	return deliveryResult{statusText(resp.StatusCode), resp.Status, false, at}, resp.StatusCode < 300
}
