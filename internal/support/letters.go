package support

import (
	"fmt"
	"time"

	"causeway/internal/partner"
)

// Ready is what the welcome mail says.
type Ready struct {
	To, Name         string // who created the provider
	ProviderID       string
	Provider         string // its name, also the subscription's
	Account          string // who pays: "CTSE · Contoso East LLC"
	Domain           string // contosoanalytics.onmicrosoft.com
	TenantID         string
	SubscriptionID   string
	ProviderURL      string // the provider's page in the portal
	AzureURL         string // the Azure portal, in this tenant
	CredentialsUntil time.Time
	Receipt          []byte // the signed file; nil = none
}

// ReadyMail tells the person who created a provider that it works.
func ReadyMail(b partner.Brand, r Ready) Message {
	l := newLetter(b, r.Name)
	l.p("your Azure subscription %s is ready.", quoted(r.Provider))
	l.p("%s", b.MailReadyIntro)
	l.facts(
		[2]string{"Domain", r.Domain}, [2]string{"Tenant", r.TenantID}, [2]string{"Subscription", r.SubscriptionID},
		[2]string{"Billed to", r.Account}, [2]string{"Line on the bill", b.LineLabel},
	)
	if !r.CredentialsUntil.IsZero() {
		l.p("The first sign-in of your Azure administrator is kept for you until %s. Open the provider, choose Show Credentials and store it; after that day it can only be reset.", day(r.CredentialsUntil))
	}
	l.button("Open the provider", r.ProviderURL)
	if r.AzureURL != "" {
		l.p("The Azure portal for this tenant: %s", r.AzureURL)
	}
	if r.Receipt != nil {
		l.p("The signed receipt of what you accepted is attached. Anyone can check it, also without us: causeway receipt verify.")
	}
	m := l.mail("ready:"+r.ProviderID, r.To, r.Name, "Your Azure subscription is ready: "+r.Provider)
	if r.Receipt != nil {
		m.Attachments = []Attachment{{Name: "receipt-" + r.ProviderID + ".json", Type: "application/json", Body: r.Receipt}}
	}
	return m
}

// Invited is what a second signatory is told.
type Invited struct {
	InvitationID string
	To, Name     string
	AskedBy      string // who asks
	Company      string // for whom to sign
	Account      string // "CTSE"
	Terms        []string
	URL          string // with the token; it opens the terms and nothing else
	Until        time.Time
	Reminder     int // 0 = the invitation itself, 1 = first reminder …
}

// SignatoryMail asks the person who signs for the company, or reminds.
func SignatoryMail(b partner.Brand, v Invited) Message {
	l := newLetter(b, v.Name)
	if v.Reminder > 0 {
		l.p("this is a reminder. %s is still waiting for your signature.", v.Company)
	}
	l.p("%s asks you to accept these terms for %s, so that it gets an Azure account:", v.AskedBy, v.Company)
	for _, t := range v.Terms {
		l.p("– %s", t)
	}
	l.p("%s", b.MailSignatoryIntro)
	l.button("Read and sign", v.URL)
	l.p("The link is for you alone and works until %s. It shows the terms and nothing else; you need no account. Accepting costs nothing and starts nothing.", day(v.Until))
	l.p("If you do not sign for %s, choose Decline on that page: %s is told so.", v.Company, v.AskedBy)
	subject := "Please sign for " + v.Company + ": terms for Azure"
	if v.Reminder > 0 {
		subject = "Reminder: " + subject
	}
	m := l.mail(fmt.Sprintf("signatory:%s:%d", v.InvitationID, v.Reminder), v.To, v.Name, subject)
	m.Secret = true
	return m
}

// Signed is what the one who asked is told about the signatory.
type Signed struct {
	InvitationID string
	To, Name     string // who asked
	Signatory    string
	Company      string
	Outcome      string // signed, declined, expired
	Why          string
	URL          string // the draft
}

// SignedMail tells the person who waits for a signatory how it ended.
func SignedMail(b partner.Brand, s Signed) Message {
	l := newLetter(b, s.Name)
	var subject string
	switch s.Outcome {
	case "signed":
		subject = "Signed: terms for " + s.Company
		l.p("%s has accepted the terms for %s. You can go on.", s.Signatory, s.Company)
	case "declined":
		subject = "Declined: terms for " + s.Company
		l.p("%s does not accept the terms for %s. Nothing was created. Ask another person, or sign yourself.", s.Signatory, s.Company)
	default:
		subject = "Not signed in time: terms for " + s.Company
		l.p("%s did not answer in time for %s, and the link has ended. Nothing was created. You can invite again.", s.Signatory, s.Company)
	}
	if s.Why != "" {
		l.facts([2]string{"Reason given", s.Why})
	}
	l.button("Open the draft", s.URL)
	return l.mail("signed:"+s.InvitationID+":"+s.Outcome, s.To, s.Name, subject)
}

