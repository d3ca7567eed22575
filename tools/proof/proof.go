package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// proof is one command that prints one JSON object, and what must hold in it.
type proof struct {
	title  string
	args   []string
	limits []limit
}

// limit is one promised figure. want is a number, or a text for is.
type limit struct {
	name string
	rule string
	want any
}

const (
	atMost  = "≤"
	atLeast = "≥"
	is      = "="
)

// figure is one member of the object, in the order in which it was printed.
type figure struct {
	name  string
	value any // json.Number, string or bool
}

// write makes the part of the document that shows what one command printed, and
// names the limits that were missed.
func (p proof) write(out []byte, took time.Duration, where string) (text string, missed []string, err error) {
	figures, err := read(out)
	if err != nil {
		return "", nil, err
	}
	limits := map[string]limit{}
	for _, l := range p.limits {
		limits[l.name] = l
	}
	command := "causeway " + strings.Join(p.args, " ")
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n`%s`, %s; %s\n\n| figure | value | limit | |\n|---|---:|---:|---|\n", p.title, command, took.Round(time.Second/10), where)
	for _, f := range figures {
		l, limited := limits[f.name]
		if !limited {
			fmt.Fprintf(&b, "| %s | %v | | |\n", f.name, f.value)
			continue
		}
		delete(limits, f.name)
		verdict := "holds"
		ok, err := l.holds(f.value)
		if err != nil {
			return "", nil, err
		}
		if !ok {
			verdict = "**missed**"
			missed = append(missed, fmt.Sprintf("%s: %s is %v, not %s %v", command, f.name, f.value, l.rule, l.want))
		}
		fmt.Fprintf(&b, "| %s | %v | %s %v | %s |\n", f.name, f.value, l.rule, l.want, verdict)
	}
	for _, l := range p.limits {
		if _, unseen := limits[l.name]; unseen {
			return "", nil, fmt.Errorf("it prints no %q, which has a limit", l.name)
		}
	}
	return b.String(), missed, nil
}

func (l limit) holds(value any) (bool, error) {
	if l.rule == is {
		return fmt.Sprint(value) == fmt.Sprint(l.want), nil
	}
	n, ok := value.(json.Number)
	if !ok {
		return false, fmt.Errorf("%s is %v, not a number", l.name, value)
	}
	got, err := n.Float64()
	if err != nil {
		return false, fmt.Errorf("%s: %w", l.name, err)
	}
	want, err := strconv.ParseFloat(fmt.Sprint(l.want), 64)
	if err != nil {
		return false, fmt.Errorf("limit of %s: %w", l.name, err)
	}
	if l.rule == atMost {
		return got <= want, nil
	}
	return got >= want, nil
}

// read takes the plain members of one JSON object in their order; lists and
// objects inside it are evidence for other eyes and are left out.
func read(out []byte) ([]figure, error) {
	d := json.NewDecoder(bytes.NewReader(out))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("it did not print one JSON object")
	}
	var all []figure
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("read its JSON: %w", err)
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("read its JSON: %w", err)
		}
		switch value.(type) {
		case json.Number, string, bool:
			all = append(all, figure{fmt.Sprint(name), value})
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("read its JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it printed more than one JSON object")
	}
	return all, nil
}

// field reads one line of a file of the kernel; "unknown" elsewhere.
func field(file, name string) string {
	body, err := os.ReadFile(file) // #nosec G304 -- two fixed names
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(body)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

// memory turns the kernel's "16316412 kB" into whole GiB.
func memory(s string) string {
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, " kB"), 64)
	if err != nil {
		return s
	}
	return fmt.Sprintf("%.0f GiB", n/(1<<20))
}
