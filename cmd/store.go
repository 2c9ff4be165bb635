package cmd

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/secretfile"
	"keyward/store/audit"
	"keyward/store/sqlstore"
)

func dataDirFlag() cli.Flag {
	return &cli.StringFlag{Name: "data-dir", EnvVars: variable("data-dir"), TakesFile: true, Usage: "the data `DIR`",
		DefaultText: "registry in KEYWARD_HOME, else in $XDG_DATA_HOME/keyward, else in $HOME/.local/share/keyward"}
}

func storeFlag() cli.Flag {
	return &cli.StringFlag{Name: "store", EnvVars: variable("store"),
		Usage: "what the registry keeps is in `STORE`: postgres://USER@HOST/DATABASE, with the password in PGPASSWORD or PGPASSFILE, or the file of an SQLite database", DefaultText: databaseFile + " in --data-dir"}
}

func auditKeyFlag() cli.Flag {
	return &cli.StringFlag{Name: "audit-key", EnvVars: variable("audit-key"), TakesFile: true, Usage: "the key that signs the audit log is in `FILE`", DefaultText: auditKeyFile + " in --data-dir"}
}

func serverKeyFlag() cli.Flag {
	return &cli.StringFlag{Name: "server-key", EnvVars: variable("server-key"), TakesFile: true, Usage: "the server's NaCl key pair is in `FILE`", DefaultText: serverKeyFile + " in --data-dir"}
}

// storeFlags are those of commands that work on a store past the registry.
func storeFlags() []cli.Flag { return []cli.Flag{storeFlag(), dataDirFlag()} }

// dataFolderName is the data folder, whether it is there or not.
func (e *env) dataFolderName(c *cli.Context) (string, error) {
	if dir := c.String("data-dir"); dir != "" {
		return dir, nil
	}
	return e.dataDir()
}

// fileOr is the file that a flag names, else the one of that name in the data folder.
func fileOr(c *cli.Context, flag, dir, name string) string {
	if file := c.String(flag); file != "" {
		return file
	}
	return filepath.Join(dir, name)
}

// storePlace is where a store is: the URL of a PostgreSQL database, or the path of an SQLite one. A URL may have a
// password in it, which String leaves out.
type storePlace string

func (p storePlace) isPostgres() bool {
	return strings.HasPrefix(string(p), "postgres://") || strings.HasPrefix(string(p), "postgresql://")
}

func (p storePlace) String() string {
	if !p.isPostgres() {
		return string(p)
	}
	u, err := url.Parse(string(p))
	if err != nil {
		return "postgres:"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// kind is the store's engine.
func (p storePlace) kind() string {
	if p.isPostgres() {
		return "postgresql"
	}
	return "sqlite"
}

// storeOf is the store of --store, else the one of the data folder.
func (e *env) storeOf(c *cli.Context, dir string) (storePlace, error) {
	return e.parsePlace(fileOr(c, "store", dir, databaseFile), "store", "KEYWARD_STORE")
}

// folderAndStore are the data folder and the store that the flags name, whether they are there or not.
func (e *env) folderAndStore(c *cli.Context) (dir string, where storePlace, err error) {
	if dir, err = e.dataFolderName(c); err == nil {
		where, err = e.storeOf(c, dir)
	}
	return dir, where, err
}

// storeThere is folderAndStore for a store that must be there.
func (e *env) storeThere(c *cli.Context) (dir string, where storePlace, err error) {
	if dir, where, err = e.folderAndStore(c); err == nil {
		err = missing(where, "store")
	}
	return dir, where, err
}

// parsePlace reads the value of a flag. It never shows one: there may be a password in it.
func (e *env) parsePlace(text, flag, variable string) (storePlace, error) {
	p := storePlace(text)
	if p.isPostgres() {
		u, err := url.Parse(text)
		if err != nil || strings.ContainsAny(u.Path+u.RawQuery+u.Fragment, "@#") { // a password that is not escaped
			return "", fault.New(fault.Usage, "put the password into PGPASSWORD or PGPASSFILE, or write / @ : # ? % in it as %2F %40 %3A %23 %3F %25", "--%s is no URL", flag)
		}
		if _, secret := u.User.Password(); (secret || u.Query().Has("password")) && e.getenv(variable) != text {
			e.note("warning: the password in --%s can be seen in the list of processes (put it into PGPASSWORD or PGPASSFILE, or the URL into %s)", flag, variable)
		}
		return p, nil
	}
	if text == "" || strings.Contains(text, "://") || strings.HasPrefix(text, "postgres") && strings.Contains(text, ":/") || strings.Contains(text, "password=") {
		return "", fault.New(fault.Usage, "write postgres://USER@HOST/DATABASE, or the path of a file", "--%s is neither a URL of PostgreSQL nor a path", flag)
	}
	if err := secretfile.FolderExposed(text); !errors.Is(err, fault.NotFound) {
		return p, err
	}
	return p, nil // the folder may be made yet
}

// missing refuses an SQLite file that is not there; flag is the one that names it.
func missing(p storePlace, flag string) error {
	if _, err := os.Stat(string(p)); p.isPostgres() || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fault.New(fault.NotFound, "name the store with --"+flag+", or its folder with --data-dir", "there is no database %s", p)
}

// openStore opens a store, and makes an SQLite file where there is none. No other process then has that file.
func openStore(ctx context.Context, p storePlace, signer *audit.Signer) (*sqlstore.Store, error) {
	if p.isPostgres() {
		return sqlstore.OpenPostgres(ctx, string(p), signer)
	}
	return sqlstore.Open(ctx, string(p), signer)
}

// openBeside opens a store that is there, and that a registry may serve meanwhile. It makes nothing and leaves an old
// schema to `serve`.
func openBeside(ctx context.Context, p storePlace, signer *audit.Signer) (*sqlstore.Store, error) {
	if !p.isPostgres() {
		return sqlstore.OpenBeside(ctx, string(p), signer)
	}
	if _, err := look(ctx, p); err != nil {
		return nil, err
	}
	return openStore(ctx, p, signer)
}

// look looks at a store that is there, and changes nothing.
func look(ctx context.Context, p storePlace) (sqlstore.Glance, error) {
	if p.isPostgres() {
		return sqlstore.LookPostgres(ctx, string(p))
	}
	return sqlstore.Look(ctx, string(p))
}

// openEither is openStore, or openBeside where another process has the file: shared tells so.
func openEither(ctx context.Context, p storePlace, signer *audit.Signer) (db *sqlstore.Store, shared bool, err error) {
	db, err = openStore(ctx, p, signer)
	if p.isPostgres() || !errors.Is(err, fault.Exists) {
		return db, p.isPostgres(), err
	}
	db, err = openBeside(ctx, p, signer)
	return db, true, err
}

// held is what a store holds.
type held struct {
	sqlstore.Glance
	empty bool
}

// whatIsIn looks into a store that is to be served or written to. An old schema is brought up to date, but no SQLite
// file is made where there is none.
func whatIsIn(ctx context.Context, p storePlace) (h held, err error) {
	if _, err := os.Lstat(string(p)); !p.isPostgres() && errors.Is(err, fs.ErrNotExist) {
		return held{empty: true}, nil
	}
	db, _, err := openEither(ctx, p, nil)
	if err != nil {
		return h, err
	}
	defer func() { _ = db.Close() }()
	h.empty = true
	for _, err := range db.Export(ctx) {
		if err != nil {
			return h, err
		}
		h.empty = false
		break
	}
	h.Glance, err = look(ctx, p)
	return h, err
}
