// Package contract_test runs the clients over the wire against the simulator. The
// two share no type: they are two readings of Microsoft's documents, and what one
// read wrongly shows here.
package contract_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"causeway/internal/azure"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/azure/token"
	"causeway/internal/fault"
	"causeway/internal/seal"
	"causeway/internal/sim"
	"causeway/internal/store/storetest"
)

const back = "https://portal.example/back"

type world struct {
	sim     *sim.Server
	pipe    *azure.Pipe
	custody *token.Custody
	pc      *partnercenter.Client
}

// start gives a partner who has consented, on a fresh simulator.
func start(t *testing.T, options ...sim.Option) *world {
	t.Helper()
	s := sim.Start(t, options...)
	bare, err := azure.New(azure.Config{
		LoginURL: s.URL, PartnerCenterURL: s.URL, GraphURL: s.URL, ARMURL: s.URL, SignInURL: s.PlainURL, AttestationURL: s.PlainURL + "/mca/",
		CAFile: s.CAFile, PartnerTenant: sim.DefaultPartnerTenant,
	})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{sim: s, custody: token.New(storetest.SQLite(t), ring, bare, "test")}
	w.pipe = bare.With(w.custody)
	w.pc = partnercenter.New(w.pipe)
	by := token.By{Actor: "system"}
	if err := w.custody.SetApplication(t.Context(), by, sim.DefaultPartnerTenant, sim.DefaultAppID, sim.DefaultAppSecret); err != nil {
		t.Fatal(err)
	}
	if p, err := w.custody.RedeemCode(t.Context(), by, back, w.signIn(t)); err != nil || p.ConsentedBy != sim.DefaultUser {
		t.Fatalf("consent: %+v, %v", p, err)
	}
	return w
}

