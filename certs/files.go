package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cloudflare/cfssl/helpers"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// What follows the basename in the names of a set's files.
const (
	keySuffix    = ".key.pem"      // 0600
	certSuffix   = ".cert.pem"     // 0644
	derSuffix    = ".cert.der"     // 0644
	bundleSuffix = ".pkeycert.pem" // 0600
)

// CertPEM is the certificate alone.
func (i *Issued) CertPEM() []byte { return helpers.EncodeCertificatePEM(i.Cert) }

// KeyPEM is the private key: SEC1 in the micronets profile, else PKCS#8. With a password it is
// encrypted PKCS#8 in all of them.
func (i *Issued) KeyPEM(password []byte) ([]byte, error) { return encodeKey(i.Key, i.sec1, password) }

// ChainPEM is the certificate and its intermediates, without the root, which a verifier has to have
// from elsewhere.
func (i *Issued) ChainPEM() []byte {
	return ChainPEM(append([]*x509.Certificate{i.Cert}, i.Chain...))
}

// ChainPEM is a chain as PEM: its first certificate, and the others but for the roots.
func ChainPEM(chain []*x509.Certificate) []byte {
	return helpers.EncodeCertificatesPEM(slices.DeleteFunc(slices.Clone(chain), func(cert *x509.Certificate) bool {
		return cert != chain[0] && isRoot(cert)
	}))
}

// CertificatePEM is one certificate as PEM.
func CertificatePEM(cert *x509.Certificate) []byte { return helpers.EncodeCertificatePEM(cert) }

// isRoot does not trust the names alone: a root may have signed an intermediate of its own name.
func isRoot(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawSubject, cert.RawIssuer) &&
		(len(cert.AuthorityKeyId) == 0 || bytes.Equal(cert.AuthorityKeyId, cert.SubjectKeyId))
}

// Files are the set's files, named after basename without its folder: the key, the certificate as
// PEM and as DER, and with pkeycert the bundle that a peer loads, which is ChainPEM and the key. A
// password encrypts the key in all of them.
func (i *Issued) Files(basename string, pkeycert bool, password []byte) ([]durable.File, error) {
	key, err := i.KeyPEM(password)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(basename)
	files := []durable.File{
		{Name: name + keySuffix, Data: key, Mode: 0o600},
		{Name: name + certSuffix, Data: i.CertPEM(), Mode: 0o644},
		{Name: name + derSuffix, Data: i.Cert.Raw, Mode: 0o644},
	}
	if pkeycert {
		files = append(files, durable.File{Name: name + bundleSuffix, Data: append(i.ChainPEM(), key...), Mode: 0o600})
	}
	return files, nil
}

// Placing says how a set's files are put in place. The zero Placing replaces nothing.
type Placing struct {
	Replace  bool         // the files that are there
	DryRun   bool         // check what can be checked, and write and record nothing
	PKeyCert bool         // write the bundle too
	Password []byte       // encrypts the private key; without one it is plain
	Record   func() error // runs when nothing is against the files any more, before they are placed; its error stops them
}

// Write puts the set's files in basename's folder, all or none, and returns their paths. A file
// already there is fault.Exists; with p.Replace it is replaced. A bundle that is there belongs to the
// set without p.PKeyCert too, since its key would no longer be the set's.
func Write(ctx context.Context, basename string, issued *Issued, p Placing) ([]string, error) {
	if _, err := os.Lstat(basename + bundleSuffix); err == nil {
		p.PKeyCert = true
	}
	files, err := issued.Files(basename, p.PKeyCert, p.Password)
	if err != nil {
		return nil, err
	}
	return writeSet(ctx, basename, files, p, func() error { return nil })
}

// Vacant tells before a password is asked for what Write would refuse: a file that is already there is fault.Exists, unless
// p replaces it. It finishes or discards a killed command's set first, but not in a dry run.
func Vacant(ctx context.Context, basename string, p Placing) error {
	if err := checkBasename(basename); err != nil || p.Replace {
		return err
	}
	if !p.DryRun {
		if err := settle(ctx, basename+certSuffix); err != nil {
			return err
		}
	}
	return absent([]string{basename + keySuffix, basename + certSuffix, basename + derSuffix, basename + bundleSuffix})
}

// WriteFiles puts files of others' making in basename's folder, all or none, under the lock of basename's set, and
// returns their paths. A file already there is fault.Exists; with p.Replace it is replaced.
func WriteFiles(ctx context.Context, basename string, files []durable.File, p Placing) ([]string, error) {
	return writeSet(ctx, basename, files, p, func() error { return nil })
}

