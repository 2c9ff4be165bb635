package cmd

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
	"keyward/registry"
	"keyward/store"
	"keyward/store/audit"
)

// The files of the data folder.
const (
	databaseFile      = "registry.db"
	serverKeyFile     = "serverkey" // the NaCl pair, in the layout of a user key file
	adminPasswordFile = "admin-password"
	adminName         = "admin"
)

func (e *env) serveCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Category: services,
		Usage: "run the registry: HTTPS REST API v3 over SQLite or PostgreSQL",
		Description: "The first start in an empty data folder makes all that is needed: the server's NaCl key pair, a root and a server certificate, and the user admin. " +
			"The admin's first password is asked for at a terminal, or taken from --admin-password-file, or made and written to admin-password in the data folder; that file goes when the password changes. " +
			"With --store postgres://... several servers serve one registry: each needs the same --server-key and --audit-key. The store has the server's public key on record, and a server with another key does not start. " +
			"Clients trust the registry with --ca-file and the data folder's ca.cert.pem. " +
			"When it is ready its URL is printed on stdout; the log, a JSON line a request, goes to stderr. SIGINT and SIGTERM stop it once the running requests are answered. " +
			"Certificates change while it serves, and connections that are open stay. --tls-cert and --tls-key are read again within a minute after they change, and at a SIGHUP; " +
			"what cannot be used is logged, and the certificate before it stays. The registry's own is made anew two months before its end, for the same key. " +
			"Its root lives ten years, and has a successor for the same key two years before its end: give the clients the new ca.cert.pem by then. " +
			"Below systemd it tells NOTIFY_SOCKET when it is ready, reloads and stops, keeps the watchdog quiet, and takes a socket that is passed on in place of --listen.",
		UsageText: "keyward serve\nkeyward serve --listen :9100 --name registry.example.org --data-dir /var/lib/keyward\n" +
			"keyward serve --tls-cert server.cert.pem --tls-key server.key.pem --metrics-listen 127.0.0.1:9101 --log-format text",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "listen", EnvVars: variable("listen"), Value: "127.0.0.1:9100", Usage: "the `ADDRESS` and port; port 0 takes a free one; a socket that systemd passes on takes its place"},
			dataDirFlag(), storeFlag(), serverKeyFlag(), auditKeyFlag(),
			&cli.StringSliceFlag{Name: "name", EnvVars: variable("name"), Usage: "a `NAME` or address for the server's certificate beside localhost and loopback, repeatable; other names make a new certificate for the same key",
				DefaultText: "the listening host and the host name"},
			&cli.StringFlag{Name: "tls-cert", EnvVars: variable("tls-cert"), TakesFile: true, Usage: "a certificate chain in PEM `FILE`, in place of the registry's own"},
			&cli.StringFlag{Name: "tls-key", EnvVars: variable("tls-key"), TakesFile: true, Usage: "its private key in PEM `FILE`"},
			&cli.StringFlag{Name: "tls-key-password-file", EnvVars: variable("tls-key-password-file"), TakesFile: true, Usage: "the password of an encrypted --tls-key is the first line of `FILE`, - is stdin", DefaultText: "asked at the terminal"},
			&cli.StringFlag{Name: "admin-password-file", EnvVars: variable("admin-password-file"), TakesFile: true, Usage: "at the first start, the first line of `FILE` is the admin's password; - is stdin"},
			&cli.StringFlag{Name: "project", EnvVars: variable("project"), Value: "keyward", Usage: "the project `NAME` that the API tells"},
			&cli.IntFlag{Name: "max-connections", EnvVars: variable("max-connections"), Value: 4096, Usage: "how many connections `N` may be open, a quarter of them from one address"},
			&cli.StringFlag{Name: "metrics-listen", EnvVars: variable("metrics-listen"), Usage: "tell Prometheus metrics at this `ADDRESS` and port, in plain http at /metrics", DefaultText: "no metrics"},
		}, logFlags("each request")...),
		Action: e.serve,
	}
}

// serve refuses what it can before anything is made, then makes what is missing, then serves.
func (e *env) serve(c *cli.Context) error {
	if err := checkServeFlags(c); err != nil {
		return err
	}
	log, err := e.logger(c)
	if err != nil {
		return err
	}
	given, err := e.givenIdentity(c, log)
	if err != nil {
		return err
	}
	doors, err := open(c)
	if err != nil {
		return err
	}
	defer doors.close()
	dir, err := e.dataFolderName(c)
	if err != nil {
		return err
	}
	if err := e.dataFolder(c.Context, dir); err != nil {
		return err
	}
	where, err := e.storeOf(c, dir)
	if err != nil {
		return err
	}
	password := sync.OnceValues(func() (string, error) { return e.givenPassword(c.String("admin-password-file")) })
	if _, err := os.Lstat(string(where)); !where.isPostgres() && errors.Is(err, fs.ErrNotExist) {
		if _, err := password(); err != nil {
			return err
		}
	}
	there, err := whatIsIn(c.Context, where)
	if err != nil {
		return err
	}
	signer, err := e.signerOf(c.Context, fileOr(c, "audit-key", dir, auditKeyFile), there.Last)
	if err != nil {
		return err
	}
	db, err := openStore(c.Context, where, signer)
	if err != nil {
		return err
	}
	log.Info("store", "place", where.String())
	return errors.Join(e.serveStore(c, log, dir, where, db, signer, doors, given, password), db.Close())
}

