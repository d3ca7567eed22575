package ui

import (
	"math"
	"slices"
	"strconv"

	"github.com/a-h/templ"
)

// Board is a page of figures, charts and tables: usage, history, an invoice, and the
// staff's pages of billing. Its parts stand one below the other, in this order.
type Board struct {
	Shell    Shell
	Head     Head
	Bar      Filter // over everything; empty: none
	Tabs     []Tab
	TabsName string // what the tabs choose, for those who hear it
	Notes    []Note
	Work     *Work
	Figures  []Figure
	Budgets  *BudgetPanel
	Charts   []Chart // two beside each other
	Panels   []Panel
	Side     []Panel // at the right of the panels
	Form     *BoardForm
	Dialogs  []FormDialog
	None     *Note // instead of all of it: title, text and an action
}

// Work is what goes on in the background for a page. It is asked again every two seconds
// while it goes on; what somebody types elsewhere on the page stays.
type Work struct {
	ID     string
	Title  string
	URL    string // of the fragment; empty: all is done
	Checks []Check
	Done   int // of Of, as a bar; Of 0: none
	Of     int
	Figure string // "340 of 1,000 issued"
	Text   string
	Link   Link
}

// Panel is a titled part of a board. It shows what of its members is set.
type Panel struct {
	ID     string
	Title  string
	Sub    string
	State  Look // a tag beside the title; no word: none
	Link   Link // at the right
	Chips  []Chip
	Search Filter // a bar below the title
	Notes  []Note
	Facts  []KV
	Grid   *Grid
	Sum    []Term // an equation
	Folds  []Fold
	Checks []Check
	Foot   Foot // of what is no grid
	Text   []string
	Code   string // as it is, e.g. JSON
}

// Grid is a table. On phones each row is a block whose first cell is its title.
type Grid struct {
	Columns []Column
	Rows    []GridRow
	Sums    []GridRow // at the end
	Foot    Foot
	Tight   bool
	Many    bool // columns: they become blocks earlier
	Empty   Note // title and text without rows
}

// Column is the head of a column.
type Column struct {
	Label  string
	Right  bool   // numbers
	Href   string // sorts by it
	Sorted string // "ascending", "descending" or empty
	Hide   bool   // on phones
	Silent bool   // its label is only heard
}

// GridRow is a row.
type GridRow struct {
	Cells []Cell
	Quiet bool // e.g. rounding
}

// Cell is one figure or word of a table, at most two lines.
type Cell struct {
	Text   string
	Fine   string // quieter digits right after the text: what is beyond the coin
	Sub    string
	Href   string
	Tone   Tone
	State  State // a tag instead of the text, with Text as its word
	Mono   bool
	Side   bool   // at the right of the row's title on phones: a link such as "Why?"
	Said   string // after the text, for those who hear it
	Action *Action
}

// attrs says where a cell stands when rows become blocks.
func (g Grid) attrs(i int, c Cell, sum bool) templ.Attributes {
	a := templ.Attributes{}
	if i < len(g.Columns) && g.Columns[i].Right {
		a["data-right"] = true
	}
	switch {
	case i == 0:
		a["data-cell"] = "main"
	case c.Action != nil || c.Side:
		a["data-cell"] = "action"
	case c.Text == "" && c.State == "" && c.Sub == "" || i < len(g.Columns) && g.Columns[i].Hide:
		a["data-cell"] = "hide"
	case !sum && i < len(g.Columns):
		a["data-label"] = g.Columns[i].Label
	}
	return a
}

// silent tells whether no head is to be seen.
func (g Grid) silent() bool {
	return !slices.ContainsFunc(g.Columns, func(c Column) bool { return !c.Silent })
}

// Term is a row of an equation.
type Term struct {
	Name   string
	Sub    string
	Amount string
	Tone   Tone
	Total  bool // a line above it
	Href   string
}

// Fold is a line that opens to what it is made of.
type Fold struct {
	Title  string
	Sub    string
	Amount string
	Open   bool
	Flat   bool // a row of its own, that opens to nothing
	Inner  []Fold
	Grid   *Grid
}

