package azure_test

import (
	"testing"
	"time"

	"causeway/internal/azure"
)

func counting(n int) azure.Count {
	return func(time.Time) (int, time.Time, bool) { return n, noon.Add(-time.Hour), true }
}

func TestOneRefusalAloneMakesNoLimit(t *testing.T) {
	b := azure.Budget{}.Refuse(noon, 20*time.Second, time.Minute, 0, counting(7))
	if b.Limit != 0 || !b.Closed.Equal(noon.Add(20*time.Second)) {
		t.Errorf("after one refusal: %+v", b)
	}
	b = b.Refuse(noon.Add(time.Minute), 20*time.Second, time.Minute, b.Epoch, counting(50))
	if b.Limit != 50 || b.Period != time.Minute {
		t.Errorf("after the second: %+v", b)
	}
}

func TestALessonIsTheSumOfWhatAllProcessesSaw(t *testing.T) {
	b := azure.Budget{Lessons: 1}.Refuse(noon, 20*time.Second, time.Minute, 0, counting(20))
	b = b.Contribute(b.Epoch, 15).Contribute(b.Epoch, 5).Contribute(b.Epoch-1, 100)
	if b.Limit != 40 {
		t.Errorf("limit = %d, want 20 + 15 + 5, and nothing for an older lesson", b.Limit)
	}
}

func TestARefusalOnItsWayTeachesOnlyToStayClosed(t *testing.T) {
	b := azure.Budget{Lessons: 1}.Refuse(noon, 20*time.Second, time.Minute, 0, counting(40))
	late := b.Refuse(noon.Add(time.Second), 25*time.Second, time.Minute, 0, counting(3))
	if late.Limit != 40 || !late.Closed.Equal(noon.Add(26*time.Second)) {
		t.Errorf("after a late refusal: %+v", late)
	}
}

func TestAfterARefusalWithoutATimeOneCallTriesAlone(t *testing.T) {
	b := azure.Budget{}.Refuse(noon, 0, time.Minute, 0, counting(9))
	open := noon.Add(5 * time.Second)
	if n, _ := b.Free(open); n != 1 {
		t.Fatalf("%d calls may try, want one", n)
	}
	b = b.Spend(open, 1)
	if n, wait := b.Free(open.Add(time.Second)); n != 0 || wait <= 0 {
		t.Errorf("%d more may try while one is on its way", n)
	}
	if b = b.Taken(b.Epoch, b.Epoch, open); b.Probing || !b.Since.Equal(open) {
		t.Errorf("the call was taken, and the way is not open: %+v", b)
	}
}

func TestALimitIsTriedAgainOnlyAfterCalm(t *testing.T) {
	b := azure.Budget{Limit: 100, Ceiling: 100, Period: time.Minute, Since: noon, Spent: 100, Met: noon, Lessons: 5}
	now := noon
	for periods := 1; ; periods++ {
		now = now.Add(62 * time.Second)
		b = b.Roll(now)
		if b.Limit > 100 {
			if periods < 20 {
				t.Errorf("more than ever is tried after %d periods", periods)
			}
			return
		}
		if periods > 30 {
			t.Fatal("a limit that grew is never found")
		}
		b.Spent = b.Limit
	}
}

func TestALimitThatIsNotMetForLongIsForgotten(t *testing.T) {
	b := azure.Budget{Limit: 100, Ceiling: 100, Period: time.Minute, Since: noon, Spent: 3, Met: noon, Lessons: 5, Epoch: 7}
	if b = b.Roll(noon.Add(11 * time.Minute)); b.Limit != 0 || b.Epoch != 7 {
		t.Errorf("after eleven minutes: %+v", b)
	}
}