// signIn plays the partner's user on Entra's page and gives the code.
func (w *world) signIn(t *testing.T) string {
	t.Helper()
	place, err := w.custody.AuthorizeURL(t.Context(), back, "state-1")
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := url.Values{"user": {sim.DefaultUser}, "password": {sim.DefaultPassword}, "mfa": {"yes"}, "consent": {"yes"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, place, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" || to.Query().Get("state") != "state-1" {
		t.Fatalf("sign-in answers %d %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	return to.Query().Get("code")
}

func contoso() partnercenter.Customer {
	gdap := true
	return partnercenter.Customer{
		EnableGDAPByDefault: &gdap,
		CompanyProfile:      partnercenter.CompanyProfile{Domain: "contoso.onmicrosoft.com"},
		BillingProfile: partnercenter.BillingProfile{
			Email: "owner@contoso.example", Culture: "en-US", Language: "en", CompanyName: "Contoso",
			DefaultAddress: partnercenter.Address{
				Country: "US", City: "Redmond", State: "WA", AddressLine1: "1 Microsoft Way", PostalCode: "98052",
				FirstName: "Accounts", LastName: "Payable", PhoneNumber: "4255550101",
			},
		},
	}
}

// sign lets the signatory accept the agreement and reads it back.
func (w *world) sign(t *testing.T, customer string) {
	t.Helper()
	ctx := t.Context()
	a, err := w.pc.CreateAttestation(ctx, azure.NewRequestID(), partnercenter.EnhancedAttestation{
		Country: "US", Language: "en-US", CompanyName: "Contoso", SignatoryFirstName: "Accounts", SignatoryLastName: "Payable", SignatoryEmail: "owner@contoso.example",
	})
	if err != nil || a.AttestationID == "" || a.Accepted() {
		t.Fatalf("attestation: %+v, %v", a, err)
	}
	page, err := http.Get(w.pc.AttestationURL(a.AttestationID)) // a person opens it without a token
	if err != nil {
		t.Fatal(err)
	}
	_ = page.Body.Close()
	if page.StatusCode != http.StatusOK {
		t.Errorf("the attestation page answers %d", page.StatusCode)
	}
	if err := w.sim.AcceptAttestation(a.AttestationID); err != nil {
		t.Fatal(err)
	}
	if a, err = w.pc.Attestation(ctx, a.AttestationID); err != nil || !a.Accepted() {
		t.Fatalf("after acceptance: %+v, %v", a, err)
	}
	if _, err := w.pc.CreateAgreement(ctx, azure.NewRequestID(), customer, partnercenter.Agreement{AttestationID: a.AttestationID, Type: partnercenter.CustomerAgreement}); err != nil {
		t.Fatal(err)
	}
	list, err := w.pc.Agreements(ctx, customer, partnercenter.CustomerAgreement)
	if err != nil || len(list) != 1 {
		t.Fatalf("read back: %+v, %v", list, err)
	}
}

// buy gives the customer an Azure plan and its first subscription.
func (w *world) buy(t *testing.T, customer string) (plan, subscription string) {
	t.Helper()
	ctx := t.Context()
	offers, err := w.pc.CustomerAvailabilities(ctx, customer, partnercenter.AzurePlanProduct, partnercenter.AzurePlanSKU)
	if err != nil || len(offers) == 0 {
		t.Fatalf("availabilities: %+v, %v", offers, err)
	}
	cart, err := w.pc.CreateCart(ctx, azure.NewRequestID(), customer, partnercenter.PlanCart(offers[0], ""))
	if err != nil || cart.ID == "" {
		t.Fatalf("cart: %+v, %v", cart, err)
	}
	result, err := w.pc.Checkout(ctx, azure.NewRequestID(), customer, cart.ID)
	if err != nil || len(result.Orders) != 1 || len(result.OrderErrors) != 0 {
		t.Fatalf("checkout: %+v, %v", result, err)
	}
	order, err := w.pc.Order(ctx, customer, result.Orders[0].ID)
	if err != nil || !order.Completed() {
		t.Fatalf("order: %+v, %v", order, err)
	}
	plans, err := w.pc.Subscriptions(ctx, customer, order.ID)
	if err != nil || len(plans) != 1 || !plans[0].IsAzurePlan() {
		t.Fatalf("plan: %+v, %v", plans, err)
	}
	below, err := w.pc.AzureEntitlements(ctx, customer, plans[0].ID)
	if err != nil || len(below) != 1 || !azure.SameID(below[0].SubscriptionID, plans[0].ID) {
		t.Fatalf("entitlements: %+v, %v", below, err)
	}
	return plans[0].ID, below[0].ID
}

func TestFromAFreeDomainToASubscription(t *testing.T) {
	w := start(t)
	ctx := azure.WithCorrelation(t.Context(), azure.NewCorrelationID())
	if taken, err := w.pc.DomainTaken(ctx, "contoso.onmicrosoft.com"); err != nil || taken {
		t.Fatalf("taken %v, %v", taken, err)
	}
	if rules, err := w.pc.CountryRules(ctx, "US"); err != nil || !rules.IsStateRequired || len(rules.SupportedStates) < 50 {
		t.Errorf("rules: %+v, %v", rules, err)
	}
	in := contoso()
	if v, err := w.pc.ValidateAddress(ctx, in.BillingProfile.DefaultAddress); err != nil || !v.Usable() {
		t.Errorf("address: %+v, %v", v, err)
	}
	var seen []azure.Exchange
	c, err := w.pc.CreateCustomer(azure.WithRecorder(ctx, func(_ context.Context, x azure.Exchange) { seen = append(seen, x) }), azure.NewRequestID(), in)
	if err != nil || c.UserCredentials == nil || c.UserCredentials.Password == "" {
		t.Fatalf("customer: %v", err)
	}
	if len(seen) != 1 || seen[0].Status != 201 || strings.Contains(fmt.Sprintf("%+v", seen), c.UserCredentials.Password.Reveal()) {
		t.Errorf("the exchange: %+v", seen)
	}
	if taken, err := w.pc.DomainTaken(ctx, "contoso.onmicrosoft.com"); err != nil || !taken {
		t.Errorf("taken %v, %v", taken, err)
	}
	read, err := w.pc.Customer(ctx, c.ID)
	if err != nil || read.RelationshipToPartner != partnercenter.RelationshipReseller || read.UserCredentials != nil {
		t.Errorf("read: %+v, %v", read, err)
	}
	found, err := w.pc.CustomersByDomain(ctx, "contoso")
	if err != nil || len(found) != 1 || found[0].ID != c.ID {
		t.Errorf("found: %+v, %v", found, err)
	}
	offers, err := w.pc.CustomerAvailabilities(ctx, c.ID, partnercenter.AzurePlanProduct, partnercenter.AzurePlanSKU)
	if err != nil || len(offers) == 0 {
		t.Fatal(err)
	}
	early, err := w.pc.CreateCart(ctx, azure.NewRequestID(), c.ID, partnercenter.PlanCart(offers[0], ""))
	if err == nil {
		_, err = w.pc.Checkout(ctx, azure.NewRequestID(), c.ID, early.ID)
	}
	if azure.CodeOf(err) != azure.CodeAgreementMissing || azure.Classify(err) != azure.W {
		t.Errorf("without an agreement: %v", err)
	}
	w.sign(t, c.ID)
	if s, err := w.pc.AccountStatus(ctx, c.ID); err != nil || s.Status != partnercenter.AccountAllowed {
		t.Errorf("account: %+v, %v", s, err)
	}
	plan, subscription := w.buy(t, c.ID)
	if b, err := w.pc.SetUsageBudget(ctx, azure.NewRequestID(), c.ID, "500"); err != nil || b.Amount != "500" {
		t.Errorf("budget: %+v, %v", b, err)
	}
	if b, err := w.pc.UsageBudget(ctx, c.ID); err != nil || b.Amount != "500" {
		t.Errorf("budget: %+v, %v", b, err)
	}
	ours := false
	for r, err := range w.pc.AuditRecords(ctx, partnercenter.AuditQuery{Start: w.pipe.Now().AddDate(0, 0, -1)}) {
		if err != nil {
			t.Fatal(err)
		}
		ours = ours || r.Is(partnercenter.OperationAddCustomer) && azure.SameID(r.CustomerID, c.ID) && azure.SameID(r.OriginalCorrelationID, string(azure.Correlation(ctx)))
	}
	if !ours {
		t.Error("the audit record of the creation does not carry our correlation id")
	}
	p, err := w.pc.Subscription(ctx, c.ID, plan)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.pc.ChangeSubscription(ctx, azure.NewRequestID(), c.ID, p, partnercenter.SubscriptionChange{Status: partnercenter.StatusSuspended}); azure.CodeOf(err) != azure.CodePlanHasActive {
		t.Errorf("a plan with an active subscription is suspended: %v", err)
	}
	if _, err := w.pc.CancelEntitlement(ctx, azure.NewRequestID(), c.ID, plan, subscription); err != nil {
		t.Errorf("cancel: %v", err)
	}
	profile, err := w.pc.BillingProfile(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	stale := profile
	profile.Email = "billing@contoso.example"
	if profile, err = w.pc.UpdateBillingProfile(ctx, azure.NewRequestID(), c.ID, profile); err != nil || profile.Email != "billing@contoso.example" {
		t.Errorf("profile: %+v, %v", profile, err)
	}
	if _, err = w.pc.UpdateBillingProfile(ctx, azure.NewRequestID(), c.ID, stale); azure.Classify(err) != azure.R4 {
		t.Errorf("an outdated etag: %v, class %s", err, azure.Classify(err))
	}
}

// A lost answer is the worst case: it happened, and only the replay still carries
// the credentials.
func TestALostCreationIsReplayed(t *testing.T) {
	w := start(t)
	w.sim.HangUpAfter("POST /v1/customers")
	request := azure.NewRequestID()
	_, err := w.pc.CreateCustomer(t.Context(), request, contoso())
	if !azure.Unknown(err) || azure.Classify(err) != azure.R2 {
		t.Fatalf("lost answer: %v", err)
	}
	c, err := w.pc.CreateCustomer(t.Context(), request, contoso())
	if err != nil || c.UserCredentials == nil || c.UserCredentials.Password == "" {
		t.Fatalf("the replay: %v", err)
	}
	if n := len(w.sim.Customers()); n != 1 {
		t.Errorf("%d customers", n)
	}
	if _, err := w.pc.CreateCustomer(t.Context(), azure.NewRequestID(), contoso()); err == nil || azure.Unknown(err) {
		t.Errorf("the domain a second time: %v", err)
	} else if r, ok := azure.Refusal(err); !ok || r.Remedy == "" {
		t.Errorf("the refusal says %+v", r)
	}
}

func TestThrottlingIsHeeded(t *testing.T) {
	w := start(t)
	w.sim.ThrottleNext("GET /v1/customers", 57)
	_, err := w.pc.CustomersByDomain(t.Context(), "x")
	if e := azure.AsError(err); e == nil || e.Status != 429 || e.RetryAfter.Seconds() != 57 {
		t.Fatalf("error = %v", err)
	}
	before := len(w.sim.Calls("GET /v1/customers"))
	_, err = w.pc.CustomersByDomain(t.Context(), "x")
	var held *azure.Throttled
	if !errors.As(err, &held) || len(w.sim.Calls("GET /v1/customers")) != before {
		t.Errorf("the next call was sent: %v", err)
	}
}

func TestASignInThatWasRevokedIsAnAlarm(t *testing.T) {
	w := start(t)
	w.sim.Revoke(sim.DefaultUser, 50173)
	_, err := w.pc.OrganizationProfile(t.Context())
	var alarm *token.Alarm
	if !errors.As(err, &alarm) || alarm.Code != "AADSTS50173" || !errors.Is(err, fault.Forbidden) || azure.Unknown(err) {
		t.Fatalf("error = %v", err)
	}
	if _, err := w.custody.RedeemCode(t.Context(), token.By{Actor: "system"}, back, w.signIn(t)); err != nil {
		t.Fatal(err)
	}
	if o, err := w.pc.OrganizationProfile(t.Context()); err != nil || !azure.SameID(o.ID, sim.DefaultPartnerTenant) {
		t.Errorf("after a new consent: %+v, %v", o, err)
	}
}

func TestThePartnersOwnProfiles(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	if ok, err := w.pc.CheckMFA(ctx); err != nil || !ok {
		t.Errorf("MFA %v, %v", ok, err)
	}
	if p, err := w.pc.MPNProfile(ctx, ""); err != nil || p.Number() == "" {
		t.Errorf("MPN: %+v, %v", p, err)
	}
	if _, err := w.pc.MPNProfile(ctx, "9999999"); azure.CodeOf(err) != azure.CodePartnerUnknown {
		t.Errorf("unknown MPN id: %v", err)
	}
	if p, err := w.pc.LegalBusinessProfile(ctx); err != nil || p.VettingStatus == "" {
		t.Errorf("legal business: %+v, %v", p, err)
	}
	if p, err := w.pc.PartnerBillingProfile(ctx); err != nil || p.BillingCurrency == "" {
		t.Errorf("billing: %+v, %v", p, err)
	}
	if place, err := w.pc.RelationshipRequestURL(ctx); err != nil || !strings.HasPrefix(place, "http") {
		t.Errorf("relationship request: %q, %v", place, err)
	}
	if list, err := w.pc.AgreementTemplates(ctx, partnercenter.CustomerAgreement); err != nil || len(list) != 1 {
		t.Errorf("templates: %+v, %v", list, err)
	}
	if list, err := w.pc.WebhookEvents(ctx); err != nil || len(list) < 10 {
		t.Errorf("events: %v, %v", list, err)
	}
}
