package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/api"
	"causeway/internal/azure"
	"causeway/internal/partner"
	"causeway/internal/provision"
	"causeway/internal/usage/clickhouse"
)

// Bounds of doctor.
const (
	checkTime = 15 * time.Second // one check
	maxSkew   = time.Minute      // tokens and signatures depend on the clock
)

// Doctor checks everything outside of the program, in the order in which
// docs/production.md sets it up, and changes nothing. A check that needs what an
// earlier one missed says so.
func (a *App) Doctor(ctx context.Context) []api.Check {
	d := &doctor{a: a}
	for _, c := range []struct {
		name string
		do   func(context.Context) (state, text, remedy string)
	}{
		{"database", d.database}, {"usage lake", d.lake}, {"keys", d.keys}, {"public address", d.publicURL}, {"mail", d.mail}, {"clock", d.clock},
		{"settings", d.settings}, {"application", d.application}, {"sign-in with MFA", d.signIn}, {"Partner Center", d.partnerCenter},
		{"MPN id", d.mpn}, {"billing account", d.billing}, {"delegated access (GDAP)", d.gdap}, {"onboardings", d.onboardings},
	} {
		one, cancel := context.WithTimeout(ctx, checkTime)
		state, text, remedy := c.do(one)
		cancel()
		if state == ok {
			remedy = ""
		}
		d.checks = append(d.checks, api.Check{Name: c.name, State: state, Text: text, Remedy: remedy})
	}
	return d.checks
}

// The states of a check.
const (
	ok   = "ok"
	warn = "warn"
	bad  = "fail"
)

type doctor struct {
	a      *App
	checks []api.Check
	ms     partner.Microsoft
}

// failed tells whether an earlier check failed.
func (d *doctor) failed(name string) bool {
	for _, c := range d.checks {
		if c.Name == name && c.State == bad {
			return true
		}
	}
	return false
}

func (d *doctor) database(ctx context.Context) (string, string, string) {
	if err := d.a.DB.Ping(ctx); err != nil {
		return bad, "The database does not answer: " + err.Error(), "Start it, and check CAUSEWAY_DATABASE."
	}
	if d.a.DB.SQLite() {
		return ok, "SQLite answers; one process can use it.", ""
	}
	return ok, "PostgreSQL answers.", ""
}

func (d *doctor) lake(ctx context.Context) (string, string, string) {
	cluster, there := d.a.Lake.(*clickhouse.Lake)
	switch {
	case d.a.Lake == nil:
		return ok, "This process does not use it.", ""
	case !there:
		return ok, "DuckDB, in a folder of this host.", ""
	}
	if err := cluster.Check(ctx); err != nil {
		return bad, "The usage lake cannot be used: " + err.Error(), "Start all nodes of the ClickHouse cluster, and check CAUSEWAY_LAKE."
	}
	return ok, "Every node of the ClickHouse cluster answers.", ""
}

func (d *doctor) keys(context.Context) (string, string, string) {
	for _, name := range []string{"partner.key", "customer.key", "receipt.key"} {
		info, err := os.Stat(filepath.Join(d.a.Config.Keys, name))
		if err != nil {
			return bad, name + " is not there.", "Restore the folder of keys from its backup: without it nothing sealed can be read."
		}
		if info.Mode().Perm()&0o077 != 0 {
			return warn, name + " can be read by others on this host.", "chmod 600 " + name
		}
	}
	return ok, "All three keys are there, readable by their owner only. Are they backed up apart from the database?", ""
}

