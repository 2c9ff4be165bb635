package plan

import (
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"keyward/certs"
	"keyward/certs/export"
	"keyward/fault"
	"keyward/internal/secretfile"
)

// The largest files of a certificate that are read, in bytes.
const maxFile = 1 << 20

// found is what there is of a certificate in its folder.
type found struct {
	cert   *x509.Certificate // nil where it is missing
	key    crypto.Signer     // nil where it is missing or locked, or not needed yet
	keyed  bool              // there is a key file
	locked bool              // and it is encrypted
}

// keyType is the type of the key that is there; "" where it is missing or locked.
func (f *found) keyType() certs.KeyType {
	if f.key == nil {
		return ""
	}
	return certs.KeyTypeOf(f.key.Public())
}

// find reads a certificate and its key. What does not parse, or does not belong together, is
// fault.InvalidFile: it may be somebody's.
func (m *Manifest) find(e *Entry) (found, error) {
	const hint = "move it away, and it is made again"
	var f found
	certFile, keyFile := m.base(e)+certSuffix, m.base(e)+keySuffix
	text, err := readIfThere(certFile)
	if err != nil {
		return f, err
	}
	if text != nil {
		contents, err := certs.Parse(text)
		if err == nil && len(contents.Certs) > 1 {
			err = errors.New("more than one certificate")
		}
		if err != nil {
			return f, fault.New(fault.InvalidFile, hint, "%s: %w", certFile, err)
		}
		f.cert = contents.Certs[0]
	}
	if text, err = readIfThere(keyFile); err != nil || text == nil {
		return f, err
	}
	f.keyed = true
	if err := planted(keyFile); err != nil {
		return f, err
	}
	if f.cert != nil && !e.needsKey() && certs.NamesKeyOf(text, f.cert) {
		return f, nil
	}
	f.key, err = certs.ReadKey(keyFile, text, f.cert, nil)
	if f.locked = errors.Is(err, certs.ErrLocked); f.locked {
		return f, nil
	}
	if err != nil {
		return f, fault.New(fault.InvalidFile, hint, "%w", err)
	}
	return f, nil
}

// needsKey tells whether the private key has to be read to judge it, and not only to sign.
func (e *Entry) needsKey() bool {
	return e.PasswordFile != "" || slices.ContainsFunc(e.Outputs, export.Format.TakesKey)
}

// planted refuses a key that another user put into a folder that others can write to, sticky or not: to certify it
// would give him the names.
func planted(keyFile string) error {
	if folder, err := os.Stat(filepath.Dir(keyFile)); err == nil && folder.Mode()&0o022 == 0 {
		return nil
	}
	for _, look := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} { // a link to a key that he knows is his too
		if info, err := look(keyFile); err == nil && secretfile.Foreign(info) {
			return fault.New(fault.Policy, "move it away, and use a folder that only you can write to",
				"%s: belongs to another user, in a folder that others can write to", keyFile)
		}
	}
	return nil
}

// readIfThere is nil for a file that is missing.
func readIfThere(path string) ([]byte, error) {
	text, _, err := secretfile.Read(path, maxFile)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	return text, err
}
