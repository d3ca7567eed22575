package api

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/azure/token"
	"causeway/internal/fault"
)

// PartnerView is how the partner's connection to Microsoft stands, without secrets.
type PartnerView struct {
	Tenant      string     `json:"tenant"`
	AppID       string     `json:"app_id"`
	Consented   bool       `json:"consented"`
	ConsentedBy string     `json:"consented_by,omitempty"`
	ConsentedAt *time.Time `json:"consented_at,omitempty"`
	RenewedAt   *time.Time `json:"renewed_at,omitempty" doc:"Last renewal that succeeded."`
	Alarm       *AlarmView `json:"alarm,omitempty"`
}

// AlarmView says that the partner's own sign-in does not work any more.
type AlarmView struct {
	Code   string    `json:"code"`
	Reason string    `json:"reason"`
	Remedy string    `json:"remedy"`
	Since  time.Time `json:"since"`
}

// Check is one line of doctor.
type Check struct {
	Name   string `json:"name"`
	State  string `json:"state" enum:"ok,warn,fail"`
	Text   string `json:"text" doc:"What was found."`
	Remedy string `json:"remedy,omitempty" doc:"What to do."`
}

type applicationIn struct {
	Body struct {
		Tenant    string `json:"tenant" maxLength:"36"`
		AppID     string `json:"app_id" maxLength:"36"`
		AppSecret string `json:"app_secret" maxLength:"1000"`
		MPNID     string `json:"mpn_id,omitempty" maxLength:"12"`
		GDAPGroup string `json:"gdap_group,omitempty" maxLength:"36"`
		Country   string `json:"country,omitempty" maxLength:"2"`
	}
}

type authorizeIn struct {
	Redirect string `query:"redirect" maxLength:"500" required:"true" doc:"Where the browser is sent afterwards; registered with the application."`
	State    string `query:"state" maxLength:"200" required:"true" doc:"Comes back with the code; make it hard to guess."`
}

// Authorize is where the partner's user signs in with MFA and consents.
type Authorize struct {
	URL string `json:"url"`
}

type consentIn struct {
	Body struct {
		Redirect string `json:"redirect" maxLength:"500"`
		Code     string `json:"code" maxLength:"5000"`
	}
}

func (s *Server) routePartner() {
	handle(s, op{id: "get-partner", is: "GET /partner", tag: "partner", text: "How the partner's connection to Microsoft stands", act: account.ActPartnerView}, func(ctx context.Context, a account.Actor, _ *none) (PartnerView, error) {
		if err := account.May(a, account.ActPartnerView, ""); err != nil {
			return PartnerView{}, err
		}
		p, err := s.Custody.Partner(ctx)
		return viewPartner(p), err
	})
	handle(s, op{id: "set-application", is: "PUT /partner/application", tag: "partner", text: "Name the partner's tenant and application", act: account.ActPartnerConnect,
		more: "The secret is sealed at once. Another application than before ends the consent."}, s.setApplication)
	handle(s, op{id: "get-authorize-url", is: "GET /partner/authorize", tag: "partner", text: "Where the partner's user signs in with MFA", act: account.ActPartnerConnect}, func(ctx context.Context, a account.Actor, in *authorizeIn) (Authorize, error) {
		if err := account.May(a, account.ActPartnerConnect, ""); err != nil {
			return Authorize{}, err
		}
		u, err := s.Custody.AuthorizeURL(ctx, in.Redirect, in.State)
		return Authorize{u}, err
	})
	handle(s, op{id: "give-consent", is: "POST /partner/consent", tag: "partner", text: "End the sign-in with the code that came back", act: account.ActPartnerConnect,
		more: "A sign-in without MFA, or of another tenant, is refused and the consent before it stays."}, s.consent)
	handle(s, op{id: "doctor", is: "GET /doctor", tag: "partner", text: "Check everything outside of the program", act: account.ActPartnerView,
		more: "It changes nothing. A process of role web cannot answer it."}, s.doctor)
}

func (s *Server) setApplication(ctx context.Context, a account.Actor, in *applicationIn) (PartnerView, error) {
	if err := account.May(a, account.ActPartnerConnect, ""); err != nil {
		return PartnerView{}, err
	}
	m, err := s.Settings.Microsoft(ctx)
	if err != nil {
		return PartnerView{}, err
	}
	b := in.Body
	was := m
	m.Tenant, m.AppID = b.Tenant, b.AppID
	for _, p := range []struct {
		to   *string
		from string
	}{{&m.MPNID, b.MPNID}, {&m.GDAPGroup, b.GDAPGroup}, {&m.Country, b.Country}} {
		if p.from != "" {
			*p.to = p.from
		}
	}
	if err := m.Check(); err != nil {
		return PartnerView{}, err
	}
	if err := s.Custody.SetApplication(ctx, token.By{Actor: a.ID(), Address: a.Address}, b.Tenant, b.AppID, b.AppSecret); err != nil {
		return PartnerView{}, err
	}
	if m != was { // a repeated call changes nothing more
		if err := s.Settings.SetMicrosoft(ctx, a, m.Version, m); err != nil {
			return PartnerView{}, err
		}
	}
	p, err := s.Custody.Partner(ctx)
	return viewPartner(p), err
}

func (s *Server) consent(ctx context.Context, a account.Actor, in *consentIn) (PartnerView, error) {
	if err := account.May(a, account.ActPartnerConnect, ""); err != nil {
		return PartnerView{}, err
	}
	p, err := s.Custody.RedeemCode(ctx, token.By{Actor: a.ID(), Address: a.Address}, in.Body.Redirect, in.Body.Code)
	return viewPartner(p), err
}

// Checks is what doctor found.
type Checks struct {
	Checks []Check `json:"checks"`
}

func (s *Server) doctor(ctx context.Context, a account.Actor, _ *none) (Checks, error) {
	if err := account.May(a, account.ActPartnerView, ""); err != nil {
		return Checks{}, err
	}
	if s.Doctor == nil {
		return Checks{}, onlyWorker("check the connection to Microsoft")
	}
	return Checks{each(s.Doctor(ctx), func(c Check) Check { return c })}, nil
}

// onlyWorker refuses what needs the partner's key.
func onlyWorker(what string) error {
	return fault.Refuse(fault.Refusal{
		Code: "role-web", Reason: "This process has not the partner's key and cannot " + what + ".",
		Remedy: "Ask a process of role worker or all.",
	}).In(fault.Forbidden)
}

func viewPartner(p token.Partner) PartnerView {
	v := PartnerView{
		Tenant: p.Tenant, AppID: p.AppID, Consented: p.Consented, ConsentedBy: p.ConsentedBy, ConsentedAt: when(p.ConsentedAt), RenewedAt: when(p.RedeemedAt),
	}
	if p.Alarm != nil {
		v.Alarm = &AlarmView{p.Alarm.Code, p.Alarm.Reason, p.Alarm.Remedy, p.Alarm.Since}
	}
	return v
}
