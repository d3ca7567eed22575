package sim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// registerBillingControl adds /_sim/billing/…: making months, closing them, changing
// them afterwards, and what was planted.
func (s *Server) registerBillingControl() {
	ctl := func(pattern string, h handler) { s.on(serviceControl, pattern, needsNothing, unlocked, h) }
	ctl("GET /_sim/billing", func(c *call) reply { return ok(c.s.bill.state(c.now)) })
	ctl("POST /_sim/billing/generate", controlGenerate)
	ctl("POST /_sim/billing/close", controlClose)
	ctl("POST /_sim/billing/plant", controlPlant)
	ctl("GET /_sim/billing/sealed", controlSealed)
	ctl("POST /_sim/billing/fraud", controlFraud)
}

// monthState is a month in control's list.
type monthState struct {
	Month     string         `json:"month"`
	Closed    bool           `json:"closed"`
	Customers int            `json:"customers"`
	Days      int            `json:"days"` // of the month whose records can be seen unbilled
	Resources int            `json:"resourcesPerSubscription"`
	Options   BillOptions    `json:"options"`
	Invoices  []invoiceState `json:"invoices"`
}

type invoiceState struct {
	Number   string `json:"number"`
	Month    string `json:"month"`
	Currency string `json:"currency"`
	Date     string `json:"date"`
	Total    string `json:"total"`
	Tax      string `json:"tax"`
	Lines    int64  `json:"lines"`
	Records  int64  `json:"records"`
}

func (i *billInvoice) state() invoiceState {
	return invoiceState{i.number, i.month.name, i.currency, i.date.Format(time.RFC3339), i.total.StringFixed(cents), i.tax.StringFixed(cents), i.lines, i.sealed.Records}
}

func (b *billing) state(now time.Time) []monthState {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []monthState{}
	for _, m := range b.sorted() {
		out = append(out, b.monthState(m, b.plans(m), now))
	}
	return out
}

func (b *billing) monthState(m *billMonth, plans []*billPlan, now time.Time) monthState {
	x := monthState{Month: m.name, Closed: m.closed(), Customers: len(plans), Days: min(m.cut(now), m.days), Resources: m.per, Options: m.opt, Invoices: []invoiceState{}}
	for _, i := range m.invoices {
		x.Invoices = append(x.Invoices, i.state())
	}
	return x
}

func controlGenerate(c *call) reply {
	var in BillOptions
	if err := c.decode(&in); err != nil {
		return controlError(err)
	}
	in.Month = or(in.Month, c.now.Format("2006-01"))
	m, plans, err := c.s.bill.generate(in)
	if err != nil {
		return controlError(err)
	}
	return ok(c.s.bill.monthState(m, plans, c.now))
}

// controlClose makes a month's invoices: {"month":"2026-10","date":"2026-11-08T00:00:00Z"}.
// Left out: the month before this one; the 8th of the next month, or now if that is
// still to come. The last look at the unbilled data is at the date, too.
func controlClose(c *call) reply {
	var in struct {
		Month string    `json:"month"`
		Date  time.Time `json:"date"`
	}
	if len(c.body) > 0 {
		if err := c.decode(&in); err != nil {
			return controlError(err)
		}
	}
	start := monthOf(c.now).AddDate(0, -1, 0)
	if in.Month != "" {
		var err error
		if start, err = parseMonth(in.Month); err != nil {
			return controlError(err)
		}
	}
	date := in.Date
	if date.IsZero() {
		date = start.AddDate(0, 1, 7)
		if date.After(c.now) {
			date = c.now
		}
	}
	made, err := c.s.bill.close(start, date, date.UTC())
	if err != nil {
		return controlError(err)
	}
	c.s.mu.Lock()
	c.w = c.s.w
	for _, i := range made {
		c.emit("invoice-ready", "https://api.partnercenter.microsoft.com/v1/invoices/"+i.number, "invoice")
	}
	c.s.mu.Unlock()
	out := []invoiceState{}
	for _, i := range made {
		out = append(out, i.state())
	}
	return ok(out)
}

// controlPlant adds late or corrected records: {"month":"2026-10","late":5,"restated":3}.
func controlPlant(c *call) reply {
	var in struct {
		Month    string `json:"month"`
		Late     int    `json:"late"`
		Restated int    `json:"restated"`
	}
	if err := c.decode(&in); err != nil {
		return controlError(err)
	}
	start, err := parseMonth(in.Month)
	if err != nil {
		return controlError(err)
	}
	n, err := c.s.bill.plant(start, max(in.Late, 0), max(in.Restated, 0))
	if err != nil {
		return controlError(err)
	}
	return ok(map[string]int{"planted": n})
}

func controlSealed(c *call) reply {
	i := c.s.bill.invoice(c.query("invoice"))
	if i == nil {
		return reply{status: http.StatusNotFound, body: map[string]string{"error": fmt.Sprintf("invoice %q is unknown", c.query("invoice"))}}
	}
	return ok(i.sealed)
}

// controlFraud raises an event: {"subscription":"…","eventType":"UsageAnomalyDetection"}.
func controlFraud(c *call) reply {
	var in struct {
		Subscription string `json:"subscription"`
		EventType    string `json:"eventType"`
		Resource     string `json:"resource"`
		Hits         int    `json:"hitCount"`
	}
	if err := c.decode(&in); err != nil {
		return controlError(err)
	}
	in.EventType = or(in.EventType, fraudTypes[1])
	if !slices.Contains(fraudTypes, in.EventType) {
		return controlError(fmt.Errorf("eventType %q is unknown: %v", in.EventType, fraudTypes))
	}
	c.s.mu.Lock()
	a := c.s.w.azure[strings.ToLower(in.Subscription)]
	if a == nil {
		c.s.mu.Unlock()
		return controlError(fmt.Errorf("subscription %q is unknown", in.Subscription))
	}
	f := &fraudEvent{id: c.s.newID(), kind: in.EventType, tenant: a.Customer.ID, company: a.Customer.Name, subscription: a.ID, name: a.Name.at(c.now), group: "RG-PROD-01",
		resource: or(in.Resource, "/subscriptions/"+a.ID+"/resourceGroups/RG-PROD-01/providers/Microsoft.Compute/virtualMachines/vm1"), at: c.now, status: "Active", hits: or(in.Hits, 1)}
	c.w = c.s.w
	c.emit("azure-fraud-event-detected", "https://api.partnercenter.microsoft.com/v1/fraudEvents?SubscriptionId="+a.ID+"&EventStatus=Active", "fraudEvent")
	c.s.mu.Unlock()
	b := c.s.bill
	b.mu.Lock()
	b.fraud = append(b.fraud, f)
	b.mu.Unlock()
	return created(map[string]string{"eventId": f.id})
}
