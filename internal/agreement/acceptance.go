package agreement

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/agreement/sqlc"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// Accept records an acceptance in the caller's transaction; the caller has
// asked account.May with ActTermsAccept when the person accepted. The hash must
// be the one of the document: what was shown is what was accepted. Repeating it
// (same account, attempt, document and person) changes nothing, and the first
// record stands.
func (r *Register) Accept(ctx context.Context, tx *store.Tx, a Acceptance) error {
	row, err := sqlc.New(tx).GetDocument(ctx, string(a.Document))
	if err != nil {
		return store.Found(err, "There is no such agreement.")
	}
	doc := document(row)
	if a.At.IsZero() {
		a.At = r.now()
	}
	if err := a.check(doc); err != nil {
		return err
	}
	n, err := sqlc.New(tx).AddAcceptance(ctx, sqlc.AddAcceptanceParams{
		ID: store.NewID(), Org: string(a.Org), Alias: string(a.Alias), Attempt: a.Attempt, DocumentID: string(a.Document), UserID: string(a.User),
		Name: a.Name, Email: a.Email, Login: a.Login, At: store.Micros(a.At), Address: a.Address, Hash: a.Hash, Way: string(a.Way), Reference: a.Reference,
	})
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	if n == 0 {
		return nil
	}
	by := "user:" + string(a.User)
	if a.User == "" {
		by = "signatory:" + a.Email
	}
	return audit.Write(ctx, tx, audit.Entry{
		Org: string(a.Org), At: a.At, Actor: by, Action: string(account.ActTermsAccept), Object: "account:" + string(a.Alias), Address: a.Address,
		Detail: map[string]any{
			"attempt": a.Attempt, "document": a.Document, "kind": doc.Kind, "version": doc.Version, "country": doc.Country, "hash": a.Hash,
			"way": a.Way, "reference": a.Reference, "login": a.Login,
		},
	})
}

func (a Acceptance) check(doc Document) error {
	var all []fault.Refusal
	add := func(field, reason, remedy string) {
		all = append(all, fault.Refusal{Field: field, Reason: reason, Remedy: remedy})
	}
	if a.Hash != doc.Hash {
		add("hash", "The text that was accepted is not the text of this version.", "Show the terms again and accept them as they are.")
	}
	if a.At.Before(doc.ValidFrom) {
		add("document", fmt.Sprintf("Version %d is not in force before %s.", doc.Version, doc.ValidFrom.Format("2 January 2006")), "Accept the version in force.")
	}
	if a.Alias == "" || a.Org == "" || a.Attempt == "" {
		add("account", "It is not said for which account the terms are accepted.", "Choose the account first.")
	}
	if a.User == "" && (a.Email == "" || strings.TrimSpace(a.Name) == "") {
		add("name", "It is not said who accepts.", "Give the person's name and e-mail address.")
	}
	if !slices.Contains([]Way{ByPortal, ByAttestation, ByDirect, ByLegacy, BySignatory}, a.Way) {
		add("way", fmt.Sprintf("There is no way %q to accept.", a.Way), "Choose portal, attestation, direct, legacy or signatory.")
	}
	if (a.Way == ByAttestation || a.Way == BySignatory) && a.Reference == "" {
		add("reference", "The attestation or invitation is not named.", "Give its id.")
	}
	for _, f := range []string{string(a.Alias), string(a.Org), a.Attempt, string(a.User), a.Name, a.Email, a.Login, a.Address, a.Reference} {
		if len(f) > 1000 || store.CheckText("", f) != nil {
			add("name", "A text is too long or holds characters that cannot be stored.", "Type it again instead of pasting it.")
			break
		}
	}
	if all == nil {
		return nil
	}
	return fault.Refuse(all...)
}

// Accepted gives all that was ever accepted for an account, the newest first.
func (r *Register) Accepted(ctx context.Context, alias account.Alias) ([]Acceptance, error) {
	rows, err := sqlc.New(r.db.Read()).AcceptancesOf(ctx, string(alias))
	if err != nil {
		return nil, fmt.Errorf("acceptances of %s: %w", alias, err)
	}
	list := make([]Acceptance, len(rows))
	for i, row := range rows {
		list[i] = acceptance(row.AgreementAcceptance, row.AgreementDocument)
	}
	return list, nil
}

// AcceptedFor gives what was accepted for one attempt, the newest first.
func (r *Register) AcceptedFor(ctx context.Context, attempt string) ([]Acceptance, error) {
	rows, err := sqlc.New(r.db.Read()).AcceptancesFor(ctx, attempt)
	if err != nil {
		return nil, fmt.Errorf("acceptances for %s: %w", attempt, err)
	}
	list := make([]Acceptance, len(rows))
	for i, row := range rows {
		list[i] = acceptance(row.AgreementAcceptance, row.AgreementDocument)
	}
	return list, nil
}

// NeedsAcceptance gives the documents in force that were never accepted for an
// account in their present version: both for a new account, the changed one
// after a new version. A translation of an accepted version needs nothing.
func (r *Register) NeedsAcceptance(ctx context.Context, alias account.Alias, country, language string, at time.Time) ([]Document, error) {
	terms, err := r.InForce(ctx, country, language, at)
	if err != nil {
		return nil, err
	}
	done, err := r.Accepted(ctx, alias)
	if err != nil {
		return nil, err
	}
	var open []Document
	for _, d := range terms.Both() {
		if !slices.ContainsFunc(done, func(a Acceptance) bool {
			return a.Kind == d.Kind && a.Country == d.Country && a.Version == d.Version
		}) {
			open = append(open, d)
		}
	}
	return open, nil
}

func acceptance(a sqlc.AgreementAcceptance, d sqlc.AgreementDocument) Acceptance {
	return Acceptance{
		ID: a.ID, Org: account.OrgID(a.Org), Alias: account.Alias(a.Alias), Attempt: a.Attempt, Document: DocumentID(a.DocumentID),
		User: account.UserID(a.UserID), Name: a.Name, Email: a.Email, Login: a.Login, At: store.Time(a.At), Address: a.Address, Hash: a.Hash,
		Way: Way(a.Way), Reference: a.Reference, Kind: Kind(d.Kind), Country: d.Country, Language: d.Language, Version: d.Version, Title: d.Title,
	}
}
