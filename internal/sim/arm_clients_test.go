package sim_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armpolicy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/subscription/armsubscription"

	"causeway/internal/sim"
)

// agentCredential gives Microsoft's clients the tokens of a person of the partner.
type agentCredential struct {
	p      *partner
	tenant string
}

func (c agentCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: c.p.armToken(c.tenant, true), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// clientOptions point Microsoft's clients at the simulator, with nothing else changed.
func clientOptions(t *testing.T, s *sim.Server) *arm.ClientOptions {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CAPEM)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &arm.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: transport}, Cloud: cloud.Configuration{
		ActiveDirectoryAuthorityHost: s.URL,
		Services:                     map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: s.URL, Audience: "https://management.azure.com"}},
	}}}
}

func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// armsubscription makes a subscription and polls it, renames and cancels it.
func TestMicrosoftsSubscriptionClientWorksUnmodified(t *testing.T) {
	a := startAzure(t, func(c *sim.Config) { c.Waits = map[sim.Wait]time.Duration{sim.WaitAlias: time.Minute} })
	o, ctx := clientOptions(t, a.s), t.Context()
	aliases := must[*armsubscription.AliasClient](t)(armsubscription.NewAliasClient(agentCredential{a.partner, ""}, o))
	poller, err := aliases.BeginCreate(ctx, "provider-1", armsubscription.PutAliasRequest{Properties: &armsubscription.PutAliasRequestProperties{
		DisplayName: to.Ptr("Contoso test"), Workload: to.Ptr(armsubscription.WorkloadProduction), BillingScope: to.Ptr(billingScope())}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	poll := func() {
		t.Helper()
		resp, err := poller.Poll(ctx)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if poll(); poller.Done() {
		t.Fatal("done before its wait")
	}
	a.s.Advance(time.Minute)
	if poll(); !poller.Done() {
		t.Fatal("not done after its wait")
	}
	made := must[armsubscription.AliasClientCreateResponse](t)(poller.Result(ctx))
	id := *made.Properties.SubscriptionID
	if list := must[armsubscription.AliasClientListResponse](t)(aliases.List(ctx, nil)); len(list.Value) != 1 || *list.Value[0].Name != "provider-1" {
		t.Errorf("aliases = %+v", list.Value)
	}

	inside := agentCredential{a.partner, tenantID}
	subscriptions := must[*armsubscription.SubscriptionsClient](t)(armsubscription.NewSubscriptionsClient(inside, o))
	life := must[*armsubscription.Client](t)(armsubscription.NewClient(inside, o))
	if r := must[armsubscription.ClientRenameResponse](t)(life.Rename(ctx, id, armsubscription.Name{SubscriptionName: to.Ptr("Contoso live")}, nil)); *r.SubscriptionID != id {
		t.Errorf("renamed %s", *r.SubscriptionID)
	}
	if s := must[armsubscription.SubscriptionsClientGetResponse](t)(subscriptions.Get(ctx, id, nil)); *s.DisplayName != "Contoso live" || *s.State != armsubscription.SubscriptionStateEnabled {
		t.Errorf("subscription = %s %s", *s.DisplayName, *s.State)
	}
	must[armsubscription.ClientCancelResponse](t)(life.Cancel(ctx, id, nil))
	if s := must[armsubscription.SubscriptionsClientGetResponse](t)(subscriptions.Get(ctx, id, nil)); *s.State != armsubscription.SubscriptionStateDisabled {
		t.Errorf("state = %s", *s.State)
	}
	must[armsubscription.ClientEnableResponse](t)(life.Enable(ctx, id, nil))
	seen := 0
	for pages := subscriptions.NewListPager(nil); pages.More(); {
		seen += len(must[armsubscription.SubscriptionsClientListResponse](t)(pages.NextPage(ctx)).Value)
	}
	if seen != 2 {
		t.Errorf("listed %d subscriptions, want 2", seen)
	}
	tenants := must[*armsubscription.TenantsClient](t)(armsubscription.NewTenantsClient(inside, o))
	for pages := tenants.NewListPager(nil); pages.More(); {
		if list := must[armsubscription.TenantsClientListResponse](t)(pages.NextPage(ctx)).Value; len(list) != 2 {
			t.Errorf("tenants = %+v", list)
		}
	}
}

// azidentity gets the app's own token of a customer tenant; armauthorization gives
// it a role, and sees what is refused.
func TestMicrosoftsIdentityAndRoleClientsWorkUnmodified(t *testing.T) {
	a := startAzure(t)
	o, ctx := clientOptions(t, a.s), t.Context()
	app := must[*azidentity.ClientSecretCredential](t)(azidentity.NewClientSecretCredential(tenantID, sim.DefaultAppID, sim.DefaultAppSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: o.ClientOptions, DisableInstanceDiscovery: true}))
	subscriptions := must[*armsubscription.SubscriptionsClient](t)(armsubscription.NewSubscriptionsClient(app, o))
	var refused *azcore.ResponseError
	if _, err := subscriptions.Get(ctx, subID, nil); !errors.As(err, &refused) || refused.ErrorCode != "AuthorizationFailed" {
		t.Fatalf("without a role: %v", err)
	}

	agent := agentCredential{a.partner, tenantID}
	definitions := must[*armauthorization.RoleDefinitionsClient](t)(armauthorization.NewRoleDefinitionsClient(agent, o))
	scope := "/subscriptions/" + subID
	var readerRole string
	for pages := definitions.NewListPager(scope, &armauthorization.RoleDefinitionsClientListOptions{Filter: to.Ptr("roleName eq 'Reader'")}); pages.More(); {
		for _, d := range must[armauthorization.RoleDefinitionsClientListResponse](t)(pages.NextPage(ctx)).Value {
			readerRole = *d.ID
		}
	}
	custom := must[armauthorization.RoleDefinitionsClientCreateOrUpdateResponse](t)(definitions.CreateOrUpdate(ctx, scope, "0b5fe924-9a61-425c-96af-cfe6e287ca2d", armauthorization.RoleDefinition{
		Properties: &armauthorization.RoleDefinitionProperties{RoleName: to.Ptr("Customer Owner"), RoleType: to.Ptr("CustomRole"), AssignableScopes: []*string{&scope},
			Permissions: []*armauthorization.Permission{{Actions: []*string{to.Ptr("*")}, NotActions: []*string{to.Ptr("Microsoft.Authorization/policyAssignments/write")}}}}}, nil))
	if got := must[armauthorization.RoleDefinitionsClientGetByIDResponse](t)(definitions.GetByID(ctx, (*custom.ID)[1:], nil)); *got.Properties.RoleName != "Customer Owner" {
		t.Errorf("role = %s", *got.Properties.RoleName)
	}

	assignments := must[*armauthorization.RoleAssignmentsClient](t)(armauthorization.NewRoleAssignmentsClient(subID, agent, o))
	const name = "05c5a614-a7d6-4502-b150-c2fb455033ff"
	body := armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
		RoleDefinitionID: &readerRole, PrincipalID: to.Ptr(a.appObject()), PrincipalType: to.Ptr(armauthorization.PrincipalTypeServicePrincipal)}}
	for range 2 { // 201, then 200
		must[armauthorization.RoleAssignmentsClientCreateResponse](t)(assignments.Create(ctx, scope, name, body, nil))
	}
	if _, err := assignments.Create(ctx, scope, "15c5a614-a7d6-4502-b150-c2fb455033ff", body, nil); !errors.As(err, &refused) || refused.ErrorCode != "RoleAssignmentExists" || refused.StatusCode != http.StatusConflict {
		t.Errorf("under another name: %v", err)
	}
	if _, err := subscriptions.Get(ctx, subID, nil); err != nil {
		t.Errorf("with a role: %v", err)
	}
	foreign := 0
	for pages := assignments.NewListForSubscriptionPager(nil); pages.More(); {
		for _, x := range must[armauthorization.RoleAssignmentsClientListForSubscriptionResponse](t)(pages.NextPage(ctx)).Value {
			if *x.Properties.PrincipalType == armauthorization.PrincipalTypeForeignGroup {
				foreign++
			}
		}
	}
	if foreign != 1 {
		t.Errorf("foreign groups = %d, want the partner's", foreign)
	}
	must[armauthorization.RoleAssignmentsClientDeleteResponse](t)(assignments.Delete(ctx, scope, name, nil))
	if _, err := assignments.Get(ctx, scope, name, nil); !errors.As(err, &refused) || refused.StatusCode != http.StatusNotFound {
		t.Errorf("after its deletion: %v", err)
	}
}

