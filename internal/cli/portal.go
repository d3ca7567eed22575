package cli

import (
	"net/http"
	"net/url"
	"strings"

	"causeway/internal/demo"
	"causeway/internal/web"
	"causeway/internal/web/ui"
)

// portal is what people see in a browser.
func (a *App) portal() http.Handler {
	p := web.Parts{
		DB: a.DB, Now: a.Config.Now, Log: a.Config.Log, People: a.People, Settings: a.Settings, Providers: a.Providers, Provision: a.Provision,
		Terms: a.Terms, Signatures: a.Signatures, Guard: a.Guard, Desk: a.Desk, Mail: a.Mail,
		Months: a.Billing.Months(), Invoices: a.Billing.Book(), Prices: a.Prices, Billing: a.Billing,
		PublicURL: a.Config.PublicURL, FrameSource: a.frames(), Secure: strings.HasPrefix(a.Config.PublicURL, "https://"),
		Simulated: a.Config.Simulated, Closing: a.closing,
	}
	if a.Lake != nil {
		p.Records = a.Billing
	}
	if a.Config.SeedDemo {
		for _, s := range demo.SignIns() {
			if s.Where == "portal" {
				p.Demo = append(p.Demo, ui.DemoSignIn{Role: s.Who, Email: s.Login, Password: demo.Password})
			}
		}
	}
	return web.New(p)
}

// frames are the origins whose pages the portal may embed: Microsoft's
// attestation page, wherever it is, and what the configuration adds.
func (a *App) frames() string {
	all := append([]string{}, a.Config.Frames...)
	if u, err := url.Parse(a.attestation); err == nil && u.Host != "" {
		all = append(all, u.Scheme+"://"+u.Host)
	}
	return strings.Join(all, " ")
}
