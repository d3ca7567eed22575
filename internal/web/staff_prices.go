package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/price"
	"causeway/internal/rating"
	"causeway/internal/usage"
	"causeway/internal/web/ui"
)

// priceLists: GET /staff/prices is every list with what is in force; ?new=1 begins one.
func (s *Server) priceLists(v *visit) error {
	return s.showLists(v, http.StatusOK, nil, false)
}

func (s *Server) showLists(v *visit, code int, errs ui.Errors, sent bool) error {
	versions, err := s.Prices.Lists(v.ctx(), v.me)
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "prices", "Price lists")
	if err != nil {
		return err
	}
	off := v.may(account.ActPriceChange, "")
	board := ui.Board{Shell: shell, Head: ui.Head{Title: "Price lists", Text: "What accounts pay. A version that was in force never changes: a new one follows it from a day.", Actions: []ui.Action{{Label: "New price list", Icon: "plus", Variant: "primary", Href: "/staff/prices?new=1", Off: off}}}}
	today := usage.DayOf(v.now)
	g := ui.Grid{Columns: []ui.Column{{Label: "Price list"}, {Label: "State"}, {Label: "In force"}, {Label: "Rules", Right: true}, {Label: "Currency"}}}
	standard := rating.Default("USD")
	g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: standard.ID, Sub: "built in: Microsoft's list price, for every account without another list"}, {State: ui.StateReady, Text: "In force"}, {Text: "always"}, {Text: strconv.Itoa(len(standard.Rules))}, {Text: "each account's"}}})
	for len(versions) > 0 {
		id := versions[0].List.ID
		n := slices.IndexFunc(versions, func(x price.Version) bool { return x.List.ID != id })
		if n < 0 {
			n = len(versions)
		}
		of := versions[:n]
		versions = versions[n:]
		row := []ui.Cell{{Text: id, Sub: ui.Count(n, "version", "versions"), Href: "/staff/prices/" + id}, {State: ui.StateDraft, Text: "Draft"}, {Text: "not yet"}, {Text: strconv.Itoa(len(of[0].List.Rules))}, {Text: string(of[0].List.Currency)}}
		for _, x := range of {
			if x.State == price.Active && x.From <= today {
				row[1], row[2] = ui.Cell{State: ui.StateReady, Text: "In force"}, ui.Cell{Text: fmt.Sprintf("version %d since %s", x.List.Version, dayWord(x.From))}
				break
			}
			if x.State == price.Active {
				row[1], row[2] = ui.Cell{State: ui.StateWaiting, Text: "To come"}, ui.Cell{Text: fmt.Sprintf("version %d from %s", x.List.Version, dayWord(x.From))}
			}
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: row})
	}
	g.Foot = ui.Foot{Text: ui.Count(len(g.Rows), "price list", "price lists"), CSV: "/staff/prices/list.csv"}
	board.Panels = []ui.Panel{{Title: "Lists", Grid: &g}}
	if v.form("new") != "" || sent {
		l := rating.Default("USD")
		l.ID = "our-prices"
		form, err := s.priceForm(v, price.Version{List: l}, "New price list", errs, sent)
		if err != nil {
			return err
		}
		board.Form = &form
	}
	v.part(code, ui.BoardView(board))
	return nil
}

// priceForm edits a list as JSON, which Save checks with named refusals.
func (s *Server) priceForm(v *visit, from price.Version, title string, errs ui.Errors, sent bool) (ui.BoardForm, error) {
	l := from.List
	l.Version = 0
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return ui.BoardForm{}, err
	}
	was := ""
	if from.State == price.Draft {
		was = from.Hash
	}
	f := fields{v, errs, sent}
	body := f.one("list", "Rules as JSON", string(text), wide, lines(22), hint("The narrowest rule that fits some usage wins. Percent is on the base: list, gross or cost; −10 is a discount. Rules that overlap, leave a gap or sell below cost are refused by name."), func(x *ui.Field) { x.Mono, x.Spellfree = true, true })
	note := f.one("note", "Why do prices change?", from.Note, wide, hint("It is kept in the audit."), func(x *ui.Field) { x.MaxLength = 1000 })
	if was == "" && !sent {
		note.Value = ""
	}
	return ui.BoardForm{
		Title: title, Text: "A draft can be changed and tried in the lab; it is in force only from the day that you activate it.", Action: "/staff/prices", Errors: errs, Fields: []ui.Field{body, note},
		Hidden: []ui.Pair{{Name: "was", Value: or(v.form("was"), was)}, {Name: "back", Value: from.List.ID}}, Button: ui.Action{ID: "save-list", Label: "Save draft", Variant: "primary", Submit: true, Busy: "Checking…", Off: v.may(account.ActPriceChange, "")},
	}, nil
}