// checkServeFlags refuses what could not be served.
func checkServeFlags(c *cli.Context) error {
	if (c.String("tls-cert") == "") != (c.String("tls-key") == "") {
		return fault.New(fault.Usage, "give both --tls-cert and --tls-key", "one of --tls-cert and --tls-key is missing")
	}
	for _, flag := range []string{"listen", "metrics-listen"} {
		if err := checkAddress(c, flag); err != nil {
			return err
		}
	}
	if c.Int("max-connections") < 1 {
		return fault.New(fault.Usage, "give --max-connections 1 or more", "nobody can connect with --max-connections %d", c.Int("max-connections"))
	}
	for _, name := range c.StringSlice("name") {
		if err := certs.CheckName(name); err != nil {
			return fault.New(fault.Usage, "give --name a host name or an address", "--name: %w", err)
		}
	}
	return nil
}

// doors are where it listens.
type doors struct{ api, metrics net.Listener }

// open listens before anything is made.
func open(c *cli.Context) (d doors, err error) {
	if d.api, err = apiListener(c.Context, c.String("listen")); err != nil {
		return d, err
	}
	if d.metrics, err = metricsListener(c); err != nil {
		d.close()
	}
	return d, err
}

// metricsListener is nil where no metrics are told.
func metricsListener(c *cli.Context) (net.Listener, error) {
	if address := c.String("metrics-listen"); address != "" {
		return listenOn(c.Context, address, "--metrics-listen")
	}
	return nil, nil
}

func (d doors) close() {
	_ = d.api.Close()
	if d.metrics != nil {
		_ = d.metrics.Close()
	}
}

func (e *env) serveStore(c *cli.Context, log *slog.Logger, dir string, where storePlace, db store.Store, signer *audit.Signer, doors doors, shown *identity, password func() (string, error)) error {
	held, err := e.servedKeys(c.Context, log, fileOr(c, "server-key", dir, serverKeyFile), db)
	if err != nil {
		return err
	}
	if err := sameAuditKey(c.Context, where, fileOr(c, "audit-key", dir, auditKeyFile), signer); err != nil {
		return err
	}
	if err := e.administrator(c, dir, db, password); err != nil {
		return err
	}
	e.collectLess()
	ctx, signals, stop := e.signals(c.Context) // not before: a prompt is ended by them
	defer stop()
	if shown == nil {
		if shown, err = e.ownIdentity(ctx, log, dir, serverNames(c.StringSlice("name"), doors.api.Addr())); err != nil {
			return err
		}
	}
	server, err := registry.New(registry.Config{
		Store: db, Key: held.current, Others: held.others, AuditKey: signer.Public(), Project: c.String("project"), Version: e.version, Now: e.now, Log: log,
		MaxConnections: c.Int("max-connections"), Certificates: shown.certificates,
		PasswordChanged: func(user string) { forgetFirstPassword(log, dir, user) },
	})
	if err != nil {
		return err
	}
	warnOpenFiles(log, "max-connections", c.Int("max-connections"))
	if doors.metrics != nil {
		tellMetrics(log, doors.metrics.Addr())
	}
	url := serverURL(doors.api.Addr(), c.StringSlice("name"))
	log.Info("ready", "url", url, "data_dir", dir, "server_key", held.current.Public.String())
	if err := e.print(nil, url+"\n"); err != nil {
		return err
	}
	keeper := &keeper{
		log: log, shown: shown, reloads: []reload{{"certificate", shown.reload}, {"server key", held.reload(server, held.read)}},
		looks: []reload{{"certificate", shown.look}, {"server key", held.reload(server, held.follow)}},
		ended: signals.ended,
	}
	e.quiet = true // from here on the log speaks
	return run(ctx, server, doors, keeper, signals.hangup)
}

// run serves until ctx ends, and what works beside it ends with it.
func run(ctx context.Context, server *registry.Server, doors doors, keeper *keeper, hangup <-chan os.Signal) error {
	ctx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	beside.Go(func() { keeper.keep(ctx, stop, hangup) })
	if doors.metrics != nil {
		beside.Go(func() {
			if err := server.ServeMetrics(ctx, doors.metrics); err != nil {
				keeper.log.Error("no more metrics", "error", err)
			}
		})
	}
	return server.Serve(ctx, doors.api, keeper.shown.tlsConfig())
}

// tellMetrics logs where the metrics are. Anybody may read them, since they have no secret.
func tellMetrics(log *slog.Logger, address net.Addr) {
	log.Info("metrics", "url", "http://"+address.String()+"/metrics")
	if tcp, ok := address.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		log.Warn("the metrics go out in plain http, to all who reach the address", "address", tcp.String())
	}
}

// collectLess has garbage collected less often, since what a login makes is short-lived, but
// early where passwords are hashed, 19 MiB each. The connections that may be open need the rest.
func (e *env) collectLess() {
	if e.getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if e.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(384 << 20)
	}
}

