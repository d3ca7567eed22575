package sim

import (
	"fmt"
	"strings"
	"sync"
)

// meterKind says how much of a meter a resource uses on a day.
type meterKind int

const (
	byHour     meterKind = iota // 24 on most days
	byCapacity                  // a month's GB, a little every day
	byCount                     // transactions, in ten thousands
	byTraffic                   // GB moved
)

// meterFamily is a service of Azure with what its meters have in common.
type meterFamily struct {
	category, namespace, resource, product string
	subs, names                            []string
	unit, unitType                         string
	kind                                   meterKind
	low, high                              uint64 // price, in 10^-8
	tiered, foreign                        bool
}

// families are the services that most bills show; marketplace ones have a publisher
// of their own and earn the partner nothing.
var families = []meterFamily{
	{"Virtual Machines", "Microsoft.Compute", "virtualMachines", "Virtual Machines", []string{"Dv5 Series", "Ev5 Series", "Fsv2 Series", "B Series", "NCv3 Series"}, []string{"D2 v5", "D4 v5", "D8 v5", "E4 v5", "F8s v2", "B2ms", "D4 v5 Spot"}, "1 Hour", "Hours", byHour, 900_000, 300_000_000, false, false},
	{"Storage", "Microsoft.Storage", "storageAccounts", "Blob Storage", []string{"Standard HDD Managed Disks", "Premium SSD Managed Disks", "Tiered Block Blob", "Files"}, []string{"LRS Data Stored", "ZRS Data Stored", "GRS Data Stored", "P10 LRS Disk"}, "1 GB/Month", "GB/Month", byCapacity, 150_000, 25_000_000, true, false},
	{"Storage", "Microsoft.Storage", "storageAccounts", "Blob Storage", []string{"Tables", "Queues v2", "General Block Blob v2"}, []string{"Write Operations", "Read Operations", "List Operations"}, "10K", "10K", byCount, 36_000, 6_500_000, true, false},
	{"Bandwidth", "Microsoft.Network", "publicIPAddresses", "Bandwidth", []string{"Inter-Region", "Internet Egress"}, []string{"Standard Data Transfer Out", "Intra Continent Data Transfer Out"}, "1 GB", "GB", byTraffic, 1_000_000, 18_100_000, true, false},
	{"SQL Database", "Microsoft.Sql", "servers", "SQL Database", []string{"General Purpose Compute Gen5", "Business Critical Compute Gen5", "Standard"}, []string{"vCore", "S0 DTUs", "S3 DTUs"}, "1 Hour", "Hours", byHour, 1_500_000, 260_000_000, false, false},
	{"Azure App Service", "Microsoft.Web", "serverFarms", "Azure App Service", []string{"Premium v3 Plan", "Standard Plan - Linux", "Basic Plan"}, []string{"P1 v3 App", "S1 App", "B1 App"}, "1 Hour", "Hours", byHour, 1_300_000, 80_000_000, false, false},
	{"Azure Kubernetes Service", "Microsoft.ContainerService", "managedClusters", "Azure Kubernetes Service", []string{"Standard", "Premium"}, []string{"Standard Uptime SLA", "Long Term Support"}, "1 Hour", "Hours", byHour, 10_000_000, 60_000_000, false, false},
	{"Azure Monitor", "Microsoft.Insights", "components", "Azure Monitor", []string{"Log Analytics", "Alerts"}, []string{"Analytics Logs Data Ingestion", "Basic Logs Data Ingestion", "Alerts Metrics Monitored"}, "1 GB", "GB", byTraffic, 50_000_000, 299_000_000, true, false},
	{"Log Analytics", "Microsoft.OperationalInsights", "workspaces", "Log Analytics", []string{"Log Analytics"}, []string{"Pay-as-you-go Data Retention", "Pay-as-you-go Data Ingestion"}, "1 GB/Month", "GB/Month", byCapacity, 10_000_000, 27_000_000, false, false},
	{"Azure Cosmos DB", "Microsoft.DocumentDB", "databaseAccounts", "Azure Cosmos DB", []string{"autoscale", "Provisioned"}, []string{"100 RU/s", "Data Stored"}, "1 Hour", "Hours", byHour, 800_000, 1_600_000, false, false},
	{"Virtual Network", "Microsoft.Network", "virtualNetworks", "Virtual Network", []string{"Peering", "Private Link", "IP Addresses"}, []string{"Intra-Region Ingress", "Standard Private Endpoint", "Standard IPv4 Static Public IP"}, "1 Hour", "Hours", byHour, 360_000, 1_000_000, false, false},
	{"Azure Firewall", "Microsoft.Network", "azureFirewalls", "Azure Firewall", []string{"Standard", "Premium"}, []string{"Standard Deployment", "Premium Deployment"}, "1 Hour", "Hours", byHour, 125_000_000, 175_000_000, false, false},
	{"Key Vault", "Microsoft.KeyVault", "vaults", "Key Vault", []string{"Key Vault"}, []string{"Operations", "Advanced Key Operations"}, "10K", "10K", byCount, 3_000_000, 15_000_000, false, false},
	{"Backup", "Microsoft.RecoveryServices", "vaults", "Backup", []string{"Standard"}, []string{"LRS Data Stored", "GRS Data Stored", "Azure VM Protected Instance"}, "1 GB/Month", "GB/Month", byCapacity, 2_240_000, 4_480_000, true, false},
	{"Azure Database for PostgreSQL", "Microsoft.DBforPostgreSQL", "flexibleServers", "Azure Database for PostgreSQL", []string{"Flexible Server General Purpose Dsv5"}, []string{"vCore", "Storage Data Stored"}, "1 Hour", "Hours", byHour, 4_000_000, 34_000_000, false, false},
	{"Azure OpenAI", "Microsoft.CognitiveServices", "accounts", "Azure OpenAI", []string{"Azure OpenAI"}, []string{"gpt Input Tokens", "gpt Output Tokens", "Embedding Tokens"}, "1K", "1K", byCount, 10_000, 6_000_000, false, false},
	{"Event Hubs", "Microsoft.EventHub", "namespaces", "Event Hubs", []string{"Standard"}, []string{"Throughput Unit", "Ingress Events"}, "1 Hour", "Hours", byHour, 1_500_000, 3_000_000, false, false},
	{"API Management", "Microsoft.ApiManagement", "service", "API Management", []string{"API Management"}, []string{"Developer Unit", "Consumption Calls"}, "10K", "10K", byCount, 3_500_000, 48_000_000, true, false},
	{"Virtual Machine Licenses", "Microsoft.Compute", "virtualMachines", "VM-Series Next Generation Firewall", []string{"VM-Series Next Generation Firewall"}, []string{"Bundle 1 PAYG - 4 Core Hours", "Bundle 2 PAYG - 8 Core Hours"}, "1 Hour", "Hours", byHour, 60_000_000, 280_000_000, false, true},
	{"SaaS", "Microsoft.SaaS", "resources", "Log Insight Cloud", []string{"Pay-as-you-go"}, []string{"Ingested Events", "Monitored Hosts"}, "1 Hour", "Hours", byHour, 1_000_000, 20_000_000, false, true},
}

