package sim_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A simulator that a test started leaves nothing running.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
