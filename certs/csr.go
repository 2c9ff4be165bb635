package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
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

// csrSuffix follows the basename in the name of a request's file; 0644.
const csrSuffix = ".csr.pem"

// The most that a request may hold: its bytes, its names, and what else it asks for.
const (
	maxCSRFile = 64 << 10
	maxAsked   = 100
)

// CSR is a certificate signing request (PKCS #10, RFC 2986) whose signature is right and whose key
// is sound. Everything else in it is only what somebody asks for.
type CSR struct {
	Raw       []byte // DER
	Subject   string // RFC 2253, what cannot be printed escaped
	PublicKey crypto.PublicKey
	Asked     []Asked // what it asks for beside its organization and its names, and never gets

	parsed *x509.CertificateRequest
	names  []san
}

// NewCSR makes a request for a certificate with this organization and these names, signed by key.
// What sign-csr would refuse is fault.Policy.
func NewCSR(organization string, sans []string, key crypto.Signer) (*CSR, error) {
	if err := checkOrganization(Request{Organization: organization}); err != nil {
		return nil, err
	}
	n, err := parseNames(sans)
	if err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{
		Subject:  pkix.Name{Organization: []string{organization}},
		DNSNames: n.dns, IPAddresses: n.ips, EmailAddresses: n.emails, URIs: n.uris,
	}
	if err := checkPublicKey(key.Public()); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "sign the request: %w", err)
	}
	return parseCSR(der)
}

// PEM is the request as PEM.
func (c *CSR) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: c.Raw})
}

// KeyType is the type of its key in the words of KeyType, "rsa8192" and the like included.
func (c *CSR) KeyType() string { return keyTypeOf(c.PublicKey) }

// Pin is the SHA-256 of its SubjectPublicKeyInfo, as Info has it.
func (c *CSR) Pin() string { return sha256Hex(c.parsed.RawSubjectPublicKeyInfo) }

// SANs are the names it asks for as they stand there, whether they are names or not, and never nil.
func (c *CSR) SANs() []string {
	list := []string{}
	for _, name := range c.names {
		list = append(list, name.value)
	}
	return list
}

// CommonName is the subject's first CN, which is never made a name.
func (c *CSR) CommonName() string { return c.parsed.Subject.CommonName }

// NameInSubject is the common name where it reads as a DNS name with a dot, as a name that it lacks often does; else it is empty.
func (c *CSR) NameInSubject() string {
	name := c.CommonName()
	if n, err := parseNames([]string{name}); err != nil || len(n.dns) != 1 || !strings.Contains(name, ".") {
		return ""
	}
	return name
}

// Organizations are all that the subject has, as they stand there.
func (c *CSR) Organizations() []string { return c.parsed.Subject.Organization }

// Organization is the subject's O: all that is taken of it. None is fault.Usage, more than one, or
// one that cannot stand in a certificate, fault.Policy.
func (c *CSR) Organization() (string, error) {
	all := c.parsed.Subject.Organization
	if len(all) > 1 {
		return "", fault.New(fault.Policy, "choose one with --subject-org-name", "the subject of the request has %d organizations", len(all))
	}
	organization := strings.Join(all, "")
	return organization, checkOrganization(Request{Organization: organization})
}

// Names are the names it asks for, if each of them is one for a certificate and reads as the kind
// that it is marked as; otherwise the error is fault.Policy.
func (c *CSR) Names() ([]string, error) {
	for _, name := range c.names {
		if err := name.check(); err != nil {
			return nil, err
		}
	}
	return c.SANs(), nil
}

// check keeps a name from changing its kind on the way: a DNS name "10.0.0.1" would come out as an address.
func (s san) check() error {
	const hint = "set the names to sign with --san"
	n, err := parseNames([]string{s.value})
	counts := map[string]int{"DNS": len(n.dns), "email": len(n.emails), "URI": len(n.uris), "IP Address": len(n.ips)}
	count, signed := counts[s.form]
	switch {
	case !signed:
		return fault.New(fault.Policy, hint, "the request asks for a name of the kind %s, which keyward does not sign", s.form)
	case err != nil:
		return fault.New(fault.KindOf(err), hint, "the request asks for a name that is none: %w", err)
	case count != 1:
		return fault.New(fault.Policy, hint, "the request has %q as a name of the kind %s, which it does not read as", s.value, s.form)
	}
	return nil
}

