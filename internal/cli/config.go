package cli

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/fault"
	"causeway/internal/partner"
	"causeway/internal/support"
	"causeway/internal/usage/clickhouse"
)

// Role says which part of the work a process does.
type Role string

// The roles of a process.
const (
	RoleAll    Role = "all"
	RoleWeb    Role = "web"    // portal and API; starts without the partner's key and takes no jobs
	RoleWorker Role = "worker" // calls Microsoft and sends mail; its API is for the partner's setup
)

// Config is all that a process is told. Everything may be left out but the
// database and the folder of keys.
type Config struct {
	Database   string // file name (SQLite) or postgres://…
	Keys       string // folder of partner.key, customer.key and receipt.key
	Exports    string // where Microsoft's exports are kept: a folder, azblob://… or s3://…; "" = exports beside the database file, else beside the keys
	Lake       string // clickhouse://…; "" = DuckDB in the folder lake beside the exports' default
	Role       Role   // "" = all
	Listen     string // host:port; "" = 127.0.0.1:8080
	PublicURL  string // how people reach the portal; "" = http:// and the address we listen on
	WorkerName string // kept over restarts; "" = the host's name
	Workers    int    // jobs at once; 0 = 16

	Drain time.Duration // how long it serves on after it was asked to stop, while /readyz says no; 0 = not

	Azure    azure.Config   // where Microsoft is, where it differs from the saved settings
	Mail     support.Server // no address: mail is kept in the outbox
	MailFrom string         // sender, as "Cloud team <cloud@partner.example>", for a brand that was never saved
	CLC      *account.CLC   // remote directory of account administrators; nil = the one built in
	Brand    *partner.Brand // what an unsaved brand is; nil = the neutral one
	Frames   []string       // further origins whose pages the portal embeds; Microsoft's attestation page is one always

	PasswordMemory, PasswordPasses uint32 // cost of one password hash; 0 = account's default

	SeedDemo  bool   // fill an empty database with the demo's book; its people are shown at the sign-in
	SeedBills bool   // with SeedDemo: taxes, prices and how accounts are billed, from the first of the month on
	Simulated string // what the portal's banner says about a simulated Microsoft; "" at the real one

	Pace float64 // how many times as fast a simulated Microsoft is, for estimates; 0 = 1

	Now func() time.Time // nil = time.Now
	Log *slog.Logger     // nil = nothing is logged
}

// whole fills in what was left out and refuses what cannot work.
func (c Config) whole() (Config, error) {
	if c.Database == "" {
		return c, fault.Field("database", "No database is named.", "Give a file (state.db) or postgres://… .")
	}
	if c.Keys == "" {
		return c, fault.Field("keys", "No folder of keys is named.", "Give a folder that is backed up apart from the database.")
	}
	if c.Exports == "" {
		c.Exports = filepath.Join(c.dataFolder(), "exports")
	}
	if c.Lake != "" {
		if _, err := clickhouse.Parse(c.Lake); err != nil {
			return c, err
		}
	}
	switch c.Role {
	case "":
		c.Role = RoleAll
	case RoleAll, RoleWeb, RoleWorker:
	default:
		return c, fault.Field("role", fmt.Sprintf("There is no role %q.", c.Role), "Use web, worker or all.")
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return c, fault.Field("listen", fmt.Sprintf("%q is no address to listen on.", c.Listen), "Give host:port, for example 127.0.0.1:8080.")
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + c.Listen
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return c, fault.Field("public-url", fmt.Sprintf("%q is no address of a website.", c.PublicURL), "Give scheme and name only, for example https://cloud.partner.example.")
	}
	c.PublicURL = u.Scheme + "://" + u.Host
	if c.WorkerName == "" {
		if c.WorkerName, err = os.Hostname(); err != nil {
			return c, fmt.Errorf("this host's name: %w", err)
		}
	}
	if c.Workers == 0 {
		c.Workers = 16
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.MailFrom != "" {
		if _, err := mail.ParseAddress(c.MailFrom); err != nil {
			return c, fault.Field("mail-from", fmt.Sprintf("%q is no sender.", c.MailFrom), "Write it like: Cloud team <cloud@partner.example>.")
		}
	}
	return c, nil
}

// dataFolder is where the program's own files lie: beside the database, if that is a
// file, else beside the keys.
func (c Config) dataFolder() string {
	if strings.Contains(c.Database, "://") || strings.Contains(c.Database, "host=") {
		return filepath.Dir(filepath.Clean(c.Keys))
	}
	return filepath.Dir(strings.TrimPrefix(c.Database, "sqlite:"))
}

// brand is what customers see until the partner saves a brand of its own.
func (c Config) brand() partner.Brand {
	b := partner.DefaultBrand()
	if c.Brand != nil {
		b = *c.Brand
	}
	if a, err := mail.ParseAddress(c.MailFrom); err == nil {
		b.MailFromName, b.MailFromAddress = a.Name, a.Address
	}
	return b
}

// web and worker tell which part of the work this process does.
func (c Config) web() bool    { return c.Role != RoleWorker }
func (c Config) worker() bool { return c.Role != RoleWeb }

// microsoft is where Microsoft is: what this process was told, else what was
// saved on the staff page. Tenant and application are never fixed here: custody
// reads them from the row that “partner connect” writes.
func (c Config) microsoft(saved partner.Microsoft) azure.Config {
	a := c.Azure
	for _, p := range []struct {
		to   *string
		from string
	}{
		{&a.LoginURL, saved.LoginURL}, {&a.PartnerCenterURL, saved.PartnerCenterURL}, {&a.GraphURL, saved.GraphURL},
		{&a.ARMURL, saved.ARMURL}, {&a.AttestationURL, saved.AttestationURL},
	} {
		if *p.to == "" {
			*p.to = p.from
		}
	}
	if a.Now == nil {
		a.Now = c.Now
	}
	if a.Log == nil {
		a.Log = c.Log
	}
	if a.Minute == 0 && c.Pace > 1 {
		a.Minute = time.Duration(float64(time.Minute) / c.Pace)
	}
	return a
}

// ParseMail reads the address of a mail server: smtp://user:password@host:587,
// or smtps:// for TLS from the first byte. "" = none.
func ParseMail(s string) (support.Server, error) {
	if s == "" {
		return support.Server{}, nil
	}
	bad := fault.Field("smtp", "This is no address of a mail server.", "Write it like smtp://user:password@mail.partner.example:587, or smtps:// for TLS from the start.")
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return support.Server{}, bad // the text may hold a password: it is not repeated
	}
	m := support.Server{User: u.User.Username()}
	m.Password, _ = u.User.Password()
	port := u.Port()
	switch u.Scheme {
	case "smtp":
		if port == "" {
			port = "587"
		}
		if u.Query().Get("starttls") == "required" {
			m.Security = support.StartTLS
		}
	case "smtps":
		m.Security = support.TLS
		if port == "" {
			port = "465"
		}
	default:
		return support.Server{}, bad
	}
	m.Address = net.JoinHostPort(u.Hostname(), port)
	m.CAFile = u.Query().Get("ca")
	return m, nil
}
