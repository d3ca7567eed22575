// Package ui is the portal's look: the design system's parts and one page
// template per page, each with one exported struct that names all it shows.
// Structs hold plain values that are ready to be read (words, formatted times
// and amounts); the package imports no noun of ours and decides nothing. It does
// not own routes, sessions or data: package web fills the structs and renders
//
//	ui.Providers(ui.ProvidersPage{...}).Render(ctx, w)
//
// Conventions. Text fields named Text, Title, Reason, Remedy and Hint may mark
// words as **strong**; everything else is plain and escaped. Forms are plain
// POSTs that redirect on success (303) and answer 422 with the same page and its
// Errors otherwise; the few htmx fragments say so at their struct. Each form's
// URL and field names stand at its struct.
package ui

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// Brand is every word and address that belongs to the partner who runs the
// portal. All of them come from the brand settings.
type Brand struct {
	Product            string    // "Cloud Application Manager": the portal's own name
	Partner            string    // "CenturyLink": who supports and bills
	AccountWord        string    // "CLC Account"
	AccountWordPlural  string    // "CLC Accounts"
	AdminWord          string    // "Account Administrator": the role that may approve charges
	TypeName           string    // "Azure Resource Manager"
	ModeNew            string    // "Create a new Azure customer account"
	ModeExisting       string    // "Use an existing Azure account"
	LineLabel          string    // "Integrated Azure Services Usage": the line on the invoice
	ContactEmail       string    // for special considerations
	ContactURL         string    // representative; empty: mailto of ContactEmail
	FeedbackEmail      string    // for wishes about services
	SignUpURL          string    // where a person gets an account; empty: only the representative is named
	SignUpLabel        string    // "Get a free account"
	FindAdminURL       string    // instructions on finding one's account administrator; empty: /help#administrator
	LogoURL            string    // served by the portal itself; empty: the built-in mark
	AllowedCountries   string    // "the United States", as it stands in a sentence
	DurationToExpect   string    // "10 to 35 minutes", from measured runs
	MinimumWait        string    // "at least two minutes"
	AccentCSS          string    // "/brand.css?v=..."; empty: "/brand.css"
	StepNames          [5]string // of the progress page; empty ones: the five of Steps
	IntegrationFeature string    // "Cloud Integration": name of the feature as a whole
}

// Contact is where a person turns to: the representative's page, else a mail.
func (b Brand) Contact() string {
	if b.ContactURL != "" {
		return b.ContactURL
	}
	return "mailto:" + b.ContactEmail
}

// Steps gives the five steps that people watch, in order.
func (b Brand) Steps() [5]string {
	names := [5]string{
		"Provides Microsoft your account details",
		"Creates an Azure Customer account on your behalf",
		"Creates a Microsoft Azure Subscription",
		"Associates it with your " + b.AccountWord,
		"Grants " + b.Product + " the permissions",
	}
	for i, n := range b.StepNames {
		if n != "" {
			names[i] = n
		}
	}
	return names
}

func (b Brand) css() string {
	if b.AccentCSS == "" {
		return "/brand.css"
	}
	return b.AccentCSS
}

// Tone is the colour of a meaning: ok, running, waiting, stuck, draft; notes also know info.
type Tone string

// The tones of portal.md; each has a text and a ground colour in both themes.
const (
	ToneOK      Tone = "ok"
	ToneRunning Tone = "running"
	ToneWaiting Tone = "waiting"
	ToneStuck   Tone = "stuck"
	ToneDraft   Tone = "draft"
	ToneInfo    Tone = "info"
)

// State is what a provider, an onboarding or a request is in, as people read it.
type State string

// The states. Their words, icons and colours stand in one table below.
const (
	StateReady         State = "ready"
	StateInProgress    State = "in-progress"
	StateWaitingForYou State = "waiting-for-you"
	StateWaiting       State = "waiting"
	StateStuck         State = "stuck"
	StateDraft         State = "draft"
	StateCancelled     State = "cancelled"
	StateCancelling    State = "cancelling"
	StateReleased      State = "released"
	StateOpen          State = "open"
	StateGranted       State = "granted"
	StateDeclined      State = "declined"
	StateExpired       State = "expired"
)

// Look is how a state is shown: always icon, word and colour together.
type Look struct {
	Word string
	Icon string
	Tone Tone
}