// ParseCSR reads a request as PEM, one alone with nothing behind it, or as DER. What is no such thing is
// fault.InvalidFile. A weak key, a signature that is wrong or made with a broken hash, or more than 100
// names or other wishes are fault.Policy.
func ParseCSR(data []byte) (*CSR, error) {
	const hint = "see what OpenSSL says: openssl req -noout -text -in FILE"
	if len(data) > maxCSRFile {
		return nil, fault.New(fault.InvalidFile, "name the right file", "a request of more than %d bytes", maxCSRFile)
	}
	if bytes.HasPrefix(data, []byte{0x30}) {
		return parseCSR(data)
	}
	block, rest := pem.Decode(data)
	switch {
	case block == nil:
		return nil, fault.New(fault.InvalidFile, "name the file that holds the request, as PEM or DER", "no certificate request")
	case bytes.Count(data, []byte("-----BEGIN ")) > 1:
		return nil, fault.New(fault.InvalidFile, "put one request alone in the file", "more than one PEM block")
	case block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST":
		return nil, fault.New(fault.InvalidFile, "name the file that holds the request", "a PEM block of another kind: %q", block.Type)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fault.New(fault.InvalidFile, hint, "something stands behind the request")
	}
	return parseCSR(block.Bytes)
}

func parseCSR(der []byte) (*CSR, error) {
	parsed, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fault.New(fault.InvalidFile, "see what OpenSSL says: openssl req -noout -text -in FILE", "the request does not parse: %w", err)
	}
	if err := checkPublicKey(parsed.PublicKey); err != nil {
		return nil, err
	}
	if !slices.Contains(soundSignatures, parsed.SignatureAlgorithm) {
		return nil, weak("sign the request with SHA-256", "a request signed with %s", parsed.SignatureAlgorithm)
	}
	if err := parsed.CheckSignature(); err != nil {
		return nil, fault.New(fault.Policy, "ask for a new request: who made this one does not hold its key, or it was changed", "the signature of the request is wrong: %w", err)
	}
	c := &CSR{Raw: der, Subject: printable(parsed.Subject.String()), PublicKey: parsed.PublicKey, parsed: parsed}
	return c, c.readAsked()
}

var soundSignatures = []x509.SignatureAlgorithm{
	x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519,
	x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
	x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
}

// LoadCSR reads a request's file, after finishing or discarding what a killed WriteCSR left of it. Its
// errors are those of ParseCSR.
func LoadCSR(ctx context.Context, path string) (*CSR, error) {
	if name, ok := strings.CutSuffix(filepath.Base(path), csrSuffix); ok && name != "" {
		if err := durable.Settle(ctx, filepath.Dir(path), name); err != nil {
			return nil, err
		}
	}
	text, _, err := secretfile.Read(path, maxCSRFile)
	if err != nil {
		return nil, err
	}
	return parseFile(path, text, ParseCSR)
}

// NewKey makes a private key.
func NewKey(t KeyType) (crypto.Signer, error) {
	if _, err := ParseKeyType(string(t)); err != nil {
		return nil, err
	}
	return t.generate()
}

// LoadKey reads a private key as LoadIssuer does; a file that others can read only gives warnings.
func LoadKey(ctx context.Context, path string, unlock Unlock) (key crypto.Signer, warnings []string, err error) {
	if err := settle(ctx, path); err != nil {
		return nil, nil, err
	}
	text, exposed, err := secretfile.Read(path, maxKeyFile)
	if err != nil {
		return nil, nil, err
	}
	if warnings, err = weigh(true, exposed, secretfile.FolderExposed(path)); err != nil {
		return nil, nil, err
	}
	key, err = parseFile(path, text, unlock.parserOf(path))
	return key, warnings, err
}

