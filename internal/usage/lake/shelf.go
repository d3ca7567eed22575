package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unique"

	"causeway/internal/fault"
	"causeway/internal/usage"
)

// shelf is what is remembered of a snapshot between two questions: its label, and in
// which of its files a tenant's records are. Pages ask for one account among thousands,
// whose records are in one or two files of a hundred.
type shelf struct {
	label label
	file  fs.FileInfo // of the label, which is another one once the snapshot was loaded anew

	tenants map[string]*shelved // nil: nobody has asked yet
}

// shelved is what a snapshot has of a tenant.
type shelved struct {
	entitlements []string
	parts        []int // files, the first one first
	kinds        int   // of its rows
}

// mostShelves bounds the memory; a month has two or three snapshots.
const mostShelves = 128

// label reads what a snapshot is; what was read before is looked at only.
func (l *Lake) label(snapshot string) (label, error) {
	x, err := l.shelf(snapshot)
	if err != nil {
		return label{}, err
	}
	return x.label, nil
}

func (l *Lake) shelf(snapshot string) (*shelf, error) {
	dir, err := l.folder(snapshot)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, labelName)
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "snapshot %s is not in the lake", snapshot)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", snapshot, err)
	}
	l.mu.Lock()
	x := l.shelves[snapshot]
	l.mu.Unlock()
	if x != nil && os.SameFile(x.file, info) && x.file.ModTime().Equal(info.ModTime()) {
		return x, nil
	}
	x = &shelf{file: info}
	b, err := os.ReadFile(name) // #nosec G304 -- our own folder
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", snapshot, err)
	}
	if err := json.Unmarshal(b, &x.label); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", snapshot, err)
	}
	l.keep(snapshot, x)
	return x, nil
}

func (l *Lake) keep(snapshot string, x *shelf) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.shelves) >= mostShelves && l.shelves[snapshot] == nil {
		clear(l.shelves)
	}
	l.shelves[snapshot] = x
}

// tenants says what a snapshot has of each tenant, and where. Its kinds are read once.
func (l *Lake) tenants(ctx context.Context, s *session, snapshot string) (map[string]*shelved, error) {
	x, err := l.shelf(snapshot)
	if err != nil {
		return nil, err
	}
	if x.tenants != nil || x.label.Loaded.Rows == 0 { // without rows there may be no files
		return x.tenants, nil
	}
	kinds, err := l.files(snapshot, "kinds")
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, `SELECT coalesce(tenant, '') AS tenant, coalesce(entitlement, '') AS entitlement, (kind >> 32)::INTEGER AS part, count(*) FROM read_parquet(`+kinds+`) GROUP BY ALL ORDER BY tenant, entitlement, part`)
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	defer func() { _ = rows.Close() }() // read to the end below
	found := map[string]*shelved{}
	for rows.Next() {
		var tenant, entitlement string
		var part, kinds int
		if err := rows.Scan(&tenant, &entitlement, &part, &kinds); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
		t := found[tenant]
		if t == nil {
			t = &shelved{}
			found[unique.Make(tenant).Value()] = t // months have the same tenants
		}
		if n := len(t.entitlements); n == 0 || t.entitlements[n-1] != entitlement {
			t.entitlements = append(t.entitlements, unique.Make(entitlement).Value())
		}
		if i, ok := slices.BinarySearch(t.parts, part); !ok {
			t.parts = slices.Insert(t.parts, i, part)
		}
		t.kinds += kinds
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	l.keep(snapshot, &shelf{label: x.label, file: x.file, tenants: found})
	return found, nil
}

// fewTenants is up to how many of them are looked for one by one.
const fewTenants = 1000

// payers are the tenants that accounts pay anything of; false: they may be all.
func payers(owners []usage.Owner, accounts []string) ([]string, bool) {
	if len(accounts) == 0 || slices.Contains(accounts, "") {
		return nil, false
	}
	var all []string
	for _, o := range owners {
		if slices.Contains(accounts, o.Account) {
			all = append(all, o.Tenant)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all, len(all) <= fewTenants
}

// partsOf are the files of a snapshot that have anything of these tenants, as an argument
// of read_parquet; "" = none has.
func (l *Lake) partsOf(ctx context.Context, s *session, snapshot string, tenants []string, name func(int) string) (string, error) {
	known, err := l.tenants(ctx, s, snapshot)
	if err != nil {
		return "", err
	}
	dir, err := l.folder(snapshot)
	if err != nil {
		return "", err
	}
	var parts []int
	for _, t := range tenants {
		if x := known[t]; x != nil {
			parts = append(parts, x.parts...)
		}
	}
	if len(parts) == 0 {
		return "", nil
	}
	slices.Sort(parts)
	var files []string
	for _, n := range slices.Compact(parts) {
		files = append(files, quote(filepath.Join(dir, name(n))))
	}
	return "[" + strings.Join(files, ", ") + "]", nil
}

// among is the condition that a column has one of these values; "" stands for none too.
func among(column string, values []string) string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = quote(v)
	}
	in := column + " IN (" + strings.Join(all, ", ") + ")"
	if slices.Contains(values, "") {
		in = "(" + in + " OR " + column + " IS NULL)"
	}
	return in
}
