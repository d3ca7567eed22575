package sim

import (
	"net/http"
	"strings"
)

func (s *Server) registerCatalogue() {
	pc := servicePartnerCenter
	for _, base := range []string{"/v1/products", "/v1/customers/{customer}/products"} {
		s.on(pc, "GET "+base, needsToken, reads, listProducts, salesAgents)
		s.on(pc, "GET "+base+"/{product}", needsToken, reads, getProduct, salesAgents)
		s.on(pc, "GET "+base+"/{product}/skus", needsToken, reads, listSKUs, salesAgents, doubledIDs)
		s.on(pc, "GET "+base+"/{product}/skus/{sku}", needsToken, reads, getSKU, salesAgents)
		s.on(pc, "GET "+base+"/{product}/skus/{sku}/availabilities", needsToken, reads, listAvailabilities, salesAgents)
		s.on(pc, "GET "+base+"/{product}/skus/{sku}/availabilities/{availability}", needsToken, reads, getAvailability, salesAgents)
	}
	s.on(pc, "GET /v1/customers/{customer}/products/all/skus", needsToken, reads, listAllSKUs, salesAgents)
}

// Ids of the catalogue.
const (
	ProductAzurePlan = "DZH318Z0BPS6"
	Offer2016        = "MS-AZR-0145P"
	product2016      = "9DEA7946-EC2C-441E-9FFD-E3B275F7E838"
)

// product is one product of the catalogue with its SKUs.
type product struct {
	ID, Title, Description, Kind, SubKind, View string
	SKUs                                        []*catalogItem
}

// catalogItem is a SKU with what is needed to buy it.
type catalogItem struct {
	product       *product
	ID            string
	Title         string
	Description   string
	Cycles        []string
	Terms         []string
	Prerequisites []string
	Provisioning  []string
	Actions       []string
	Dynamic       map[string]string
	Most          int
	Availability  map[string]string // by country; "" = all others
	Unit          string            // of the subscription it makes; "" = none is made
}

func (i *catalogItem) azurePlan() bool { return i.product.ID == ProductAzurePlan }
func (i *catalogItem) legacy() bool    { return i.ID == Offer2016 }

// availability is the regional id under which the SKU is sold in a country.
func (i *catalogItem) availability(country string) string {
	if id, listed := i.Availability[country]; listed {
		return id
	}
	return i.Availability[""]
}

// catalogID is what carts name: product:SKU:availability, or the older offer's id.
func (i *catalogItem) catalogID(country string) string {
	if i.legacy() {
		return i.ID
	}
	return i.product.ID + ":" + i.ID + ":" + i.availability(country)
}

var (
	euro     = []string{"DE", "AT", "FR", "BE", "NL", "ES", "PT", "IT", "IE", "FI", "GR", "LU", "SI", "SK", "EE", "LV", "LT", "HR", "CY", "MT"}
	catalog  = makeCatalogue()
	bySKU    = indexCatalogue(catalog)
	planSKUs = catalog[0].SKUs
)