// armpolicy defines, assigns and removes.
func TestMicrosoftsPolicyClientWorksUnmodified(t *testing.T) {
	a := startAzure(t)
	a.register("Microsoft.PolicyInsights")
	o, ctx, agent := clientOptions(t, a.s), t.Context(), agentCredential{a.partner, tenantID}
	definitions := must[*armpolicy.DefinitionsClient](t)(armpolicy.NewDefinitionsClient(subID, agent, o))
	assignments := must[*armpolicy.AssignmentsClient](t)(armpolicy.NewAssignmentsClient(subID, agent, o))
	scope := "/subscriptions/" + subID

	if d := must[armpolicy.DefinitionsClientGetBuiltInResponse](t)(definitions.GetBuiltIn(ctx, "a08ec900-254a-4555-9bf5-e42af04b5c5c", nil)); *d.Properties.DisplayName != "Allowed resource types" {
		t.Errorf("built in = %s", *d.Properties.DisplayName)
	}
	own := must[armpolicy.DefinitionsClientCreateOrUpdateResponse](t)(definitions.CreateOrUpdate(ctx, "all-types", armpolicy.Definition{Properties: &armpolicy.DefinitionProperties{
		DisplayName: to.Ptr("All types"), Mode: to.Ptr("All"),
		Parameters: map[string]*armpolicy.ParameterDefinitionsValue{"types": {Type: to.Ptr(armpolicy.ParameterTypeArray)}},
		PolicyRule: map[string]any{"if": map[string]any{"field": "type", "notIn": "[parameters('types')]"}, "then": map[string]any{"effect": "deny"}}}}, nil))
	for range 2 { // both are 201
		must[armpolicy.AssignmentsClientCreateResponse](t)(assignments.Create(ctx, scope, "guard", armpolicy.Assignment{Properties: &armpolicy.AssignmentProperties{
			DisplayName: to.Ptr("Guard"), PolicyDefinitionID: own.ID, EnforcementMode: to.Ptr(armpolicy.EnforcementModeDefault),
			Parameters:            map[string]*armpolicy.ParameterValuesValue{"types": {Value: []string{storage}}},
			NonComplianceMessages: []*armpolicy.NonComplianceMessage{{Message: to.Ptr("Ask your partner.")}}}}, nil))
	}
	if got := a.denies(restrictions(vm)); got != "guard" {
		t.Errorf("denied by %q", got)
	}
	if got := must[armpolicy.AssignmentsClientGetResponse](t)(assignments.Get(ctx, scope, "guard", nil)); *got.Properties.PolicyDefinitionID != *own.ID || len(got.Properties.NonComplianceMessages) != 1 {
		t.Errorf("assignment = %+v", got.Properties)
	}
	n := 0
	for pages := assignments.NewListPager(nil); pages.More(); {
		n += len(must[armpolicy.AssignmentsClientListResponse](t)(pages.NextPage(ctx)).Value)
	}
	if n != 1 {
		t.Errorf("assignments = %d", n)
	}
	must[armpolicy.AssignmentsClientDeleteResponse](t)(assignments.Delete(ctx, scope, "guard", nil))
	must[armpolicy.DefinitionsClientDeleteResponse](t)(definitions.Delete(ctx, "all-types", nil))
	if got := a.denies(restrictions(vm)); got != "" {
		t.Errorf("denied by %q after its end", got)
	}
}

// Without consent in the tenant, azidentity gets no token at all.
func TestMicrosoftsIdentityClientIsRefusedWithoutConsent(t *testing.T) {
	s := sim.Start(t)
	plant(t, s, `{"customers":[{"id":"`+tenantID+`","domain":"one.onmicrosoft.com","name":"One"}]}`)
	o := clientOptions(t, s)
	app := must[*azidentity.ClientSecretCredential](t)(azidentity.NewClientSecretCredential(tenantID, sim.DefaultAppID, sim.DefaultAppSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: o.ClientOptions, DisableInstanceDiscovery: true}))
	_, err := app.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://management.azure.com/.default"}})
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || failed.RawResponse == nil || failed.RawResponse.StatusCode != http.StatusBadRequest {
		t.Errorf("err = %v", err)
	}
	p := newPartner(t, s)
	if got := p.grant(tenantID, url.Values{"grant_type": {"client_credentials"}, "resource": {"https://management.azure.com/"}}); got.status != 400 || got.at("error_codes.0") != "700016" {
		t.Errorf("token = %s", got.raw)
	}
}
