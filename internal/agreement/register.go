package agreement

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"causeway/internal/account"
	"causeway/internal/agreement/sqlc"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/store"
)

// Register keeps documents, acceptances and receipts.
type Register struct {
	db  *store.DB
	now func() time.Time
}

// New makes the register on a database.
func New(db *store.DB, now func() time.Time) *Register { return &Register{db, now} }

// Draft is a new version of a document.
type Draft struct {
	Kind      Kind
	Country   string // ISO 3166 alpha-2, or Everywhere
	Language  string // BCP 47
	Version   int64  // 0 = the next; else the newest version there is, in a further language
	Title     string
	Text      string // Markdown subset, see HTML
	Link      string // "" = none
	Note      string // what changed; needed from version 2 on
	ValidFrom time.Time
}

// Publish adds a version. A published version is never changed or taken back:
// people have accepted it by its hash. From ValidFrom on, it has to be accepted
// again.
func (r *Register) Publish(ctx context.Context, a account.Actor, d Draft) (Document, error) {
	if err := account.May(a, account.ActAgreementPublish, ""); err != nil {
		return Document{}, err
	}
	now := r.now().UTC().Truncate(time.Microsecond)
	if d.ValidFrom.IsZero() {
		d.ValidFrom = now
	}
	all := d.refusals()
	if d.ValidFrom.Before(now) {
		all = append(all, fault.Refusal{Field: "valid_from", Reason: "The version would be in force before it was published.", Remedy: "Choose now or a later time."})
	}
	if all != nil {
		return Document{}, fault.Refuse(all...)
	}
	var doc Document
	err := r.db.Tx(ctx, func(tx *store.Tx) (err error) {
		last, from, err := newest(ctx, tx, d)
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		if d, err = d.follows(last, from); err != nil {
			return err
		}
		doc, err = r.add(ctx, tx, d, now, a.ID(), a.Address)
		return err
	})
	if store.IsUnique(err) {
		return Document{}, fault.New(fault.Conflict, "Somebody else published a version meanwhile. Load the page again.")
	}
	return doc, err
}

func (d Draft) refusals() []fault.Refusal {
	var all []fault.Refusal
	add := func(field, reason, remedy string) {
		all = append(all, fault.Refusal{Field: field, Reason: reason, Remedy: remedy})
	}
	if d.Kind != PartnerTerms && d.Kind != MicrosoftAgreement {
		add("kind", fmt.Sprintf("There is no kind of document %q.", d.Kind), "Choose partner or microsoft.")
	}
	if d.Country != Everywhere && !country.MatchString(d.Country) {
		add("country", fmt.Sprintf("%q is not a country code.", d.Country), "Use the two capital letters of ISO 3166, or * for everywhere else.")
	}
	if !language.MatchString(d.Language) {
		add("language", fmt.Sprintf("%q is not a language.", d.Language), "Write it like en-US.")
	}
	for _, f := range []struct {
		field, what, s string
		most           int
		needed         bool
	}{
		{"title", "The title", d.Title, 200, true}, {"text", "The text", d.Text, 200_000, true}, {"note", "The note", d.Note, 1000, false}, {"link", "The link", d.Link, 500, false},
	} {
		switch {
		case f.needed && strings.TrimSpace(f.s) == "":
			add(f.field, f.what+" is empty.", "Fill it in.")
		case store.CheckText(f.field, f.s) != nil:
			add(f.field, f.what+" holds characters that cannot be stored.", "Type it again instead of pasting it.")
		case utf8.RuneCountInString(f.s) > f.most:
			add(f.field, fmt.Sprintf("%s has more than %d characters.", f.what, f.most), "Shorten it.")
		case f.field != "text" && strings.ContainsAny(f.s, "\r\n"):
			add(f.field, f.what+" holds a line break.", "Write it on one line.")
		}
	}
	if d.Link != "" && safeLink(d.Link) == "" {
		add("link", "The link is not a web address.", "Write it like https://company.example/terms.")
	}
	return all
}

