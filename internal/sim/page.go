package sim

import (
	"bytes"
	"html/template"
	"net/http"
)

const pageHead = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #8c959f; --accent: #0b5cad; --on: #ffffff; --bad: #a40e26; --good: #116329 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9ea7b3; --paper: #161b22; --line: #6e7681; --accent: #79b8ff; --on: #0d1117; --bad: #ff9aa2; --good: #7ee2a8 } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 44rem; margin: 0 auto; padding: 1.5rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem }
h2 { font-size: 1.125rem; margin: 1.5rem 0 .5rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0 0 1rem }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
label { display: block; margin-top: .75rem }
input[type=email], input[type=password] { font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 4px }
.check { display: flex; gap: .5rem; align-items: baseline } .check label { margin: 0 }
button { font: inherit; font-weight: 600; margin-top: 1rem; padding: .5rem 1.25rem; min-height: 44px; border: 0; border-radius: 4px; background: var(--accent); color: var(--on); cursor: pointer }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.terms { border: 1px solid var(--line); border-radius: 4px; padding: 0 1rem; max-height: 18rem; overflow: auto }
.error { color: var(--bad); font-weight: 600 } .done { color: var(--good); font-weight: 600 }
</style>
</head>
<body>`

const pageFoot = `</body>
</html>
`

// html renders a page for a person. It may be shown in a frame of another site, as
// Microsoft's attestation page may.
func html(status int, t *template.Template, view any) reply {
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		return reply{status: http.StatusInternalServerError, raw: []byte(err.Error()), header: map[string]string{"Content-Type": "text/plain; charset=utf-8"}}
	}
	return reply{status: status, raw: b.Bytes(), header: map[string]string{
		"Content-Type":            "text/html; charset=utf-8",
		"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action *; frame-ancestors *",
		"Cache-Control":           "no-store",
	}}
}

var messagePage = template.Must(template.New("message").Parse(pageHead + `
<main><h1>{{.Title}}</h1><p>{{.Text}}</p></main>
` + pageFoot))

// page is a page that only says something.
func page(status int, title, text string) reply {
	return html(status, messagePage, struct{ Title, Text string }{title, text})
}
