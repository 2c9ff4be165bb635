package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"keyward/fault"
	"keyward/internal/secretfile"
)

// What is read at most.
const (
	maxBundle = 16 << 20 // bytes of a file: a hundred times the roots that a system trusts
	maxFound  = 100_000  // entries of a folder, with those below it
)

// ErrNoCertificate says that a file is sound and holds no certificate: keys, a request, a CRL.
var ErrNoCertificate = errors.New("no certificate")

// Contents is what a file holds that people want to look at.
type Contents struct {
	Certs []*x509.Certificate    // in the file's order
	CRLs  []*x509.RevocationList // revocation lists beside them, or alone: then there is ErrNoCertificate too
	Keys  int                    // private keys beside them, which are counted and not read
}

// Parse finds the certificates and CRLs in data: all that are there as PEM, one in DER, or all in PKCS#12. What does
// not parse is fault.InvalidFile and does not hide the rest, which is returned beside the
// error. Where there is something else and no certificate, the error is also ErrNoCertificate. PKCS#12 that needs
// a password is ErrLocked: see Unlock.ReadFile.
func Parse(data []byte) (Contents, error) { return Unlock(nil).parse("", data) }

func (u Unlock) parse(file string, data []byte) (Contents, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // as Windows writes it, which PEM does not know
	if block, _ := pem.Decode(data); block != nil || bytes.Contains(data, []byte("-----BEGIN ")) {
		return parsePEM(data)
	}
	if isPKCS12(data) {
		return parsePKCS12(data, u.of(file))
	}
	return parseDER(data)
}

func parsePEM(data []byte) (Contents, error) {
	var found Contents
	var others []string
	var first, badList error // of those that do not parse
	sound, begun := 0, bytes.Count(data, []byte("-----BEGIN CERTIFICATE-----"))+bytes.Count(data, []byte("-----BEGIN X509 CERTIFICATE-----"))
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE" || block.Type == "X509 CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err == nil {
				sound++
				found.Certs = append(found.Certs, cert)
			} else if first == nil {
				first = err
			}
		case block.Type == "X509 CRL":
			list, err := x509.ParseRevocationList(block.Bytes)
			if err == nil {
				found.CRLs = append(found.CRLs, list)
			} else if badList == nil {
				badList = err
			}
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			found.Keys++
		case !slices.Contains(others, block.Type) && len(others) < 3:
			others = append(others, block.Type)
		}
	}
	switch {
	case first != nil:
		return found, fault.New(fault.InvalidFile, opensslHint, "%d of %d certificates do not parse, the first: %w", begun-sound, begun, first)
	case begun > sound: // encoding/pem passes over a block that is cut off or damaged
		return found, fault.New(fault.InvalidFile, "copy the file again: a block is cut off or damaged", "%d of %d certificates are not sound PEM", begun-sound, begun)
	case badList != nil:
		return found, fault.New(fault.InvalidFile, "see what OpenSSL says: openssl crl -noout -text -in FILE", "a CRL does not parse: %w", badList)
	case sound == 0:
		return found, noCertificate(found, others)
	}
	return found, nil
}

const opensslHint = "see what OpenSSL says: openssl x509 -noout -text -in FILE"

const requestType = "CERTIFICATE REQUEST"

// noCertificate says what there is instead: others are the types of PEM blocks.
func noCertificate(found Contents, others []string) error {
	const hint = "name the file that holds the certificate"
	switch {
	case found.Keys > 0:
		return fault.New(fault.InvalidFile, hint, "%w, but a private key", ErrNoCertificate)
	case len(found.CRLs) > 0:
		return fault.New(fault.InvalidFile, hint, "%w, but a CRL", ErrNoCertificate)
	case slices.Contains(others, requestType) || slices.Contains(others, "NEW "+requestType):
		return fault.New(fault.InvalidFile, "see it with `keyward sign-csr --dry-run`", "%w, but a certificate request", ErrNoCertificate)
	case len(others) > 0:
		return fault.New(fault.InvalidFile, hint, "%w, but PEM of another type: %q", ErrNoCertificate, strings.Join(others, ", "))
	}
	return fault.New(fault.InvalidFile, hint, "neither PEM that can be read nor DER")
}

