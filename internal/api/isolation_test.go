package api_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"causeway/internal/account"
	"causeway/internal/api"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/sim"
)

// cell says how one route is called on a real object of Contoso.
type cell struct {
	path func(*isolation, caller) string // with the object in it; a fresh one where the deed uses it up
	body func(*isolation, caller) any
	org  string         // whose object it is: "contoso" (left out), "partner", or "own" of each caller
	act  account.Action // the right that decides on this object, where it is not the route's
	want map[string]int // answers that the table of rights does not tell, by caller
	why  string         // of them
}

// isolation is a world in which Contoso has one of everything.
type isolation struct {
	*world
	ready, readyOnboarding   string
	draft1, request, receipt string
	entities                 int
	mailServer               string
	contoso                  account.OrgID
	victim                   account.User
	readOnly                 caller // a token of Contoso's administrator that may only read
}

func (i *isolation) callers() []caller {
	return []caller{i.admin, i.member, i.stranger, i.owner, i.finance, i.support, i.reader, i.readOnly}
}

// entity makes a further account of Contoso for another company, so that it gets a
// tenant of its own.
func (i *isolation) entity() string {
	i.entities++
	alias := fmt.Sprintf("CT%02d", i.entities)
	var a api.Account
	i.owner.want(200, "GET", "/accounts/CTSO", nil).into(i.t, &a)
	i.owner.want(201, "POST", "/accounts", map[string]any{
		"alias": alias, "organization": i.contoso, "name": "Contoso company " + alias, "billable": true, "currency": "USD", "address": a.Address, "contact": a.Contact,
		"credit_limit": money.Must("100000", "USD"), "parent": "CTSO",
	})
	return alias
}

// of begins a draft of a caller of Contoso for an account; of staff, the administrator's.
func (i *isolation) of(c caller, alias string) string {
	if c.Org != i.contoso || c.Scope == account.ScopeRead {
		c = i.admin
	}
	var d api.Draft
	c.want(201, "POST", "/providers", map[string]any{"name": "Contoso " + alias, "account": alias, "connect": map[string]string{"login": "ctso-admin", "password": password}}).into(i.t, &d)
	return d.Provider.ID
}

func (i *isolation) draftOf(c caller) string { return i.of(c, "CTSO") }

// detailed is a draft of a new company with its details.
func (i *isolation) detailed(c caller) string {
	id := i.of(c, i.entity())
	i.admin.want(200, "PATCH", "/providers/"+id+"/details", map[string]any{"domain_prefix": i.prefix(), "domain_confirmed": true})
	return id
}

// stuck is a provider whose tenant Microsoft refused to make.
func (i *isolation) stuck() api.Progress {
	id := i.detailed(i.admin)
	i.acceptTerms(id, false)
	i.attest(id)
	i.sim.Fail("POST /v1/customers", sim.Fault{Kind: sim.FailBefore, Status: http.StatusBadRequest, Code: 600002, Message: "refused for this test"})
	return i.submitted(id, "stuck")
}

// stray is a customer that only Microsoft knows.
func (i *isolation) stray() string {
	i.n++
	domain := fmt.Sprintf("stray%d.onmicrosoft.com", i.n)
	i.must(i.sim.Seed(sim.Seed{Customers: []sim.SeedCustomer{{Domain: domain, Name: "Stray"}}}))
	_, err := i.app.Provision.Sweep(i.t.Context())
	i.must(err)
	for _, c := range i.sim.Customers() {
		if c.Domain == domain {
			return c.ID
		}
	}
	return ""
}

func newDifference(i *isolation, _ caller) string {
	id := i.stray()
	list, _, err := i.app.Provision.Differences(i.t.Context(), account.System(), provision.DifferenceFilter{Limit: 500})
	i.must(err)
	for _, d := range list {
		if d.AzureID == id {
			return d.ID
		}
	}
	i.t.Fatalf("the customer %s is not reported", id)
	return ""
}

