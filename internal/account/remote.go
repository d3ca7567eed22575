package account

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"causeway/internal/account/sqlc"
	"causeway/internal/address"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/store"

	"golang.org/x/sync/errgroup"
)

// CLC is a remote directory that speaks the CLC API: the v2 login, and the v1
// calls for accounts, which v2 never had.
type CLC struct {
	// Base is where the API answers, e.g. https://api.ctl.io; "/v2/…" and
	// "/REST/…" are put behind it.
	Base string
	// Client makes the calls; nil = one of ours.
	Client *http.Client
	// APIKey and APIPassword are a v1 API user of the partner's. It sees all
	// accounts, so ancestors are known too. Left out, the v1 calls carry the
	// bearer token of the person's login.
	APIKey, APIPassword string
	// Timeout bounds one connection, all its calls together; 0 = 20 s.
	Timeout time.Duration
}

// WithCLC asks this remote directory for account administrators instead of the
// one built in.
func WithCLC(c CLC) Option {
	return func(d *Directory) {
		client := http.Client{}
		if c.Client != nil {
			client = *c.Client
		}
		// A redirected login would carry the password to wherever it points.
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		c.Client = &client
		if c.Timeout == 0 {
			c.Timeout = 20 * time.Second
		}
		c.Base = strings.TrimSuffix(c.Base, "/")
		d.source = &clc{CLC: c}
	}
}

type clc struct {
	CLC
	plain atomic.Bool // this server knows the v1 calls without /JSON behind their names
}

func (*clc) name() string { return SourceCLC }

// administers cannot be answered: the directory wants the password, and that
// was not kept.
func (*clc) administers(context.Context, string, Alias) (bool, error) {
	return false, fault.Refuse(fault.Refusal{
		Field: "connection", Code: CodeConnectAgain,
		Reason: "The account connection is too old to begin with.",
		Remedy: "Connect again as account administrator.",
	}).In(fault.Forbidden)
}

// The v1 statuses of an account.
const (
	clcActive  = 1
	clcDemo    = 4
	detailsPar = 4 // calls at once for the details of accounts
)

type clcAccount struct {
	AccountAlias string
	ParentAlias  string
	BusinessName string
	IsActive     bool
}

type clcDetails struct {
	AccountAlias, ParentAlias, BusinessName  string
	Address1, Address2, City, StateProvince  string
	PostalCode, Country, Telephone, TimeZone string
	Status                                   int
}

type clcUser struct {
	UserName, EmailAddress, FirstName, LastName string
}

