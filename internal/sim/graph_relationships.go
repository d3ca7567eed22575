package sim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// status is the relationship's state as seen now: what was asked for, or the end of
// its time. An offer that nobody answers ends after 90 days.
func (rel *Relationship) status(now time.Time) string {
	s := rel.Status.at(now)
	switch s {
	case "active", "expiring":
		if !now.Before(rel.ends(now)) {
			return "expired"
		}
	case "created", "approvalPending":
		if now.Sub(rel.Created) > 90*24*time.Hour {
			return "expired"
		}
	}
	return s
}

// ends is when the relationship ends, each automatic extension by 180 days included.
func (rel *Relationship) ends(now time.Time) time.Time {
	end := rel.Ends
	if rel.AutoExtend == "P180D" && rel.Status.at(now) == "active" {
		for !now.Before(end) && end.Year() < 9000 {
			end = end.AddDate(0, 0, 180)
		}
	}
	return end
}

type unifiedRole struct {
	ID string `json:"roleDefinitionId"`
}

type accessDetails struct {
	Roles []unifiedRole `json:"unifiedRoles"`
}

func (d *accessDetails) ids() []string {
	var out []string
	for _, r := range d.Roles {
		out = append(out, strings.ToLower(r.ID))
	}
	return out
}

func detailsOf(ids []string) accessDetails {
	out := accessDetails{Roles: []unifiedRole{}}
	for _, id := range ids {
		out.Roles = append(out.Roles, unifiedRole{id})
	}
	return out
}

type relationshipCustomer struct {
	Tenant string `json:"tenantId"`
	Name   string `json:"displayName"`
}

type relationshipBody struct {
	Type       string                `json:"@odata.type,omitempty"`
	Context    string                `json:"@odata.context,omitempty"`
	Etag       string                `json:"@odata.etag"`
	ID         string                `json:"id"`
	Name       string                `json:"displayName"`
	Duration   string                `json:"duration"`
	Customer   *relationshipCustomer `json:"customer"`
	Access     accessDetails         `json:"accessDetails"`
	Status     string                `json:"status"`
	AutoExtend string                `json:"autoExtendDuration"`
	Created    string                `json:"createdDateTime"`
	Modified   string                `json:"lastModifiedDateTime"`
	Activated  string                `json:"activatedDateTime"`
	Ends       string                `json:"endDateTime"`
}

func (c *call) relationshipBody(rel *Relationship) relationshipBody {
	out := relationshipBody{Etag: weakTag(rel.Etag), ID: rel.ID, Name: rel.Name, Duration: rel.Duration, Access: detailsOf(rel.Roles), Status: rel.status(c.now),
		AutoExtend: rel.AutoExtend, Created: stamp(rel.Created), Modified: stamp(rel.Modified), Ends: stamp(rel.ends(c.now))}
	if !rel.Activated.IsZero() && !c.now.Before(rel.Activated) {
		out.Activated = stamp(rel.Activated)
	}
	if rel.Customer != "" {
		out.Customer = &relationshipCustomer{Tenant: rel.Customer}
		if cu := c.w.customer(rel.Customer); cu != nil {
			out.Customer.Name = cu.Name
		} else if s := c.w.strangers[rel.Customer]; s != nil {
			out.Customer.Name = s.Name
		}
	}
	return out
}

// single is the answer of one relationship.
func (c *call) single(rel *Relationship) relationshipBody {
	out := c.relationshipBody(rel)
	out.Type, out.Context = "#microsoft.graph.delegatedAdminRelationship", c.context("delegatedAdminRelationships")
	return out
}

// days reads an ISO 8601 duration of years, months, weeks and days.
func days(text string) (int, bool) {
	rest, is := strings.CutPrefix(text, "P")
	if !is || rest == "" {
		return 0, false
	}
	if rest, _, _ = strings.Cut(rest, "T"); rest == "" {
		return 0, true
	}
	total := 0
	for rest != "" {
		i := strings.IndexAny(rest, "YMWD")
		if i < 1 {
			return 0, false
		}
		n, err := strconv.Atoi(rest[:i])
		if err != nil || n < 0 || n > 10_000 {
			return 0, false
		}
		total += n * map[byte]int{'Y': 365, 'M': 30, 'W': 7, 'D': 1}[rest[i]]
		rest = rest[i+1:]
	}
	return total, true
}

type relationshipInput struct {
	Name       *string               `json:"displayName"`
	Duration   *string               `json:"duration"`
	Customer   *relationshipCustomer `json:"customer"`
	Access     *accessDetails        `json:"accessDetails"`
	AutoExtend *string               `json:"autoExtendDuration"`
}