// savePrices: POST /staff/prices keeps a draft.
func (s *Server) savePrices(v *visit) error {
	if err := account.May(v.me, account.ActPriceChange, ""); err != nil {
		return err
	}
	saved, err := s.savedPrices(v)
	if err == nil {
		return v.to("/staff/prices/"+saved.List.ID, "Draft saved")
	}
	errs, ok := errorsOf(err, map[string]string{"list": "Rules", "note": "Reason"}, nil)
	if !ok || fault.KindOf(err) == fault.Forbidden {
		return err
	}
	for i, e := range errs { // rules are all in one field here
		if e.Field != "note" {
			errs[i].Label, errs[i].Field = e.Field, "list"
		}
	}
	if id := v.form("back"); id != "" {
		if _, err := s.Prices.Versions(v.ctx(), v.me, id); err == nil {
			return s.showList(v, id, statusOf(fault.New(fault.Invalid, "")), errs, true)
		}
	}
	return s.showLists(v, http.StatusUnprocessableEntity, errs, true)
}

func (s *Server) savedPrices(v *visit) (price.Version, error) {
	var l rating.List
	d := json.NewDecoder(bytes.NewReader([]byte(v.form("list"))))
	d.DisallowUnknownFields()
	err := d.Decode(&l)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the list")
		}
	}
	if err != nil {
		return price.Version{}, fault.Field("list", "The list cannot be read: "+plainJSON(err)+".", "Correct the JSON; every member is described in the documentation of price lists.")
	}
	sample, err := s.sample(v)
	if err != nil {
		return price.Version{}, err
	}
	return s.Prices.Save(v.ctx(), v.me, l, v.form("was"), v.form("note"), sample, nil)
}

// sample is last month's usage, to find sales below cost in.
func (s *Server) sample(v *visit) ([]usage.Group, error) {
	if s.Records == nil {
		return nil, nil
	}
	m := usage.MonthOf(v.now).Add(-1)
	list, err := s.Records.Usage(v.ctx(), m, m)
	if err != nil {
		return nil, err
	}
	var groups []usage.Group
	for _, x := range list {
		groups = append(groups, x.Groups...)
	}
	return groups, nil
}

// priceList: GET /staff/prices/{list}?edit=1 is one list with its versions.
func (s *Server) priceList(v *visit) error {
	return s.showList(v, v.r.PathValue("list"), http.StatusOK, nil, false)
}

