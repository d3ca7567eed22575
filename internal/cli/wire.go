package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/api"
	"causeway/internal/azure"
	"causeway/internal/azure/arm"
	"causeway/internal/azure/graph"
	"causeway/internal/azure/partnercenter"
	"causeway/internal/azure/token"
	"causeway/internal/billing"
	"causeway/internal/fault"
	"causeway/internal/guardrail"
	"causeway/internal/job"
	"causeway/internal/ledger"
	"causeway/internal/partner"
	"causeway/internal/price"
	"causeway/internal/provider"
	"causeway/internal/provision"
	"causeway/internal/seal"
	"causeway/internal/store"
	"causeway/internal/support"
	"causeway/internal/usage"
	"causeway/internal/usage/clickhouse"
	"causeway/internal/usage/lake"
	"causeway/internal/usage/raw"
)

// App is the whole program of one process, put together.
type App struct {
	Config     Config
	DB         *store.DB
	Jobs       *job.Queue
	People     *account.Directory
	Settings   *partner.Settings
	Providers  *provider.Inventory
	Provision  *provision.Runner
	Terms      *agreement.Register
	Signatures *agreement.Signatures
	Signer     *agreement.Signer
	Guard      *guardrail.Book
	Desk       *support.Desk
	Mail       *support.Outbox
	Ring       *seal.Ring // customer's secrets
	Custody    *token.Custody
	Throttle   *azure.Governor // also where role web reads who waits
	Raw        *raw.Store      // Microsoft's exports as received
	Fetch      *billing.Fetcher
	Lake       Lake // nil in a process of role web
	Prices     *price.Book
	Journal    *ledger.Journal
	Billing    *billing.Cycle

	// Microsoft; nil in a process of role web, which asks through workers.
	Pipe    *azure.Pipe
	Partner *partnercenter.Client
	Graph   *graph.Client
	ARM     *arm.Client

	api      func() *api.Server
	draining atomic.Bool   // asked to stop: not ready any more
	closing  chan struct{} // closed when it takes no more requests: streams end

	attestation string // where Microsoft's agreement is accepted
}