// makeCatalogue is the part of the catalogue that the samples and the Azure plan need.
func makeCatalogue() []*product {
	regional := func(usual, inEuro string) map[string]string {
		m := map[string]string{"": usual}
		for _, c := range euro {
			m[c] = inEuro
		}
		return m
	}
	reservation := func(id, vm, armSKU, cores, ram, display, category, disk, availability string, years string) *catalogItem {
		text := ", " + armSKU + ", US West 2, " + years + " Year"
		return &catalogItem{ID: id, Title: "Reserved VM Instance" + text, Description: vm + text, Cycles: []string{"one_time"}, Terms: []string{"P1Y", "P3Y"},
			Prerequisites: []string{"AzureSubscriptionRegistration", "InventoryCheck"}, Provisioning: []string{"Scope", "SubscriptionId"}, Most: 999999999,
			Availability: map[string]string{"": availability},
			Dynamic: map[string]string{"armSkuName": armSKU, "cores": cores, "ram": ram, "skuDisplayName": display, "category": category,
				"armRegionName": "westus2", "duration": years + "Year", "region": "US West 2", "diskType": disk}}
	}
	mca := []string{agreementMCA}
	const instances = "Reserved Virtual Machines Instance"
	all := []*product{
		{ID: ProductAzurePlan, Title: "Azure plan", Description: "Azure plan", Kind: "Azure", View: "MicrosoftAzure", SKUs: []*catalogItem{
			{ID: "0001", Title: "Microsoft Azure plan", Description: "Microsoft Azure plan (MS-AZR-0017G)", Cycles: []string{"one_time"}, Prerequisites: mca,
				Actions: []string{"Refund"}, Most: 1, Availability: regional("DZH318Z0BML6", "DZH318Z0BMGV"), Unit: "Usage-based"},
			{ID: "0002", Title: "Microsoft Azure plan for DevTest", Description: "Microsoft Azure plan for DevTest (MS-AZR-0148G)", Cycles: []string{"one_time"}, Prerequisites: mca,
				Actions: []string{"Refund"}, Most: 1, Availability: regional("DZH318Z0BMK2", "DZH318Z0BMHN"), Unit: "Usage-based"},
		}},
		{ID: product2016, Title: "Microsoft Azure", Description: "Microsoft Azure (MS-AZR-0145P)", Kind: "Azure", View: "MicrosoftAzure", SKUs: []*catalogItem{
			{ID: Offer2016, Title: "Microsoft Azure", Description: "Microsoft Azure (MS-AZR-0145P)", Cycles: []string{"monthly"}, Terms: []string{"P1Y"},
				Prerequisites: []string{agreementCloud}, Most: 1, Availability: map[string]string{"": Offer2016}, Unit: "Usage-based"},
		}},
		{ID: "DZH318Z0BQ5S", Title: "Virtual Machines ND Series", Description: "ND-series virtual machines with graphics processors.", Kind: "Azure", SubKind: "VirtualMachines", View: "AzureReservations", SKUs: []*catalogItem{
			reservation("0001", instances, "Standard_ND12s", "12", "224", "ND12", "GPU", "Hdd", "DZH318Z0BQ6A", "1"),
			reservation("0002", instances, "Standard_ND6s", "6", "112", "ND6", "GPU", "Hdd", "DZH318Z0BQ6B", "1"),
		}},
		{ID: "DZH318Z0BQ36", Title: "Virtual Machines DS Series", Description: "General purpose virtual machines with premium storage.", Kind: "Azure", SubKind: "VirtualMachines", View: "AzureReservations", SKUs: []*catalogItem{
			reservation("004G", instances, "Standard_DS2", "2", "7", "DS2", "General purpose", "Ssd", "DZH318Z08C0S", "1"),
			reservation("004J", instances, "Standard_DS3", "4", "14", "DS3", "General purpose", "Ssd", "DZH318Z08B8X", "3"),
		}},
		{ID: "DZH318Z0BQ4Z", Title: "Virtual Machines NC Series", Description: "NC-series virtual machines with graphics processors.", Kind: "Azure", SubKind: "VirtualMachines", View: "AzureReservations", SKUs: []*catalogItem{
			reservation("002L", instances, "Standard_NC12", "12", "112", "NC12", "GPU", "Hdd", "DZH318Z0CMNP", "1"),
		}},
		{ID: "DZH318Z0BQ3Q", Title: "Virtual Machines DSv2 Series", Description: "The second generation of general purpose virtual machines.", Kind: "Azure", SubKind: "VirtualMachines", View: "MicrosoftAzure", SKUs: []*catalogItem{
			reservation("0001", instances, "Standard_DS2_v2", "2", "7", "DS2v2", "General purpose", "Ssd", "DZH318Z0BQ3R", "1"),
		}},
		{ID: "DG7GMGF0DWTL", Title: "Windows Server", Description: "A server operating system.", Kind: "Software", View: "Software", SKUs: []*catalogItem{
			{ID: "0001", Title: "Windows Server", Description: "Perpetual licence", Cycles: []string{"one_time"}, Prerequisites: mca, Most: 10000, Availability: map[string]string{"": "DG7GMGF0DSFM"}},
		}},
		{ID: "DZH318Z0BXWC", Title: "Contoso backup service", Description: "A service of another publisher.", Kind: "SaaS", View: "SaaS", SKUs: []*catalogItem{
			{ID: "0002", Title: "Contoso backup, monthly", Description: "Monthly", Cycles: []string{"monthly"}, Terms: []string{"P1M"}, Prerequisites: mca, Most: 10000, Availability: map[string]string{"": "DZH318Z0BMRV"}, Unit: "Licenses"},
		}},
		{ID: "DZH318Z0C0WF", Title: "Contoso mail trial", Description: "A trial that renews.", Kind: "OnlineServices", View: "OnlineServices", SKUs: []*catalogItem{
			{ID: "0001", Title: "Contoso mail trial", Description: "Trial", Cycles: []string{"none"}, Terms: []string{"P1M"}, Prerequisites: mca, Most: 25, Availability: map[string]string{"": "DZH318Z0BP69"}, Unit: "Licenses"},
		}},
	}
	for _, p := range all {
		for _, sku := range p.SKUs {
			sku.product = p
		}
	}
	return all
}

