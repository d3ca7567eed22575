package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"

	"causeway/internal/fault"
)

// printJSON prints an answer for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints rows in columns; the first one is the heading.
func table(w io.Writer, rows [][]string) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for _, r := range rows {
		if _, err := fmt.Fprintln(t, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// facts prints names and values; what has no value is left out.
func facts(w io.Writer, pairs ...string) error {
	var rows [][]string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			rows = append(rows, []string{pairs[i], pairs[i+1]})
		}
	}
	return table(w, rows)
}

// clock is an instant as a person reads it in a terminal.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// reader reads answers from standard input, line by line.
type reader struct {
	std Std
	in  *bufio.Reader
}

func newReader(std Std) *reader { return &reader{std, bufio.NewReader(std.In)} }

// line asks for one line; the question goes to standard error, so that the
// answer of a command stays alone on standard output.
func (r *reader) line(question string) (string, error) {
	_, _ = fmt.Fprint(r.std.Err, question)
	s, err := r.in.ReadString('\n')
	if err != nil && (s == "" || !errors.Is(err, io.EOF)) {
		if errors.Is(err, io.EOF) {
			return "", fault.Field(strings.TrimRight(question, ": "), "Nothing was typed.", "Type it, or send it on standard input.")
		}
		return "", err
	}
	return strings.TrimRight(s, "\r\n"), nil
}

// secret asks for a line that is not shown while it is typed.
func (r *reader) secret(question string) (string, error) {
	if f, ok := r.std.In.(*os.File); ok && echo(f, false) {
		defer func() {
			echo(f, true)
			_, _ = fmt.Fprintln(r.std.Err)
		}()
	}
	return r.line(question)
}

// echo switches the terminal's echo; false if it is no terminal.
func echo(f *os.File, on bool) bool {
	mode := "-echo"
	if on {
		mode = "echo"
	}
	c := exec.CommandContext(context.Background(), "stty", mode) // #nosec G204 -- one of two words
	c.Stdin, c.Stdout, c.Stderr = f, io.Discard, &bytes.Buffer{}
	return c.Run() == nil
}
