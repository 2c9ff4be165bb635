package cmd

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/internal/durable"
	"keyward/internal/fault"
	"keyward/internal/secretfile"
	"keyward/keys"
	"keyward/restclient"
	"keyward/store/audit"
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
	var g sqlstore.Glance
	if where.isPostgres() {
		g, err = sqlstore.LookPostgres(ctx, string(where))
	} else {
		g, err = sqlstore.Look(ctx, string(where))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return isFault(s.serve(), "%s is not there: the registry was never started here", where)
	case err != nil:
		return s.failedBy(err)
	}
	s.glance = &g
	return isOK("%s answers, its schema has version %d", where, g.Version)
}

func lookAtServerPair(_ context.Context, s *site) finding {
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	path := fileOr(s.c, "server-key", s.dir, serverKeyFile)
	pair, err := readPair(path)
	switch {
	case err != nil:
		return isFault(comment("%s", serverKeyHint), "%v", err)
	case s.glance == nil:
		return isSkipped("%s is sound; there is no store to hold it against", path)
	case len(s.glance.ServerKeys) == 0:
		return isWarning(s.serve(), "%s is not on record in the store yet", path)
	case s.glance.ServerKeys[0].Public != pair.Public && isMisplaced(path, s.glance.ServerKeys[0].Public):
		return isFault(comment("move %s to %s, and reload the registry", path+oldSuffix, path), "the server key in %s replaces another than the one on record, which is in %s", path, path+oldSuffix)
	case s.glance.ServerKeys[0].Public != pair.Public && isBeside(path, s.glance.ServerKeys[0].Public):
		return isWarning("sudo systemctl reload keyward", "the server key was rotated in the files, and no registry has read them yet; or another replica was, and here it is still to be")
	case s.glance.ServerKeys[0].Public != pair.Public:
		return isFault(comment("%s", serverKeyHint), "the server key in %s is not the one on record in the store", path)
	}
	return isOK("%s has the key on record, %s", path, pair.Public.Fingerprint())
}

// isBeside tells whether a key is the old or the next one of a rotation.
func isBeside(path string, key keys.PublicKey) bool {
	for _, suffix := range []string{oldSuffix, nextSuffix} {
		if pair, err := readPair(path + suffix); err == nil && pair.Public == key {
			return true
		}
	}
	return false
}

// isMisplaced tells whether a key is the old one of a file that says that it replaces another.
func isMisplaced(path string, key keys.PublicKey) bool {
	text, _, err := secretfile.Read(path, maxServerKey)
	old, errOld := readPair(path + oldSuffix)
	return err == nil && errOld == nil && old.Public == key && parseReplacement(string(text)).replaces != key.Fingerprint()
}

// lookAtAuditKey holds the last record against the key. The whole log is for `audit verify`.
func lookAtAuditKey(_ context.Context, s *site) finding {
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	path := fileOr(s.c, "audit-key", s.dir, auditKeyFile)
	signer, err := parseAuditKey(path)
	switch {
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.InvalidFile):
		return isFault(comment("take it from another server of this store, or from a backup with keys; where it is lost, docs/backup.md says how another signs"), "%v", err)
	case err != nil:
		return s.failedBy(err)
	case s.glance == nil:
		return isSkipped("%s is sound; there is no store to hold it against", path)
	case s.glance.Last == nil:
		return isOK("%s is sound, and there is no record yet", path)
	}
	last := s.glance.Last
	if !ed25519.Verify(signer.Public(), last.Line, last.Signature[:]) {
		return isFault(comment("give --audit-key the file of the server that wrote it; if there is none, compare the log with a backup"), "the last audit record was not signed with %s", path)
	}
	return isOK("the last audit record was signed with %s", path)
}

