package ui

import "strings"

// DocumentPage is GET /terms/{id}: a version of the partner's terms, for everybody.
type DocumentPage struct {
	Brand    Brand
	Shell    *Shell // nil for who is not signed in
	Document Document
	Hash     string // the text's fingerprint, as receipts name it
	Back     Link
}

// ComparePage is GET /terms/{id}/compare: what changed since the version before.
type ComparePage struct {
	Brand   Brand
	Shell   *Shell
	Title   string // "CenturyLink Cloud Integration terms"
	Former  string // "Version 6, in force since 1 Feb 2026"
	Newer   string
	Changes []TextChange
	Back    Link
}

// TextChange is one section that differs.
type TextChange struct {
	Section string
	Was     string // "" if the section is new
	Is      string // "" if it is gone
}

// textLine is a line of a section; only is true if the other version lacks it.
type textLine struct {
	text string
	only bool
}

func linesBeside(text, other string) (all []textLine) {
	known := map[string]bool{}
	for line := range strings.Lines(other) {
		known[strings.TrimSpace(line)] = true
	}
	for line := range strings.Lines(text) {
		bare := strings.TrimSpace(line)
		all = append(all, textLine{strings.TrimRight(line, "\r\n"), bare != "" && !known[bare]})
	}
	return all
}

func (c TextChange) tag() Look {
	switch {
	case c.Was == "":
		return Look{"New", "plus", ToneOK}
	case c.Is == "":
		return Look{"Removed", "circle-minus", ToneStuck}
	default:
		return Look{"Changed", "pencil", ToneWaiting}
	}
}

// ContactPage is GET /providers/existing (C-31): an existing Azure account is moved by staff.
// Its form posts kind=contact and text to /requests.
type ContactPage struct {
	Shell  Shell
	Points []string // what to have at hand
	Text   string
	Error  string
	Off    string
	Back   string // URL
}

// SearchPage is GET /search?q=.
type SearchPage struct {
	Shell  Shell
	Query  string
	Groups []SearchGroup
}

// SearchGroup is one kind of result.
type SearchGroup struct {
	Title string
	Rows  []SearchRow
}

// SearchRow is one result.
type SearchRow struct {
	Title string
	Under string
	Href  string
	Icon  string
	State State
}

// CustomerPage is GET /staff/customers/{org}.
type CustomerPage struct {
	Shell     Shell
	Name      string
	Facts     []KV
	Tenants   []KV // domain → id, legal entity
	Providers []ProviderRow
	Accounts  []AccountRow
	People    []PersonRow
	Requests  []RequestRow
	Actions   []Action
	Notes     []Note
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
