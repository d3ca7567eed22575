// Package chserver runs a real ClickHouse cluster of this machine for as long as this
// process lives: two shards of two replicas and a ZooKeeper, for tests. It owns the
// processes and their folder; what is in the databases is its caller's.
//
// It is no way to run a cluster that anybody needs: all of it is on one machine, and it
// goes with the process.
package chserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Nodes is how many nodes a cluster has: the replicas of the first shard, then those of
// the second.
const Nodes = 4

// Cluster is a running cluster.
type Cluster struct {
	dir   string
	ports [Nodes][3]int // HTTP, native, between replicas
	keep  int           // ZooKeeper's

	mu    sync.Mutex
	zoo   *process
	nodes [Nodes]*process
}

// patience is how long a start may take; 2 s is usual.
const patience = 60 * time.Second

// Start makes a cluster. It dies with this process, however that ends.
func Start() (*Cluster, error) {
	for _, need := range []struct{ file, packaged string }{
		{"/usr/sbin/clickhouse-server", "clickhouse-server"}, {"/usr/share/java/zookeeper.jar", "zookeeper"}, {"/usr/bin/java", "default-jre-headless"},
	} {
		if _, err := os.Stat(need.file); err != nil {
			return nil, fmt.Errorf("%s is not installed (apt-get install %s)", need.file, need.packaged)
		}
	}
	sweep()
	until := time.Now().Add(patience)
	for {
		c, err := start(until)
		// Somebody else may take a port between our look and the server's.
		if err == nil || time.Now().After(until) {
			return c, err
		}
	}
}

func start(until time.Time) (*Cluster, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir}
	if err := c.choosePorts(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	if err := c.configure(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	// A node that finds ZooKeeper before it serves dies of it.
	c.zoo, err = launch(filepath.Join(dir, "zookeeper.log"), "/usr/bin/java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-cp", dir+":/usr/share/java/zookeeper.jar",
		"org.apache.zookeeper.server.ZooKeeperServerMain", filepath.Join(dir, "zoo.cfg"))
	if err == nil {
		err = c.zoo.wait(until, func() error { return serves(c.keep) })
	}
	for i := range c.nodes {
		if err == nil {
			c.nodes[i], err = c.launch(i)
		}
	}
	for i := range c.nodes {
		if err == nil {
			err = c.nodes[i].wait(until, func() error { return c.ping(i) })
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) launch(node int) (*process, error) {
	dir := c.folder(node)
	return launch(filepath.Join(dir, "out"), "/usr/sbin/clickhouse-server", "--config-file="+filepath.Join(dir, "config.xml"))
}

func (c *Cluster) folder(node int) string { return filepath.Join(c.dir, "node"+strconv.Itoa(node)) }

// choosePorts takes ports that are free at the moment.
func (c *Cluster) choosePorts() error {
	var open []net.Listener
	defer func() {
		for _, l := range open {
			_ = l.Close()
		}
	}()
	free := func(to *int) error {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		open = append(open, l)
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return err
		}
		*to, err = strconv.Atoi(port)
		return err
	}
	err := free(&c.keep)
	for i := range c.ports {
		for j := range c.ports[i] {
			err = errors.Join(err, free(&c.ports[i][j]))
		}
	}
	return err
}

// Cluster's name, and who may ask.
const (
	Name     = "lake"
	User     = "causeway"
	Password = "pass/word@1"
)

// The servers' configuration is Debian's with what is ours: ports, folders, little
// memory, and a session with ZooKeeper that ends soon after a node was killed.
const config = `<yandex>
<logger><level>warning</level><log>%[1]s/log</log><errorlog>%[1]s/err</errorlog><size>10M</size><count>1</count></logger>
<http_port>%[2]d</http_port><tcp_port>%[3]d</tcp_port><interserver_http_port>%[4]d</interserver_http_port><interserver_http_host>127.0.0.1</interserver_http_host>
<listen_host>127.0.0.1</listen_host><path>%[1]s/data/</path><tmp_path>%[1]s/tmp/</tmp_path><user_files_path>%[1]s/files/</user_files_path>
<users_config>%[1]s/users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database><timezone>UTC</timezone>
<mark_cache_size>16777216</mark_cache_size><uncompressed_cache_size>0</uncompressed_cache_size><mlock_executable>false</mlock_executable>
<remote_servers><lake>%[5]s</lake></remote_servers>
<zookeeper><node><host>127.0.0.1</host><port>%[6]d</port></node><session_timeout_ms>2000</session_timeout_ms></zookeeper>
<macros><shard>%[7]d</shard><replica>%[8]d</replica></macros>
<distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
</yandex>
`

const users = `<yandex><profiles><default><background_pool_size>2</background_pool_size></default></profiles><quotas><default/></quotas><users>
<default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
<causeway><password>pass/word@1</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></causeway>
</users></yandex>
`

func (c *Cluster) configure() error {
	shards := ""
	for i, p := range c.ports {
		if i%2 == 0 {
			shards += "<shard><internal_replication>true</internal_replication>"
		}
		shards += fmt.Sprintf("<replica><host>127.0.0.1</host><port>%d</port></replica>", p[1])
		if i%2 == 1 {
			shards += "</shard>"
		}
	}
	all := map[string]string{
		"zoo.cfg":          fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\nforceSync=no\n4lw.commands.whitelist=srvr\n", filepath.Join(c.dir, "zookeeper"), c.keep),
		"log4j.properties": "log4j.rootLogger=OFF\n",
	}
	for i, p := range c.ports {
		dir := "node" + strconv.Itoa(i)
		all[dir+"/config.xml"] = fmt.Sprintf(config, c.folder(i), p[0], p[1], p[2], shards, c.keep, i/2+1, i%2+1)
		all[dir+"/users.xml"] = users
	}
	for name, text := range all {
		name = filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Hosts are the nodes' addresses for HTTP.
func (c *Cluster) Hosts() []string {
	var out []string
	for _, p := range c.ports {
		out = append(out, net.JoinHostPort("127.0.0.1", strconv.Itoa(p[0])))
	}
	return out
}

// Kill ends a node as a crash would, in the middle of whatever it does.
func (c *Cluster) Kill(node int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[node].kill()
}

// Restart runs a killed node again on its data, and waits until it answers.
func (c *Cluster) Restart(node int) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[node].kill()
	if c.nodes[node], err = c.launch(node); err != nil {
		return err
	}
	return c.nodes[node].wait(time.Now().Add(patience), func() error { return c.ping(node) })
}

// Stop ends all of it and removes the folder.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nodes {
		n.kill()
	}
	c.zoo.kill()
	return os.RemoveAll(c.dir)
}

// serves asks a ZooKeeper whether it is more than a port.
func serves(port int) error {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return err
	}
	if said, err := io.ReadAll(conn); err != nil || !strings.Contains(string(said), "Mode:") {
		return fmt.Errorf("ZooKeeper says %q (%w)", said, err)
	}
	return nil
}

