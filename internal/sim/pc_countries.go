package sim

import (
	"net/http"
	"regexp"
	"strings"
	"sync"
)

// rules is what Partner Center knows about the addresses of a country.
type rules struct {
	ISO2      string
	Culture   string
	Languages string // separated by spaces
	Cultures  string
	Postal    string // regular expression; "" = any, not required
	Phone     string
	Calling   string
	States    string // codes separated by spaces
	NeedState bool
	TaxSample string

	once     sync.Once
	postal   *regexp.Regexp
	register *regexp.Regexp
}

const anyPhone = `^[0-9 ()+./-]{6,20}$`

// countries holds the markets that the simulator knows. Postal patterns are those of
// the countries' posts; lists of states only where Microsoft documents codes.
var countries = []*rules{
	{ISO2: "US", Culture: "en-US", Languages: "en es", Cultures: "en-US es-US", Postal: `^\d{5}(-\d{4})?$`, Phone: `^(\+?1[ .-]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}$`, Calling: "1", NeedState: true,
		States: "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI AA AE AP"},
	{ISO2: "CA", Culture: "en-CA", Languages: "en fr", Cultures: "en-CA fr-CA", Postal: `^[ABCEGHJ-NPRSTVXYabceghj-nprstvxy]\d[A-Za-z] ?\d[A-Za-z]\d$`, Phone: anyPhone, Calling: "1", NeedState: true,
		States: "AB BC MB NB NL NS NT NU ON PE QC SK YT"},
	{ISO2: "GB", Culture: "en-GB", Languages: "en", Cultures: "en-GB", Postal: `^[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}$`, Phone: anyPhone, Calling: "44", TaxSample: "GB999999973"},
	{ISO2: "IE", Culture: "en-IE", Languages: "en", Cultures: "en-IE", Postal: `^[A-Za-z]\d[\dWw] ?[A-Za-z\d]{4}$`, Phone: anyPhone, Calling: "353", TaxSample: "IE1234567T"},
	{ISO2: "AU", Culture: "en-AU", Languages: "en", Cultures: "en-AU", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "61", States: "ACT NSW NT QLD SA TAS VIC WA"},
	{ISO2: "NZ", Culture: "en-NZ", Languages: "en", Cultures: "en-NZ", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "64"},
	{ISO2: "HK", Culture: "en-HK", Languages: "en zh-Hant", Cultures: "en-HK zh-HK", Phone: anyPhone, Calling: "852"},
	{ISO2: "SG", Culture: "en-SG", Languages: "en", Cultures: "en-SG zh-SG", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "65"},
	{ISO2: "DE", Culture: "de-DE", Languages: "de en", Cultures: "de-DE en-DE", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "49", TaxSample: "DE123456789"},
	{ISO2: "AT", Culture: "de-AT", Languages: "de en", Cultures: "de-AT", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "43", TaxSample: "ATU12345678"},
	{ISO2: "CH", Culture: "de-CH", Languages: "de fr it en", Cultures: "de-CH fr-CH it-CH", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "41"},
	{ISO2: "LI", Culture: "de-LI", Languages: "de en", Cultures: "de-LI", Postal: `^94\d{2}$`, Phone: anyPhone, Calling: "423"},
	{ISO2: "LU", Culture: "fr-LU", Languages: "fr de en", Cultures: "fr-LU de-LU", Postal: `^(L-)?\d{4}$`, Phone: anyPhone, Calling: "352", TaxSample: "LU12345678"},
	{ISO2: "FR", Culture: "fr-FR", Languages: "fr en", Cultures: "fr-FR", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "33", TaxSample: "FR12345678901"},
	{ISO2: "BE", Culture: "nl-BE", Languages: "nl fr de en", Cultures: "nl-BE fr-BE", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "32", TaxSample: "BE0123456789"},
	{ISO2: "NL", Culture: "nl-NL", Languages: "nl en", Cultures: "nl-NL", Postal: `^\d{4} ?[A-Za-z]{2}$`, Phone: anyPhone, Calling: "31", TaxSample: "NL123456789B01"},
	{ISO2: "ES", Culture: "es-ES", Languages: "es en", Cultures: "es-ES ca-ES", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "34", TaxSample: "ESA12345678"},
	{ISO2: "PT", Culture: "pt-PT", Languages: "pt en", Cultures: "pt-PT", Postal: `^\d{4}-\d{3}$`, Phone: anyPhone, Calling: "351", TaxSample: "PT123456789"},
	{ISO2: "IT", Culture: "it-IT", Languages: "it en", Cultures: "it-IT", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "39", TaxSample: "IT12345678901"},
	{ISO2: "SE", Culture: "sv-SE", Languages: "sv en", Cultures: "sv-SE", Postal: `^\d{3} ?\d{2}$`, Phone: anyPhone, Calling: "46", TaxSample: "SE123456789012"},
	{ISO2: "NO", Culture: "nb-NO", Languages: "nb en", Cultures: "nb-NO", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "47"},
	{ISO2: "DK", Culture: "da-DK", Languages: "da en", Cultures: "da-DK", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "45", TaxSample: "DK12345678"},
	{ISO2: "FI", Culture: "fi-FI", Languages: "fi sv en", Cultures: "fi-FI sv-FI", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "358", TaxSample: "FI12345678"},
	{ISO2: "IS", Culture: "is-IS", Languages: "is en", Cultures: "is-IS", Postal: `^\d{3}$`, Phone: anyPhone, Calling: "354"},
	{ISO2: "EE", Culture: "et-EE", Languages: "et en", Cultures: "et-EE", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "372"},
	{ISO2: "LV", Culture: "lv-LV", Languages: "lv en", Cultures: "lv-LV", Postal: `^LV-\d{4}$`, Phone: anyPhone, Calling: "371"},
	{ISO2: "LT", Culture: "lt-LT", Languages: "lt en", Cultures: "lt-LT", Postal: `^(LT-)?\d{5}$`, Phone: anyPhone, Calling: "370"},
	{ISO2: "PL", Culture: "pl-PL", Languages: "pl en", Cultures: "pl-PL", Postal: `^\d{2}-\d{3}$`, Phone: anyPhone, Calling: "48", TaxSample: "PL1234567890"},
	{ISO2: "CZ", Culture: "cs-CZ", Languages: "cs en", Cultures: "cs-CZ", Postal: `^\d{3} ?\d{2}$`, Phone: anyPhone, Calling: "420", TaxSample: "CZ12345678"},
	{ISO2: "SK", Culture: "sk-SK", Languages: "sk en", Cultures: "sk-SK", Postal: `^\d{3} ?\d{2}$`, Phone: anyPhone, Calling: "421"},
	{ISO2: "SI", Culture: "sl-SI", Languages: "sl en", Cultures: "sl-SI", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "386"},
	{ISO2: "HR", Culture: "hr-HR", Languages: "hr en", Cultures: "hr-HR", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "385"},
	{ISO2: "HU", Culture: "hu-HU", Languages: "hu en", Cultures: "hu-HU", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "36", TaxSample: "HU12345678"},
	{ISO2: "RO", Culture: "ro-RO", Languages: "ro en", Cultures: "ro-RO", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "40"},
	{ISO2: "BG", Culture: "bg-BG", Languages: "bg en", Cultures: "bg-BG", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "359"},
	{ISO2: "GR", Culture: "el-GR", Languages: "el en", Cultures: "el-GR", Postal: `^\d{3} ?\d{2}$`, Phone: anyPhone, Calling: "30"},
	{ISO2: "CY", Culture: "el-CY", Languages: "el en", Cultures: "el-CY", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "357"},
	{ISO2: "MT", Culture: "en-MT", Languages: "en", Cultures: "en-MT mt-MT", Postal: `^[A-Za-z]{3} ?\d{4}$`, Phone: anyPhone, Calling: "356"},
	{ISO2: "UA", Culture: "uk-UA", Languages: "uk en", Cultures: "uk-UA", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "380"},
	{ISO2: "MD", Culture: "ro-MD", Languages: "ro en", Cultures: "ro-MD", Postal: `^(MD-?)?\d{4}$`, Phone: anyPhone, Calling: "373"},
	{ISO2: "AM", Culture: "hy-AM", Languages: "en", Cultures: "hy-AM", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "374"},
	{ISO2: "AZ", Culture: "az-Latn-AZ", Languages: "en", Cultures: "az-Latn-AZ", Postal: `^(AZ)? ?\d{4}$`, Phone: anyPhone, Calling: "994"},
	{ISO2: "GE", Culture: "ka-GE", Languages: "en", Cultures: "ka-GE", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "995"},
	{ISO2: "BY", Culture: "be-BY", Languages: "ru en", Cultures: "be-BY ru-BY", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "375"},
	{ISO2: "KZ", Culture: "kk-KZ", Languages: "kk ru en", Cultures: "kk-KZ ru-KZ", Postal: `^(\d{6}|[A-Za-z]\d{2}[A-Za-z]\d[A-Za-z]\d)$`, Phone: anyPhone, Calling: "7"},
	{ISO2: "KG", Culture: "ky-KG", Languages: "ru en", Cultures: "ky-KG", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "996"},
	{ISO2: "TJ", Culture: "tg-Cyrl-TJ", Languages: "ru en", Cultures: "tg-Cyrl-TJ", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "992"},
	{ISO2: "UZ", Culture: "uz-Latn-UZ", Languages: "ru en", Cultures: "uz-Latn-UZ", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "998"},
	{ISO2: "RU", Culture: "ru-RU", Languages: "ru en", Cultures: "ru-RU", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "7"},
	{ISO2: "TR", Culture: "tr-TR", Languages: "tr en", Cultures: "tr-TR", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "90"},
	{ISO2: "IL", Culture: "he-IL", Languages: "he en", Cultures: "he-IL", Postal: `^\d{5}(\d{2})?$`, Phone: anyPhone, Calling: "972"},
	{ISO2: "AE", Culture: "ar-AE", Languages: "ar en", Cultures: "ar-AE", Phone: anyPhone, Calling: "971"},
	{ISO2: "SA", Culture: "ar-SA", Languages: "ar en", Cultures: "ar-SA", Postal: `^\d{5}(-\d{4})?$`, Phone: anyPhone, Calling: "966"},
	{ISO2: "QA", Culture: "ar-QA", Languages: "ar en", Cultures: "ar-QA", Phone: anyPhone, Calling: "974"},
	{ISO2: "IQ", Culture: "ar-IQ", Languages: "ar en", Cultures: "ar-IQ", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "964"},
	{ISO2: "EG", Culture: "ar-EG", Languages: "ar en", Cultures: "ar-EG", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "20"},
	{ISO2: "MA", Culture: "fr-MA", Languages: "fr ar en", Cultures: "fr-MA ar-MA", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "212"},
	{ISO2: "ZA", Culture: "en-ZA", Languages: "en", Cultures: "en-ZA", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "27"},
	{ISO2: "KE", Culture: "en-KE", Languages: "en", Cultures: "en-KE", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "254"},
	{ISO2: "NG", Culture: "en-NG", Languages: "en", Cultures: "en-NG", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "234"},
	{ISO2: "SS", Culture: "en-SS", Languages: "en", Cultures: "en-SS", Phone: anyPhone, Calling: "211"},
	{ISO2: "IN", Culture: "en-IN", Languages: "en hi", Cultures: "en-IN hi-IN", Postal: `^[1-9]\d{2} ?\d{3}$`, Phone: anyPhone, Calling: "91"},
	{ISO2: "JP", Culture: "ja-JP", Languages: "ja en", Cultures: "ja-JP", Postal: `^\d{3}-?\d{4}$`, Phone: anyPhone, Calling: "81"},
	{ISO2: "KR", Culture: "ko-KR", Languages: "ko en", Cultures: "ko-KR", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "82"},
	{ISO2: "TW", Culture: "zh-TW", Languages: "zh-Hant en", Cultures: "zh-TW", Postal: `^\d{3}(\d{2,3})?$`, Phone: anyPhone, Calling: "886"},
	{ISO2: "CN", Culture: "zh-CN", Languages: "zh-Hans en", Cultures: "zh-CN", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "86"},
	{ISO2: "TH", Culture: "th-TH", Languages: "th en", Cultures: "th-TH", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "66"},
	{ISO2: "VN", Culture: "vi-VN", Languages: "vi en", Cultures: "vi-VN", Postal: `^\d{5,6}$`, Phone: anyPhone, Calling: "84"},
	{ISO2: "MM", Culture: "my-MM", Languages: "en", Cultures: "my-MM", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "95"},
	{ISO2: "MY", Culture: "ms-MY", Languages: "ms en", Cultures: "ms-MY en-MY", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "60"},
	{ISO2: "ID", Culture: "id-ID", Languages: "id en", Cultures: "id-ID", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "62"},
	{ISO2: "PH", Culture: "en-PH", Languages: "en", Cultures: "en-PH fil-PH", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "63"},
	{ISO2: "BR", Culture: "pt-BR", Languages: "pt en", Cultures: "pt-BR", Postal: `^\d{5}-?\d{3}$`, Phone: anyPhone, Calling: "55", NeedState: true,
		States: "AC AL AP AM BA CE DF ES GO MA MT MS MG PA PB PR PE PI RJ RN RS RO RR SC SP SE TO"},
	{ISO2: "MX", Culture: "es-MX", Languages: "es en", Cultures: "es-MX", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "52"},
	{ISO2: "AR", Culture: "es-AR", Languages: "es en", Cultures: "es-AR", Postal: `^([A-Za-z]\d{4}[A-Za-z]{3}|\d{4})$`, Phone: anyPhone, Calling: "54"},
	{ISO2: "CL", Culture: "es-CL", Languages: "es en", Cultures: "es-CL", Postal: `^\d{3}-?\d{4}$`, Phone: anyPhone, Calling: "56"},
	{ISO2: "CO", Culture: "es-CO", Languages: "es en", Cultures: "es-CO", Postal: `^\d{6}$`, Phone: anyPhone, Calling: "57"},
	{ISO2: "PE", Culture: "es-PE", Languages: "es en", Cultures: "es-PE", Postal: `^\d{5}$`, Phone: anyPhone, Calling: "51"},
	{ISO2: "VE", Culture: "es-VE", Languages: "es en", Cultures: "es-VE", Postal: `^\d{4}$`, Phone: anyPhone, Calling: "58"},
}

