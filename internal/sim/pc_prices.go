package sim

import (
	"bytes"
	"compress/zlib"
	"encoding/csv"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// registerPrices adds what api.partner.microsoft.com serves: price sheets and rates.
func (s *Server) registerPrices() {
	s.on(servicePrices, "GET /v1.0/sales/{sheet}/$value", needsToken, unlocked, getSheet)
}

// authenticatePrices takes a person of the partner only; an app alone is a bad request.
func (c *call) authenticatePrices() *reply {
	if !c.partnerTenant() {
		r := pcError(http.StatusForbidden, 2032, "Access denied")
		return &r
	}
	if !c.user() {
		r := pcError(http.StatusBadRequest, 900316, "The token type is not valid for this API. Use an app+user token.")
		return &r
	}
	return nil
}

var sheetName = regexp.MustCompile(`(?i)^(pricesheets|fxrates)\((.*)\)$`)
var sheetKey = regexp.MustCompile(`(\w+)='([^']*)'`)

func getSheet(c *call) reply {
	name := sheetName.FindStringSubmatch(c.param("sheet"))
	if name == nil {
		return pcError(http.StatusNotFound, 1000, "Not found")
	}
	keys := map[string]string{}
	for _, k := range sheetKey.FindAllStringSubmatch(name[2], -1) {
		keys[strings.ToLower(k[1])] = k[2]
	}
	month := c.now
	readMonth := func(text string) bool {
		t, err := time.Parse("200601", text)
		month = t
		return err == nil
	}
	if strings.EqualFold(name[1], "fxrates") {
		if !readMonth(keys["month"]) {
			return pcError(http.StatusBadRequest, 3000, "Invalid property", "Month")
		}
		return c.sheet("fxrates.csv", rateSheet(month))
	}
	if history := strings.EqualFold(c.query("timeline"), "history"); history != (c.query("month") != "") || (history && !readMonth(c.query("month"))) {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "month")
	}
	country := strings.ToUpper(keys["market"])
	if len(country) != 2 {
		return pcError(http.StatusBadRequest, 3000, "Invalid property", "Market")
	}
	switch keys["pricesheetview"] {
	case "azure_consumption":
		return c.sheet("sheets.csv", consumptionSheet(country, monthOf(month)))
	case "azure_reservations", "marketplace", "updatedlicensebased", "software":
		return c.sheet("sheets.csv", [][]string{priceColumns}) // nobody sells them here
	}
	return pcError(http.StatusBadRequest, 3000, "Invalid property", "PricesheetView")
}

var priceColumns = []string{"ProductTitle", "ProductId", "SkuId", "SkuTitle", "Publisher", "SkuDescription", "UnitOfMeasure", "TermDuration", "Market", "Currency", "UnitPrice",
	"PricingTierRangeMin", "PricingTierRangeMax", "EffectiveStartDate", "EffectiveEndDate", "MeterIds", "MeterType", "Tags"}

// consumptionSheet lists every meter's price, a row for each of its tiers.
func consumptionSheet(country string, month time.Time) [][]string {
	out := [][]string{priceColumns}
	const open = "9223372036854780000"
	all := meters()
	for i := range all {
		m := &all[i]
		tiers := m.tiers
		if len(tiers) == 0 {
			tiers = []tier{{0, m.price}}
		}
		tags := "Azure, Consumption"
		if m.family.foreign {
			tags += ", ThirdParty"
		}
		for n, t := range tiers {
			end := open
			if n+1 < len(tiers) {
				end = tiers[n+1].from.String()
			}
			out = append(out, []string{m.family.product, m.product, m.sku, m.skuName, m.publisher, m.subject, m.family.unit, "", country, m.pricing, t.price.String(),
				t.from.String(), end, month.Format("1/2/2006 03:04:05 PM"), "12/31/9999 12:00:00 AM", m.id, m.family.unit + " - " + m.name, tags})
		}
	}
	return out
}

// rateSheet is the month's exchange rates.
func rateSheet(month time.Time) [][]string {
	out := [][]string{{"CurrencyCode", "USDPerUnit", "Month"}}
	var names []string
	for c := range usdPerUnit {
		names = append(names, c)
	}
	slices.Sort(names)
	for _, c := range names {
		out = append(out, []string{c, decimal.New(int64(usdPer(c, month.Format("2006-01"))), -8).String(), month.Format("200601")}) // #nosec G115 -- a rate
	}
	return out
}

func (c *call) sheet(file string, rows [][]string) reply {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil { // into memory
		return pcError(http.StatusInternalServerError, 800003, err.Error())
	}
	r := reply{status: http.StatusOK, raw: b.Bytes(), header: map[string]string{"Content-Type": "application/octet-stream", "Content-Disposition": "attachment; filename=" + file}}
	if strings.Contains(c.r.Header.Get("Accept-Encoding"), "deflate") {
		var packed bytes.Buffer
		z := zlib.NewWriter(&packed)
		_, _ = fmt.Fprint(z, b.String()) // into memory
		_ = z.Close()
		r.raw = packed.Bytes()
		r = r.with("Content-Encoding", "deflate")
	}
	return r
}
