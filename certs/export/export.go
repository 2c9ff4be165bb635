// Package export makes other forms of a certificate, with its chain and its key, for the programs
// that do not read the files of package certs.
//
//	B.fullchain.pem  the certificate and its intermediates; 0644
//	B.chain.pem      the intermediates alone; 0644
//	B.pkeycert.pem   the certificate, its intermediates and its key, for a Micronets peer; 0600
//	B.p12            the same as PKCS#12 (RFC 7292), roots included; 0600
//	B.legacy.p12     the same with 3DES and SHA-1, for programs of before 2019; 0600
//	B.truststore.p12 the top of the chain alone, for Java to trust, without a password; 0644
//	B.cert.der       the certificate in DER; 0644
//	B.k8s.yaml       a Kubernetes Secret of the type kubernetes.io/tls; 0600
//
// All but those in PKCS#12 with a password, and but an encrypted key, are the same bytes each time.
package export

import (
	"crypto"
	"crypto/x509"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"keyward/certs"
	"keyward/fault"
	"keyward/internal/durable"
)

// Format is a form of a certificate.
type Format string

// The formats.
const (
	FullChain    Format = "fullchain"
	Chain        Format = "chain"
	PKeyCert     Format = "pkeycert"
	PKCS12       Format = "pkcs12"
	PKCS12Legacy Format = "pkcs12-legacy"
	TrustStore   Format = "truststore"
	DER          Format = "der"
	Kubernetes   Format = "k8s"
)

// Formats lists the formats.
func Formats() []Format {
	return []Format{FullChain, Chain, PKeyCert, PKCS12, PKCS12Legacy, TrustStore, DER, Kubernetes}
}

// ParseFormat reads a format's name. Another name is fault.Usage.
func ParseFormat(s string) (Format, error) {
	if f := Format(s); slices.Contains(Formats(), f) {
		return f, nil
	}
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return "", fault.New(fault.Usage, "choose one of "+strings.Join(names, ", "), "there is no format %q", s)
}

// TakesKey tells whether the format holds the private key.
func (f Format) TakesKey() bool {
	return slices.Contains([]Format{PKeyCert, PKCS12, PKCS12Legacy, Kubernetes}, f)
}

// TakesPassword tells whether the format is encrypted as a whole.
func (f Format) TakesPassword() bool { return f == PKCS12 || f == PKCS12Legacy }

// suffix follows the basename in the name of the format's file.
func (f Format) suffix() string {
	switch f {
	case PKCS12:
		return ".p12"
	case PKCS12Legacy:
		return ".legacy.p12"
	case TrustStore:
		return ".truststore.p12"
	case DER:
		return ".cert.der"
	case Kubernetes:
		return ".k8s.yaml"
	}
	return "." + string(f) + ".pem"
}

// Source is what is exported.
type Source struct {
	Chain     []*x509.Certificate // the certificate first, then each one's issuer as far as they are known: see Order
	Key       crypto.Signer       // the certificate's; nil where no format takes it
	SEC1      bool                // a pkeycert has a plain elliptic curve key as SEC1, and not as PKCS#8
	Namespace string              // of the Kubernetes Secret; may be empty
}

// File is the certificate in one format, as the file of a set: name is the basename without its
// folder, which also names the Kubernetes Secret and the entry of a trust store. The password encrypts PKCS#12, where it may be empty, and the key in a
// pkeycert, where an empty one leaves it plain; the other formats take none, and hold the key plain.
//
// A key that is missing is fault.Usage, one of another certificate fault.Policy. Where the certificate's issuer is
// not in the chain, so that readers would miss it, all formats but DER are fault.NotFound; so is a trust store
// without a CA, unless the certificate signed itself.
func File(format Format, name string, from Source, password []byte) (durable.File, error) {
	if err := from.check(format); err != nil {
		return durable.File{}, err
	}
	data, err := from.encode(format, name, password)
	if err != nil {
		return durable.File{}, err
	}
	mode := fs.FileMode(0o644)
	if format.TakesKey() {
		mode = 0o600
	}
	return durable.File{Name: filepath.Base(name) + format.suffix(), Data: data, Mode: mode}, nil
}