// BoardForm is the form of a board that is filled in there.
type BoardForm struct {
	Title   string
	Text    string
	Action  string
	Hidden  []Pair
	Fields  []Field
	Checks  []CheckField
	Errors  Errors
	Button  Action
	Note    string // beside the button
	Stacked bool
}

// Chart is bars over time. Web fills the values, here they are measured: a picture
// with a table of the same numbers in its place (Table set).
type Chart struct {
	ID     string
	Title  string
	Note   string
	Switch Link   // to the table, or back
	Said   string // what the picture shows, for those who do not see it
	Bars   []Bar
	Grid   *Grid // instead of the picture
	Links  bool
}

// Bar is one value, maybe with one that is only expected, on top of it.
type Bar struct {
	Tick   string // below it; empty: none
	Title  string // "October 2026: 25,316.82 USD"
	Href   string
	Value  float64
	Ahead  float64 // lighter, on top
	Low    float64 // with High a whisker around value + ahead; both 0: none
	High   float64
	Minor  bool // its tick is left out on phones
	Shaded bool // the value itself is lighter: it is not final
}

// Heights of a chart in pixels; widths are percents, so that no letter is scaled.
const (
	chartTop    = 10.0
	chartGround = 150.0
)

type drawn struct {
	x, width, centre string
	y, height        string
	aheadY, aheadH   string
	low, high        string
	capFrom, capTo   string
	whisker          bool
	hitX, hitW       string
	Bar              Bar
}

type gridLine struct{ y, labelY, label string }

// drawing is a chart as it is drawn.
type drawing struct {
	bars  []drawn
	lines []gridLine
}

func px(v float64) string  { return strconv.FormatFloat(v, 'f', 1, 64) }
func pct(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) + "%" }

// draw measures the bars: at most five lines, at round numbers.
func (c Chart) draw() drawing {
	low, high := 0.0, 0.0
	for _, b := range c.Bars {
		low = min(low, b.Value, b.Value+b.Ahead, b.Low)
		high = max(high, b.Value, b.Value+b.Ahead, b.High)
	}
	step := roundStep((high - low) / 4)
	low, high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	if high == low {
		high = low + step
	}
	y := func(v float64) float64 { return chartGround - (v-low)/(high-low)*(chartGround-chartTop) }
	var d drawing
	for v := low; v <= high+step/2; v += step {
		d.lines = append(d.lines, gridLine{px(y(v)), px(y(v) + 4), short(v, max(high, -low))})
	}
	each := 100 / float64(max(len(c.Bars), 1))
	for i, b := range c.Bars {
		x, w := each*float64(i)+each*0.18, each*0.64
		top, bottom := max(b.Value, 0), min(b.Value, 0)
		p := drawn{
			x: pct(x), width: pct(w), centre: pct(x + w/2), y: px(y(top)), height: px(max(y(bottom)-y(top), 0)), Bar: b,
			hitX: pct(each * float64(i)), hitW: pct(each), capFrom: pct(x + w*0.22), capTo: pct(x + w*0.78),
		}
		if b.Ahead > 0 {
			p.aheadY, p.aheadH = px(y(top+b.Ahead)), px(y(top)-y(top+b.Ahead))
		}
		if p.whisker = b.High > b.Low; p.whisker {
			p.low, p.high = px(y(b.Low)), px(y(b.High))
		}
		d.bars = append(d.bars, p)
	}
	return d
}

// roundStep is the next number of 1, 2, 2.5 and 5 times a power of ten.
func roundStep(v float64) float64 {
	if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if v <= m*power*1.0000001 {
			return m * power
		}
	}
	return 10 * power
}

// short writes an axis whose highest number is top: 0, 250, 1,500, 10k, 2.5M.
func short(v, top float64) string {
	unit, word := 1.0, ""
	switch {
	case top >= 1e7:
		unit, word = 1e6, "M"
	case top >= 1e4:
		unit, word = 1e3, "k"
	}
	if v == 0 {
		return "0"
	}
	s := strconv.FormatFloat(math.Round(v/unit*1000)/1000, 'f', -1, 64)
	return FormatAmount(s, "") + word
}
