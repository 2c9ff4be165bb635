package plan

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"keyward/certs/export"
	"keyward/fault"
	"keyward/internal/durable"
)

// The files that each certificate has; its other ones are outputs.
const (
	keySuffix  = ".key.pem"
	certSuffix = ".cert.pem"
)

// suffixes are the ends of all files that a certificate may have.
func suffixes() []string {
	all := []string{keySuffix, certSuffix, ".csr.pem", ".ledger"}
	for _, format := range export.Formats() {
		all = append(all, format.FileName(""))
	}
	return all
}

// overlaps are what makes one file of two suffixes: x.legacy.p12 is of x and of x.legacy.
func overlaps() []string {
	var found []string
	for _, a := range suffixes() {
		for _, b := range suffixes() {
			if ending, cut := strings.CutSuffix(a, b); cut && ending != "" {
				found = append(found, ending)
			}
		}
	}
	return found
}

func addOutput(e *Entry, s string) error {
	format, err := export.ParseFormat(s)
	if err == nil && !slices.Contains(e.Outputs, format) {
		e.Outputs = append(e.Outputs, format)
	}
	return err
}

// stale says why an output is to be written; "" where it holds what it should.
func (m *Manifest) stale(e *Entry, issuer *above, v *verdict, format export.Format) (string, error) {
	path := format.FileName(m.base(e))
	have, err := readIfThere(path)
	switch name := filepath.Base(path); {
	case err != nil:
		return "", err
	case have == nil:
		return name + " is missing", nil
	case format != export.DER && issuer.pending:
		return name + " holds a chain that is made anew", nil
	case v.locked && format.TakesKey(), format.TakesPassword():
		// These bytes are others each time. The files of one set are written one after the other.
		if written := modTime(path); written.Before(m.madeAt(e)) || written.Before(issuer.written) {
			return name + " is older than what it holds", nil
		}
		return "", nil
	}
	want, err := m.output(e, format, v.cert, issuer.chain, v.key, nil)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(have, want.Data) {
		return filepath.Base(path) + " is not made from the certificate that is there", nil
	}
	return "", nil
}

func modTime(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// output makes one output.
func (m *Manifest) output(e *Entry, format export.Format, cert *x509.Certificate, chain []*x509.Certificate, key crypto.Signer, password []byte) (durable.File, error) {
	from := export.Source{Chain: append([]*x509.Certificate{cert}, chain...), Key: key}
	if key == nil && format.TakesKey() {
		return durable.File{}, fault.New(fault.NotFound, "", "%s: no key for the format %s", e.Name, format)
	}
	return export.File(format, path.Base(e.Name), from, password)
}

// privateFiles are the paths of the files with the key, without the outputs that are written anyway.
func (m *Manifest) privateFiles(e *Entry, without []export.Format) []string {
	files := []string{m.base(e) + keySuffix}
	for _, format := range e.Outputs {
		if format.TakesKey() && !slices.Contains(without, format) {
			files = append(files, format.FileName(m.base(e)))
		}
	}
	return files
}
