package sim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type accessContainer struct {
	ID   string `json:"accessContainerId"`
	Type string `json:"accessContainerType"`
}

type accessBody struct {
	Type      string          `json:"@odata.type,omitempty"`
	Context   string          `json:"@odata.context,omitempty"`
	Etag      string          `json:"@odata.etag"`
	ID        string          `json:"id"`
	Status    string          `json:"status"`
	Created   string          `json:"createdDateTime"`
	Modified  string          `json:"lastModifiedDateTime"`
	Container accessContainer `json:"accessContainer"`
	Access    accessDetails   `json:"accessDetails"`
}

// body shows the roles that were asked for last, which may not act yet.
func (a *AccessAssignment) body(now time.Time) accessBody {
	return accessBody{Etag: weakTag(a.Etag), ID: a.ID, Status: a.Status.at(now), Created: stamp(a.Created), Modified: stamp(a.Modified),
		Container: accessContainer{a.Group, "securityGroup"}, Access: detailsOf(a.Roles.new)}
}

func (c *call) singleAccess(rel *Relationship, a *AccessAssignment) accessBody {
	out := a.body(c.now)
	out.Type = "#microsoft.graph.delegatedAdminAccessAssignment"
	out.Context = c.context("delegatedAdminRelationships('" + rel.ID + "')/accessAssignments/$entity")
	return out
}

// rolesWithin checks that the roles are some of the relationship's.
func (c *call) rolesWithin(rel *Relationship, ids []string) *reply {
	if len(ids) == 0 {
		r := c.badGraph("accessDetails.unifiedRoles must not be empty.")
		return &r
	}
	for _, id := range ids {
		if !slices.Contains(rel.Roles, id) {
			r := c.badGraph("The role '" + id + "' is not one of the relationship's.")
			return &r
		}
	}
	return nil
}

// createAccess gives a security group of the partner roles in the customer. Right
// after activation the relationship is not known everywhere: it then fails.
func createAccess(c *call) reply {
	var in struct {
		Container accessContainer `json:"accessContainer"`
		Access    accessDetails   `json:"accessDetails"`
	}
	if err := c.decode(&in); err != nil {
		return c.badGraph("The body is not valid: " + err.Error())
	}
	rel, refusal := c.relationship()
	if refusal != nil {
		return *refusal
	}
	switch status := rel.status(c.now); {
	case status != "active":
		return c.badGraph("The relationship is " + status + ", not active.")
	case c.now.Before(rel.Ready):
		return c.badGraph("The passed-in id is invalid.")
	case in.Container.Type != "securityGroup":
		return c.badGraph("accessContainerType must be securityGroup.")
	case c.s.groupByID(in.Container.ID) == nil:
		return c.badGraph("The access container does not exist.")
	}
	ids := in.Access.ids()
	if refusal := c.rolesWithin(rel, ids); refusal != nil {
		return *refusal
	}
	for _, a := range rel.Assignments {
		if strings.EqualFold(a.Group, in.Container.ID) && a.Status.new == "active" {
			return c.odataError(http.StatusConflict, "conflict", "An access assignment for the access container '"+a.Group+"' exists.")
		}
	}
	from := c.after(WaitGDAPAssignment)
	a := &AccessAssignment{ID: c.s.newID(), Group: strings.ToLower(in.Container.ID), Roles: steady(ids),
		Status: lagging[string]{old: "pending", new: "active", from: from}, Created: c.now, Modified: c.now, Etag: c.s.number()}
	rel.Assignments = append(rel.Assignments, a)
	c.effect(rel.Customer, "access assignment", a.ID, from)
	out := c.singleAccess(rel, a)
	out.Status = "pending" // it always begins so
	return created(out).with("Location", c.s.URL+"/v1.0/tenantRelationships/delegatedAdminRelationships/"+rel.ID+"/accessAssignments/"+a.ID)
}

// listAccess shows all but those that are gone.
func listAccess(c *call) reply {
	rel, refusal := c.relationship()
	if refusal != nil {
		return *refusal
	}
	terms := filters(c.query("$filter"))
	list, lag := []accessBody{}, c.lag(c.faults)
	for _, a := range rel.Assignments {
		status := a.Status.at(c.now)
		if status == "deleted" || c.now.Add(-lag).Before(a.Created) {
			continue
		}
		keep := true
		for _, f := range terms {
			switch strings.ToLower(f.name) {
			case "status":
				keep = keep && strings.EqualFold(status, f.value)
			case "accesscontainer/accesscontainerid":
				keep = keep && strings.EqualFold(a.Group, f.value)
			default:
				return c.badGraph("Invalid filter clause: '" + c.query("$filter") + "'.")
			}
		}
		if keep {
			list = append(list, a.body(c.now))
		}
	}
	return ok(graphPage{Context: c.context("delegatedAdminRelationships('" + rel.ID + "')/accessAssignments"), Value: list})
}