// apply checks what was sent and writes it into rel.
func (c *call) apply(in relationshipInput, rel *Relationship) *reply {
	bad := func(text string) *reply { r := c.badGraph(text); return &r }
	if in.Name != nil {
		if *in.Name == "" || utf8.RuneCountInString(*in.Name) > 50 {
			return bad("displayName must have 1 to 50 characters.")
		}
		for _, other := range c.w.relations {
			if other != rel && strings.EqualFold(other.Name, *in.Name) {
				r := c.odataError(http.StatusConflict, "conflict", "A relationship with the displayName '"+*in.Name+"' exists.")
				return &r
			}
		}
		rel.Name = *in.Name
	}
	if in.Duration != nil {
		n, valid := days(*in.Duration)
		if !valid || n < 1 || n > 730 {
			return bad("duration must be between P1D and P2Y.")
		}
		rel.Duration, rel.Ends = *in.Duration, rel.Created.AddDate(0, 0, n)
	}
	if in.Customer != nil && in.Customer.Tenant != "" {
		id := strings.ToLower(in.Customer.Tenant)
		if c.w.customers[id] == nil && c.w.strangers[id] == nil {
			return bad("The customer tenant '" + id + "' does not exist.")
		}
		rel.Customer = id
	}
	if in.Access != nil {
		if len(in.Access.Roles) == 0 {
			return bad("accessDetails.unifiedRoles must not be empty.")
		}
		rel.Roles = in.Access.ids()
	}
	if in.AutoExtend != nil {
		switch *in.AutoExtend {
		case "P0D", "PT0S", "P180D":
		default:
			return bad("autoExtendDuration must be P0D, PT0S or P180D.")
		}
		rel.AutoExtend = *in.AutoExtend
	}
	if rel.AutoExtend == "P180D" && slices.Contains(rel.Roles, RoleGlobalAdmin) {
		return bad("A relationship with the role Global Administrator cannot be extended automatically.")
	}
	return nil
}

// createRelationship makes an offer; the customer still has to approve it.
func createRelationship(c *call) reply {
	var in relationshipInput
	if err := c.decode(&in); err != nil {
		return c.badGraph("The body is not valid: " + err.Error())
	}
	if in.Name == nil || in.Duration == nil || in.Access == nil {
		return c.badGraph("displayName, duration and accessDetails are required.")
	}
	rel := &Relationship{ID: c.s.newID() + "-" + c.s.newID(), AutoExtend: "PT0S", Status: steady("created"), Created: c.now, Modified: c.now,
		Readable: c.after(WaitGDAPCreated), Etag: c.s.number()}
	if refusal := c.apply(in, rel); refusal != nil {
		return *refusal
	}
	c.w.addRelationship(rel)
	c.effect(rel.Customer, "relationship", rel.ID, rel.Readable)
	return created(c.single(rel)).with("Location", c.s.URL+"/v1.0/tenantRelationships/delegatedAdminRelationships/"+rel.ID)
}

// relationship resolves {relationship}; a fresh one is not found for a moment.
func (c *call) relationship() (*Relationship, *reply) {
	rel := c.w.relations[strings.ToLower(c.param("relationship"))]
	if rel == nil || c.now.Before(rel.Readable) {
		r := c.odataError(http.StatusNotFound, "notFound", "The delegated admin relationship '"+c.param("relationship")+"' was not found.")
		return nil, &r
	}
	return rel, nil
}

func getRelationship(c *call) reply {
	rel, refusal := c.relationship()
	if refusal != nil {
		return *refusal
	}
	return ok(c.single(rel)).with("ETag", weakTag(rel.Etag))
}

