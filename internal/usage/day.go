package usage

import (
	"fmt"
	"time"

	"causeway/internal/fault"
)

// Day is a whole day in UTC, as 2026-11-23: Microsoft's UsageDate. It is the
// day of the service, never the day on which we were told of it.
type Day string

// Month is a calendar month in UTC, as 2026-11: Microsoft's billing period.
type Month string

// DayOf is the UTC day of an instant.
func DayOf(t time.Time) Day { return Day(t.UTC().Format(time.DateOnly)) }

// MonthOf is the UTC month of an instant.
func MonthOf(t time.Time) Month { return Month(t.UTC().Format("2006-01")) }

// Check refuses what is not a day of the calendar.
func (d Day) Check() error {
	if _, err := time.Parse(time.DateOnly, string(d)); err != nil {
		return fault.Field("day", fmt.Sprintf("%q is not a day.", string(d)), "Write it like 2026-11-23.")
	}
	return nil
}

// Time is the first instant of the day; the zero time if it is none.
func (d Day) Time() time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Month is the month that the day is in.
func (d Day) Month() Month {
	if len(d) < 7 {
		return ""
	}
	return Month(d[:7])
}

// Add is the day n days later.
func (d Day) Add(n int) Day { return DayOf(d.Time().AddDate(0, 0, n)) }

// Check refuses what is not a month of the calendar.
func (m Month) Check() error {
	if _, err := time.Parse("2006-01", string(m)); err != nil {
		return fault.Field("month", fmt.Sprintf("%q is not a month.", string(m)), "Write it like 2026-11.")
	}
	return nil
}

// Add is the month n months later; n may be negative.
func (m Month) Add(n int) Month { return MonthOf(m.First().Time().AddDate(0, n, 0)) }

// First is the month's first day.
func (m Month) First() Day { return Day(m + "-01") }

// Last is the month's last day.
func (m Month) Last() Day { return m.Add(1).First().Add(-1) }

// Days is how many days the month has.
func (m Month) Days() int { return m.Last().Time().Day() }

// String is the month for people: "January 2026".
func (m Month) String() string { return m.First().Time().Format("January 2006") }