// registration holds the countries in which a company registration number is
// mandatory (partner-center §3.2), with the pattern that 600050 names. The patterns
// of the former-Soviet group follow Microsoft's example; the others are lenient,
// because the documents give none.
var registration = map[string]string{
	"AM": `^\d{8}$`, "AZ": `^\d{10}$`, "BY": `^\d{9}$`, "KZ": `^\d{12}$`, "KG": `^\d{14}$`, "MD": `^(\d{7}|\d{13})$`,
	"RU": `^(\d{10}|\d{12}|\d{13})$`, "TJ": `^(\d{7}|\d{9}|\d{10})$`, "UZ": `^\d{9}$`, "UA": `^(\d{8}|\d{10}|\d{12})$`,
	"HU": `^(\d{10}|\d{11}|\d{8}-\d-\d{2}|\d{2}-\d{2}-\d{6})$`,
	"IN": `^([A-Z]{5}\d{4}[A-Z]|[LU]\d{5}[A-Z]{2}\d{4}[A-Z]{3}\d{6}|\d{2}[A-Z]{5}\d{4}[A-Z][A-Z\d]Z[A-Z\d])$`,
	"BR": `^\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}$`,
	"PL": `^(\d{9}|\d{10}|\d{14}|\d{3}-\d{3}-\d{2}-\d{2})$`,
	"ZA": lenient, "AE": lenient, "SA": lenient, "TR": lenient, "TH": lenient, "VN": lenient, "MM": lenient, "IQ": lenient, "SS": lenient, "VE": lenient,
}

