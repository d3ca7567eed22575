package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/rating"
	"causeway/internal/usage"
	"causeway/internal/web/ui"
)

// labRanges are how many past months the lab may replay.
var labRanges = []int{1, 3, 6, 12}

// labMonths are how many months the lab replays, of ?months=.
func (v *visit) labMonths() int {
	if x, err := strconv.Atoi(v.form("months")); err == nil && slices.Contains(labRanges, x) {
		return x
	}
	return 3
}

// priceLab: GET /staff/prices/{list}/lab?months= replays past months with the newest
// version: who pays more, what is left, what is sold below its cost.
func (s *Server) priceLab(v *visit) error {
	version, err := s.newestPrices(v)
	if err != nil {
		return err
	}
	newest := version.List
	shell, err := s.shell(v, "prices", "Price lab")
	if err != nil {
		return err
	}
	at := "/staff/prices/" + newest.ID
	n := v.labMonths()
	board := ui.Board{Shell: shell, Head: ui.Head{Crumbs: []ui.Link{{Label: "Price lists", Href: "/staff/prices"}, {Label: newest.ID, Href: at}, {Label: "Lab"}}, Title: "Price lab", Text: fmt.Sprintf("Past months again, with version %d of %s, by the same arithmetic that bills. Nothing is changed.", newest.Version, plain(newest.ID))}}
	ranges := ui.Select{Name: "months", Label: "Months", Value: strconv.Itoa(n)}
	for _, x := range labRanges {
		ranges.Options = append(ranges.Options, ui.Option{Value: strconv.Itoa(x), Label: "Last " + ui.Count(x, "month", "months")})
	}
	board.Bar = ui.Filter{Action: at + "/lab", Selects: []ui.Select{ranges}}
	if s.Records == nil {
		board.Panels = []ui.Panel{{Title: "Nothing to replay", Text: []string{"The lab needs usage. It is there once Microsoft's exports were fetched."}}}
		return v.page(ui.BoardView(board))
	}
	now := usage.MonthOf(v.now)
	lab, other, err := s.replay(v, newest, now.Add(-n), now.Add(-1))
	if err != nil {
		if fault.KindOf(err) == "" {
			return err
		}
		board.Notes = []ui.Note{{Tone: ui.ToneStuck, Title: "These months cannot be priced with it", Text: plain(first(err))}}
		return v.page(ui.BoardView(board))
	}
	if other > 0 {
		board.Notes = append(board.Notes, ui.Note{Tone: ui.ToneInfo, Inline: true, Title: ui.Count(other, "account is", "accounts are") + " left out:", Text: "their currency is not " + string(newest.Currency) + "."})
	}
	board.Figures = []ui.Figure{
		{Label: "They paid", Value: coins(lab.Total.Old), Unit: string(newest.Currency), Note: "left " + coins(lab.Total.OldMargin)},
		{Label: "They would pay", Value: coins(lab.Total.Draft), Unit: string(newest.Currency), Note: "left " + coins(lab.Total.DraftMargin)},
		{Label: "Change", Value: signed(coins(lab.Total.More)), Unit: string(newest.Currency), Note: or(shareOf(lab.Total.More, lab.Total.Old), "–")},
		{Label: "Sold below cost", Value: strconv.Itoa(len(lab.Below)), Note: "rules and meters", Tone: toneIf(len(lab.Below) > 0)},
	}
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Account"}, {Label: "Paid", Right: true}, {Label: "Would pay", Right: true}, {Label: "Change", Right: true}, {Label: "Left before", Right: true, Hide: true}, {Label: "Left after", Right: true}}, Empty: ui.Note{Title: "No usage in these months", Text: "Choose a longer time."}}
	for i, r := range lab.Rows {
		if i == 200 {
			break
		}
		more := ui.Cell{Text: signed(coins(r.More)), Sub: shareOf(r.More, r.Old)}
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: r.Account, Href: "/usage?account=" + r.Account}, {Text: coins(r.Old)}, {Text: coins(r.Draft)}, more, {Text: coins(r.OldMargin)}, {Text: coins(r.DraftMargin)}}})
	}
	file := at + "/lab.csv?months=" + strconv.Itoa(n)
	g.Foot = ui.Foot{Text: ui.Count(len(lab.Rows), "account", "accounts") + ", the largest increase first", CSV: file}
	board.Panels = []ui.Panel{{Title: "Who pays more", Grid: &g}}
	below := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Meter"}, {Label: "Rule"}, {Label: "Cost", Right: true}, {Label: "Sell", Right: true}}, Empty: ui.Note{Title: "Nothing is sold below its cost", Text: "In these months, by these rules."}}
	for _, x := range lab.Below {
		below.Rows = append(below.Rows, ui.GridRow{Cells: []ui.Cell{{Text: or(x.Name, x.Meter)}, {Text: x.Rule}, {Text: coins(x.Cost)}, {Text: coins(x.Sell), Tone: ui.ToneStuck}}})
	}
	if len(lab.Below) > 0 {
		below.Foot = ui.Foot{Text: ui.Count(len(lab.Below), "meter", "meters"), CSV: file + "&of=below"}
	}
	board.Panels = append(board.Panels, ui.Panel{Title: "Below cost", Grid: &below})
	return v.page(ui.BoardView(board))
}

func signed(s string) string {
	if strings.HasPrefix(s, "−") {
		return s
	}
	return "+" + s
}

// past gives the usage of past months. Those of a large partner take longer than a page
// may otherwise; who leaves the page ends it.
func (s *Server) past(v *visit, from, to usage.Month, each func(rating.AccountMonth) error) error {
	if err := http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(pastTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return s.Records.Usage(v.ctx(), from, to, each)
}

// pastTime is how long a page may replay months.
const pastTime = 15 * time.Minute

// replay compares months with a draft; accounts of another currency are left out.
func (s *Server) replay(v *visit, draft rating.List, from, to usage.Month) (rating.Lab, int, error) {
	same := map[string]bool{} // by account: it has the currency of the draft
	kept := func(each func(rating.AccountMonth) error) error {
		return s.past(v, from, to, func(m rating.AccountMonth) error {
			is, known := same[m.Account]
			if !known {
				a, err := s.People.Account(v.ctx(), account.Alias(m.Account))
				if err != nil && fault.KindOf(err) != fault.NotFound {
					return err
				}
				is = err == nil && a.Currency == draft.Currency
				same[m.Account] = is
			}
			if !is {
				return nil
			}
			return each(m)
		})
	}
	lab, err := rating.Compare(kept, func(m rating.AccountMonth) ([]rating.Terms, error) {
		return s.Prices.Terms(v.ctx(), s.DB.Read(), account.Alias(m.Account), draft.Currency, m.Month)
	}, rating.Terms{List: draft, Currency: draft.Currency})
	other := 0
	for _, is := range same {
		if !is {
			other++
		}
	}
	return lab, other, err
}