func (d *doctor) publicURL(context.Context) (string, string, string) {
	u, err := url.Parse(d.a.Config.PublicURL)
	if err != nil {
		return bad, "The public address cannot be read.", "Set CAUSEWAY_PUBLIC_URL."
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "https" || ip != nil && ip.IsLoopback() || u.Hostname() == "localhost" {
		return warn, "People reach the portal at " + d.a.Config.PublicURL + ", which is not https on a public name.", "Put a proxy with a certificate in front and set CAUSEWAY_PUBLIC_URL."
	}
	return ok, "People reach the portal at " + d.a.Config.PublicURL + ".", ""
}

func (d *doctor) mail(ctx context.Context) (string, string, string) {
	server := d.a.Config.Mail.Address
	if server == "" {
		return warn, "No mail server is set: mail is kept in the outbox.", "Set CAUSEWAY_SMTP."
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", server)
	if err != nil {
		return bad, "The mail server does not answer: " + err.Error(), "Check CAUSEWAY_SMTP and the way to " + server + "."
	}
	_ = conn.Close()
	stuck, err := d.a.Mail.Mails(ctx, account.System(), "stuck", "", 1)
	if err != nil {
		return bad, "The outbox cannot be read: " + err.Error(), "Look at the log."
	}
	if len(stuck.Items) > 0 {
		return warn, "The mail server answers, but mail is stuck.", "Look at the outbox; the server's last words stand there."
	}
	return ok, "The mail server " + server + " answers.", ""
}

// clock compares with the Date header of Entra ID.
func (d *doctor) clock(ctx context.Context) (string, string, string) {
	cfg := d.a.Pipe.Config()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.URL(azure.Login)+"/common/v2.0/.well-known/openid-configuration", nil)
	if err != nil {
		return bad, err.Error(), "Check the address of Entra ID."
	}
	res, err := cfg.HTTP.Do(req)
	if err != nil {
		return bad, "Entra ID cannot be reached: " + err.Error(), "Allow outbound HTTPS to it, and check CAUSEWAY_LOGIN_URL and CAUSEWAY_CA_FILE."
	}
	_ = res.Body.Close()
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return warn, "Entra ID answers, but tells no time.", "Check the clock by hand."
	}
	skew := d.a.Config.Now().Sub(theirs).Round(time.Second)
	if skew.Abs() > maxSkew {
		return bad, fmt.Sprintf("The clock differs from Microsoft's by %s.", skew), "Switch on time synchronisation (chrony, systemd-timesyncd)."
	}
	return ok, fmt.Sprintf("The clock is right to within %s.", max(skew.Abs(), time.Second)), ""
}

func (d *doctor) settings(ctx context.Context) (string, string, string) {
	var err error
	if d.ms, err = d.a.Settings.Microsoft(ctx); err != nil {
		return bad, err.Error(), "Look at the log."
	}
	var missing []string
	for name, v := range map[string]string{"tenant id": d.ms.Tenant, "application id": d.ms.AppID, "GDAP group": d.ms.GDAPGroup, "MPN id": d.ms.MPNID, "country": d.ms.Country} {
		if v == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return bad, "Not set: " + list(missing) + ".", "Run causeway partner connect, or use the staff page Microsoft settings."
	}
	return ok, "Tenant, application, group, MPN id and country are set.", ""
}

func (d *doctor) application(ctx context.Context) (string, string, string) {
	if d.failed("clock") {
		return bad, "Not asked: Entra ID cannot be reached, or the clock is wrong.", "Mend that first."
	}
	_, err := d.a.Custody.Token(ctx, azure.TokenRequest{As: azure.AppOnly, Resource: d.a.Pipe.Config().Resource(azure.PartnerCenter)})
	if err != nil {
		return because(err, "Run causeway partner connect with the application's present secret.")
	}
	return ok, "Entra ID accepts the application and its secret.", ""
}

func (d *doctor) signIn(ctx context.Context) (string, string, string) {
	p, err := d.a.Custody.Partner(ctx)
	if err != nil {
		return because(err, "Run causeway partner connect.")
	}
	if !p.Consented {
		return bad, "Nobody has signed in for the partner yet.", "Run causeway partner connect and sign in with MFA."
	}
	if p.Alarm != nil {
		return bad, p.Alarm.Reason, p.Alarm.Remedy
	}
	mfa, err := d.a.Partner.CheckMFA(ctx)
	if err != nil {
		return because(err, "Run causeway partner connect.")
	}
	if !mfa {
		return bad, "The sign-in of " + p.ConsentedBy + " lacks a second factor.", "Run causeway partner connect and sign in with MFA."
	}
	return ok, fmt.Sprintf("%s signed in with MFA; last renewed on %s.", p.ConsentedBy, p.RedeemedAt.Format("2 January 2006")), ""
}

func (d *doctor) partnerCenter(ctx context.Context) (string, string, string) {
	if d.failed("sign-in with MFA") {
		return bad, "Not asked: there is no sign-in.", "Mend that first."
	}
	p, err := d.a.Partner.LegalBusinessProfile(ctx)
	if err != nil {
		return because(err, "Enable the application for the Partner Center API: Account settings, App management.")
	}
	if p.Address.Country != "" && !strings.EqualFold(p.Address.Country, d.ms.Country) {
		return warn, fmt.Sprintf("Partner Center has the partner in %s, the settings say %s.", p.Address.Country, d.ms.Country), "Correct the country: you may sell only in its region."
	}
	return ok, "Partner Center answers as " + p.CompanyName + ".", ""
}

