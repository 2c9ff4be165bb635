package cmd

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
	"keyward/internal/secretfile"
	"keyward/restclient"
)

// The registry's own certificates in the data folder: ca.cert.pem, server.cert.pem and their like.
const (
	caBasename     = "ca"
	serverBasename = "server"
)

// renewBefore is how long before its end the server's certificate is made anew.
const renewBefore = 60 * 24 * time.Hour

// How often serve looks whether there is a certificate to take: the user's files change when they like,
// its own has two months.
const (
	lookAtFiles = time.Minute
	lookAtOwn   = time.Hour
)

// identity is the certificate that serve shows, and how it comes to the next one. Connections that are open keep theirs.
type identity struct {
	log   *slog.Logger
	every time.Duration // between two looks
	read  func(context.Context) (*shown, error)
	files []string // that read reads, where it need not when they are as before

	seen [sha256.Size]byte // of the files
	now  atomic.Pointer[shown]
}

// shown is a certificate with its key, and its root where that is the registry's own.
type shown struct {
	tls.Certificate
	root *x509.Certificate
}

// reload reads the certificate anew.
func (i *identity) reload(ctx context.Context) error {
	i.seen = digest(i.files)
	next, err := i.read(ctx)
	if err != nil {
		return err
	}
	before := i.now.Swap(next)
	if before != nil && bytes.Equal(before.Leaf.Raw, next.Leaf.Raw) {
		i.log.Debug("certificate unchanged")
		return nil
	}
	i.log.Info("certificate", "names", append([]string{}, next.Leaf.DNSNames...), "addresses", append([]net.IP{}, next.Leaf.IPAddresses...),
		"not_after", next.Leaf.NotAfter, "pin", restclient.Pin(next.Leaf))
	return nil
}

// look is reload where there can be something new.
func (i *identity) look(ctx context.Context) error {
	if i.files != nil && digest(i.files) == i.seen {
		return nil
	}
	return i.reload(ctx)
}

// maxFollowed is how many bytes of a file are looked at: whoever reads one takes no more than a quarter.
const maxFollowed = 64 << 20

// digest tells whether files are as they were: what is in them, or why that cannot be read. It waits for no FIFO.
func digest(files []string) [sha256.Size]byte {
	h := sha256.New()
	for _, file := range files {
		text, _, err := secretfile.Read(file, maxFollowed)
		sum := sha256.Sum256(fmt.Append(text, err))
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// tlsConfig shows each new connection what is there by then.
func (i *identity) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &i.now.Load().Certificate, nil },
	}
}

// certificates are those whose ends the metrics tell.
func (i *identity) certificates() map[string]*x509.Certificate {
	now := i.now.Load()
	all := map[string]*x509.Certificate{"server": now.Leaf}
	if now.root != nil {
		all["root"] = now.root
	}
	return all
}

// as is certificates where there is one, under another name.
func (i *identity) as(name string) func() map[string]*x509.Certificate {
	return func() map[string]*x509.Certificate { return map[string]*x509.Certificate{name: i.now.Load().Leaf} }
}

// maxShown is how many bytes of a certificate's file, and of its key's, are read.
const maxShown = 1 << 20

// tlsFiles are the user's own certificate, in the files that three flags name.
type tlsFiles struct {
	*env
	whose string // certificate it is, for errors
	c     *cli.Context
	log   *slog.Logger
	flags tlsFlags
	read  bool   // once
	typed []byte // the password, where it cannot be read again
}

// tlsFlags are the flags for a certificate, its key and the key's password.
type tlsFlags struct{ cert, key, password string }

// givenIdentity is the user's own certificate; nil where there is none.
func (e *env) givenIdentity(c *cli.Context, log *slog.Logger) (*identity, error) {
	if c.String("tls-cert") == "" {
		return nil, nil
	}
	t := &tlsFiles{env: e, whose: "the server's certificate", c: c, log: log, flags: tlsFlags{"tls-cert", "tls-key", "tls-key-password-file"}}
	i := t.identity(lookAtFiles, t.load)
	return i, i.reload(c.Context)
}

// identity is read by read, from files of which load reads a part or all.
func (t *tlsFiles) identity(every time.Duration, read func(context.Context) (*shown, error)) *identity {
	certFile, keyFile := t.names()
	i := &identity{log: t.log, every: every, read: read, files: []string{certFile, keyFile}}
	if password := t.c.String(t.flags.password); password != "" && password != "-" {
		i.files = append(i.files, password)
	}
	return i
}

