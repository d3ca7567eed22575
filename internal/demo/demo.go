// Package demo holds the book of customers that the demo and the tests run on:
// a few companies made by hand, and more than two hundred generated ones in
// forty countries and eleven scripts, the awkward ones included. All companies
// are invented, all people are roles, and everything is the same each time.
package demo

import (
	"context"

	"causeway/internal/account"
	"causeway/internal/fault"
)

// Password is the one password of every sign-in of the demo, of account
// administrators too. It protects nothing.
const Password = "causeway-demo"

// The sign-ins that the demo prints.
const (
	Owner   = "owner@partner.example"
	Finance = "finance@partner.example"
	Support = "support@partner.example"
	Reader  = "reader@partner.example"

	Administrator = "admin@contoso.example"
	Member        = "member@contoso.example"
)

// Logins to connect Contoso's accounts with.
const (
	AccountAdministrator = "ctso-admin"  // administers five accounts of Contoso
	NoAdministrator      = "ctso-viewer" // a login without that right
)

// SignIn is one way into the demo.
type SignIn struct {
	Who   string // e.g. "Owner at the partner"
	Login string
	Where string // "portal" or "connect"
}

// SignIns lists the ways in that are shown at the start.
func SignIns() []SignIn {
	return []SignIn{
		{"Administrator at Contoso, Ltd.", Administrator, "portal"},
		{"Member at Contoso, Ltd.", Member, "portal"},
		{"Administrator at Northwind Traders", "admin@northwindtraders.example", "portal"},
		{"Owner at the partner", Owner, "portal"},
		{"Finance at the partner", Finance, "portal"},
		{"Support at the partner", Support, "portal"},
		{"Read-only at the partner", Reader, "portal"},
		{"Account administrator of Contoso, Ltd.", AccountAdministrator, "connect"},
		{"Login without that right", NoAdministrator, "connect"},
	}
}

// Seed puts the book into an empty directory. A directory that has it already
// is left alone, and made is false.
func Seed(ctx context.Context, d *account.Directory) (made bool, err error) {
	_, err = d.UserByEmail(ctx, Owner)
	if err == nil {
		return false, nil
	}
	if fault.KindOf(err) != fault.NotFound {
		return false, err
	}
	return true, d.Import(ctx, account.System(), Book())
}

// Book is the whole book of customers.
func Book() account.Book {
	b := account.Book{Staff: []account.BookPerson{
		person("Owner", Owner, account.RoleOwner),
		person("Finance", Finance, account.RoleFinance),
		person("Support", Support, account.RoleSupport),
		person("Reader", Reader, account.RoleReader),
	}}
	b.Companies = append(b.Companies, core()...)
	b.Companies = append(b.Companies, awkward()...)
	for _, c := range world {
		b.Companies = append(b.Companies, c.companies()...)
	}
	return b
}

func person(name, email string, role account.Role) account.BookPerson {
	return account.BookPerson{User: account.User{Name: name, Email: email, Role: role}, Password: Password}
}