// access resolves {relationship} and {assignment}.
func (c *call) access() (*Relationship, *AccessAssignment, *reply) {
	rel, refusal := c.relationship()
	if refusal != nil {
		return nil, nil, refusal
	}
	for _, a := range rel.Assignments {
		if strings.EqualFold(a.ID, c.param("assignment")) {
			return rel, a, nil
		}
	}
	r := c.odataError(http.StatusNotFound, "notFound", "The access assignment '"+c.param("assignment")+"' was not found.")
	return nil, nil, &r
}

func getAccess(c *call) reply {
	rel, a, refusal := c.access()
	if refusal != nil {
		return *refusal
	}
	return ok(c.singleAccess(rel, a)).with("ETag", weakTag(a.Etag))
}

// updateAccess changes the roles, by a long-running operation.
func updateAccess(c *call) reply {
	var in struct {
		Access accessDetails `json:"accessDetails"`
	}
	if err := c.decode(&in); err != nil {
		return c.badGraph("The body is not valid: " + err.Error())
	}
	rel, a, refusal := c.access()
	if refusal == nil {
		refusal = c.matches(a.Etag)
	}
	if refusal != nil {
		return *refusal
	}
	if s := a.Status.at(c.now); s != "active" {
		return c.odataError(http.StatusConflict, "conflict", "The access assignment is "+s+".")
	}
	ids := in.Access.ids()
	if refusal := c.rolesWithin(rel, ids); refusal != nil {
		return *refusal
	}
	if slices.Equal(ids, a.Roles.new) {
		return ok(c.singleAccess(rel, a))
	}
	from := c.after(WaitGDAPAssignment)
	a.Roles.set(ids, c.now, from)
	return c.operate(rel, a, "delegatedAdminAccessAssignmentUpdate", from)
}

func deleteAccess(c *call) reply {
	rel, a, refusal := c.access()
	if refusal == nil {
		refusal = c.matches(a.Etag)
	}
	if refusal != nil {
		return *refusal
	}
	if a.Status.new == "deleted" {
		return c.odataError(http.StatusNotFound, "notFound", "The access assignment '"+a.ID+"' was not found.")
	}
	from := c.after(WaitGDAPAssignment)
	a.Status = lagging[string]{old: "deleting", new: "deleted", from: from}
	return c.operate(rel, a, "delegatedAdminAccessAssignmentDelete", from)
}

// operate notes a long-running operation and answers where to look for its end.
func (c *call) operate(rel *Relationship, a *AccessAssignment, kind string, from time.Time) reply {
	a.Modified, a.Etag = c.now, c.s.number()
	op := &RelationshipOperation{ID: c.s.newID(), Type: kind, Status: lagging[string]{old: "running", new: "succeeded", from: from}, Created: c.now}
	rel.Operations = append(rel.Operations, op)
	c.effect(rel.Customer, "access assignment", a.ID, from)
	return empty(http.StatusAccepted).with("Retry-After", strconv.Itoa(seconds(c.s.Clock.Real(10*time.Second)))).
		with("Location", c.s.URL+"/v1.0/tenantRelationships/delegatedAdminRelationships/"+rel.ID+"/operations/"+op.ID)
}

type operationBody struct {
	Context  string `json:"@odata.context,omitempty"`
	ID       string `json:"id"`
	Type     string `json:"operationType"`
	Status   string `json:"status"`
	Data     string `json:"data"`
	Created  string `json:"createdDateTime"`
	Modified string `json:"lastModifiedDateTime"`
}

func (o *RelationshipOperation) body(now time.Time) operationBody {
	return operationBody{ID: o.ID, Type: o.Type, Status: o.Status.at(now), Created: stamp(o.Created), Modified: stamp(o.Created)}
}

func listOperations(c *call) reply {
	rel, refusal := c.relationship()
	if refusal != nil {
		return *refusal
	}
	list := []operationBody{}
	for _, o := range rel.Operations {
		list = append(list, o.body(c.now))
	}
	return ok(graphPage{Context: c.context("delegatedAdminRelationships('" + rel.ID + "')/operations"), Value: list})
}

func getOperation(c *call) reply {
	rel, refusal := c.relationship()
	if refusal != nil {
		return *refusal
	}
	for _, o := range rel.Operations {
		if strings.EqualFold(o.ID, c.param("operation")) {
			out := o.body(c.now)
			out.Context = c.context("delegatedAdminRelationships('" + rel.ID + "')/operations/$entity")
			return ok(out)
		}
	}
	return c.odataError(http.StatusNotFound, "notFound", "The operation '"+c.param("operation")+"' was not found.")
}