var regions = []struct{ meter, location string }{
	{"US East", "EASTUS"}, {"US East 2", "EASTUS2"}, {"US West 2", "WESTUS2"}, {"US West 3", "WESTUS3"}, {"US Central", "CENTRALUS"},
	{"US South Central", "SOUTHCENTRALUS"}, {"EU West", "WESTEUROPE"}, {"EU North", "NORTHEUROPE"}, {"UK South", "UKSOUTH"}, {"FR Central", "FRANCECENTRAL"},
	{"DE West Central", "GERMANYWESTCENTRAL"}, {"CH North", "SWITZERLANDNORTH"}, {"SE Central", "SWEDENCENTRAL"}, {"NO East", "NORWAYEAST"}, {"IT North", "ITALYNORTH"},
	{"CA Central", "CANADACENTRAL"}, {"BR South", "BRAZILSOUTH"}, {"JA East", "JAPANEAST"}, {"KR Central", "KOREACENTRAL"}, {"AP Southeast", "SOUTHEASTASIA"},
	{"AP East", "EASTASIA"}, {"AU East", "AUSTRALIAEAST"}, {"IN Central", "CENTRALINDIA"}, {"ZA North", "SOUTHAFRICANORTH"}, {"AE North", "UAENORTH"},
}

const (
	meterCount    = 3000
	publisherOwn  = "Microsoft"
	publisherElse = "Northwind Networks, Inc."
)