// listRelationships filters by status, customer/tenantId and displayName, orders by
// a date or the name, and pages by $top (300 at most) and $skipToken.
func listRelationships(c *call) reply {
	var found []*Relationship
	terms := filters(c.query("$filter"))
	from := c.w.relations
	for _, f := range terms {
		if strings.EqualFold(f.name, "customer/tenantId") { // the usual question, without a walk through all
			from = map[string]*Relationship{}
			if cu := c.w.customer(f.value); cu != nil {
				for _, rel := range cu.Relations {
					from[rel.ID] = rel
				}
				continue
			}
			for id, rel := range c.w.relations {
				if strings.EqualFold(rel.Customer, f.value) {
					from[id] = rel
				}
			}
		}
	}
	lag := c.lag(c.faults)
	for _, rel := range from {
		if c.now.Before(rel.Readable) || c.now.Add(-lag).Before(rel.Created) {
			continue
		}
		keep := true
		for _, f := range terms {
			switch strings.ToLower(f.name) {
			case "status":
				keep = keep && strings.EqualFold(rel.status(c.now), f.value)
			case "customer/tenantid":
			case "displayname":
				keep = keep && strings.EqualFold(rel.Name, f.value)
			default:
				return c.badGraph("Invalid filter clause: '" + c.query("$filter") + "'.")
			}
		}
		if keep {
			found = append(found, rel)
		}
	}
	property, direction, _ := strings.Cut(c.query("$orderby"), " ")
	slices.SortFunc(found, func(a, b *Relationship) int {
		var order int
		switch strings.ToLower(property) {
		case "displayname":
			order = strings.Compare(a.Name, b.Name)
		case "lastmodifieddatetime":
			order = a.Modified.Compare(b.Modified)
		case "enddatetime":
			order = a.Ends.Compare(b.Ends)
		default:
			order = a.Created.Compare(b.Created)
		}
		if strings.EqualFold(strings.TrimSpace(direction), "desc") {
			order = -order
		}
		return or(order, strings.Compare(a.ID, b.ID))
	})
	top := whole(c.query("$top"), 100)
	if top < 1 || top > 300 {
		return c.badGraph("$top must be between 1 and 300.")
	}
	total, skip := len(found), max(0, whole(c.query("$skipToken"), 0))
	out := graphPage{Context: c.context("delegatedAdminRelationships")}
	if strings.EqualFold(c.query("$count"), "true") {
		out.Count = &total
	}
	found = found[min(skip, total):]
	if len(found) > top {
		q := c.r.URL.Query()
		q.Set("$skipToken", strconv.Itoa(skip+top))
		out.Next = c.s.URL + c.r.URL.Path + "?" + q.Encode()
		found = found[:top]
	}
	list := make([]relationshipBody, 0, len(found))
	for _, rel := range found {
		list = append(list, c.relationshipBody(rel))
	}
	out.Value = list
	if s := c.query("$select"); s != "" {
		out.Value = selected(list, strings.Split(s, ","))
	}
	return ok(out)
}

// selected keeps the named members, and the etag.
func selected(list []relationshipBody, members []string) []object {
	out := make([]object, 0, len(list))
	for _, b := range list {
		all := map[string]any{"id": b.ID, "displayName": b.Name, "duration": b.Duration, "customer": b.Customer, "accessDetails": b.Access, "status": b.Status,
			"autoExtendDuration": b.AutoExtend, "createdDateTime": b.Created, "lastModifiedDateTime": b.Modified, "activatedDateTime": b.Activated, "endDateTime": b.Ends}
		o := object{"@odata.etag": b.Etag}
		for _, m := range members {
			if v, has := value(all, strings.TrimSpace(m)); has {
				o[strings.TrimSpace(m)] = v
			}
		}
		out = append(out, o)
	}
	return out
}

// updateRelationship changes an offer; of an active relationship only the automatic
// extension, or the removal of Global Administrator.
func updateRelationship(c *call) reply {
	var in relationshipInput
	if err := c.decode(&in); err != nil {
		return c.badGraph("The body is not valid: " + err.Error())
	}
	rel, refusal := c.relationship()
	if refusal == nil {
		refusal = c.matches(rel.Etag)
	}
	if refusal != nil {
		return *refusal
	}
	switch status := rel.status(c.now); {
	case status == "created":
	case status == "active" && in.Name == nil && in.Duration == nil && in.Customer == nil && (in.Access == nil || removesGlobalAdmin(rel.Roles, in.Access.ids())):
	default:
		return c.odataError(http.StatusConflict, "conflict", "The relationship is "+status+": only autoExtendDuration can be changed, and only while it is active.")
	}
	next := *rel
	if refusal := c.apply(in, &next); refusal != nil && refusal.status != http.StatusConflict {
		return *refusal
	} else if refusal != nil && in.Name != nil && !strings.EqualFold(*in.Name, rel.Name) {
		return *refusal
	}
	if next.Customer != rel.Customer {
		if cu := c.w.customers[rel.Customer]; cu != nil {
			cu.Relations = slices.DeleteFunc(cu.Relations, func(x *Relationship) bool { return x == rel })
		}
		if cu := c.w.customers[next.Customer]; cu != nil {
			cu.Relations = append(cu.Relations, rel)
		}
	}
	*rel = next
	rel.Modified, rel.Etag = c.now, c.s.number()
	return ok(c.single(rel)).with("ETag", weakTag(rel.Etag))
}

func removesGlobalAdmin(have, want []string) bool {
	left := slices.DeleteFunc(slices.Clone(have), func(id string) bool { return id == RoleGlobalAdmin })
	slices.Sort(left)
	want = slices.Clone(want)
	slices.Sort(want)
	return slices.Equal(left, want)
}

