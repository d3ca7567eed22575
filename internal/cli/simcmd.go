package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"causeway/internal/sim"
)

// simCmd is the simulator, a product of its own: to run it, or only its usage.
type simCmd struct {
	Serve simServeCmd `cmd:"" default:"withargs" help:"Run it (what sim alone does)."`
	Usage simUsageCmd `cmd:"" help:"Write a month of simulated daily usage to files, without a server."`
}

// simServeCmd runs the simulator.
type simServeCmd struct {
	Listen      string            `env:"CAUSEWAY_SIM_LISTEN" default:"127.0.0.1:8443" placeholder:"ADDR" help:"HTTPS: all of Microsoft's services by path."`
	PlainListen string            `env:"CAUSEWAY_SIM_PLAIN_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDR" help:"Plain HTTP: pages for people, and the control API. Empty: none."`
	PlainURL    string            `env:"CAUSEWAY_SIM_PLAIN_URL" name:"plain-url" placeholder:"URL" help:"How people reach the plain listener, when that is not its address."`
	CAFile      string            `env:"CAUSEWAY_SIM_CA_FILE" name:"ca-file" default:"sim-ca.pem" placeholder:"FILE" help:"The test CA's certificate is written here."`
	CAKeyFile   string            `env:"CAUSEWAY_SIM_CA_KEY_FILE" name:"ca-key-file" placeholder:"FILE" help:"Keeps the CA between runs. Left out: a new one each time."`
	Profile     string            `env:"CAUSEWAY_SIM_PROFILE" default:"instant" enum:"instant,recorded" help:"instant: every effect is seen at once; recorded: the waits that Microsoft documents."`
	Factor      float64           `env:"CAUSEWAY_SIM_FACTOR" default:"1" help:"All durations are divided by it, Retry-After included."`
	Wait        map[string]string `placeholder:"NAME=DURATION" help:"Single waits in place of the profile's, e.g. order=30s."`
	Seed        string            `env:"CAUSEWAY_SIM_SEED" placeholder:"FILE" help:"What the world begins with (JSON)."`
	Random      uint64            `env:"CAUSEWAY_SIM_RANDOM" help:"Of ids and probabilities; the same number gives the same run. 0: another each time."`
	Config      string            `env:"CAUSEWAY_SIM_CONFIG" placeholder:"FILE" help:"Partner, application, people, groups and settings (JSON)."`
	CallLimit   int               `default:"20000" help:"Calls that the call log keeps."`
	Log         bool              `help:"One line per request on standard error."`
	ReadyFile   string            `placeholder:"FILE" help:"Write the addresses to this file (JSON) once it listens."`
	Clock       string            `hidden:"" placeholder:"FILE" help:"Holds a duration by which the simulator's clock is ahead; read again and again."`
	Quiet       bool              `short:"q" help:"Do not print the addresses."`
}

// simFile is what --config holds; what is left out has its default.
type simFile struct {
	Partner  sim.Partner  `json:"partner"`
	App      sim.App      `json:"app"`
	Users    []sim.User   `json:"users"`
	Groups   []sim.Group  `json:"groups"`
	Settings sim.Settings `json:"settings"`
}

func (c *simServeCmd) config(std Std) (sim.Config, error) {
	cfg := sim.Config{
		Addr: c.Listen, PlainAddr: c.PlainListen, PlainURL: c.PlainURL, CAFile: c.CAFile, CAKeyFile: c.CAKeyFile,
		Latency: sim.Profile(c.Profile), Factor: c.Factor, Seed: c.Random, CallLimit: c.CallLimit, Waits: map[sim.Wait]time.Duration{},
	}
	if c.Clock != "" {
		cfg.Now = clockOf(c.Clock)
	}
	for name, text := range c.Wait {
		d, err := time.ParseDuration(text)
		if err != nil {
			return cfg, fmt.Errorf("wait %s: %w", name, err)
		}
		cfg.Waits[sim.Wait(name)] = d
	}
	if c.Config != "" {
		b, err := os.ReadFile(c.Config)
		if err != nil {
			return cfg, err
		}
		var f simFile
		if err := json.Unmarshal(b, &f); err != nil {
			return cfg, fmt.Errorf("%s: %w", c.Config, err)
		}
		cfg.Partner, cfg.App, cfg.Users, cfg.Groups, cfg.Settings = f.Partner, f.App, f.Users, f.Groups, f.Settings
	}
	if c.Log {
		cfg.Log = logger(std.Err, "text", "info")
	}
	return cfg, nil
}

// simReady tells a script where the simulator is.
type simReady struct {
	URL      string `json:"url"`
	PlainURL string `json:"plain_url"`
	CAFile   string `json:"ca_file"`
}

func (c *simServeCmd) Run(ctx context.Context, std Std) error {
	cfg, err := c.config(std)
	if err != nil {
		return err
	}
	s, err := sim.New(cfg)
	if err != nil {
		return err
	}
	if c.Seed != "" {
		seed, err := sim.LoadSeed(c.Seed)
		if err != nil {
			return err
		}
		if err := s.Seed(seed); err != nil {
			return fmt.Errorf("%s: %w", c.Seed, err)
		}
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	defer s.Close()
	if c.ReadyFile != "" {
		b, err := json.Marshal(simReady{s.URL, s.PlainURL, s.CAFile})
		if err != nil {
			return err
		}
		if err := writeWhole(c.ReadyFile, append(b, '\n')); err != nil {
			return err
		}
	}
	if !c.Quiet {
		_, _ = fmt.Fprintf(std.Out, "Simulated Microsoft: %s (certificate authority: %s)\n", s.URL, s.CAFile)
		if s.PlainURL != "" {
			_, _ = fmt.Fprintf(std.Out, "Pages for people and control: %s\n", s.PlainURL)
		}
	}
	<-ctx.Done()
	return nil
}

// writeWhole writes a file that nobody sees half: scripts wait for it.
func writeWhole(name string, body []byte) error {
	if err := os.WriteFile(name+".part", body, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".part", name)
}