const lenient = `^[0-9A-Za-z][0-9A-Za-z ./-]{3,29}$`

// phoneMandatory is the group in which 600051 is answered without a phone number.
var phoneMandatory = map[string]bool{"AM": true, "AZ": true, "BY": true, "HU": true, "IN": true, "KZ": true, "KG": true, "MD": true, "RU": true, "TJ": true, "UZ": true, "UA": true}

var countryIndex = sync.OnceValue(func() map[string]*rules {
	m := make(map[string]*rules, len(countries))
	for _, r := range countries {
		m[r.ISO2] = r
	}
	return m
})

// countryRules finds a country by its ISO code, in any case; nil = unknown. The
// United Kingdom is GB; UK is a well-known mistake and unknown here too.
func countryRules(iso string) *rules {
	r := countryIndex()[strings.ToUpper(iso)]
	if r != nil {
		r.once.Do(func() {
			if r.Postal != "" {
				r.postal = regexp.MustCompile(r.Postal)
			}
			if p := registration[r.ISO2]; p != "" {
				r.register = regexp.MustCompile(p)
			}
		})
	}
	return r
}

// cityState says where an address needs no city.
func cityState(iso string) bool { return iso == "HK" || iso == "SG" }

func (r *rules) phoneRequired() bool { return phoneMandatory[r.ISO2] }

