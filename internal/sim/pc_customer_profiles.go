package sim

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// seesDirectory says whether the caller may see what only GDAP opens.
func (c *call) seesDirectory(cu *Customer) bool {
	return c.user() && len(c.w.directoryRoles(c.s, cu, c.who.UPN, c.now)) > 0
}

func getCompanyProfile(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	p := cu.company(true)
	if c.seesDirectory(cu) { // without GDAP address and e-mail are withheld
		a := cu.Billing.Address
		p.Address, p.Email = &a, cu.Billing.Email
	}
	return ok(p)
}

func getBillingProfile(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	return ok(cu.billing(true))
}

// putBillingProfile replaces the profile; If-Match must name the present etag.
func putBillingProfile(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	if strings.Trim(c.r.Header.Get("If-Match"), `"`) != strconv.FormatInt(cu.Billing.Etag, 10) {
		return pcError(http.StatusBadRequest, 2055, "Etag is no longer valid")
	}
	var in BillingProfile
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if bad := badAddress(in.Address, true); bad != nil {
		return invalid(bad.text, bad.fields...)
	}
	if !strings.Contains(in.Email, "@") || in.Company == "" || in.Culture == "" || in.Language == "" {
		return invalid("The billing profile is not complete.", "BillingProfile")
	}
	old := cu.Billing
	in.ID, in.Links, in.Attribute, in.Etag = old.ID, nil, nil, c.s.number()
	in.Culture = canonicalCulture(in.Culture)
	cu.Billing = in
	cu.Name, cu.folded = in.Company, strings.ToLower(in.Company)
	c.record("customer", "update_customer_billing_profile", cu, old.Company, map[string]string{"companyName": in.Company})
	return ok(cu.billing(true))
}

// Qualification is one special standing of a customer.
type Qualification struct {
	Qualification string `json:"qualification"`
	Segment       string `json:"educationSegment,omitempty"`
	Website       string `json:"website,omitempty"`
	Status        string `json:"vettingStatus"`
	Reason        string `json:"vettingReason,omitempty"`
	Created       string `json:"vettingCreatedDate,omitempty"`
	CreateDate    string `json:"vettingCreateDate,omitempty"` // POST spells it so
}

func getQualifications(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	out := cu.Qualified
	if out == nil {
		out = []Qualification{}
	}
	return ok(out)
}

func addQualification(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	var in struct {
		Qualification string
		Segment       string `json:"educationSegment"`
		Website       string
		Code          string `json:"validationCode"`
	}
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	q := Qualification{Qualification: in.Qualification, Segment: in.Segment, Website: in.Website, Status: "InReview", Created: stamp(c.now)}
	switch foldEnum(in.Qualification) {
	case "education":
		if in.Segment == "" {
			return pcError(http.StatusBadRequest, 3000, "Invalid property", "educationSegment")
		}
	case "governmentcommunitycloud":
		if in.Code == "" {
			return pcError(http.StatusBadRequest, 3000, "Invalid property", "validationCode")
		}
	case "stateownedentity":
		q.Status = "Approved"
	default:
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "qualification")
	}
	cu.Qualified = append(cu.Qualified, q)
	c.record("customer", "update_customer_qualification", cu, "", q)
	q.CreateDate, q.Created = q.Created, ""
	return created(q)
}

// getValidationStatus says whether Microsoft has vetted the customer's account.
func getValidationStatus(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	if !strings.EqualFold(c.query("type"), "account") {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "type")
	}
	if strings.EqualFold(cu.Validation, "None") {
		return pcNewError(http.StatusNotFound, 600074, "AccountStatusNotFound", "Account Status for the customer, "+cu.ID+" was not found.", nil)
	}
	return ok(struct {
		Type    string `json:"type"`
		Status  string `json:"status"`
		Updated string `json:"lastUpdateDateTime"`
	}{"account", cu.Validation, cu.ValidatedAt.UTC().Format("2006-01-02T15:04:05")})
}

type budgetBody struct {
	Amount    *float64    `json:"amount"`
	Spending  *float64    `json:"usageSpendingBudget"`
	Attribute *attributes `json:"attributes"`
	Links     *selfLinks  `json:"links"`
}

func (cu *Customer) budget() budgetBody {
	return budgetBody{cu.Budget, cu.Budget, &attributes{Type: "SpendingBudget"}, self("/v1/customers/" + cu.ID + "/usagebudget")}
}

func getBudget(c *call) reply {
	cu, refusal := c.related()
	if refusal != nil {
		return *refusal
	}
	return ok(cu.budget())
}

// patchBudget sets or (null) removes the customer's usage budget.
func patchBudget(c *call) reply {
	cu, refusal := c.related()
	if refusal != nil {
		return *refusal
	}
	var in struct{ Amount *float64 }
	if err := c.decode(&in); err != nil {
		return malformed(err)
	}
	if in.Amount != nil && *in.Amount < 0 {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "amount")
	}
	old := cu.Budget
	cu.Budget = in.Amount
	c.effect(cu.ID, "budget", cu.ID, c.now)
	c.record("spending_limit", "update_customer_spending_budget", cu, fmt.Sprint(old), in)
	return ok(cu.budget())
}
