package agreement

import (
	_ "embed"
	"strings"
	"time"

	"causeway/internal/partner"
)

//go:embed terms-6.md
var terms6 string

//go:embed terms-7.md
var terms7 string

// MicrosoftLink is where Microsoft keeps its agreement for every country.
// https://learn.microsoft.com/partner-center/developer/get-customer-agreement-metadata
const MicrosoftLink = "https://aka.ms/customeragreement"

// Initial are first documents to start with, in the brand's words: versions 6
// and 7 of partner's terms and the reference to Microsoft's agreement, for the
// United States and for everywhere else. They are an example, no legal advice:
// a partner publishes its own terms as the next version.
func Initial(b partner.Brand) []Draft {
	phone := ""
	if b.SupportPhone != "" {
		phone = ", or call " + b.SupportPhone
	}
	words := strings.NewReplacer(
		"{partner}", b.Partner, "{Partner}", b.PartnerTitle(), "{product}", b.Product, "{account}", b.AccountWord, "{an account}", b.An(), "{administrator}", b.AdministratorWord,
		"{line}", b.LineLabel, "{late line}", b.LateLineLabel, "{email}", b.ContactEmail, "{phone}", phone,
	)
	var all []Draft
	for _, country := range []string{"US", Everywhere} {
		law := "the law of the country in which your company is registered"
		if country == "US" {
			law = "the law of the State of New York"
		}
		text := func(s string) string { return strings.ReplaceAll(words.Replace(s), "{law}", law) }
		all = append(all,
			Draft{
				Kind: PartnerTerms, Country: country, Language: "en-US", Version: 6, Title: b.TermsTitle, Text: text(terms6),
				ValidFrom: time.Date(2016, 12, 28, 0, 0, 0, 0, time.UTC),
			},
			Draft{
				Kind: PartnerTerms, Country: country, Language: "en-US", Version: 7, Title: b.TermsTitle, Text: text(terms7),
				Note: "Section 2 says how usage is billed that Microsoft reports late.", ValidFrom: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC),
			},
			Draft{
				Kind: MicrosoftAgreement, Country: country, Language: "en-US", Version: 1, Title: "Microsoft Customer Agreement", Link: MicrosoftLink,
				Text: "Microsoft keeps this agreement and shows it on its own page, in the version for your country. It is between your company and Microsoft, and covers your use of Azure.\n\n" +
					"[Microsoft Customer Agreement](" + MicrosoftLink + ")",
				ValidFrom: time.Date(2016, 12, 28, 0, 0, 0, 0, time.UTC),
			},
		)
	}
	return all
}
