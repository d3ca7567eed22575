package sim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

const exports = "/v1.0/reports/partners/billing"

// registerExports adds Graph's partner billing exports: ask, poll, read the manifest,
// fetch the blobs.
// https://learn.microsoft.com/graph/api/resources/partners-billing-api-overview
func (s *Server) registerExports() {
	on := func(pattern string, h handler, options ...func(*route)) {
		s.on(serviceGraph, pattern, needsToken, unlocked, func(c *call) reply {
			if !c.partnerTenant() {
				return c.odataError(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation: PartnerBilling.Read.All of the partner tenant is needed.")
			}
			return h(c)
		}, append([]func(*route){group(GroupGraph)}, options...)...)
	}
	on("POST "+exports+"/usage/billed/export", func(c *call) reply { return c.exportBilled(false) })
	on("POST "+exports+"/usage/unbilled/export", func(c *call) reply { return c.exportUnbilled(false) })
	on("POST "+exports+"/reconciliation/billed/export", func(c *call) reply { return c.exportBilled(true) })
	on("POST "+exports+"/reconciliation/unbilled/export", func(c *call) reply { return c.exportUnbilled(true) })
	on("GET "+exports+"/operations/{operation}", getExportOperation, plainType)
	on("GET "+exports+"/manifests/{manifest}", getManifest, plainType)
}

// exportBody is what the four export calls take.
type exportBody struct {
	Invoice   string `json:"invoiceId"`
	Currency  string `json:"currencyCode"`
	Period    string `json:"billingPeriod"`
	Attribute string `json:"attributeSet"`
}

func (c *call) exportInput() (exportBody, *reply) {
	var in exportBody
	if err := c.decode(&in); err != nil {
		r := c.badGraph("The request body is not valid JSON: " + err.Error())
		return in, &r
	}
	in.Attribute = or(strings.ToLower(in.Attribute), "full")
	if in.Attribute != "full" && in.Attribute != "basic" {
		r := c.badGraph("The value of attributeSet must be full or basic.")
		return in, &r
	}
	return in, nil
}

func (c *call) exportBilled(lines bool) reply {
	in, refusal := c.exportInput()
	switch {
	case refusal != nil:
		return *refusal
	case in.Invoice == "":
		return c.badGraph("The property invoiceId is required.")
	}
	b := c.s.bill
	inv := b.invoice(in.Invoice)
	if inv == nil {
		return c.odataError(http.StatusNotFound, "notFound", "The invoice "+in.Invoice+" was not found.")
	}
	return c.startExport(&export{lines: lines, full: in.Attribute == "full", src: inv.src, currency: inv.currency, view: view{billed: true}, number: inv.number})
}

func (c *call) exportUnbilled(lines bool) reply {
	in, refusal := c.exportInput()
	if refusal != nil {
		return *refusal
	}
	in.Currency = strings.ToUpper(in.Currency)
	if in.Currency == "" {
		return c.badGraph("The property currencyCode is required.")
	}
	b := c.s.bill
	src, v, known := b.unbilled(in.Period, c.now)
	if !known {
		return c.badGraph("The value of billingPeriod must be current or last.")
	}
	x := &export{lines: lines, full: in.Attribute == "full", src: src, currency: in.Currency, view: v}
	if src == nil || !src.shows(in.Currency, v) {
		x.code, x.message = "5000", "No data available."
	}
	return c.startExport(x)
}

// unbilled is the present estimate of a period; nil when that month is billed.
func (b *billing) unbilled(period string, now time.Time) (*source, view, bool) {
	start := monthOf(now)
	switch strings.ToLower(period) {
	case "current":
	case "last", "previous":
		start = start.AddDate(0, -1, 0)
	default:
		return nil, view{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.month(start)
	if m == nil || m.closed() {
		return nil, view{}, true
	}
	return b.source(m), view{cut: m.cut(now)}, true
}

// shows says whether there is any record to see.
func (s *source) shows(currency string, v view) bool {
	found := false
	s.each(0, func(_ int, x *batch) bool {
		if x.plan.currency == currency {
			x.each(v, func(*row) { found = true })
		}
		return !found
	})
	return found
}

// startExport answers 202 at once; the operation runs for a while.
func (c *call) startExport(x *export) reply {
	b, set := c.s.bill, c.s.settings()
	if f := find(c.faults, FailOperation); f != nil {
		x.code, x.message = "5000", or(f.Message, "No data available.")
		if f.Code != nil {
			x.code = fmt.Sprint(f.Code)
		}
	}
	x.id, x.manifest, x.created = c.s.newID(), c.s.newID(), c.now
	x.ready = c.after(WaitExport)
	x.dies = x.ready.Add(c.s.Clock.Real(set.ExportLife.or(24 * time.Hour)))
	if x.code == "" {
		kind := "usage"
		x.parts = []blobPart{{}}
		if x.lines {
			kind = "reconciliation"
		} else {
			x.parts = x.src.parts(x.currency, or(set.BlobRecords, blobRecords))
		}
		x.etag = x.src.snapshot(kind+fmt.Sprint(set.BlobRecords), x.currency, x.number, x.view, x.full)
	}
	b.mu.Lock()
	b.exports[x.id], b.exports[x.manifest] = x, x
	b.mu.Unlock()
	return empty(http.StatusAccepted).with("Location", c.s.URL+exports+"/operations/"+x.id)
}

// exported finds an export by the id of its operation or manifest. Old ones are gone.
func (c *call) exported(id string, operation bool) (*export, *reply) {
	b := c.s.bill
	b.mu.Lock()
	x := b.exports[strings.ToLower(id)]
	b.mu.Unlock()
	var r reply
	switch {
	case x == nil || operation != (x.id == strings.ToLower(id)):
		r = c.odataError(http.StatusNotFound, "notFound", "The resource "+id+" was not found.")
	case !c.now.Before(x.dies):
		r = c.odataError(http.StatusGone, "gone", "The resource "+id+" has expired. Start a new export.")
	default:
		return x, nil
	}
	return nil, &r
}

type exportError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// exportOperationBody is the export as it goes. Dates come in the two forms of the sample.
type exportOperationBody struct {
	Type     string        `json:"@odata.type"`
	ID       string        `json:"id"`
	Created  string        `json:"createdDateTime"`
	Last     string        `json:"lastActionDateTime"`
	Status   string        `json:"status"`
	Error    *exportError  `json:"error,omitempty"`
	Manifest *manifestBody `json:"resourceLocation,omitempty"`
	Link     string        `json:"resourceLocation@odata.navigationLink,omitempty"`
}

func getExportOperation(c *call) reply {
	x, refusal := c.exported(c.param("operation"), true)
	if refusal != nil {
		return *refusal
	}
	const base = "#microsoft.graph.partners.billing."
	out := exportOperationBody{Type: base + "runningOperation", ID: x.id, Created: x.created.Format("2006-01-02T15:04:05"), Last: stamp(c.now), Status: "running"}
	switch {
	case c.now.Before(x.ready):
		if c.now.Sub(x.created)*10 < x.ready.Sub(x.created) {
			out.Status = "notStarted"
		}
		return ok(out).with("Retry-After", fmt.Sprint(seconds(c.s.Clock.Real(10*time.Second))))
	case x.code != "":
		out.Type, out.Status, out.Last = base+"failedOperation", "failed", stamp(x.ready)
		out.Error = &exportError{x.code, x.message}
	default:
		out.Type, out.Status, out.Last = base+"exportSuccessOperation", "succeeded", stamp(x.ready)
		if c.s.settings().ManifestByLink {
			out.Link = c.s.URL + exports + "/manifests/" + x.manifest
		} else {
			m := c.manifest(x)
			m.Type = base + "manifest"
			out.Manifest = &m
		}
	}
	return ok(out)
}

// manifest says where the blobs are. Each reading signs the way to them anew.
func (c *call) manifest(x *export) manifestBody {
	out := manifestBody{ID: x.manifest, Schema: "1", Format: "compressedJSONLines", Created: stamp(x.ready), Etag: x.etag, Partner: c.s.cfg.Partner.TenantID,
		Root: c.s.URL + blobRoot + x.id, SAS: c.s.sas(x.id, c.now.Add(c.s.Clock.Real(c.s.settings().SASLife.or(12*time.Hour))).Add(time.Second)), Kind: "ItemCount", Blobs: []manifestBlob{}}
	for i := range x.parts {
		out.Blobs = append(out.Blobs, manifestBlob{Name: fmt.Sprintf("part-%05d.json.gz", i), Partition: fmt.Sprint(i)})
	}
	if len(x.parts) == 1 {
		out.Kind = "Default"
		out.Blobs[0].Partition = "default"
	}
	out.Count = len(out.Blobs)
	return out
}

func getManifest(c *call) reply {
	x, refusal := c.exported(c.param("manifest"), false)
	if refusal != nil {
		return *refusal
	}
	if c.now.Before(x.ready) || x.code != "" {
		return c.odataError(http.StatusNotFound, "notFound", "The resource "+x.manifest+" was not found.")
	}
	out := c.manifest(x)
	out.Context = c.s.URL + "/v1.0/$metadata#reports/partners/billing/manifests/$entity"
	return ok(out)
}