// WriteCSR puts B.csr.pem into the folder of the basename B, and B.key.pem with it where key is not nil, both
// or none, and returns their paths. A file already there is fault.Exists, with p.Replace it is
// replaced. A new key beside a certificate of an old one is fault.Policy.
func WriteCSR(ctx context.Context, basename string, csr *CSR, key crypto.Signer, p Placing) ([]string, error) {
	files := []durable.File{{Name: filepath.Base(basename) + csrSuffix, Data: csr.PEM(), Mode: 0o644}}
	if key == nil {
		return writeSet(ctx, basename, files, p, func() error { return nil })
	}
	data, err := encodeKey(key, false, p.Password)
	if err != nil {
		return nil, err
	}
	files = append([]durable.File{{Name: filepath.Base(basename) + keySuffix, Data: data, Mode: 0o600}}, files...)
	return writeSet(ctx, basename, files, p, func() error { return withoutCertificate(basename) })
}

// WriteSigned puts B.cert.pem and B.cert.der into the folder of the basename B, as Write does where the key is
// at hand. Beside another key's B.key.pem, or a bundle, they are fault.Policy.
func WriteSigned(ctx context.Context, basename string, issued *Issued, p Placing) ([]string, error) {
	name := filepath.Base(basename)
	files := []durable.File{
		{Name: name + certSuffix, Data: issued.CertPEM(), Mode: 0o644},
		{Name: name + derSuffix, Data: issued.Cert.Raw, Mode: 0o644},
	}
	return writeSet(ctx, basename, files, p, func() error { return besideOwnKey(basename, issued.Cert.PublicKey) })
}

// withoutCertificate keeps a new key from a set whose certificate is of the old one.
func withoutCertificate(basename string) error {
	for _, suffix := range []string{certSuffix, derSuffix, bundleSuffix} {
		if _, err := os.Lstat(basename + suffix); err == nil {
			return fault.New(fault.Policy, "keep the key with --key "+basename+keySuffix+", or give another --cert-basename",
				"%s is there, and would lose its key", basename+suffix)
		}
	}
	return nil
}

// besideOwnKey keeps a certificate from a set whose key is another one. A key that cannot be read here may be the
// right one; of an encrypted one the set's request and certificate tell.
func besideOwnKey(basename string, pub crypto.PublicKey) error {
	const hint = "give another --cert-basename"
	if _, err := os.Lstat(basename + bundleSuffix); err == nil {
		return fault.New(fault.Policy, hint+", or move the bundle away", "%s is there, and holds another certificate", basename+bundleSuffix)
	}
	data, _, err := secretfile.Read(basename+keySuffix, maxKeyFile)
	if err != nil {
		return nil //nolint:nilerr // there is none, or none to compare with
	}
	var keys []crypto.PublicKey
	switch key, err := Unlock(nil).parserOf("")(data); {
	case err == nil:
		keys = []crypto.PublicKey{key.Public()}
	case errors.Is(err, ErrLocked):
		keys = publicKeys(basename)
	}
	if len(keys) > 0 && !slices.ContainsFunc(keys, func(key crypto.PublicKey) bool { return equalKeys(key, pub) }) {
		return fault.New(fault.Policy, hint, "%s is there, and is not the key of the request", basename+keySuffix)
	}
	return nil
}

// publicKeys are those of a set's request and certificate, which may be of different keys.
func publicKeys(basename string) (keys []crypto.PublicKey) {
	if csr, err := readFile(basename+csrSuffix, maxCSRFile, ParseCSR); err == nil {
		keys = append(keys, csr.PublicKey)
	}
	if found, err := readFile(basename+certSuffix, maxCertFile, parseCertificates); err == nil {
		keys = append(keys, found[0].PublicKey)
	}
	return keys
}
