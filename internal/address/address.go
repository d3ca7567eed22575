// Package address knows how each country writes an address: which parts there
// are, in which order, which are required, what they are called there, and how
// a postal code looks. It does not know whether the street exists; Microsoft
// is asked for that (provision).
package address

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"causeway/internal/fault"

	"golang.org/x/text/unicode/norm"
)

// Address is a postal address. All text is NFC.
type Address struct {
	Country    string `json:"country"` // ISO 3166-1 alpha-2, e.g. "GB" (never "UK")
	Line1      string `json:"line1"`
	Line2      string `json:"line2,omitempty"`
	City       string `json:"city,omitempty"`
	State      string `json:"state,omitempty"` // code of the state, province or prefecture where the country has them, e.g. "NY"
	PostalCode string `json:"postal_code,omitempty"`
}

// maxLine is Microsoft's limit of an address line, in characters.
const maxLine = 200

// Field is one part of a country's address, for a form.
type Field struct {
	Name     string // line1, line2, city, state, postal_code
	Label    string // what the country calls it: "ZIP code", "Prefecture"
	Required bool
	Options  []Option // for a state with a fixed list
	Example  string   // of a postal code
}

// Option is one state to choose.
type Option struct {
	Code string
	Name string // in its own language, with the Latin name behind it where that is another script
}

// Fields lists the parts of a country's address in the order in which they are
// typed. A country that is not known has the parts that every address has.
func Fields(country string) []Field {
	f := of(country)
	if f == nil {
		f = &format{Format: "%A%n%C%n%S%n%Z", Require: "A"}
	}
	var list []Field
	for _, part := range order(f) {
		required := strings.Contains(f.Require, string(part))
		switch part {
		case 'A':
			list = append(list,
				Field{Name: "line1", Label: "Street", Required: true},
				Field{Name: "line2", Label: "Building, floor or district"})
		case 'C':
			list = append(list, Field{Name: "city", Label: f.cityLabel(), Required: required})
		case 'S':
			s := Field{Name: "state", Label: f.stateLabel(), Required: required}
			for _, d := range f.States {
				name := d.local()
				if l := d.latin(); !isLatin(name) && l != d.Code {
					name += " (" + l + ")"
				}
				s.Options = append(s.Options, Option{d.Code, name})
			}
			list = append(list, s)
		case 'Z':
			z := Field{Name: "postal_code", Label: f.zipLabel(), Required: required}
			if len(f.Examples) > 0 {
				z.Example = f.Examples[0]
			}
			list = append(list, z)
		}
	}
	return list
}

// order gives the letters of the format; the street is always first to type,
// also where the label begins with the postal code.
func order(f *format) []byte {
	var list []byte
	form := f.Format
	if f.Latin != "" {
		form = f.Latin
	}
	for i := 0; i+1 < len(form); i++ {
		if form[i] == '%' && strings.IndexByte("ACSZ", form[i+1]) >= 0 && !slices.Contains(list, form[i+1]) {
			list = append(list, form[i+1])
		}
	}
	return list
}

func (f *format) has(part byte) bool { return slices.Contains(order(f), part) }

func (f *format) cityLabel() string {
	switch f.CityWord {
	case "post_town":
		return "Post town"
	case "district":
		return "District"
	case "suburb":
		return "Suburb"
	}
	return "City"
}

func (f *format) stateLabel() string {
	switch f.Word {
	case "", "province":
		return "Province"
	case "do_si":
		return "Province or city"
	}
	return strings.ToUpper(f.Word[:1]) + f.Word[1:]
}

func (f *format) zipLabel() string {
	switch {
	case f.ZipWord == "zip":
		return "ZIP code"
	case f.ZipWord == "eircode":
		return "Eircode"
	case f.ZipWord == "pin":
		return "PIN code"
	case f.Code == "GB" || f.Code == "AU" || f.Code == "NZ":
		return "Postcode"
	}
	return "Postal code"
}