func (i *isolation) newUser() string {
	i.n++
	var u api.User
	i.owner.want(201, "POST", "/users", map[string]any{"organization": i.contoso, "role": "member", "name": "Another", "email": fmt.Sprintf("another%d@contoso.example", i.n), "password": password}).into(i.t, &u)
	return u.ID
}

func (i *isolation) newRequest() string {
	var r api.Request
	i.admin.want(201, "POST", "/requests/contacts", map[string]string{"topic": "other", "text": "Please call."}).into(i.t, &r)
	return r.ID
}

// read gives what stands at an address, to be sent back.
func (i *isolation) read(path string) map[string]any {
	var v map[string]any
	i.owner.want(200, "GET", path, nil).into(i.t, &v)
	return v
}

// refusingMailServer takes no mail, so that mail is stuck.
func refusingMailServer(t *testing.T) string {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				_, _ = fmt.Fprint(conn, "220 mail.example\r\n")
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					switch verb, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " "); verb {
					case "RCPT":
						_, _ = fmt.Fprint(conn, "550 no such mailbox\r\n")
					case "QUIT":
						_, _ = fmt.Fprint(conn, "221 bye\r\n")
						return
					default:
						_, _ = fmt.Fprint(conn, "250 ok\r\n")
					}
				}
			})
		}
	})
	return l.Addr().String()
}

func to(path string) func(*isolation, caller) string {
	return func(*isolation, caller) string { return path }
}

func in(body any) func(*isolation, caller) any {
	return func(*isolation, caller) any { return body }
}

// at is a path of which %s is what f gives.
func at(pattern string, f func(*isolation, caller) string) func(*isolation, caller) string {
	return func(i *isolation, c caller) string { return fmt.Sprintf(pattern, escape(f(i, c))) }
}

// budget sees to it that CTSO has one.
func (i *isolation) budget() {
	if i.owner.do("GET", "/billing/accounts/CTSO/budgets/account", nil).Status == http.StatusNotFound {
		i.owner.want(200, "PUT", "/billing/accounts/CTSO/budgets/account", map[string]any{"version": 0, "amount": money.Must("100", "USD")})
	}
}

func theReady(i *isolation, _ caller) string      { return i.ready }
func theOnboarding(i *isolation, _ caller) string { return i.readyOnboarding }
func theOrg(i *isolation, _ caller) string        { return string(i.contoso) }
func theRequest(i *isolation, _ caller) string    { return i.request }
func theVictim(i *isolation, _ caller) string     { return string(i.victim.ID) }
func theReceipt(i *isolation, _ caller) string    { return i.receipt }
func newDraft(i *isolation, c caller) string      { return i.draftOf(c) }
func newDetailed(i *isolation, c caller) string   { return i.detailed(c) }
func newStuck(i *isolation, _ caller) string      { return i.stuck().Provider.ID }
func stuckOnboarding(i *isolation, _ caller) string {
	return i.stuck().Onboarding.ID
}
func newRequest(i *isolation, _ caller) string { return i.newRequest() }
func newUser(i *isolation, _ caller) string    { return i.newUser() }

var staffHaveNoConnection = map[string]int{"owner": 404, "support": 404, "finance": 403, "read-only": 403, "read": 403}

var staffAskThemselves = map[string]int{"owner": 422, "finance": 422, "support": 422}

