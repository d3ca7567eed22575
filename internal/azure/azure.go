// Package azure is what our clients of Microsoft's services share: settings of
// the clouds, the pipeline of one call (token, throttle governor, ids, error
// bodies, redaction), the meaning of Microsoft's error codes, and the types that
// read Microsoft's numbers and dates. It does not know what a call is for: that
// is partnercenter, graph, arm and token below it. It never retries: a job does,
// so every try is seen and recorded.
package azure

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"causeway/internal/fault"
)

// Cloud names one of Microsoft's separate clouds.
type Cloud string

// The clouds that have a Partner Center.
const (
	Public Cloud = "public"
	China  Cloud = "china" // operated by 21Vianet; no enhanced attestation there
)

// Service names one of Microsoft's hosts that we call.
type Service string

// The services that we call.
const (
	Login         Service = "login"          // Entra ID
	PartnerCenter Service = "partner-center" // api.partnercenter.microsoft.com
	Graph         Service = "graph"          // graph.microsoft.com
	ARM           Service = "arm"            // management.azure.com
	Prices        Service = "prices"         // api.partner.microsoft.com: price sheets
	Storage       Service = "storage"        // Azure Storage: files of the billing exports, wherever a manifest says
)

// Word is the service's name as people know it.
func (s Service) Word() string {
	switch s {
	case Login:
		return "Microsoft Entra ID"
	case PartnerCenter:
		return "Microsoft Partner Center"
	case Graph:
		return "Microsoft Graph"
	case ARM:
		return "Azure Resource Manager"
	case Prices:
		return "Microsoft's price service"
	case Storage:
		return "Azure Storage"
	}
	return string(s)
}

// Config says where Microsoft is and who we are there. Every member may be left
// out: the zero value is the public cloud without an identity of its own.
type Config struct {
	Cloud Cloud // "" = Public

	// Base URLs without a slash at the end; "" = the cloud's own. They move the
	// calls elsewhere (to the simulator); the audience of tokens stays the cloud's.
	LoginURL         string
	PartnerCenterURL string
	GraphURL         string
	ARMURL           string
	PriceURL         string
	SignInURL        string // where people sign in; "" = LoginURL. Pages carry no token of ours, so plain HTTP is taken
	AttestationURL   string // page on which a customer reads and accepts Microsoft's agreement

	CAFile string       // PEM with further root certificates, e.g. the simulator's
	HTTP   *http.Client // nil = one made from CAFile

	PartnerTenant string // tenant id of the partner
	AppID         string // application (client) id of the multi-tenant web app
	AppSecret     string // its secret; only used to fill the credential's row, never logged

	Locale  string           // X-Locale; "" = en-US: our table of codes is English
	Timeout time.Duration    // of one call; 0 = 100 s. Microsoft's own SDK waits 3 minutes
	Now     func() time.Time // nil = time.Now
	Minute  time.Duration    // in which limits are counted; 0 = a minute, shorter at a simulator that runs faster
	Log     *slog.Logger     // nil = nothing is logged
}

// LogValue keeps the secret out of the log.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("cloud", string(c.Cloud)), slog.String("login", c.LoginURL), slog.String("partner_center", c.PartnerCenterURL),
		slog.String("graph", c.GraphURL), slog.String("arm", c.ARMURL), slog.String("tenant", c.PartnerTenant), slog.String("app", c.AppID),
	)
}

// String keeps the secret out of every %v.
func (c Config) String() string {
	return fmt.Sprintf("azure.Config{%s tenant %s app %s}", c.Cloud, c.PartnerTenant, c.AppID)
}

// GoString keeps the secret out of every %#v.
func (c Config) GoString() string { return c.String() }

// hosts are the documented addresses and audiences.
// https://learn.microsoft.com/partner-center/developer/partner-center-rest-urls
var hosts = map[Cloud]map[Service]struct{ url, resource string }{
	Public: {
		Login:         {"https://login.microsoftonline.com", ""},
		PartnerCenter: {"https://api.partnercenter.microsoft.com", "https://api.partnercenter.microsoft.com"},
		Graph:         {"https://graph.microsoft.com", "https://graph.microsoft.com"},
		ARM:           {"https://management.azure.com", "https://management.azure.com/"},
		Prices:        {"https://api.partner.microsoft.com", "https://api.partner.microsoft.com"},
	},
	China: {
		Login:         {"https://login.partner.microsoftonline.cn", ""},
		PartnerCenter: {"https://partner.partnercenterapi.microsoftonline.cn", "https://partner.partnercenterapi.microsoftonline.cn"},
		Graph:         {"https://microsoftgraph.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"},
		ARM:           {"https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn/"},
		Prices:        {"https://api.partner.microsoft.com", "https://api.partner.microsoft.com"},
	},
}

// whole fills what was left out and refuses what cannot work.
func (c Config) whole() (Config, error) {
	if c.Cloud == "" {
		c.Cloud = Public
	}
	known, ok := hosts[c.Cloud]
	if !ok {
		return c, fault.Field("cloud", fmt.Sprintf("There is no cloud %q.", c.Cloud), "Use public or china.")
	}
	for service, place := range map[Service]*string{
		Login: &c.LoginURL, PartnerCenter: &c.PartnerCenterURL, Graph: &c.GraphURL, ARM: &c.ARMURL, Prices: &c.PriceURL,
	} {
		if *place == "" {
			*place = known[service].url
		}
		*place = strings.TrimRight(*place, "/")
		u, err := url.Parse(*place)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return c, fault.Field(string(service)+"-url", fmt.Sprintf("%q is not an https address.", *place), "Tokens are only ever sent over TLS: give an address that begins with https://.")
		}
	}
	if c.SignInURL == "" {
		c.SignInURL = c.LoginURL
	}
	c.SignInURL = strings.TrimRight(c.SignInURL, "/")
	if c.AttestationURL == "" {
		c.AttestationURL = "https://cdn.partner.microsoft.com/mca/"
	}
	if c.Locale == "" {
		c.Locale = "en-US"
	}
	if c.Timeout == 0 {
		c.Timeout = 100 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.HTTP == nil {
		client, err := HTTPClient(c.CAFile)
		if err != nil {
			return c, err
		}
		c.HTTP = client
	}
	return c, nil
}

// URL is the base address of a service, without a slash at the end.
func (c Config) URL(s Service) string {
	switch s {
	case Login:
		return c.LoginURL
	case PartnerCenter:
		return c.PartnerCenterURL
	case Graph:
		return c.GraphURL
	case ARM:
		return c.ARMURL
	case Prices:
		return c.PriceURL
	case Storage: // each manifest names its own
	}
	return ""
}

// Resource is the audience of a token for a service, in the form of Entra's
// first version, which is the one Partner Center's documents use.
func (c Config) Resource(s Service) string {
	cloud := c.Cloud
	if cloud == "" {
		cloud = Public
	}
	return hosts[cloud][s].resource
}

// HTTPClient is a client that also trusts the root certificates of a file in PEM
// form; "" is the system's alone.
func HTTPClient(caFile string) (*http.Client, error) {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if usual, ok := http.DefaultTransport.(*http.Transport); ok { // unless a program has replaced it
		t = usual.Clone()
	}
	t.MaxIdleConnsPerHost = 64 // the default of 2 closes connections as fast as many workers open them
	t.ForceAttemptHTTP2 = true
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile) // #nosec G304 -- the operator names the file
		if err != nil {
			return nil, fmt.Errorf("read root certificates: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fault.Field("ca-file", fmt.Sprintf("%s holds no certificate in PEM form.", caFile), "Give the file that the simulator wrote, or leave it out.")
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{Transport: t}, nil
}
