package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"causeway/internal/demo"
	"causeway/internal/sim"

	"github.com/rogpeppe/go-internal/testscript"
)

// Each script reads like a session in a terminal. A simulator and a server run
// beside it, as processes of their own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		Setup:               setUp,
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"keep": keep, "sim": simControl, "accept": accept, "connected": connected, "sign-in": signInCode,
		},
	})
}

// setUp starts both and puts the program into the PATH: the test's own binary,
// which is the program when asProgram says so.
func setUp(env *testscript.Env) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Join(env.WorkDir, ".bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		return err
	}
	if err := os.Symlink(self, filepath.Join(bin, "causeway")); err != nil {
		return err
	}
	env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv(asProgram, "1")
	env.Setenv("CAUSEWAY_CONFIG_DIR", filepath.Join(env.WorkDir, ".config"))
	env.Setenv("PASSWORD", demo.Password)
	at := filepath.Join(env.WorkDir, ".world")
	if err := os.Mkdir(at, 0o700); err != nil {
		return err
	}
	ready := filepath.Join(at, "sim.json")
	ca := filepath.Join(at, "ca.pem")
	b, err := begin(env, self, ready, "sim", "--listen", "127.0.0.1:0", "--plain-listen", "127.0.0.1:0", "--ca-file", ca, "--ready-file", ready, "--quiet")
	if err != nil {
		return err
	}
	var where struct {
		URL   string `json:"url"`
		Plain string `json:"plain_url"`
	}
	if err := json.Unmarshal(b, &where); err != nil {
		return err
	}
	ready = filepath.Join(at, "server")
	b, err = begin(env, self, ready, "serve", "--listen", "127.0.0.1:0", "--ready-file", ready, "--database", filepath.Join(at, "state.db"), "--keys", filepath.Join(env.WorkDir, "keys"),
		"--microsoft", where.URL, "--attestation-url", where.Plain+"/mca/", "--ca-file", ca, "--brand", "seed", "--seed-demo", "--worker-name", "script")
	if err != nil {
		return err
	}
	env.Setenv("SIM", where.Plain)
	env.Setenv("SERVER", strings.TrimSpace(string(b)))
	return nil
}

// begin starts a process that ends with the script, and gives its ready file.
func begin(env *testscript.Env, self, ready string, args ...string) ([]byte, error) {
	log := &bytes.Buffer{}
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	ended := false
	env.Defer(func() {
		if ended {
			return
		}
		_ = c.Process.Signal(syscall.SIGTERM)
		if err := <-done; err != nil {
			env.T().Log(args[0], "ended with", err, log.String())
			env.T().FailNow()
		}
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		if b, err := os.ReadFile(ready); err == nil {
			return b, nil
		}
		select {
		case err := <-done:
			ended = true
			return nil, fmt.Errorf("%s ended at its start: %w: %s", args[0], err, log)
		case <-late:
			return nil, fmt.Errorf("%s is not ready: %s", args[0], log)
		case <-tick.C:
		}
	}
}

// keep NAME 'pattern (…)' keeps what the group matched in the last output.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep NAME pattern")
	}
	m := regexp.MustCompile(`(?m)` + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// simControl plays what is no API call: sim METHOD PATH [JSON].
func simControl(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: sim METHOD path [JSON]")
	}
	body := ""
	if len(args) > 2 {
		body = args[2]
	}
	_, _ = ts.Stdout().Write(control(ts, args[0], args[1], body))
}

func control(ts *testscript.TestScript, method, path, body string) []byte {
	req, err := http.NewRequest(method, ts.Getenv("SIM")+path, strings.NewReader(body))
	ts.Check(err)
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	ts.Check(err)
	if res.StatusCode >= 300 {
		ts.Fatalf("simulator: %s %s", res.Status, b)
	}
	return b
}

// accept plays every signatory who has Microsoft's page before them.
func accept(ts *testscript.TestScript, _ bool, _ []string) {
	var list []map[string]any
	ts.Check(json.Unmarshal(control(ts, "GET", "/_sim/attestations", ""), &list))
	for _, a := range list {
		id := fmt.Sprint(a["attestationId"])
		control(ts, "POST", "/_sim/attestations/"+id+"/accept", "")
	}
	if len(list) == 0 {
		ts.Fatalf("there is no attestation")
	}
}

// signInCode NAME keeps the code of a sign-in of the partner's user with MFA.
func signInCode(ts *testscript.TestScript, _ bool, args []string) {
	var out struct{ Code string }
	body := fmt.Sprintf(`{"mfa":true,"redirectUri":"%s/staff/microsoft/callback"}`, ts.Getenv("SERVER"))
	ts.Check(json.Unmarshal(control(ts, "POST", "/_sim/people/"+sim.DefaultUser+"/sign-in", body), &out))
	ts.Setenv(args[0], out.Code)
}

// connected connects the partner and signs Contoso's administrator in.
func connected(ts *testscript.TestScript, _ bool, _ []string) {
	run := func(stdin string, args ...string) {
		c := exec.Command(ts.Getenv("WORK")+"/.bin/causeway", args...)
		c.Stdin = strings.NewReader(stdin)
		c.Env = append(os.Environ(), asProgram+"=1", "CAUSEWAY_CONFIG_DIR="+ts.Getenv("CAUSEWAY_CONFIG_DIR"))
		if b, err := c.CombinedOutput(); err != nil {
			ts.Fatalf("%v: %v: %s", args, err, b)
		}
	}
	run(demo.Password+"\n", "login", "--server", ts.Getenv("SERVER"), "--email", demo.Owner)
	signInCode(ts, false, []string{"CODE"})
	run(sim.DefaultAppSecret+"\n", "partner", "connect", "--tenant", sim.DefaultPartnerTenant, "--app-id", sim.DefaultAppID, "--mpn-id", "4847383",
		"--gdap-group", sim.DefaultGDAPGroup, "--country", "US", "--code", ts.Getenv("CODE"))
	run(demo.Password+"\n", "login", "--server", ts.Getenv("SERVER"), "--email", demo.Administrator)
}
