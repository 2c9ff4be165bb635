package cmd

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"keyward/certs"
	"keyward/fault"
	"keyward/internal/secretfile"
)

const clientCertHint = "give --client-cert a file with the certificate and its key, as `gen-leaf-cert --pkeycert` makes it"

// clientFiles are what a client of a relay shows of itself: --client-cert and --client-key. They are looked at for each
// connection, so that a renewed certificate is taken up by the next one.
type clientFiles struct {
	*env
	cert, key string
	unlock    certs.Unlock

	seen     [sha256.Size]byte // digest of what was read
	shown    *tls.Certificate
	password []byte // of the key, once it was asked for
	piped    []byte // the key where it came from a pipe
}

// clientTLS is what we show to the relay and whom we trust, and the certificate as it is now.
func (e *env) clientTLS(c *cli.Context) (*tls.Config, *tls.Certificate, error) {
	cert, roots := c.String("client-cert"), c.String("ca-file")
	if e.script {
		cert = cmp.Or(cert, besideProgram(testClientCert))
		roots = cmp.Or(roots, besideProgram(testClientRoots...))
	}
	if cert == "" {
		return nil, nil, fault.New(fault.Usage, clientCertHint, "a relay takes nobody without a certificate, and --client-cert is missing")
	}
	files := &clientFiles{env: e, cert: cert, key: cmp.Or(c.String("client-key"), cert), unlock: e.unlock(c, "client-key-password-file")}
	if err := files.read(); err != nil {
		return nil, nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.String("server-name"), Time: e.now, GetClientCertificate: files.show}
	if roots != "" {
		given, err := rootsFrom(roots)
		if err != nil {
			return nil, nil, fault.New(fault.KindOf(err), "give --ca-file the root of the relay's certificate in PEM", "%w", err)
		}
		config.RootCAs = given.RootCAs
	}
	return config, files.shown, nil
}

// show reads the files again. It is called once for each connection, one at a time. What cannot be read leaves what was before.
func (f *clientFiles) show(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if err := f.read(); err != nil {
		f.note("warning: what was read before is still shown: %v", err)
	}
	if err := forClient(f.shown.Leaf, f.now()); err != nil {
		f.note("warning: %v (%s)", err, fault.HintOf(err))
	}
	return f.shown, nil
}

func (f *clientFiles) read() error {
	followed := []string{f.cert}
	if !isPipe(f.key) { // to open it would end who writes to it
		followed = append(followed, f.key)
	}
	seen := digest(followed)
	if seen == f.seen {
		return nil
	}
	shown, err := f.load()
	if err == nil {
		err = forClient(shown.Leaf, f.now())
	}
	if err != nil {
		return err
	}
	if end := shown.Leaf.NotAfter; end.Sub(f.now()) < end.Sub(shown.Leaf.NotBefore)/5 {
		f.note("warning: the client's certificate ends %s: renew it, for example with: keyward renew-cert", end.UTC().Format(time.DateTime))
	}
	f.seen, f.shown = seen, shown
	if exposed := secretfile.Exposed(f.key); errors.Is(exposed, fault.Policy) {
		f.note("warning: %v (%s)", exposed, fault.HintOf(exposed))
	}
	return nil
}

// forClient tells why a relay would refuse a certificate. One without a usage is for all, as Micronets' are.
func forClient(cert *x509.Certificate, now time.Time) error {
	uses := cert.ExtKeyUsage
	switch {
	case now.After(cert.NotAfter):
		return fault.New(fault.Policy, "renew it, for example with: keyward renew-cert", "the client's certificate: it ended %s", cert.NotAfter.Format(time.DateOnly))
	case len(uses)+len(cert.UnknownExtKeyUsage) > 0 && !slices.Contains(uses, x509.ExtKeyUsageClientAuth) && !slices.Contains(uses, x509.ExtKeyUsageAny):
		return fault.New(fault.InvalidFile, "make one with: keyward gen-leaf-cert --profile client", "the client's certificate: it is for %s, and not for a client", certs.Purpose(cert))
	}
	return nil
}

// load reads the certificate, those above it and the key, which may stand in any order.
func (f *clientFiles) load() (*tls.Certificate, error) {
	found, err := certs.ReadFile(f.cert)
	if err != nil {
		return nil, fault.New(kindOf(err), clientCertHint, "the client's certificate: %w", err)
	}
	text, err := f.keyText()
	if err != nil {
		return nil, fault.New(kindOf(err), "check the file that --client-key names", "the client's key: %w", err)
	}
	key, err := certs.ReadKey(f.key, text, found.Certs[0], f.unlockOnce)
	if err != nil {
		hint := fault.HintOf(err)
		if f.key == f.cert && errors.Is(err, fault.InvalidFile) {
			hint = "name the file with the certificate's key with --client-key"
		}
		return nil, fault.New(kindOf(err), hint, "the client's key: %w", err)
	}
	shown := &tls.Certificate{PrivateKey: key, Leaf: found.Certs[0]}
	for _, cert := range found.Certs {
		shown.Certificate = append(shown.Certificate, cert.Raw)
	}
	return shown, nil
}

// keyText is what the key's file has. A pipe, as of <(pass show key), is read once: it has nothing the second time, and nobody
// may be there to write to it.
func (f *clientFiles) keyText() ([]byte, error) {
	if f.piped != nil {
		return f.piped, nil
	}
	text, err := os.ReadFile(f.key)
	if err == nil && isPipe(f.key) {
		f.piped = text
	}
	return text, err
}

func isPipe(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().Type() == fs.ModeNamedPipe
}

// unlockOnce asks for the key's password before the first connection alone: later nobody may be there.
func (f *clientFiles) unlockOnce(file string) (password []byte, err error) {
	if f.password != nil {
		return f.password, nil
	}
	if f.shown != nil {
		return nil, fault.New(fault.Usage, "start anew", "%w, since it was not encrypted at the start", certs.ErrLocked)
	}
	f.password, err = f.unlock(file)
	return f.password, err
}

// besideProgram is the first of the paths that is there, from the folder of the program, or of the link by which it was
// called, else the first.
func besideProgram(paths ...string) string {
	program, err := exec.LookPath(os.Args[0])
	if err != nil {
		program = os.Args[0]
	}
	first := ""
	for _, path := range paths {
		path = filepath.Join(filepath.Dir(program), path)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		first = cmp.Or(first, path)
	}
	return first
}
