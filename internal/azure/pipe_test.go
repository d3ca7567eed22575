package azure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/fault"
)

// serve answers every call with f and gives a pipe that trusts it.
func serve(t *testing.T, tokens azure.Tokens, f http.HandlerFunc) (*azure.Pipe, *httptest.Server) {
	t.Helper()
	server := httptest.NewTLSServer(f)
	t.Cleanup(server.Close)
	pipe, err := azure.New(azure.Config{
		LoginURL: server.URL, PartnerCenterURL: server.URL, GraphURL: server.URL, ARMURL: server.URL + "/", HTTP: server.Client(), PartnerTenant: "partner",
	})
	if err != nil {
		t.Fatal(err)
	}
	return pipe.With(tokens), server
}

func hangUp(w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = c.Close()
	}
}

func get(path string) azure.Call {
	return azure.Call{Service: azure.PartnerCenter, As: azure.AppOnly, Group: "test", Method: http.MethodGet, Path: path}
}

// The pipeline underneath would send a POST four times by itself.
func TestACallIsMadeOnce(t *testing.T) {
	for _, c := range []struct {
		says    string
		answer  http.HandlerFunc
		unknown bool
		class   azure.Class
	}{
		{"a lost answer", func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, true, azure.R2},
		{"a fault of theirs", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, true, azure.R2},
		{"a fault with an HTML page", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			_, _ = io.WriteString(w, "<html>down</html>")
		}, true, azure.R2},
		{"throttled", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "1"); w.WriteHeader(429) }, false, azure.R1},
		{"refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }, false, azure.F},
		{"a success that is cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(201)
			_, _ = io.WriteString(w, `{"id":`)
		}, true, azure.R2},
		{"a success that is no JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(201)
			_, _ = io.WriteString(w, "created!")
		}, true, azure.R2},
		{"a success without its body", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, true, azure.R2},
		{"a way to somewhere else", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/v1/elsewhere")
			w.WriteHeader(307)
		}, false, azure.F},
	} {
		t.Run(c.says, func(t *testing.T) {
			var calls atomic.Int32
			pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, r *http.Request) { calls.Add(1); c.answer(w, r) })
			_, err := partnercenter.New(pipe).CreateCustomer(t.Context(), "req-1", partnercenter.Customer{})
			if calls.Load() != 1 {
				t.Errorf("sent %d times", calls.Load())
			}
			if err == nil || azure.Unknown(err) != c.unknown || azure.Classify(err) != c.class {
				t.Errorf("%v: unknown %v, class %s", err, azure.Unknown(err), azure.Classify(err))
			}
		})
	}
}

