package api

import (
	"context"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement"
	"causeway/internal/guardrail"
)

// Document is one version of the terms.
type Document struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind" enum:"partner,microsoft"`
	Country     string    `json:"country" doc:"ISO 3166 alpha-2, or * for everywhere else."`
	Language    string    `json:"language"`
	Version     int64     `json:"version"`
	Title       string    `json:"title"`
	Text        string    `json:"text" doc:"Markdown."`
	Link        string    `json:"link,omitempty"`
	Hash        string    `json:"hash" doc:"SHA-256 over title, link and text, each ended by a line feed; send it back when accepting."`
	Note        string    `json:"note,omitempty" doc:"What changed."`
	ValidFrom   time.Time `json:"valid_from"`
	PublishedAt time.Time `json:"published_at"`
	Accounts    int       `json:"accounts,omitempty" doc:"How many accounts accepted it: in the list, for staff."`
}

// AcceptanceView is the record that somebody accepted a document.
type AcceptanceView struct {
	ID        string    `json:"id"`
	Account   string    `json:"account"`
	Provider  string    `json:"provider"`
	Document  string    `json:"document"`
	Title     string    `json:"title"`
	Version   int64     `json:"version"`
	Kind      string    `json:"kind"`
	Hash      string    `json:"hash"`
	User      string    `json:"user,omitempty"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Login     string    `json:"login,omitempty"`
	At        time.Time `json:"at"`
	Address   string    `json:"address,omitempty"`
	Way       string    `json:"way"`
	Reference string    `json:"reference,omitempty"`
}

type publishIn struct {
	Body struct {
		Kind      string    `json:"kind" enum:"partner,microsoft"`
		Country   string    `json:"country" maxLength:"2" doc:"ISO 3166 alpha-2, or *."`
		Language  string    `json:"language" maxLength:"35"`
		Version   int64     `json:"version,omitempty" minimum:"0" doc:"Left out: the next one. The newest: a further language of it."`
		Title     string    `json:"title" maxLength:"500"`
		Text      string    `json:"text" maxLength:"500000"`
		Link      string    `json:"link,omitempty" maxLength:"2000"`
		Note      string    `json:"note,omitempty" maxLength:"2000"`
		ValidFrom time.Time `json:"valid_from"`
	}
}

// Catalogue is the list of Azure services offered, as data.
type Catalogue struct {
	Version      int64              `json:"version" doc:"As it was read; 409 if somebody saved meanwhile. 0: the built-in one."`
	ChangedAt    *time.Time         `json:"changed_at,omitempty" readOnly:"true"`
	Note         string             `json:"note,omitempty" maxLength:"2000" doc:"Why this version was made."`
	Unrestricted bool               `json:"unrestricted" doc:"Everything that Microsoft offers."`
	Regions      []guardrail.Region `json:"regions" maxItems:"200"`
	Groups       []guardrail.Group  `json:"groups" maxItems:"50"`
}

type catalogueIn struct{ Body Catalogue }

func (s *Server) routeAgreements() {
	handle(s, op{id: "list-documents", is: "GET /agreements", tag: "agreements", text: "List every version of every document", act: account.ActAgreementView}, func(ctx context.Context, a account.Actor, _ *none) (Page[Document], error) {
		list, err := s.Terms.Documents(ctx, a)
		if err != nil {
			return Page[Document]{}, err
		}
		accepted, err := s.Terms.AcceptedBy(ctx, a)
		return Page[Document]{Items: each(list, func(d agreement.Document) Document {
			out := viewDocument(d)
			out.Accounts = accepted[d.ID]
			return out
		})}, err
	})
	handle(s, op{id: "publish-document", is: "POST /agreements", tag: "agreements", text: "Publish a version", act: account.ActAgreementPublish, created: true,
		more: "A published version is never changed or taken back. From valid_from on it has to be accepted again."}, s.publish)
	handle(s, op{id: "get-document", is: "GET /agreements/{id}", tag: "agreements", text: "One version of a document", act: account.ActAgreementView}, s.document1)
	handle(s, op{id: "list-acceptances", is: "GET /accounts/{alias}/acceptances", tag: "agreements", text: "What was accepted for an account, the newest first", act: account.ActAgreementView}, s.acceptances)
	handle(s, op{id: "list-receipts", is: "GET /accounts/{alias}/receipts", tag: "agreements", text: "The signed receipts of an account", act: account.ActReceiptView}, s.receipts)
	raw(s, op{id: "get-kept-receipt", is: "GET /receipts/{id}", tag: "agreements", text: "One signed receipt, as a file", act: account.ActReceiptView}, func(ctx context.Context, a account.Actor, in *ByID) ([]byte, error) {
		k, err := s.Terms.Receipt(ctx, a, in.ID)
		return k.Body, err
	})
	handle(s, op{id: "get-guardrail", is: "GET /guardrail", tag: "settings", text: "The Azure services offered", act: account.ActGuardrailView}, s.getGuardrail)
	handle(s, op{id: "set-guardrail", is: "PUT /guardrail", tag: "settings", text: "Save a new version of them", act: account.ActGuardrailChange,
		more: "New subscriptions get it at once, others when they are guarded again."}, s.setGuardrail)
}

func (s *Server) publish(ctx context.Context, a account.Actor, in *publishIn) (Document, error) {
	b := in.Body
	d, err := s.Terms.Publish(ctx, a, agreement.Draft{
		Kind: agreement.Kind(b.Kind), Country: b.Country, Language: b.Language, Version: b.Version, Title: b.Title, Text: b.Text, Link: b.Link, Note: b.Note, ValidFrom: b.ValidFrom,
	})
	return viewDocument(d), err
}

func (s *Server) document1(ctx context.Context, a account.Actor, in *ByID) (Document, error) {
	if err := account.May(a, account.ActAgreementView, a.Org); err != nil {
		return Document{}, err
	}
	d, err := s.Terms.Document(ctx, agreement.DocumentID(in.ID))
	if err != nil {
		return Document{}, err
	}
	return viewDocument(d), nil
}

func (s *Server) acceptances(ctx context.Context, a account.Actor, in *ByAlias) (Page[AcceptanceView], error) {
	if _, err := s.account(ctx, a, in.Alias, account.ActAgreementView); err != nil {
		return Page[AcceptanceView]{}, err
	}
	list, err := s.Terms.Accepted(ctx, account.Alias(in.Alias))
	return Page[AcceptanceView]{Items: each(list, func(x agreement.Acceptance) AcceptanceView {
		return AcceptanceView{
			x.ID, string(x.Alias), x.Attempt, string(x.Document), x.Title, x.Version, string(x.Kind), x.Hash, string(x.User), x.Name, x.Email, x.Login, x.At,
			x.Address, string(x.Way), x.Reference,
		}
	})}, err
}

func (s *Server) receipts(ctx context.Context, a account.Actor, in *ByAlias) (Page[ReceiptView], error) {
	if _, err := s.account(ctx, a, in.Alias, account.ActReceiptView); err != nil {
		return Page[ReceiptView]{}, err
	}
	list, err := s.Terms.ReceiptsOf(ctx, a, account.Alias(in.Alias))
	return Page[ReceiptView]{Items: each(list, viewReceipt)}, err
}

func (s *Server) getGuardrail(ctx context.Context, a account.Actor, _ *none) (Catalogue, error) {
	if err := account.May(a, account.ActGuardrailView, a.Org); err != nil {
		return Catalogue{}, err
	}
	c, err := s.Guard.Catalogue(ctx)
	return viewCatalogue(c), err
}

func (s *Server) setGuardrail(ctx context.Context, a account.Actor, in *catalogueIn) (Catalogue, error) {
	b := in.Body
	c, err := s.Guard.Set(ctx, a, b.Version, guardrail.Catalogue{Unrestricted: b.Unrestricted, Regions: b.Regions, Groups: b.Groups}, b.Note)
	return viewCatalogue(c), err
}

func viewCatalogue(c guardrail.Catalogue) Catalogue {
	c = full(c)
	return Catalogue{
		Version: c.Version, ChangedAt: when(c.ChangedAt), Note: c.Note, Unrestricted: c.Unrestricted,
		Regions: c.Regions, Groups: c.Groups,
	}
}

func viewDocument(d agreement.Document) Document {
	return Document{
		ID: string(d.ID), Kind: string(d.Kind), Country: d.Country, Language: d.Language, Version: d.Version, Title: d.Title, Text: d.Text,
		Link: d.Link, Hash: d.Hash, Note: d.Note, ValidFrom: d.ValidFrom, PublishedAt: d.PublishedAt,
	}
}