func deleteRelationship(c *call) reply {
	rel, refusal := c.relationship()
	if refusal == nil {
		refusal = c.matches(rel.Etag)
	}
	if refusal != nil {
		return *refusal
	}
	if s := rel.status(c.now); s != "created" {
		return c.odataError(http.StatusConflict, "conflict", "The relationship is "+s+" and cannot be deleted.")
	}
	delete(c.w.relations, rel.ID)
	if cu := c.w.customers[rel.Customer]; cu != nil {
		cu.Relations = slices.DeleteFunc(cu.Relations, func(x *Relationship) bool { return x == rel })
	}
	return empty(http.StatusNoContent)
}

type relationshipRequestBody struct {
	Context  string `json:"@odata.context,omitempty"`
	ID       string `json:"id"`
	Action   string `json:"action"`
	Status   string `json:"status"`
	Created  string `json:"createdDateTime"`
	Modified string `json:"lastModifiedDateTime"`
}

func (q *RelationshipRequest) body(now time.Time) relationshipRequestBody {
	return relationshipRequestBody{ID: q.ID, Action: q.Action, Status: q.Status.at(now), Created: stamp(q.Created), Modified: stamp(q.Modified)}
}

// requestRelationship asks for a change of state. Approving and rejecting are the
// customer's: a partner's token is refused.
func requestRelationship(c *call) reply {
	var in struct {
		Action string `json:"action"`
	}
	if err := c.decode(&in); err != nil {
		return c.badGraph("The body is not valid: " + err.Error())
	}
	rel, refusal := c.relationship()
	if refusal == nil && c.r.Header.Get("If-Match") != "" {
		refusal = c.matches(rel.Etag)
	}
	if refusal != nil {
		return *refusal
	}
	status := rel.status(c.now)
	from := c.now
	switch in.Action {
	case "lockForApproval":
		if status != "created" {
			return c.odataError(http.StatusConflict, "conflict", "The relationship is "+status+" and cannot be locked for approval.")
		}
		rel.Status.set("approvalPending", c.now, c.now)
	case "terminate":
		if status != "active" && status != "approvalPending" && status != "expiring" {
			return c.odataError(http.StatusConflict, "conflict", "The relationship is "+status+" and cannot be terminated.")
		}
		from = c.after(WaitGDAPActive)
		rel.Status = lagging[string]{old: "terminating", new: "terminated", from: from}
	case "approve", "reject":
		return c.odataError(http.StatusForbidden, "Authorization_RequestDenied", "Only an administrator of the customer can "+in.Action+" a relationship.")
	default:
		return c.badGraph("The action '" + in.Action + "' is unknown.")
	}
	rel.Modified, rel.Etag = c.now, c.s.number()
	q := &RelationshipRequest{ID: c.s.newID(), Action: in.Action, Status: lagging[string]{old: "pending", new: "succeeded", from: from}, Created: c.now, Modified: from}
	if !from.After(c.now) {
		q.Status.old = "succeeded"
	}
	rel.Requests = append(rel.Requests, q)
	c.effect(rel.Customer, "relationship "+in.Action, rel.ID, from)
	out := q.body(c.now)
	out.Status, out.Context = "created", c.context("delegatedAdminRelationships('"+rel.ID+"')/requests/$entity")
	return created(out)
}

func listRelationshipRequests(c *call) reply {
	rel, refusal := c.relationship()
	if refusal != nil {
		return *refusal
	}
	list := []relationshipRequestBody{}
	for _, q := range rel.Requests {
		list = append(list, q.body(c.now))
	}
	return ok(graphPage{Context: c.context("delegatedAdminRelationships('" + rel.ID + "')/requests"), Value: list})
}

func getDelegatedRequest(c *call) reply {
	rel, refusal := c.relationship()
	if refusal != nil {
		return *refusal
	}
	for _, q := range rel.Requests {
		if strings.EqualFold(q.ID, c.param("request")) {
			out := q.body(c.now)
			out.Context = c.context("delegatedAdminRelationships('" + rel.ID + "')/requests/$entity")
			return ok(out)
		}
	}
	return c.odataError(http.StatusNotFound, "notFound", "The request '"+c.param("request")+"' was not found.")
}

// ApproveRelationship plays the customer's administrator, who opens the approval
// link of a relationship that is locked for approval.
func (s *Server) ApproveRelationship(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now()
	rel := s.w.relations[strings.ToLower(id)]
	if rel == nil {
		return fmt.Errorf("there is no relationship %s", id)
	}
	if status := rel.status(now); status != "approvalPending" {
		return fmt.Errorf("relationship %s is %s, not approvalPending", id, status)
	}
	active := s.after(now, WaitGDAPActive)
	n, _ := days(rel.Duration)
	rel.Status = lagging[string]{old: "activating", new: "active", from: active}
	rel.Activated, rel.Modified, rel.Ready, rel.Ends = active, now, s.after(active, WaitGDAPReady), active.AddDate(0, 0, n)
	rel.Etag = s.number()
	return nil
}