func indexCatalogue(all []*product) map[string]*catalogItem {
	m := map[string]*catalogItem{}
	for _, p := range all {
		for _, sku := range p.SKUs {
			m[p.ID+":"+sku.ID] = sku
		}
	}
	return m
}

// findItem resolves a catalogue id; wrong is the code for the part that is not known.
func findItem(id, country string) (item *catalogItem, wrong int) {
	if strings.EqualFold(id, Offer2016) {
		return bySKU[product2016+":"+Offer2016], 0
	}
	parts := strings.Split(id, ":")
	if len(parts) != 3 {
		return nil, 400013
	}
	item = bySKU[strings.ToUpper(parts[0])+":"+strings.ToUpper(parts[1])]
	switch {
	case item == nil && findProduct(parts[0]) == nil:
		return nil, 400013
	case item == nil:
		return nil, 400018
	case !strings.EqualFold(item.availability(country), parts[2]):
		return nil, 400019
	}
	return item, 0
}

func findProduct(id string) *product {
	for _, p := range catalog {
		if strings.EqualFold(p.ID, id) {
			return p
		}
	}
	return nil
}

// market is the country of a catalogue call: the parameter, or the customer's.
func (c *call) market() (country, query string, refusal *reply) {
	if c.param("customer") != "" {
		cu, refusal := c.related()
		if refusal != nil {
			return "", "", refusal
		}
		return cu.Billing.Address.Country, "", nil
	}
	country = strings.ToUpper(c.query("country"))
	if countryRules(country) == nil {
		r := pcError(http.StatusBadRequest, 400030, "The country is missing or not known.", "country")
		return "", "", &r
	}
	return country, "?country=" + country, nil
}

// base is where the links of this answer begin.
func (c *call) base() string {
	if id := c.param("customer"); id != "" {
		return "/customers/" + id
	}
	return ""
}

type itemType struct {
	ID      string    `json:"id"`
	Display string    `json:"displayName"`
	Sub     *itemType `json:"subType,omitempty"`
}

type productBody struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Type        itemType `json:"productType"`
	Microsoft   bool     `json:"isMicrosoftProduct"`
	Publisher   string   `json:"publisherName"`
	Links       struct {
		SKUs *link `json:"skus"`
		Self *link `json:"self"`
	} `json:"links"`
}

func (c *call) productBody(p *product, query string) productBody {
	out := productBody{ID: p.ID, Title: p.Title, Description: p.Description, Type: itemType{p.Kind, p.Kind, nil}, Microsoft: p.Kind != "SaaS", Publisher: "Microsoft"}
	if p.SubKind != "" {
		out.Type.Sub = &itemType{p.SubKind, p.SubKind, nil}
	}
	at := c.base() + "/products/" + p.ID
	out.Links.SKUs, out.Links.Self = get(at+"/skus"+query), get(at+query)
	return out
}

