// Package agreement keeps the terms: the partner's documents in versions per
// country and language, who accepted which of them for which billing account,
// the link for a second signatory, and the signed receipt of it all. It does
// not own Microsoft's agreement, only a reference to it, and does not ask
// Microsoft whether it was accepted (provision does).
package agreement

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"time"

	"causeway/internal/account"
)

// Kind says whose document it is.
type Kind string

// The two documents that are both needed before anything is created.
const (
	PartnerTerms       Kind = "partner"
	MicrosoftAgreement Kind = "microsoft"
)

// Everywhere is the country of a document that is in force where no document
// of the country's own is.
const Everywhere = "*"

// DocumentID names one version of a document in one country and language.
type DocumentID string

// Document is one version of the terms.
type Document struct {
	ID          DocumentID
	Kind        Kind
	Country     string // ISO 3166 alpha-2, or Everywhere
	Language    string // BCP 47, e.g. en-US
	Version     int64
	Title       string
	Text        string // Markdown subset, see HTML; Microsoft's: what we refer to
	Link        string // where the original is; "" = here
	Hash        string // hex SHA-256, see TextHash
	Note        string // what changed since the former version, in a sentence
	ValidFrom   time.Time
	PublishedAt time.Time
	PublishedBy string // audit actor
}

// TextHash is the fingerprint of what a person was shown: SHA-256 over title,
// link and text, each ended by a line feed, in UTF-8 with line feeds only.
func TextHash(title, link, text string) string {
	sum := sha256.Sum256([]byte(title + "\n" + link + "\n" + normal(text) + "\n"))
	return hex.EncodeToString(sum[:])
}

// normal is the text as it is stored and hashed: line feeds only, no blanks at
// the ends of lines.
func normal(s string) string {
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// Terms are the two documents in force for a customer.
type Terms struct {
	Partner   Document
	Microsoft Document
}

// Both gives them in the order in which they are shown.
func (t Terms) Both() []Document { return []Document{t.Partner, t.Microsoft} }

// Way says how an acceptance was given.
type Way string

// The ways of an acceptance.
const (
	ByPortal      Way = "portal"      // the signed-in person, in the wizard
	ByAttestation Way = "attestation" // Microsoft's page; Reference = attestation id
	ByDirect      Way = "direct"      // at Microsoft's own portal
	ByLegacy      Way = "legacy"      // confirmed by the partner for the customer
	BySignatory   Way = "signatory"   // another person, by link; Reference = invitation id
)

// Acceptance is the record that somebody accepted a document for an account.
type Acceptance struct {
	ID       string        `json:"id"`
	Org      account.OrgID `json:"org"`
	Alias    account.Alias `json:"account"`
	Attempt  string        `json:"attempt"` // what it was accepted for: the provider's id
	Document DocumentID    `json:"document"`

	User      account.UserID `json:"user"`  // portal user; "" = a signatory without an account
	Name      string         `json:"name"`  // of the one who accepted
	Email     string         `json:"email"` // likewise
	Login     string         `json:"login"` // connected account administrator; "" in organization mode
	At        time.Time      `json:"at"`
	Address   string         `json:"address"` // network address
	Hash      string         `json:"hash"`    // of the text that was shown; refused if it is not the document's
	Way       Way            `json:"way"`
	Reference string         `json:"reference"`

	// Set when read: the document's.
	Kind     Kind   `json:"kind"`
	Country  string `json:"country"`
	Language string `json:"language"`
	Version  int64  `json:"version"`
	Title    string `json:"title"`
}

// InvitationState is where a second signatory's invitation stands.
type InvitationState string

// The states of an invitation.
const (
	Asked     InvitationState = "asked"
	Opened    InvitationState = "opened"
	Signed    InvitationState = "signed"
	Declined  InvitationState = "declined"
	Withdrawn InvitationState = "withdrawn"
	Expired   InvitationState = "expired"
)

// moves is the whole life of an invitation.
var moves = map[InvitationState][]InvitationState{
	Asked:  {Opened, Signed, Declined, Withdrawn, Expired},
	Opened: {Signed, Declined, Withdrawn, Expired},
}

// InvitationID names an invitation.
type InvitationID string

// Invitation asks another person to sign for the company, by a link.
type Invitation struct {
	ID         InvitationID
	Org        account.OrgID
	Alias      account.Alias
	Attempt    string // the provider's id
	Company    string // for whom to sign
	Name       string // of the signatory
	Email      string
	Country    string // whose terms
	Language   string
	Login      string // account administrator who was connected when the person was asked
	AskedBy    account.UserID
	AskedName  string
	AskedEmail string
	AskedAt    time.Time
	ExpiresAt  time.Time
	RemindAt   time.Time // zero = no further reminder
	Reminders  int
	State      InvitationState
	OpenedAt   time.Time
	ClosedAt   time.Time
	SignedName string // as the signatory wrote it
	Why        string // of a refusal or withdrawal
}

// Waiting tells whether the signatory can still answer.
func (i Invitation) Waiting(at time.Time) bool {
	return (i.State == Asked || i.State == Opened) && at.Before(i.ExpiresAt)
}

var (
	country  = regexp.MustCompile(`^[A-Z]{2}$`)
	language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

// primary is the language without its country: en of en-US.
func primary(language string) string {
	p, _, _ := strings.Cut(language, "-")
	return strings.ToLower(p)
}

// choose picks the document in force from those of one kind that are valid
// already: the country's own before Everywhere's; of these the newest version,
// because an older one does not come back for its translation; of that the
// asked language, then the same language of another country, then English,
// then any. ok is false if there is none.
func choose(docs []Document, country, language string) (best Document, ok bool) {
	rank := func(d Document) (r int) {
		if d.Country == country {
			r = 4
		}
		switch {
		case strings.EqualFold(d.Language, language):
			return r + 3
		case primary(d.Language) == primary(language):
			return r + 2
		case primary(d.Language) == "en":
			return r + 1
		}
		return r
	}
	for _, d := range docs {
		if d.Country != country && d.Country != Everywhere {
			continue
		}
		own, ours := d.Country == country, best.Country == country
		switch {
		case !ok, own && !ours, own == ours && d.Version > best.Version:
			best, ok = d, true
		case own != ours || d.Version < best.Version:
		case rank(d) > rank(best), rank(d) == rank(best) && d.Language < best.Language:
			best = d
		}
	}
	return best, ok
}
