package sim

import (
	"context"
	"path/filepath"
)

// TB is the part of testing.TB that Start needs; so this package does not bring
// the testing package into the product's binary.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	TempDir() string
}

// Option changes the configuration of a simulator that a test starts.
type Option func(*Config)

// Start gives a test a simulator of its own on free ports of 127.0.0.1, with its CA
// in a file, and stops it with the test.
func Start(t TB, options ...Option) *Server {
	t.Helper()
	cfg := Config{PlainAddr: "auto", CAFile: filepath.Join(t.TempDir(), "sim-ca.pem")}
	for _, o := range options {
		o(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatalf("simulator: %v", err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatalf("simulator: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// WithLatency chooses the profile of waits.
func WithLatency(p Profile) Option { return func(c *Config) { c.Latency = p } }

// WithFactor makes waits, token lifetimes and Retry-After pass so many times as fast.
func WithFactor(f float64) Option { return func(c *Config) { c.Factor = f } }

// WithSettings changes settings before the simulator starts.
func WithSettings(edit func(*Settings)) Option { return func(c *Config) { edit(&c.Settings) } }
