package torture

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"causeway/internal/seal"
	"causeway/internal/store"
)

// ReadBooks reads our side from the tables themselves; ring opens the sealed
// credentials.
func (h *History) ReadBooks(ctx context.Context, db *store.DB, ring *seal.Ring) error {
	h.Passwords = map[string]string{}
	q := reader{ctx: ctx, db: db.Read()}
	var a, b, c int64
	q.rows(`SELECT o.id, o.provider, o.org, o.account, o.tenant, o.correlation, o.state, o.step, o.subscription, o.started_at, o.stuck_at, p.state,
		(SELECT COUNT(*) FROM onboarding_step s WHERE s.onboarding = o.id), (SELECT COUNT(*) FROM onboarding_step s WHERE s.onboarding = o.id AND s.state = 'done')
		FROM onboarding o JOIN provider p ON p.id = o.provider ORDER BY o.started_at, o.id`, func(scan func(...any) error) error {
		var o Onboarding
		err := scan(&o.ID, &o.Provider, &o.Org, &o.Account, &o.Tenant, &o.Correlation, &o.State, &o.Step, &o.Subscription, &a, &b, &o.Shown, &o.Steps, &o.StepsDone)
		o.Started, o.StuckAt = store.Time(a), store.Time(b)
		h.Onboardings = append(h.Onboardings, o)
		return err
	})
	q.rows(`SELECT t.id, t.org, t.domain, t.state, t.stage, t.azure_id, t.plan, t.account, t.born_at, t.credentials,
		(SELECT COUNT(*) FROM intent i WHERE i.scope = 'tenant:' || t.id AND i.name = 'new-password') FROM tenant t ORDER BY t.created_at, t.id`, func(scan func(...any) error) error {
		var t Tenant
		var sealed string
		if err := scan(&t.ID, &t.Org, &t.Domain, &t.State, &t.Stage, &t.AzureID, &t.Plan, &t.Account, &a, &sealed, &c); err != nil {
			return err
		}
		t.Born, t.Credentials, t.Replaced = store.Time(a), sealed != "", c > 0
		h.Tenants = append(h.Tenants, t)
		if sealed == "" {
			return nil
		}
		password, err := ring.Open(sealed, "tenant:"+t.ID)
		h.Passwords[t.ID] = password
		return err
	})
	q.rows(`SELECT id, tenant, entitlement, account, from_day, to_day, state FROM association ORDER BY from_day, id`, func(scan func(...any) error) error {
		var x Association
		err := scan(&x.ID, &x.Tenant, &x.Entitlement, &x.Account, &x.From, &x.To, &x.State)
		h.Associations = append(h.Associations, x)
		return err
	})
	q.rows(`SELECT x.attempt, d.kind, x.at FROM agreement_acceptance x JOIN agreement_document d ON d.id = x.document_id`, func(scan func(...any) error) error {
		var x Acceptance
		err := scan(&x.Attempt, &x.Kind, &a)
		x.At = store.Time(a)
		h.Acceptances = append(h.Acceptances, x)
		return err
	})
	q.rows(`SELECT key, made_at FROM support_mail WHERE key LIKE 'stuck:staff:%'`, func(scan func(...any) error) error {
		var key string
		err := scan(&key, &a)
		id, _, _ := strings.Cut(strings.TrimPrefix(key, "stuck:staff:"), ":")
		h.Alarms = append(h.Alarms, Alarm{Onboarding: id, At: store.Time(a)})
		return err
	})
	if q.err != nil {
		return q.err
	}
	var err error
	h.Books, err = Dump(ctx, db)
	return err
}

// reader reads one table after another and keeps the first error.
type reader struct {
	ctx context.Context
	db  store.DBTX
	err error
}

func (r *reader) rows(query string, each func(scan func(...any) error) error) {
	if r.err != nil {
		return
	}
	rows, err := r.db.QueryContext(r.ctx, query)
	if err != nil {
		r.err = fmt.Errorf("read the books: %w", err)
		return
	}
	defer func() { r.err = errors.Join(r.err, rows.Close()) }()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			r.err = fmt.Errorf("read the books: %w", err)
			return
		}
	}
	r.err = rows.Err()
}

// Dump gives every table as text, to be searched or compared, but for some.
func Dump(ctx context.Context, db *store.DB, but ...string) ([]Text, error) {
	list := `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name`
	if db.SQLite() {
		list = `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`
	}
	var tables []string
	q := reader{ctx: ctx, db: db.Read()}
	q.rows(list, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		tables = append(tables, name)
		return err
	})
	if q.err != nil {
		return nil, q.err
	}
	dump := make([]Text, 0, len(tables))
	for _, name := range tables {
		if slices.Contains(but, name) {
			continue
		}
		body, err := table(ctx, db, name)
		if err != nil {
			return nil, fmt.Errorf("read the table %s: %w", name, err)
		}
		dump = append(dump, Text{Where: "table " + name, Body: body})
	}
	return dump, nil
}

func table(ctx context.Context, db *store.DB, name string) (string, error) {
	rows, err := db.Read().QueryContext(ctx, `SELECT * FROM "`+name+`"`) // #nosec G202 -- a name that the database gave
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var lines []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = v.String
		}
		lines = append(lines, strings.Join(cells, "\t"))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), rows.Err()
}
