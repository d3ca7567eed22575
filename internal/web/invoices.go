package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"causeway/internal/account"
	"causeway/internal/fault"
	"causeway/internal/invoice"
	"causeway/internal/web/ui"
)

// documentFor reads a document that this person may see; a draft is staff's.
func (s *Server) documentFor(v *visit) (d invoice.Document, b bills, err error) {
	d, err = s.Invoices.Document(v.ctx(), invoice.ID(v.r.PathValue("id")))
	if err != nil {
		return d, b, err
	}
	hidden := fault.New(fault.NotFound, "There is no such invoice.")
	if err := account.May(v.me, account.ActUsageView, account.OrgID(d.Org)); err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return d, b, hidden
		}
		return d, b, err
	}
	if d.Number == "" && !v.me.Staff() {
		return d, b, hidden
	}
	p, err := s.billOf(v, account.Alias(d.Account))
	b.payer = p
	return d, b, err
}

// invoicePage: GET /invoices/{id}.
func (s *Server) invoicePage(v *visit) error {
	d, b, err := s.documentFor(v)
	if err != nil {
		return err
	}
	current := "history"
	if v.me.Staff() {
		current = "billing"
	}
	shell, err := s.shell(v, current, titleOf(d))
	if err != nil {
		return err
	}
	at := "/invoices/" + string(d.ID)
	board := ui.Board{Shell: shell, Head: ui.Head{
		Crumbs: []ui.Link{{Label: "Usage History", Href: "/usage/history?account=" + d.Account}, {Label: d.Period.String(), Href: "/usage/history/" + d.Account + "/" + string(d.Period)}, {Label: titleOf(d)}},
		Title:  titleOf(d), Text: plain(d.Buyer.Name) + " · " + issuedWords(d),
		Actions: []ui.Action{{Label: "XLSX", Href: at + "/invoice.xlsx", Variant: "ghost"}, {Label: "JSON", Href: at + "/invoice.json", Variant: "ghost"}, {Label: "CSV", Href: at + "/invoice.csv"}, {Label: "PDF", Icon: "download", Href: at + "/invoice.pdf", Variant: "primary"}},
	}}
	if d.Reason != "" {
		board.Notes = append(board.Notes, ui.Note{Tone: ui.ToneInfo, Icon: "undo-2", Title: "Takes " + d.OfNumber + " back", Text: plain(d.Reason)})
	}
	panel, err := b.invoicePanel(d)
	if err != nil {
		return err
	}
	panel.Title, panel.Sub = "Lines", "Each opens to its providers, services and regions; details have six digits, and each line is rounded once"
	party := func(p invoice.Party) []ui.KV {
		rows := []ui.KV{{Key: "Name", Value: plain(p.Name)}}
		for i, l := range p.Address {
			key := ""
			if i == 0 {
				key = "Address"
			}
			rows = append(rows, ui.KV{Key: key, Value: plain(l)})
		}
		if p.VAT != "" {
			rows = append(rows, ui.KV{Key: "Tax number", Value: p.VAT})
		}
		return rows
	}
	board.Panels = []ui.Panel{panel}
	board.Side = []ui.Panel{{Title: "Billed to", Facts: party(d.Buyer)}, {Title: "From", Facts: party(d.Seller)}}
	if len(d.Notes) > 0 {
		board.Side = append(board.Side, ui.Panel{Title: "Notes", Text: d.Notes})
	}
	return v.page(ui.BoardView(board))
}

// invoiceFile: GET /invoices/{id}/invoice.{pdf,csv,xlsx,json}.
func (s *Server) invoiceFile(v *visit) error {
	d, b, err := s.documentFor(v)
	if err != nil {
		return err
	}
	kinds := map[string]struct {
		mime  string
		write func(io.Writer) error
	}{
		"invoice.pdf": {"application/pdf", func(w io.Writer) error {
			if kept, err := s.keptPDF(v, d); err != nil || kept != nil {
				_, werr := w.Write(kept)
				return errors.Join(err, werr)
			}
			return invoice.PDF(w, d, invoice.Look{Product: v.brand.Product, Accent: v.brand.Accent, Contact: v.brand.ContactEmail}, b.sub)
		}},
		"invoice.csv":  {"text/csv; charset=utf-8", func(w io.Writer) error { return invoice.CSV(w, d, b.sub) }},
		"invoice.xlsx": {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", func(w io.Writer) error { return invoice.XLSX(w, d, b.sub) }},
		"invoice.json": {"application/json", func(w io.Writer) error { return json.NewEncoder(w).Encode(customersView(v, d)) }},
	}
	name := v.r.PathValue("file")
	k, ok := kinds[name]
	if !ok {
		return fault.New(fault.NotFound, "There is no such file of this invoice: there are PDF, CSV, XLSX and JSON.")
	}
	var out bytes.Buffer
	if err := k.write(&out); err != nil {
		return err
	}
	return v.file(or(d.Number, "draft")+name[len("invoice"):], k.mime, out.Bytes())
}

// keptPDF is the file as it was issued; nil for a draft, and where none was kept.
func (s *Server) keptPDF(v *visit, d invoice.Document) ([]byte, error) {
	if s.Billing == nil || d.Number == "" {
		return nil, nil
	}
	kept, err := s.Billing.PDF(v.ctx(), d.ID)
	if fault.KindOf(err) == fault.NotFound {
		return nil, nil
	}
	return kept, err
}

// customersView leaves out what is the partner's own: cost, margin, credit and gain.
func customersView(v *visit, d invoice.Document) any {
	if v.me.Staff() {
		return d
	}
	return customersDocument(d)
}

// customersDocument is an invoice as its customer gets it in JSON.
func customersDocument(d invoice.Document) any {
	type detail struct {
		Subscription string `json:"subscription,omitempty"`
		Service      string `json:"service"`
		Region       string `json:"region"`
		Amount       any    `json:"amount"`
	}
	type line struct {
		Label    string   `json:"label"`
		Kind     string   `json:"kind"`
		Month    string   `json:"month"`
		Estimate bool     `json:"estimate,omitempty"`
		Details  []detail `json:"details"`
		Rounding any      `json:"rounding"`
		Amount   any      `json:"amount"`
	}
	lines := make([]line, 0, len(d.Lines))
	for _, l := range d.Lines {
		x := line{Label: l.Label, Kind: string(l.Kind), Month: string(l.Month), Estimate: l.Estimate, Rounding: l.Rounding, Amount: l.Amount}
		for _, y := range l.Details {
			x.Details = append(x.Details, detail{y.Entitlement, y.Service, y.Region, y.Amount})
		}
		lines = append(lines, x)
	}
	return map[string]any{
		"id": d.ID, "kind": d.Kind, "number": d.Number, "status": d.Status, "account": d.Account, "cost_center": d.CostCenter, "period": string(d.Period), "currency": d.Currency,
		"seller": d.Seller, "buyer": d.Buyer, "lines": lines, "taxes": d.Taxes, "net": d.Net, "tax": d.Tax, "total": d.Total, "takes_back": d.OfNumber, "reason": d.Reason, "notes": d.Notes,
		"issued_at": d.IssuedAt, "due": string(d.DueDay),
	}
}
