package support

import (
	"fmt"
	"html"
	"strings"

	"causeway/internal/partner"
)

// letter writes a mail once and gives it as text and as HTML, so that both say
// the same.
type letter struct {
	brand partner.Brand
	text  strings.Builder
	html  strings.Builder
}

func newLetter(b partner.Brand, name string) *letter {
	l := &letter{brand: b}
	hello := b.MailGreeting
	if name != "" {
		hello += " " + name
	}
	l.p("%s,", hello)
	return l
}

// p adds a paragraph; nothing if it is empty.
func (l *letter) p(format string, args ...any) {
	s := strings.TrimSpace(fmt.Sprintf(format, args...))
	if s == "" {
		return
	}
	l.text.WriteString(s + "\n\n")
	fmt.Fprintf(&l.html, "<p style=\"margin:0 0 16px\">%s</p>\n", lines(s))
}

// button adds the one thing to do.
func (l *letter) button(label, url string) {
	if url == "" {
		return
	}
	fmt.Fprintf(&l.text, "%s:\n%s\n\n", label, url)
	fmt.Fprintf(&l.html, "<p style=\"margin:0 0 16px\"><a href=\"%s\" style=\"display:inline-block;padding:10px 16px;border-radius:8px;background:%s;color:#ffffff;text-decoration:none\">%s</a></p>\n",
		html.EscapeString(url), html.EscapeString(l.brand.Accent), html.EscapeString(label))
}

// facts adds a list of names and values; those without a value are left out.
func (l *letter) facts(pairs ...[2]string) {
	var rows strings.Builder
	for _, p := range pairs {
		if p[1] == "" {
			continue
		}
		fmt.Fprintf(&l.text, "  %s: %s\n", p[0], strings.ReplaceAll(p[1], "\n", "\n    "))
		fmt.Fprintf(&rows, "<tr><td style=\"padding:2px 16px 2px 0;color:#5b6270;vertical-align:top\">%s</td><td style=\"padding:2px 0\">%s</td></tr>\n", html.EscapeString(p[0]), lines(p[1]))
	}
	if rows.Len() == 0 {
		return
	}
	l.text.WriteString("\n")
	fmt.Fprintf(&l.html, "<table role=\"presentation\" style=\"border-collapse:collapse;margin:0 0 16px;font-size:14px\">\n%s</table>\n", rows.String())
}

// mail ends the letter.
func (l *letter) mail(key, to, name, subject string) Message {
	sign := l.brand.Signature()
	contact := "Questions? Write to " + l.brand.ContactEmail
	if l.brand.SupportPhone != "" {
		contact += " or call " + l.brand.SupportPhone
	}
	l.p("%s.", contact)
	l.text.WriteString(sign + "\n")
	fmt.Fprintf(&l.html, "<p style=\"margin:24px 0 0;color:#5b6270;font-size:13px\">%s</p>\n", lines(sign))
	page := "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + html.EscapeString(subject) + "</title></head>\n" +
		"<body style=\"margin:0;padding:24px;background:#f7f8fa;color:#1a1d24;font:15px/1.5 Inter,Segoe UI,Helvetica,Arial,sans-serif\">\n" +
		"<div style=\"max-width:560px;margin:0 auto;padding:24px;background:#ffffff;border-radius:10px\">\n" +
		"<p style=\"margin:0 0 20px;font-weight:600;color:" + html.EscapeString(l.brand.Accent) + "\">" + html.EscapeString(l.brand.Product) + "</p>\n" +
		l.html.String() + "</div>\n</body></html>\n"
	return Message{Key: key, To: to, Name: oneLine(name, 120), Subject: oneLine(subject, 200), Text: l.text.String(), HTML: page}
}

// oneLine makes text that people wrote fit for a header: it is a mail about
// them, not a reason to refuse their deed.
func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		s = strings.TrimSpace(string(r[:most-1])) + "…"
	}
	return s
}

func lines(s string) string { return strings.ReplaceAll(html.EscapeString(s), "\n", "<br>") }
