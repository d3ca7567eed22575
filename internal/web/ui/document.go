package ui

// DocumentPage is GET /terms/{id}: a version of the partner's terms, for everybody.
type DocumentPage struct {
	Brand      Brand
	Title      string
	Facts      string // "Version 7 · in force since 1 Sep 2026 · United States"
	Hash       string // the text's fingerprint, as receipts name it
	HTML       string // safe: made by package agreement
	Link       string // where the original is, if elsewhere
	CompareURL string
	Changes    string // "Changed since version 6: section 2."
}

// ComparePage is GET /terms/{id}/compare: what changed since the version before.
type ComparePage struct {
	Brand   Brand
	Title   string // "CenturyLink Cloud Integration terms"
	From    string // "version 6"
	To      string
	Note    string // what the partner says about it
	BackURL string
	Changes []DocumentChange
}

// DocumentChange is one section that differs.
type DocumentChange struct {
	Kind    string // added, removed, changed
	Section string
	Was     string // safe HTML; "" if the section is new
	Is      string // safe HTML; "" if it is gone
}

func (c DocumentChange) look() Look {
	switch c.Kind {
	case "added":
		return Look{"New", "plus", ToneOK}
	case "removed":
		return Look{"Removed", "circle-minus", ToneStuck}
	default:
		return Look{"Changed", "pencil", ToneWaiting}
	}
}

// RepresentativePage is GET /providers/existing (C-31): an existing Azure account is moved by staff.
// Its form posts kind=contact and text to /requests.
type RepresentativePage struct {
	Shell    Shell
	Phone    string // the representative's; empty: none
	AnswerBy string // "25 Nov 2026, 12:00"
	Off      string // why this person may not ask
	Text     string
	Error    string
}

// SearchPage is GET /search?q=.
type SearchPage struct {
	Shell Shell
	Query string
	Text  string // "“contoso”: 3 hits"
	Hits  []Hit
}

// Hit is one result.
type Hit struct {
	Kind  string // Provider, Customer, Request, or the word for a billing account
	Title string
	Under string
	Href  string
	State State
}

// CustomerPage is GET /staff/customers/{org}.
type CustomerPage struct {
	Shell     Shell
	Name      string
	Facts     []KV
	Tenants   []TenantRow
	Providers []ProviderRow
	Accounts  []AccountRow
	People    []KV
	Requests  []RequestRow
	Presets   []Preset
	Actions   []Action
	Notes     []Note
}

// TenantRow is one tenant of a customer.
type TenantRow struct {
	Domain  string
	ID      string // Azure's
	Entity  string // legal entity
	State   string
	Account string
	Since   string
}

// OutboxPage is GET /staff/mail. "Send again" is POST /staff/mail/{id}/retry.
type OutboxPage struct {
	Shell  Shell
	Filter Filter
	Rows   []MailRow
	Foot   Foot
}

// MailRow is one mail.
type MailRow struct {
	ID      string
	To      string
	Subject string
	State   State // ready: sent; in-progress: on its way; stuck: given up
	Word    string
	Answer  string // the mail server's last words
	Made    string
	Actions []Action
}

// Waiting is an answer of Microsoft that is still awaited; StillChecking renders it, and is
// the fragment: as long as it must wait, the URL answers with it again; then with HX-Refresh: true.
type Waiting struct {
	Text string // "Still checking the address at Microsoft."
	Poll string // URL, asked every two seconds
}
