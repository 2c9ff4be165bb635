package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloudflare/cfssl/helpers"

	"keyward/internal/durable"
	"keyward/internal/fault"
)

// What follows the basename in the names of a set's files.
const (
	keySuffix    = ".key.pem"      // 0600
	certSuffix   = ".cert.pem"     // 0644
	derSuffix    = ".cert.der"     // 0644
	bundleSuffix = ".pkeycert.pem" // 0600, for a peer to load: BundlePEM
)

// CertPEM is the certificate alone.
func (i *Issued) CertPEM() []byte { return helpers.EncodeCertificatePEM(i.Cert) }

// KeyPEM is the private key: SEC1 in the micronets profile, else PKCS#8.
func (i *Issued) KeyPEM() ([]byte, error) { return encodeKey(i.Key, i.sec1) }

// ChainPEM is the certificate and its intermediates, without the root, which a verifier has to have already.
func (i *Issued) ChainPEM() []byte {
	chain := []*x509.Certificate{i.Cert}
	for _, cert := range i.Chain {
		if !isRoot(cert) {
			chain = append(chain, cert)
		}
	}
	return helpers.EncodeCertificatesPEM(chain)
}

// isRoot does not trust the names alone: a root may have signed an intermediate of its own name.
func isRoot(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawSubject, cert.RawIssuer) &&
		(len(cert.AuthorityKeyId) == 0 || bytes.Equal(cert.AuthorityKeyId, cert.SubjectKeyId))
}

// Files are the set's files, named after basename without its folder: key, certificate as PEM and as DER,
// and with pkeycert the bundle that a peer loads, which is ChainPEM and the key.
func (i *Issued) Files(basename string, pkeycert bool) ([]durable.File, error) {
	key, err := i.KeyPEM()
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

// Write puts the set's files in basename's folder, all or none, and returns their paths. A file
// already there is fault.Exists. With replace the set is replaced, and so is a bundle that was there
// without pkeycert, since its key would no longer be the set's.
func Write(ctx context.Context, basename string, issued *Issued, pkeycert, replace bool) ([]string, error) {
	if basename == "" || strings.HasSuffix(basename, string(filepath.Separator)) || strings.Trim(filepath.Base(basename), ".") == "" {
		return nil, fault.New(fault.Usage, "set --cert-basename to a path without an ending, as in certs/server", "%q is not a basename", basename)
	}
	if _, err := os.Lstat(basename + bundleSuffix); err == nil && replace {
		pkeycert = true
	}
	if _, err := os.Lstat(basename + bundleSuffix); err == nil {
		pkeycert = true
	}
	files, err := issued.Files(basename, pkeycert)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(basename)
	if err := durable.Put(ctx, dir, filepath.Base(basename), files, replace); err != nil {
		return nil, err
	}
	var paths []string
	for _, file := range files {
		paths = append(paths, filepath.Join(dir, file.Name))
	}
	return paths, nil
}

// Load reads the certificate and the key of a set that Write wrote, after finishing or
// discarding what a killed run left of it.
func Load(ctx context.Context, basename string) (*x509.Certificate, crypto.Signer, error) {
	issuer, _, err := LoadIssuer(ctx, basename+certSuffix, basename+keySuffix, false)
	if err != nil {
		return nil, nil, err
	}
	return issuer.Chain[0], issuer.Key, nil
}