// New builds the program. It opens the database and brings it to its version;
// nothing listens and nothing works before Run.
//
// This is the one place where parts are put together: tests, serve, demo and
// bench use it. A process of role web never opens keys/partner.key.
func New(ctx context.Context, cfg Config) (*App, error) {
	cfg, err := cfg.whole()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Keys, 0o700); err != nil {
		return nil, fmt.Errorf("folder of keys: %w", err)
	}
	db, err := store.Open(ctx, cfg.Database)
	if err != nil {
		return nil, err
	}
	a, err := build(ctx, cfg, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

func build(ctx context.Context, cfg Config, db *store.DB) (*App, error) {
	a := &App{Config: cfg, DB: db, closing: make(chan struct{})}
	var err error
	if a.Ring, err = ring(ctx, db, cfg.Keys, "customer.key"); err != nil {
		return nil, err
	}
	if a.Signer, err = agreement.LoadSigner(filepath.Join(cfg.Keys, "receipt.key")); err != nil {
		return nil, err
	}
	a.Jobs = job.New(db, cfg.WorkerName, cfg.Now, cfg.Log)
	var options []account.Option
	if cfg.CLC != nil {
		options = append(options, account.WithCLC(*cfg.CLC))
	}
	if cfg.PasswordMemory != 0 {
		options = append(options, account.WithPasswordWork(cfg.PasswordMemory, cfg.PasswordPasses))
	}
	a.People = account.New(db, cfg.Now, options...)
	a.Settings = partner.New(db, cfg.Now, partner.WithBrand(cfg.brand()))
	a.Guard = guardrail.New(db, cfg.Now)
	a.Terms = agreement.New(db, cfg.Now)
	a.Providers = provider.New(db, cfg.Now)
	a.Mail = support.NewOutbox(db, cfg.Now, a.Jobs, a.Settings, cfg.Mail, cfg.Log)
	a.Desk = support.New(db, cfg.Now, a.Settings, a.Mail, cfg.PublicURL)
	a.Signatures = agreement.NewSignatures(a.Terms, a.Jobs, a.Mail, a.Settings, cfg.PublicURL)
	if err := a.microsoft(ctx); err != nil {
		return nil, err
	}
	a.Provision = provision.New(provision.Parts{
		DB: db, Now: cfg.Now, Log: cfg.Log, Jobs: a.Jobs, People: a.People, Settings: a.Settings, Terms: a.Terms, Guard: a.Guard,
		Desk: a.Desk, Mail: a.Mail, Providers: a.Providers, Ring: a.Ring, Signer: a.Signer, Portal: cfg.PublicURL, Pace: cfg.Pace, Signed: a.Signatures,
		Partner: a.Partner, Graph: a.Graph, ARM: a.ARM, Tokens: a.Custody, Throttle: a.Throttle,
	})
	if err := a.billing(ctx); err != nil {
		return nil, err
	}
	brand, err := a.Settings.Brand(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.Terms.Seed(ctx, agreement.Initial(brand)); err != nil {
		return nil, err
	}
	a.housekeeping()
	a.api = sync.OnceValue(func() *api.Server { return api.New(a.apiParts()) }) // its schema is work, for who serves it
	return a, nil
}

// API is the JSON API.
func (a *App) API() *api.Server { return a.api() }

// microsoft makes the clients. Without the partner's key there are none: role
// web has a custody that only tells how the partner's credential stands.
func (a *App) microsoft(ctx context.Context) error {
	saved, err := a.Settings.Microsoft(ctx)
	if err != nil {
		return err
	}
	if a.Pipe, err = azure.New(a.Config.microsoft(saved)); err != nil {
		return err
	}
	a.Throttle = azure.NewGovernor(a.Config.Now, a.DB, a.Pipe.Config().Minute)
	a.Pipe = a.Pipe.Governed(a.Throttle)
	a.attestation = a.Pipe.Config().AttestationURL
	if !a.Config.worker() {
		a.Custody = token.New(a.DB, nil, a.Pipe, a.Config.WorkerName)
		a.Pipe = nil
		return nil
	}
	ring, err := ring(ctx, a.DB, a.Config.Keys, "partner.key")
	if err != nil {
		return err
	}
	a.Custody = token.New(a.DB, ring, a.Pipe, a.Config.WorkerName)
	a.Pipe = a.Pipe.With(a.Custody)
	a.Partner, a.Graph, a.ARM = partnercenter.New(a.Pipe), graph.New(a.Pipe), arm.New(a.Pipe)
	return nil
}

// billing makes what Microsoft bills readable, and in a worker fetches it.
func (a *App) billing(ctx context.Context) (err error) {
	if a.Raw, err = raw.New(ctx, a.DB, a.Config.Now, a.Config.Exports); err != nil {
		return err
	}
	a.Prices, a.Journal = price.New(a.DB, a.Config.Now), ledger.New(a.DB, a.Config.Now)
	parts := billing.Parts{
		DB: a.DB, Now: a.Config.Now, Log: a.Config.Log, Jobs: a.Jobs, People: a.People, Settings: a.Settings, Mail: a.Mail, Desk: a.Desk, Prices: a.Prices, Journal: a.Journal,
		Raw: a.Raw, Files: billing.Folder(filepath.Join(a.Config.dataFolder(), "documents")), Workers: runtime.GOMAXPROCS(0), Portal: a.Config.PublicURL, Ring: a.Ring,
		Names: a.subscriptionName,
	}
	if a.Config.worker() {
		if a.Lake, err = openLake(a.Config.Lake, filepath.Join(a.Config.dataFolder(), "lake"), 0); err != nil {
			return err
		}
		parts.Lake = a.Lake
	}
	a.Billing = billing.New(parts)
	a.Fetch = billing.NewFetcher(billing.FetchParts{
		OnSnapshot: a.Billing.OnSnapshot,
		Closed: func(ctx context.Context, m usage.Month) (bool, error) {
			return a.Journal.Closed(ctx, a.DB.Read(), m)
		},
		DB: a.DB, Now: a.Config.Now, Log: a.Config.Log, Jobs: a.Jobs, Graph: a.Graph, Partner: a.Partner, Raw: a.Raw, Throttle: a.Throttle,
		Tenant: func(ctx context.Context) (string, error) {
			p, err := a.Custody.Partner(ctx)
			if errors.Is(err, fault.NotFound) {
				return "", nil
			}
			return p.Tenant, err
		},
	})
	if a.Config.worker() {
		a.Fetch.Handle(a.Jobs)
	}
	return nil
}

// Lake is where the records of usage are.
type Lake interface {
	billing.Lake
	Close() error
}

// openLake opens a ClickHouse cluster, or DuckDB in a folder where none is named.
func openLake(setting, folder string, workers int) (Lake, error) {
	if setting == "" {
		return lake.Open(folder, lake.Options{Workers: workers})
	}
	at, err := clickhouse.Parse(setting)
	if err != nil {
		return nil, err
	}
	return clickhouse.Open(at, clickhouse.Options{Workers: workers}), nil
}

// subscriptionName is what the customer calls a subscription: its provider. What has
// none is called by its id.
func (a *App) subscriptionName(id string) string {
	p, err := a.Providers.OfSubscription(context.Background(), id)
	if err != nil {
		return id
	}
	return p.Name
}

func (a *App) apiParts() api.Parts {
	p := api.Parts{
		DB: a.DB, Now: a.Config.Now, Log: a.Config.Log, People: a.People, Settings: a.Settings, Providers: a.Providers, Provision: a.Provision,
		Terms: a.Terms, Signatures: a.Signatures, Signer: a.Signer, Guard: a.Guard, Desk: a.Desk, Mail: a.Mail, Custody: a.Custody, Billing: a.Billing,
		PublicURL: a.Config.PublicURL, Version: Version(), Closing: a.closing,
	}
	if a.Config.worker() {
		p.Doctor = a.Doctor
	}
	return p
}

// Run listens on l and works until ctx ends. Then jobs end or go to another
// replica at once, requests are served for the drain time and those that run may
// end. It closes l.
func (a *App) Run(ctx context.Context, l net.Listener) error {
	if a.Config.worker() {
		if err := a.startWork(ctx); err != nil {
			if ctx.Err() != nil {
				return l.Close() // asked to stop before it began
			}
			return errors.Join(err, l.Close())
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work := make(chan error, 1)
	go func() {
		if !a.Config.worker() {
			work <- nil
			return
		}
		err := a.Jobs.Run(ctx, a.Config.Workers)
		if ctx.Err() != nil {
			err = nil
		}
		stop() // a server whose worker died must not look alive
		work <- err
	}()
	err := a.listen(ctx, l)
	stop()
	return errors.Join(err, <-work)
}

// Close gives the database free. Call it after Run has returned.
func (a *App) Close() error {
	var err error
	if a.Lake != nil {
		err = a.Lake.Close()
	}
	return errors.Join(err, a.Raw.Close(), a.DB.Close())
}

// figures of the server: a client that does not send or read holds nothing.
const (
	headerTime = 10 * time.Second
	readTime   = 30 * time.Second
	writeTime  = 60 * time.Second // the progress stream lifts it for itself
	idleTime   = 2 * time.Minute
	stopTime   = 12 * time.Second // longer than a page waits for Microsoft (10 s); systemd kills after 90 s
)

func (a *App) listen(ctx context.Context, l net.Listener) error {
	base, end := context.WithCancel(context.Background())
	defer end()
	server := &http.Server{
		Handler: a.Handler(), ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog: serverLog(a.Config.Log),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	a.Config.Log.Info("listening", "address", l.Addr().String(), "role", string(a.Config.Role), "url", a.Config.PublicURL)
	select {
	case err := <-failed:
		return fmt.Errorf("listen: %w", err)
	case <-ctx.Done():
	}
	a.drain(failed)
	close(a.closing)
	until, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := server.Shutdown(until); err != nil {
		return errors.Join(fmt.Errorf("stop: %w", err), server.Close())
	}
	a.Config.Log.Info("stopped")
	return nil
}

// drain serves on while /readyz says no, so that a proxy sees it and sends no
// more before the door is shut.
func (a *App) drain(failed <-chan error) {
	a.draining.Store(true)
	a.Config.Log.Info("stopping", "drain", a.Config.Drain)
	t := time.NewTimer(a.Config.Drain)
	defer t.Stop()
	select {
	case <-t.C:
	case err := <-failed: // nobody can come any more
		a.Config.Log.Error("stopped listening", "error", err)
	}
}
