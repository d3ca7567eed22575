package azure

import "time"

// tally counts calls by the time they were sent, for the last two minutes.
type tally struct {
	born   time.Time     // nothing earlier was counted
	unit   time.Duration // a sixtieth of a minute
	counts [128]int
	stamps [128]int64
}

func (t *tally) add(at time.Time) {
	n := at.UnixNano() / int64(t.unit)
	i := n % int64(len(t.counts))
	if t.stamps[i] != n {
		if t.stamps[i] > n {
			return // its time is over
		}
		t.stamps[i], t.counts[i] = n, 0
	}
	t.counts[i]++
}

// since counts what was sent from a time on; see Count.
func (t *tally) since(from time.Time) (n int, first time.Time, complete bool) {
	begin := from.UnixNano() / int64(t.unit)
	for i, stamp := range t.stamps {
		if stamp < begin || t.counts[i] == 0 {
			continue
		}
		n += t.counts[i]
		if at := time.Unix(0, stamp*int64(t.unit)).UTC(); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return n, first, !t.born.After(from.Add(t.unit))
}
