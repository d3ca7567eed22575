package web

import (
	"strconv"
	"strings"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/provider"
	"causeway/internal/support"
	"causeway/internal/web/ui"
)

// reservationForm: GET /requests/reservation.
func (s *Server) reservationForm(v *visit) error {
	if v.me.Staff() {
		return v.to("/staff/requests", "")
	}
	p, err := s.reservationPage(v, nil, false)
	if err != nil {
		return err
	}
	return v.page(ui.Settings(p))
}

func choose(options ...string) func(*ui.Field) {
	return func(x *ui.Field) {
		x.Type = "select"
		for _, o := range options {
			value, label, _ := strings.Cut(o, "=")
			x.Options = append(x.Options, ui.Option{Value: value, Label: label})
		}
	}
}

func (s *Server) reservationPage(v *visit, errs ui.Errors, sent bool) (ui.SettingsPage, error) {
	p := ui.SettingsPage{
		Title: "Reservation", Text: "Reserved capacity costs less than capacity by the hour, for a term of one or three years.", Action: "/requests/reservation",
		Button: "Send the request", Saved: "A person at " + v.brand.Partner + " buys it, and answers by mail.", Off: v.may(account.ActRequestCreate, v.me.Org), Errors: errs,
	}
	var err error
	if p.Shell, err = s.shell(v, "requests", p.Title); err != nil {
		return p, err
	}
	ready, _, err := s.Providers.List(v.ctx(), v.me, provider.Filter{Org: v.me.Org, State: provider.Ready, Limit: 200})
	if err != nil {
		return p, err
	}
	pays := []string{"=Choose…"}
	for _, x := range ready {
		pays = append(pays, x.Subscription+"="+x.Name+" · "+string(x.Account))
	}
	f := fields{v, errs, sent}
	p.Groups = []ui.FormGroup{
		{Title: "What is to happen", Fields: []ui.Field{
			f.one("intent", "Request", "purchase", choose("purchase=Buy a reservation", "exchange=Exchange one for another", "cancel=Return one")),
			f.one("subscription", "Subscription that pays", "", choose(pays...)),
			f.one("scope", "It applies to", "single", choose("single=This subscription", "shared=All subscriptions")),
			f.one("billing", "Paid", "monthly", choose("monthly=Monthly", "once=All at once")),
		}},
		{Title: "Capacity", Fields: []ui.Field{
			f.one("type", "Type of machine", "", free, hint("Azure's name, like Standard_D4s_v5")),
			f.one("region", "Region", "", free, hint("Azure's name, like eastus2")),
			f.one("quantity", "Quantity", "1", number), f.one("cores", "Cores of each", "", number, optional), f.one("memory", "GiB of memory of each", "", number, optional),
			f.one("term", "Term", "P1Y", choose("P1Y="+support.Years("P1Y"), "P3Y="+support.Years("P3Y"))),
		}},
		{Title: "To exchange or return", Text: "What was bought, as the invoice or Azure's portal names it.", Fields: []ui.Field{
			f.one("order", "Reservation order", "", free, optional), f.one("bought", "Bought on", "", optional, func(x *ui.Field) { x.Type = "date" }),
		}},
		{Title: "Remark", Fields: []ui.Field{f.one("text", "What else we should know", "", optional, lines(4))}},
	}
	p.Panel = []ui.Section{{Title: "What it costs", Paragraphs: []string{"Its fee is on the invoice of the month in which Microsoft charges it, under the account of the subscription that pays."}}}
	return p, nil
}

// askReservation: POST /requests/reservation.
func (s *Server) askReservation(v *visit) error {
	r, err := s.makeReservation(v)
	if err == nil {
		return v.to("/requests", r.Label()+" sent. Answer by "+v.moment(r.AnswerBy)+", by mail.")
	}
	return s.answer(v, err, "", func(errs ui.Errors) (ui.SettingsPage, error) { return s.reservationPage(v, errs, true) })
}

func (s *Server) makeReservation(v *visit) (support.Request, error) {
	p := support.ReservationPayload{
		Intent: support.Intent(v.form("intent")), Subscription: v.form("subscription"), Scope: v.form("scope"), Region: v.form("region"), Type: v.form("type"),
		Term: v.form("term"), Billing: v.form("billing"), Order: v.form("order"), Bought: v.form("bought"), Text: v.form("text"),
	}
	for _, n := range []struct {
		field string
		to    *int
	}{{"quantity", &p.Quantity}, {"cores", &p.Cores}, {"memory", &p.Memory}} {
		text := strings.TrimSpace(v.form(n.field))
		if text == "" {
			continue
		}
		var err error
		if *n.to, err = strconv.Atoi(text); err != nil {
			return support.Request{}, fault.Field(n.field, "It is not a whole number.", "Type digits only.")
		}
	}
	alias := account.Alias("")
	if p.Subscription != "" {
		x, err := s.Providers.OfSubscription(v.ctx(), p.Subscription)
		if err != nil || x.Org != v.me.Org {
			return support.Request{}, fault.Field("subscription", "It is no subscription of your organization.", "Choose one of the list.")
		}
		alias = x.Account
	}
	return s.Desk.AskReservation(v.ctx(), v.me, alias, p)
}