// checkRegistration refuses a missing, malformed or unsupported registration number.
func (r *rules) checkRegistration(n string) *reply {
	var out reply
	switch {
	case r.register == nil && n != "":
		out = pcError(http.StatusBadRequest, 600002, "Organization registration ID value isn't supported", "OrganizationRegistrationNumber")
	case r.register != nil && n == "":
		out = pcError(http.StatusBadRequest, 600049, "Organization registration ID information is missing", "OrganizationRegistrationNumber")
	case r.register != nil && !r.register.MatchString(n):
		out = pcError(http.StatusBadRequest, 600050, "Organization registration ID information is invalid and should be of the format "+r.register.String(), "OrganizationRegistrationNumber")
	default:
		return nil
	}
	return &out
}

func (r *rules) hasState(s string) bool {
	for code := range strings.FieldsSeq(r.States) {
		if strings.EqualFold(code, s) {
			return true
		}
	}
	return r.States == ""
}

// countryBody is CountryValidationRules as the live service and the SDK have it.
type countryBody struct {
	ISO2        string      `json:"iso2Code"`
	Culture     string      `json:"defaultCulture"`
	NeedState   bool        `json:"isStateRequired"`
	States      []string    `json:"supportedStatesList,omitempty"`
	Languages   []string    `json:"supportedLanguagesList,omitempty"`
	Cultures    []string    `json:"supportedCulturesList,omitempty"`
	NeedPostal  bool        `json:"isPostalCodeRequired"`
	PostalRegex string      `json:"postalCodeRegex"`
	NeedCity    bool        `json:"isCityRequired"`
	VAT         bool        `json:"isVatIdSupported"`
	TaxFormat   *string     `json:"taxIdFormat"`
	TaxSample   *string     `json:"taxIdSample"`
	VATRegex    *string     `json:"vatIdRegex"`
	PhoneRegex  string      `json:"phoneNumberRegex"`
	Tax         bool        `json:"isTaxIdSupported"`
	TaxOptional bool        `json:"isTaxIdOptional"`
	Calling     []string    `json:"countryCallingCodesList,omitempty"`
	Attribute   attributes  `json:"attributes"`
	PageStates  *nestedList `json:"states,omitempty"`
	PageLang    *nestedList `json:"supportedLanguages,omitempty"`
	PageCult    *nestedList `json:"supportedCultures,omitempty"`
	PageCall    *nestedList `json:"countryCallingCodes,omitempty"`
}

