package azure_test

import (
	"fmt"
	"testing"
	"time"

	"causeway/internal/azure"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// full is a line whose limit is known and spent.
func full(limit int) azure.Line {
	return azure.Line{Budget: azure.Budget{Limit: limit, Ceiling: limit, Period: time.Minute, Since: noon, Spent: limit, Met: noon, Lessons: 5}}
}

func work(org string, i int) azure.Caller {
	return azure.Caller{Key: fmt.Sprintf("%s-%03d", org, i), Org: org, Began: noon.Add(time.Duration(i-1000) * time.Second), Class: azure.Work}
}

// queue lets callers come while nothing is free.
func queue(t *testing.T, l azure.Line, callers ...azure.Caller) azure.Line {
	t.Helper()
	for _, c := range callers {
		var held *azure.Held
		if l, _, held = l.Take(noon.Add(time.Second), c, "", 1); held == nil {
			t.Fatalf("%s is let through a full budget", c.Key)
		}
	}
	return l
}

// turns is who has the next turns when everybody who waits comes at the begin of the
// next period, again and again.
func turns(l azure.Line, callers []azure.Caller, n int) []string {
	now := noon.Add(63 * time.Second)
	var order []string
	had := map[string]bool{}
	for range 100 * n {
		for _, c := range callers {
			var got int
			if had[c.Key] {
				continue
			}
			if l, got, _ = l.Take(now, c, "", 1); got > 0 {
				order, had[c.Key] = append(order, c.Key), true
			}
			if len(order) == n {
				return order
			}
		}
		now = now.Add(10 * time.Second)
	}
	return order
}

func TestACustomerWithOneOnboardingIsNotBehindOneWithFifty(t *testing.T) {
	var callers []azure.Caller
	for i := range 50 {
		callers = append(callers, work("many", i))
	}
	one := work("one", 900) // the youngest of all
	callers = append(callers, one)
	l := queue(t, full(2), callers...)
	order := turns(l, callers, 2)
	if len(order) != 2 || order[0] != "many-000" || order[1] != one.Key {
		t.Errorf("turns: %v, want the oldest, then the only one of the other", order)
	}
}

func TestOfOneCustomerTheOldestOnboardingGoesFirst(t *testing.T) {
	callers := []azure.Caller{work("a", 3), work("a", 1), work("a", 2)}
	l := queue(t, full(1), callers...)
	if order := turns(l, callers, 3); fmt.Sprint(order) != "[a-001 a-002 a-003]" {
		t.Errorf("turns: %v", order)
	}
}

func TestAPersonsQuestionPassesAThousandWhoWait(t *testing.T) {
	l := full(40)
	for i := range 1000 {
		l = queue(t, l, work(fmt.Sprint("org", i), i))
	}
	ask := azure.Caller{Key: "ask", Org: "x", Began: noon.Add(time.Minute), Class: azure.Ask}
	if _, n, held := l.Take(noon.Add(63*time.Second), ask, "", 1); n != 1 {
		t.Errorf("a person waits: %+v", held)
	}
	l.Budget.Spent = 38 // what is left is kept for people until the period's last quarter
	now := noon.Add(30 * time.Second)
	if _, n, _ := l.Take(now, work("org", 1), "", 1); n != 0 {
		t.Error("work takes what is kept for people")
	}
	if _, n, held := l.Take(now, ask, "", 1); n != 1 {
		t.Errorf("a person waits although calls are kept: %+v", held)
	}
}

func TestAPollGoesOneRoundBehindAndASweepLast(t *testing.T) {
	poll, sweep := work("a", 1), work("c", 1)
	poll.Class, sweep.Class = azure.Poll, azure.Sweep
	first := work("b", 900)
	callers := []azure.Caller{sweep, poll, first}
	l := queue(t, full(1), callers...)
	l.Budget.Met = noon.Add(time.Minute)
	for key, ticket := range l.Tickets {
		ticket.Since = noon.Add(40 * time.Second)
		l.Tickets[key] = ticket
	}
	if order := turns(l, callers, 3); fmt.Sprint(order) != "[b-900 a-001 c-001]" {
		t.Errorf("turns: %v", order)
	}
}

func TestWhoDoesNotComeLosesItsPlaceToOthers(t *testing.T) {
	gone, here := work("a", 1), work("b", 2)
	l := queue(t, full(1), gone, here)
	if _, n, _ := l.Take(noon.Add(63*time.Second), here, "", 1); n != 0 {
		t.Error("the second goes before the first")
	}
	if _, n, held := l.Take(noon.Add(90*time.Second), here, "", 1); n != 1 {
		t.Errorf("held behind one who did not come: %+v", held)
	}
}

func TestThoseWhoWaitAreNotToldToComeAllAtOnce(t *testing.T) {
	l := full(100)
	told := map[time.Time]int{}
	for i := range 300 {
		var held *azure.Held
		if l, _, held = l.Take(noon.Add(time.Second), work(fmt.Sprint("o", i), i), "", 1); held == nil || held.Ahead != i {
			t.Fatalf("%d: %+v", i, held)
		}
		told[held.Until.Truncate(time.Second)]++
	}
	for at, n := range told {
		if n > 30 {
			t.Errorf("%d come within the second %s", n, at.Format(time.TimeOnly))
		}
	}
}

// What is allotted in a period is never more than the limit, whoever comes when,
// with whatever is given back and learned in between.
func TestAllotmentsNeverExceedTheBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := full(rapid.IntRange(1, 60).Draw(t, "limit"))
		l.Budget.Spent = 0
		now, period, given, limit := noon, l.Budget.Since, 0, l.Budget.Limit
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20_000).Draw(t, "ms")) * time.Millisecond)
			c := work(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "org"), rapid.IntRange(0, 9).Draw(t, "i"))
			c.Class = rapid.SampledFrom([]azure.Urgency{azure.Ask, azure.Work, azure.Poll, azure.Sweep}).Draw(t, "class")
			var n int
			l, n, _ = l.Take(now, c, "", rapid.IntRange(1, 8).Draw(t, "want"))
			if !l.Budget.Since.Equal(period) {
				period, given, limit = l.Budget.Since, 0, l.Budget.Limit
			}
			given += n
			switch rapid.IntRange(0, 30).Draw(t, "then") {
			case 0:
				back := rapid.IntRange(0, n).Draw(t, "back")
				l.Budget = l.Budget.GiveBack(period, back)
				given -= back
			case 1: // a refusal closes it; what comes after is another period
				count := func(time.Time) (int, time.Time, bool) { return given, noon, true }
				l = l.Refuse(now, azure.Refusal429{After: 30 * time.Second, Minute: time.Minute, Epoch: l.Budget.Epoch, All: count, Own: count})
				period, given, limit = l.Budget.Since, 0, l.Budget.Limit
			}
			if limit > 0 && given > limit {
				t.Fatalf("%d calls were allotted of %d", given, limit)
			}
		}
	})
}

