package billing

import "strings"

const (
	focusOther    = "Other"
	focusOtherSub = "Other (Other)"
)

// focusServices are the services of Azure by the name on the bill (MeterCategory), in
// the categories of FOCUS 1.2. The first whose name begins with it holds; a service has
// one category. What is not here is Other.
var focusServices = []struct{ name, category, sub string }{
	{"virtual machine licenses", "Compute", "Virtual Machines"},
	{"virtual machines", "Compute", "Virtual Machines"},
	{"reserved vm instance", "Compute", "Virtual Machines"},
	{"azure kubernetes service", "Compute", "Containers"},
	{"container", "Compute", "Containers"},
	{"azure container", "Compute", "Containers"},
	{"functions", "Compute", "Serverless Compute"},
	{"azure functions", "Compute", "Serverless Compute"},
	{"azure virtual desktop", "Compute", "End User Computing"},
	{"windows 365", "Compute", "End User Computing"},
	{"cloud services", "Compute", "Other (Compute)"},
	{"storage", "Storage", "Storage Platforms"},
	{"azure files", "Storage", "File Storage"},
	{"azure netapp files", "Storage", "File Storage"},
	{"backup", "Storage", "Backup Storage"},
	{"data lake", "Storage", "Object Storage"},
	{"sql database", "Databases", "Relational Databases"},
	{"sql managed instance", "Databases", "Relational Databases"},
	{"azure database for", "Databases", "Relational Databases"},
	{"azure cosmos db", "Databases", "NoSQL Databases"},
	{"redis cache", "Databases", "Caching"},
	{"azure synapse", "Databases", "Data Warehouses"},
	{"bandwidth", "Networking", "Network Connectivity"},
	{"virtual network", "Networking", "Network Infrastructure"},
	{"vpn gateway", "Networking", "Network Connectivity"},
	{"expressroute", "Networking", "Network Connectivity"},
	{"load balancer", "Networking", "Application Networking"},
	{"application gateway", "Networking", "Application Networking"},
	{"azure front door", "Networking", "Content Delivery"},
	{"content delivery network", "Networking", "Content Delivery"},
	{"azure dns", "Networking", "Network Infrastructure"},
	{"nat gateway", "Networking", "Network Routing"},
	{"network watcher", "Networking", "Network Infrastructure"},
	{"azure firewall", "Networking", "Network Security"},
	{"azure ddos", "Networking", "Network Security"},
	{"azure bastion", "Networking", "Network Security"},
	{"vm-series next generation firewall", "Networking", "Network Security"},
	{"azure app service", "Web", "Application Platforms"},
	{"static web apps", "Web", "Application Platforms"},
	{"azure monitor", "Management and Governance", "Observability"},
	{"log analytics", "Management and Governance", "Observability"},
	{"application insights", "Management and Governance", "Observability"},
	{"automation", "Management and Governance", "Other (Management and Governance)"},
	{"azure site recovery", "Management and Governance", "Disaster Recovery"},
	{"microsoft purview", "Management and Governance", "Data Governance"},
	{"key vault", "Security", "Secret Management"},
	{"microsoft defender", "Security", "Threat Detection and Response"},
	{"sentinel", "Security", "Threat Detection and Response"},
	{"microsoft entra", "Identity", "Identity and Access Management"},
	{"azure active directory", "Identity", "Identity and Access Management"},
	{"azure openai", "AI and Machine Learning", "Generative AI"},
	{"azure machine learning", "AI and Machine Learning", "Machine Learning"},
	{"cognitive services", "AI and Machine Learning", "AI Platforms"},
	{"azure bot", "AI and Machine Learning", "Bots"},
	{"event hubs", "Integration", "Messaging"},
	{"service bus", "Integration", "Messaging"},
	{"event grid", "Integration", "Messaging"},
	{"api management", "Integration", "API Management"},
	{"logic apps", "Integration", "Workflow Orchestration"},
	{"azure data factory", "Analytics", "Data Processing"},
	{"azure databricks", "Analytics", "Analytics Platforms"},
	{"microsoft fabric", "Analytics", "Analytics Platforms"},
	{"hdinsight", "Analytics", "Data Processing"}, //nolint:misspell // its name
	{"stream analytics", "Analytics", "Streaming Analytics"},
	{"azure cognitive search", "Analytics", "Search"},
	{"azure ai search", "Analytics", "Search"},
	{"power bi", "Analytics", "Business Intelligence"},
	{"iot hub", "Internet of Things", "IoT Platforms"},
	{"iot central", "Internet of Things", "IoT Platforms"},
	{"azure devops", "Developer Tools", "Developer Platforms"},
	{"github", "Developer Tools", "Developer Platforms"},
	{"azure migrate", "Migration", "Resource Migration"},
	{"notification hubs", "Mobile", "Other (Mobile)"},
	{"azure arc", "Multicloud", "Multicloud Integration"},
	{"media services", "Media", "Media Streaming"},
	{"support", "Management and Governance", "Support"},
}

func focusService(name string) (category, sub string) {
	name = strings.ToLower(name)
	for _, s := range focusServices {
		if strings.HasPrefix(name, s.name) {
			return s.category, s.sub
		}
	}
	return focusOther, focusOtherSub
}
