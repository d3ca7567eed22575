package sim

import "time"

// AzureState is what Resource Manager knows of an Azure subscription. In the dump of
// a customer it is the member "arm" of each subscription.
type AzureState struct {
	ID          string            `json:"id"`
	Plan        string            `json:"plan"`
	Name        string            `json:"name"`
	State       string            `json:"state"` // Enabled, Disabled
	Alias       string            `json:"alias,omitempty"`
	DevTest     bool              `json:"devTest,omitempty"`
	Created     time.Time         `json:"created"`
	Listed      time.Time         `json:"listed"`
	Roles       []RoleState       `json:"roleAssignments"`
	Policies    []PolicyState     `json:"policyAssignments"`
	Definitions []string          `json:"policyDefinitions"`
	Providers   map[string]string `json:"providers"` // namespace → registration state
}

// RoleState is a role assignment in the dump.
type RoleState struct {
	Name      string    `json:"name"`
	Scope     string    `json:"scope"`
	Role      string    `json:"role"` // id of the role definition
	RoleName  string    `json:"roleName"`
	Principal string    `json:"principal"`
	Kind      string    `json:"kind"`
	Condition string    `json:"condition,omitempty"`
	Created   time.Time `json:"created"`
	Acts      time.Time `json:"acts"`
}

// PolicyState is a policy assignment in the dump; Acts is when its last change acts.
type PolicyState struct {
	Name        string         `json:"name"`
	Scope       string         `json:"scope"`
	Definition  string         `json:"definition"`
	Enforcement string         `json:"enforcement"`
	Parameters  map[string]any `json:"parameters"`
	Created     time.Time      `json:"created"`
	Acts        time.Time      `json:"acts"`
}

// AccessAssignmentState is an access assignment in the dump.
type AccessAssignmentState struct {
	ID           string    `json:"id"`
	Relationship string    `json:"relationship"`
	Group        string    `json:"group"`
	Roles        []string  `json:"roles"`
	Status       string    `json:"status"`
	Created      time.Time `json:"created"`
	Acts         time.Time `json:"acts"` // when the status is final
}

// RoleDefinitionState is a custom role in the dump.
type RoleDefinitionState struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Scopes []string `json:"assignableScopes"`
}

// dumpARM adds what Resource Manager and Graph know to the dump of a customer.
func (s *Server) dumpARM(_ *world, cu *Customer, into map[string]any, now time.Time) {
	into["accessAssignments"] = cu.accessStates(now)
	roles := []RoleDefinitionState{}
	for _, d := range cu.arm.roles {
		roles = append(roles, RoleDefinitionState{d.ID, d.Name, d.Scopes})
	}
	into["roleDefinitions"] = roles
}

// showARM adds roles, policies and providers to the dump of a subscription.
func (s *Server) showARM(_ *world, sub *AzureSubscription, into map[string]any, now time.Time) {
	into["arm"] = sub.armState(now)
}

// Subscriptions is what Resource Manager knows of a customer's subscriptions.
func (s *Server) Subscriptions(customer string) []AzureState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if cu := s.w.customer(customer); cu != nil {
		return cu.subscriptionStates(s.Clock.Now())
	}
	return nil
}

// AccessAssignments lists a customer's GDAP access assignments.
func (s *Server) AccessAssignments(customer string) []AccessAssignmentState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if cu := s.w.customer(customer); cu != nil {
		return cu.accessStates(s.Clock.Now())
	}
	return nil
}

func (cu *Customer) accessStates(now time.Time) []AccessAssignmentState {
	out := []AccessAssignmentState{}
	for _, rel := range cu.Relations {
		for _, a := range rel.Assignments {
			out = append(out, AccessAssignmentState{a.ID, rel.ID, a.Group, a.Roles.new, a.Status.at(now), a.Created, a.Status.from})
		}
	}
	return out
}

func (cu *Customer) subscriptionStates(now time.Time) []AzureState {
	out := []AzureState{}
	for _, p := range cu.Plans {
		for _, sub := range p.Azure {
			out = append(out, sub.armState(now))
		}
	}
	return out
}

func (sub *AzureSubscription) armState(now time.Time) AzureState {
	x := AzureState{ID: sub.ID, Plan: sub.Plan.ID, Name: sub.Name.at(now), State: sub.state(now), Alias: sub.Alias, DevTest: sub.DevTest, Created: sub.Created, Listed: sub.Listed,
		Roles: []RoleState{}, Policies: []PolicyState{}, Definitions: []string{}, Providers: map[string]string{}}
	for _, a := range sub.arm.assignments {
		r := RoleState{Name: a.Name, Scope: a.Scope, Role: a.Role, Principal: a.Principal, Kind: a.Kind, Condition: a.Condition, Created: a.Created, Acts: a.Acts}
		if d := sub.Customer.role(a.Role); d != nil {
			r.RoleName = d.Name
		}
		x.Roles = append(x.Roles, r)
	}
	for _, a := range sub.arm.policies {
		v := a.content.new
		if v == nil {
			continue
		}
		state := PolicyState{Name: a.Name, Scope: a.Scope, Definition: v.Definition, Enforcement: v.Enforcement, Parameters: map[string]any{}, Created: a.Created, Acts: a.content.from}
		for k, value := range v.Parameters {
			state.Parameters[k] = value.Value
		}
		x.Policies = append(x.Policies, state)
	}
	for _, d := range sub.arm.definitions {
		x.Definitions = append(x.Definitions, d.Name)
	}
	for i := range sub.arm.providers {
		x.Providers[sub.arm.providers[i].Namespace] = sub.arm.providers[i].State.at(now)
	}
	return x
}