// Stuck is what both sides are told when a step cannot go on.
type Stuck struct {
	Key        string // names this stop: onboarding, step and try, so that each stop is told once
	To, Name   string // of the customer's mail
	Provider   string
	Company    string
	Step       string // in people's words: "Create the Azure customer account"
	Reason     string // may be shown to the customer
	Remedy     string
	AnswerBy   time.Time // zero = no promise
	URL        string
	StaffURL   string
	VendorCode string // Microsoft's error code, for staff
}

// StuckMail tells the customer that the partner's staff is looking.
func StuckMail(b partner.Brand, s Stuck) Message {
	l := newLetter(b, s.Name)
	l.p("setting up %s has stopped and needs a person. Nothing is lost, and nothing is charged twice.", quoted(s.Provider))
	l.facts([2]string{"Step", s.Step}, [2]string{"What happened", s.Reason}, [2]string{"What helps", s.Remedy})
	l.p("%s", b.MailStuckIntro)
	if s.AnswerBy.IsZero() {
		l.p("%s has been told.", b.PartnerTitle())
	} else {
		l.p("%s has been told and answers by %s.", b.PartnerTitle(), hour(s.AnswerBy))
	}
	l.button("See the progress", s.URL)
	return l.mail("stuck:customer:"+s.Key, s.To, s.Name, "Setting up "+s.Provider+" has stopped")
}

// StuckStaffMail tells the partner's staff that somebody must act.
func StuckStaffMail(b partner.Brand, s Stuck) Message {
	l := newLetter(b, "")
	l.p("an onboarding is stuck and waits for you.")
	l.facts(
		[2]string{"Customer", s.Company}, [2]string{"Provider", s.Provider}, [2]string{"Step", s.Step}, [2]string{"Reason", s.Reason},
		[2]string{"Microsoft's code", s.VendorCode}, [2]string{"Remedy", s.Remedy},
	)
	if !s.AnswerBy.IsZero() {
		l.p("The customer was promised an answer by %s.", hour(s.AnswerBy))
	}
	l.button("Open the onboarding", s.StaffURL)
	return l.mail("stuck:staff:"+s.Key, b.ContactEmail, "", "Stuck: "+s.Company+", "+s.Step)
}

// Waiting is an onboarding that waits for a person, or for Microsoft's review.
type Waiting struct {
	Key      string // names this reminder, so that it is sent once
	Company  string
	Provider string
	Step     string
	Why      string
	Since    time.Time
	StaffURL string
}

// WaitingMail reminds the partner's staff of what waits.
func WaitingMail(b partner.Brand, w Waiting) Message {
	l := newLetter(b, "")
	l.p("an onboarding still waits. Nothing is wrong with it, but somebody may have to be asked.")
	l.facts([2]string{"Customer", w.Company}, [2]string{"Provider", w.Provider}, [2]string{"Step", w.Step}, [2]string{"Waits for", w.Why}, [2]string{"Since", hour(w.Since)})
	l.button("Open the onboarding", w.StaffURL)
	return l.mail("waiting:"+w.Key, b.ContactEmail, "", "Still waiting: "+w.Company+", "+w.Provider)
}

// Spent is what a budget has to tell: how much of it is used, or may be.
type Spent struct {
	Key          string // names the alert and the recipient, so that each is told once
	To           string
	Account      string // "CTSE · Contoso East LLC"
	Subscription string // "" = the whole account
	Month        string // November 2026
	Percent      int    // the threshold that is reached, the gravest if there are several
	Forecast     bool   // it may be reached; else it is
	Also         string // further thresholds that are reached: "80 % used, 100 % by the forecast"
	Amount       string // of the budget: "5,000.00 USD"
	Used         string // "4,012.33 USD, 80.2 %, usage to 21 November 2026 (UTC)"
	End          string // "5,471.35 USD, 109.4 %"; "" = no forecast
	Range        string // "5,310.20 to 5,600.00 USD"; "" = none yet
	Next         string // the next threshold: "100 % of it is used"; "" = none
	Asked        string // the request that was made: R-1042; "" = none
	Asks         bool   // the partner will be asked when all of it is used
	UsageURL     string
	BudgetURL    string
}