var looks = map[State]Look{
	StateReady:         {"Ready", "circle-check", ToneOK},
	StateInProgress:    {"In progress", "loader-circle", ToneRunning},
	StateWaitingForYou: {"Waiting for you", "hourglass", ToneWaiting},
	StateWaiting:       {"Waiting", "hourglass", ToneWaiting},
	StateStuck:         {"Stuck", "circle-alert", ToneStuck},
	StateDraft:         {"Draft", "circle-dashed", ToneDraft},
	StateCancelled:     {"Cancelled", "ban", ToneDraft},
	StateCancelling:    {"Cancelling", "loader-circle", ToneRunning},
	StateReleased:      {"Released", "undo-2", ToneDraft},
	StateOpen:          {"Open", "hourglass", ToneWaiting},
	StateGranted:       {"Granted", "circle-check", ToneOK},
	StateDeclined:      {"Declined", "circle-x", ToneStuck},
	StateExpired:       {"Expired", "clock", ToneDraft},
}

// Look gives the state's word, icon and colour; an unknown state is shown by its name, as a draft.
func (s State) Look() Look {
	if l, ok := looks[s]; ok {
		return l
	}
	return Look{string(s), "circle-dashed", ToneDraft}
}

// Link is a word that leads somewhere. An empty Label is not shown.
type Link struct {
	Label  string
	Href   string
	Icon   string // before the label
	NewTab bool   // opens in a new tab and says so
}

// Action is something a person can do: a button, with its verb and its object.
// Exactly one of Href, Post, Dialog, Submit or Copy says what happens.
type Action struct {
	ID      string // needed where the same label occurs twice on a page
	Label   string // "New provider"; ends with … when a dialog follows
	Icon    string
	After   string // icon after the label
	Variant string // primary, outline (default), ghost, link, destructive
	Size    string // "sm" or empty
	Href    string // a link that looks like a button
	NewTab  bool
	Post    string // a form of its own with only this button
	Fields  []Pair // hidden fields of that form
	Dialog  string // id of the dialog to open
	Submit  bool   // submits the form around it
	Name    string // name and value that the submission carries
	Value   string
	Form    string // id of the form, if the button stands outside of it
	Copy    string // text to copy
	Busy    string // label while the form is on its way
	Off     string // why it cannot be used now: shown, described, and the button stays focusable
	Follow  string // name of the radio list whose choice renames the button
}

func (a Action) variant() string {
	if a.Variant == "" {
		return "outline"
	}
	return a.Variant
}

func (a Action) id() string {
	if a.ID != "" {
		return a.ID
	}
	return slug(a.Label)
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// KV is one row of a key–value list.
type KV struct {
	Key   string
	Value string
	Mono  bool   // an id
	Sub   string // quieter, after the value
	Below string // mono, in a line of its own: the id of what Value names
	Copy  bool   // with a button that copies Value (or Below)
	Tone  Tone
	Link  Link // after the value
	Href  string
	State State
	Break bool // a domain: may break before its first dot
}

// Note tells something in a box: a tone, what happened, what to do.
type Note struct {
	Tone   Tone
	Icon   string // empty: the tone's own
	Title  string
	Text   string
	Link   Link
	Action Action
	Inline bool // title and text on one line
}

func (n Note) icon() string {
	if n.Icon != "" {
		return n.Icon
	}
	switch n.Tone {
	case ToneOK:
		return "circle-check"
	case ToneWaiting:
		return "hourglass"
	case ToneStuck:
		return "circle-alert"
	default:
		return "info"
	}
}

// FieldError is one refusal: field, reason, remedy.
type FieldError struct {
	Field  string // the field's id, to jump to; empty: the form as a whole
	Label  string // the field's name, for the summary
	Reason string
	Remedy string
}

// Errors finds the refusal of a field.
type Errors []FieldError

// For gives the text below a field: reason and remedy, or "".
func (e Errors) For(field string) string {
	for _, f := range e {
		if f.Field == field {
			return strings.TrimSpace(f.Reason + " " + f.Remedy)
		}
	}
	return ""
}

// Option is one entry of a select or of a suggestion list.
type Option struct {
	Value string
	Label string
	Off   string // reason why it cannot be chosen, appended to the label
}

// Section is one block of a side panel.
type Section struct {
	Title      string
	Items      []string // a list; Ordered numbers it
	Ordered    bool
	Paragraphs []string
	Pairs      []Pair // label left, value right
	Link       Link
	Help       Link // a footer line with a question mark
}

// LogLine is one entry of a provider's log.
type LogLine struct {
	At   string // "14:20:11", or with the date where days are mixed
	ISO  string // RFC 3339, for machines
	Step string // details, customer, …
	Tone Tone
	Text string
}

// Exchange is one request and its answer at Microsoft with all secrets removed
// before it reaches this struct; Removed marks where they were.
type Exchange struct {
	Title   string // "try 1 of 1"
	Parts   []ExchangePart
	CopyURL string // text/plain of the same; empty: no copy button
}

// ExchangePart is the request or the answer.
type ExchangePart struct {
	Line    string // "POST /v1/customers", "409 Conflict"
	At      string // "10:58:31.204"
	Headers []Pair // a value equal to Removed is shown as such
	Body    string // may contain Removed
}

// Removed stands where a secret was.
const Removed = "⟦removed⟧"

func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	out := strings.Trim(b.String(), "-")
	if out == "" { // a label in another script
		h := fnv.New32a()
		_, _ = h.Write([]byte(s))
		return "a" + strconv.FormatUint(uint64(h.Sum32()), 36)
	}
	return out
}