// cells is every route but the two that need no token.
var cells = map[string]cell{
	"get-me":         {path: to("/me"), org: "any"},
	"list-countries": {path: to("/countries"), org: "any"},
	"get-country":    {path: to("/countries/JP"), org: "any"},

	"list-tokens":  {path: to("/tokens"), org: "own"},
	"create-token": {path: to("/tokens"), org: "own", body: in(map[string]any{"name": "another"})},
	"revoke-token": {path: at("/tokens/%s", func(i *isolation, _ caller) string {
		t, _, err := i.app.People.CreateToken(i.t.Context(), i.victim.Actor("127.0.0.1"), "to be revoked", account.ScopeAll, i.app.Config.Now().AddDate(0, 0, 1))
		i.must(err)
		return t.ID
	}), act: account.ActTokenOther, want: map[string]int{"member": 404}, why: "whose tokens there are is nobody's business"},

	"list-organizations": {path: to("/organizations?limit=200"), org: "own"},
	"create-organization": {path: to("/organizations"), org: "partner", body: func(i *isolation, _ caller) any {
		i.n++
		return map[string]any{"name": fmt.Sprintf("Tailspin %d", i.n)}
	}},
	"get-organization": {path: at("/organizations/%s", theOrg)},
	"set-organization": {path: at("/organizations/%s", theOrg), body: func(i *isolation, _ caller) any {
		return pick(i.read("/organizations/"+string(i.contoso)), "name", "account", "version")
	}},
	"list-users": {path: at("/users?organization=%s", theOrg)},
	"create-user": {path: to("/users"), body: func(i *isolation, _ caller) any {
		i.n++
		return map[string]any{"organization": i.contoso, "role": "member", "name": "New", "email": fmt.Sprintf("new%d@contoso.example", i.n), "password": password}
	}},
	"get-user": {path: at("/users/%s", theVictim)},
	"set-user": {path: at("/users/%s", theVictim), body: func(i *isolation, _ caller) any {
		return pick(i.read("/users/"+string(i.victim.ID)), "role", "name", "email", "language", "active", "version")
	}},
	"set-password":  {path: at("/users/%s/password", newUser), body: in(map[string]any{"new_password": password + " again"})},
	"sign-out-user": {path: at("/users/%s/sign-out", newUser)},

	"list-accounts":             {path: at("/accounts?limit=200&organization=%s", theOrg)},
	"create-account":            {path: to("/accounts"), body: func(i *isolation, _ caller) any { return newAccount(i) }},
	"get-account":               {path: to("/accounts/CTSO")},
	"set-account":               {path: to("/accounts/CTSO"), body: func(i *isolation, _ caller) any { return changedAccount(i) }},
	"disable-account":           {path: at("/accounts/%s/disable", func(i *isolation, _ caller) string { return i.entity() }), body: in(map[string]any{"why": "Closed."})},
	"get-billing-estimate":      {path: func(i *isolation, _ caller) string { i.usage(); return "/accounts/CTSO/azure/billingestimate" }},
	"get-directory-invoice":     {path: to("/invoice/CTSO/2026/11")},
	"get-account-ancestors":     {path: to("/accounts/CTSO/ancestors")},
	"list-account-associations": {path: to("/accounts/CTSO/associations")},
	"list-administrators":       {path: to("/accounts/CTSO/administrators")},
	"add-administrator": {path: to("/accounts/CTSO/administrators"), body: func(i *isolation, _ caller) any {
		i.n++
		return map[string]any{"login": fmt.Sprintf("ctso-%d", i.n), "password": password}
	}},
	"remove-administrator": {path: func(i *isolation, _ caller) string {
		i.n++
		login := fmt.Sprintf("gone-%d", i.n)
		i.owner.want(204, "POST", "/accounts/CTSO/administrators", map[string]any{"login": login, "password": password})
		return "/accounts/CTSO/administrators/" + login
	}},
	"connect-account": {path: to("/account-connections"), org: "own", body: in(map[string]any{"login": "ctso-admin", "password": password}),
		want: map[string]int{"stranger": 403}, why: "the login administers nothing of the stranger's organization"},
	"get-account-connection": {path: at("/account-connections/%s", func(i *isolation, c caller) string {
		var x api.Connection
		i.admin.want(201, "POST", "/account-connections", map[string]any{"login": "ctso-admin", "password": password}).into(i.t, &x)
		return x.ID
	}), org: "own", want: map[string]int{"member": 404, "stranger": 404}, why: "a connection is one person's own"},
	"list-acceptances": {path: to("/accounts/CTSO/acceptances")},
	"list-receipts":    {path: to("/accounts/CTSO/receipts")},
	"get-kept-receipt": {path: at("/receipts/%s", theReceipt)},

	"list-providers":             {path: to("/providers?limit=200"), org: "own"},
	"get-provider":               {path: at("/providers/%s", theReady)},
	"get-progress":               {path: at("/providers/%s/progress", theReady)},
	"get-provider-log":           {path: at("/providers/%s/log", theReady)},
	"list-grants":                {path: at("/providers/%s/grants", theReady)},
	"get-tenant":                 {path: at("/providers/%s/tenant", theReady)},
	"list-provider-associations": {path: at("/providers/%s/associations", theReady)},
	"get-receipt":                {path: at("/providers/%s/receipt", theReady)},
	"move-provider": {path: at("/providers/%s/move", theReady), body: func(i *isolation, _ caller) any {
		return map[string]any{"account": i.entity(), "first_day": provider.DayOf(i.app.Config.Now())}
	}},
	"show-credentials":   {path: at("/providers/%s/credentials/show", theReady), body: in(map[string]any{"password": password})},
	"credentials-stored": {path: at("/providers/%s/credentials/stored", theReady)},
	"cancel-provider":    {path: at("/providers/%s/cancel", newStuck)},
	"set-mail":           {path: at("/providers/%s/mail", theReady), body: in(map[string]any{"on": true})},

	"create-provider":      {path: to("/providers"), org: "own", body: in(map[string]any{})},
	"get-draft":            {path: at("/providers/%s/draft", newDraft)},
	"drop-draft":           {path: at("/providers/%s/draft", newDraft)},
	"set-type":             {path: at("/providers/%s/type", newDraft), body: in(map[string]any{"type": "azure-resource-manager"})},
	"set-mode":             {path: at("/providers/%s/mode", newDraft), body: in(map[string]any{"mode": "new"})},
	"set-name":             {path: at("/providers/%s/name", newDraft), body: in(map[string]any{"name": "Another name"})},
	"connect-provider":     {path: at("/providers/%s/connection", newDraft), body: in(map[string]any{"login": "ctso-admin", "password": password}), act: account.ActAccountConnect},
	"list-choices":         {path: at("/providers/%s/choices", newDraft), want: map[string]int{"owner": 404, "support": 404, "finance": 404, "read-only": 404}, why: "the choice is of the connected person's accounts; staff are not connected"},
	"set-provider-account": {path: at("/providers/%s/account", newDraft), body: in(map[string]any{"account": "CTSO"}), want: staffHaveNoConnection, why: "staff have no connection to approve charges with"},
	"set-budget":           {path: at("/providers/%s/budget", newDraft), body: in(map[string]any{"budget": money.Must("100", "USD")})},
	"set-details": {path: at("/providers/%s/details", newDetailed), body: func(i *isolation, _ caller) any {
		return map[string]any{"domain_prefix": i.prefix(), "domain_confirmed": true}
	}},
	"check-details": {path: at("/providers/%s/details/check", newDetailed)},
	"get-terms":     {path: at("/providers/%s/terms", newDraft)},
	"accept-terms": {path: at("/providers/%s/terms", newDraft), body: func(i *isolation, _ caller) any {
		var terms api.Page[api.Document]
		i.admin.want(200, "GET", "/providers/"+i.draft1+"/terms", nil).into(i.t, &terms)
		return map[string]string{"document": terms.Items[0].ID, "hash": terms.Items[0].Hash}
	}},
	"start-attestation": {path: at("/providers/%s/attestation", newDetailed), body: in(map[string]any{})},
	"get-attestation": {path: at("/providers/%s/attestation", func(i *isolation, c caller) string {
		id := i.detailed(c)
		i.admin.want(200, "POST", "/providers/"+id+"/attestation", map[string]any{})
		return id
	})},
	"submit-provider": {path: at("/providers/%s/submit", func(i *isolation, c caller) string {
		id := i.draftOf(c)
		i.acceptTerms(id, true)
		return id
	})},

	"list-onboardings":  {path: to("/onboardings?limit=200"), org: "own"},
	"count-onboardings": {path: to("/onboarding-counts"), org: "partner"},
	"list-limits":       {path: to("/throttle"), org: "partner"},
	"get-onboarding":    {path: at("/onboardings/%s", theOnboarding)},
	"list-exchanges":    {path: at("/onboardings/%s/exchanges", theOnboarding)},
	"retry-onboarding":  {path: at("/onboardings/%s/retry", stuckOnboarding)},
	"edit-onboarding": {path: at("/onboardings/%s/edit", stuckOnboarding), body: func(i *isolation, _ caller) any {
		return map[string]any{"domain_prefix": i.prefix(), "domain_confirmed": true}
	}},
	"cancel-onboarding": {path: at("/onboardings/%s/cancel", stuckOnboarding)},
	"list-tenants":      {path: at("/tenants?organization=%s", theOrg)},
	"compare":           {path: to("/comparison"), org: "partner"},

	"get-billing-month": {path: to("/billing/months/2025-01"), org: "partner"},
	"list-suspense":     {path: to("/billing/months/2025-01/suspense"), org: "partner"},
	"rate-month":        {path: to("/billing/months/2025-01/rate"), org: "partner"},
	"draft-month":       {path: to("/billing/months/2025-01/draft"), org: "partner"},
	"reconcile-month":   {path: to("/billing/months/2025-01/reconcile"), org: "partner", want: map[string]int{"owner": 409, "finance": 409}, why: "Microsoft billed nothing in that month."},
	"issue-month":       {path: to("/billing/months/2025-01/issue"), org: "partner"},
	"close-month":       {path: to("/billing/months/2025-01/close"), org: "partner", want: map[string]int{"owner": 409, "finance": 409}, why: "Microsoft billed nothing in that month."},
	"assign-suspense": {path: to("/billing/assignments"), org: "partner", body: in(map[string]any{
		"tenant": "0f7c9a4e-1111-4222-8333-444455556666", "account": "CTSO", "from": "2025-01-01", "to": "2025-01-31", "why": "Found",
	})},
	"get-focus":            {path: to("/accounts/CTSO/focus/2025-01")},
	"export-documents":     {path: to("/billing/months/2025-01/documents.jsonl"), org: "partner"},
	"export-journal":       {path: to("/billing/months/2025-01/journal.jsonl"), org: "partner"},
	"get-billing-settings": {path: to("/billing/settings"), org: "partner"},
	"set-billing-settings": {path: to("/billing/settings"), org: "partner", body: in(map[string]any{"version": 0, "settings": map[string]any{
		"pattern": map[string]any{"way": "arrears"}, "pay_days": 30, "sellers": []any{}}}), want: map[string]int{"owner": 204, "finance": 409}, why: "The second change is made on a version that is not the newest any more."},
	"get-account-billing-settings": {path: to("/billing/accounts/CTSO/settings"), org: "partner"},
	"set-account-billing-settings": {path: to("/billing/accounts/CTSO/settings"), org: "partner", body: in(map[string]any{"version": 0, "settings": map[string]any{"vat": "US123"}}),
		want: map[string]int{"owner": 204, "finance": 409}, why: "The second change is made on a version that is not the newest any more."},
	"list-account-budgets": {path: to("/billing/accounts/CTSO/budgets")},
	"get-account-budget":   {path: func(i *isolation, _ caller) string { i.budget(); return "/billing/accounts/CTSO/budgets/account" }},
	"set-account-budget": {path: to("/billing/accounts/CTSO/budgets/account"), body: func(i *isolation, _ caller) any {
		i.budget()
		return pick(i.read("/billing/accounts/CTSO/budgets/account"), "version", "amount", "thresholds", "recipients", "ask")
	}},
	"delete-account-budget": {path: func(i *isolation, _ caller) string { i.budget(); return "/billing/accounts/CTSO/budgets/account" }},
	"list-budget-alerts":    {path: to("/billing/accounts/CTSO/budget-alerts")},
	"get-accounting":        {path: to("/billing/accounting"), org: "partner"},
	"set-accounting":        {path: to("/billing/accounting"), org: "partner", body: in(map[string]any{"url": ""})},
	"carry-suspense":        {path: to("/billing/invoices/G000000001/carry"), org: "partner", body: in(map[string]any{"why": "Small"}), want: map[string]int{"owner": 404, "finance": 404}, why: "There is no such invoice."},
	"sweep":                 {path: to("/sweep"), org: "partner"},
	"get-sweep":             {path: to("/sweep"), org: "partner"},
	"list-differences":      {path: to("/differences?state=open&kind=customer"), org: "partner"},
	"get-difference":        {path: at("/differences/%s", newDifference), org: "partner"},
	"resolve-difference":    {path: at("/differences/%s/resolve", newDifference), org: "partner", body: in(map[string]any{"action": "ignore", "reason": "It is being moved away."})},
	"apply-proposals":       {path: to("/differences/apply"), org: "partner", body: in(map[string]any{"which": "matched"})},
	"import-customers": {path: to("/differences/import"), org: "partner", body: func(i *isolation, _ caller) any {
		return map[string]any{"lines": []any{map[string]string{"customer": i.stray(), "account": "CTSO"}}}
	}},

	"list-requests":        {path: to("/requests?limit=200"), org: "own"},
	"ask-exception":        {path: to("/requests/exceptions"), body: in(map[string]any{"account": "CTSO", "rules": []string{"reseller"}, "why": "It is none any more."}), want: staffAskThemselves, why: "a request is made by a person of an organization"},
	"ask-contact":          {path: to("/requests/contacts"), body: in(map[string]any{"account": "CTSO", "topic": "other", "text": "Please call."}), want: staffAskThemselves, why: "a request is made by a person of an organization"},
	"ask-reservation":      {path: to("/requests/reservations"), body: in(map[string]any{"account": "CTSO", "intent": "purchase", "subscription": "sub", "scope": "single", "region": "eastus2", "type": "Standard_D4s_v5", "quantity": 1, "term": "P1Y", "billing": "monthly"}), want: staffAskThemselves, why: "a request is made by a person of an organization"},
	"ask-service":          {path: to("/requests/services"), body: in(map[string]any{"account": "CTSO", "service": "Databricks", "text": "For analysis."}), want: staffAskThemselves, why: "a request is made by a person of an organization"},
	"get-request":          {path: at("/requests/%s", theRequest)},
	"get-request-timeline": {path: at("/requests/%s/timeline", theRequest)},
	"decide-request":       {path: at("/requests/%s/decide", newRequest), body: in(map[string]any{"decision": "grant", "reason": "We called."})},
	"withdraw-request":     {path: at("/requests/%s/withdraw", newRequest), body: in(map[string]any{"reason": "Done."})},
	"comment-request":      {path: at("/requests/%s/comments", theRequest), body: in(map[string]any{"text": "Any news?"})},

	"list-documents":   {path: to("/agreements"), org: "own"},
	"publish-document": {path: to("/agreements"), org: "partner", body: func(i *isolation, _ caller) any { return newTerms(i) }},
	"get-document": {path: at("/agreements/%s", func(i *isolation, _ caller) string {
		return documents(i)[0].ID
	}), org: "own"},
	"get-guardrail": {path: to("/guardrail"), org: "own"},
	"set-guardrail": {path: to("/guardrail"), org: "partner", body: func(i *isolation, _ caller) any {
		return pick(i.read("/guardrail"), "version", "unrestricted", "regions", "groups", "note=Reviewed.")
	}},
	"get-brand":             {path: to("/settings/brand"), org: "partner"},
	"set-brand":             {path: to("/settings/brand"), org: "partner", body: func(i *isolation, _ caller) any { return i.read("/settings/brand") }},
	"get-rules":             {path: to("/settings/rules"), org: "partner"},
	"set-rules":             {path: to("/settings/rules"), org: "partner", body: func(i *isolation, _ caller) any { return i.read("/settings/rules") }},
	"get-microsoft":         {path: to("/settings/microsoft"), org: "partner"},
	"set-microsoft":         {path: to("/settings/microsoft"), org: "partner", body: func(i *isolation, _ caller) any { return i.read("/settings/microsoft") }},
	"list-settings-changes": {path: to("/settings/rules/history"), org: "partner"},

	"get-partner": {path: to("/partner"), org: "partner"},
	"set-application": {path: to("/partner/application"), org: "partner", body: in(map[string]any{
		"tenant": sim.DefaultPartnerTenant, "app_id": sim.DefaultAppID, "app_secret": sim.DefaultAppSecret})},
	"get-authorize-url": {path: to("/partner/authorize?redirect=http%3A%2F%2F127.0.0.1%2Fcallback&state=x"), org: "partner"},
	"give-consent": {path: to("/partner/consent"), org: "partner", body: func(i *isolation, _ caller) any {
		return map[string]string{"redirect": "http://127.0.0.1/callback", "code": i.code("http://127.0.0.1/callback")}
	}},
	"doctor":       {path: to("/doctor"), org: "partner"},
	"list-audit":   {path: at("/audit?limit=200&organization=%s", theOrg)},
	"verify-audit": {path: at("/audit/verify?organization=%s", theOrg)},
	"list-mail":    {path: to("/mail"), org: "partner"},
	"retry-mail": {path: at("/mail/%s/retry", func(i *isolation, _ caller) string {
		id := ""
		i.poll("a mail is stuck", func() bool {
			var p api.Page[api.MailView]
			i.owner.want(200, "GET", "/mail?state=stuck", nil).into(i.t, &p)
			if len(p.Items) > 0 {
				id = p.Items[0].ID
			}
			return id != ""
		})
		return id
	}), org: "partner", body: in(map[string]any{})},
}

