package certs

import (
	"context"
	"crypto/x509"
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
		if string(cert.RawSubject) != string(cert.RawIssuer) {
			chain = append(chain, cert)
		}
	}
	return helpers.EncodeCertificatesPEM(chain)
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
// already there is fault.Exists; with replace the whole set is replaced.
func Write(ctx context.Context, basename string, issued *Issued, pkeycert, replace bool) ([]string, error) {
	if basename == "" || strings.HasSuffix(basename, string(filepath.Separator)) || strings.Trim(filepath.Base(basename), ".") == "" {
		return nil, fault.New(fault.Usage, "set --cert-basename to a path without an ending, as in certs/server", "%q is not a basename", basename)
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