func (c *Cluster) ping(node int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Hosts()[node]+"/ping", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}

// process is one server.
type process struct {
	cmd  *exec.Cmd
	log  string
	gone chan struct{} // closed when it has ended
}

func launch(log, name string, args ...string) (*process, error) {
	out, err := os.Create(log) // #nosec G304 -- our own folder
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	p := &process{cmd: exec.CommandContext(context.Background(), name, args...), log: log, gone: make(chan struct{})} // #nosec G204 -- fixed programs with our own folder
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = filepath.Dir(log), out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	// Pdeathsig is sent when the thread that started a process ends, so it stays with it.
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended stands in its log
		}
		close(p.gone)
	}()
	return p, <-started
}

// wait waits until a server answers.
func (p *process) wait(until time.Time, ask func() error) error {
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-p.gone:
			said, _ := os.ReadFile(p.log)
			more, _ := os.ReadFile(filepath.Join(filepath.Dir(p.log), "err"))
			return fmt.Errorf("%s ended: %s%s", p.cmd.Path, said, more)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(until) {
			return fmt.Errorf("%s does not answer: %w", p.cmd.Path, err)
		}
	}
}

func (p *process) kill() {
	if p == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.gone
}

const prefix = "cwch"

// sweep removes what clusters of earlier programs left behind: they die with their
// program and cannot tidy up.
func sweep() {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < 2*time.Hour {
			continue
		}
		if !running(dir) {
			_ = os.RemoveAll(dir) // somebody else may be quicker
		}
	}
}

// running tells whether a process was started with something in this folder.
func running(dir string) bool {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return true
	}
	for _, name := range all {
		if line, err := os.ReadFile(name); err == nil && strings.Contains(string(line), dir) { // #nosec G304 -- the kernel's
			return true
		}
	}
	return false
}
