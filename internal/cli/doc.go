// Package cli is the command line, the settings, and the one function that
// builds the program by hand (New). It may import everything and nothing
// imports it but main and tests. It owns no rule of the trade: commands that
// work on a running server speak its JSON API, as any other program would.
package cli
