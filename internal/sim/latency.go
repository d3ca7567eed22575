package sim

import "time"

// Profile names a set of waits.
type Profile string

const (
	Instant  Profile = "instant"  // every effect is visible at once
	Recorded Profile = "recorded" // the waits that Microsoft documents or users report
)

// Wait names the time between a call and the moment its effect can be seen.
type Wait string

const (
	WaitCustomerCreate   Wait = "customer_create"   // POST /v1/customers holds its answer so long
	WaitCustomerListed   Wait = "customer_listed"   // the customer appears in lists
	WaitRelationship     Wait = "relationship"      // relationshipToPartner becomes reseller; before it 20002
	WaitAttestation      Wait = "attestation"       // an acceptance is seen by the API
	WaitAgreement        Wait = "agreement"         // a confirmation is listed and counts
	WaitOrder            Wait = "order"             // pending becomes completed
	WaitOrderListed      Wait = "order_listed"      // the order appears in the list
	WaitPlanListed       Wait = "plan_listed"       // after completion, the plan appears under subscriptions
	WaitEntitlement      Wait = "entitlement"       // after completion, the plan's first Azure subscription
	WaitEntitlementEnd   Wait = "entitlement_end"   // a cancelled entitlement shows it
	WaitBillingCustomer  Wait = "billing_customer"  // after completion, the customer below the billing account
	WaitAlias            Wait = "alias"             // Accepted becomes Succeeded
	WaitSubscriptionRead Wait = "subscription_read" // a new Azure subscription can be read with a customer tenant's token
	WaitRename           Wait = "rename"            // a new name shows
	WaitSubscriptionEnd  Wait = "subscription_end"  // cancel or enable shows
	WaitConsent          Wait = "consent"           // until then tokens are refused with 65001 or 700016
	WaitPrincipal        Wait = "principal"         // a new principal is replicated; before it PrincipalNotFound
	WaitRole             Wait = "role"              // a role assignment acts
	WaitRoleDefinition   Wait = "role_definition"   // a custom role can be assigned
	WaitPolicy           Wait = "policy"            // a policy assignment acts
	WaitProvider         Wait = "provider"          // Registering becomes Registered
	WaitGDAPCreated      Wait = "gdap_created"      // a new relationship can be read
	WaitGDAPActive       Wait = "gdap_active"       // activating becomes active
	WaitGDAPReady        Wait = "gdap_ready"        // after activation, assignments stop failing
	WaitGDAPAssignment   Wait = "gdap_assignment"   // pending becomes active
	WaitAudit            Wait = "audit"             // an audit record is listed
	WaitWebhook          Wait = "webhook"           // an event is delivered
	WaitProvisioning     Wait = "provisioning"      // registration of a subscription for reservations
	WaitExport           Wait = "export"            // a billing export is running
)

// recorded are the documented waits. Where a range is documented (roles "up to 10
// minutes", policy "5 to 30") the value is a usual one, not the limit: a simulated
// onboarding then takes about as long as users report.
var recorded = map[Wait]time.Duration{
	WaitCustomerCreate:   15 * time.Second, // "seconds to a minute"
	WaitCustomerListed:   30 * time.Second,
	WaitRelationship:     time.Minute, // "minutes at most"
	WaitAttestation:      2 * time.Second,
	WaitAgreement:        5 * time.Second,
	WaitOrder:            2 * time.Minute,  // pending to completed "in minutes"
	WaitOrderListed:      5 * time.Minute,  // "up to 15 minutes"
	WaitPlanListed:       time.Minute,      // all of order and plan "up to 15 minutes"
	WaitEntitlement:      2 * time.Minute,  //
	WaitEntitlementEnd:   10 * time.Minute, // "after about 10 minutes"
	WaitBillingCustomer:  3 * time.Minute,  // "minutes after the order completes"
	WaitAlias:            time.Minute,      // "usually under a minute"
	WaitSubscriptionRead: 20 * time.Second,
	WaitRename:           10 * time.Second,
	WaitSubscriptionEnd:  time.Minute,
	WaitConsent:          90 * time.Second, // "up to minutes"
	WaitPrincipal:        time.Minute,      // "retry up to 10 min"
	WaitRole:             5 * time.Minute,  // "up to 10 minutes"
	WaitRoleDefinition:   time.Minute,
	WaitPolicy:           10 * time.Minute, // "5-30 minutes"
	WaitProvider:         90 * time.Second, // "minutes"
	WaitGDAPCreated:      2 * time.Second,  // "sub-second to seconds"
	WaitGDAPActive:       20 * time.Second,
	WaitGDAPReady:        3 * time.Minute, // "can fail for up to 8 minutes after activation"
	WaitGDAPAssignment:   time.Minute,     // "minutes"
	WaitAudit:            time.Minute,
	WaitWebhook:          5 * time.Second,
	WaitProvisioning:     2 * time.Minute,
	WaitExport:           2 * time.Minute, // "minutes"
}

// wait is the vendor's duration of w under the present profile and settings.
func (s *Server) wait(w Wait) time.Duration {
	s.waitMu.RLock()
	defer s.waitMu.RUnlock()
	if d, set := s.waits[w]; set {
		return d
	}
	if s.profile == Recorded {
		return recorded[w]
	}
	return 0
}

// after is when an effect that begins at from can be seen.
func (s *Server) after(from time.Time, w Wait) time.Time {
	return from.Add(s.Clock.Real(s.wait(w)))
}

// SetWait replaces one wait of the profile. It counts for effects that begin later.
func (s *Server) SetWait(w Wait, d time.Duration) {
	s.waitMu.Lock()
	defer s.waitMu.Unlock()
	s.waits[w] = d
}

// SetLatency changes the profile; single waits set before stay.
func (s *Server) SetLatency(p Profile) {
	s.waitMu.Lock()
	defer s.waitMu.Unlock()
	s.profile = p
}