// What the page says to those who wait, every half minute, and what became of it.
func TestTheEstimateIsRightWithinAFactor(t *testing.T) {
	const onboardings, calls, limit = 200, 6, 100
	type estimate struct {
		of         int
		at         time.Time
		said, took time.Duration
	}
	l := full(limit)
	l.Budget.Spent = 0
	now := noon
	todo, due := make([]int, onboardings), make([]time.Time, onboardings)
	for i := range todo {
		todo[i], due[i] = calls, noon
	}
	waits := map[int][]estimate{}
	var all []estimate
	for left, tick := onboardings, 0; left > 0; tick++ {
		for i := range todo {
			if todo[i] <= 0 || due[i].After(now) {
				continue
			}
			c := work(fmt.Sprint("o", i%40), i)
			var n int
			var held *azure.Held
			if l, n, held = l.Take(now, c, "", 2); held != nil {
				due[i] = held.Until
				continue
			}
			for _, e := range waits[i] {
				e.took = now.Sub(e.at)
				all = append(all, e)
			}
			delete(waits, i)
			if todo[i] -= n; todo[i] <= 0 {
				left--
			}
			due[i] = now.Add(time.Second)
		}
		if tick%150 == 149 && now.Sub(noon) > 2*time.Minute { // before, nothing was measured
			for i := range todo {
				if _, d, ok := l.Place(now, work(fmt.Sprint("o", i%40), i).Key); ok {
					waits[i] = append(waits[i], estimate{i, now, d, 0})
				}
			}
		}
		now = now.Add(200 * time.Millisecond)
	}
	good := 0
	for _, e := range all {
		if e.said <= 2*e.took+10*time.Second && e.took <= 2*e.said+10*time.Second {
			good++
		}
	}
	t.Logf("%d of %d within a factor of two; all done after %s", good, len(all), now.Sub(noon))
	if len(all) < 500 || good*10 < len(all)*8 {
		t.Errorf("%d of %d estimates are right within a factor of two", good, len(all))
	}
	if perfect := time.Duration(onboardings*calls/limit) * time.Minute; now.Sub(noon) > perfect*3/2 {
		t.Errorf("it took %s, of %s that the limit alone takes", now.Sub(noon), perfect)
	}
}
