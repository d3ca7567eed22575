package support

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// Intent is what is to happen with a reservation of Azure capacity.
type Intent string

// The intents. Azure has no call for a partner's customer that buys, exchanges or
// returns a reservation without the partner: each is a request.
const (
	Purchase Intent = "purchase"
	Exchange Intent = "exchange" // another one for the rest of the term
	Cancel   Intent = "cancel"   // returned, for the rest of the fee
)

// ReservationPayload asks for a reservation, or for a change of one.
type ReservationPayload struct {
	Intent       Intent `json:"intent"`
	Subscription string `json:"subscription"` // that pays for it
	Scope        string `json:"scope"`        // single (that subscription) or shared
	Region       string `json:"region"`       // Azure's name, e.g. eastus2
	Type         string `json:"type"`         // of machine, e.g. Standard_D4s_v5
	Cores        int    `json:"cores"`        // of one; 0 = as its type has
	Memory       int    `json:"memory"`       // GiB of one; 0 = as its type has
	Quantity     int    `json:"quantity"`
	Term         string `json:"term"`    // P1Y or P3Y
	Billing      string `json:"billing"` // once or monthly

	Order  string `json:"order,omitempty"`  // of an exchange or cancellation: Microsoft's id of the one that was bought
	Bought string `json:"bought,omitempty"` // and the day on which it was, 2026-11-20
	Text   string `json:"text,omitempty"`
}

// AskReservation asks to buy, exchange or return a reservation. Its fee is on the
// invoice of the month in which Microsoft charges it.
func (d *Desk) AskReservation(ctx context.Context, a account.Actor, alias account.Alias, p ReservationPayload) (Request, error) {
	for _, s := range []*string{&p.Subscription, &p.Region, &p.Type, &p.Order, &p.Bought, &p.Text} {
		*s = strings.TrimSpace(*s)
	}
	verb := map[Intent]string{Purchase: "Reserve", Exchange: "Exchange for", Cancel: "Return"}[p.Intent]
	return d.ask(ctx, a, a.Org, alias, Reservation, fmt.Sprintf("%s %d × %s, %s, %s", verb, p.Quantity, p.Type, p.Region, Years(p.Term)), &p)
}

// Years is a term as people say it.
func Years(term string) string {
	return map[string]string{"P1Y": "1 year", "P3Y": "3 years"}[term]
}

func (p *ReservationPayload) refusals() (all []fault.Refusal) {
	refuse := func(field, reason, remedy string) {
		all = append(all, fault.Refusal{Field: field, Reason: reason, Remedy: remedy})
	}
	oneOf := func(field, what, value string, of ...string) {
		if !slices.Contains(of, value) {
			refuse(field, fmt.Sprintf("%s is %q.", what, value), "Choose one of: "+strings.Join(of, ", ")+".")
		}
	}
	word := func(field, what, value string, most int, remedy string) {
		if value == "" || len(value) > most || store.CheckText(field, value) != nil {
			refuse(field, what+" is not said, or is too long.", remedy)
		}
	}
	oneOf("intent", "What is to happen", string(p.Intent), string(Purchase), string(Exchange), string(Cancel))
	oneOf("scope", "Where it applies", p.Scope, "single", "shared")
	oneOf("term", "The term", p.Term, "P1Y", "P3Y")
	oneOf("billing", "How it is paid", p.Billing, "once", "monthly")
	word("subscription", "The subscription that pays", p.Subscription, 60, "Choose the subscription.")
	word("region", "The region", p.Region, 60, "Use Azure's name, like eastus2.")
	word("type", "The type of machine", p.Type, 100, "Use Azure's name, like Standard_D4s_v5.")
	if p.Quantity < 1 || p.Quantity > 10_000 {
		refuse("quantity", fmt.Sprintf("The quantity is %d.", p.Quantity), "Give a number from 1 to 10000.")
	}
	if p.Cores < 0 || p.Cores > 1_000 || p.Memory < 0 || p.Memory > 100_000 {
		refuse("cores", "The cores or the memory of a machine are not possible.", "Leave them empty: its type says them.")
	}
	if p.Intent == Exchange || p.Intent == Cancel {
		word("order", "The reservation that was bought", p.Order, 100, "Give its order id, from the invoice or from Azure's portal.")
	}
	if p.Text != "" {
		all = append(all, wordy("text", "The remark", p.Text, 4000)...)
	}
	if len(p.Bought) > 10 || store.CheckText("bought", p.Bought) != nil {
		refuse("bought", "The day of the purchase is no day.", "Write it like 2026-11-20.")
	}
	return all
}
