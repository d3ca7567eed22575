package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"causeway/internal/fault"

	"github.com/jackc/pgx/v5/pgconn"
)

// IsAway tells whether err says that the database cannot be reached, or ended
// the connection: it is being restarted, or the way to it is cut. It is no bug
// and no answer; the same again works once it is back.
func IsAway(err error) bool {
	var known *fault.Error
	var elsewhere *url.Error // an HTTP call to somebody else that broke off
	if err == nil || errors.As(err, &known) || errors.As(err, &elsewhere) {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, "08") || // connection exception
			strings.HasPrefix(pg.Code, "57P0") || // shutting down, crashed, starting up
			pg.Code == "53300" // too many connections: the old ones have not ended yet
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, pgconn.ErrConnClosed) {
		return true
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	// A connection that breaks in the middle: sometimes the driver says so, sometimes
	// the system. Whose own request breaks off likewise is not there to read it.
	var connection interface {
		error
		SafeToRetry() bool
	}
	var network *net.OpError
	return errors.As(err, &connection) || errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Known gives err as something that the caller can act on, if it says that the
// database is away; any other error as it is.
func Known(err error) error {
	if !IsAway(err) {
		return err
	}
	f := fault.New(fault.Unavailable, "The database does not answer at the moment. Try again in a few seconds; if you were saving something, look first whether it is there.")
	f.After = 2 * time.Second
	return f.Because(err)
}