func (s Source) check(format Format) error {
	if len(s.Chain) == 0 {
		return fault.New(fault.InvalidFile, "name a file with a certificate", "no certificate to export")
	}
	cert := s.Chain[0]
	if format.TakesKey() {
		if s.Key == nil {
			return fault.New(fault.Usage, "give its private key with --key", "the format %s holds the private key, and there is none", format)
		}
		if !certs.SameKey(s.Key, cert.PublicKey) {
			return fault.New(fault.Policy, "give the key that the certificate was made for with --key", "the key is not that of %q", cert.Subject)
		}
	}
	alone := len(s.Chain) == 1 && !signedItself(cert)
	if alone && format != DER && (format != TrustStore || !cert.IsCA) {
		return fault.New(fault.NotFound, "give the file of its issuer with --ca-certfile", "the issuer of %q is not at hand: %q", cert.Subject, cert.Issuer)
	}
	return nil
}

func (s Source) encode(format Format, name string, password []byte) ([]byte, error) {
	switch format {
	case FullChain:
		return certs.ChainPEM(s.Chain), nil
	case Chain:
		if text := certs.ChainPEM(s.Chain)[len(certs.ChainPEM(s.Chain[:1])):]; len(text) > 0 {
			return text, nil
		}
		return nil, fault.New(fault.NotFound, "export fullchain, which is the certificate alone then", "there is no intermediate above %q", s.Chain[0].Subject)
	case PKeyCert:
		encode := certs.KeyPEM
		if s.SEC1 {
			encode = certs.SEC1PEM
		}
		key, err := encode(s.Key, password)
		return append(certs.ChainPEM(s.Chain), key...), err
	case PKCS12:
		return s.pkcs12(pkcs12.Modern.WithIterations(pkcs12Iterations), password)
	case PKCS12Legacy:
		return s.pkcs12(pkcs12.Legacy, password)
	case TrustStore:
		return s.trustStore(filepath.Base(name))
	case DER:
		return s.Chain[0].Raw, nil
	case Kubernetes:
		return s.kubernetes(filepath.Base(name))
	}
	_, err := ParseFormat(string(format))
	return nil, err
}

// pkcs12Iterations is for each of the three keys that a file takes: .NET reads no more than 300,000 a key and a million in all.
const pkcs12Iterations = 200_000

func (s Source) pkcs12(encoder *pkcs12.Encoder, password []byte) ([]byte, error) {
	data, err := encoder.Encode(s.Key, s.Chain[0], s.Chain[1:], string(password))
	if err != nil { // the password is the only thing in it that may not fit
		return nil, fault.New(fault.Usage, "take a password without emoji and other rare characters", "encode PKCS#12: %w", err)
	}
	return data, nil
}

// trustStore is PKCS#12 with the certificate that the chain ends at, marked for Java as trusted (its attribute
// 2.16.840.1.113894.746875.1.1). It has no password, as Java's own cacerts has none since Java 18: what is in it is
// public, and any password opens it.
func (s Source) trustStore(name string) ([]byte, error) {
	entry := pkcs12.TrustStoreEntry{Cert: s.Chain[len(s.Chain)-1], FriendlyName: name}
	data, err := pkcs12.Passwordless.EncodeTrustStoreEntries([]pkcs12.TrustStoreEntry{entry}, "")
	if err != nil { // the name is the only thing in it that may not fit
		return nil, fault.New(fault.Usage, "give a --cert-basename without emoji and other rare characters", "encode PKCS#12: %w", err)
	}
	return data, nil
}

// Root is the certificate at the top of the chain, where it signed itself; nil where the root is not at hand.
func (s Source) Root() *x509.Certificate {
	if top := s.Chain[len(s.Chain)-1]; signedItself(top) {
		return top
	}
	return nil
}
