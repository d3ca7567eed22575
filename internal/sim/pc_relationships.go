package sim

import (
	"net/http"
	"strings"
)

// Reseller is an indirect reseller of an indirect provider.
type Reseller struct {
	ID      string `json:"id"` // tenant id
	Name    string `json:"name"`
	MPN     string `json:"mpnId"`
	Country string `json:"location"`
}

func (w *world) reseller(id string) *Reseller {
	for i := range w.resellers {
		if strings.EqualFold(w.resellers[i].ID, id) || w.resellers[i].MPN == id {
			return &w.resellers[i]
		}
	}
	return nil
}

type resellerBody struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	MPN       string      `json:"mpnId"`
	Location  string      `json:"location"`
	Type      string      `json:"relationshipType"`
	State     string      `json:"state"`
	Attribute *attributes `json:"attributes"`
}

func (r Reseller) body() resellerBody {
	return resellerBody{r.ID, r.Name, r.MPN, r.Country, "is_indirect_cloud_solution_provider_of", "active", &attributes{Type: "PartnerRelationship"}}
}

// getRelationshipRequest is the invitation for an existing tenant.
func getRelationshipRequest(c *call) reply {
	p := c.s.cfg.Partner
	return ok(struct {
		URL       string      `json:"url"`
		Attribute *attributes `json:"attributes"`
	}{"https://admin.microsoft.com/Adminportal/Home?invType=ResellerRelationship&partnerId=" + p.TenantID + "&msppId=" + p.MPN +
		"&DAP=false#/BillingAccounts/partner-invitation", &attributes{Type: "CustomerRelationshipRequest"}})
}

// getCustomerRelationships lists the indirect resellers of a customer.
func getCustomerRelationships(c *call) reply {
	cu, refusal := c.customer()
	if refusal != nil {
		return *refusal
	}
	var out []resellerBody
	if r := c.w.reseller(cu.Reseller); cu.Reseller != "" && r != nil {
		out = append(out, r.body())
	}
	return ok(listing(out))
}

// listResellers lists the partner's own indirect resellers.
func listResellers(c *call) reply {
	switch foldEnum(c.query("relationship_type")) {
	case "isindirectcloudsolutionproviderof":
		var out []resellerBody
		for _, r := range c.w.resellers {
			out = append(out, r.body())
		}
		return ok(listing(out))
	case "isindirectresellerof":
		return ok(listing[resellerBody](nil))
	}
	return pcError(http.StatusBadRequest, 3000, "Invalid property", "relationship_type")
}
