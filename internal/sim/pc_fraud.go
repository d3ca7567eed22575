package sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fraudTypes are the events that Microsoft raises.
var fraudTypes = []string{"ServiceHealthSecurityAdvisory", "UsageAnomalyDetection", "MultiRegionVirtualMachineScaleSetDeploymentAnomaly",
	"NetworkConnectionsToCryptoMiningPools", "VirtualMachineDeploymentAnomaly", "MultiRegionMachineLearningUsageAnomaly"}

// fraudEvent is a warning about an Azure subscription.
type fraudEvent struct {
	id, kind, tenant, company, subscription, name, resource, group string
	at                                                             time.Time
	status, reason, by                                             string
	hits                                                           int
	resolved                                                       time.Time
}

func (s *Server) registerFraud() {
	pc := servicePartnerCenter
	s.on(pc, "GET /v1/fraudEvents", needsUser, unlocked, listFraud)
	s.on(pc, "POST /v1/fraudEvents/subscription/{subscription}/status", needsUser, unlocked, setFraud)
}

// fraudBody is an event; newer asks for the newer model.
func (c *call) fraudBody(f *fraudEvent, newer bool) object {
	out := object{"eventTime": stamp(f.at), "eventId": f.id, "partnerTenantId": c.s.cfg.Partner.TenantID, "partnerFriendlyName": c.s.cfg.Partner.Name, "customerTenantId": f.tenant, "customerFriendlyName": f.company,
		"subscriptionId": f.subscription, "subscriptionName": f.name, "subscriptionType": "modern", "entityId": f.resource, "entityName": f.resource, "entityUrl": "https://portal.azure.com/#resource" + f.resource,
		"hitCount": strconv.Itoa(f.hits), "catalogOfferId": ProductAzurePlan, "eventStatus": f.status, "serviceName": "Azure Batch", "resourceName": f.resource, "resourceGroupName": f.group,
		"firstOccurrence": stamp(f.at), "lastOccurrence": stamp(f.at), "resolvedReason": or(f.reason, "None"), "resolvedOn": "0001-01-01T00:00:00", "resolvedBy": f.by,
		"firstObserved": stamp(f.at), "lastObserved": stamp(f.at)}
	if !f.resolved.IsZero() {
		out["resolvedOn"] = stamp(f.resolved)
	}
	if newer {
		out["eventType"], out["severity"], out["confidenceLevel"], out["displayName"], out["description"] = f.kind, "High", "high", "sim-"+f.kind, "The subscription behaves as if it were misused."
		out["country"], out["valueAddedResellerTenantId"], out["valueAddedResellerFriendlyName"] = c.s.cfg.Partner.Country, "", ""
		out["affectedResources"], out["additionalDetails"], out["IsTest"], out["activityLogs"] = []object{{"azureResourceId": f.resource, "type": "Virtual Machine"}}, object{}, "false", "[]"
	}
	return out
}

func listFraud(c *call) reply {
	newer := strings.EqualFold(c.r.Header.Get("X-NewEventsModel"), "true")
	b := c.s.bill
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []object{}
	for _, f := range b.fraud {
		if status := c.query("EventStatus"); status != "" && !strings.EqualFold(status, f.status) {
			continue
		}
		if id := c.query("SubscriptionId"); id != "" && !strings.EqualFold(id, f.subscription) {
			continue
		}
		if kind := c.query("EventType"); newer && kind != "" && !strings.EqualFold(kind, f.kind) {
			continue
		}
		out = append(out, c.fraudBody(f, newer))
	}
	if size, err := strconv.Atoi(c.query("PageSize")); newer && err == nil && size > 0 {
		page, err := strconv.Atoi(c.query("PageNumber"))
		if err != nil || page < 1 {
			page = 1
		}
		first := min((page-1)*size, len(out))
		out = out[first:min(first+size, len(out))]
	}
	return ok(out)
}

func setFraud(c *call) reply {
	var in struct {
		EventIDs       []string `json:"EventIds"`
		EventStatus    string
		ResolvedReason string
	}
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if !slices.Contains([]string{"Investigating", "Resolved"}, in.EventStatus) {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "EventStatus")
	}
	if in.EventStatus == "Resolved" && in.ResolvedReason != "Fraud" && in.ResolvedReason != "Ignore" {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "ResolvedReason")
	}
	b := c.s.bill
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []object{}
	for _, f := range b.fraud {
		if !strings.EqualFold(f.subscription, c.param("subscription")) || (len(in.EventIDs) > 0 && !slices.Contains(in.EventIDs, f.id)) {
			continue
		}
		f.status = in.EventStatus
		if in.EventStatus == "Resolved" {
			f.reason, f.resolved, f.by = in.ResolvedReason, c.now, c.who.UPN
		}
		out = append(out, c.fraudBody(f, strings.EqualFold(c.r.Header.Get("X-NewEventsModel"), "true")))
	}
	if len(out) == 0 {
		return pcError(http.StatusNotFound, 3000, "No fraud events were found for the subscription.")
	}
	return ok(out)
}
