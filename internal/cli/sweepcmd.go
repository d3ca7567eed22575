package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"causeway/internal/api"
	"causeway/internal/fault"
)

// sweepCmd compares both sides now. It ends with 1 while differences are open.
type sweepCmd struct {
	remote       `embed:""`
	Apply        bool          `help:"Carry out the proposals that only put back what is written here."`
	ApplyMatches bool          `help:"Adopt the customers whose account is known without doubt."`
	Import       string        `placeholder:"FILE.csv" help:"Adopt customers as the file says; columns customer, organization, account."`
	Wait         time.Duration `default:"1h" help:"How long to wait for the end."`
}

// sweepResult is what sweep prints.
type sweepResult struct {
	Customers     int               `json:"customers"`     // at Microsoft
	Subscriptions int               `json:"subscriptions"` // of ours, active at Microsoft
	Differences   []api.Difference  `json:"differences"`   // that are open now
	Open          int               `json:"open"`
	Resolved      int               `json:"resolved"`
	Adopted       int               `json:"adopted"` // by itself, by --apply-matches and by --import
	Applied       int               `json:"applied"` // by --apply
	Refused       []api.RefusedLine `json:"refused"` // lines of --import
	Unseen        int               `json:"unseen"`  // tenants that could not be looked into
	Seconds       float64           `json:"seconds"`
}

func (c *sweepCmd) Run(ctx context.Context, std Std) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	var lines []api.ImportLine
	if c.Import != "" {
		if lines, err = readImport(c.Import); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	r, err := c.sweep(ctx, cl, lines)
	if err != nil {
		if ctx.Err() != nil {
			return fault.New(fault.Unavailable, "The sweep is not at its end after %s. It goes on by itself; ask again later.", c.Wait)
		}
		return err
	}
	if c.JSON {
		err = printJSON(std.Out, r)
	} else {
		err = r.print(std.Out)
	}
	if err == nil && (r.Open > 0 || len(r.Refused) > 0) {
		return errShown
	}
	return err
}

// sweep does a pass, decides what it was told to, and does another pass if
// anything was decided: what is left is what Microsoft shows then.
func (c *sweepCmd) sweep(ctx context.Context, cl *client, lines []api.ImportLine) (sweepResult, error) {
	r := sweepResult{Differences: []api.Difference{}, Refused: []api.RefusedLine{}}
	w, err := sweepOnce(ctx, cl)
	if err != nil {
		return r, err
	}
	r.count(w)
	decided := w.Doing
	for at := 0; at < len(lines); at += importChunk {
		var done api.Imported
		part := lines[at:min(at+importChunk, len(lines))]
		if err := cl.post(ctx, "/differences/import", map[string]any{"lines": part}, &done); err != nil {
			return r, err
		}
		for _, x := range done.Refused {
			x.Line += at + 1 // with the heading
			r.Refused = append(r.Refused, x)
		}
		decided, r.Adopted = decided+done.Decided, r.Adopted+done.Decided
	}
	for _, which := range []struct {
		on   bool
		name string
		n    *int
	}{{c.ApplyMatches, "matched", &r.Adopted}, {c.Apply, "safe", &r.Applied}} {
		if !which.on {
			continue
		}
		n, err := apply(ctx, cl, which.name)
		if err != nil {
			return r, err
		}
		decided, *which.n = decided+n, *which.n+n
	}
	if decided > 0 {
		if err := settled(ctx, cl); err != nil {
			return r, err
		}
		if w, err = sweepOnce(ctx, cl); err != nil {
			return r, err
		}
		r.count(w)
	}
	list, err := all[api.Difference](ctx, cl, "/differences?limit=500")
	r.Differences, r.Open = append(r.Differences, list...), len(list)
	return r, err
}