func (s *Server) showList(v *visit, id string, code int, errs ui.Errors, sent bool) error {
	versions, err := s.Prices.Versions(v.ctx(), v.me, id)
	if err != nil {
		return err
	}
	shell, err := s.shell(v, "prices", id)
	if err != nil {
		return err
	}
	newest := versions[0]
	off := v.may(account.ActPriceChange, "")
	at := "/staff/prices/" + id
	board := ui.Board{Shell: shell, Head: ui.Head{Crumbs: []ui.Link{{Label: "Price lists", Href: "/staff/prices"}, {Label: id}}, Title: id, Text: fmt.Sprintf("%s · %s · newest version %d", newest.List.Currency, ui.Count(len(newest.List.Rules), "rule", "rules"), newest.List.Version)}}
	edit := "New version"
	if newest.State == price.Draft {
		edit = "Edit draft"
	}
	tomorrow := string(usage.DayOf(v.now).Add(1))
	board.Head.Actions = []ui.Action{{ID: "edit", Label: edit, Icon: "pencil", Href: at + "?edit=1", Off: off}, {ID: "lab", Label: "Try in the lab", Icon: "flask-conical", Href: at + "/lab"}, {ID: "assign", Label: "Give to an account…", Dialog: "assign-list", Off: off}}
	board.Dialogs = []ui.FormDialog{{ID: "assign-list", Title: "Give " + id + " to an account", Action: at + "/assign", Button: "Give this list", Busy: "Giving…", Fields: []ui.Field{{ID: "account", Label: v.words.AccountWord, Spellfree: true, MaxLength: 10, Span: "3"}, {ID: "assign-from", Name: "from", Label: "From (UTC day)", Type: "date", Value: tomorrow, Span: "3"}}}}
	g := ui.Grid{Columns: []ui.Column{{Label: "Version"}, {Label: "State"}, {Label: "From"}, {Label: "Why"}, {Label: "Action", Silent: true}}}
	today := usage.DayOf(v.now)
	for _, x := range versions {
		row := []ui.Cell{{Text: fmt.Sprintf("Version %d", x.List.Version), Sub: x.Hash[:12]}, {State: ui.StateDraft, Text: "Draft"}, {Text: "not yet"}, {Text: plain(x.Note), Sub: v.moment(x.ChangedAt)}, {}}
		switch {
		case x.State == price.Withdrawn:
			row[1] = ui.Cell{State: ui.StateCancelled, Text: "Withdrawn"}
		case x.State == price.Active && x.From > today:
			row[1], row[2] = ui.Cell{State: ui.StateWaiting, Text: "To come"}, ui.Cell{Text: dayWord(x.From)}
		case x.State == price.Active:
			row[1], row[2] = ui.Cell{State: ui.StateReady, Text: "In force"}, ui.Cell{Text: dayWord(x.From)}
		case x.State == price.Draft:
			dialog := fmt.Sprintf("activate-%d", x.List.Version)
			row[4] = ui.Cell{Action: &ui.Action{ID: "go-" + dialog, Label: "Activate…", Variant: "primary", Size: "sm", Dialog: dialog, Off: off}}
			board.Dialogs = append(board.Dialogs, ui.FormDialog{ID: dialog, Title: fmt.Sprintf("Activate version %d", x.List.Version), Text: "Accounts with this list pay its prices from that UTC day on. After that it can only be followed by another version.", Action: at + "/activate", Button: "Activate", Busy: "Activating…",
				Hidden: []ui.Pair{{Name: "version", Value: strconv.FormatInt(x.List.Version, 10)}}, Fields: []ui.Field{{ID: "from-" + dialog, Name: "from", Label: "From (UTC day)", Type: "date", Value: tomorrow}}})
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: row})
	}
	g.Foot = ui.Foot{Text: ui.Count(len(versions), "version", "versions")}
	rules := ruleGrid(newest.List)
	rules.Foot = ui.Foot{Text: ui.Count(len(rules.Rows), "rule or fee", "rules and fees"), CSV: at + "/rules.csv"}
	board.Panels = []ui.Panel{{Title: "Versions", Grid: &g}, {Title: fmt.Sprintf("Rules of version %d", newest.List.Version), Sub: "The narrowest rule that fits wins", Grid: &rules}}
	if v.form("edit") != "" || sent {
		form, err := s.priceForm(v, newest, edit+" of "+id, errs, sent)
		if err != nil {
			return err
		}
		board.Form = &form
	}
	v.part(code, ui.BoardView(board))
	return nil
}

