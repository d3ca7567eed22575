package web

import "causeway/internal/account"

// who may ask for a route at all; what it shows or does is asked again with the
// object's owner where the deed is done.
type who string

const (
	everybody who = "everybody" // also without a sign-in
	person    who = "person"    // who is signed in
	staff     who = "staff"     // the partner's people
)

// route is one line of the table below.
type route struct {
	pattern string
	who     who
	act     account.Action // "" = none is needed
	handle  func(*visit) error
}

// routes is every address of the portal.
func (s *Server) routes() []route {
	return []route{
		{"/", everybody, "", s.nothing},
		{"GET /{$}", everybody, "", s.front},
		{"GET /brand.css", everybody, "", s.brandCSS},
		{"GET /brand/mark.svg", everybody, "", s.brandMark},
		{"GET /signin", everybody, "", s.signInPage},
		{"POST /signin", everybody, "", s.signIn},
		{"POST /signout", person, "", s.signOut},
		{"GET /help", everybody, "", s.help},
		{"GET /terms/{id}", everybody, "", s.document},
		{"GET /terms/{id}/compare", everybody, "", s.compareDocument},
		{"GET /sign/{token}", everybody, "", s.signPage},
		{"POST /sign/{token}", everybody, "", s.sign},
		{"POST /sign/{token}/decline", everybody, "", s.declineToSign},
		{"GET /sign/{token}/attestation", everybody, "", s.signAttestation},

		{"GET /providers", person, account.ActProviderView, s.listProviders},
		{"GET /providers/list.csv", person, account.ActProviderView, s.exportProviders},
		{"GET /providers/existing", person, account.ActProviderView, s.existingAccount},
		{"POST /providers/new", person, account.ActProviderCreate, s.newProvider},
		{"GET /providers/{id}", person, account.ActProviderView, s.provider},
		{"GET /providers/{id}/events", person, account.ActProviderView, s.events},
		{"GET /providers/{id}/panel", person, account.ActProviderView, s.panel},
		{"GET /providers/{id}/receipt", person, account.ActReceiptView, s.receipt},
		{"POST /providers/{id}/mail", person, account.ActProviderEdit, s.mailMe},
		{"POST /providers/{id}/cancel", person, account.ActProviderView, s.cancel}, // a draft may be dropped by everyone who fills it in
		{"POST /providers/{id}/withdraw", person, account.ActTermsAccept, s.withdraw},
		{"POST /providers/{id}/fix", person, account.ActOnboardingEdit, s.fix},
		{"POST /providers/{id}/credentials", person, account.ActCredentialsShow, s.credentials},

		{"GET /providers/{id}/wizard", person, account.ActProviderView, s.resumeWizard},
		{"GET /providers/{id}/wizard/{step}", person, account.ActProviderView, s.showStep},
		{"POST /providers/{id}/wizard/{step}", person, account.ActProviderEdit, s.takeStep},
		{"POST /providers/{id}/connect", person, account.ActAccountConnect, s.connect},
		{"GET /providers/{id}/checking", person, account.ActProviderEdit, s.checking},
		{"GET /providers/{id}/domain", person, account.ActProviderView, s.checkDomain},
		{"GET /providers/{id}/attestation", person, account.ActProviderView, s.attestation},
		{"POST /providers/{id}/attestation", person, account.ActTermsAccept, s.startAttestation},

		{"GET /accounts", person, account.ActAccountView, s.listAccounts},
		{"GET /accounts/{alias}", person, account.ActAccountView, s.account},
		{"GET /receipts/{id}", person, account.ActReceiptView, s.keptReceipt},
		{"GET /requests", person, account.ActRequestView, s.listRequests},
		{"POST /requests", person, account.ActRequestCreate, s.ask},
		{"GET /requests/reservation", person, account.ActRequestView, s.reservationForm},
		{"POST /requests/reservation", person, account.ActRequestCreate, s.askReservation},
		{"POST /requests/{id}/withdraw", person, account.ActRequestWithdraw, s.withdrawRequest},
		{"GET /people", person, account.ActUserView, s.listPeople},
		{"POST /people", person, account.ActUserCreate, s.addPerson},
		{"POST /people/password", person, "", s.changePassword},
		{"POST /people/{user}", person, account.ActUserChange, s.changePerson},
		{"GET /services", person, account.ActGuardrailView, s.services},
		{"GET /usage", person, account.ActUsageView, s.usageDashboard},
		{"GET /usage/months.csv", person, account.ActUsageView, s.exportMonths},
		{"GET /usage/breakdown.csv", person, account.ActUsageView, s.exportBreakdown},
		{"GET /usage/budgets", person, account.ActUsageView, s.budgets},
		{"GET /usage/budgets/edit", person, account.ActBudgetChange, s.budgetForm},
		{"POST /usage/budgets", person, account.ActBudgetChange, s.saveBudget},
		{"POST /usage/budgets/delete", person, account.ActBudgetChange, s.dropBudget},
		{"GET /usage/history", person, account.ActUsageView, s.usageHistory},
		{"GET /usage/history/{alias}/{month}", person, account.ActUsageView, s.usageMonth},
		{"GET /usage/history/{alias}/{month}/usage.csv", person, account.ActUsageView, s.usageMonthFile},
		{"GET /usage/account/{alias}/{month}", person, account.ActUsageView, s.usageSlice},
		{"GET /usage/account/{alias}/{month}/records.csv", person, account.ActUsageView, s.recordsFile},
		{"GET /invoices/{id}", person, account.ActUsageView, s.invoicePage},
		{"GET /invoices/{id}/{file}", person, account.ActUsageView, s.invoiceFile},
		{"GET /search", person, account.ActProviderView, s.search},

		{"GET /staff", staff, account.ActPartnerView, s.staffHome},
		{"GET /staff/customers", staff, account.ActOrgView, s.listCustomers},
		{"GET /staff/customers/{org}", staff, account.ActOrgView, s.customer},
		{"GET /staff/onboardings", staff, account.ActOnboardingView, s.listOnboardings},
		{"GET /staff/onboardings/{id}", staff, account.ActOnboardingView, s.onboarding},
		{"GET /staff/onboardings/{id}/exchange", staff, account.ActExchangeView, s.exchangeText},
		{"POST /staff/onboardings/{id}/edit", staff, account.ActOnboardingEdit, s.editOnboarding},
		{"POST /staff/onboardings/{id}/retry", staff, account.ActOnboardingRetry, s.retryOnboarding},
		{"POST /staff/onboardings/{id}/cancel", staff, account.ActOnboardingCancel, s.cancelOnboarding},
		{"GET /staff/differences", staff, account.ActDifferenceView, s.differences},
		{"GET /staff/differences/list.csv", staff, account.ActDifferenceView, s.exportDifferences},
		{"POST /staff/differences/sweep", staff, account.ActSweep, s.askSweep},
		{"POST /staff/differences/apply", staff, account.ActDifferenceResolve, s.applyProposals},
		{"POST /staff/differences/{id}/resolve", staff, account.ActDifferenceResolve, s.resolveDifference},
		{"GET /staff/requests", staff, account.ActRequestView, s.staffRequests},
		{"POST /staff/requests/{id}/decide", staff, account.ActRequestDecide, s.decide},
		{"GET /staff/billing", staff, account.ActBillingView, s.billingMonth},
		{"GET /staff/billing/list.csv", staff, account.ActBillingView, s.exportBilling},
		{"GET /staff/billing/invoices", staff, account.ActBillingView, s.billingDocuments},
		{"GET /staff/billing/close", staff, account.ActBillingView, s.closing},
		{"GET /staff/billing/invoices.csv", staff, account.ActBillingView, s.exportDocuments},
		{"GET /staff/billing/close/work", staff, account.ActBillingView, s.closingWork},
		{"GET /staff/billing/close/accounts.csv", staff, account.ActBillingView, s.exportOpenAccounts},
		{"GET /staff/billing/close/differences.csv", staff, account.ActBillingView, s.exportCauses},
		{"GET /staff/billing/close/suspense.csv", staff, account.ActBillingView, s.exportSuspense},
		{"GET /staff/billing/close/checklist.csv", staff, account.ActBillingView, s.exportChecklist},
		{"POST /staff/billing/close", staff, account.ActBillingClose, s.closeMonth},
		{"POST /staff/billing/approve", staff, account.ActBillingIssue, s.approveMonth},
		{"POST /staff/billing/assign", staff, account.ActBillingChange, s.assignSuspense},
		{"POST /staff/billing/carry", staff, account.ActBillingClose, s.carrySuspense},
		{"GET /staff/billing/settings", staff, account.ActBillingView, s.billingSettings},
		{"POST /staff/billing/settings", staff, account.ActBillingChange, s.saveBillingSettings},
		{"GET /staff/billing/accounts/{alias}", staff, account.ActBillingView, s.accountBilling},
		{"POST /staff/billing/accounts/{alias}", staff, account.ActBillingChange, s.saveAccountBilling},
		{"GET /staff/billing/accounting", staff, account.ActBillingChange, s.accounting},
		{"POST /staff/billing/accounting", staff, account.ActBillingChange, s.saveAccounting},
		{"GET /staff/prices", staff, account.ActPriceView, s.priceLists},
		{"POST /staff/prices", staff, account.ActPriceChange, s.savePrices},
		{"GET /staff/prices/list.csv", staff, account.ActPriceView, s.exportLists},
		{"GET /staff/prices/{list}", staff, account.ActPriceView, s.priceList},
		{"GET /staff/prices/{list}/lab", staff, account.ActPriceView, s.priceLab},
		{"GET /staff/prices/{list}/rules.csv", staff, account.ActPriceView, s.exportRules},
		{"GET /staff/prices/{list}/lab.csv", staff, account.ActPriceView, s.exportLab},
		{"GET /staff/prices/{list}/part", staff, account.ActPriceChange, s.pricePart},
		{"POST /staff/prices/{list}/part", staff, account.ActPriceChange, s.savePricePart},
		{"POST /staff/prices/{list}/withdraw", staff, account.ActPriceChange, s.withdrawPrices},
		{"POST /staff/prices/{list}/activate", staff, account.ActPriceChange, s.activatePrices},
		{"POST /staff/prices/{list}/assign", staff, account.ActPriceChange, s.assignPrices},
		{"GET /staff/brand", staff, account.ActSettingsView, s.brandSettings},
		{"POST /staff/brand", staff, account.ActSettingsChange, s.saveBrand},
		{"GET /staff/eligibility", staff, account.ActSettingsView, s.ruleSettings},
		{"POST /staff/eligibility", staff, account.ActSettingsChange, s.saveRules},
		{"GET /staff/microsoft", staff, account.ActSettingsView, s.microsoftSettings},
		{"POST /staff/microsoft", staff, account.ActSettingsChange, s.saveMicrosoft},
		{"GET /staff/services", staff, account.ActGuardrailView, s.serviceSettings},
		{"POST /staff/services", staff, account.ActGuardrailChange, s.saveServices},
		{"GET /staff/agreements", staff, account.ActAgreementView, s.agreements},
		{"POST /staff/agreements", staff, account.ActAgreementPublish, s.publish},
		{"GET /staff/audit", staff, account.ActAuditView, s.audit},
		{"GET /staff/mail", staff, account.ActMailView, s.outbox},
		{"POST /staff/mail/{id}/retry", staff, account.ActMailRetry, s.retryMail},
	}
}
