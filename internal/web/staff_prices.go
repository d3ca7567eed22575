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
	board := ui.Board{Shell: shell, Head: ui.Head{Title: "Price lists", Text: "What accounts pay. A version that was in force never changes: a new one follows it from a day.", Actions: []ui.Action{{Label: "From JSON", Href: "/staff/prices?new=json", Off: off}, {Label: "New price list", Icon: "plus", Variant: "primary", Href: "/staff/prices?new=1", Off: off}}}}
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
		newest := base(of).List
		row := []ui.Cell{{Text: id, Sub: ui.Count(n, "version", "versions"), Href: "/staff/prices/" + id}, {State: ui.StateDraft, Text: "Draft"}, {Text: "not yet"}, {Text: strconv.Itoa(len(newest.Rules))}, {Text: string(newest.Currency)}}
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
	switch {
	case v.form("new") == "json" || sent && v.r.PostForm.Has("list"):
		l := rating.Default("USD")
		l.ID = "our-prices"
		form, err := s.priceForm(v, price.Version{List: l}, "New price list", errs, sent)
		if err != nil {
			return err
		}
		board.Form = &form
	case v.form("new") != "" || sent:
		form := newPrices(v, errs, sent)
		board.Form = &form
	}
	v.part(code, ui.BoardView(board))
	return nil
}

// base is the version that a list's page shows and its next one begins from: the newest,
// but for those that were withdrawn.
func base(versions []price.Version) price.Version {
	i := slices.IndexFunc(versions, func(x price.Version) bool { return x.State != price.Withdrawn })
	return versions[max(i, 0)]
}

// reasonFor asks why prices change; a draft keeps its reason until somebody says another.
func reasonFor(f fields, from price.Version) ui.Field {
	was := ""
	if from.State == price.Draft {
		was = from.Note
	}
	return f.one("note", "Why do prices change?", was, wide, hint("It is kept in the audit."), func(x *ui.Field) { x.MaxLength = 1000 })
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
	body := f.one("list", "Rules as JSON", string(text), wide, lines(22), hint("The narrowest rule that fits some usage wins. Percent is on the base: list, gross or cost; −10 is a discount. Rules that overlap, leave a gap or sell below cost are refused by name."), mono)
	return ui.BoardForm{
		Title: title, Text: "A draft can be changed and tried in the lab; it is in force only from the day that you activate it.", Action: "/staff/prices", Errors: errs, Fields: []ui.Field{body, reasonFor(f, from)},
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
	if v.r.PostForm.Has("list") { // rules are all in one field there
		for i, e := range errs {
			if e.Field != "note" {
				errs[i].Label, errs[i].Field = e.Field, "list"
			}
		}
	}
	errs = besideInputs(errs)
	if id := v.form("back"); id != "" {
		if _, err := s.Prices.Versions(v.ctx(), v.me, id); err == nil {
			return s.showList(v, id, statusOf(fault.New(fault.Invalid, "")), errs, true)
		}
	}
	return s.showLists(v, http.StatusUnprocessableEntity, errs, true)
}

func (s *Server) savedPrices(v *visit) (price.Version, error) {
	if !v.r.PostForm.Has("list") {
		return s.begunPrices(v)
	}
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
		return price.Version{}, fault.Field("list", "The list cannot be read: "+plainJSON(err)+".", "Correct the JSON, or change the list by its forms.")
	}
	return s.Prices.Save(v.ctx(), v.me, l, v.form("was"), v.form("note"), s.sample(v), nil)
}