func pick(from map[string]any, names ...string) map[string]any {
	out := map[string]any{}
	for _, n := range names {
		if name, value, set := strings.Cut(n, "="); set {
			out[name] = value
			continue
		}
		if v, is := from[n]; is {
			out[n] = v
		}
	}
	return out
}

func documents(i *isolation) []api.Document {
	var p api.Page[api.Document]
	i.owner.want(200, "GET", "/agreements", nil).into(i.t, &p)
	return p.Items
}

func newTerms(i *isolation) any {
	return map[string]any{
		"kind": "partner", "country": "JP", "language": "en-US", "title": "Terms for Japan", "text": "# Terms\n\nOne paragraph.", "note": "New.", "valid_from": i.app.Config.Now().AddDate(1, 0, 0),
	}
}

func newAccount(i *isolation) any {
	i.n++
	var a api.Account
	i.owner.want(200, "GET", "/accounts/CTSO", nil).into(i.t, &a)
	return map[string]any{
		"alias": fmt.Sprintf("N%d", i.n), "organization": i.contoso, "name": "Contoso N", "billable": true, "currency": "USD", "address": a.Address, "contact": a.Contact,
		"credit_limit": money.Must("1", "USD"),
	}
}

func changedAccount(i *isolation) any {
	m := pick(i.read("/accounts/CTSO"), "version", "name", "legal_name", "country", "address", "contact", "billable", "currency", "language", "credit_limit")
	return m
}

