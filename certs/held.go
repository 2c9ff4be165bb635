package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"keyward/fault"
	"keyward/internal/durable"
	"keyward/internal/secretfile"
)

// Held is a certificate in its files, to be replaced there by its successor.
type Held struct {
	Cert    *x509.Certificate
	File    string // holds it
	KeyFile string // where its private key should be; empty where File alone was named
	Base    string // of the set B.cert.pem; empty where File belongs to none

	data []byte // File's
}

// fullchainSuffix is that of the certificate with its intermediates, 0644, made when asked for.
const fullchainSuffix = ".fullchain.pem"

// chainSuffix is that of the intermediates alone, 0644, made when asked for.
const chainSuffix = ".chain.pem"

// Hold finds a certificate by the basename of its set, or by its file: PEM, where it is the first, or DER.
// A killed command's set is finished or discarded. Nothing of that name is fault.NotFound, a file that does
// not parse fault.InvalidFile.
func Hold(ctx context.Context, name string) (*Held, error) {
	h := &Held{File: name, Base: setOf(name)}
	if h.Base != "" {
		h.File, h.KeyFile = h.Base+certSuffix, h.Base+keySuffix
	} else if target, err := filepath.EvalSymlinks(name); err == nil {
		h.File = target // a link to the file stays one
	}
	if err := settle(ctx, h.File); err != nil {
		return nil, err
	}
	data, _, err := secretfile.Read(h.File, maxBundle)
	if err != nil {
		return nil, err
	}
	found, err := parseFile(h.File, data, parseCertificates)
	if err != nil {
		return nil, err
	}
	h.Cert, h.data = found[0], data
	return h, nil
}

// setOf is the basename of the set that name is, or that it is a file of; empty where it is of none.
func setOf(name string) string {
	for _, suffix := range []string{certSuffix, derSuffix, bundleSuffix, fullchainSuffix} {
		if base, ok := strings.CutSuffix(name, suffix); ok && !isMissing(base+certSuffix) {
			return base
		}
	}
	if !isMissing(name) && isMissing(name+certSuffix) {
		return ""
	}
	return strings.TrimSuffix(name, certSuffix)
}

// Found is a file of a folder that Hold takes, or why it could not be read.
type Found struct {
	File string
	Err  error
}

// Below finds what this CA signed in a folder and below it (Files), in each set or file alone once; its key is not needed. The
// others are counted: roots, what other CAs signed, requests, CRLs, keys, PKCS#12, and the chains that export-cert makes.
func (ca *Issuer) Below(ctx context.Context, dir string) (found []Found, others int) {
	seen := map[string]bool{}
	for file, err := range Files(dir) {
		name, ours := file, true
		if err == nil {
			name, ours, err = ca.holds(ctx, file)
		}
		switch {
		case !ours:
			others++
		case !seen[name]:
			seen[name] = true
			found = append(found, Found{name, err})
		}
	}
	return found, others
}

// holds tells whether this CA signed the certificate of a file, and which file Hold takes for it.
func (ca *Issuer) holds(ctx context.Context, file string) (name string, ours bool, err error) {
	if base, ok := strings.CutSuffix(file, chainSuffix); ok && !isMissing(base+certSuffix) {
		return file, false, nil
	}
	data, _, err := secretfile.Read(file, maxBundle)
	if err != nil {
		return file, true, err
	}
	if _, err := x509.ParseRevocationList(data); err == nil || isPKCS12(data) {
		return file, false, nil
	}
	if _, err := Parse(data); errors.Is(err, ErrNoCertificate) {
		return file, false, nil
	}
	h, err := Hold(ctx, file)
	if err != nil {
		return file, true, err
	}
	return h.File, RoleOf(h.Cert) != Root && ca.Signed(h.Cert), nil
}

// Replace puts issued in the old certificate's place, in every file of its set that is there, all or none: the certificate
// as PEM and DER, and the bundles with its chain and its key. Other certificates and the key in a bundle stay, but
// CAs that were renewed themselves are replaced too. With newKey the private key of issued replaces the old one, in KeyFile too,
// which has to be in the certificate's folder. It returns the files' paths, and notes on what is there and still
// has the old certificate. A file that somebody changed since Hold is fault.Failed.
func (h *Held) Replace(ctx context.Context, issued *Issued, newKey bool, p Placing) (paths, notes []string, err error) {
	var key []byte
	if newKey {
		if key, err = issued.KeyPEM(p.Password); err != nil {
			return nil, nil, err
		}
		if h.KeyFile == "" || filepath.Dir(h.KeyFile) != filepath.Dir(h.File) {
			return nil, nil, fault.New(fault.Usage, "name it with --key", "a new key replaces the old one in the folder of %s, and it is not known which file that is", h.File)
		}
	}
	dir, name := filepath.Dir(h.File), filepath.Base(h.File)
	if h.Base != "" {
		name = filepath.Base(h.Base)
	}
	var files []durable.File
	build := func() ([]durable.File, error) {
		files, err = h.successors(issued, key)
		return files, err
	}
	if p.DryRun {
		_, err = build()
	} else {
		err = durable.Change(ctx, durable.Set{Dir: dir, Name: name, Replace: true, Build: build, Record: p.Record})
	}
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		paths = append(paths, filepath.Join(dir, file.Name))
	}
	return paths, h.outdated(issued), nil
}

