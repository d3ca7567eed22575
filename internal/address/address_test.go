package address_test

import (
	"strings"
	"testing"

	"causeway/internal/address"
	"causeway/internal/fault"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// real are addresses of public buildings, as each country's post writes them.
var real = []struct {
	in    address.Address
	lines string // separated by |
}{
	{address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"}, "4567 Main Street|Buffalo, NY 14201"},
	{address.Address{Country: "US", Line1: "1600 Pennsylvania Avenue NW", City: "Washington", State: "District of Columbia", PostalCode: "205000003"}, "1600 Pennsylvania Avenue NW|Washington, DC 20500-0003"},
	{address.Address{Country: "CA", Line1: "111 Wellington St", City: "Ottawa", State: "on", PostalCode: "k1a0a9"}, "111 Wellington St|Ottawa ON K1A 0A9"},
	{address.Address{Country: "GB", Line1: "10 Downing Street", City: "London", PostalCode: "sw1a2aa"}, "10 Downing Street|London|SW1A 2AA"},
	{address.Address{Country: "GB", Line1: "2 Kingsway", City: "Reading", PostalCode: "RG1 1AA"}, "2 Kingsway|Reading|RG1 1AA"},
	{address.Address{Country: "IE", Line1: "Kildare Street", City: "Dublin 2", State: "Co. Dublin", PostalCode: "D02XR20"}, "Kildare Street|Dublin 2|Co. Dublin D02 XR20"},
	{address.Address{Country: "IE", Line1: "Main Street", City: "Kells"}, "Main Street|Kells"},
	{address.Address{Country: "DE", Line1: "Platz der Republik 1", City: "Berlin", PostalCode: "11011"}, "Platz der Republik 1|11011 Berlin"},
	{address.Address{Country: "AT", Line1: "Ballhausplatz 2", City: "Wien", PostalCode: "1010"}, "Ballhausplatz 2|1010 Wien"},
	{address.Address{Country: "CH", Line1: "Bundesplatz 3", City: "Bern", PostalCode: "CH-3005"}, "Bundesplatz 3|CH-3005 Bern"},
	{address.Address{Country: "FR", Line1: "55 Rue du Faubourg Saint-Honoré", City: "Paris", PostalCode: "75008"}, "55 Rue du Faubourg Saint-Honoré|75008 Paris"},
	{address.Address{Country: "BE", Line1: "Wetstraat 16", City: "Brussel", PostalCode: "1000"}, "Wetstraat 16|1000 Brussel"},
	{address.Address{Country: "NL", Line1: "Binnenhof 19", City: "Den Haag", PostalCode: "2513aa"}, "Binnenhof 19|2513 AA Den Haag"},
	{address.Address{Country: "ES", Line1: "Carrera de San Jerónimo s/n", City: "Madrid", State: "madrid", PostalCode: "28014"}, "Carrera de San Jerónimo s/n|28014 Madrid Madrid"},
	{address.Address{Country: "IT", Line1: "Piazza di Monte Citorio 1", City: "Roma", State: "RM", PostalCode: "00186"}, "Piazza di Monte Citorio 1|00186 Roma RM"},
	{address.Address{Country: "PT", Line1: "Praça do Comércio 1", City: "Lisboa", PostalCode: "1100148"}, "Praça do Comércio 1|1100-148 Lisboa"},
	{address.Address{Country: "SE", Line1: "Riksgatan 1", City: "Stockholm", PostalCode: "10012"}, "Riksgatan 1|SE-100 12 Stockholm"},
	{address.Address{Country: "NO", Line1: "Karl Johans gate 22", City: "Oslo", PostalCode: "0026"}, "Karl Johans gate 22|0026 Oslo"},
	{address.Address{Country: "DK", Line1: "Christiansborg 1", City: "København K", PostalCode: "1218"}, "Christiansborg 1|1218 København K"},
	{address.Address{Country: "FI", Line1: "Mannerheimintie 30", City: "Helsinki", PostalCode: "00100"}, "Mannerheimintie 30|FI-00100 Helsinki"},
	{address.Address{Country: "PL", Line1: "ul. Wiejska 4", City: "Warszawa", PostalCode: "00902"}, "ul. Wiejska 4|00-902 Warszawa"},
	{address.Address{Country: "CZ", Line1: "Sněmovní 4", City: "Praha 1", PostalCode: "11826"}, "Sněmovní 4|118 26 Praha 1"},
	{address.Address{Country: "GR", Line1: "Βασιλίσσης Σοφίας 2", City: "Αθήνα", PostalCode: "10021"}, "Βασιλίσσης Σοφίας 2|100 21 Αθήνα"},
	{address.Address{Country: "TR", Line1: "Atatürk Bulvarı 1", City: "Çankaya", State: "Ankara", PostalCode: "06543"}, "Atatürk Bulvarı 1|06543 Çankaya/Ankara"},
	{address.Address{Country: "IL", Line1: "קפלן 2", City: "ירושלים", PostalCode: "9195016"}, "קפלן 2|ירושלים 9195016"},
	{address.Address{Country: "AE", Line1: "Sheikh Zayed Road 1", State: "Dubai"}, "Sheikh Zayed Road 1|Dubai"},
	{address.Address{Country: "AE", Line1: "شارع الشيخ زايد ١", State: "دبي"}, "شارع الشيخ زايد ١|إمارة دبيّ"},
	{address.Address{Country: "HK", Line1: "1 Harbour Road", City: "Wan Chai", State: "Hong Kong Island"}, "1 Harbour Road|Wan Chai|Hong Kong Island"},
	{address.Address{Country: "SG", Line1: "1 Parliament Place", PostalCode: "178880"}, "1 Parliament Place|SINGAPORE 178880"},
	{address.Address{Country: "JP", Line1: "永田町1-7-1", City: "千代田区", State: "東京都", PostalCode: "〒１００００１４"}, "〒100-0014|東京都千代田区|永田町1-7-1"},
	{address.Address{Country: "JP", Line1: "1-7-1 Nagatacho", City: "Chiyoda-ku", State: "Tokyo", PostalCode: "100-0014"}, "1-7-1 Nagatacho|Chiyoda-ku, Tokyo|100-0014"},
	{address.Address{Country: "KR", Line1: "의사당대로 1", City: "영등포구", State: "서울특별시", PostalCode: "07233"}, "서울특별시 영등포구|의사당대로 1|07233"},
	{address.Address{Country: "CN", Line1: "西长安街1号", City: "西城区", State: "北京市", PostalCode: "100031"}, "100031|北京市西城区|西长安街1号"},
	{address.Address{Country: "TW", Line1: "重慶南路一段122號", City: "中正區", State: "台北市", PostalCode: "100"}, "100|台北市中正區|重慶南路一段122號"},
	{address.Address{Country: "IN", Line1: "Sansad Marg", City: "New Delhi", State: "Delhi", PostalCode: "110001"}, "Sansad Marg|New Delhi 110001|Delhi"},
	{address.Address{Country: "TH", Line1: "ถนนสามเสน 1111", City: "เขตดุสิต", State: "กรุงเทพมหานคร", PostalCode: "10300"}, "ถนนสามเสน 1111|เขตดุสิต|กรุงเทพมหานคร 10300"},
	{address.Address{Country: "AU", Line1: "Parliament Drive", City: "Canberra", State: "Australian Capital Territory", PostalCode: "2600"}, "Parliament Drive|Canberra ACT 2600"},
	{address.Address{Country: "NZ", Line1: "Molesworth Street", City: "Wellington", PostalCode: "6011"}, "Molesworth Street|Wellington 6011"},
	{address.Address{Country: "BR", Line1: "Praça dos Três Poderes", City: "Brasília", State: "Distrito Federal", PostalCode: "70160900"}, "Praça dos Três Poderes|Brasília-DF|70160-900"},
	{address.Address{Country: "MX", Line1: "Av. Congreso de la Unión 66", City: "Ciudad de México", State: "CDMX", PostalCode: "15960"}, "Av. Congreso de la Unión 66|15960 Ciudad de México, CDMX"},
	{address.Address{Country: "ZA", Line1: "120 Plein Street", City: "Cape Town", PostalCode: "8001"}, "120 Plein Street|Cape Town|8001"},
	{address.Address{Country: "UA", Line1: "вул. Грушевського, 5", City: "Київ", State: "місто Київ", PostalCode: "01008"}, "вул. Грушевського, 5|Київ|місто Київ|01008"},
}

func TestRealAddressesAreGoodAndWrittenAsThePostWritesThem(t *testing.T) {
	countries := map[string]bool{}
	for _, c := range real {
		countries[c.in.Country] = true
		a := address.Normal(c.in)
		if all := address.Validate(a); len(all) > 0 {
			t.Errorf("%s %s: %+v", a.Country, a.Line1, all)
			continue
		}
		if got := strings.Join(address.Format(a), "|"); got != c.lines {
			t.Errorf("%s:\n got %s\nwant %s", a.Country, got, c.lines)
		}
		if again := address.Normal(a); again != a {
			t.Errorf("%s: its one form has another one: %+v, %+v", a.Country, a, again)
		}
	}
	if len(countries) < 25 {
		t.Errorf("%d countries", len(countries))
	}
}

func TestWhatIsWrongIsSaidInTheCountrysWords(t *testing.T) {
	us := address.Address{Country: "US", Line1: "4567 Main Street", City: "Buffalo", State: "NY", PostalCode: "14201"}
	for _, c := range []struct {
		sentence string
		in       address.Address
		want     []string // field code: reason remedy
	}{
		{"all parts missing, each by its name", address.Address{Country: "US"}, []string{
			"line1 missing: The street is missing. Addresses in the United States need it.",
			"city missing: The city is missing. Addresses in the United States need it.",
			"state missing: The state is missing. Addresses in the United States need it.",
			"postal_code missing: The ZIP code is missing. Addresses in the United States need it.",
		}},
		{"a prefecture", address.Address{Country: "JP", Line1: "1", City: "港区", PostalCode: "105-0001", State: "Texas"}, []string{
			`state unknown: Japan has no prefecture "Texas". Choose one from the list.`,
		}},
		{"an emirate", address.Address{Country: "AE", Line1: "1"}, []string{
			"state missing: The emirate is missing. Addresses in the United Arab Emirates need it.",
		}},
		{"a postcode and a post town", address.Address{Country: "GB", Line1: "1", PostalCode: "12345"}, []string{
			"city missing: The post town is missing. Addresses in the United Kingdom need it.",
			`postal_code format: "12345" is no Postcode of the United Kingdom. Write it like EC1Y 8SY.`,
		}},
		{"a state where there is none", address.Address{Country: "DE", Line1: "Platz der Republik 1", City: "Berlin", PostalCode: "11011", State: "Berlin"}, []string{
			"state unused: Addresses in Germany have no province. Leave it empty.",
		}},
		{"a postal code where there is none", address.Address{Country: "HK", Line1: "1 Harbour Road", State: "Kowloon", PostalCode: "999077"}, []string{
			"postal_code unused: Addresses in Hong Kong SAR China have no postal code. Leave it empty.",
		}},
		{"a ZIP code of another state", with(us, func(a *address.Address) { a.PostalCode = "60601" }), []string{
			"postal_code mismatch: The ZIP code 60601 is not in New York. Correct one of the two.",
		}},
		{"UK", address.Address{Country: "UK", Line1: "1"}, []string{
			"country country: The code UK is not used; the United Kingdom is GB. Give the two-letter code of ISO 3166, such as US or GB.",
		}},
		{"no country", address.Address{}, []string{"country country: The country is missing. Give the two-letter code of ISO 3166, such as US or GB."}},
		{"a line of 201 characters", with(us, func(a *address.Address) { a.Line1, a.Line2 = strings.Repeat("é", 201), strings.Repeat("é", 201) }), []string{
			"line1 long: The street has 201 characters. Shorten it to 200.",
			"line2 long: The second line has 201 characters. Shorten it to 200.",
		}},
		{"a line of 200", with(us, func(a *address.Address) { a.Line1 = strings.Repeat("é", 200) }), nil},
	} {
		var got []string
		for _, r := range address.Validate(address.Normal(c.in)) {
			got = append(got, r.Field+" "+r.Code+": "+r.String())
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n got %s\nwant %s", c.sentence, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
		}
	}
}

func with(a address.Address, change func(*address.Address)) address.Address {
	change(&a)
	return a
}

func TestFieldsForTheForm(t *testing.T) {
	for country, want := range map[string]string{
		"US": "Street*, Building, floor or district, City*, State*[62], ZIP code*",
		"GB": "Street*, Building, floor or district, Post town*, Postcode*",
		"JP": "Street*, Building, floor or district, City*, Prefecture*[47], Postal code*",
		"CA": "Street*, Building, floor or district, City*, Province*[13], Postal code*",
		"AE": "Street*, Building, floor or district, Emirate*[7]",
		"HK": "Street*, Building, floor or district, District, Area*[3]",
		"IN": "Street*, Building, floor or district, City*, PIN code*, State*[36]",
		"DE": "Street*, Building, floor or district, Postal code*, City*",
		"SG": "Street*, Building, floor or district, Postal code*",
		"IE": "Street*, Building, floor or district, City*, County[26], Eircode",
		"BR": "Street*, Building, floor or district, City*, State*[27], Postal code*",
		"QQ": "Street*, Building, floor or district, City, Province, Postal code",
	} {
		var got []string
		for _, f := range address.Fields(country) {
			s := f.Label
			if f.Required {
				s += "*"
			}
			if n := len(f.Options); n > 0 {
				s += "[" + itoa(n) + "]"
			}
			got = append(got, s)
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %s\nwant %s", country, strings.Join(got, ", "), want)
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func TestTheDataSetIsWhole(t *testing.T) {
	list := address.Countries()
	if len(list) < 240 {
		t.Fatalf("%d countries: the data cannot be read", len(list))
	}
	for _, c := range list {
		if c.Name == "" || !address.Known(c.Code) {
			t.Errorf("%+v", c)
		}
		codes := map[string]bool{}
		for _, f := range address.Fields(c.Code) {
			for _, o := range f.Options {
				if o.Code == "" || o.Name == "" || codes[o.Code] {
					t.Errorf("%s: %+v", c.Code, o)
				}
				codes[o.Code] = true
				if n := address.Normal(address.Address{Country: c.Code, State: o.Code}); n.State != o.Code {
					t.Errorf("%s: %q becomes %q", c.Code, o.Code, n.State)
				}
			}
			if f.Name == "postal_code" && f.Example != "" {
				a := address.Normal(address.Address{Country: c.Code, PostalCode: f.Example})
				for _, r := range address.Validate(a) {
					if r.Field == "postal_code" {
						t.Errorf("%s: its own example %q is refused: %s", c.Code, f.Example, r)
					}
				}
			}
		}
	}
}

func TestTheCityOfPlacesThatWriteNone(t *testing.T) {
	for _, c := range []struct {
		in   address.Address
		want string
	}{
		{address.Address{Country: "AE", Line1: "Road 1", State: "DU"}, "Dubai"},
		{address.Address{Country: "AE", Line1: "شارع", State: "DU"}, "دبي"},
		{address.Address{Country: "SG", Line1: "1 Parliament Place"}, "Singapore"},
		{address.Address{Country: "US", City: "Buffalo", State: "NY"}, "Buffalo"},
	} {
		if got := address.City(c.in); got != c.want {
			t.Errorf("%+v: %q", c.in, got)
		}
	}
}

func TestLine(t *testing.T) {
	for want, a := range map[string]address.Address{
		"1 Lake Shore Drive, Chicago, IL 60601": {Country: "US", Line1: "1 Lake Shore Drive", City: "Chicago", State: "IL", PostalCode: "60601"},
		"〒100-0014 東京都千代田区 永田町1-7-1":            {Country: "JP", Line1: "永田町1-7-1", City: "千代田区", State: "13", PostalCode: "100-0014"},
		"Somewhere, Nowhere":                    {Country: "QQ", Line1: "Somewhere", City: "Nowhere"},
		"1 Main Street, Denver 80202":           {Country: "US", Line1: "1 Main Street", City: "Denver", PostalCode: "80202"},
	} {
		if got := address.Line(a); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAnythingTypedHasOneForm(t *testing.T) {
	var codes []string
	for _, c := range address.Countries() {
		codes = append(codes, c.Code)
	}
	codes = append(codes, "", "QQ", "uk")
	rapid.Check(t, func(t *rapid.T) {
		a := address.Address{
			Country: rapid.SampledFrom(codes).Draw(t, "country"), Line1: rapid.String().Draw(t, "line1"), Line2: rapid.String().Draw(t, "line2"),
			City: rapid.String().Draw(t, "city"), State: rapid.String().Draw(t, "state"),
			PostalCode: rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9A-Z]{2,5}[ -]?[0-9A-Z]{0,5}`)).Draw(t, "postal"),
		}
		one := address.Normal(a)
		if two := address.Normal(one); two != one {
			t.Fatalf("%+v\n%+v", one, two)
		}
		if !norm.NFC.IsNormalString(one.Line1) || !norm.NFC.IsNormalString(one.City) { // each: a mark may begin the second
			t.Fatalf("not NFC: %+v", one)
		}
		for _, r := range address.Validate(one) {
			if r.Field == "" || r.Reason == "" || r.Remedy == "" || fault.Refuse(r).Message == "" {
				t.Fatalf("%+v", r)
			}
		}
		address.Format(one)
		address.Line(one)
	})
}