func TestARequestCarriesItsIds(t *testing.T) {
	var got http.Header
	pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		_, _ = io.WriteString(w, `{"id":"1"}`)
	})
	ctx := azure.WithCorrelation(t.Context(), "corr-1")
	if _, err := partnercenter.New(pipe).CreateCustomer(ctx, "req-1", partnercenter.Customer{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"MS-RequestId": "req-1", "MS-CorrelationId": "corr-1", "X-Locale": "en-US", "Authorization": "Bearer tok", "MS-Contract-Version": "v1"} {
		equal(t, name, got.Get(name), want)
	}
	if _, err := partnercenter.New(pipe).Customer(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	if id := got.Get("MS-RequestId"); len(id) != 36 || id == "req-1" {
		t.Errorf("a read carries the request id %q", id)
	}
}

// refusing gives no token, with a reason of its own.
type refusing struct{ err error }

func (r refusing) Token(context.Context, azure.TokenRequest) (string, error) { return "", r.err }
func (refusing) Drop(context.Context, azure.TokenRequest, string)            {}

func TestWithoutATokenNothingIsSent(t *testing.T) {
	var calls atomic.Int32
	pipe, _ := serve(t, refusing{&azure.Error{Service: azure.Login, Status: 503}}, func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	_, err := pipe.Do(t.Context(), get("/v1/customers"))
	if calls.Load() != 0 || err == nil || azure.Unknown(err) || azure.IsStatus(err, 503) {
		t.Errorf("%d calls, %v, unknown %v", calls.Load(), err, azure.Unknown(err))
	}
	if !errors.Is(err, fault.Unavailable) {
		t.Error("the step cannot tell that trying later helps")
	}
	if _, err := pipe.With(nil).Do(t.Context(), get("/v1/customers")); !errors.Is(err, fault.Forbidden) {
		t.Errorf("without custody: %v", err)
	}
}

func TestACallToNowhereIsNotSent(t *testing.T) {
	var calls atomic.Int32
	pipe, server := serve(t, fixed("tok"), func(http.ResponseWriter, *http.Request) { calls.Add(1) })
	pc := partnercenter.New(pipe)
	if err := pc.DeleteCustomer(t.Context(), "r", ""); !errors.Is(err, fault.Invalid) {
		t.Errorf("an empty id: %v", err)
	}
	if err := pc.DeleteCustomer(t.Context(), "r", ".."); !errors.Is(err, fault.Invalid) {
		t.Errorf("a step up: %v", err)
	}
	if _, err := pipe.Do(t.Context(), get("https://elsewhere.example/v1/customers")); !errors.Is(err, fault.Forbidden) {
		t.Errorf("another host: %v", err)
	}
	if _, err := pipe.Do(t.Context(), get(strings.Replace(server.URL, "https", "http", 1)+"/v1/customers")); !errors.Is(err, fault.Forbidden) {
		t.Errorf("plain HTTP: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := pipe.Do(ctx, get("/v1/customers")); !errors.Is(err, context.Canceled) || azure.Unknown(err) {
		t.Errorf("a caller that gave up before: %v", err)
	}
	if calls.Load() != 0 {
		t.Errorf("%d calls were sent", calls.Load())
	}
	if _, err := azure.New(azure.Config{ARMURL: "http://127.0.0.1:1"}); !errors.Is(err, fault.Invalid) {
		t.Errorf("tokens over plain HTTP: %v", err)
	}
}

func TestAnIdCannotLeaveItsPlaceInThePath(t *testing.T) {
	var got string
	pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath()
		_, _ = io.WriteString(w, `{}`)
	})
	if _, err := partnercenter.New(pipe).Customer(t.Context(), "a/../b?x=1"); err != nil {
		t.Fatal(err)
	}
	equal(t, "path", got, "/v1/customers/a%2F..%2Fb%3Fx=1")
}

// notes remembers dropped tokens.
type notes struct {
	fixed
	mu      sync.Mutex
	dropped []string
}

func (n *notes) Drop(_ context.Context, r azure.TokenRequest, token string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dropped = append(n.dropped, fmt.Sprint(r.As, r.Tenant, r.Resource, token))
}

func TestARefusedTokenIsDropped(t *testing.T) {
	n := &notes{fixed: "tok"}
	pipe, _ := serve(t, n, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="https://login.example/right-tenant", error="invalid_token"`)
		w.WriteHeader(401)
		_, _ = io.WriteString(w, `{"error":{"code":"InvalidAuthenticationTokenTenant","message":"wrong issuer"}}`)
	})
	_, err := pipe.Do(t.Context(), azure.Call{Service: azure.ARM, As: azure.AppUser, Tenant: "t1", Method: "GET", Path: "/subscriptions"})
	if len(n.dropped) != 1 || n.dropped[0] != "2t1https://management.azure.com/tok" {
		t.Errorf("dropped %v", n.dropped)
	}
	if got := arm.RightTenant(err); got != "right-tenant" {
		t.Errorf("right tenant %q of %v", got, err)
	}
}

// What a service echoes must not reach an error, a record or a log.
func TestCanariesNeverLeaveTheClient(t *testing.T) {
	const token, password = "tok-C4nary-0123456789", `pw-C4nary"<>`
	for _, status := range []int{201, 400, 500} {
		var records []azure.Exchange
		pipe, _ := serve(t, fixed(token), func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Echo", r.Header.Get("Authorization"))
			w.WriteHeader(status)
			if status == 201 {
				_, _ = w.Write(body)
				return
			}
			_, _ = fmt.Fprintf(w, `{"code":2000,"description":"cannot use %s with %s","data":[%q]}`, r.Header.Get("Authorization"), strings.ReplaceAll(string(body), `"`, `\"`), token)
		})
		ctx := azure.WithRecorder(t.Context(), func(_ context.Context, x azure.Exchange) { records = append(records, x) })
		user, err := partnercenter.New(pipe).CreateUser(ctx, "r", "customer", partnercenter.CustomerUser{
			UserPrincipalName: "admin@contoso.example", PasswordProfile: &partnercenter.PasswordProfile{Password: password},
		})
		if status == 201 && (err != nil || user.PasswordProfile.Password.Reveal() != password) {
			t.Fatalf("the password did not get through: %v", err)
		}
		e := azure.AsError(err)
		all := fmt.Sprintf("%v %+v %+v %v", err, e, records, user)
		if e != nil {
			all += e.Raw + fmt.Sprint(e.Details)
		}
		if strings.Contains(all, "C4nary") {
			t.Errorf("%d: %s", status, all)
		}
		if len(records) != 1 || !strings.Contains(records[0].Request.Body, "admin@contoso.example") || records[0].Status != status {
			t.Errorf("%d: the record is not of use: %+v", status, records)
		}
	}
}

func TestALostAnswerIsRecordedWithoutItsAddress(t *testing.T) {
	var records []azure.Exchange
	pipe, server := serve(t, fixed("tok"), func(w http.ResponseWriter, _ *http.Request) { hangUp(w) })
	ctx := azure.WithRecorder(t.Context(), func(_ context.Context, x azure.Exchange) { records = append(records, x) })
	_, err := pipe.Do(ctx, get("/v1/x?sig=C4nary"))
	if err == nil || strings.Contains(err.Error(), "C4nary") || strings.Contains(err.Error(), server.URL) {
		t.Errorf("error = %v", err)
	}
	if len(records) != 1 || records[0].Status != 0 || records[0].Error == "" || strings.Contains(fmt.Sprint(records), "C4nary") {
		t.Errorf("records = %+v", records)
	}
}

func TestPagesAreFollowedAsGiven(t *testing.T) {
	var asked []string
	pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RequestURI()+" "+r.Header.Get("MS-ContinuationToken"))
		switch len(asked) {
		case 1:
			_, _ = io.WriteString(w, `{"items":[{"id":"1"}],"links":{"next":{"uri":"/customers?size=1?seekOperation=Next","method":"GET","headers":[{"key":"MS-ContinuationToken","value":"t1"}]}}}`)
		case 2:
			_, _ = io.WriteString(w, `{"items":[{"id":"2"}],"links":{"next":{"uri":"/v1/customers?size=1&seekOperation=Next","headers":[{"key":"MS-ContinuationToken","value":"t2"}]}}}`)
		default:
			_, _ = io.WriteString(w, `{"items":[],"links":{}}`)
		}
	})
	var ids string
	for c, err := range partnercenter.New(pipe).Customers(t.Context(), partnercenter.CustomerQuery{Size: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		ids += c.ID
	}
	equal(t, "customers", ids, "12")
	equal(t, "asked", strings.Join(asked, "; "), "/v1/customers?size=1 ; /v1/customers?size=1&seekOperation=Next t1; /v1/customers?size=1&seekOperation=Next t2")
}

