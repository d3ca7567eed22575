package agreement

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Format names the form of the file. A later form gets another name.
const Format = "causeway-receipt/1"

// maxReceipt bounds what Verify reads; a receipt has about 5 KB.
const maxReceipt = 1 << 20

// The stages of a receipt.
const (
	StageTerms = "terms" // what was accepted
	StageReady = "ready" // and what came of it
)

// Receipt says who accepted what, for which account, and what came of it. All
// instants are UTC.
type Receipt struct {
	Format        string           `json:"format"`
	ID            string           `json:"id"`
	Stage         string           `json:"stage"`
	MadeAt        time.Time        `json:"made_at"`
	Partner       string           `json:"partner"`
	Product       string           `json:"product"`
	Organization  ReceiptParty     `json:"organization"`
	Account       ReceiptAccount   `json:"account"`
	Provider      ReceiptParty     `json:"provider"`
	Administrator string           `json:"administrator"` // connected account administrator; "" in organization mode
	Eligibility   []ReceiptAnswer  `json:"eligibility"`
	Documents     []ReceiptText    `json:"documents"`
	Acceptances   []ReceiptConsent `json:"acceptances"`
	Result        *ReceiptResult   `json:"result,omitempty"` // stage ready only
}

// ReceiptParty is something with an id and a name.
type ReceiptParty struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// ReceiptAccount is the account that pays.
type ReceiptAccount struct {
	Alias     string `json:"alias"`
	Name      string `json:"name"`
	LegalName string `json:"legal_name"`
	Country   string `json:"country"`
}

// ReceiptAnswer is the answer of one rule of eligibility.
type ReceiptAnswer struct {
	Rule      string `json:"rule"`
	Passed    bool   `json:"passed"`
	Text      string `json:"text"`
	Exception string `json:"exception"` // the request that lifted it, e.g. R-1042; "" = none
}

// ReceiptText names a document: its hash is TextHash of title, link and text.
type ReceiptText struct {
	ID        string    `json:"id"`
	Kind      Kind      `json:"kind"`
	Title     string    `json:"title"`
	Country   string    `json:"country"`
	Language  string    `json:"language"`
	Version   int64     `json:"version"`
	Hash      string    `json:"hash"`
	ValidFrom time.Time `json:"valid_from"`
	FullText  string    `json:"full_text"` // where it can be read
}

// ReceiptConsent is one acceptance.
type ReceiptConsent struct {
	Document  string    `json:"document"` // its id
	Kind      Kind      `json:"kind"`
	Version   int64     `json:"version"`
	Hash      string    `json:"hash"`
	User      string    `json:"user"` // portal user id; "" = a signatory without an account
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Login     string    `json:"login"`
	At        time.Time `json:"at"`
	Address   string    `json:"address"`
	Way       Way       `json:"way"`
	Reference string    `json:"reference"`
}

// ReceiptResult is what came of the acceptance at Microsoft.
type ReceiptResult struct {
	TenantID         string           `json:"tenant_id"`
	Domain           string           `json:"domain"`
	PlanID           string           `json:"plan_id"`
	SubscriptionID   string           `json:"subscription_id"`
	SubscriptionName string           `json:"subscription_name"`
	ReadyAt          time.Time        `json:"ready_at"`
	Requests         []ReceiptRequest `json:"requests"`
	Grants           []ReceiptGrant   `json:"grants"`
	Guardrail        string           `json:"guardrail"` // hash of the compiled policy; "" = unrestricted
}

// ReceiptRequest is a request to Microsoft that made something.
type ReceiptRequest struct {
	Step          string    `json:"step"`
	RequestID     string    `json:"request_id"`
	CorrelationID string    `json:"correlation_id"`
	At            time.Time `json:"at"`
}

// ReceiptGrant is an access that somebody got.
type ReceiptGrant struct {
	Principal string `json:"principal"`
	Role      string `json:"role"`
	Scope     string `json:"scope"`
	Intent    string `json:"intent"`
}

// NewReceipt fills a receipt with documents and acceptances. textURL gives
// where a document can be read.
func NewReceipt(docs []Document, acceptances []Acceptance, textURL func(Document) string) Receipt {
	r := Receipt{Eligibility: []ReceiptAnswer{}, Documents: []ReceiptText{}, Acceptances: []ReceiptConsent{}}
	for _, d := range docs {
		r.Documents = append(r.Documents, ReceiptText{
			ID: string(d.ID), Kind: d.Kind, Title: d.Title, Country: d.Country, Language: d.Language, Version: d.Version, Hash: d.Hash,
			ValidFrom: d.ValidFrom, FullText: textURL(d),
		})
	}
	for _, a := range acceptances {
		r.Acceptances = append(r.Acceptances, ReceiptConsent{
			Document: string(a.Document), Kind: a.Kind, Version: a.Version, Hash: a.Hash, User: string(a.User), Name: a.Name, Email: a.Email,
			Login: a.Login, At: a.At, Address: a.Address, Way: a.Way, Reference: a.Reference,
		})
	}
	return r
}