func (d *doctor) mpn(ctx context.Context) (string, string, string) {
	if d.failed("sign-in with MFA") || d.ms.MPNID == "" {
		return bad, "Not asked: the sign-in or the MPN id is missing.", "Mend that first."
	}
	p, err := d.a.Partner.MPNProfile(ctx, d.ms.MPNID)
	if err != nil {
		return because(err, "Use the location id of Partner Center, Account settings, Identifiers.")
	}
	if p.Number() != d.ms.MPNID {
		return bad, "Partner Center knows the MPN id as " + p.Number() + ".", "Correct it in the settings."
	}
	return ok, "The MPN id " + d.ms.MPNID + " is known.", ""
}

func (d *doctor) billing(ctx context.Context) (string, string, string) {
	if d.failed("sign-in with MFA") {
		return bad, "Not asked: there is no sign-in.", "Mend that first."
	}
	all, err := d.a.ARM.In("", azure.AppUser).BillingAccounts(ctx)
	if err != nil {
		return because(err, "Give the user a role on the billing account; subscriptions for existing customers need it.")
	}
	for _, b := range all {
		if b.IsPartner() {
			return ok, "The billing account of the partner agreement is seen: " + b.Properties.DisplayName + ".", ""
		}
	}
	return bad, "No billing account with the Microsoft Partner Agreement is seen.", "Sign the agreement, or give the user a role on that account."
}

func (d *doctor) gdap(ctx context.Context) (string, string, string) {
	if d.failed("sign-in with MFA") || d.ms.GDAPGroup == "" {
		return bad, "Not asked: the sign-in or the group is missing.", "Mend that first."
	}
	if _, err := d.a.Graph.Relationships(ctx, ""); err != nil {
		return because(err, "Grant the application DelegatedAdminRelationship.ReadWrite.All of Microsoft Graph.")
	}
	return ok, "Delegated relationships can be read. That the group " + d.ms.GDAPGroup + " is inside AdminAgents cannot be read with these rights: look once.", ""
}

func (d *doctor) onboardings(ctx context.Context) (string, string, string) {
	n, err := d.a.Provision.Counts(ctx, account.System())
	if err != nil {
		return bad, err.Error(), "Look at the log."
	}
	if n[provision.Stuck] > 0 {
		return warn, fmt.Sprintf("%d stuck.", n[provision.Stuck]), "causeway onboarding list --state stuck"
	}
	return ok, "None is stuck.", ""
}

// because is a failed check in Microsoft's words, if we know what they mean.
func because(err error, otherwise string) (string, string, string) {
	if r, known := azure.Refusal(err); known {
		return bad, r.Reason, firstOf(r.Remedy, otherwise)
	}
	return bad, strings.ToUpper(err.Error()[:1]) + err.Error()[1:], otherwise
}

// list joins words in a stable order.
func list(words []string) string {
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// doctorCmd asks a server, or checks by itself where none runs.
type doctorCmd struct {
	remote   `embed:""`
	Local    bool `help:"Check from this process, with the settings of serve in the environment; no server is asked. With SQLite the server must be stopped."`
	settings `embed:"" group:"With --local"`
}

func (c *doctorCmd) Run(ctx context.Context, std Std) error {
	checks, err := c.checks(ctx, std)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(std.Out, checks); err != nil {
			return err
		}
	}
	failed := 0
	for _, x := range checks {
		if x.State == bad {
			failed++
		}
		if !c.JSON {
			_, _ = fmt.Fprintf(std.Out, "%-5s %s: %s\n", x.State, x.Name, x.Text)
			if x.Remedy != "" {
				_, _ = fmt.Fprintf(std.Out, "      → %s\n", x.Remedy)
			}
		}
	}
	if failed > 0 {
		return errShown
	}
	return nil
}

func (c *doctorCmd) checks(ctx context.Context, std Std) ([]api.Check, error) {
	if !c.Local {
		cl, err := c.client()
		if err != nil {
			return nil, err
		}
		var out api.Checks
		err = cl.get(ctx, "/doctor", &out)
		return out.Checks, err
	}
	cfg, err := c.config(std.Err)
	if err != nil {
		return nil, err
	}
	cfg.Role = RoleWorker
	app, err := New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	checks := app.Doctor(ctx)
	return checks, app.Close()
}
