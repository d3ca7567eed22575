package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure"
	"causeway/internal/demo"
	"causeway/internal/fault"
	"causeway/internal/partner"
	"causeway/internal/usage"
)

// settings are the flags of a process, each with its variable. Left out, each
// does what its help says.
type settings struct {
	Database   string        `env:"CAUSEWAY_DATABASE" default:"state.db" placeholder:"FILE|URL" help:"The state: a file (SQLite, one process) or postgres://… (any number)."`
	Keys       string        `env:"CAUSEWAY_KEYS" default:"keys" placeholder:"DIR" help:"Folder of the key files; made at the first start. Back it up apart from the database."`
	Exports    string        `env:"CAUSEWAY_EXPORTS" placeholder:"DIR|URL" help:"Where Microsoft's billing exports are kept: a folder, azblob://container or s3://bucket. Left out: exports beside the database file, or beside the keys."`
	Lake       string        `env:"CAUSEWAY_LAKE" placeholder:"URL" help:"Where records of usage are added up: clickhouse://user:password@host1:8123,host2:8123/database?cluster=NAME, all nodes of it. Left out: DuckDB, in the folder lake beside the database file or beside the keys."`
	Role       string        `env:"CAUSEWAY_ROLE" default:"all" enum:"web,worker,all" help:"web: portal and API, without the partner's key; worker: calls Microsoft; all: both."`
	Listen     string        `env:"CAUSEWAY_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Where the portal and the API listen (plain HTTP; TLS is the proxy's)."`
	PublicURL  string        `env:"CAUSEWAY_PUBLIC_URL" name:"public-url" placeholder:"URL" help:"How people reach it: links in mails, cookies, the redirect address. Left out: the address it listens on."`
	WorkerName string        `env:"CAUSEWAY_WORKER_NAME" placeholder:"NAME" help:"Kept over restarts, so that work goes on at once. Left out: the host's name."`
	Workers    int           `env:"CAUSEWAY_WORKERS" default:"16" help:"Jobs at once."`
	Drain      time.Duration `env:"CAUSEWAY_DRAIN" default:"0s" help:"How long it serves on after SIGTERM while /readyz says no: longer than the proxy takes to see that. 0s: a single process."`

	SMTP     string `env:"CAUSEWAY_SMTP" name:"smtp" placeholder:"URL" help:"Mail server, smtp://user:password@host:587 or smtps://…. Left out: mail is kept in the outbox."`
	MailFrom string `env:"CAUSEWAY_MAIL_FROM" placeholder:"ADDR" help:"Sender of mail, until the brand names one."`
	Brand    string `env:"CAUSEWAY_BRAND" default:"neutral" enum:"neutral,seed" help:"Words that customers see until staff save their own."`

	Microsoft        string `env:"CAUSEWAY_MICROSOFT" placeholder:"URL" help:"One address for all of Microsoft's services: a simulator's."`
	LoginURL         string `env:"CAUSEWAY_LOGIN_URL" name:"login-url" placeholder:"URL" help:"Entra ID, where it is not Microsoft's own."`
	PartnerCenterURL string `env:"CAUSEWAY_PARTNER_CENTER_URL" name:"partner-center-url" placeholder:"URL" help:"Partner Center, likewise."`
	GraphURL         string `env:"CAUSEWAY_GRAPH_URL" name:"graph-url" placeholder:"URL" help:"Microsoft Graph, likewise."`
	ARMURL           string `env:"CAUSEWAY_ARM_URL" name:"arm-url" placeholder:"URL" help:"Azure Resource Manager, likewise."`
	AttestationURL   string `env:"CAUSEWAY_ATTESTATION_URL" name:"attestation-url" placeholder:"URL" help:"The page on which Microsoft's agreement is accepted, likewise."`
	CAFile           string `env:"CAUSEWAY_CA_FILE" name:"ca-file" placeholder:"FILE" help:"Further root certificates (PEM) for calls to Microsoft: a simulator's."`
	Cloud            string `env:"CAUSEWAY_CLOUD" default:"public" enum:"public,china" help:"Which of Microsoft's clouds."`

	CLCURL      string `env:"CAUSEWAY_CLC_URL" name:"clc-url" placeholder:"URL" help:"Remote directory of account administrators that speaks the CLC API. Left out: the one built in."`
	CLCKey      string `env:"CAUSEWAY_CLC_KEY" name:"clc-key" placeholder:"KEY" help:"Its v1 API key."`
	CLCPassword string `env:"CAUSEWAY_CLC_PASSWORD" name:"clc-password" placeholder:"SECRET" help:"The password of that key; better in the environment than in the arguments."`

	LogFormat string `env:"CAUSEWAY_LOG_FORMAT" default:"json" enum:"json,text" help:"Form of the log lines on standard error."`
	LogLevel  string `env:"CAUSEWAY_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"The least important line that is written."`
}