// shown says whether a product is offered; the 2016 offer has its switch.
func (c *call) shown(p *product) bool { return p.ID != product2016 || c.s.settings().LegacyOffer2016 }

// listProducts answers by target view; AzureReservations… views are one.
func listProducts(c *call) reply {
	_, query, refusal := c.market()
	if refusal != nil {
		return *refusal
	}
	view := c.query("targetView")
	switch {
	case strings.EqualFold(view, "Azure"):
		view = "AzureReservations"
	case strings.HasPrefix(strings.ToLower(view), "azurereservations"):
		view = "AzureReservations"
	case has([]string{"microsoftazure", "onlineservices", "software", "saas"}, strings.ToLower(view)):
	default:
		return pcError(http.StatusBadRequest, 400036, "The target view is missing or not known.", "targetView")
	}
	out := listing[productBody](nil)
	for _, p := range catalog {
		if strings.EqualFold(p.View, view) && c.shown(p) {
			out.Items = append(out.Items, c.productBody(p, query))
		}
	}
	out.Total, out.Links = len(out.Items), &pageLinks{Self: get(strings.TrimPrefix(c.r.URL.RequestURI(), "/v1"))}
	return ok(out)
}

func (c *call) product() (*product, *reply) {
	if p := findProduct(c.param("product")); p != nil && c.shown(p) {
		return p, nil
	}
	r := pcError(http.StatusNotFound, 400013, "Product wasn't found")
	return nil, &r
}

func getProduct(c *call) reply {
	_, query, refusal := c.market()
	if refusal != nil {
		return *refusal
	}
	p, refusal := c.product()
	if refusal != nil {
		return *refusal
	}
	return ok(c.productBody(p, query))
}

type skuBody struct {
	ID            string            `json:"id"`
	Product       string            `json:"productId"`
	Title         string            `json:"title"`
	Description   string            `json:"description"`
	Least         int               `json:"minimumQuantity"`
	Most          int               `json:"maximumQuantity"`
	Trial         bool              `json:"isTrial"`
	Cycles        []string          `json:"supportedBillingCycles"`
	Prerequisites []string          `json:"purchasePrerequisites"`
	Inventory     []string          `json:"inventoryVariables,omitempty"`
	Provisioning  []string          `json:"provisioningVariables"`
	Actions       []string          `json:"actions,omitempty"`
	Dynamic       map[string]string `json:"dynamicAttributes"`
	Links         struct {
		Availabilities *link `json:"availabilities"`
		Self           *link `json:"self"`
	} `json:"links"`
}

func (c *call) skuBody(i *catalogItem, query string) skuBody {
	out := skuBody{ID: i.ID, Product: i.product.ID, Title: i.Title, Description: i.Description, Least: 1, Most: i.Most, Trial: has(i.Cycles, "none"), Cycles: i.Cycles,
		Prerequisites: i.Prerequisites, Provisioning: i.Provisioning, Actions: i.Actions, Dynamic: i.Dynamic}
	if out.Provisioning == nil {
		out.Provisioning = []string{}
	}
	if out.Dynamic == nil {
		out.Dynamic = map[string]string{}
	}
	at := c.base() + "/products/" + i.product.ID + "/skus/" + i.ID
	out.Links.Availabilities, out.Links.Self = get(at+"/availabilities"+query), get(at+query)
	return out
}

func listSKUs(c *call) reply {
	_, query, refusal := c.market()
	if refusal != nil {
		return *refusal
	}
	p, refusal := c.product()
	if refusal != nil {
		return *refusal
	}
	out := listing[skuBody](nil)
	for _, i := range p.SKUs {
		out.Items = append(out.Items, c.skuBody(i, query))
	}
	out.Total, out.Links = len(out.Items), &pageLinks{Self: get(c.base() + "/products/" + p.ID + "/skus" + query)}
	return ok(out)
}