// newest gives the newest version of a document and since when it is in force;
// 0 if there is none.
func newest(ctx context.Context, tx *store.Tx, d Draft) (version int64, from time.Time, err error) {
	rows, err := sqlc.New(tx).DocumentsOf(ctx, sqlc.DocumentsOfParams{Kind: string(d.Kind), Country: d.Country})
	if err != nil || len(rows) == 0 {
		return 0, time.Time{}, err
	}
	return rows[0].Version, store.Time(rows[0].ValidFrom), nil
}

// follows checks a draft against the newest version there is and gives it its number.
func (d Draft) follows(last int64, from time.Time) (Draft, error) {
	switch {
	case d.Version == 0:
		d.Version = last + 1
	case d.Version != last:
		return d, fault.Field("version", fmt.Sprintf("A further language belongs to the newest version, %d.", last), "Leave the version out to publish the next one.")
	default: // a translation is in force with what it translates
		if d.ValidFrom.Before(from) {
			d.ValidFrom = from
		}
		return d, nil
	}
	if d.ValidFrom.Before(from) {
		return d, fault.Field("valid_from", fmt.Sprintf("Version %d is in force only from %s on.", last, from.Format("2 January 2006")), "Choose a later time than that.")
	}
	if last > 0 && strings.TrimSpace(d.Note) == "" {
		return d, fault.Field("note", "The note is empty.", "Say in a sentence what changed since the former version.")
	}
	return d, nil
}

func (r *Register) add(ctx context.Context, tx *store.Tx, d Draft, now time.Time, by, address string) (Document, error) {
	doc := Document{
		ID: DocumentID(store.NewID()), Kind: d.Kind, Country: d.Country, Language: d.Language, Version: d.Version, Title: strings.TrimSpace(d.Title),
		Text: normal(d.Text), Link: d.Link, Note: strings.TrimSpace(d.Note), ValidFrom: d.ValidFrom.UTC().Truncate(time.Microsecond), PublishedAt: now, PublishedBy: by,
	}
	doc.Hash = TextHash(doc.Title, doc.Link, doc.Text)
	err := sqlc.New(tx).AddDocument(ctx, sqlc.AddDocumentParams{
		ID: string(doc.ID), Kind: string(doc.Kind), Country: doc.Country, Language: doc.Language, Version: doc.Version, Title: doc.Title, Body: doc.Text,
		Link: doc.Link, Hash: doc.Hash, Note: doc.Note, ValidFrom: store.Micros(doc.ValidFrom), PublishedAt: store.Micros(now), PublishedBy: by,
	})
	if err != nil {
		return Document{}, fmt.Errorf("publish: %w", err)
	}
	return doc, audit.Write(ctx, tx, audit.Entry{
		At: now, Actor: by, Action: string(account.ActAgreementPublish), Object: "agreement:" + string(doc.ID), Address: address,
		Detail: map[string]any{"kind": doc.Kind, "country": doc.Country, "language": doc.Language, "version": doc.Version, "hash": doc.Hash, "note": doc.Note},
	})
}

// Seed publishes first documents, each with its version and its ValidFrom, if
// there are none at all.
func (r *Register) Seed(ctx context.Context, drafts []Draft) error {
	now := r.now().UTC().Truncate(time.Microsecond)
	err := r.db.Tx(ctx, func(tx *store.Tx) error {
		rows, err := sqlc.New(tx).Documents(ctx)
		if err != nil || len(rows) > 0 {
			return err
		}
		for _, d := range drafts {
			if all := d.refusals(); all != nil {
				return fmt.Errorf("first documents: %w", fault.Refuse(all...))
			}
			if _, err := r.add(ctx, tx, d, now, audit.System, ""); err != nil {
				return fmt.Errorf("first documents, version %d: %w", d.Version, err)
			}
		}
		return nil
	})
	if store.IsUnique(err) {
		return nil // another replica was first
	}
	return err
}

