package arm_test

import (
	"testing"

	"causeway/internal/azure/arm"

	"github.com/google/uuid"
)

// Names at Microsoft are found again by these: a change would make every role and
// policy a second time.
func TestDerivedNamesNeverChange(t *testing.T) {
	const scope, principal = "/subscriptions/A925f2f7-5c63-4b7b-8799-25a5f97bc3b2", "ce2ce14e-85d7-4629-bdbc-454d0519d987"
	name := arm.AssignmentName(scope, principal, arm.RoleOwner)
	for _, c := range []struct{ says, got, want string }{
		{"the same again", arm.AssignmentName(scope, principal, arm.RoleOwner), name},
		{"whatever the case", arm.AssignmentName("/subscriptions/a925F2F7-5c63-4b7b-8799-25a5f97bc3b2/", "CE2CE14E-85d7-4629-bdbc-454d0519d987", arm.RoleOwner), name},
		{"with the role's whole id", arm.AssignmentName(scope, principal, arm.RoleDefinitionID("a925f2f7-5c63-4b7b-8799-25a5f97bc3b2", arm.RoleOwner)), name},
		{"as it was from the first day", name, "f8a1d244-94d5-587d-966a-cb68d59b6bf9"},
		{"an alias from the first day", arm.AliasName("1"), "6360d93a-b710-5e9a-b094-63fc2c693f0a"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.says, c.got, c.want)
		}
	}
	if arm.AssignmentName(scope, principal, arm.RoleReader) == name {
		t.Error("two roles have one name")
	}
	if id, err := uuid.Parse(name); err != nil || id.Version() != 5 {
		t.Errorf("%s is no UUID of version 5", name)
	}
	if p := arm.PolicyAssignmentName(scope, "guardrail"); len(p) > 24 {
		t.Errorf("%s is longer than management groups take", p)
	}
}
