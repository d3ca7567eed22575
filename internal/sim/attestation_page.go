package sim

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// attestationPage is what the signatory sees: the agreement, who is asked, and one
// decision. It works in a frame and needs no script.
var attestationPage = template.Must(template.New("attestation").Parse(pageHead + `
<main>
<h1>Microsoft Customer Agreement</h1>
{{if eq .State "accepted"}}
<p class="done" role="status">Accepted on {{.Accepted}}.</p>
<p>Thank you. You can close this page; your partner is told that {{.A.Company}} has accepted.</p>
{{else if eq .State "expired"}}
<p class="error" role="status">This request expired on {{.Expires}}.</p>
<p>Ask your partner to send you a new one.</p>
{{else}}
{{if .Error}}<p class="error" role="alert" id="error">{{.Error}}</p>{{end}}
<p>{{.Partner}} asks you to accept the Microsoft Customer Agreement for your company.</p>
<dl>
<dt>Company</dt><dd>{{.A.Company}}</dd>
<dt>Country</dt><dd>{{.A.Country}}</dd>
<dt>Signatory</dt><dd>{{.A.First}} {{.A.Last}}</dd>
<dt>E-mail</dt><dd>{{.A.Email}}</dd>
{{if .A.Phone}}<dt>Phone</dt><dd>{{.A.Phone}}</dd>{{end}}
</dl>
<h2 id="terms">Terms</h2>
<section class="terms" aria-labelledby="terms" tabindex="0">
<p>This is a simulated agreement. It stands for the Microsoft Customer Agreement, which governs the use of Microsoft's products by the customer named above.</p>
<p>By accepting, the customer confirms that its use of Azure and other online services is subject to the agreement, that its partner sets prices and sends invoices, and that Microsoft may process the details shown above to record this acceptance.</p>
<p>The agreement begins on the day of acceptance and stays in force until it is ended by either side. A real agreement is found at the address that the partner's portal names.</p>
</section>
<form method="post" action="/mca/accept">
<input type="hidden" name="attestationid" value="{{.A.ID}}">
<p class="check"><input id="authorised" name="authorised" type="checkbox" value="yes" required{{if .Error}} aria-describedby="error" aria-invalid="true"{{end}}>
<label for="authorised">I am authorised to accept this agreement for {{.A.Company}}</label></p>
<button type="submit">Accept</button>
</form>
{{end}}
</main>
` + pageFoot))

type attestationView struct {
	Title, State, Partner, Accepted, Expires, Error string
	A                                               *Attestation
}

// registerPages adds the pages that people open.
func (s *Server) registerPages() {
	s.on(servicePage, "GET /mca", needsNothing, writes, showAttestation)
	s.on(servicePage, "POST /mca/accept", needsNothing, writes, acceptAttestation)
	s.on(servicePage, "GET /mca/document/{template}", needsNothing, reads, showAgreementDocument)
}

func (c *call) attestationView(a *Attestation, problem string) reply {
	const long = "2 January 2006, 15:04 UTC"
	view := attestationView{Title: "Microsoft Customer Agreement", State: a.status(c.now), Partner: c.s.cfg.Partner.Name,
		Expires: a.Expires.UTC().Format(long), Error: problem, A: a}
	if !a.Accepted.IsZero() { // the person sees the own deed at once, the API may take a moment
		view.State, view.Accepted = "accepted", a.Accepted.UTC().Format(long)
	}
	return html(http.StatusOK, attestationPage, view)
}

func showAttestation(c *call) reply {
	a := c.w.attestations[strings.ToLower(c.query("attestationid"))]
	if a == nil {
		return page(http.StatusNotFound, "Request not found", "There is no request with this address. Check that the link is complete.")
	}
	if a.Viewed.IsZero() {
		a.Viewed = c.now
	}
	return c.attestationView(a, "")
}

func acceptAttestation(c *call) reply {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return page(http.StatusBadRequest, "Request not found", "The form could not be read.")
	}
	a := c.w.attestations[strings.ToLower(form.Get("attestationid"))]
	if a == nil {
		return page(http.StatusNotFound, "Request not found", "There is no request with this address. Check that the link is complete.")
	}
	if form.Get("authorised") == "" {
		return c.attestationView(a, "Confirm that you are authorised to accept for "+a.Company+".")
	}
	c.s.accept(a, c.now)
	return empty(http.StatusSeeOther).with("Location", "/mca/?attestationid="+url.QueryEscape(a.ID))
}

// showAgreementDocument is behind the links of agreement documents.
func showAgreementDocument(c *call) reply {
	if until, readable := readDate(c.query("until")); !readable || c.now.After(until.Add(time.Second)) {
		return page(http.StatusForbidden, "Link expired", "Links to agreement documents live for 5 minutes. Ask for a new one.")
	}
	return page(http.StatusOK, "Microsoft Customer Agreement", "This is a simulated agreement document for "+c.query("country")+" in "+c.query("language")+".")
}