func lookAtAuditClock(_ context.Context, s *site) finding {
	if s.glance == nil || s.glance.Last == nil {
		return isSkipped("there is no audit record to compare the clock with")
	}
	_, _, act, err := audit.Parse(s.glance.Last.Line)
	switch now := s.now(); {
	case err != nil:
		return isFault(comment("compare the audit log with a backup"), "the last audit record: %v", err)
	case act.Time.After(now):
		return isFault(setClock, "the clock is behind the last audit record by %v: logins and ends of keys go wrong", act.Time.Sub(now).Round(time.Second))
	}
	return isOK("the clock is past the last audit record, of %s", stamp(act.Time))
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

// ending tells of a certificate's end: it is over, near, or neither.
func (s *site) ending(cert *x509.Certificate, mend, what string) finding {
	now, end := s.now(), cert.NotAfter
	days := daysLeft(end, now)
	switch {
	case end.Before(now):
		return isFault(mend, "%s has ended on %s", what, end.Format(time.DateOnly))
	case !end.After(s.soon):
		f := isWarning(mend, "%s ends on %s, in %d days", what, end.Format(time.DateOnly), days)
		f.due = true
		return f
	}
	return isOK("%s ends on %s, in %d days", what, end.Format(time.DateOnly), days)
}

// own reads one of the registry's own certificates, without the end to what a killed start left.
func (s *site) own(base string) (*x509.Certificate, error) {
	found, err := certs.ReadFile(s.file(base + ".cert.pem"))
	if err != nil {
		return nil, err
	}
	return found.Certs[0], nil
}

func lookAtOwnRoot(_ context.Context, s *site) finding {
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	root, err := s.own(caBasename)
	switch {
	case errors.Is(err, fault.NotFound):
		return isSkipped("there is none")
	case err != nil:
		return isFault(comment("take it from a backup"), "%v", err)
	case certs.RoleOf(root) != certs.Root:
		return isFault(comment("take the root from a backup"), "%s is not a root", s.file(caBasename+".cert.pem"))
	}
	return s.ending(root, s.serve()+"  # renews it; then give its clients the new "+secretfile.Quote(s.file(caBasename+".cert.pem")), s.file(caBasename+".cert.pem"))
}

func lookAtOwnCertificate(_ context.Context, s *site) finding {
	path := s.file(serverBasename + ".cert.pem")
	if s.dir == "" {
		return isSkipped(noFolder)
	}
	if s.c.String("tls-cert") != "" {
		return isSkipped("--tls-cert takes its place")
	}
	cert, err := s.own(serverBasename)
	switch {
	case errors.Is(err, fault.NotFound):
		return isSkipped("there is none")
	case err != nil:
		return isFault(comment("move it away: `keyward serve` makes another for the same key"), "%v", err)
	}
	s.leaf = cert
	again := s.serve()
	for _, name := range s.c.StringSlice("name") {
		again += " " + words("--name", name)
	}
	if root, err := s.own(caBasename); err == nil && cert.CheckSignatureFrom(root) != nil {
		return isFault(again, "%s is not signed by the root beside it", path)
	}
	if text, err := os.ReadFile(s.file(serverBasename + ".key.pem")); err == nil {
		if _, err := certs.ReadKey(s.file(serverBasename+".key.pem"), text, cert, nil); err != nil {
			return isFault(words("rm", path, s.file(serverBasename+".key.pem"))+" && "+again, "%v", err)
		}
	}
	for _, name := range s.c.StringSlice("name") {
		if cert.VerifyHostname(strings.Replace(name, "*", "a", 1)) != nil {
			return isFault(again, "%s is not for %s", path, name)
		}
	}
	return s.ending(cert, again, path)
}

// lookAtTLSFiles looks at the files that serve is given in place of its own. A password is not asked for.
func lookAtTLSFiles(_ context.Context, s *site) finding {
	certFile, keyFile := s.c.String("tls-cert"), s.c.String("tls-key")
	if certFile == "" && keyFile == "" {
		return isSkipped("the registry shows its own certificate")
	}
	if certFile == "" || keyFile == "" {
		return isFault(comment("give both --tls-cert and --tls-key"), "one of --tls-cert and --tls-key is missing")
	}
	found, err := certs.ReadFile(certFile)
	if err != nil {
		return s.failedBy(err)
	}
	leaf := found.Certs[0]
	text, exposed, err := secretfile.Read(keyFile, maxTLSKey)
	if err != nil {
		return s.failedBy(err)
	}
	what := certFile
	switch _, err := certs.ReadKey(keyFile, text, leaf, nil); {
	case errors.Is(err, certs.ErrLocked):
		what += " (its key is encrypted, and was not opened)"
	case err != nil:
		return isFault(comment("give --tls-key the key of --tls-cert, whose first certificate is the server's"), "%v", err)
	}
	s.leaf = leaf
	f := s.ending(leaf, words("keyward", "renew-cert", certFile)+"  # with the CA that signed it; serve takes it within a minute", what)
	if f.State == stateOK && exposed != nil {
		return isWarning(s.failedBy(exposed).Mend, "%v", exposed)
	}
	return f
}

const maxTLSKey = 256 << 10 // bytes

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

// address is where the registry is asked from this machine.
func (s *site) address() string {
	host, port, err := net.SplitHostPort(s.c.String("listen"))
	if err != nil {
		return s.c.String("listen")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// lookAtPort listens for a moment where nobody else does.
func lookAtPort(ctx context.Context, s *site) finding {
	listen := s.c.String("listen")
	if _, port, err := net.SplitHostPort(listen); err != nil {
		return isFault(comment("give --listen an address and a port, as :9100"), "--listen: %v", err)
	} else if port == "0" {
		return isSkipped("port 0 is any that is free")
	}
	if conn, err := (&net.Dialer{Timeout: s.c.Duration("timeout")}).DialContext(ctx, "tcp", s.address()); err == nil {
		_ = conn.Close()
		return s.served(ctx)
	}
	free, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return isFault(`sudo setcap cap_net_bind_service=+ep "$(command -v keyward)"`, "%v", err)
	case err != nil:
		return isFault(comment("give --listen another address or port"), "%v", err)
	}
	_ = free.Close()
	return isOK("%s is free", listen)
}

// served tells whether it is this registry that serves the port.
func (s *site) served(ctx context.Context) finding {
	if s.leaf == nil {
		return isSkipped("%s is served, and there is no certificate to tell by whom", s.address())
	}
	config, err := restclient.Pinned(restclient.Pin(s.leaf))
	if err != nil {
		return s.failedBy(err)
	}
	client, err := restclient.New("https://"+s.address(), restclient.Options{TLS: config, Timeout: s.c.Duration("timeout"), UserAgent: "keyward/" + s.version})
	if err != nil {
		return s.failedBy(err)
	}
	defer client.Close()
	switch _, err = client.Ready(ctx); {
	case errors.Is(err, fault.NotTrusted):
		return isFault(comment("stop what serves it, or give --listen another port"), "%s is served by another program, or with another certificate", s.address())
	case err != nil:
		return isFault(comment("stop what serves it, or give --listen another port; a registry's log says what is wrong"), "%s is served, and %v", s.address(), err)
	}
	return isOK("%s is served by this registry", s.address())
}

// spareFiles is how many files serve has open beside its connections, and a few more.
const spareFiles = 128

func lookAtOpenFiles(_ context.Context, s *site) finding {
	most, known := maxOpenFiles()
	if !known {
		return isSkipped("this system does not tell")
	}
	need := uint64(max(0, s.c.Int("max-connections"))) + spareFiles
	if most < need {
		return isWarning(words("ulimit", "-n", strconv.FormatUint(need, 10))+"  # for systemd LimitNOFILE="+strconv.FormatUint(need, 10),
			"%d files may be open, and --max-connections %d may need %d", most, s.c.Int("max-connections"), need)
	}
	return isOK("%d files may be open, and --max-connections %d may need %d", most, s.c.Int("max-connections"), need)
}
