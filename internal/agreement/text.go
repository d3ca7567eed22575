package agreement

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// HTML renders a document's text. The subset of Markdown: # to ### headings,
// paragraphs, lists with "- " or "1. ", **bold**, *italic* and [links](https://…).
// Everything else is text: no tag, attribute or address of the author's making
// reaches the page, save http, https and mailto links.
func HTML(text string) string {
	var b strings.Builder
	var para []string
	list := ""
	flush := func() {
		if para != nil {
			b.WriteString("<p>" + inline(strings.Join(para, " ")) + "</p>\n")
			para = nil
		}
	}
	leave := func() {
		if list != "" {
			b.WriteString("</" + list + ">\n")
			list = ""
		}
	}
	for line := range strings.SplitSeq(normal(text), "\n") {
		trimmed := strings.TrimSpace(line)
		level, title := heading(trimmed)
		kind, item := listItem(trimmed)
		switch {
		case trimmed == "":
			flush()
			leave()
		case level > 0:
			flush()
			leave()
			h := strconv.Itoa(1 + level) // the page's own title is its h1
			b.WriteString("<h" + h + ">" + inline(title) + "</h" + h + ">\n")
		case kind != "":
			flush()
			if list != kind {
				leave()
				list = kind
				b.WriteString("<" + kind + ">\n")
			}
			b.WriteString("<li>" + inline(item) + "</li>\n")
		default:
			leave()
			para = append(para, trimmed)
		}
	}
	flush()
	leave()
	return b.String()
}

func heading(line string) (level int, title string) {
	for level < 3 && level < len(line) && line[level] == '#' {
		level++
	}
	if level == 0 || level == len(line) || line[level] != ' ' {
		return 0, ""
	}
	return level, strings.TrimSpace(line[level:])
}

var numbered = regexp.MustCompile(`^[0-9]{1,3}\. `)

func listItem(line string) (kind, item string) {
	if rest, ok := strings.CutPrefix(line, "- "); ok {
		return "ul", rest
	}
	if m := numbered.FindString(line); m != "" {
		return "ol", line[len(m):]
	}
	return "", ""
}

var (
	link   = regexp.MustCompile(`\[([^\[\]]+)\]\(([^()\s]+)\)`)
	bold   = regexp.MustCompile(`\*\*([^*]+)\*\*`)
	italic = regexp.MustCompile(`\*([^*]+)\*`)
)

// inline escapes first; what it then adds is its own.
func inline(s string) string {
	var b strings.Builder
	end := 0
	for _, m := range link.FindAllStringSubmatchIndex(s, -1) {
		b.WriteString(emphasis(s[end:m[0]]))
		label, to := s[m[2]:m[3]], safeLink(s[m[4]:m[5]])
		if to == "" {
			b.WriteString(emphasis(s[m[0]:m[1]]))
		} else {
			b.WriteString(`<a href="` + html.EscapeString(to) + `" rel="noopener noreferrer">` + emphasis(label) + "</a>")
		}
		end = m[1]
	}
	b.WriteString(emphasis(s[end:]))
	return b.String()
}

func emphasis(s string) string {
	s = html.EscapeString(s)
	s = bold.ReplaceAllString(s, "<strong>$1</strong>")
	return italic.ReplaceAllString(s, "<em>$1</em>")
}

// safeLink gives the address if a browser may follow it, "" if not.
func safeLink(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User != nil {
		return ""
	}
	switch {
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "", u.Scheme == "mailto" && u.Opaque != "":
		return u.String()
	}
	return ""
}

// Section is a part of a document below a heading.
type Section struct {
	Title string // "" = before the first heading
	Text  string
}

// Sections cuts a text at its headings.
func Sections(text string) []Section {
	var all []Section
	var now Section
	var lines []string
	end := func() {
		now.Text = strings.TrimSpace(strings.Join(lines, "\n"))
		if now.Title != "" || now.Text != "" {
			all = append(all, now)
		}
		now, lines = Section{}, nil
	}
	for line := range strings.SplitSeq(normal(text), "\n") {
		if level, title := heading(strings.TrimSpace(line)); level > 0 {
			end()
			now.Title = title
			continue
		}
		lines = append(lines, line)
	}
	end()
	return all
}

// ChangeKind says what happened to a section.
type ChangeKind string

// What can happen to a section.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed"
)

// Change is a section that differs between two versions.
type Change struct {
	Kind    ChangeKind
	Section string // its title
	Was     string // text in the former version; "" if added
	Is      string // "" if removed
}

// Compare lists the sections that differ, in the order of the newer version,
// what was removed last. Sections are the same if their titles are.
func Compare(former, newer Document) []Change {
	was, is := Sections(former.Text), Sections(newer.Text)
	find := func(all []Section, title string) int {
		return slices.IndexFunc(all, func(s Section) bool { return s.Title == title })
	}
	var changes []Change
	for _, s := range is {
		switch i := find(was, s.Title); {
		case i < 0:
			changes = append(changes, Change{Kind: Added, Section: s.Title, Is: s.Text})
		case was[i].Text != s.Text:
			changes = append(changes, Change{Kind: Changed, Section: s.Title, Was: was[i].Text, Is: s.Text})
		}
	}
	for _, s := range was {
		if find(is, s.Title) < 0 {
			changes = append(changes, Change{Kind: Removed, Section: s.Title, Was: s.Text})
		}
	}
	return changes
}