// names are the files of the certificate and of its key, which may be one.
func (t *tlsFiles) names() (certFile, keyFile string) {
	certFile = t.c.String(t.flags.cert)
	return certFile, cmp.Or(t.c.String(t.flags.key), certFile)
}

func (t *tlsFiles) load(ctx context.Context) (*shown, error) {
	_, keyFile := t.names()
	both := "--" + t.flags.cert + " and --" + t.flags.key
	pair, err := t.pair(ctx)
	again := t.read
	t.read = true
	_, told := errors.AsType[*fault.Error](err)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.NotFound, "check the files that "+both+" name", "%s: %w", t.whose, err)
	case told:
		return nil, fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", t.whose, err)
	case err != nil:
		return nil, fault.New(fault.InvalidFile, both+" take a certificate chain and its key in PEM", "%s: %w", t.whose, err)
	case again && t.now().Before(pair.Leaf.NotBefore):
		return nil, fault.New(fault.Policy, "check this machine's clock, or send a SIGHUP by then", "%s: it begins %s", t.whose, pair.Leaf.NotBefore.Format(time.DateTime))
	case again && t.now().After(pair.Leaf.NotAfter):
		return nil, fault.New(fault.Policy, "renew it, for example with: keyward renew-cert", "%s: it ended %s", t.whose, pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	if exposed := secretfile.Exposed(keyFile); errors.Is(exposed, fault.Policy) {
		t.log.Warn("the certificate's key is not safe", "error", exposed, "hint", fault.HintOf(exposed))
	}
	return &shown{Certificate: pair}, nil
}

// pair reads the certificate chain and its key, which may be encrypted.
func (t *tlsFiles) pair(ctx context.Context) (tls.Certificate, error) {
	certFile, keyFile := t.names()
	certText, _, err := secretfile.Read(certFile, maxShown)
	if err != nil {
		return tls.Certificate{}, err
	}
	if keyFile == certFile && !bytes.Contains(certText, []byte("PRIVATE KEY-----")) {
		return tls.Certificate{}, fault.New(fault.InvalidFile, "give --"+t.flags.cert+" a file with the key behind the certificate, as `gen-leaf-cert --pkeycert` makes it, or name the key's file with --"+t.flags.key,
			"%s has no key", certFile)
	}
	if !certs.KeyIsEncrypted(keyFile) {
		keyText, _, err := secretfile.Read(keyFile, maxShown)
		if err != nil {
			return tls.Certificate{}, err
		}
		return tls.X509KeyPair(certText, keyText)
	}
	key, _, err := certs.LoadKey(ctx, keyFile, t.unlock)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyText, err := certs.KeyPEM(key, nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certText, keyText)
}

// unlock reads the password's file each time. What was typed or came by stdin is kept, since later nobody is asked.
func (t *tlsFiles) unlock(file string) ([]byte, error) {
	from := t.c.String(t.flags.password)
	switch {
	case t.typed != nil:
		return t.typed, nil
	case from != "" && from != "-":
		line, err := t.secretLine(from, "--"+t.flags.password)
		return []byte(line), err
	case t.read:
		return nil, fault.New(fault.Usage, "start anew with --"+t.flags.password, "%w, since it was not encrypted at the start", certs.ErrLocked)
	}
	password, err := t.env.unlock(t.c, t.flags.password)(file)
	t.typed = password
	return password, err
}

// serverNames are the names that the registry can be reached by: always those of this
// machine's loopback, beside them those of --name, else the listening host and the host name.
func serverNames(given []string, address net.Addr) []string {
	names := append([]string{"localhost", "127.0.0.1", "::1"}, given...)
	if len(given) > 0 {
		return names
	}
	if tcp, ok := address.(*net.TCPAddr); ok && !tcp.IP.IsUnspecified() {
		names = append(names, tcp.IP.String())
	}
	if host, err := os.Hostname(); err == nil && certs.CheckName(host) == nil {
		names = append(names, host)
	}
	return names
}

// ownCertificates are the registry's own: a root and what it signs for the server, in the data folder.
type ownCertificates struct {
	log   *slog.Logger
	clock func() time.Time
	dir   string
	names []string
}