// nestedList is a list in the shape of the documentation's sample.
type nestedList struct {
	Value []string `json:"value"`
}

// getCountryRules answers GET /v1/countryvalidationrules/{country}.
func getCountryRules(c *call) reply {
	r := countryRules(c.param("country"))
	if r == nil {
		return pcError(http.StatusNotFound, 1000, "Not found")
	}
	fields := func(s string) []string { return append([]string{}, strings.Fields(s)...) }
	out := countryBody{
		ISO2: r.ISO2, Culture: r.Culture, NeedState: r.NeedState, NeedPostal: r.Postal != "", PostalRegex: r.Postal, NeedCity: !cityState(r.ISO2),
		VAT: r.TaxSample != "", PhoneRegex: r.Phone, Tax: r.TaxSample != "", TaxOptional: true, Attribute: attributes{Type: "CountryValidationRules"},
	}
	if r.TaxSample != "" {
		vat := "^" + r.ISO2 + `[0-9A-Za-z]{8,12}$`
		out.TaxSample, out.TaxFormat, out.VATRegex = &r.TaxSample, &vat, &vat
	}
	if c.s.settings().CountryPageShape {
		out.PageStates, out.PageLang = &nestedList{fields(r.States)}, &nestedList{fields(r.Languages)}
		out.PageCult, out.PageCall = &nestedList{fields(r.Cultures)}, &nestedList{fields(r.Calling)}
		return ok(out)
	}
	out.States, out.Languages, out.Cultures, out.Calling = fields(r.States), fields(r.Languages), fields(r.Cultures), fields(r.Calling)
	return ok(out)
}
