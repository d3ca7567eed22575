package web

import (
	"strconv"

	"causeway/internal/billing"
	"causeway/internal/money"
	"causeway/internal/usage"
	"causeway/internal/web/ui"
)

// reconciled reads what a file of the close is made of.
func (s *Server) reconciled(v *visit) (*billing.Cycle, billing.Reconciliation, error) {
	m, err := v.closingMonth()
	if err != nil {
		return nil, billing.Reconciliation{}, err
	}
	c, err := s.cycle()
	if err != nil {
		return nil, billing.Reconciliation{}, err
	}
	r, err := c.Reconcile(v.ctx(), v.me, m)
	return c, r, err
}

// exportOpenAccounts: GET /staff/billing/close/accounts.csv?month= is the second formula of
// every account that is not at zero, to the last digit.
func (s *Server) exportOpenAccounts(v *visit) error {
	_, r, err := s.reconciled(v)
	if err != nil {
		return err
	}
	out := [][]string{{"month", "account", "currency", "lines", "cost", "margin", "earned_credit", "exchange", "rounding", "unclassified", "cost_not_billed", "cost_currency"}}
	for _, a := range r.Open {
		row := []string{string(r.Month), a.Account, string(a.Lines.Currency())}
		for _, x := range []money.Amount{a.Lines, a.Cost, a.Margin, a.Earned, a.Gain, a.Rounding, a.Unclassified, a.CostGap} {
			row = append(row, x.Text())
		}
		out = append(out, append(row, string(a.CostGap.Currency())))
	}
	return v.csvFile("open-accounts-"+string(r.Month)+".csv", out)
}

// exportCauses: GET /staff/billing/close/differences.csv?month= is every class of
// difference by account, with the largest as evidence.
func (s *Server) exportCauses(v *visit) error {
	_, r, err := s.reconciled(v)
	if err != nil {
		return err
	}
	out := [][]string{{"month", "from", "account", "class", "amount", "currency", "differences", "evidence"}}
	for _, c := range r.Causes {
		proof := ""
		if len(c.Largest) > 0 {
			proof = c.Largest[0].Evidence
		}
		out = append(out, []string{string(r.Month), c.Bridge, c.Account, string(c.Class), c.Amount.Text(), string(c.Amount.Currency()), strconv.FormatInt(c.Things, 10), proof})
	}
	return v.csvFile("differences-"+string(r.Month)+".csv", out)
}

// exportSuspense: GET /staff/billing/close/suspense.csv?month= is what belongs to nobody.
func (s *Server) exportSuspense(v *visit) error {
	c, r, err := s.reconciled(v)
	if err != nil {
		return err
	}
	list, err := c.Suspense(v.ctx(), v.me, r.Month)
	if err != nil {
		return err
	}
	out := [][]string{{"month", "tenant", "subscription", "from", "to", "days", "records", "cost", "currency", "billed"}}
	for _, x := range list {
		out = append(out, []string{string(x.Month), x.Tenant, x.Entitlement, string(x.From), string(x.To), strconv.Itoa(x.Days), strconv.FormatInt(x.Rows, 10), x.Cost.Text(), string(x.Cost.Currency()), strconv.FormatBool(x.Billed)})
	}
	return v.csvFile("suspense-"+string(r.Month)+".csv", out)
}

// exportChecklist: GET /staff/billing/close/checklist.csv?month= is how far the month is,
// and what is missing.
func (s *Server) exportChecklist(v *visit) error {
	c, r, err := s.reconciled(v)
	if err != nil {
		return err
	}
	list, err := c.Suspense(v.ctx(), v.me, r.Month)
	if err != nil {
		return err
	}
	drafts, issued, err := c.Counts(v.ctx(), r.Month)
	if err != nil {
		return err
	}
	out := [][]string{{"month", "what", "done", "how"}}
	for _, x := range closeChecks(v, r, list, drafts, issued) {
		out = append(out, []string{string(r.Month), x.Title, strconv.FormatBool(x.State == ui.StateReady), x.Text})
	}
	for _, why := range r.Missing {
		out = append(out, []string{string(r.Month), "Missing", "false", why})
	}
	return v.csvFile("checklist-"+string(r.Month)+".csv", out)
}

// closeFile is the address of a file of a month's close.
func closeFile(name string, m usage.Month) string {
	return "/staff/billing/close/" + name + ".csv?month=" + string(m)
}

// exportDocuments: GET /staff/billing/invoices.csv?month=&status= is all documents of a month.
func (s *Server) exportDocuments(v *visit) error {
	m, err := v.closingMonth()
	if err != nil {
		return err
	}
	docs, err := s.documentsOf(v, m)
	if err != nil {
		return err
	}
	out := [][]string{{"period", "number", "kind", "seller", "account", "buyer", "cost_center", "status", "net", "tax", "total", "currency", "due", "key"}}
	for _, d := range docs {
		out = append(out, []string{string(d.Period), d.Number, string(d.Kind), d.Entity, d.Account, d.Buyer.Name, d.CostCenter, string(d.Status), d.Net.Text(), d.Tax.Text(), d.Total.Text(), string(d.Currency), string(d.DueDay), d.Key})
	}
	return v.csvFile("documents-"+string(m)+".csv", out)
}