// sample is last month's usage, to find sales below cost in.
func (s *Server) sample(v *visit) rating.Replay {
	if s.Records == nil {
		return nil
	}
	m := usage.MonthOf(v.now).Add(-1)
	return func(each func(rating.AccountMonth) error) error { return s.past(v, m, m, each) }
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
	newest := base(versions)
	off := v.may(account.ActPriceChange, "")
	at := "/staff/prices/" + id
	board := ui.Board{Shell: shell, Head: ui.Head{Crumbs: []ui.Link{{Label: "Price lists", Href: "/staff/prices"}, {Label: id}}, Title: id, Text: fmt.Sprintf("%s · %s · version %d", newest.List.Currency, ui.Count(len(newest.List.Rules), "rule", "rules"), newest.List.Version)}}
	tomorrow := string(usage.DayOf(v.now).Add(1))
	board.Head.Actions = []ui.Action{{ID: "lab", Label: "Try in the lab", Icon: "flask-conical", Href: at + "/lab"}, {ID: "assign", Label: "Give to an account…", Dialog: "assign-list", Off: off}}
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
			row[4] = ui.Cell{Action: withdrawal(&board, x, at, off)}
			row[4].Action.Size = "sm"
		case x.State == price.Active:
			row[1], row[2] = ui.Cell{State: ui.StateReady, Text: "In force"}, ui.Cell{Text: dayWord(x.From)}
		case x.State == price.Draft:
			dialog := fmt.Sprintf("activate-%d", x.List.Version)
			row[4] = ui.Cell{Action: &ui.Action{ID: "go-" + dialog, Label: "Activate…", Variant: "primary", Size: "sm", Dialog: dialog, Off: off}}
			take := withdrawal(&board, x, at, off)
			take.Label = "Withdraw draft…"
			board.Head.Actions = append(board.Head.Actions, *take)
			board.Dialogs = append(board.Dialogs, ui.FormDialog{ID: dialog, Title: fmt.Sprintf("Activate version %d", x.List.Version), Text: "Accounts with this list pay its prices from that UTC day on. After that it can only be followed by another version.", Action: at + "/activate", Button: "Activate", Busy: "Activating…",
				Hidden: []ui.Pair{{Name: "version", Value: strconv.FormatInt(x.List.Version, 10)}}, Fields: []ui.Field{{ID: "from-" + dialog, Name: "from", Label: "From (UTC day)", Type: "date", Value: tomorrow}}})
		}
		g.Rows = append(g.Rows, ui.GridRow{Cells: row})
	}
	g.Foot = ui.Foot{Text: ui.Count(len(versions), "version", "versions")}
	board.Panels = append([]ui.Panel{{Title: "Versions", Grid: &g}}, partPanels(newest.List, at, off == "")...)
	board.Side = sidePanels(newest.List, at, off == "")
	if v.form("edit") != "" || sent {
		form, err := s.priceForm(v, newest, "All of "+id+" as JSON", errs, sent)
		if err != nil {
			return err
		}
		board.Form = &form
	}
	v.part(code, ui.BoardView(board))
	return nil
}

// withdrawal takes back a version that is not in force yet.
func withdrawal(b *ui.Board, x price.Version, at, off string) *ui.Action {
	dialog := fmt.Sprintf("withdraw-%d", x.List.Version)
	b.Dialogs = append(b.Dialogs, ui.FormDialog{
		ID: dialog, Title: fmt.Sprintf("Withdraw version %d", x.List.Version), Text: "Nobody pays its prices. It stays in this table, and the next version begins from the one before it.", Action: at + "/withdraw", Button: "Withdraw", Busy: "Withdrawing…", Danger: true,
		Hidden: []ui.Pair{{Name: "version", Value: strconv.FormatInt(x.List.Version, 10)}},
	})
	return &ui.Action{ID: "go-" + dialog, Label: "Withdraw…", Dialog: dialog, Off: off}
}

// withdrawPrices: POST /staff/prices/{list}/withdraw takes a version back.
func (s *Server) withdrawPrices(v *visit) error {
	id, n := v.r.PathValue("list"), v.version()
	if err := s.Prices.Withdraw(v.ctx(), v.me, id, n); err != nil {
		return refusedAsInvalid(err)
	}
	return v.to("/staff/prices/"+id, fmt.Sprintf("Version %d is withdrawn", n))
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