// writeSet writes files if check, which runs while the set is locked, has nothing against it.
func writeSet(ctx context.Context, basename string, files []durable.File, p Placing, check func() error) ([]string, error) {
	if err := checkBasename(basename); err != nil {
		return nil, err
	}
	dir := filepath.Dir(basename)
	var paths []string
	for _, file := range files {
		paths = append(paths, filepath.Join(dir, file.Name))
	}
	if p.DryRun {
		if err := free(paths, p.Replace); err != nil {
			return nil, err
		}
		return paths, check()
	}
	err := durable.Change(ctx, durable.Set{
		Dir: dir, Name: filepath.Base(basename), Replace: p.Replace, Record: p.Record,
		Build: func() ([]durable.File, error) { return files, check() },
	})
	if err != nil {
		return nil, err
	}
	return paths, nil
}

// free tells, without touching anything, whether files could be placed.
func free(paths []string, replace bool) error {
	dir := filepath.Dir(paths[0])
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fault.New(fault.NotFound, "make the folder first", "there is no folder %s", dir)
	}
	if replace {
		return nil
	}
	return absent(paths)
}

func absent(paths []string) error {
	for _, path := range paths {
		if !isMissing(path) {
			return fault.New(fault.Exists, "give another name, or --force to replace it", "%s is already there", path)
		}
	}
	return nil
}

func checkBasename(basename string) error {
	if basename == "" || strings.HasSuffix(basename, string(filepath.Separator)) || strings.Trim(filepath.Base(basename), ".") == "" {
		return fault.New(fault.Usage, "set --cert-basename to a path without an ending, as in certs/server", "%q is not a basename", basename)
	}
	return nil
}

// Load reads the certificate and the key of a set that Write wrote, after finishing or discarding
// what a killed run left of it. A key file that others can read is fault.Policy, a file that does
// not parse or a key of another certificate fault.InvalidFile.
func Load(ctx context.Context, basename string) (*x509.Certificate, crypto.Signer, error) {
	certFile, keyFile := basename+certSuffix, basename+keySuffix
	chain, key, _, err := loadPair(ctx, certFile, keyFile, nil, false)
	if err != nil {
		return nil, nil, err
	}
	if !SameKey(key, chain[0].PublicKey) {
		return nil, nil, fault.New(fault.InvalidFile, "remove both and make them again", "%s is not the key of %s", keyFile, certFile)
	}
	return chain[0], key, nil
}

// The largest files that are read, in bytes: many certificates, one key and its certificates.
const (
	maxCertFile = 1 << 20
	maxKeyFile  = 256 << 10
)

// loadPair reads certificates and a private key, after settling their sets. With warnOnly a key
// file that others can reach gives warnings instead of an error.
func loadPair(ctx context.Context, certFile, keyFile string, unlock Unlock, warnOnly bool) (chain []*x509.Certificate, key crypto.Signer, warnings []string, err error) {
	for _, file := range []string{certFile, keyFile} {
		if err := settle(ctx, file); err != nil {
			return nil, nil, nil, err
		}
	}
	keyText, exposed, err := secretfile.Read(keyFile, maxKeyFile)
	if err != nil {
		return nil, nil, nil, err
	}
	if warnings, err = weigh(warnOnly, exposed, secretfile.FolderExposed(keyFile)); err != nil {
		return nil, nil, nil, err
	}
	if chain, err = readFile(certFile, maxCertFile, parseCertificates); err != nil {
		return nil, nil, nil, err
	}
	if key, err = parseFile(keyFile, keyText, unlock.parserOf(keyFile)); err != nil {
		return nil, nil, nil, err
	}
	return chain, key, warnings, nil
}

// settle finishes or discards what a killed Write left of the set that path belongs to.
func settle(ctx context.Context, path string) error {
	base := filepath.Base(path)
	for _, suffix := range []string{keySuffix, certSuffix, derSuffix, bundleSuffix} {
		if name, ok := strings.CutSuffix(base, suffix); ok && name != "" {
			return durable.Settle(ctx, filepath.Dir(path), name)
		}
	}
	return nil
}

// weigh makes warnings of what is fault.Policy, if only to warn was asked for.
func weigh(warnOnly bool, exposed ...error) (warnings []string, err error) {
	for _, err := range exposed {
		if err == nil {
			continue
		}
		if !warnOnly || !errors.Is(err, fault.Policy) {
			return nil, err
		}
		warnings = append(warnings, fmt.Sprintf("%v: %s", err, fault.HintOf(err)))
	}
	return warnings, nil
}

// readFile reads a file that anybody may read.
func readFile[T any](path string, limit int64, parse func([]byte) (T, error)) (T, error) {
	text, _, err := secretfile.Read(path, limit)
	if err != nil {
		var none T
		return none, err
	}
	return parseFile(path, text, parse)
}

// parseFile parses a file's text; an error names the file.
func parseFile[T any](path string, text []byte, parse func([]byte) (T, error)) (T, error) {
	parsed, err := parse(text)
	if err != nil {
		return parsed, fault.New(fault.KindOf(err), strings.ReplaceAll(fault.HintOf(err), "FILE", path), "%s: %w", path, err)
	}
	return parsed, nil
}
