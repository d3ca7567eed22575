package clickhouse

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"causeway/internal/fault"
)

// Address says where a cluster is and whose words it takes.
type Address struct {
	Hosts          []string // host:port of nodes, any of them; the first is asked first
	TLS            bool
	User, Password string
	Database       string
	Cluster        string // its name in the servers' configuration
}

// String is the address without the password.
func (a Address) String() string {
	return "clickhouse://" + strings.Join(a.Hosts, ",") + "/" + a.Database + "?cluster=" + a.Cluster
}

// plainName is what a database or cluster may be called: it becomes part of queries.
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// Is tells whether a setting names a ClickHouse cluster.
func Is(setting string) bool { return strings.HasPrefix(setting, "clickhouse:") }

// Parse reads clickhouse://user:password@host1:8123,host2:8123/database?cluster=NAME.
// More may follow: tls=on for HTTPS. The text may hold a password, so that no error
// repeats it.
func Parse(setting string) (Address, error) {
	bad := func(what string) (Address, error) {
		return Address{}, fault.Field("lake", what, "Write it like clickhouse://user:password@host1:8123,host2:8123/database?cluster=NAME.")
	}
	rest, ok := strings.CutPrefix(setting, "clickhouse://")
	if !ok {
		return bad("This is no address of a ClickHouse cluster.")
	}
	var a Address
	rest, query, _ := strings.Cut(rest, "?")
	who := ""
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		who, rest = rest[:i], rest[i+1:]
	}
	hosts, database, _ := strings.Cut(rest, "/")
	user, password, _ := strings.Cut(who, ":")
	var err1, err2 error
	a.User, err1 = url.PathUnescape(user)
	a.Password, err2 = url.PathUnescape(password)
	options, err3 := url.ParseQuery(query)
	if err1 != nil || err2 != nil || err3 != nil {
		return bad("User, password or options of the ClickHouse cluster cannot be read: write special characters as %40 and the like.")
	}
	for _, h := range strings.Split(hosts, ",") {
		if h == "" {
			return bad("The ClickHouse cluster has no host, or an empty one.")
		}
		if _, _, err := net.SplitHostPort(h); err != nil {
			h = net.JoinHostPort(strings.Trim(h, "[]"), "8123")
		}
		if !slices.Contains(a.Hosts, h) {
			a.Hosts = append(a.Hosts, h)
		}
	}
	a.Database, a.Cluster = strings.Trim(database, "/"), options.Get("cluster")
	if !plainName.MatchString(a.Database) {
		return bad("The ClickHouse cluster needs a database, named with letters, digits, - and _ only.")
	}
	if !plainName.MatchString(a.Cluster) {
		return bad("The name of the ClickHouse cluster is missing: it is the one in remote_servers of the servers' configuration.")
	}
	switch options.Get("tls") {
	case "", "off":
	case "on":
		a.TLS = true
	default:
		return bad("The option tls of the ClickHouse cluster is on or off.")
	}
	return a, nil
}