// ruleGrid says a list's rules in words.
func ruleGrid(l rating.List) ui.Grid {
	g := ui.Grid{Tight: true, Columns: []ui.Column{{Label: "Rule"}, {Label: "For"}, {Label: "Price"}}}
	for _, r := range l.Rules {
		b, err := json.Marshal(r.Match)
		match := strings.NewReplacer(`"`, "", "{", "", "}", "", "[", "", "]", "", ":", ": ", ",", ", ").Replace(string(b))
		if err != nil || match == "" {
			match = "all usage"
		}
		how := string(r.Base)
		switch {
		case r.Tiers != nil:
			how = fmt.Sprintf("%s in %s of %s", r.Tiers.How, ui.Count(len(r.Tiers.Steps), "tier", "tiers"), r.Tiers.Of)
		case r.Percent.Sign() > 0:
			how += " + " + r.Percent.String() + " %"
		case r.Percent.Sign() < 0:
			how += " − " + r.Percent.Abs().String() + " %"
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: r.ID, Sub: plain(r.BelowCost)}, {Text: match}, {Text: how}}})
	}
	for _, f := range l.Fees {
		g.Rows = append(g.Rows, ui.GridRow{Cells: []ui.Cell{{Text: f.ID, Sub: plain(f.Label)}, {Text: "each month"}, {Text: f.Amount.String() + " " + string(l.Currency)}}})
	}
	return g
}

// activatePrices: POST /staff/prices/{list}/activate.
func (s *Server) activatePrices(v *visit) error {
	id := v.r.PathValue("list")
	x, err := s.Prices.Activate(v.ctx(), v.me, id, v.version(), usage.Day(v.form("from")))
	if err != nil {
		return refusedAsInvalid(err)
	}
	return v.to("/staff/prices/"+id, fmt.Sprintf("Version %d is in force from %s", x.List.Version, dayWord(x.From)))
}

// assignPrices: POST /staff/prices/{list}/assign gives an account this list.
func (s *Server) assignPrices(v *visit) error {
	id := v.r.PathValue("list")
	if err := account.May(v.me, account.ActPriceChange, ""); err != nil {
		return err
	}
	alias := account.Alias(strings.ToUpper(v.form("account")))
	if len(alias) > 10 || alias == "" {
		return fault.Field("account", "There is no such account.", "Give its alias.")
	}
	if _, err := s.People.Account(v.ctx(), alias); err != nil {
		return refusedAsInvalid(err)
	}
	if err := s.Prices.Assign(v.ctx(), v.me, alias, id, usage.Day(v.form("from"))); err != nil {
		return refusedAsInvalid(err)
	}
	return v.to("/staff/prices/"+id, string(alias)+" has these prices from "+dayWord(usage.Day(v.form("from"))))
}

// refusedAsInvalid keeps what a form names from looking like a page that is not there.
func refusedAsInvalid(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.Invalid, "%s", first(err))
	}
	return err
}

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
	versions, err := s.Prices.Versions(v.ctx(), v.me, v.r.PathValue("list"))
	if err != nil {
		return err
	}
	newest := versions[0].List
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

// replay compares months with a draft; accounts of another currency are left out.
func (s *Server) replay(v *visit, draft rating.List, from, to usage.Month) (rating.Lab, int, error) {
	months, err := s.Records.Usage(v.ctx(), from, to)
	if err != nil {
		return rating.Lab{}, 0, err
	}
	currency, left := map[string]bool{}, map[string]bool{}
	terms := map[string][]rating.Terms{}
	kept := months[:0]
	for _, m := range months {
		same, known := currency[m.Account]
		if !known {
			a, err := s.People.Account(v.ctx(), account.Alias(m.Account))
			if err != nil && fault.KindOf(err) != fault.NotFound {
				return rating.Lab{}, 0, err
			}
			same = err == nil && a.Currency == draft.Currency
			currency[m.Account] = same
		}
		if !same {
			left[m.Account] = true
			continue
		}
		t, err := s.Prices.Terms(v.ctx(), s.DB.Read(), account.Alias(m.Account), draft.Currency, m.Month)
		if err != nil {
			return rating.Lab{}, 0, err
		}
		terms[m.Account+string(m.Month)] = t
		kept = append(kept, m)
	}
	lab, err := rating.Compare(kept, func(m rating.AccountMonth) []rating.Terms { return terms[m.Account+string(m.Month)] }, rating.Terms{List: draft, Currency: draft.Currency})
	return lab, len(left), err
}
