package sim

import (
	"net/http"
	"strings"
)

// providerState is a resource provider's registration in a subscription.
type providerState struct {
	Namespace string
	State     lagging[string]
}

// alwaysRegistered need no registration.
var alwaysRegistered = []string{"Microsoft.Authorization", "Microsoft.Billing", "Microsoft.ClassicSubscription", "Microsoft.Commerce", "Microsoft.Consumption",
	"Microsoft.CostManagement", "Microsoft.Features", "Microsoft.Portal", "Microsoft.ResourceGraph", "Microsoft.Resources", "Microsoft.SerialConsole",
	"Microsoft.Subscription", "Microsoft.Support"}

// resourceProviders can be registered; others do not exist here.
var resourceProviders = []string{"Microsoft.AlertsManagement", "Microsoft.ApiManagement", "Microsoft.App", "Microsoft.AppConfiguration", "Microsoft.Automation",
	"Microsoft.Backup", "Microsoft.Batch", "Microsoft.BotService", "Microsoft.Cache", "Microsoft.Cdn", "Microsoft.CognitiveServices", "Microsoft.Compute",
	"Microsoft.ContainerInstance", "Microsoft.ContainerRegistry", "Microsoft.ContainerService", "Microsoft.DBforMariaDB", "Microsoft.DBforMySQL", "Microsoft.DBforPostgreSQL",
	"Microsoft.DataFactory", "Microsoft.DataLakeStore", "Microsoft.DataProtection", "Microsoft.Databricks", "Microsoft.DesktopVirtualization", "Microsoft.DevTestLab",
	"Microsoft.Devices", "Microsoft.DocumentDB", "Microsoft.EventGrid", "Microsoft.EventHub", "Microsoft.GuestConfiguration", "Microsoft.HDInsight",
	"Microsoft.HybridCompute", "Microsoft.Insights", "Microsoft.KeyVault", "Microsoft.Kubernetes", "Microsoft.Kusto", "Microsoft.Logic", "Microsoft.MachineLearningServices",
	"Microsoft.Maintenance", "Microsoft.ManagedIdentity", "Microsoft.ManagedServices", "Microsoft.Management", "Microsoft.Maps", "Microsoft.Migrate", "Microsoft.Monitor",
	"Microsoft.NetApp", "Microsoft.Network", "Microsoft.NotificationHubs", "Microsoft.OperationalInsights", "Microsoft.OperationsManagement", "Microsoft.PolicyInsights",
	"Microsoft.PowerBIDedicated", "Microsoft.Purview", "Microsoft.RecoveryServices", "Microsoft.RedHatOpenShift", "Microsoft.Relay", "Microsoft.ResourceHealth", "Microsoft.Search", "Microsoft.Security",
	"Microsoft.SecurityInsights", "Microsoft.ServiceBus", "Microsoft.ServiceFabric", "Microsoft.SignalRService", "Microsoft.Sql", "Microsoft.SqlVirtualMachine", "Microsoft.Storage", "Microsoft.StorageSync", "Microsoft.StreamAnalytics",
	"Microsoft.Synapse", "Microsoft.VirtualMachineImages", "Microsoft.VMware", "Microsoft.Web"}

// provider finds a namespace by its name without case, "" if there is none.
func provider(namespace string) (name string, always bool) {
	for _, n := range alwaysRegistered {
		if strings.EqualFold(n, namespace) {
			return n, true
		}
	}
	for _, n := range resourceProviders {
		if strings.EqualFold(n, namespace) {
			return n, false
		}
	}
	return "", false
}

// registration is the state of a namespace in the subscription as seen now.
func (c *call) registration(sub *AzureSubscription, namespace string) string {
	if _, always := provider(namespace); always {
		return "Registered"
	}
	for i := range sub.arm.providers {
		if p := &sub.arm.providers[i]; strings.EqualFold(p.Namespace, namespace) {
			return p.State.at(c.now)
		}
	}
	return "NotRegistered"
}

// unregistered is the refusal of a call to a provider that is not registered.
func (c *call) unregistered(sub *AzureSubscription, namespace string) *reply {
	if c.registration(sub, namespace) == "Registered" {
		return nil
	}
	r := armError(http.StatusConflict, "MissingSubscriptionRegistration", "The subscription is not registered to use namespace '"+namespace+
		"'. See https://aka.ms/rps-not-found for how to register subscriptions.")
	return &r
}

type providerBody struct {
	ID        string   `json:"id"`
	Namespace string   `json:"namespace"`
	Policy    string   `json:"registrationPolicy"`
	Types     []string `json:"resourceTypes"`
	State     string   `json:"registrationState"`
}

func (c *call) providerBody(sub *AzureSubscription, namespace, state string) providerBody {
	policy := "RegistrationRequired"
	if _, always := provider(namespace); always {
		policy = "RegistrationFree"
	}
	return providerBody{sub.path() + "/providers/" + namespace, namespace, policy, []string{}, state}
}

func listProviders(c *call) reply {
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), "Microsoft.Resources/subscriptions/providers/read")
	if refusal != nil {
		return *refusal
	}
	var out []providerBody
	for _, known := range [][]string{alwaysRegistered, resourceProviders} {
		for _, n := range known {
			out = append(out, c.providerBody(sub, n, c.registration(sub, n)))
		}
	}
	return values(out)
}

// namespace resolves {subscription} and {namespace}.
func (c *call) namespace(action string) (*AzureSubscription, string, *reply) {
	name, _ := provider(c.param("namespace"))
	sub, refusal := c.at("/subscriptions/"+c.param("subscription"), strings.Replace(action, "*", or(name, c.param("namespace")), 1))
	if refusal != nil {
		return nil, "", refusal
	}
	if name == "" {
		r := armError(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '"+c.param("namespace")+"' is invalid.")
		return nil, "", &r
	}
	return sub, name, nil
}

func getProvider(c *call) reply {
	sub, name, refusal := c.namespace("Microsoft.Resources/subscriptions/providers/read")
	if refusal != nil {
		return *refusal
	}
	return ok(c.providerBody(sub, name, c.registration(sub, name)))
}

func registerProvider(c *call) reply {
	return c.changeProvider("register", "Registering", "Registered")
}
func unregisterProvider(c *call) reply {
	return c.changeProvider("unregister", "Unregistering", "Unregistered")
}

// changeProvider starts a registration or its end. Asked again on the way, or after
// it, nothing changes.
func (c *call) changeProvider(verb, on, then string) reply {
	sub, name, refusal := c.namespace("*/" + verb + "/action")
	if refusal != nil {
		return *refusal
	}
	if _, always := provider(name); always {
		return ok(c.providerBody(sub, name, "Registered"))
	}
	var p *providerState
	for i := range sub.arm.providers {
		if sub.arm.providers[i].Namespace == name {
			p = &sub.arm.providers[i]
		}
	}
	if p == nil {
		sub.arm.providers = append(sub.arm.providers, providerState{Namespace: name, State: steady("NotRegistered")})
		p = &sub.arm.providers[len(sub.arm.providers)-1]
	}
	if p.State.new == then {
		return ok(c.providerBody(sub, name, p.State.at(c.now)))
	}
	from := c.after(WaitProvider)
	p.State = lagging[string]{old: on, new: then, from: from}
	c.effect(sub.Customer.ID, "provider", name, from)
	return ok(c.providerBody(sub, name, on))
}