// meter is one thing that Azure counts, with its price. The catalogue is the same
// in every world and month, so that price sheets and usage agree.
type meter struct {
	n                                        int
	family                                   *meterFamily
	id, name, sub, region, location          string
	product, sku, availability, skuName      string
	publisher, publisherID, pricing, subject string
	price                                    exact
	tiers                                    []tier // first at 0 and price; none = one price
	spot                                     bool
}

// tier is a price from a quantity on, within a month and customer.
type tier struct{ from, price exact }

// earns says whether the partner earns credit on the meter: not on spot machines, not
// on other publishers' services.
func (m *meter) earns() bool { return !m.spot && !m.family.foreign }

var meters = sync.OnceValue(func() []meter {
	out := make([]meter, 0, meterCount)
	for n := range meterCount {
		h := mix(2026, uint64(n))
		f := &families[n%len(families)]
		r := regions[(n/len(families))%len(regions)]
		m := meter{n: n, family: f, id: mixID(7, uint64(n)), sub: f.subs[h%uint64(len(f.subs))], region: r.meter, location: r.location,
			product: fmt.Sprintf("DZH318Z0%04X", 0xA000+n%len(families)*16+n/(len(families)*len(regions))), sku: fmt.Sprintf("%04X", n), availability: fmt.Sprintf("DZH318Z1%04X", n),
			publisher: publisherOwn, pricing: "USD"}
		m.name = f.names[(h>>8)%uint64(len(f.names))]
		m.skuName = m.sub + " - " + m.name + " - " + r.meter
		m.spot = strings.HasSuffix(m.name, "Spot")
		if f.foreign {
			m.publisher, m.publisherID = publisherElse, fmt.Sprintf("%08d", 31330000+n%7)
			// Other publishers price where they are at home.
			m.pricing = []string{"USD", "USD", "EUR", "GBP"}[(h>>16)%4]
		}
		m.price = exact(f.low+(h>>20)%(f.high-f.low)) * 100 // eight decimals, so that 85 % of it has ten; #nosec G115 -- below 3·10^8
		if f.tiered && (h>>4)%2 == 0 {
			start := exact(5+(h>>32)%200) * unit // #nosec G115 -- below 205
			m.tiers = []tier{{0, m.price}, {start, m.price * 90 / 100 / 100 * 100}, {start * 10, m.price * 75 / 100 / 100 * 100}}
		}
		m.subject = f.category + " - " + m.sub + " - " + m.name + " - " + r.meter
		out = append(out, m)
	}
	return out
})

// usdPerUnit are exchange rates, in 10^-8 US dollars; a month moves each by up to 3 %.
var usdPerUnit = map[string]uint64{
	"USD": 100_000_000, "EUR": 108_000_000, "GBP": 127_000_000, "CHF": 113_000_000, "SEK": 9_500_000, "NOK": 9_300_000, "DKK": 14_500_000,
	"CAD": 73_000_000, "AUD": 66_000_000, "NZD": 60_000_000, "JPY": 665_000, "KRW": 73_000, "INR": 1_190_000, "BRL": 18_500_000, "SGD": 74_500_000, "HKD": 12_800_000,
	"TWD": 3_100_000, "PLN": 25_000_000, "CZK": 4_300_000, "ZAR": 5_400_000, "MXN": 5_500_000, "AED": 27_200_000,
}

// usdPer is the month's rate of a currency, in 10^-8 US dollars.
func usdPer(currency, month string) uint64 {
	base := usdPerUnit[currency]
	if currency == "USD" || base == 0 {
		return base
	}
	return base * (970_000 + mix(mixText(currency), mixText(month))%60_001) / 1_000_000
}

// exchange is PCToBCExchangeRate: one rate per month, pricing and billing currency,
// with eight decimals.
func exchange(pricing, billing, month string) exact {
	if pricing == billing {
		return unit
	}
	p, b := usdPer(pricing, month), usdPer(billing, month)
	return exact(p*100_000_000/b) * 100 // #nosec G115 -- at most 1.3·10^8·10^8 / 7·10^4
}