// listAllSKUs lists everything that the customer can buy in one answer.
func listAllSKUs(c *call) reply {
	if _, refusal := c.related(); refusal != nil {
		return *refusal
	}
	out := listing[skuBody](nil)
	for _, p := range catalog {
		if c.shown(p) && (c.query("targetView") == "" || strings.EqualFold(c.query("targetView"), p.View)) {
			for _, i := range p.SKUs {
				out.Items = append(out.Items, c.skuBody(i, ""))
			}
		}
	}
	out.Total, out.Links = len(out.Items), &pageLinks{Self: get(strings.TrimPrefix(c.r.URL.RequestURI(), "/v1"))}
	return ok(out)
}

func (c *call) sku() (*catalogItem, *reply) {
	p, refusal := c.product()
	if refusal != nil {
		return nil, refusal
	}
	for _, i := range p.SKUs {
		if strings.EqualFold(i.ID, c.param("sku")) {
			return i, nil
		}
	}
	r := pcError(http.StatusNotFound, 400018, "SKU wasn't found")
	return nil, &r
}

func getSKU(c *call) reply {
	_, query, refusal := c.market()
	if refusal != nil {
		return *refusal
	}
	i, refusal := c.sku()
	if refusal != nil {
		return *refusal
	}
	return ok(c.skuBody(i, query))
}

type availabilityBody struct {
	ID          string     `json:"id"`
	Product     string     `json:"productId"`
	SKU         string     `json:"skuId"`
	Item        string     `json:"catalogItemId"`
	Currency    currency   `json:"defaultCurrency"`
	Segment     string     `json:"segment"`
	Country     string     `json:"country"`
	Purchasable bool       `json:"isPurchasable"`
	Renewable   bool       `json:"isRenewable"`
	Terms       []termBody `json:"terms,omitempty"`
	Links       *selfLinks `json:"links"`
}

type currency struct {
	Code   string `json:"code"`
	Symbol string `json:"symbol"`
}

type termBody struct {
	Duration    string `json:"duration"`
	Description string `json:"description"`
	Cycle       string `json:"billingCycle,omitempty"`
}

var symbols = map[string]string{"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CAD": "$", "AUD": "$", "CHF": "CHF", "SEK": "kr", "NOK": "kr", "DKK": "kr", "INR": "₹", "BRL": "R$", "KRW": "₩"}

func (c *call) availabilityBody(i *catalogItem, country, query string) availabilityBody {
	code := c.s.cfg.Partner.Currency
	out := availabilityBody{ID: i.availability(country), Product: i.product.ID, SKU: i.ID, Item: i.catalogID(country), Currency: currency{code, or(symbols[code], code)},
		Segment: "commercial", Country: country, Purchasable: true, Renewable: i.azurePlan()}
	for _, t := range i.Terms {
		out.Terms = append(out.Terms, termBody{t, map[string]string{"P1M": "One-Month commitment", "P1Y": "One-Year commitment", "P3Y": "Three-Year commitment"}[t], i.Cycles[0]})
	}
	out.Links = self(c.base() + "/products/" + i.product.ID + "/skus/" + i.ID + "/availabilities/" + out.ID + query)
	return out
}

// listAvailabilities gives the regional ids under which a SKU can be bought now.
func listAvailabilities(c *call) reply {
	country, query, refusal := c.market()
	if refusal != nil {
		return *refusal
	}
	i, refusal := c.sku()
	if refusal != nil {
		return *refusal
	}
	out := listing([]availabilityBody{c.availabilityBody(i, country, query)})
	out.Links = &pageLinks{Self: get(c.base() + "/products/" + i.product.ID + "/skus/" + i.ID + "/availabilities" + query)}
	return ok(out)
}

func getAvailability(c *call) reply {
	country, query, refusal := c.market()
	if refusal != nil {
		return *refusal
	}
	i, refusal := c.sku()
	if refusal != nil {
		return *refusal
	}
	if !strings.EqualFold(i.availability(country), c.param("availability")) {
		return pcError(http.StatusNotFound, 400019, "Availability not found")
	}
	return ok(c.availabilityBody(i, country, query))
}