// ownIdentity is the registry's own certificate, made at the first start.
func (e *env) ownIdentity(ctx context.Context, log *slog.Logger, dir string, names []string) (*identity, error) {
	own := &ownCertificates{log, e.now, dir, names}
	i := &identity{log: log, every: lookAtOwn, read: own.load}
	return i, i.reload(ctx)
}

// load makes the certificate anew, for the same key, when the names change or its end is near.
func (o *ownCertificates) load(ctx context.Context) (*shown, error) {
	ca, err := o.root(ctx)
	if err != nil {
		return nil, err
	}
	base := filepath.Join(o.dir, serverBasename)
	cert, key, err := certs.Load(ctx, base)
	switch {
	case errors.Is(err, fault.NotFound) && isThere(base+".cert.pem", base+".key.pem"):
		return nil, fault.New(fault.NotFound, "bring it back from a backup; for a new key, which clients that pinned the old one refuse, remove what is left of both",
			"the server's certificate or its key is missing: %w", err)
	case err != nil && !errors.Is(err, fault.NotFound):
		return nil, err
	}
	if err != nil || !o.stillGood(cert, ca) {
		issued, err := certs.Issue(certs.Request{
			Role: certs.Leaf, Profile: certs.Server, Organization: "keyward registry", SANs: o.names, Key: key,
			NotAfter: o.clock().AddDate(1, 0, 0), Clamp: true,
		}, ca, o.clock())
		if err != nil {
			return nil, err
		}
		if _, err := certs.Write(ctx, base, issued, certs.Placing{Replace: true}); err != nil {
			return nil, err
		}
		cert, key = issued.Cert, issued.Key
	}
	return &shown{tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, ca.Chain[0]}, nil
}

// isThere tells whether any of the files is.
func isThere(files ...string) bool {
	return slices.ContainsFunc(files, func(file string) bool {
		_, err := os.Lstat(file)
		return err == nil
	})
}

// stillGood tells whether the certificate has the names, is the CA's, and does not end soon, unless with the CA.
func (o *ownCertificates) stillGood(cert *x509.Certificate, ca *certs.Issuer) bool {
	return certs.HasNames(cert, o.names) &&
		cert.CheckSignatureFrom(ca.Chain[0]) == nil &&
		(cert.NotAfter.Sub(o.clock()) > renewBefore || !cert.NotAfter.Before(ca.Chain[0].NotAfter))
}

// root is what clients have in ca.cert.pem, for ten years. Its successor comes two years before its end, when each client
// has to get the new file. It has the same name and key, so that the server's certificate verifies under both.
func (o *ownCertificates) root(ctx context.Context) (*certs.Issuer, error) {
	base := filepath.Join(o.dir, caBasename)
	ca, _, err := certs.LoadIssuer(ctx, base+".cert.pem", base+".key.pem", nil, false)
	switch {
	case errors.Is(err, fault.NotFound):
		none := 0
		return o.makeRoot(ctx, certs.Request{Role: certs.Root, Organization: "keyward registry root", PathLen: &none}, certs.Placing{})
	case err != nil:
		return nil, err
	}
	old := ca.Chain[0]
	lastFifth := old.NotAfter.Add(-old.NotAfter.Sub(old.NotBefore) / 5)
	if certs.RoleOf(old) != certs.Root || o.clock().Before(lastFifth) {
		return ca, nil
	}
	request, err := certs.Renewal(old)
	if err != nil {
		return nil, err
	}
	request.Key = ca.Key
	next, err := o.makeRoot(ctx, request, certs.Placing{Replace: true})
	if err != nil {
		return nil, err
	}
	o.log.Warn("the root certificate is renewed for the same key: give the clients the new file before the old one ends",
		"file", base+".cert.pem", "old_not_after", old.NotAfter, "not_after", next.Chain[0].NotAfter)
	return next, nil
}

func (o *ownCertificates) makeRoot(ctx context.Context, request certs.Request, place certs.Placing) (*certs.Issuer, error) {
	issued, err := certs.Issue(request, nil, o.clock())
	if err != nil {
		return nil, err
	}
	if _, err := certs.Write(ctx, filepath.Join(o.dir, caBasename), issued, place); err != nil {
		return nil, err
	}
	return issued.Issuer(), nil
}