// span is a piece of a text; Strong was between two pairs of asterisks.
type span struct {
	Text   string
	Strong bool
}

func spans(s string) []span {
	parts := strings.Split(s, "**")
	if len(parts)%2 == 0 { // an odd asterisk pair is only text
		return []span{{Text: s}}
	}
	var out []span
	for i, p := range parts {
		if p != "" {
			out = append(out, span{p, i%2 == 1})
		}
	}
	return out
}

// FormatSpan writes a duration as people read it: "3 s", "9 min 48 s", "3 h 12 min".
func FormatSpan(d time.Duration) string {
	s := int(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		if s%60 == 0 {
			return fmt.Sprintf("%d min", s/60)
		}
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	default:
		return fmt.Sprintf("%d days", s/86400)
	}
}

// FormatWhen writes an instant in the zone of now as lists show it:
// "2 minutes ago", "Today, 13:42", "Yesterday, 09:10", "19 Nov 2026".
func FormatWhen(t, now time.Time) string {
	t = t.In(now.Location())
	ago := now.Sub(t)
	day := func(x time.Time) string { return x.Format("2006-01-02") }
	switch {
	case ago >= 0 && ago < time.Minute:
		return "Just now"
	case ago >= 0 && ago < 2*time.Minute:
		return "1 minute ago"
	case ago >= 0 && ago < time.Hour:
		return fmt.Sprintf("%d minutes ago", int(ago/time.Minute))
	case day(t) == day(now):
		return "Today, " + t.Format("15:04")
	case day(t) == day(now.AddDate(0, 0, -1)):
		return "Yesterday, " + t.Format("15:04")
	default:
		return FormatDay(t)
	}
}

// FormatDay writes "19 Nov 2026" in the zone of t.
func FormatDay(t time.Time) string { return t.Format("2 Jan 2006") }

// FormatMoment writes "19 Nov 2026, 14:06" in the zone of t.
func FormatMoment(t time.Time) string { return t.Format("2 Jan 2006, 15:04") }

// FormatAmount groups the digits of a plain decimal and uses a real minus sign:
// "-1207.44", "USD" is "−1,207.44 USD". Digits are never added or dropped.
func FormatAmount(decimal, currency string) string {
	minus := strings.HasPrefix(decimal, "-")
	whole, frac, dot := strings.Cut(strings.TrimPrefix(decimal, "-"), ".")
	var b strings.Builder
	if minus {
		b.WriteString("−")
	}
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	if dot {
		b.WriteString("." + frac)
	}
	if currency != "" {
		b.WriteString(" " + currency)
	}
	return b.String()
}

// Count writes "1 provider", "7 providers".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func itoa(n int) string { return strconv.Itoa(n) }

// breakDomain splits "contoso.onmicrosoft.com" so that a line may break before the first dot.
func breakDomain(d string) (string, string) {
	if i := strings.IndexByte(d, '.'); i > 0 {
		return d[:i], d[i:]
	}
	return d, ""
}

func when[T any](c bool, yes, no T) T {
	if c {
		return yes
	}
	return no
}

// redacted escapes a text and marks where secrets were; written by hand because a
// template would add blanks, and an exchange is shown to the letter.
func redacted(s string) templ.Component {
	return templ.Raw(strings.ReplaceAll(templ.EscapeString(s), Removed, `<em class="cw-removed">removed</em>`))
}

func exchangeBody(s string) templ.Component {
	return templ.Raw("<pre>" + strings.ReplaceAll(templ.EscapeString(s), Removed, `<em class="cw-removed">removed</em>`) + "</pre>")
}