func TestAListThatTurnsInACircleEnds(t *testing.T) {
	pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"items":[{"id":"1"}],"links":{"next":{"uri":"/customers?x=1"}}}`)
	})
	list, err := partnercenter.New(pipe).Orders(t.Context(), "c", "")
	if !errors.Is(err, fault.Unavailable) || list != nil {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAnItemThatIsGoneComesAsASuccess(t *testing.T) {
	pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code":400072,"description":"unavailable"}`)
	})
	_, err := partnercenter.New(pipe).Cart(t.Context(), "c", "1")
	if azure.CodeOf(err) != "400072" || azure.Classify(err) != azure.F {
		t.Errorf("%v", err)
	}
}

func TestFaultyHabitsOfTheService(t *testing.T) {
	pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("MS-RequestId", "a,a")
		_, _ = io.WriteString(w, "\ufeff"+`{"id":"1","unknown":{"x":[1]},"lineItems":[{"id":"0","quantity":"3","catalogItemId":"x"}],"expirationTimestamp":null,"status":"Active"}`)
	})
	c, err := partnercenter.New(pipe).Cart(t.Context(), "c", "1")
	if err != nil || c.LineItems[0].Quantity != 3 || !c.ExpirationTimestamp.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAnAddressWithoutAnAnswerIsVerified(t *testing.T) {
	pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
	v, err := partnercenter.New(pipe).ValidateAddress(t.Context(), partnercenter.Address{Country: "DE"})
	if err != nil || !v.Usable() || v.OriginalAddress.Country != "DE" {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestBothShapesOfCountryRules(t *testing.T) {
	for says, body := range map[string]string{
		"lists":  `{"iso2Code":"US","isStateRequired":true,"supportedStatesList":["WA","OR"],"countryCallingCodesList":["1"]}`,
		"values": `{"iso2Code":"US","isStateRequired":true,"states":{"value":["WA","OR"]},"countryCallingCodes":{"value":["1"]}}`,
	} {
		pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		r, err := partnercenter.New(pipe).CountryRules(t.Context(), "US")
		if err != nil || strings.Join(r.SupportedStates, ",") != "WA,OR" || strings.Join(r.CountryCallingCodes, ",") != "1" || !r.IsStateRequired {
			t.Errorf("%s: %+v, %v", says, r, err)
		}
	}
}

func TestAChangeKeepsWhatWeDoNotKnow(t *testing.T) {
	var body, etag string
	pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body, etag = string(b), r.Header.Get("If-Match")
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{"id":"p","Status":"active","somethingNew":{"deep":1},"attributes":{"etag":"e1"}}`)
			return
		}
		w.WriteHeader(202)
	})
	pc := partnercenter.New(pipe)
	s, err := pc.Subscription(t.Context(), "c", "p")
	if err != nil {
		t.Fatal(err)
	}
	_, accepted, err := pc.ChangeSubscription(t.Context(), "r", "c", s, partnercenter.SubscriptionChange{Status: partnercenter.StatusSuspended})
	if err != nil || !accepted {
		t.Fatalf("accepted %v, %v", accepted, err)
	}
	equal(t, "etag", etag, `"e1"`)
	equal(t, "body", body, `{"attributes":{"etag":"e1"},"id":"p","somethingNew":{"deep":1},"status":"suspended"}`)
}

func TestAConsentThatIsThereCountsAsDone(t *testing.T) {
	pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(409)
		_, _ = io.WriteString(w, `{"code":"x","description":"Permission entry already exists."}`)
	})
	existed, err := partnercenter.New(pipe).Consent(t.Context(), "r", "c", partnercenter.ApplicationConsent{ApplicationID: "a"})
	if err != nil || !existed {
		t.Errorf("existed %v, %v", existed, err)
	}
}

func TestMFAIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		says   string
		answer func(http.ResponseWriter)
		want   bool
		fails  bool
	}{
		{"proven", func(w http.ResponseWriter) { w.Header().Set("isMfaCompliant", "true"); _, _ = io.WriteString(w, "{}") }, true, false},
		{"missing", func(w http.ResponseWriter) { w.Header().Set("isMfaCompliant", "false"); _, _ = io.WriteString(w, "{}") }, false, false},
		{"enforced", func(w http.ResponseWriter) { w.WriteHeader(401); _, _ = io.WriteString(w, `{"code":900421}`) }, false, false},
		{"not said", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "{}") }, false, true},
	} {
		pipe, _ := serve(t, fixed("tok"), func(w http.ResponseWriter, r *http.Request) {
			equal(t, "ValidateMfa", r.Header.Get("ValidateMfa"), "true")
			c.answer(w)
		})
		got, err := partnercenter.New(pipe).CheckMFA(t.Context())
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v", c.says, got, err)
		}
	}
}
