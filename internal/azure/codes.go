package azure

import (
	"strconv"
	"strings"
)

// Codes that our steps branch on.
const (
	CodeNotFound            = "1000"
	CodeETag                = "2055"
	CodePartnerUnknown      = "3000"
	CodeNoRelationship      = "20002"
	CodeAgreementMissing    = "13605"
	CodeAgreementExists     = "600061" // same signatory; believe it only when read back for this customer
	CodeNoAccountStatus     = "600074" // nothing on record: allowed
	CodeNoMFA               = "900421"
	CodeAppOnlyRefused      = "900329"
	CodeAccountReview       = "800073"
	CodeAccountReview2      = "800074"
	CodeAccountRefused      = "800075"
	CodeCartGone            = "800008"
	CodeCartLine            = "800009"
	CodeOrderInProgress     = "800060"
	CodeCartInProgress      = "800064"
	CodeCartSubmitted       = "800065" // look at the orders
	CodePlanHasActive       = "900115"
	CodeAvailabilityGone    = "400019"
	CodeRoleAssigned        = "RoleAssignmentExists"
	CodeRoleUnknown         = "RoleDefinitionDoesNotExist"
	CodeScopeNotAssignable  = "RoleAssignmentScopeNotAssignableToRoleDefinition"
	CodeSubscriptionUnknown = "SubscriptionNotFound"
	CodePrincipalNotFound   = "PrincipalNotFound"
	CodeAuthorizationFailed = "AuthorizationFailed"
	CodeDisallowedByPolicy  = "RequestDisallowedByPolicy"
	CodeNoConsent           = "AADSTS65001"
	CodeAppNotInTenant      = "AADSTS700016"
)

// Explanation is what one of Microsoft's codes means and what to do about it.
type Explanation struct {
	Code   string
	Class  Class
	Soon   bool   // the class holds only soon after a creation or a change of rights; later it is final
	Vague  bool   // a general code: the error's details say more
	Field  string // field of our form, "" if none is at fault
	Reason string // a sentence, for staff and, where a field is named, for customers
	Remedy string // a sentence
}

// Explain gives the meaning of a code: of Partner Center ("13605"), Azure Resource
// Manager and Graph ("AuthorizationFailed") or Entra ID ("AADSTS50076").
func Explain(code string) (Explanation, bool) {
	x, ok := explanations[strings.ToLower(code)]
	x.Code = code
	return x, ok
}

// meaning is one row of the tables: codes that mean the same, as "a b c-d".
type meaning struct {
	codes          string
	class          Class
	soon           bool
	vague          bool
	field          string
	reason, remedy string
}

var explanations = explain(partnerCodes, azureCodes, entraCodes)

func explain(tables ...[]meaning) map[string]Explanation {
	all := map[string]Explanation{}
	for _, table := range tables {
		for _, m := range table {
			class := m.class
			if class == "" {
				class = F
			}
			for _, code := range expand(m.codes) {
				all[strings.ToLower(code)] = Explanation{
					Class: class, Soon: m.soon, Vague: m.vague, Field: m.field, Reason: m.reason, Remedy: m.remedy,
				}
			}
		}
	}
	return all
}

// expand reads "a b c-d".
func expand(codes string) []string {
	var all []string
	for _, word := range strings.Fields(codes) {
		from, to, isRange := strings.Cut(word, "-")
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if !isRange || err1 != nil || err2 != nil {
			all = append(all, word)
			continue
		}
		for n := first; n <= last; n++ {
			all = append(all, strconv.Itoa(n))
		}
	}
	return all
}

// Remedies that many codes share.
const (
	byItself   = "It is asked again by itself; nothing is needed."
	askDoctor  = "Run causeway doctor: it names the right that is missing."
	askStaff   = "Open a ticket with Microsoft and give it the request id."
	reconnect  = "Connect the partner again: causeway partner connect, or Staff, Partner, Connect, and sign in with MFA."
	readAgain  = "It is read again and written again by itself."
	tryBuying  = "The catalogue is read again and the purchase is tried with what it offers now; if it fails again, look into Partner Center."
	fixAndTry  = "Correct it and try again."
	ticketSell = "Look into Partner Center under the customer; if it shows nothing, open a ticket with Microsoft."
)