// Every route, every role, every tenant: another organization's object is not
// there, a missing right is refused, and every allowed deed works on a real object.
func TestEveryRouteForEveryRoleAndTenant(t *testing.T) {
	i := newIsolation(t)
	for _, route := range i.app.API().Routes() {
		if route.Public {
			continue
		}
		c, listed := cells[route.ID]
		if !listed {
			t.Errorf("route %s is in no cell: say how it is called", route.ID)
			continue
		}
		for _, who := range i.callers() {
			i.try(route, c, who)
		}
	}
	for id := range cells {
		if !i.has(id) {
			t.Errorf("there is no route %s", id)
		}
	}
}

func (i *isolation) has(id string) bool {
	for _, r := range i.app.API().Routes() {
		if r.ID == id {
			return true
		}
	}
	return false
}

func newIsolation(t *testing.T) *isolation {
	server := refusingMailServer(t)
	i := &isolation{world: newWorldWith(t, server), mailServer: server}
	i.contoso = i.admin.Org
	rules := i.read("/settings/rules")
	rules["another_legal_entity_tenant"], rules["max_onboardings_per_account_and_day"] = true, 0
	i.owner.want(200, "PUT", "/settings/rules", rules)
	u, err := i.app.People.User(t.Context(), account.UserID(i.newUser()))
	i.must(err)
	i.victim = u
	admin, err := i.app.People.User(t.Context(), i.admin.User)
	i.must(err)
	i.readOnly = i.token(admin, account.ScopeRead, "read")
	i.readOnly.Scope, i.readOnly.Token = account.ScopeRead, "a token"
	i.admin.name, i.stranger.name = "administrator", "stranger"

	i.ready = i.filled("contosoisolation")
	p := i.submitted(i.ready, "ready")
	i.readyOnboarding = p.Onboarding.ID
	i.draft1 = i.draftOf(i.admin)
	i.request = i.newRequest()
	var receipts api.Page[api.ReceiptView]
	i.admin.want(200, "GET", "/accounts/CTSO/receipts", nil).into(t, &receipts)
	i.receipt = receipts.Items[0].ID
	return i
}

