package sim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// lineItems is a page of an invoice's lines. Pages of usage have no token of their
// own, as the documented sample; those of billing lines do.
type lineItems struct {
	Total        int         `json:"totalCount"`
	Items        []object    `json:"items"`
	Continuation string      `json:"continuationToken,omitempty"`
	Links        *pageLinks  `json:"links"`
	Attributes   *attributes `json:"attributes"`
}

// linePage is what a caller asked for.
type linePage struct {
	usage      bool
	currency   string
	size, from int
	earned     bool
}

func (c *call) linePage() (linePage, *reply) {
	p := linePage{size: 2000, currency: strings.ToUpper(c.query("currencycode")), earned: strings.EqualFold(c.query("hasPartnerEarnedCredit"), "true")}
	bad := func(name string) (linePage, *reply) {
		r := pcError(http.StatusBadRequest, 3000, "Invalid property", name)
		return p, &r
	}
	switch foldEnum(or(c.query("provider"), c.param("provider"))) {
	case "onetime", "all", "marketplace":
	default:
		return bad("provider")
	}
	switch foldEnum(or(c.query("invoicelineitemtype"), c.param("type"))) {
	case "billinglineitems":
	case "usagelineitems":
		p.usage = true
	default:
		return bad("invoicelineitemtype")
	}
	if text := c.query("size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return bad("size")
		}
		p.size = min(n, 2000)
	}
	if strings.EqualFold(c.query("seekOperation"), "Next") {
		raw, err := base64.StdEncoding.DecodeString(c.r.Header.Get("MS-ContinuationToken"))
		n, number := strconv.Atoi(string(raw))
		if err != nil || number != nil || n <= 0 {
			return bad("MS-ContinuationToken")
		}
		p.from = n
	}
	return p, nil
}

func billedLines(c *call) reply {
	p, refusal := c.linePage()
	if refusal != nil {
		return *refusal
	}
	i, refusal := c.issuedInvoice()
	if refusal != nil {
		return *refusal
	}
	if p.currency != "" && p.currency != i.currency {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "currencycode")
	}
	p.currency = i.currency
	return c.lineItems(p, i.src, view{billed: true}, i.number)
}

func unbilledLines(c *call) reply {
	p, refusal := c.linePage()
	if refusal != nil {
		return *refusal
	}
	if p.currency == "" {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "currencycode")
	}
	src, v, known := c.s.bill.unbilled(c.query("period"), c.now)
	if !known {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "period")
	}
	return c.lineItems(p, src, v, "")
}

func (c *call) lineItems(p linePage, src *source, v view, number string) reply {
	out := lineItems{Items: []object{}, Links: &pageLinks{Self: get(strings.TrimPrefix(c.r.URL.RequestURI(), "/v1"))}, Attributes: collectionAttributes}
	w := &records{partner: &c.s.cfg.Partner, full: true, number: number}
	n, more := 0, false
	take := func(make func() object) {
		switch {
		case n >= p.from && len(out.Items) < p.size:
			out.Items = append(out.Items, make())
		case n >= p.from:
			more = true
		}
		n++
	}
	switch {
	case src == nil:
	case p.usage:
		src.each(0, func(_ int, x *batch) bool {
			if x.plan.currency == p.currency {
				x.each(v, func(r *row) { take(func() object { return usageItem(w.append(nil, r), r) }) })
			}
			return !more
		})
	default:
		l := &lines{src: src}
		l.each(v, p.currency, func(x *billLine) {
			if !p.earned || strings.Contains(x.adjustment, "earned") {
				take(func() object { return billingItem(w.reconciliation(x)) })
			}
		})
	}
	out.Total = len(out.Items)
	if more {
		token := base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(p.from + p.size)))
		uri := out.Links.Self.URI
		if p.from == 0 {
			uri += "&seekOperation=Next"
		}
		out.Links.Next = &link{URI: uri, Method: http.MethodGet, Headers: []header{{"MS-ContinuationToken", token}}}
		if !p.usage {
			out.Continuation = token
		}
	}
	return ok(out)
}

// v1Names are the members that the older API calls otherwise.
var v1Names = map[string]string{"Unit": "unitOfMeasure", "Tier2MpnId": "resellerMpnId", "PartnerEarnedCreditPercentage": "rateOfPartnerEarnedCredit",
	"CreditPercentage": "rateOfCredit", "PCToBCExchangeRate": "pcToBCExchangeRate", "PCToBCExchangeRateDate": "pcToBCExchangeRateDate", "ResourceURI": "resourceUri"}

// v1Item turns an export's record into the older API's item.
func v1Item(text []byte) object {
	var members map[string]json.RawMessage
	if json.Unmarshal(text, &members) != nil { // made by this package
		return object{}
	}
	out := object{}
	for k, v := range members {
		out[or(v1Names[k], strings.ToLower(k[:1])+k[1:])] = v
	}
	return out
}

func usageItem(text []byte, r *row) object {
	out := v1Item(text)
	out["invoiceLineItemType"], out["billingProvider"] = "usage_line_items", "one_time"
	if r.b.meter.family.foreign {
		out["billingProvider"] = "marketplace"
	}
	out["attributes"] = attributes{Type: "DailyRatedUsageLineItem"}
	return out
}

func billingItem(x reconciliationLine) object {
	text, err := json.Marshal(x)
	if err != nil { // text and numbers always marshal
		return object{}
	}
	out := v1Item(text)
	out["invoiceLineItemType"], out["billingProvider"], out["attributes"] = "billing_line_items", "one_time", attributes{Type: "OneTimeInvoiceLineItem"}
	return out
}
