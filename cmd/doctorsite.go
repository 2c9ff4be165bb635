package cmd

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
	"keyward/store/sqlstore"
)

// site is what a registry has on this machine.
type site struct {
	*env
	c    *cli.Context
	soon time.Time
	dir  string // the data folder; "" where it cannot be used

	where  storePlace
	glance *sqlstore.Glance  // nil where the store cannot be read
	leaf   *x509.Certificate // that serve shows; nil where it cannot be read
}

// siteFlags are those of serve that tell where its things are.
func siteFlags() []cli.Flag {
	return []cli.Flag{
		dataDirFlag(), storeFlag(), serverKeyFlag(), auditKeyFlag(),
		&cli.StringFlag{Name: "listen", EnvVars: variable("listen"), Value: "127.0.0.1:9100", Usage: "the `ADDRESS` and port that it serves"},
		&cli.StringSliceFlag{Name: "name", EnvVars: variable("name"), Usage: "a `NAME` or address that its certificate must have; repeatable"},
		&cli.StringFlag{Name: "tls-cert", EnvVars: variable("tls-cert"), TakesFile: true, Usage: "the certificate chain in PEM `FILE` that it shows", DefaultText: "the registry's own"},
		&cli.StringFlag{Name: "tls-key", EnvVars: variable("tls-key"), TakesFile: true, Usage: "its private key in PEM `FILE`"},
		&cli.IntFlag{Name: "max-connections", EnvVars: variable("max-connections"), Value: 4096, Usage: "how many connections `N` may be open"},
		&cli.IntFlag{Name: "min-free", EnvVars: variable("min-free"), Value: 1024, Usage: "tell of less than `MIB` free on the disk of --data-dir; less than a tenth is a fault"},
	}
}

func siteChecks() []check[site] {
	return []check[site]{
		{"data-folder", lookAtDataFolder},
		{"data-files", lookAtDataFiles},
		{"store", lookAtStore},
		{"server-pair", lookAtServerPair},
		{"audit-key", lookAtAuditKey},
		{"audit-clock", lookAtAuditClock},
		{"disk", lookAtDisk},
		{"own-root", lookAtOwnRoot},
		{"own-certificate", lookAtOwnCertificate},
		{"tls-files", lookAtTLSFiles},
		{"first-password", lookAtFirstPassword},
		{"port", lookAtPort},
		{"open-files", lookAtOpenFiles},
	}
}

// siteAsked tells whether a registry's place is to be looked at.
func siteAsked(c *cli.Context) bool { return c.String("data-dir") != "" || c.String("store") != "" }

// file is a file of the data folder.
func (s *site) file(name string) string { return filepath.Join(s.dir, name) }

// serve is the command that starts the registry. It has no --store, which may be a secret.
func (s *site) serve() string {
	args := []string{"keyward", "serve"}
	for _, flag := range []string{"data-dir", "listen", "server-key", "audit-key", "tls-cert", "tls-key"} {
		if value := s.c.String(flag); s.call.given[flag] && value != "" {
			args = append(args, "--"+flag, value)
		}
	}
	return words(args...)
}

const noFolder = "the data folder cannot be used"

// lookAtDataFolder is env.dataFolder, but that none is made.
func lookAtDataFolder(_ context.Context, s *site) finding {
	dir := s.c.String("data-dir")
	if dir == "" {
		var err error
		if dir, err = s.dataDir(); err != nil {
			return s.failedBy(err)
		}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return isFault(s.serve(), "%s is not there", dir)
	case err != nil:
		return s.failedBy(err)
	case !info.IsDir():
		return isFault(comment("name the folder with --data-dir"), "%s is not a folder", dir)
	case secretfile.Foreign(info):
		return isFault(words("sudo", "-u", ownerOf(info), "keyward", "doctor", "--data-dir", dir), "%s belongs to another user: ask as that one", dir)
	case info.Mode()&fs.ModeSticky != 0:
		return isFault(comment("give --data-dir a folder of its own"), "%s is shared with others", dir)
	}
	s.dir = dir
	return s.unexposed(secretfile.FolderExposed(dir), "nobody else can write to "+dir)
}

// lookAtDataFiles looks at who can use the files with secrets.
func lookAtDataFiles(_ context.Context, s *site) finding {
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	files, err := s.secretFiles()
	if err != nil {
		return s.failedBy(err)
	}
	var told, mends []string
	seen := 0
	for _, file := range files {
		err := secretfile.Exposed(file)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		seen++
		if err != nil {
			f := s.failedBy(err)
			told, mends = append(told, f.Detail), append(mends, f.Mend)
		}
	}
	if len(told) > 0 {
		slices.SortStableFunc(mends, func(a, b string) int { return strings.Count(a[:1], "#") - strings.Count(b[:1], "#") })
		return isFault(strings.Join(mends, "; "), "%s", strings.Join(told, "; "))
	}
	for _, name := range []string{serverKeyFile, auditKeyFile, caBasename, serverBasename, adminPasswordFile} {
		if durable.Unfinished(s.dir, name) {
			return isWarning(s.serve(), "a command that changes %s is running, or was killed; the next start ends its work", s.file(name))
		}
	}
	return isOK("nobody else can use the %d files with secrets", seen)
}

// secretFiles are those of the data folder, and those that flags name.
func (s *site) secretFiles() ([]string, error) {
	there, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, entry := range there {
		name := entry.Name()
		secret := func(start string) bool { return strings.HasPrefix(name, start) }
		if slices.ContainsFunc([]string{databaseFile, serverKeyFile, auditKeyFile, adminPasswordFile}, secret) && !strings.HasSuffix(name, ".pub") ||
			strings.HasSuffix(name, "key.pem") {
			all = append(all, s.file(name))
		}
	}
	for _, flag := range []string{"server-key", "audit-key", "store"} {
		if file := s.c.String(flag); file != "" && !storePlace(file).isPostgres() && !slices.Contains(all, filepath.Clean(file)) {
			all = append(all, file)
		}
	}
	return all, nil
}

func lookAtStore(ctx context.Context, s *site) finding {
	if s.dir == "" && s.c.String("store") == "" {
		return isSkipped(noFolder)
	}
	where, err := s.storeOf(s.c, s.dir)
	if err != nil {
		return s.failedBy(err)
	}
	s.where = where
	g, err := look(ctx, where)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return isFault(s.serve(), "%s is not there: the registry was never started here", where)
	case err != nil:
		return s.failedBy(err)
	}
	s.glance = &g
	return isOK("%s answers, its schema has version %d", where, g.Version)
}

func lookAtDisk(_ context.Context, s *site) finding {
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	free, known := freeSpace(s.dir)
	if !known {
		return isSkipped("this system does not tell")
	}
	mib, least := int(free>>20), s.c.Int("min-free")
	mend := words("du", "-xh", "--max-depth=2", s.dir) + " | sort -h  # and make room"
	switch {
	case mib < least/10:
		return isFault(mend, "%d MiB are free for %s", mib, s.dir)
	case mib < least:
		return isWarning(mend, "%d MiB are free for %s", mib, s.dir)
	}
	return isOK("%d MiB are free for %s", mib, s.dir)
}

func lookAtFirstPassword(_ context.Context, s *site) finding {
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	path := s.file(adminPasswordFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return isOK("%s is not there", path)
	}
	return isWarning(words("keyward", "user", "passwd", adminName, "--as", adminName, "--url", "https://"+s.address(),
		"--ca-file", s.file(caBasename+".cert.pem"), "--password-file", path),
		"the first password of %s is still in %s, which goes when it is changed", adminName, path)
}
