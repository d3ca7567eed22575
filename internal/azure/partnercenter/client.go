// Package partnercenter is the client of Microsoft Partner Center, in Microsoft's
// language: one method per endpoint, its document above it. It owns paths, whose
// name a call is made in, and the shape of what is sent and read; it decides
// nothing. Every write takes the request id (MS-RequestId) of the step that makes
// it, because only the step knows whether an earlier try's outcome is unknown.
package partnercenter

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"causeway/internal/azure"
	"causeway/internal/fault"
)

// Client calls Partner Center.
type Client struct{ pipe *azure.Pipe }

// New makes the client; the pipe brings the tokens (see azure.Pipe.With).
func New(pipe *azure.Pipe) *Client { return &Client{pipe} }

// Attributes stand on every resource.
type Attributes struct {
	ObjectType string `json:"objectType,omitempty"`
	ETag       string `json:"etag,omitempty"`
}

// Link is a link as Partner Center gives it: relative, and with headers that the
// next call must carry.
type Link struct {
	URI     string       `json:"uri"`
	Method  string       `json:"method,omitempty"`
	Headers []LinkHeader `json:"headers,omitempty"`
}

// LinkHeader is a header of a link, e.g. MS-ContinuationToken.
type LinkHeader struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// mark tells one link from another.
func (l Link) mark() string {
	mark := l.URI
	for _, h := range l.Headers {
		mark += "\n" + h.Key + ":" + h.Value
	}
	return mark
}

// header is what the call to the link must carry; who calls is ours to say.
func (l Link) header() http.Header {
	all := http.Header{}
	for _, h := range l.Headers {
		if !strings.EqualFold(h.Key, "Authorization") {
			all.Set(h.Key, h.Value)
		}
	}
	return all
}

// Links of a resource by name: self, next, previous, sku, subscription, …
type Links map[string]Link

// UnmarshalJSON keeps the links it can read: some resources mix in other members.
func (l *Links) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*l = Links{}
	for name, text := range raw {
		var link Link
		if json.Unmarshal(text, &link) == nil && link.URI != "" {
			(*l)[strings.ToLower(name)] = link
		}
	}
	return nil
}

// KeyValue is a pair, as in customizedData of an audit record.
type KeyValue struct {
	Key   string     `json:"key"`
	Value azure.Text `json:"value"`
}

// Collection is one page. TotalCount counts the items of the page, not all.
type Collection[T any] struct {
	TotalCount        azure.Int
	Items             []T
	Links             Links
	ContinuationToken string
	Attributes        Attributes
}

// UnmarshalJSON reads a collection, or the bare array that a few endpoints give.
// What is no object in the items (an ellipsis of the documents, null) is left out.
func (c *Collection[T]) UnmarshalJSON(b []byte) error {
	var page struct {
		TotalCount        azure.Int
		Items             []json.RawMessage
		Value             []json.RawMessage
		Links             Links
		ContinuationToken string
		Attributes        Attributes
	}
	if text := strings.TrimSpace(string(b)); strings.HasPrefix(text, "[") {
		if err := json.Unmarshal(b, &page.Items); err != nil {
			return err
		}
	} else if err := json.Unmarshal(b, &page); err != nil {
		return err
	}
	*c = Collection[T]{TotalCount: page.TotalCount, Links: page.Links, ContinuationToken: page.ContinuationToken, Attributes: page.Attributes}
	for _, raw := range append(page.Items, page.Value...) {
		if text := strings.TrimSpace(string(raw)); text == "null" || strings.HasPrefix(text, "[") {
			continue
		}
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		c.Items = append(c.Items, v)
	}
	return nil
}

// get reads one resource.
func (c *Client) get(ctx context.Context, as azure.Identity, group, customer, path string, q url.Values, out any) error {
	_, err := c.pipe.Do(ctx, azure.Call{
		Service: azure.PartnerCenter, As: as, Group: group, Customer: customer, Method: http.MethodGet, Path: path, Query: q, Out: out,
	})
	return err
}

// send writes. etag is "" where the endpoint takes none.
func (c *Client) send(ctx context.Context, as azure.Identity, request azure.RequestID, group, customer, method, path, etag string, in, out any) (azure.Answer, error) {
	h := http.Header{}
	if etag != "" {
		h.Set("If-Match", quoted(etag))
	}
	return c.pipe.Do(ctx, azure.Call{
		Service: azure.PartnerCenter, As: as, Group: group, Customer: customer, Method: method, Path: path, Header: h,
		Request: request, In: in, Out: out, Empty: out == nil,
	})
}

// quoted puts an etag in the double quotes that If-Match wants.
func quoted(etag string) string {
	if strings.HasPrefix(etag, `"`) || strings.HasPrefix(etag, "W/") || etag == "*" {
		return etag
	}
	return `"` + etag + `"`
}

// pages gives the items of all pages, following links.next as given. The caller
// may stop at any item. An error ends it.
func pages[T any](ctx context.Context, c *Client, as azure.Identity, group, customer, path string, q url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		call := azure.Call{Service: azure.PartnerCenter, As: as, Group: group, Customer: customer, Method: http.MethodGet, Path: path, Query: q}
		seen := map[string]bool{}
		for {
			var page Collection[T]
			call.Out = &page
			if _, err := c.pipe.Do(ctx, call); err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			next, ok := page.Links["next"]
			if !ok {
				return
			}
			mark := next.mark()
			if seen[mark] {
				var zero T
				yield(zero, fault.New(fault.Unavailable, "Microsoft Partner Center gave the same page twice in a list"))
				return
			}
			seen[mark] = true
			call.Path, call.Query, call.Header = follow(next.URI), nil, next.header()
		}
	}
}

// follow makes a path of a link: most lack /v1, and some documented ones have a
// second question mark where & is meant (get-invoiceline-items).
func follow(uri string) string {
	if i := strings.Index(uri, "?"); i >= 0 {
		uri = uri[:i+1] + strings.ReplaceAll(uri[i+1:], "?", "&")
	}
	if strings.Contains(uri, "://") {
		return uri
	}
	uri = "/" + strings.TrimLeft(uri, "/")
	low := strings.ToLower(uri)
	if strings.HasPrefix(low, "/v1/") || strings.HasPrefix(low, "/webhooks/") {
		return uri
	}
	return "/v1" + uri
}

// all collects a list; an error gives nothing, for half a list looks like a whole one.
func all[T any](items iter.Seq2[T, error]) ([]T, error) {
	var list []T
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

// overlay is the resource as it was read, with some members changed: a PATCH or
// PUT that wants the full resource must not lose what we do not know.
func overlay(raw json.RawMessage, change map[string]any) (json.RawMessage, error) {
	whole := map[string]json.RawMessage{}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &whole); err != nil {
			return nil, err
		}
	}
	for name, v := range change {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		for have := range whole { // names are matched without case
			if strings.EqualFold(have, name) {
				delete(whole, have)
			}
		}
		whole[name] = b
	}
	return json.Marshal(whole)
}

// Filter narrows a list of customers, users or audit records.
// https://learn.microsoft.com/partner-center/developer/utility-resources
type Filter struct {
	Field    string `json:"Field"`
	Value    string `json:"Value"`
	Operator string `json:"Operator"` // equals, starts_with, substring, …
}

func (f Filter) query(q url.Values) error {
	if f == (Filter{}) {
		return nil
	}
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	q.Set("filter", string(b))
	return nil
}

// failed is a list that could not be asked for.
func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}
