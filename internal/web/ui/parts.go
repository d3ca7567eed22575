package ui

// Check is one line of a checklist.
type Check struct {
	State State // ready = done, draft = not yet, stuck or waiting = needs somebody
	Title string
	Text  string
	Link  Link
}

func (c Check) icon() string {
	if c.State == "" {
		return looks[StateDraft].Icon
	}
	return c.State.Look().Icon
}

// Figure is a number that names its date and method.
type Figure struct {
	Label string
	Value string
	Unit  string
	Note  string
	Href  string
	Tone  Tone
}

// Chip filters a list; Href is the list with that filter.
type Chip struct {
	Label string
	Count int
	Href  string
	On    bool
}

// Filter is the bar over a list. It is a GET form to Action: q and, if Select has options, its Name.
type Filter struct {
	Action      string
	Query       string
	Placeholder string // empty: no search box
	Hidden      []Pair // what the form carries along (the chip's filter)
	Chips       []Chip
	Select      Select
	Selects     []Select // further ones
}

// Select is a native select.
type Select struct {
	ID      string // default: Name
	Name    string
	Label   string // heard, or shown by a field around it
	Value   string
	Options []Option
}

// Foot is the bottom of a list: what is shown, the pages around it, and the same as CSV.
type Foot struct {
	Text string // "1–7 of 7 providers"
	Prev string // URL of the page before; empty: none
	Next string
	CSV  string // URL of the whole list as CSV; empty: none
}

// Tab is one of a page's parts, a link.
type Tab struct {
	Label string
	Href  string
	On    bool
}

// Dialog frames a question. It is opened by an Action{Dialog: ID}.
type Dialog struct {
	ID    string
	Title string
	Text  string
	Wide  bool
	Open  bool // open when the page is shown (after a refusal inside of it)
}

// Field is a label with its hint, its input and its refusal.
type Field struct {
	ID        string // also the form's name, unless Name says otherwise
	Name      string
	Label     string
	Optional  bool
	Hint      string
	Error     string
	Value     string
	Type      string // text (default), email, tel, password, search, url, date, number, textarea, select
	Suffix    string // ".onmicrosoft.com"
	Complete  string // autocomplete token
	Inputmode string
	Lang      string
	MaxLength int
	Rows      int
	Mono      bool
	ReadOnly  bool
	Focus     bool
	Options   []Option // of a select
	Span      string   // "2", "3", "4" of 6 columns
	KeepSpan  bool     // half a row on phones too
	List      []string // suggestions
	Spellfree bool     // names, domains, ids: no spell checking, no capitals
}

func (f Field) name() string {
	if f.Name != "" {
		return f.Name
	}
	return f.ID
}

// describedBy names hint and error for those who do not see where they stand.
func (f Field) describedBy() string {
	d := ""
	if f.Hint != "" {
		d = f.ID + "-hint"
	}
	if f.Error != "" {
		if d != "" {
			d += " "
		}
		d += f.ID + "-error"
	}
	return d
}

func (f Field) attrs() map[string]any {
	a := map[string]any{"id": f.ID, "name": f.name()}
	if f.Type == "" || f.Type == "textarea" { // names come in every script
		a["dir"] = "auto"
	}
	if d := f.describedBy(); d != "" {
		a["aria-describedby"] = d
	}
	if f.Error != "" {
		a["aria-invalid"] = "true"
	}
	if !f.Optional && !f.ReadOnly {
		a["aria-required"] = "true"
	}
	if f.Complete != "" {
		a["autocomplete"] = f.Complete
	}
	if f.Inputmode != "" {
		a["inputmode"] = f.Inputmode
	}
	if f.Lang != "" {
		a["lang"] = f.Lang
	}
	if f.MaxLength > 0 {
		a["maxlength"] = itoa(f.MaxLength)
	}
	if f.ReadOnly {
		a["readonly"] = true
	}
	if f.Focus {
		a["autofocus"] = true
	}
	if f.Spellfree {
		a["spellcheck"], a["autocapitalize"] = "false", "none"
	}
	if len(f.List) > 0 {
		a["list"] = f.ID + "-list"
	}
	return a
}