func (c *clc) prove(ctx context.Context, login, password string) (proof, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var who struct {
		UserName     string   `json:"userName"`
		AccountAlias string   `json:"accountAlias"`
		Roles        []string `json:"roles"`
		BearerToken  string   `json:"bearerToken"`
	}
	status, err := c.post(ctx, "/v2/authentication/login", "", nil, map[string]string{"username": login, "password": password}, &who)
	if err != nil {
		return proof{}, err
	}
	if status == http.StatusBadRequest || status == http.StatusUnauthorized {
		return proof{}, errWrongLogin
	}
	if status != http.StatusOK || who.BearerToken == "" {
		return proof{}, c.unavailable(fmt.Errorf("login answered %d", status))
	}
	own := Alias(strings.ToUpper(who.AccountAlias))
	p := proof{login: login, own: own, remote: true}
	if !slices.ContainsFunc(who.Roles, func(r string) bool { return strings.EqualFold(r, "AccountAdmin") }) {
		return p, nil
	}
	bearer, cookies := who.BearerToken, []*http.Cookie(nil)
	if c.APIKey != "" {
		if cookies, err = c.logon(ctx); err != nil {
			return proof{}, err
		}
		bearer = ""
	}
	v1 := func(ctx context.Context, call string, in, out any) error {
		return c.v1(ctx, call, bearer, cookies, in, out)
	}

	var all struct{ Accounts []clcAccount }
	if err := v1(ctx, "Account/GetAccounts", struct{}{}, &all); err != nil {
		return proof{}, err
	}
	aliases := below(all.Accounts, own)
	var person struct{ UserDetails clcUser }
	if err := v1(ctx, "User/GetUserDetails", map[string]string{"UserName": login, "AccountAlias": string(own)}, &person); err != nil {
		return proof{}, err
	}
	list := make([]Account, len(aliases))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(detailsPar)
	for i, alias := range aliases {
		g.Go(func() error {
			var d struct{ AccountDetails clcDetails }
			if err := v1(ctx, "Account/GetAccountDetails", map[string]string{"AccountAlias": string(alias)}, &d); err != nil {
				return err
			}
			list[i] = d.AccountDetails.account(alias, person.UserDetails)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return proof{}, err
	}
	p.accounts = list
	return p, nil
}

// below gives own and all accounts under it, as far as they are listed: a
// partner's API user sees more than the person administers.
func below(all []clcAccount, own Alias) []Alias {
	children := map[Alias][]Alias{}
	known := map[Alias]bool{}
	for _, a := range all {
		alias, parent := Alias(strings.ToUpper(a.AccountAlias)), Alias(strings.ToUpper(a.ParentAlias))
		known[alias] = true
		children[parent] = append(children[parent], alias)
	}
	if !known[own] {
		return nil
	}
	list, seen := []Alias{own}, map[Alias]bool{own: true}
	for i := 0; i < len(list); i++ {
		for _, c := range children[list[i]] {
			if !seen[c] {
				seen[c] = true
				list = append(list, c)
			}
		}
	}
	return slices.DeleteFunc(list, func(a Alias) bool { return !a.valid() })
}

// account is what the remote directory knows of an account. It has no flags
// but demo; those are kept here.
func (d clcDetails) account(alias Alias, u clcUser) Account {
	a := Account{
		Alias: alias, Name: d.BusinessName, Parent: Alias(strings.ToUpper(d.ParentAlias)), Source: SourceCLC,
		Address: address.Normal(address.Address{
			Country: clcCountry(d.Country), Line1: d.Address1, Line2: d.Address2, City: d.City, State: d.StateProvince, PostalCode: d.PostalCode,
		}),
		Contact: Contact{FirstName: u.FirstName, LastName: u.LastName, Email: u.EmailAddress, Phone: d.Telephone},
		Demo:    d.Status == clcDemo, Disabled: d.Status != clcActive && d.Status != clcDemo,
	}
	if !a.Parent.valid() || a.Parent == a.Alias {
		a.Parent = ""
	}
	if a.Name == "" {
		a.Name = string(alias)
	}
	return a
}

// clcCountry reads the directory's country, which people typed as code or name.
func clcCountry(s string) string {
	s = strings.TrimSpace(s)
	switch up := strings.ToUpper(s); up {
	case "UK", "GREAT BRITAIN", "ENGLAND", "SCOTLAND", "WALES":
		return "GB"
	case "USA", "UNITED STATES OF AMERICA":
		return "US"
	default:
		if address.Known(up) {
			return up
		}
	}
	for _, c := range address.Countries() {
		if strings.EqualFold(c.Name, s) {
			return c.Code
		}
	}
	return ""
}

// keepRemote keeps here what the remote directory says of an account, and
// leaves the flags, the credit limit and the corrections of staff alone. An
// account that is new here belongs to the organization that connects it first;
// it is billable, and its credit limit is 0 until staff set one.
func (d *Directory) keepRemote(ctx context.Context, tx *store.Tx, by Actor, a Account) (Account, error) {
	q := sqlc.New(tx)
	r, err := q.GetAccount(ctx, string(a.Alias))
	now := d.now().UTC().Truncate(time.Microsecond)
	a.ChangedAt = now
	var c checks // a remote directory may hold what our forms would refuse; only what cannot be stored is dropped
	for _, s := range []*string{
		&a.Name, &a.Address.Line1, &a.Address.Line2, &a.Address.City, &a.Address.State, &a.Address.PostalCode,
		&a.Contact.FirstName, &a.Contact.LastName, &a.Contact.Email, &a.Contact.Phone,
	} {
		*s = c.line("", "", *s, 0, maxName)
	}
	if a.Name == "" {
		a.Name = string(a.Alias)
	}
	if err != nil {
		if fault.KindOf(store.Found(err, "none")) != fault.NotFound {
			return a, fmt.Errorf("look for account %s: %w", a.Alias, err)
		}
		a.Org, a.Billable, a.Language, a.Currency = by.Org, true, Language(a.Address.Country), "USD"
		a.CreditLimit, a.CreatedAt, a.Version = money.Zero(a.Currency), now, 1
		row, err := accountRow(a)
		if err != nil {
			return a, err
		}
		if err := q.AddAccount(ctx, sqlc.AddAccountParams(row)); err != nil {
			return a, fmt.Errorf("keep account %s: %w", a.Alias, err)
		}
		return a, d.record(ctx, tx, by, a.Org, "account.import", object(a.Alias), facts(a))
	}
	former, err := billingAccount(r)
	if err != nil {
		return a, err
	}
	if former.Org != by.Org { // somebody else's: not even looked at
		return former, nil
	}
	next := former
	next.Name, next.Address, next.Contact, next.Parent, next.Disabled = a.Name, a.Address, a.Contact, a.Parent, a.Disabled
	next.Demo = a.Demo || former.Demo
	if former.Contact.Email != "" && a.Contact.Email == "" {
		next.Contact = former.Contact
	}
	if next == former {
		return former, nil
	}
	next.ChangedAt = now
	return d.updateAccount(ctx, tx, by, next)
}

// unavailable hides what went wrong behind words for the person; the cause is
// for the log and holds no secret.
func (c *clc) unavailable(cause error) error {
	return fault.Refuse(fault.Refusal{
		Code: "directory-unavailable", Reason: "The account directory does not answer at the moment.", Remedy: "Try again in a few minutes; nothing was changed.",
	}).In(fault.Unavailable).Because(cause)
}

// post makes one call. It never puts a body into an error: it may be a password.
func (c *clc) post(ctx context.Context, path, bearer string, cookies []*http.Cookie, in, out any) (status int, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, errors.New("account: a call to the directory cannot be written")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("account: the directory's address is not usable: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	for _, k := range cookies {
		req.AddCookie(k)
	}
	res, err := c.Client.Do(req)
	if err != nil {
		return 0, c.unavailable(fmt.Errorf("POST %s: %w", path, err))
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests {
		return res.StatusCode, c.unavailable(fmt.Errorf("POST %s: answered %d", path, res.StatusCode))
	}
	if cookiesOut, ok := out.(*[]*http.Cookie); ok {
		*cookiesOut = res.Cookies()
		return res.StatusCode, nil
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return res.StatusCode, c.unavailable(fmt.Errorf("POST %s: read the answer: %w", path, err))
	}
	if res.StatusCode != http.StatusOK {
		return res.StatusCode, nil
	}
	if err := json.Unmarshal(bytes.TrimPrefix(raw, []byte("\ufeff")), out); err != nil {
		return res.StatusCode, c.unavailable(fmt.Errorf("POST %s: the answer is no JSON", path))
	}
	return res.StatusCode, nil
}

// logon opens a v1 session of the partner's API user.
func (c *clc) logon(ctx context.Context) ([]*http.Cookie, error) {
	var cookies []*http.Cookie
	status, err := c.post(ctx, "/REST/Auth/Logon", "", nil, map[string]string{"APIKey": c.APIKey, "Password": c.APIPassword}, &cookies)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK || len(cookies) == 0 {
		return nil, c.unavailable(fmt.Errorf("v1 logon of the partner's API user answered %d and %d cookies", status, len(cookies)))
	}
	return cookies, nil
}

// v1 makes one v1 call. Without /JSON behind its name the real API answers XML;
// servers that were built after its documents know only the plain name.
func (c *clc) v1(ctx context.Context, call, bearer string, cookies []*http.Cookie, in, out any) error {
	var raw json.RawMessage
	path := "/REST/" + call
	status, err := http.StatusNotFound, error(nil)
	if !c.plain.Load() {
		status, err = c.post(ctx, path+"/JSON", bearer, cookies, in, &raw)
	}
	if err == nil && status == http.StatusNotFound {
		if status, err = c.post(ctx, path, bearer, cookies, in, &raw); err == nil && status == http.StatusOK {
			c.plain.Store(true)
		}
	}
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return c.unavailable(fmt.Errorf("%s answered %d", call, status))
	}
	var base struct {
		Success    bool
		StatusCode int
	}
	if err := json.Unmarshal(raw, &base); err != nil || !base.Success {
		return c.unavailable(fmt.Errorf("%s: status code %d", call, base.StatusCode))
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return c.unavailable(fmt.Errorf("%s: the answer has another form", call))
	}
	return nil
}
