package clickhouse_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"causeway/internal/fault"
	"causeway/internal/usage"
	"causeway/internal/usage/clickhouse"
	"causeway/internal/usage/clickhouse/chserver"
	"causeway/internal/usage/clickhouse/clickhousetest"
)

func TestTheSettingNamesACluster(t *testing.T) {
	for _, c := range []struct{ setting, want string }{
		{"clickhouse://u:p%40ss@h1:8123,h2:9123/lake?cluster=c1", "{[h1:8123 h2:9123] false u p@ss lake c1}"},
		{"clickhouse://u:a@b:c@h1,h1:8123/lake?cluster=c1&tls=on", "{[h1:8123] true u a@b:c lake c1}"},
		{"clickhouse://[::1]:8123/lake?cluster=c-1", "{[[::1]:8123] false   lake c-1}"},
	} {
		a, err := clickhouse.Parse(c.setting)
		type plain clickhouse.Address
		if got := fmt.Sprint(plain(a)); err != nil || got != c.want {
			t.Errorf("%s is %s (%v), want %s", c.setting, got, err, c.want)
		}
		if strings.Contains(a.String(), "p@ss") {
			t.Errorf("%s shows the password", a)
		}
	}
	for why, setting := range map[string]string{
		"another database":     "postgres://u:secret@h/lake?cluster=c",
		"no host":              "clickhouse://u:secret@/lake?cluster=c",
		"an empty host":        "clickhouse://u:secret@h1,,h2/lake?cluster=c",
		"no database":          "clickhouse://u:secret@h1?cluster=c",
		"a database like code": "clickhouse://u:secret@h1/la`ke?cluster=c",
		"no cluster":           "clickhouse://u:secret@h1/lake",
		"a cluster like code":  "clickhouse://u:secret@h1/lake?cluster=c'",
		"a bad escape":         "clickhouse://u:secret%zz@h1/lake?cluster=c",
		"tls that is neither":  "clickhouse://u:secret@h1/lake?cluster=c&tls=maybe",
	} {
		if _, err := clickhouse.Parse(setting); !errors.Is(err, fault.Invalid) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: %v", why, err)
		}
	}
}

// A cluster that does not answer is no reason not to start, and is told without the
// password.
func TestAClusterThatIsNotThere(t *testing.T) {
	a, err := clickhouse.Parse("clickhouse://u:secret@127.0.0.1:1,127.0.0.1:2/lake?cluster=c")
	if err != nil {
		t.Fatal(err)
	}
	l := clickhouse.Open(a, clickhouse.Options{Patience: time.Millisecond})
	if err := l.Check(t.Context()); !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "127.0.0.1:2") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// A wrong password is said to be one, and not shown.
func TestAPasswordThatIsWrong(t *testing.T) {
	at := clickhousetest.Address(t)
	at.Password = "hunter2"
	l := clickhouse.Open(at, clickhouse.Options{Patience: time.Minute})
	if _, err := l.Load(t.Context(), usage.Snapshot{ID: "s", Export: usage.Export{Feed: usage.Rated}}, nil); !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "refuses the user") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	at.Password, at.Hosts = chserver.Password, at.Hosts[:3]
	if err := clickhouse.Open(at, clickhouse.Options{}).Check(t.Context()); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "4 nodes") {
		t.Errorf("three of four nodes: %v", err)
	}
	at = clickhousetest.Address(t)
	at.Cluster = "other"
	if err := clickhouse.Open(at, clickhouse.Options{}).Check(t.Context()); !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), `no cluster "other"`) {
		t.Errorf("another cluster: %v", err)
	}
}
