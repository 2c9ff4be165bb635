package sqlstore

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"keyward/fault"
)

const (
	postgresMin     = 15                 // the oldest version that is taken
	minConns        = 4                  // of a pool: logins, a change, reads and an export
	postgresConns   = 12                 // a process's connections, where the URL does not say pool_max_conns
	connectLimit    = 2 * time.Second    // for a new connection
	statementLimit  = 5 * time.Second    // for a statement, its wait for locks included
	answerLimit     = 2 * statementLimit // for an answer, should the server be gone without a word
	lookedAtAfter   = time.Second        // a connection that was idle for longer is looked at before it is used
	connectionsLast = 30 * time.Minute   // then they are made anew, so that new grants and a failover reach them
	poolSize        = "pool_max_conns"   // in the URL, as pgxpool has it
)

const urlHint = "write it as postgres://USER@HOST/DATABASE?sslmode=verify-full, with the password in PGPASSWORD or PGPASSFILE"

// postgresConfig reads a URL, and the variables and files that libpq reads too: PGPASSWORD, PGPASSFILE, PGSSLROOTCERT and
// others. It tells the size of the pool too. No error has the URL in it, which may hold a password.
func postgresConfig(url string) (config *pgx.ConnConfig, size int, err error) {
	if config, err = pgx.ParseConfig(url); err != nil {
		if file, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, 0, fault.New(fault.Usage, urlHint, "the store's URL cannot be used: %w", file)
		}
		return nil, 0, fault.New(fault.Usage, urlHint, "the store's URL is not one of PostgreSQL")
	}
	size = postgresConns
	if text, there := config.RuntimeParams[poolSize]; there {
		delete(config.RuntimeParams, poolSize)
		if size, err = strconv.Atoi(text); err != nil || size < minConns {
			return nil, 0, fault.New(fault.Usage, "give at least "+strconv.Itoa(minConns), "%s in the store's URL is %.20q", poolSize, text)
		}
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > connectLimit {
		config.ConnectTimeout = connectLimit
	}
	milliseconds := strconv.FormatInt(statementLimit.Milliseconds(), 10)
	config.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: statementLimit, Interval: connectLimit, Count: 3,
	}}).DialContext
	for name, value := range map[string]string{
		"application_name":                    "keyward",
		"statement_timeout":                   milliseconds,
		"lock_timeout":                        milliseconds,
		"idle_in_transaction_session_timeout": milliseconds,
		"synchronous_commit":                  "on", // whatever the server's default: what is acknowledged is on the disk
		"default_transaction_isolation":       "read committed",
	} {
		if _, there := config.RuntimeParams[name]; !there {
			config.RuntimeParams[name] = value
		}
	}
	return config, size, checkTransport(&config.Config)
}

// connect makes a pool of up to size connections, which are made when they are needed.
func connect(config *pgx.ConnConfig, size int) *sql.DB {
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(checkVersion),
		stdlib.OptionShouldPing(lookAt), stdlib.OptionResetSession(keep))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxLifetime(connectionsLast)
	return db
}

// lookAt closes an idle connection that the server has ended. It costs no round trip, as the ping would to which it
// says no: a login is two of them.
func lookAt(_ context.Context, p stdlib.ShouldPingParams) bool {
	if p.IdleDuration > lookedAtAfter {
		_ = p.Conn.PgConn().CheckConn() //nolint:staticcheck // not the ping
	}
	return false
}

// keep tells whether a connection can be used again.
func keep(_ context.Context, conn *pgx.Conn) error {
	if conn.IsClosed() {
		return driver.ErrBadConn
	}
	return nil
}

// checkTransport refuses a connection that leaves the machine without TLS, or with TLS whose certificate nobody
// checks: who listens or stands between would read password hashes, or hand out keys of their own.
func checkTransport(c *pgconn.Config) error {
	hosts := []pgconn.FallbackConfig{{Host: c.Host, TLSConfig: c.TLSConfig}}
	for _, other := range c.Fallbacks {
		hosts = append(hosts, *other)
	}
	for _, h := range hosts {
		if !onThisMachine(h.Host) && !checked(h.TLSConfig) {
			return fault.New(fault.Policy, "add sslmode=verify-full to the URL, and sslrootcert=FILE for a certificate authority of your own",
				"the way to the database server %.255q is not safe: its certificate is not checked", h.Host)
		}
	}
	return nil
}

// checked tells whether a connection is TLS that looks at the server's certificate.
func checked(c *tls.Config) bool {
	return c != nil && (!c.InsecureSkipVerify || c.VerifyPeerCertificate != nil || c.VerifyConnection != nil)
}

// onThisMachine tells whether a host is a socket or loopback.
func onThisMachine(host string) bool {
	if network, _ := pgconn.NetworkAddress(host, 5432); network == "unix" || host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// checkVersion refuses a server that is too old, when a connection is made.
func checkVersion(_ context.Context, conn *pgx.Conn) error {
	return checkServer(conn.PgConn().ParameterStatus("server_version"))
}

// checkServer takes what a server says, as "15.14 (Debian 15.14-0+deb12u1)" or "18beta1".
func checkServer(version string) error {
	digits := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(version)
	}
	if major, err := strconv.Atoi(version[:digits]); err == nil && major >= postgresMin {
		return nil
	}
	return fault.New(fault.Policy, "upgrade the database server", "PostgreSQL %.40q is too old: keyward needs %d or newer", version, postgresMin)
}

// placeOfDatabase names a database in messages: its host and name, without user and password.
func placeOfDatabase(c *pgconn.Config) string {
	if network, _ := pgconn.NetworkAddress(c.Host, c.Port); network == "unix" {
		return c.Database + " at " + c.Host
	}
	return c.Database + " at " + net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}
