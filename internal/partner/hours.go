package partner

import (
	"fmt"
	"slices"
	"time"
)

// Hours are the hours in which staff answer, as data: where, on which days,
// and within how many of them.
type Hours struct {
	Zone     string         `json:"zone"`     // IANA, e.g. America/New_York
	Days     []time.Weekday `json:"days"`     // 0 = Sunday
	From     string         `json:"from"`     // 15:04
	To       string         `json:"to"`       // 15:04, later than From
	Within   int            `json:"within"`   // business days after the one on which it was asked
	Holidays []string       `json:"holidays"` // YYYY-MM-DD
}

// Location is the zone of the hours; UTC if the machine does not know it.
func (h Hours) Location() *time.Location {
	l, err := time.LoadLocation(h.Zone)
	if err != nil {
		return time.UTC
	}
	return l
}

// AnswerBy is when a request of an instant is answered at the latest: closing
// time, Within business days after the day on which it was asked. What is
// asked after closing time, or on a day off, was asked on the next business day.
func (h Hours) AnswerBy(asked time.Time) time.Time {
	asked = asked.In(h.Location())
	day := dayOf(asked)
	if !asked.Before(h.close(day)) {
		day = day.AddDate(0, 0, 1)
	}
	day = h.business(day)
	for range h.Within {
		day = h.business(day.AddDate(0, 0, 1))
	}
	return h.close(day)
}

// dayOf is noon of the day: adding days to it never meets a clock change.
func dayOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, t.Location())
}

// business is the day itself or the next one on which staff work. A year
// without one ends the search: Check refuses such hours.
func (h Hours) business(day time.Time) time.Time {
	for range 366 {
		if slices.Contains(h.Days, day.Weekday()) && !slices.Contains(h.Holidays, day.Format(time.DateOnly)) {
			return day
		}
		day = day.AddDate(0, 0, 1)
	}
	return day
}

func (h Hours) close(day time.Time) time.Time {
	to, err := time.Parse("15:04", h.To)
	if err != nil {
		return day
	}
	return time.Date(day.Year(), day.Month(), day.Day(), to.Hour(), to.Minute(), 0, 0, day.Location())
}

func (h Hours) refusals() refusals {
	var all refusals
	if _, err := time.LoadLocation(h.Zone); err != nil || h.Zone == "" {
		all.add("answer.zone", fmt.Sprintf("There is no time zone %q.", h.Zone), "Write it like America/New_York.")
	}
	from, err1 := time.Parse("15:04", h.From)
	to, err2 := time.Parse("15:04", h.To)
	if err1 != nil || err2 != nil || !from.Before(to) {
		all.add("answer.from", fmt.Sprintf("The hours %s to %s are no time of day.", h.From, h.To), "Write them like 09:00 and 17:00.")
	}
	if len(h.Days) == 0 {
		all.add("answer.days", "No day of the week is a business day.", "Name at least one.")
	}
	for _, d := range h.Days {
		if d < time.Sunday || d > time.Saturday {
			all.add("answer.days", fmt.Sprintf("%d is no day of the week.", d), "Use 0 for Sunday to 6 for Saturday.")
		}
	}
	all.between("answer.within", "The number of business days to an answer", h.Within, 0, 30)
	if len(h.Holidays) > 200 {
		all.add("answer.holidays", "There are more than 200 holidays.", "Keep those to come.")
	}
	for _, d := range h.Holidays {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			all.add("answer.holidays", fmt.Sprintf("%q is no date.", d), "Write it like 2026-12-25.")
		}
	}
	return all
}