// Normal puts an address in its one form: NFC, single blanks, states as codes,
// postal codes with their separators and in capitals. What it does not
// understand it leaves for Validate.
func Normal(a Address) Address {
	for _, s := range []*string{&a.Line1, &a.Line2, &a.City, &a.State, &a.PostalCode} {
		*s = strings.Join(strings.Fields(norm.NFC.String(*s)), " ")
	}
	a.Country = strings.ToUpper(strings.TrimSpace(a.Country))
	f := of(a.Country)
	if f == nil {
		return a
	}
	if d := f.find(a.State); d != nil {
		a.State = d.Code
	}
	a.PostalCode = f.postal(a.PostalCode)
	return a
}

// postal puts a postal code in its one form.
func (f *format) postal(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(norm.NFKC.String(s)) // full-width digits become plain ones
	s = strings.Map(func(r rune) rune {
		switch r {
		case '‐', '‑', '‒', '–', '—', '−', 'ー':
			return '-'
		case '〒':
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if p := f.Prefix; p != "" {
		s = strings.TrimPrefix(s, p)
	}
	bare := strings.NewReplacer(" ", "", "-", "").Replace(s)
	if f.Code == "GB" && len(bare) >= 5 && !strings.HasPrefix(bare, "BFPO") {
		if spaced := bare[:len(bare)-3] + " " + bare[len(bare)-3:]; f.zip.MatchString(spaced) {
			return spaced
		}
	}
	for _, ex := range f.Examples {
		if shaped, ok := shape(bare, ex); ok && (f.zip == nil || f.zip.MatchString(shaped)) {
			return shaped
		}
	}
	return s
}

// shape writes bare with the separators of an example of the same length.
func shape(bare, example string) (string, bool) {
	var b strings.Builder
	i := 0
	for _, r := range example {
		if r == ' ' || r == '-' {
			b.WriteRune(r)
			continue
		}
		if i >= len(bare) {
			return "", false
		}
		b.WriteByte(bare[i])
		i++
	}
	return b.String(), i == len(bare) && utf8.ValidString(b.String())
}

// Validate says all that is wrong with an address, in the country's own words.
// The fields are named as in Field.Name, and "country".
func Validate(a Address) []fault.Refusal {
	f := of(a.Country)
	if f == nil {
		reason := fmt.Sprintf("%q is no country code.", a.Country)
		switch a.Country {
		case "":
			reason = "The country is missing."
		case "UK":
			reason = "The code UK is not used; the United Kingdom is GB."
		}
		return []fault.Refusal{{Field: "country", Code: "country", Reason: reason, Remedy: "Give the two-letter code of ISO 3166, such as US or GB."}}
	}
	var all []fault.Refusal
	refuse := func(field, code, reason, remedy string) {
		all = append(all, fault.Refusal{Field: field, Code: code, Reason: reason, Remedy: remedy})
	}
	in := CountryInSentence(a.Country)
	for _, p := range []struct {
		part         byte
		field, label string
		text         string
	}{
		{'A', "line1", "street", a.Line1}, {'C', "city", lower(f.cityLabel()), a.City},
		{'S', "state", lower(f.stateLabel()), a.State}, {'Z', "postal_code", lower(f.zipLabel()), a.PostalCode},
	} {
		n := utf8.RuneCountInString(p.text)
		switch {
		case p.text == "" && (p.part == 'A' || strings.IndexByte(f.Require, p.part) >= 0):
			refuse(p.field, "missing", "The "+p.label+" is missing.", "Addresses in "+in+" need it.")
		case p.text != "" && p.part != 'C' && !f.has(p.part):
			refuse(p.field, "unused", "Addresses in "+in+" have no "+p.label+".", "Leave it empty.")
		case n > maxLine:
			refuse(p.field, "long", fmt.Sprintf("The %s has %d characters.", p.label, n), fmt.Sprintf("Shorten it to %d.", maxLine))
		}
	}
	if n := utf8.RuneCountInString(a.Line2); n > maxLine {
		refuse("line2", "long", fmt.Sprintf("The second line has %d characters.", n), fmt.Sprintf("Shorten it to %d.", maxLine))
	}
	var d *state
	if a.State != "" && f.has('S') && len(f.States) > 0 {
		if d = f.find(a.State); d == nil {
			refuse("state", "unknown", fmt.Sprintf("%s has no %s %q.", upperFirst(in), lower(f.stateLabel()), clip(a.State)), "Choose one from the list.")
		}
	}
	if a.PostalCode != "" && f.has('Z') {
		switch {
		case f.zip != nil && !f.zip.MatchString(a.PostalCode):
			remedy := "Check it."
			if len(f.Examples) > 0 {
				remedy = "Write it like " + f.Examples[0] + "."
			}
			refuse("postal_code", "format", fmt.Sprintf("%q is no %s of %s.", clip(a.PostalCode), f.zipLabel(), in), remedy)
		case d != nil && d.zip != nil && !d.zip.MatchString(a.PostalCode):
			refuse("postal_code", "mismatch", fmt.Sprintf("The %s %s is not in %s.", lower(f.zipLabel()), a.PostalCode, d.latin()), "Correct one of the two.")
		}
	}
	return all
}

// lower writes a label inside a sentence; ZIP, PIN and Eircode are names.
func lower(label string) string {
	if strings.HasPrefix(label, "ZIP") || strings.HasPrefix(label, "PIN") || label == "Eircode" {
		return label
	}
	return strings.ToLower(label)
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// clip keeps what somebody typed from filling the page.
func clip(s string) string {
	if r := []rune(s); len(r) > 30 {
		return string(r[:30]) + "…"
	}
	return s
}

// City is what goes into a field that must name a city: the city, or in
// countries that write none the state (Dubai) or the country (Singapore).
func City(a Address) string {
	if a.City != "" {
		return a.City
	}
	f := of(a.Country)
	if f == nil {
		return a.City
	}
	if d := f.find(a.State); d != nil {
		if isLatin(a.Line1) {
			return d.latin()
		}
		return d.local()
	}
	return f.Name
}

// StateName is the state's name for people: "New York" for NY. What is no code
// of the country comes back as it is.
func StateName(country, code string) string {
	if f := of(country); f != nil {
		if d := f.find(code); d != nil {
			return d.local()
		}
	}
	return code
}

// Format writes an address in the lines that the country uses, without the
// country's name. An address in Latin letters follows the country's order for
// foreigners.
func Format(a Address) []string {
	f := of(a.Country)
	if f == nil {
		f = &format{Format: "%A%n%C%n%S%n%Z"}
	}
	form := f.Format
	latin := isLatin(a.Line1 + a.Line2 + a.City)
	if latin && f.Latin != "" {
		form = f.Latin
	}
	if a.City != "" && !strings.Contains(form, "%C") {
		form = strings.Replace(form, "%A", "%A%n%C", 1)
	}
	st := a.State
	if d := f.find(a.State); d != nil {
		st = f.written(d, latin)
	}
	var lines []string
	for _, line := range strings.Split(form, "%n") {
		if line == "%A" {
			lines = append(lines, nonEmpty(a.Line1, a.Line2)...)
			continue
		}
		if s := fill(line, map[byte]string{'A': strings.Join(nonEmpty(a.Line1, a.Line2), ", "), 'C': a.City, 'S': st, 'Z': a.PostalCode}); s != "" {
			lines = append(lines, s)
		}
	}
	return lines
}

// Line is Format in one line: "1 Lake Shore Drive, Chicago, IL 60601".
func Line(a Address) string {
	sep := ", "
	if !isLatin(a.Line1 + a.City) {
		sep = " "
	}
	return strings.Join(Format(a), sep)
}

// fill writes one line of a format. A separator stays only between two parts
// that are there; what stands before the first part stays with it.
func fill(line string, parts map[byte]string) string {
	var b strings.Builder
	literal := ""
	for i := 0; i < len(line); i++ {
		if line[i] != '%' || i+1 == len(line) {
			literal += line[i : i+1]
			continue
		}
		i++
		text, known := parts[line[i]]
		if !known || text == "" {
			literal = ""
			continue
		}
		b.WriteString(literal)
		b.WriteString(text)
		literal = ""
	}
	return strings.TrimSpace(b.String())
}

func nonEmpty(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == "" })
}
