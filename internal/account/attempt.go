package account

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"causeway/internal/account/sqlc"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// How often a password may be tried. A try is counted before the password is
// looked at, so a hundred at the same moment are still counted one by one.
// The name alone has a wide limit: else anybody could lock anybody out.
const (
	window      = 15 * time.Minute
	triesPair   = 5   // one name from one network address
	triesName   = 30  // one name from anywhere
	triesSource = 100 // any name from one network address
)

// tries are the counters that one try of a password moves.
type tries struct {
	pair, name, source string
}

func triesOf(kind, name, address string) tries {
	from := network(address)
	return tries{pair: kind + ":pair:" + name + "|" + from, name: kind + ":name:" + name, source: kind + ":from:" + from}
}

// network is what counts as one source: an IPv6 household owns a whole /64.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		if ap, err2 := netip.ParseAddrPort(address); err2 == nil {
			ip = ap.Addr()
		} else {
			return "unknown"
		}
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

// count takes one try, or refuses with the time of the next one. locked is true
// for the very try that closed the door, so that it is recorded once.
func (d *Directory) count(ctx context.Context, t tries) (locked bool, err error) {
	now := d.now()
	var refused *fault.Error
	err = d.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		for _, c := range []struct {
			key  string
			most int64
		}{{t.pair, triesPair}, {t.source, triesSource}, {t.name, triesName}} {
			row, err := q.Try(ctx, sqlc.TryParams{Key: c.key, Now: store.Micros(now), Expired: store.Micros(now.Add(-window))})
			if err != nil {
				return fmt.Errorf("count a try: %w", err)
			}
			if row.Tries > c.most {
				locked = row.Tries == c.most+1
				refused = tooMany(store.Time(row.SinceAt).Add(window), now)
				return nil // a refused try moves no further counter, else one network address could close a name for all
			}
		}
		return nil
	})
	if err == nil && refused != nil {
		err = refused
	}
	return locked, err
}

func tooMany(until, now time.Time) *fault.Error {
	e := fault.Refuse(fault.Refusal{
		Code:   "too-many-tries",
		Reason: "There were too many tries with a wrong password.",
		Remedy: "Try again after " + until.UTC().Format("15:04") + " UTC, or ask an administrator for a new password.",
	}).In(fault.Unavailable)
	e.After = max(until.Sub(now), time.Second)
	return e
}

// forgive takes a good try back out of the counters, in the order in which count
// moves them: else two sign-ins could wait for each other for ever.
func forgive(ctx context.Context, q *sqlc.Queries, t tries) error {
	if err := q.Forget(ctx, t.pair); err != nil {
		return err
	}
	if err := q.Forgive(ctx, t.source); err != nil {
		return err
	}
	return q.Forgive(ctx, t.name)
}
