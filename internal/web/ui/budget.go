package ui

import (
	"math"
	"slices"
)

// BudgetPanel is budgets as bars, or the table of the same numbers in their place.
type BudgetPanel struct {
	ID     string
	Title  string
	Sub    string
	Links  []Link // at the right: the table, all budgets
	Text   string // without budgets: what one is for
	Bars   []SpendBar
	Grid   *Grid // instead of the bars
	Action Action
}

// SpendBar is a budget: what of it is used, where the month may end, and at which shares
// it tells. Its figures are percents of the budget.
type SpendBar struct {
	Title   string
	State   Look
	Figure  string // "812.33 of 1,000.00 USD · 81.2 % used"
	Sub     string // the forecast in words, or why there is none
	Said    string // what the picture shows, for those who do not see it
	Used    float64
	End     float64 // 0 = no forecast
	Low     float64 // with High a whisker around the end; both 0: none
	High    float64
	Marks   []Mark
	Trouble string // instead of the picture
	Actions []Action
}

// Mark is a threshold.
type Mark struct {
	At       float64
	Label    string // "80 %"
	Title    string // "Tells at 80 % used"
	Forecast bool
}

// A bar of a budget in pixels; widths are percents, so that no letter is scaled.
const (
	budgetTop    = "10"
	budgetHeight = "16"
)

type drawnMark struct {
	x      string
	anchor string
	Mark
}

// budgetDrawing is a budget as it is drawn.
type budgetDrawing struct {
	used, aheadX, ahead string
	low, high           string
	whisker             bool
	full                string // where the whole budget is
	marks               []drawnMark
	tone                string
}

// draw measures a bar: its scale ends a little beyond the most that it shows.
func (b SpendBar) draw() budgetDrawing {
	most := max(100, b.Used, b.End, b.High)
	for _, m := range b.Marks {
		most = max(most, m.At)
	}
	scale := 100 / (most * 1.06)
	at := func(v float64) string { return pct(max(v, 0) * scale) }
	d := budgetDrawing{used: at(b.Used), full: at(100), tone: "ok"}
	if b.End > b.Used {
		d.aheadX, d.ahead = at(b.Used), at(b.End-b.Used)
	}
	if d.whisker = b.High > b.Low && b.High > 0; d.whisker {
		d.low, d.high = at(b.Low), at(b.High)
	}
	switch {
	case b.Used >= 100:
		d.tone = "stuck"
	case b.End >= 100:
		d.tone = "waiting"
	}
	// Labels that would run into each other are left out; the whole budget keeps its own.
	taken := []float64{-100}
	for _, m := range b.Marks {
		if m.At == 100 {
			taken = append(taken, 100*scale)
		}
	}
	for _, m := range b.Marks {
		x := m.At * scale
		mark := drawnMark{x: pct(x), anchor: "middle", Mark: m}
		if m.At != 100 && slices.ContainsFunc(taken, func(t float64) bool { return math.Abs(x-t) < 9 }) {
			mark.Label = ""
		}
		if mark.Label != "" {
			taken = append(taken, x)
		}
		switch {
		case x > 96:
			mark.anchor = "end"
		case x < 4:
			mark.anchor = "start"
		}
		d.marks = append(d.marks, mark)
	}
	return d
}