// try calls one cell as one caller.
func (i *isolation) try(route api.Route, c cell, who caller) {
	i.t.Helper()
	want := i.expected(route, c, who)
	path := c.path(i, who)
	var body any
	if c.body != nil {
		body = c.body(i, who)
	}
	got := who.do(route.Method, path, body)
	allowed := got.Status >= 200 && got.Status < 300
	if want == 200 && !allowed || want != 200 && got.Status != want {
		i.t.Errorf("%s by %s: %s %s = %d, want %d: %s", route.ID, who.name, route.Method, path, got.Status, want, got.Body)
	}
	if who.name == "stranger" {
		i.leaks(route, path, got)
	}
	if !allowed {
		got.problem(i.t)
	}
}

func (i *isolation) expected(route api.Route, c cell, who caller) int {
	if s, special := c.want[who.name]; special {
		return s
	}
	if c.org == "any" {
		return 200
	}
	action := route.Action
	if c.act != "" {
		action = c.act
	}
	org := i.contoso
	switch c.org {
	case "own":
		org = who.Org
	case "partner":
		org = ""
	}
	err := account.May(who.Actor, action, org)
	switch fault.KindOf(err) {
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Forbidden:
		return http.StatusForbidden
	}
	return 200
}

// leaks looks for anything of Contoso's in an answer to the stranger, but what the
// stranger named.
func (i *isolation) leaks(route api.Route, path string, got answer) {
	i.t.Helper()
	if route.ID == "doctor" || route.ID == "compare" {
		return
	}
	for _, secret := range []string{string(i.contoso), i.ready, i.readyOnboarding, i.draft1, i.request, i.receipt, string(i.victim.ID), "Contoso", "contosoisolation", "CTSO"} {
		if strings.Contains(got.Body, secret) && !strings.Contains(path, secret) {
			i.t.Errorf("%s leaks %q to a stranger: %s", route.ID, secret, got.Body)
		}
	}
}