func parseDER(data []byte) (found Contents, err error) {
	if !bytes.HasPrefix(data, []byte{0x30}) {
		return found, fault.New(fault.InvalidFile, "name a file with certificates in PEM, or one in DER", "not a certificate")
	}
	cert, err := x509.ParseCertificate(data)
	if err == nil {
		return Contents{Certs: []*x509.Certificate{cert}}, nil
	}
	if list, err := x509.ParseRevocationList(data); err == nil {
		found.CRLs = append(found.CRLs, list)
		return found, noCertificate(found, nil)
	}
	if _, err := x509.ParseCertificateRequest(data); err == nil {
		return found, noCertificate(found, []string{requestType})
	}
	return found, fault.New(fault.InvalidFile, opensslHint, "it does not parse as a certificate: %w", err)
}

// isPKCS12 knows a PFX of RFC 7292 section 4 by how it begins: a sequence, with a length of any form, and version 3.
func isPKCS12(data []byte) bool {
	if len(data) < 2 || data[0] != 0x30 {
		return false
	}
	header := 2
	if data[1] > 0x80 {
		header += int(data[1] - 0x80)
	}
	return len(data) > header && bytes.HasPrefix(data[header:], []byte{0x02, 0x01, 0x03})
}

// Read is Parse of what r gives, at most 16 MiB, with a password where it is PKCS#12 that needs one; name is what u is asked for.
func (u Unlock) Read(name string, r io.Reader) (Contents, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBundle+1))
	if err != nil {
		return Contents{}, fault.New(fault.Failed, "", "read certificates: %w", err)
	}
	if len(data) > maxBundle {
		return Contents{}, fault.New(fault.InvalidFile, "split it", "larger than %d bytes", maxBundle)
	}
	return u.parse(name, data)
}

// ReadFile is Parse of a file of at most 16 MiB. A missing file is fault.NotFound, a folder fault.InvalidFile.
func ReadFile(file string) (Contents, error) { return Unlock(nil).ReadFile(file) }

// ReadFile is ReadFile with a password where the file is PKCS#12 that needs one. A wrong one is fault.LoginRefused, a
// file that would take minutes to open fault.Policy.
func (u Unlock) ReadFile(file string) (Contents, error) {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return Contents{}, fault.New(fault.InvalidFile, "name a file in it; `keyward check-expiry` looks into folders", "%s: a folder", file)
	}
	data, _, err := secretfile.Read(file, maxBundle)
	if err != nil {
		return Contents{}, err
	}
	found, err := u.parse(file, data)
	if err != nil {
		err = fault.New(fault.KindOf(err), strings.ReplaceAll(fault.HintOf(err), "FILE", file), "%s: %w", file, err)
	}
	return found, err
}

// Files are the files in a folder and below it that look like certificates by their names: .pem,
// .crt, .cer, .der, .p12 and .pfx. Names that end in key.pem are keys, and are left alone; so are hidden files
// and folders. Links to files are followed, links to folders are not. What cannot be looked into
// comes as an error, and the rest goes on; more than 100,000 entries end it with fault.InvalidFile.
func Files(dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		entries := 0
		_ = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
			file := filepath.Join(dir, filepath.FromSlash(name))
			entries++
			switch {
			case entries > maxFound:
				yield(file, fault.New(fault.InvalidFile, "name the folders in it", "%s: more than %d entries", dir, maxFound))
				return fs.SkipAll
			case err != nil && !yield(file, unreadable(file, err)):
				return fs.SkipAll
			case err != nil:
				return fs.SkipDir
			case name != "." && strings.HasPrefix(d.Name(), ".") && d.IsDir():
				return fs.SkipDir
			case !d.IsDir() && looksLikeCertificate(d.Name()) && isFile(file) && !yield(file, nil):
				return fs.SkipAll
			}
			return nil
		})
	}
}

// unreadable says whole what os.DirFS knows the end of alone.
func unreadable(file string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fault.New(fault.Failed, "check the path and its permissions", "%s: %w", file, err)
}

func looksLikeCertificate(name string) bool {
	name = strings.ToLower(name)
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "key.pem") {
		return false
	}
	return slices.Contains([]string{".pem", ".crt", ".cer", ".der", ".p12", ".pfx"}, path.Ext(name))
}

// isFile passes what cannot be asked, so that reading it says why.
func isFile(file string) bool {
	info, err := os.Stat(file)
	return err != nil || info.Mode().IsRegular()
}