// successors are the files as they will be.
func (h *Held) successors(issued *Issued, key []byte) ([]durable.File, error) {
	if data, _, err := secretfile.Read(h.File, maxBundle); err != nil || !bytes.Equal(data, h.data) {
		return nil, fault.New(fault.Failed, "see whether another command has renewed it", "the certificate's file was changed in the meantime")
	}
	var files []durable.File
	if key != nil {
		files = append(files, durable.File{Name: filepath.Base(h.KeyFile), Data: key, Mode: 0o600})
	}
	for _, path := range h.files() {
		data, _, err := secretfile.Read(path, maxBundle)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		files = append(files, durable.File{Name: filepath.Base(path), Data: h.successor(data, issued, key), Mode: info.Mode().Perm()})
	}
	return files, nil
}

// files are those of the set that hold the certificate.
func (h *Held) files() []string {
	if h.Base == "" {
		return []string{h.File}
	}
	return slices.DeleteFunc([]string{h.File, h.Base + derSuffix, h.Base + bundleSuffix, h.Base + fullchainSuffix}, isMissing)
}

func isMissing(path string) bool {
	_, err := os.Lstat(path)
	return os.IsNotExist(err)
}

// successor is a file's text with the old certificate replaced, and the key too where there is a new one.
func (h *Held) successor(data []byte, issued *Issued, key []byte) []byte {
	block, rest := pem.Decode(data)
	if block == nil {
		return issued.Cert.Raw
	}
	bundle := bytes.Count(data, []byte("CERTIFICATE-----")) > 2 // a beginning and an end
	var text bytes.Buffer
	for ; block != nil; block, rest = pem.Decode(rest) {
		switch {
		case strings.HasSuffix(block.Type, "CERTIFICATE"):
			text.Write(h.inPlaceOf(block, issued, bundle))
		case key == nil || block.Type != "EC PARAMETERS" && !strings.HasSuffix(block.Type, "PRIVATE KEY"):
			text.Write(pem.EncodeToMemory(block))
		case block.Type != "EC PARAMETERS":
			text.Write(key)
		}
	}
	return text.Bytes()
}

// inPlaceOf is what stands in a bundle instead of a certificate: issued, with its chain where that is another one
// now; nothing instead of the old chain then; else a CA as the chain has it now, or what was there.
func (h *Held) inPlaceOf(block *pem.Block, issued *Issued, bundle bool) []byte {
	moved := h.moved(issued)
	switch {
	case bytes.Equal(block.Bytes, h.Cert.Raw) && moved && bundle:
		return issued.ChainPEM()
	case bytes.Equal(block.Bytes, h.Cert.Raw):
		return issued.CertPEM()
	case moved:
		return nil
	}
	if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
		for _, ca := range issued.Chain {
			if bytes.Equal(ca.RawSubject, cert.RawSubject) && bytes.Equal(ca.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo) {
				block = &pem.Block{Type: block.Type, Bytes: ca.Raw}
			}
		}
	}
	return pem.EncodeToMemory(block)
}

// outdated tells of files that still hold the old certificate, or the chain of another issuer.
func (h *Held) outdated(issued *Issued) []string {
	suffixes := []string{".p12", ".legacy.p12", ".k8s.yaml"}
	if h.moved(issued) {
		suffixes = append(suffixes, chainSuffix)
	}
	if len(issued.Chain) == 0 { // a root, which is what its trust store holds
		suffixes = append(suffixes, ".truststore.p12")
	}
	var notes []string
	for _, suffix := range suffixes {
		if h.Base != "" && !isMissing(h.Base+suffix) {
			notes = append(notes, h.Base+suffix+" is still that of the old certificate: make it again with `keyward export-cert`")
		}
	}
	return notes
}

// moved tells whether issued has another issuer than the old certificate.
func (h *Held) moved(issued *Issued) bool {
	return len(issued.Chain) > 0 && !signed(issued.Chain[0], h.Cert)
}