// file is a receipt as it is kept: RFC 8785 canonical JSON and a line feed.
// Signed are the bytes of the member receipt.
type file struct {
	Receipt   Receipt   `json:"receipt"`
	Signature signature `json:"signature"`
}

type signature struct {
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`        // fingerprint
	PublicKey string `json:"public_key"` // base64 of its DER form
	Value     string `json:"value"`      // base64
}

// Sign gives the receipt as a signed file.
func (s *Signer) Sign(r Receipt) ([]byte, error) {
	r.Format = Format
	r = r.plain()
	content, err := canonical(r)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	b, err := canonical(file{r, signature{
		Algorithm: "Ed25519", Key: s.Fingerprint(), PublicKey: base64.StdEncoding.EncodeToString(der(s.public())),
		Value: base64.StdEncoding.EncodeToString(ed25519.Sign(s.key, content)),
	}})
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return append(b, '\n'), nil
}

// plain writes all instants alike, and empty lists as [] and not null.
func (r Receipt) plain() Receipt {
	utc := func(t *time.Time) { *t = t.UTC().Truncate(time.Microsecond) }
	r.Eligibility = append([]ReceiptAnswer{}, r.Eligibility...)
	r.Documents = append([]ReceiptText{}, r.Documents...)
	r.Acceptances = append([]ReceiptConsent{}, r.Acceptances...)
	utc(&r.MadeAt)
	for i := range r.Documents {
		utc(&r.Documents[i].ValidFrom)
	}
	for i := range r.Acceptances {
		utc(&r.Acceptances[i].At)
	}
	if r.Result != nil {
		result := *r.Result
		result.Requests = append([]ReceiptRequest{}, result.Requests...)
		result.Grants = slices.Concat([]ReceiptGrant{}, result.Grants)
		utc(&result.ReadyAt)
		for i := range result.Requests {
			utc(&result.Requests[i].At)
		}
		r.Result = &result
	}
	return r
}

// Verify checks a receipt without any network: trusted is the partner's public
// key in PEM (one or more), or its fingerprint. Every changed byte fails, and
// the error says how; it is shown to the person who checks.
func Verify(body, trusted []byte) (Receipt, error) {
	if len(body) > maxReceipt {
		return Receipt{}, fmt.Errorf("the file has %d bytes; a receipt has far fewer", len(body))
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Receipt{}, fmt.Errorf("the file is damaged or not a receipt: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Receipt{}, errors.New("the file was changed: something follows the receipt")
	}
	if f.Receipt.Format != Format {
		return Receipt{}, fmt.Errorf("the file has the form %q; this program reads %q", f.Receipt.Format, Format)
	}
	if f.Signature.Algorithm != "Ed25519" {
		return Receipt{}, fmt.Errorf("the file is signed by %q; this program checks Ed25519", f.Signature.Algorithm)
	}
	carried, err := decode(f.Signature.PublicKey)
	if err != nil {
		return Receipt{}, errors.New("the signature was changed: its public key is not readable")
	}
	key, err := parsePublic(carried)
	if err != nil {
		return Receipt{}, errors.New("the signature was changed: its public key is not readable")
	}
	if key, err = keyFor(trusted, f.Signature.Key, key); err != nil {
		return Receipt{}, err
	}
	if !bytes.Equal(der(key), carried) {
		return Receipt{}, errors.New("the signature was changed: the public key inside is not the one that it names")
	}
	value, err := decode(f.Signature.Value)
	if err != nil {
		return Receipt{}, errors.New("the signature was changed: it is not readable")
	}
	content, err := canonical(f.Receipt)
	if err != nil {
		return Receipt{}, fmt.Errorf("the receipt was changed: %w", err)
	}
	if !ed25519.Verify(key, content, value) {
		return Receipt{}, errors.New("the receipt was changed after it was signed: its signature does not fit")
	}
	// What JSON readers overlook (blanks, order, the case of names, a member
	// given twice) would pass up to here.
	whole, err := canonical(f)
	if err != nil {
		return Receipt{}, fmt.Errorf("the receipt was changed: %w", err)
	}
	if at, same := firstDifference(body, append(whole, '\n')); !same {
		return Receipt{}, fmt.Errorf("the file was changed: it is not written as it was signed, from byte %d on", at+1)
	}
	return f.Receipt, nil
}

// decode takes base64 in its one canonical form: Go's decoder overlooks line
// feeds and the last bits of the last letter.
func decode(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err == nil && base64.StdEncoding.EncodeToString(b) != s {
		err = errors.New("not canonical")
	}
	return b, err
}

func firstDifference(a, b []byte) (at int, same bool) {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i, false
		}
	}
	return min(len(a), len(b)), len(a) == len(b)
}
