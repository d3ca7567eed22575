package address

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// The countries' formats are Google's address data (libaddressinput), made
// compact by gen. Licence of the data: CC BY 4.0.
//
//go:embed countries.json
var countriesJSON []byte

type format struct {
	Code     string   `json:"code"`
	Name     string   `json:"name"`
	Format   string   `json:"format"`
	Latin    string   `json:"latin"`
	Require  string   `json:"require"`
	Upper    string   `json:"upper"`
	Zip      string   `json:"zip"`
	Examples []string `json:"examples"`
	Prefix   string   `json:"prefix"`
	ZipWord  string   `json:"zip_word"`
	CityWord string   `json:"city_word"`
	Word     string   `json:"state_word"`
	States   []state  `json:"states"`

	zip *regexp.Regexp
}

type state struct {
	Code  string `json:"code"`
	Key   string `json:"key"`
	Name  string `json:"name"`
	Latin string `json:"latin"`
	Zip   string `json:"zip"`

	zip *regexp.Regexp
}

// countries reads the data set once. It is part of the program, so an error in
// it is ours; a test reads it.
var countries = sync.OnceValues(func() (map[string]*format, error) {
	var list []*format
	if err := json.Unmarshal(countriesJSON, &list); err != nil {
		return nil, fmt.Errorf("address data: %w", err)
	}
	all := make(map[string]*format, len(list))
	for _, f := range list {
		amend(f)
		all[f.Code] = f
		var err error
		if f.Zip != "" {
			if f.zip, err = regexp.Compile("^(?:" + f.Zip + ")$"); err != nil {
				return nil, fmt.Errorf("address data of %s: %w", f.Code, err)
			}
		}
		for i := range f.States {
			s := &f.States[i]
			if s.Zip == "" {
				continue
			}
			if s.zip, err = regexp.Compile("^(?:" + s.Zip + ")"); err != nil {
				return nil, fmt.Errorf("address data of %s-%s: %w", f.Code, s.Code, err)
			}
		}
	}
	return all, nil
})

// amend changes the data where we need something else than a mail label.
func amend(f *format) {
	f.Format, f.Latin = withoutNames(f.Format), withoutNames(f.Latin)
	if f.Code == "RU" { // the data lists two places that ISO 3166-2 lists under Ukraine
		f.States = slices.DeleteFunc(f.States, func(s state) bool { return len(s.Code) > 3 })
	}
	if f.Code == "SE" { // the data's example lacks the blank that Sweden writes
		f.Examples = []string{"114 55"}
	}
	if f.Code == "JP" { // the data puts city and street into one; Microsoft asks for the city apart
		f.Format, f.Latin, f.Require = "〒%Z%n%S%C%n%A", "%A%n%C, %S%n%Z", "ACSZ"
	}
}

var names = regexp.MustCompile(`%[NODX](, | )?`)

// withoutNames takes out of a format what our addresses have not: name,
// company, sorting code, and the district, which goes into the second line.
func withoutNames(form string) string {
	var lines []string
	for _, line := range strings.Split(form, "%n") {
		if line = strings.TrimRight(names.ReplaceAllString(line, ""), ", "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "%n")
}

func of(country string) *format {
	all, err := countries()
	if err != nil {
		return nil
	}
	return all[country]
}

// Country is a country with its English name.
type Country struct {
	Code string // ISO 3166-1 alpha-2
	Name string
}

// Known tells whether there is such a country. The code is in upper case.
func Known(country string) bool { return of(country) != nil }

// CountryName is the English name, or the code itself if it is unknown.
func CountryName(country string) string {
	if f := of(country); f != nil {
		return f.Name
	}
	return country
}

// CountryInSentence is the name as it stands in a sentence: "the United Kingdom".
func CountryInSentence(country string) string {
	name := CountryName(country)
	switch country {
	case "US", "GB", "AE", "NL", "PH", "CZ", "DO", "BS", "GM", "MV", "KM", "CF", "CG", "CD", "VA", "IM", "SC", "SB", "MH", "KY", "FK", "CK", "FO", "TC", "VG", "VI", "MP":
		return "the " + name
	}
	return name
}

// Countries lists all countries by name.
func Countries() []Country {
	all, err := countries()
	if err != nil {
		return nil
	}
	list := make([]Country, 0, len(all))
	for _, f := range all {
		list = append(list, Country{f.Code, f.Name})
	}
	slices.SortFunc(list, func(a, b Country) int { return strings.Compare(sortable(a.Name), sortable(b.Name)) })
	return list
}

// sortable puts Åland among the A's.
func sortable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsMark(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}

// fold makes the ways to type one state's name the same.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1 // marks too: "Avila" finds Ávila
	}, norm.NFKD.String(cases.Fold().String(s)))
}

// find gives the state that s names by code, name or abbreviation.
func (f *format) find(s string) *state {
	key := fold(s)
	if key == "" {
		return nil
	}
	for i := range f.States {
		if f.States[i].Code == s {
			return &f.States[i]
		}
	}
	for i := range f.States {
		d := &f.States[i]
		for _, n := range []string{d.Code, d.Key, d.Name, d.Latin} {
			if n != "" && fold(n) == key {
				return d
			}
		}
	}
	return nil
}

// local is the state's name in its own language.
func (s state) local() string {
	for _, n := range []string{s.Name, s.Key, s.Latin} {
		if n != "" {
			return n
		}
	}
	return s.Code
}

// latin is the state's name in Latin letters, where the data has one.
func (s state) latin() string {
	for _, n := range []string{s.Latin, s.Name, s.Key} {
		if n != "" && isLatin(n) {
			return n
		}
	}
	return s.Code
}

// written is how an address names the state: NY, but Hokkaido, and Madrid where
// M would do for the post alone.
func (f *format) written(s *state, latin bool) string {
	switch {
	case s.Key == "" && f.Code != "ES":
		return s.Code
	case latin && isLatin(s.Key) && s.Key != "":
		return s.Key
	case latin:
		return s.latin()
	case s.Key != "":
		return s.Key
	}
	return s.local()
}

func isLatin(s string) bool {
	for _, r := range s {
		if unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r) {
			return false
		}
	}
	return true
}