// serverURL is where clients find the registry, under a name that its certificate has: on
// loopback the address, elsewhere the first --name, where there is none the address again.
func serverURL(address net.Addr, given []string) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return "https://" + address.String()
	}
	ip := net.ParseIP(host)
	name := slices.IndexFunc(given, func(name string) bool { return !strings.HasPrefix(name, "*") })
	switch {
	case ip.IsLoopback():
	case name >= 0:
		host = given[name]
	case ip.IsUnspecified():
		host = "localhost"
	}
	return "https://" + net.JoinHostPort(host, port)
}

// dataFolder makes the folder, for its owner alone, or checks the one that is there: who
// could put files into it could make themselves administrator.
func (e *env) dataFolder(ctx context.Context, dir string) error {
	if err := durable.MakeFolder(dir, 0o700); err != nil {
		return fault.New(kindOf(err), "give --data-dir a folder that can be written", "cannot make the data folder: %w", err)
	}
	info, err := os.Stat(dir)
	if err == nil && info.Mode()&fs.ModeSticky != 0 {
		return fault.New(fault.Policy, "give --data-dir a folder of its own", "%s is shared with others", dir)
	}
	if err := errors.Join(err, secretfile.FolderExposed(dir)); err != nil {
		return err
	}
	return durable.Settle(ctx, dir, restoredKeys)
}

// administrator adds the user admin where there is no user yet.
func (e *env) administrator(c *cli.Context, dir string, db store.Store, password func() (string, error)) error {
	there, err := anyUser(c.Context, db)
	if err != nil {
		return err
	}
	if there {
		if c.String("admin-password-file") != "" {
			e.note("note: --admin-password-file is for the first start; there are users already")
		}
		return nil
	}
	first, err := password()
	if err == nil && first == "" {
		first, err = e.madePassword(c.Context, dir)
	}
	if err != nil {
		return err
	}
	hash, err := registry.HashPassword(first)
	if err != nil {
		return err
	}
	err = db.AddUser(c.Context, store.User{Name: adminName, Admin: true, Password: hash, Created: e.now()},
		byItself(e.now(), audit.UserAdded, adminName, "administrator"))
	if errors.Is(err, store.ErrExists) {
		return e.otherWasFirst(c.Context, dir, db, first)
	}
	return err
}

// anyUser tells whether there is a user. Most stores keep the first, so that the others, many perhaps, need not be listed.
func anyUser(ctx context.Context, db store.Store) (bool, error) {
	if _, err := db.User(ctx, adminName); !errors.Is(err, store.ErrNotFound) {
		return err == nil, err
	}
	users, err := db.Users(ctx)
	return len(users) > 0, err
}

// sameAuditKey is for a server that started at the same time as another, which began the audit log. The server key is on
// record by now, so there is a last record; a database file has one server.
func sameAuditKey(ctx context.Context, where storePlace, path string, signer *audit.Signer) error {
	if !where.isPostgres() {
		return nil
	}
	there, err := look(ctx, where)
	if err != nil {
		return err
	}
	return checkAuditKey(path, signer, there.Last)
}

// otherWasFirst is for a server that started at the same time as another, which added the administrator.
func (e *env) otherWasFirst(ctx context.Context, dir string, db store.Store, password string) error {
	admin, err := db.User(ctx, adminName)
	if err != nil || registry.PasswordIs(admin.Password, password) {
		return err
	}
	e.note("note: another server of this store was the first; it has the password of the user %s", adminName)
	if err := os.Remove(filepath.Join(dir, adminPasswordFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// givenPassword is the administrator's first: from the file, or asked for; "" where one is to be made.
func (e *env) givenPassword(file string) (password string, err error) {
	if file != "" {
		password, err = e.secretLine(file, "--admin-password-file")
	} else if e.terminal() != nil {
		password, err = e.askTwice("Password for the administrator (empty: one is made):")
	}
	if err != nil || password == "" {
		return "", err
	}
	return password, registry.CheckPassword(password)
}

// madePassword makes a password and keeps it in the data folder.
func (e *env) madePassword(ctx context.Context, dir string) (string, error) {
	kept := filepath.Join(dir, adminPasswordFile)
	if line, err := e.secretLine(kept, "--admin-password-file"); err == nil {
		return line, secretfile.Exposed(kept) // of a first start that was killed before it added the user
	}
	password := rand.Text()
	err := durable.Put(ctx, dir, adminPasswordFile, []durable.File{{Name: adminPasswordFile, Data: []byte(password + "\n"), Mode: 0o600}}, false)
	if errors.Is(err, fault.Exists) { // of a server of this folder that starts at the same time
		return e.secretLine(kept, "--admin-password-file")
	}
	if err == nil {
		e.note("the first password of the user %s is in %s", adminName, kept)
	}
	return password, err
}

// forgetFirstPassword removes the file once what is in it is no password any more.
func forgetFirstPassword(log *slog.Logger, dir, user string) {
	if user != adminName {
		return
	}
	if err := os.Remove(filepath.Join(dir, adminPasswordFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Error("the file with the first password stays", "error", err)
	}
}
