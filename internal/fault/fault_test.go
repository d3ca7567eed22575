package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"causeway/internal/fault"
)

func TestAKindIsFoundThroughWrapping(t *testing.T) {
	err := fmt.Errorf("create tenant: %w", fault.New(fault.Conflict, "the domain is taken"))
	if !errors.Is(err, fault.Conflict) || errors.Is(err, fault.NotFound) {
		t.Errorf("errors.Is does not see the kind of %v", err)
	}
	if got := fault.KindOf(err); got != fault.Conflict {
		t.Errorf("KindOf = %q, want %q", got, fault.Conflict)
	}
	if got := fault.KindOf(errors.New("disk full")); got != "" {
		t.Errorf("an unknown error has kind %q, want none", got)
	}
}

func TestAHiddenCauseIsNotShown(t *testing.T) {
	cause := errors.New("password=hunter2")
	err := fault.New(fault.Unavailable, "the directory does not answer").Because(cause)
	if err.Error() != "the directory does not answer" {
		t.Errorf("shown: %q", err)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost to the log")
	}
}

func TestARefusalNamesReasonAndRemedy(t *testing.T) {
	err := fault.Refuse(
		fault.Refusal{Field: "name", Reason: "The name is empty.", Remedy: "Give it a name."},
		fault.Refusal{Field: "domain", Reason: "The domain is taken."})
	if want := "The name is empty. Give it a name. The domain is taken."; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if !errors.Is(err, fault.Invalid) {
		t.Error("a refusal is not Invalid")
	}
}