// Document gives one version of a document.
func (r *Register) Document(ctx context.Context, id DocumentID) (Document, error) {
	if store.CheckText("id", string(id)) != nil {
		return Document{}, fault.New(fault.NotFound, "There is no such agreement.")
	}
	row, err := sqlc.New(r.db.Read()).GetDocument(ctx, string(id))
	if err != nil {
		return Document{}, store.Found(err, "There is no such agreement.")
	}
	return document(row), nil
}

// Documents lists every version of every document for staff, by kind, country
// and language, the newest version first.
func (r *Register) Documents(ctx context.Context, a account.Actor) ([]Document, error) {
	if err := account.May(a, account.ActAgreementView, a.Org); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(r.db.Read()).Documents(ctx)
	if err != nil {
		return nil, fmt.Errorf("list agreements: %w", err)
	}
	return documents(rows), nil
}

// AcceptedBy counts for each document the accounts that ever accepted it. Documents
// that nobody accepted are not in it. Who is not staff learns nothing.
func (r *Register) AcceptedBy(ctx context.Context, a account.Actor) (map[DocumentID]int, error) {
	if err := account.May(a, account.ActAgreementView, a.Org); err != nil || !a.Staff() {
		return nil, err
	}
	rows, err := sqlc.New(r.db.Read()).CountAcceptances(ctx)
	if err != nil {
		return nil, fmt.Errorf("count acceptances: %w", err)
	}
	n := make(map[DocumentID]int, len(rows))
	for _, row := range rows {
		n[DocumentID(row.DocumentID)] = int(row.Accounts)
	}
	return n, nil
}

// Former gives the version before a document, in its language if there is one;
// ok is false for the first.
func (r *Register) Former(ctx context.Context, d Document) (former Document, ok bool, err error) {
	rows, err := sqlc.New(r.db.Read()).DocumentsOf(ctx, sqlc.DocumentsOfParams{Kind: string(d.Kind), Country: d.Country})
	if err != nil {
		return Document{}, false, fmt.Errorf("former agreement: %w", err)
	}
	var older []Document
	for _, doc := range documents(rows) {
		if doc.Version < d.Version {
			older = append(older, doc)
		}
	}
	former, ok = choose(older, d.Country, d.Language)
	return former, ok, nil
}

// InForce gives the two documents that a customer in a country has to accept at
// an instant, in the asked language or the nearest there is. Where one is
// missing nobody can onboard: the error says which to publish.
func (r *Register) InForce(ctx context.Context, country, language string, at time.Time) (Terms, error) {
	return r.inForce(ctx, r.db.Read(), country, language, at)
}

func (r *Register) inForce(ctx context.Context, db store.DBTX, country, language string, at time.Time) (Terms, error) {
	var t Terms
	for _, f := range []struct {
		kind Kind
		to   *Document
	}{{PartnerTerms, &t.Partner}, {MicrosoftAgreement, &t.Microsoft}} {
		rows, err := sqlc.New(db).DocumentsFor(ctx, sqlc.DocumentsForParams{Kind: string(f.kind), Country: country, At: store.Micros(at)})
		if err != nil {
			return Terms{}, fmt.Errorf("agreement in force: %w", err)
		}
		d, ok := choose(documents(rows), country, language)
		if !ok {
			return Terms{}, fault.New(fault.Unavailable, "There is no %s agreement in force for %s. Staff publish it under Agreements.", f.kind, country)
		}
		*f.to = d
	}
	return t, nil
}

func document(r sqlc.AgreementDocument) Document {
	return Document{
		ID: DocumentID(r.ID), Kind: Kind(r.Kind), Country: r.Country, Language: r.Language, Version: r.Version, Title: r.Title, Text: r.Body, Link: r.Link,
		Hash: r.Hash, Note: r.Note, ValidFrom: store.Time(r.ValidFrom), PublishedAt: store.Time(r.PublishedAt), PublishedBy: r.PublishedBy,
	}
}

func documents(rows []sqlc.AgreementDocument) []Document {
	list := make([]Document, len(rows))
	for i, r := range rows {
		list[i] = document(r)
	}
	return list
}
