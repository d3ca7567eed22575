package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"causeway/internal/fault"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// hasher keeps passwords as argon2id. One hash takes 19 MiB and about 25 ms of
// one core (OWASP's least setting), so only two run at once and few wait: a
// flood of sign-ins then costs time, not the machine.
type hasher struct {
	memory, passes uint32 // KiB, rounds
	slots          chan struct{}
	waiting        atomic.Int64
}

const (
	atOnce     = 2
	maxWaiting = 64
	keyLength  = 32
)

func newHasher(memory, passes uint32) *hasher {
	return &hasher{memory: memory, passes: passes, slots: make(chan struct{}, atOnce)}
}

// key derives one key when it is its turn.
func (h *hasher) key(ctx context.Context, password string, salt []byte, memory, passes uint32) ([]byte, error) {
	if h.waiting.Add(1) > maxWaiting {
		h.waiting.Add(-1)
		e := fault.New(fault.Unavailable, "Too many people sign in at this moment. Try again in a few seconds.")
		e.After = 5 * time.Second
		return nil, e
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, passes, memory, 1, keyLength), nil
}

// hash gives the text that is stored.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("salt: %w", err)
	}
	k, err := h.key(ctx, password, salt, h.memory, h.passes)
	if err != nil {
		return "", err
	}
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, h.memory, h.passes, b64(salt), b64(k)), nil
}

// matches compares a password with what is stored. Nothing stored takes as long
// as a wrong password, so that the time does not tell whether the name exists.
// weak says that it was kept with less work than today's.
func (h *hasher) matches(ctx context.Context, stored, password string) (ok, weak bool, err error) {
	if stored == "" {
		_, err := h.key(ctx, password, make([]byte, 16), h.memory, h.passes)
		return false, false, err
	}
	var version int
	var memory, passes uint32
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, false, fmt.Errorf("account: a stored password is not readable")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=1", &version, &memory, &passes); err != nil || version != argon2.Version {
		return false, false, fmt.Errorf("account: a stored password is not readable")
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, false, fmt.Errorf("account: a stored password is not readable")
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) != keyLength {
		return false, false, fmt.Errorf("account: a stored password is not readable")
	}
	k, err := h.key(ctx, password, salt, memory, passes)
	if err != nil {
		return false, false, err
	}
	return subtle.ConstantTimeCompare(k, want) == 1, memory < h.memory || passes < h.passes, nil
}