// apply carries out all proposals of a kind.
func apply(ctx context.Context, cl *client, which string) (int, error) {
	n := 0
	for {
		var done api.Applied
		if err := cl.post(ctx, "/differences/apply", map[string]string{"which": which}, &done); err != nil {
			return n, err
		}
		n += done.Decided
		if !done.More {
			return n, nil
		}
	}
}

// importChunk is how many lines go in one request; the server takes 1000.
const importChunk = 500

func (r *sweepResult) count(w api.SweepView) {
	r.Customers, r.Subscriptions, r.Unseen = w.Customers, w.Subscriptions, w.Unseen
	r.Resolved, r.Adopted, r.Seconds = r.Resolved+w.Resolved, r.Adopted+w.Adopted, round(r.Seconds+w.Seconds, 3)
}

// sweepOnce asks for a pass and waits for its end.
func sweepOnce(ctx context.Context, cl *client) (api.SweepView, error) {
	var w api.SweepView
	if err := cl.post(ctx, "/sweep", nil, &w); err != nil {
		return w, err
	}
	for id := w.ID; !w.Done; {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return w, err
		}
		w = api.SweepView{}
		if err := cl.get(ctx, "/sweep?id="+url.QueryEscape(id), &w); err != nil {
			return w, err
		}
	}
	return w, nil
}

// settled waits until nothing that was decided is on its way any more.
func settled(ctx context.Context, cl *client) error {
	for {
		var w api.SweepView
		if err := cl.get(ctx, "/sweep", &w); err != nil || w.Doing == 0 {
			return err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func (r *sweepResult) print(out io.Writer) error {
	_, _ = fmt.Fprintf(out, "%d customers and %d subscriptions compared in %.1f s: %d open, %d resolved, %d adopted, %d put back.\n",
		r.Customers, r.Subscriptions, r.Seconds, r.Open, r.Resolved, r.Adopted, r.Applied)
	if r.Unseen > 0 {
		_, _ = fmt.Fprintf(out, "%d tenants could not be looked into.\n", r.Unseen)
	}
	for _, x := range r.Refused {
		_, _ = fmt.Fprintf(out, "line %d: %s: %s %s\n", x.Line, x.Field, x.Reason, x.Remedy)
	}
	if len(r.Differences) == 0 {
		return nil
	}
	_, _ = fmt.Fprintln(out)
	rows := [][]string{{"KIND", "SINCE", "WHAT", "PROPOSAL", "ACCOUNT"}}
	for _, d := range r.Differences {
		account := ""
		if s := d.Suggestion; s != nil {
			account = s.Account
			if !s.Sure {
				account += "?"
			}
		}
		text := d.Text
		if d.Trouble != "" {
			text += " (" + d.Trouble + ")"
		}
		rows = append(rows, []string{d.Kind, clock(d.Since), text, d.Proposal, account})
	}
	return table(out, rows)
}

// readImport reads a file of columns customer, organization (may be missing) and
// account, in any order.
func readImport(file string) ([]api.ImportLine, error) {
	f, err := os.Open(file) // #nosec G304 -- the person names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	in := csv.NewReader(f)
	head, err := in.Read()
	if err != nil {
		return nil, fault.Field("import", file+" has no line of headings.", "Begin it with: customer,organization,account")
	}
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(head[i], "\ufeff")))
	}
	customer, organization, account := slices.Index(head, "customer"), slices.Index(head, "organization"), slices.Index(head, "account")
	if customer < 0 || account < 0 {
		return nil, fault.Field("import", file+" lacks the column customer or account.", "Begin it with: customer,organization,account")
	}
	var lines []api.ImportLine
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, fault.Field("import", err.Error()+".", "Write one customer a line, with as many columns as the first line.")
		}
		l := api.ImportLine{Customer: strings.TrimSpace(row[customer]), Account: strings.ToUpper(strings.TrimSpace(row[account]))}
		if organization >= 0 {
			l.Organization = strings.TrimSpace(row[organization])
		}
		lines = append(lines, l)
	}
}