// SpentMail tells that a threshold of a budget is reached.
func SpentMail(b partner.Brand, s Spent) Message {
	l := newLetter(b, "")
	of := "the budget of " + s.Account
	if s.Subscription != "" {
		of = "the budget of " + quoted(s.Subscription) + " at " + s.Account
	}
	subject := fmt.Sprintf("%d %% of the budget is used: %s, %s", s.Percent, s.Account, s.Month)
	if s.Forecast {
		subject = fmt.Sprintf("The month may reach %d %% of the budget: %s, %s", s.Percent, s.Account, s.Month)
		l.p("by the forecast, %s ends at or above %d %% of %s.", s.Month, s.Percent, of)
	} else {
		l.p("%d %% of %s is used in %s.", s.Percent, of, s.Month)
	}
	if s.Also != "" {
		l.p("Reached as well: %s.", s.Also)
	}
	l.facts(
		[2]string{"Budget", s.Amount + " a month, before tax"}, [2]string{"Used so far", s.Used}, [2]string{"Forecast of the month", s.End},
		[2]string{"Range of the forecast", s.Range}, [2]string{"Request", s.Asked},
	)
	switch {
	case s.Asked != "":
		l.p("All of it is used. As you chose, %s has been asked what to do: request %s.", b.PartnerTitle(), s.Asked)
	case s.Asks:
		l.p("When all of it is used, %s is asked what to do, as you chose.", b.PartnerTitle())
	}
	l.p("Nothing is stopped: what runs in Azure goes on, and is charged.")
	if s.Next != "" {
		l.p("The next mail about this budget comes when %s.", s.Next)
	} else {
		l.p("This was its last threshold of what was used in %s.", s.Month)
	}
	l.p("Months are calendar months in UTC, by the day of the usage. Until Microsoft's invoice is there the figures are estimates, and may differ from it.")
	l.button("See the usage", s.UsageURL)
	l.p("To change the budget, or who is told: %s", s.BudgetURL)
	return l.mail("budget:"+s.Key, s.To, "", subject)
}

// Asked is a new request, for staff.
type Asked struct {
	Request Request
	URL     string
}

// AskedMail tells the partner's staff that somebody asks for something.
func AskedMail(b partner.Brand, a Asked) Message {
	r := a.Request
	l := newLetter(b, "")
	l.p("%s asks: %s.", who(r.AskedName, r.AskedEmail), r.Subject)
	l.facts([2]string{"Request", r.Label()}, [2]string{b.AccountTitle(), string(r.Alias)}, [2]string{"Why", text(r)}, [2]string{"Promised answer", hour(r.AnswerBy)})
	l.button("Open the queue", a.URL)
	return l.mail("asked:"+string(r.ID), b.ContactEmail, "", r.Label()+": "+r.Subject)
}

// Decided is the outcome of a request, for the one who asked.
type Decided struct {
	Request Request
	URL     string
}

// DecidedMail tells the one who asked what was decided.
func DecidedMail(b partner.Brand, d Decided) Message {
	r := d.Request
	l := newLetter(b, r.AskedName)
	subject := r.Label() + " " + outcome(r)
	switch {
	case r.Kind == Exception && r.State == Granted:
		l.p("your exception %s for %s is granted.", r.Label(), r.Alias)
		if !r.Until.IsZero() {
			l.p("It ends on %s. Create the provider before that day.", day(r.Until))
		}
	case r.Kind == Exception && r.State == Refused:
		l.p("your exception %s for %s is refused.", r.Label(), r.Alias)
	default:
		l.p("your request %s (%s) is %s.", r.Label(), r.Subject, outcome(r))
	}
	l.facts([2]string{"Reason", r.Reason})
	l.button("See your requests", d.URL)
	return l.mail(fmt.Sprintf("decided:%s:%d", r.ID, r.Version), r.AskedEmail, r.AskedName, subject)
}

func outcome(r Request) string {
	switch {
	case r.State == Granted && r.Kind == Exception:
		return "granted"
	case r.State == Granted:
		return "done"
	case r.State == Withdrawn:
		return "taken back"
	}
	return string(r.State)
}

func who(name, email string) string {
	if name == "" || email == "" {
		return name + email
	}
	return name + " (" + email + ")"
}

func quoted(s string) string { return "“" + s + "”" }

// day and hour keep the zone of the time: it is the partner's business zone
// for promises, UTC else.
func day(t time.Time) string  { return t.Format("2 January 2006") }
func hour(t time.Time) string { return t.Format("2 January 2006, 15:04 MST") }
