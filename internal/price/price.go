// Package price keeps the price lists, which account has which, and the partner's
// exchange rates. It does not price anything: the rules and what makes a list good
// are rating's.
package price

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"causeway/internal/account"
	"causeway/internal/audit"
	"causeway/internal/fault"
	"causeway/internal/money"
	"causeway/internal/price/sqlc"
	"causeway/internal/rating"
	"causeway/internal/store"
	"causeway/internal/usage"

	"github.com/shopspring/decimal"
)

// State is where a version is.
type State string

// A version is changed while it is a draft, and never after.
const (
	Draft     State = "draft"
	Active    State = "active"
	Withdrawn State = "withdrawn" // never came into force
)

// Version is one version of a list with its life.
type Version struct {
	List      rating.List `json:"list"`
	State     State       `json:"state"`
	Hash      string      `json:"hash"`
	Note      string      `json:"note"`
	From      usage.Day   `json:"from"` // first UTC day, "" while it is a draft
	ChangedAt time.Time   `json:"changed_at"`
	ChangedBy string      `json:"changed_by"`
}

// Book keeps them.
type Book struct {
	db  *store.DB
	now func() time.Time
}

// New opens the book.
func New(db *store.DB, now func() time.Time) *Book { return &Book{db, now} }

// plainID is an id that addresses and files may have in their names.
var plainID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$`)

// Save keeps a draft: the list's next version, or its draft once more. was is the hash
// of the draft that was read, "" if there was none; Conflict: somebody else saved
// meanwhile. The sample is usage to look for sales below cost in.
func (b *Book) Save(ctx context.Context, a account.Actor, l rating.List, was, note string, sample rating.Replay, rates []rating.Exchange) (Version, error) {
	if err := account.May(a, account.ActPriceChange, ""); err != nil {
		return Version{}, err
	}
	if l.ID == standard || !plainID.MatchString(l.ID) {
		return Version{}, fault.Field("id", fmt.Sprintf("A price list cannot have the id %q.", l.ID), "Choose another of at most 60 letters, digits, dots and dashes.")
	}
	if note = strings.TrimSpace(note); note == "" || len(note) > 1000 || store.CheckText("note", note) != nil {
		return Version{}, fault.Field("note", "A change of prices needs a reason of at most 1000 bytes.", "Say why they change.")
	}
	bad, err := rating.Validate(l, sample, rates)
	if err != nil {
		return Version{}, err
	}
	if len(bad) > 0 {
		return Version{}, fault.Refuse(bad...)
	}
	stale := fault.New(fault.Conflict, "Somebody else changed this price list meanwhile. Load it again and repeat your change.")
	var v Version
	err = b.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		newest, err := q.Newest(ctx, l.ID)
		drafted := err == nil && newest.State == string(Draft)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			l.Version = 1
		case err != nil:
			return fmt.Errorf("price list %s: %w", l.ID, err)
		case drafted:
			l.Version = newest.Version
		default:
			l.Version = newest.Version + 1
		}
		if drafted != (was != "") {
			return stale
		}
		body, hash, err := pack(l)
		if err != nil {
			return err
		}
		v = Version{List: l, State: Draft, Hash: hash, Note: note, ChangedAt: b.now().UTC().Truncate(time.Microsecond), ChangedBy: a.ID()}
		if drafted {
			n, err := q.ChangeDraft(ctx, sqlc.ChangeDraftParams{
				List: l.ID, Version: l.Version, Currency: string(l.Currency), Body: body, Hash: hash, Note: note, Now: store.Micros(v.ChangedAt), Actor: a.ID(), Was: was,
			})
			if err == nil && n == 0 {
				err = stale
			}
			if err != nil {
				return err
			}
		} else {
			err := q.AddVersion(ctx, sqlc.AddVersionParams{List: l.ID, Version: l.Version, Currency: string(l.Currency), Body: body, Hash: hash, Note: note, Now: store.Micros(v.ChangedAt), Actor: a.ID()})
			if store.IsUnique(err) {
				return stale
			}
			if err != nil {
				return fmt.Errorf("price list %s: %w", l.ID, err)
			}
		}
		return b.record(ctx, tx, a, "price.save", v, belowCost(l))
	})
	return v, err
}

// belowCost is what the audit says of rules that may sell below cost: who saves the
// list signs for them.
func belowCost(l rating.List) map[string]string {
	why := map[string]string{}
	for _, r := range l.Rules {
		if r.BelowCost != "" {
			why[r.ID] = r.BelowCost
		}
	}
	return why
}

func (b *Book) record(ctx context.Context, tx *store.Tx, a account.Actor, action string, v Version, below map[string]string) error {
	return audit.Write(ctx, tx, audit.Entry{
		At: b.now(), Actor: a.ID(), Action: action, Object: fmt.Sprintf("price-list:%s:%d", v.List.ID, v.List.Version), Address: a.Address,
		Detail: map[string]any{"note": v.Note, "hash": v.Hash, "from": v.From, "below_cost": below},
	})
}

func pack(l rating.List) (body, hash string, err error) {
	raw, err := json.Marshal(l)
	if err != nil {
		return "", "", fmt.Errorf("price list %s: %w", l.ID, err)
	}
	hash, err = l.Hash()
	return string(raw), hash, err
}

// Activate brings a draft into force from a UTC day on. That day is not over, so that
// no price changes behind anybody's back; only the first version of a list may begin
// earlier, since nobody had it. It is later than where the version before began.
func (b *Book) Activate(ctx context.Context, a account.Actor, list string, version int64, from usage.Day) (Version, error) {
	if err := account.May(a, account.ActPriceChange, ""); err != nil {
		return Version{}, err
	}
	if err := from.Check(); err != nil {
		return Version{}, err
	}
	var v Version
	err := b.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		row, err := q.OneVersion(ctx, sqlc.OneVersionParams{List: list, Version: version})
		if err != nil {
			return store.Found(err, "There is no version %d of the price list %s.", version, list)
		}
		if row.State != string(Draft) {
			return fault.New(fault.Conflict, "Version %d of the price list %s is %s. Save a new version instead.", version, list, row.State)
		}
		active, err := q.Active(ctx, list)
		if err != nil {
			return fmt.Errorf("price list %s: %w", list, err)
		}
		if len(active) > 0 {
			last := active[len(active)-1].FromDay
			if today := usage.DayOf(b.now()); from < today || string(from) <= last {
				return fault.Field("from", fmt.Sprintf("%s is too early: the version before it begins on %s, and today is %s UTC.", from, last, today), "Choose a later day.")
			}
		}
		n, err := q.Activate(ctx, sqlc.ActivateParams{List: list, Version: version, FromDay: string(from), Now: store.Micros(b.now()), Actor: a.ID()})
		if store.IsUnique(err) || err == nil && n == 0 {
			return fault.New(fault.Conflict, "Somebody else changed this price list meanwhile. Load it again.")
		}
		if err != nil {
			return fmt.Errorf("price list %s: %w", list, err)
		}
		if v, err = unpack(row); err != nil {
			return err
		}
		v.State, v.From, v.ChangedBy, v.ChangedAt = Active, from, a.ID(), b.now().UTC().Truncate(time.Microsecond)
		return b.record(ctx, tx, a, "price.activate", v, belowCost(v.List))
	})
	return v, err
}

// Withdraw takes back a draft, or a version that is not in force yet.
func (b *Book) Withdraw(ctx context.Context, a account.Actor, list string, version int64) error {
	if err := account.May(a, account.ActPriceChange, ""); err != nil {
		return err
	}
	return b.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		row, err := q.OneVersion(ctx, sqlc.OneVersionParams{List: list, Version: version})
		if err != nil {
			return store.Found(err, "There is no version %d of the price list %s.", version, list)
		}
		v, err := unpack(row)
		if err != nil {
			return err
		}
		n, err := q.Withdraw(ctx, sqlc.WithdrawParams{List: list, Version: version, Now: store.Micros(b.now()), Actor: a.ID(), Today: string(usage.DayOf(b.now()))})
		if err != nil {
			return fmt.Errorf("price list %s: %w", list, err)
		}
		if n == 0 {
			return fault.New(fault.Conflict, "Version %d of the price list %s is in force or was. End it with a new version.", version, list)
		}
		return b.record(ctx, tx, a, "price.withdraw", v, nil)
	})
}

// Versions gives a list's versions, newest first.
func (b *Book) Versions(ctx context.Context, a account.Actor, list string) ([]Version, error) {
	if err := account.May(a, account.ActPriceView, ""); err != nil {
		return nil, err
	}
	rows, err := sqlc.New(b.db.Read()).Versions(ctx, list)
	if err == nil && len(rows) == 0 {
		return nil, fault.New(fault.NotFound, "There is no price list %s.", list)
	}
	return versions(rows, err)
}

// Lists gives every version of every list: by list, newest first.
func (b *Book) Lists(ctx context.Context, a account.Actor) ([]Version, error) {
	if err := account.May(a, account.ActPriceView, ""); err != nil {
		return nil, err
	}
	return versions(sqlc.New(b.db.Read()).Lists(ctx))
}

func versions(rows []sqlc.PriceList, err error) ([]Version, error) {
	if err != nil {
		return nil, fmt.Errorf("price lists: %w", err)
	}
	list := make([]Version, len(rows))
	for i, r := range rows {
		if list[i], err = unpack(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// unpack reads a row, and finds out whether it is still what was saved.
func unpack(r sqlc.PriceList) (Version, error) {
	v := Version{State: State(r.State), Hash: r.Hash, Note: r.Note, From: usage.Day(r.FromDay), ChangedAt: store.Time(r.ChangedAt), ChangedBy: r.ChangedBy}
	if err := json.Unmarshal([]byte(r.Body), &v.List); err != nil {
		return v, fmt.Errorf("price list %s, version %d: %w", r.List, r.Version, err)
	}
	hash, err := v.List.Hash()
	if err != nil {
		return v, err
	}
	if hash != r.Hash {
		return v, fmt.Errorf("price list %s, version %d, was changed after it was saved", r.List, r.Version)
	}
	return v, nil
}

// Assign gives an account a list from a UTC day on. As with versions, the day is not
// over, unless the account has no list yet.
func (b *Book) Assign(ctx context.Context, a account.Actor, alias account.Alias, list string, from usage.Day) error {
	if err := account.May(a, account.ActPriceChange, ""); err != nil {
		return err
	}
	if err := from.Check(); err != nil {
		return err
	}
	return b.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		if list != standard {
			active, err := q.Active(ctx, list)
			if err != nil {
				return fmt.Errorf("price list %s: %w", list, err)
			}
			if len(active) == 0 || active[0].FromDay > string(from) {
				return fault.Field("list", fmt.Sprintf("The price list %s is not in force on %s.", list, from), "Choose another list, or a later day.")
			}
		}
		has, err := q.Assignments(ctx, string(alias))
		if err != nil {
			return fmt.Errorf("prices of %s: %w", alias, err)
		}
		if today := usage.DayOf(b.now()); len(has) > 0 && from < today {
			return fault.Field("from", fmt.Sprintf("%s is over: today is %s UTC.", from, today), "Choose today or a later day.")
		}
		err = q.Assign(ctx, sqlc.AssignParams{Account: string(alias), FromDay: string(from), List: list, Now: store.Micros(b.now()), Actor: a.ID()})
		if err != nil {
			return fmt.Errorf("prices of %s: %w", alias, err)
		}
		return audit.Write(ctx, tx, audit.Entry{At: b.now(), Actor: a.ID(), Action: "price.assign", Object: "account:" + string(alias), Address: a.Address, Detail: map[string]any{"list": list, "from": from}})
	})
}

// SetRate keeps the partner's rate of a month. A rate that changes after the month was
// billed makes correction lines; the audit keeps both.
func (b *Book) SetRate(ctx context.Context, a account.Actor, x rating.Exchange) error {
	if err := account.May(a, account.ActPriceChange, ""); err != nil {
		return err
	}
	for _, err := range []error{x.From.Check(), x.To.Check(), x.Month.Check(), x.Day.Check()} {
		if err != nil {
			return err
		}
	}
	if x.From == x.To || x.Rate.Sign() <= 0 || x.Rate.NumDigits() > 30 {
		return fault.Field("rate", "This is no exchange rate between two currencies.", "Give a number above 0 with at most 30 digits.")
	}
	return b.db.Tx(ctx, func(tx *store.Tx) error {
		q := sqlc.New(tx)
		was, err := q.GetRate(ctx, sqlc.GetRateParams{FromCurrency: string(x.From), ToCurrency: string(x.To), Month: string(x.Month)})
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("exchange rate: %w", err)
		}
		err = q.SetRate(ctx, sqlc.SetRateParams{
			FromCurrency: string(x.From), ToCurrency: string(x.To), Month: string(x.Month), Rate: x.Rate.String(), Day: string(x.Day), Now: store.Micros(b.now()), Actor: a.ID(),
		})
		if err != nil {
			return fmt.Errorf("exchange rate: %w", err)
		}
		return audit.Write(ctx, tx, audit.Entry{
			At: b.now(), Actor: a.ID(), Action: "price.rate", Object: fmt.Sprintf("rate:%s:%s:%s", x.From, x.To, string(x.Month)), Address: a.Address,
			Detail: map[string]any{"was": was.Rate, "rate": x.Rate, "day": x.Day},
		})
	})
}

// standard is the list of accounts that were given none.
var standard = rating.Default("USD").ID

// Terms are what holds for an account in a month, day by day: its lists, their
// versions, the partner's rates. An account without a list pays Microsoft's list price.
func (b *Book) Terms(ctx context.Context, on store.DBTX, alias account.Alias, c money.Currency, m usage.Month) ([]rating.Terms, error) {
	q := sqlc.New(on)
	assigned, err := q.Assignments(ctx, string(alias))
	if err != nil {
		return nil, fmt.Errorf("prices of %s: %w", alias, err)
	}
	rates, err := b.rates(ctx, q, c, m)
	if err != nil {
		return nil, err
	}
	type change struct {
		from usage.Day
		list string
	}
	changes := []change{{m.First(), standard}}
	for _, r := range assigned {
		from := usage.Day(r.FromDay)
		switch {
		case from <= m.First():
			changes[0].list = r.List
		case from <= m.Last():
			changes = append(changes, change{from, r.List})
		}
	}
	var terms []rating.Terms
	for i, ch := range changes {
		last := m.Last()
		if i+1 < len(changes) {
			last = changes[i+1].from.Add(-1)
		}
		of, err := inForce(ctx, q, ch.list, c, ch.from, last)
		if err != nil {
			return nil, fmt.Errorf("prices of %s: %w", alias, err)
		}
		for _, t := range of {
			t.Currency, t.Exchange = c, rates
			terms = append(terms, t)
		}
	}
	return terms, nil
}

// inForce gives the versions of a list from one day to another, without a gap.
func inForce(ctx context.Context, q *sqlc.Queries, list string, c money.Currency, from, to usage.Day) ([]rating.Terms, error) {
	if list == standard {
		return []rating.Terms{{List: rating.Default(c), From: from, To: to}}, nil
	}
	rows, err := q.Active(ctx, list)
	if err != nil {
		return nil, err
	}
	var terms []rating.Terms
	for _, r := range slices.Backward(rows) {
		if usage.Day(r.FromDay) > to {
			continue
		}
		v, err := unpack(r)
		if err != nil {
			return nil, err
		}
		terms = append(terms, rating.Terms{List: v.List, From: max(v.From, from), To: to})
		if v.From <= from {
			slices.Reverse(terms)
			return terms, nil
		}
		to = v.From.Add(-1)
	}
	return nil, fault.New(fault.Conflict, "the price list %s has no version for %s", list, from)
}

func (b *Book) rates(ctx context.Context, q *sqlc.Queries, c money.Currency, m usage.Month) ([]rating.Exchange, error) {
	rows, err := q.RatesTo(ctx, sqlc.RatesToParams{ToCurrency: string(c), Month: string(m)})
	if err != nil {
		return nil, fmt.Errorf("exchange rates: %w", err)
	}
	var rates []rating.Exchange
	for _, r := range rows {
		rate, err := decimal.NewFromString(r.Rate)
		if err != nil {
			return nil, fmt.Errorf("exchange rate from %s to %s for %s: %w", r.FromCurrency, r.ToCurrency, r.Month, err)
		}
		rates = append(rates, rating.Exchange{From: money.Currency(r.FromCurrency), To: c, Month: m, Rate: rate, By: rating.ByPartner, Day: usage.Day(r.Day)})
	}
	return rates, nil
}
