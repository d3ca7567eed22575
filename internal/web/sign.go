package web

import (
	"errors"
	"fmt"
	"net/http"

	"causeway/internal/agreement"
	"causeway/internal/fault"
	"causeway/internal/provision"
	"causeway/internal/web/ui"
)

// signature opens what a signatory's link shows. A link that never was, and one
// that was withdrawn with its draft, are told apart: who has a real link is told.
func (s *Server) signature(v *visit) (provision.SignPage, error) {
	v.w.Header().Set("Referrer-Policy", "no-referrer") // the address is the key
	v.w.Header().Set("X-Robots-Tag", "noindex")
	p, err := s.Provision.OpenSignature(v.ctx(), v.r.PathValue("token"), v.r.RemoteAddr)
	if errors.Is(err, fault.NotFound) && p.Invitation.ID != "" {
		p.Invitation.State, err = agreement.Withdrawn, nil
	}
	return p, err
}

// signPage: GET /sign/{token} is for a person without an account: the terms, and
// nothing else of the customer.
func (s *Server) signPage(v *visit) error {
	p, err := s.signature(v)
	if err != nil {
		return err
	}
	return s.showSignature(v, p, http.StatusOK, nil)
}

func (s *Server) showSignature(v *visit, p provision.SignPage, code int, errs ui.Errors) error {
	inv := p.Invitation
	view := ui.SignPage{
		Brand: v.words, Company: inv.Company, AskedBy: inv.AskedName, What: "an Azure account, billed to " + string(inv.Alias), Until: v.day(inv.ExpiresAt),
		URL: "/sign/" + v.r.PathValue("token"), Errors: errs,
	}
	if inv.AskedEmail != "" {
		view.AskedBy += " (" + inv.AskedEmail + ")"
	}
	view.Attestation = s.signAttestationOf(v, p)
	microsoft := p.Microsoft.ID == "" || p.Microsoft.State == "accepted"
	switch {
	case inv.State == agreement.Signed && microsoft:
		view.State, view.DoneText = "done", "You accepted both sets of terms. "+inv.AskedName+" is told."
	case inv.State == agreement.Withdrawn:
		view.State = "withdrawn"
	case inv.State == agreement.Declined:
		view.State, view.DoneText = "declined", "Your answer is recorded."
	case inv.State == agreement.Expired, inv.State != agreement.Signed && !inv.Waiting(v.now):
		view.State = "expired"
	}
	if view.State == "" {
		doc, err := s.documentOf(v, p.Terms.Partner)
		if err != nil {
			return err
		}
		view.Document, view.AskPartner, view.MayDecline = doc, true, inv.Waiting(v.now)
		view.Document.AcceptTitle = fmt.Sprintf("I accept version %d for %s", p.Terms.Partner.Version, inv.Company)
		view.Document.AcceptText = "and confirm that I may sign for it"
		view.Document.Accepted = v.form("accept_partner") == view.Document.Version
		view.Document.Error = errs.For("accept_partner")
		if inv.State == agreement.Signed {
			view.Signed = inv.SignedName + " accepted on " + v.moment(inv.ClosedAt) + "."
		}
		view.Name = ui.Field{ID: "name", Label: "Your name", Value: or(v.form("name"), inv.Name), Complete: "name", MaxLength: 200, Error: errs.For("name"), Hint: "First and last name, as it shall stand on the receipt."}
	}
	v.part(code, ui.Sign(view))
	return nil
}

// signAttestationOf is Microsoft's page, made for this signatory.
func (s *Server) signAttestationOf(v *visit, p provision.SignPage) ui.Attestation {
	a := ui.Attestation{
		URL: "/sign/" + v.r.PathValue("token") + "/attestation", Title: "Microsoft Customer Agreement", Company: p.Invitation.Company,
		FrameLabel: "Microsoft · agreement attestation", Public: true, Second: true,
	}
	switch p.Microsoft.State {
	case "accepted":
		a.State, a.Facts = "accepted", "Thank you. Microsoft has told us."
	case "expired":
		a.State = "expired"
	case "":
	default:
		a.State, a.FrameURL = "open", p.Microsoft.URL
	}
	return a
}

// signAttestation: GET /sign/{token}/attestation is asked while Microsoft's page
// is open.
func (s *Server) signAttestation(v *visit) error {
	p, err := s.signature(v)
	if err != nil {
		return err
	}
	a := s.signAttestationOf(v, p)
	if v.form("state") == a.State {
		v.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if !v.htmx() || a.State == "accepted" && p.Invitation.State == agreement.Signed { // all is done: the whole page says so
		return v.to("/sign/"+v.r.PathValue("token"), "")
	}
	return v.page(ui.AttestationPart(a))
}

// sign: POST /sign/{token} accepts the partner's terms by name.
func (s *Server) sign(v *visit) error {
	token := v.r.PathValue("token")
	var err error
	if shown := agreement.DocumentID(v.form("accept_partner")); shown == "" {
		err = fault.Field("accept_partner", "The terms are not accepted yet.", "Read them, then tick the box.")
	} else {
		var doc agreement.Document
		if doc, err = s.Terms.Document(v.ctx(), shown); err == nil { // what was shown is what is accepted
			_, err = s.Signatures.Sign(v.ctx(), token, v.form("name"), doc.Hash, v.r.RemoteAddr)
		}
	}
	return s.signed(v, err)
}

// declineToSign: POST /sign/{token}/decline.
func (s *Server) declineToSign(v *visit) error {
	_, err := s.Signatures.Decline(v.ctx(), v.r.PathValue("token"), v.form("why"), v.r.RemoteAddr)
	return s.signed(v, err)
}

// signed shows what became of an answer. Sent twice, it shows the first.
func (s *Server) signed(v *visit, cause error) error {
	if cause == nil {
		return v.to("/sign/"+v.r.PathValue("token"), "")
	}
	errs, ok := errorsOf(cause, map[string]string{"name": "Your name"}, map[string]string{"hash": "accept_partner", "document": "accept_partner"})
	if !ok {
		return cause
	}
	p, err := s.signature(v)
	if err != nil {
		return err
	}
	if !p.Invitation.Waiting(v.now) {
		return v.to("/sign/"+v.r.PathValue("token"), "")
	}
	return s.showSignature(v, p, statusOf(cause), errs)
}