// config is what the flags mean.
func (s settings) config(logTo io.Writer) (Config, error) {
	mail, err := ParseMail(s.SMTP)
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Database: s.Database, Keys: s.Keys, Exports: s.Exports, Lake: s.Lake, Role: Role(s.Role), Listen: s.Listen, PublicURL: s.PublicURL, WorkerName: s.WorkerName,
		Workers: s.Workers, Drain: s.Drain, Mail: mail, MailFrom: s.MailFrom, Log: logger(logTo, s.LogFormat, s.LogLevel),
		Azure: azure.Config{
			Cloud: azure.Cloud(s.Cloud), LoginURL: s.LoginURL, PartnerCenterURL: s.PartnerCenterURL, GraphURL: s.GraphURL, ARMURL: s.ARMURL,
			AttestationURL: s.AttestationURL, CAFile: s.CAFile,
		},
	}
	for _, p := range []*string{&c.Azure.LoginURL, &c.Azure.PartnerCenterURL, &c.Azure.GraphURL, &c.Azure.ARMURL} {
		if *p == "" {
			*p = s.Microsoft
		}
	}
	if s.Brand == "seed" {
		b := partner.SeedBrand()
		c.Brand = &b
	}
	if s.CLCURL != "" {
		c.CLC = &account.CLC{Base: s.CLCURL, APIKey: s.CLCKey, APIPassword: s.CLCPassword}
		if s.CAFile != "" {
			client, err := azure.HTTPClient(s.CAFile)
			if err != nil {
				return Config{}, err
			}
			c.CLC.Client = client
		}
	}
	if s.Drain < 0 || s.Drain > time.Minute {
		return Config{}, fault.Field("drain", fmt.Sprintf("%s cannot be waited for.", s.Drain), "Use 0s to 1m; 5s is usual behind a proxy that asks /readyz every 2 s.")
	}
	if s.Workers < 1 || s.Workers > 1000 {
		return Config{}, fault.Field("workers", fmt.Sprintf("%d workers cannot work.", s.Workers), "Use 1 to 1000; 16 is usual.")
	}
	return c, nil
}

func logger(w io.Writer, format, level string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: l}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// serveCmd runs one process.
type serveCmd struct {
	settings  `embed:""`
	SeedDemo  bool    `hidden:"" help:"Fill an empty database with the demo's book of customers."`
	SeedBills bool    `hidden:"" help:"With --seed-demo: decide taxes, prices and how accounts are billed, from the first of this month on."`
	Simulated string  `hidden:"" help:"What the portal's banner says about a simulated Microsoft."`
	Pace      float64 `hidden:"" help:"How many times as fast the simulated Microsoft is."`
	Clock     string  `hidden:"" placeholder:"FILE" help:"Holds a duration by which this process's clock is ahead; read again and again."`
	ReadyFile string  `placeholder:"FILE" help:"Write the address to this file once it listens; for scripts that use port 0."`
}

func (c *serveCmd) Run(ctx context.Context, std Std) error {
	cfg, err := c.config(std.Err)
	if err != nil {
		return err
	}
	cfg.SeedDemo, cfg.SeedBills, cfg.Simulated, cfg.Pace = c.SeedDemo, c.SeedBills, c.Simulated, c.Pace
	if c.Clock != "" {
		cfg.Now = clockOf(c.Clock)
	}
	return serve(ctx, cfg, c.ReadyFile)
}

// serve listens first, so that port 0 is known when links are made, then builds
// and runs until ctx ends.
func serve(ctx context.Context, cfg Config, readyFile string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	cfg.Listen = l.Addr().String()
	app, err := New(ctx, cfg)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if cfg.SeedDemo {
		_, err := demo.Seed(ctx, app.People)
		if err == nil && cfg.SeedBills {
			err = seedBilling(ctx, app.Billing, app.Prices, usage.MonthOf(app.Config.Now()).First())
		}
		if err != nil {
			return errors.Join(fmt.Errorf("seed the demo: %w", err), l.Close(), app.Close())
		}
	}
	if readyFile != "" {
		if err := writeWhole(readyFile, []byte("http://"+cfg.Listen+"\n")); err != nil {
			return errors.Join(err, l.Close(), app.Close())
		}
	}
	return errors.Join(app.Run(ctx, l), app.Close())
}

const clockRead = 100 * time.Millisecond

// clockOf is a clock that a file puts ahead, so that a test can let many processes
// jump at once; the demo begins in the past with it. The file is read every clockRead.
func clockOf(file string) func() time.Time {
	var mu sync.Mutex
	var read time.Time
	var ahead time.Duration
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if now.Sub(read) > clockRead {
			read = now
			if b, err := os.ReadFile(file); err == nil { // #nosec G304 -- the operator names the file
				if d, err := time.ParseDuration(strings.TrimSpace(string(b))); err == nil {
					ahead = d
				}
			}
		}
		return now.Add(ahead)
	}
}
