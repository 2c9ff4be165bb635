package certs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Info is a certificate's summary, for JSON.
type Info struct {
	Subject     string    `json:"subject"` // RFC 2253
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"` // lower-case hex, two digits a byte
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	KeyType     string    `json:"key_type"` // as KeyType; "unknown" where keyward knows no name
	SANs        []string  `json:"sans"`     // never null
	IsCA        bool      `json:"is_ca"`
	PathLen     *int      `json:"path_len,omitempty"` // CAs that may follow below; absent where not limited
	Fingerprint string    `json:"fingerprint"`        // "sha256:" and 64 hex digits, of the certificate
	Pin         string    `json:"pin"`                // the same of its SubjectPublicKeyInfo
}

// Describe sums a certificate up.
func Describe(cert *x509.Certificate) Info {
	info := Info{
		Subject:     cert.Subject.String(),
		Issuer:      cert.Issuer.String(),
		Serial:      serialHex(cert),
		NotBefore:   cert.NotBefore.UTC(),
		NotAfter:    cert.NotAfter.UTC(),
		KeyType:     keyTypeOf(cert.PublicKey),
		SANs:        []string{},
		IsCA:        cert.BasicConstraintsValid && cert.IsCA,
		Fingerprint: sha256Hex(cert.Raw),
		Pin:         sha256Hex(cert.RawSubjectPublicKeyInfo),
	}
	for _, name := range sanList(cert) {
		info.SANs = append(info.SANs, name.value)
	}
	if limit, ok := pathLen(cert); ok {
		info.PathLen = &limit
	}
	return info
}

func serialHex(cert *x509.Certificate) string {
	digits := cert.SerialNumber.Text(16)
	if len(digits)%2 != 0 {
		digits = "0" + digits
	}
	return digits
}

// sha256Hex does not leave the array to fmt, which takes longer than the hash.
func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// pathLen tells a path length of 0 from none.
func pathLen(cert *x509.Certificate) (int, bool) {
	limited := cert.BasicConstraintsValid && cert.IsCA && (cert.MaxPathLen > 0 || cert.MaxPathLenZero)
	return cert.MaxPathLen, limited
}

// san is one subject alternative name, with its form as OpenSSL writes it.
type san struct{ form, value string }

func sanList(cert *x509.Certificate) []san {
	var list []san
	for _, s := range cert.DNSNames {
		list = append(list, san{"DNS", s})
	}
	for _, s := range cert.EmailAddresses {
		list = append(list, san{"email", s})
	}
	for _, ip := range cert.IPAddresses {
		list = append(list, san{"IP Address", ip.String()})
	}
	for _, uri := range cert.URIs {
		list = append(list, san{"URI", uri.String()})
	}
	return list
}

// Text is the certificate as people read it, in the manner of openssl x509 -noout -text
// (but IPv6 addresses are short), which the Micronets scripts end with.
func Text(cert *x509.Certificate) string {
	var t text
	t.line(0, "Certificate:")
	t.line(4, "Data:")
	t.line(8, "Version: %d (0x%x)", cert.Version, cert.Version-1)
	t.serial(cert)
	t.line(8, "Signature Algorithm: %s", signatureName(cert))
	t.line(8, "Issuer: %s", nameText(cert.Issuer))
	t.line(8, "Validity")
	t.line(12, "Not Before: %s", opensslTime(cert.NotBefore))
	t.line(12, "Not After : %s", opensslTime(cert.NotAfter))
	t.line(8, "Subject: %s", nameText(cert.Subject))
	t.publicKey(cert)
	if len(cert.Extensions) > 0 {
		t.line(8, "X509v3 extensions:")
	}
	for _, ext := range cert.Extensions {
		t.extension(cert, ext)
	}
	t.line(4, "Signature Algorithm: %s", signatureName(cert))
	t.line(4, "Signature Value:")
	t.hex(8, 18, cert.Signature)
	return t.String()
}

// text writes indented lines.
type text struct{ strings.Builder }

func (t *text) line(indent int, format string, args ...any) {
	fmt.Fprintf(t, "%*s", indent, "")
	fmt.Fprintf(t, format, args...)
	t.WriteByte('\n')
}

// hex writes data as pairs of hex digits with colons, perLine bytes a line.
func (t *text) hex(indent, perLine int, data []byte) {
	for len(data) > perLine {
		t.line(indent, "%s:", colons(data[:perLine], "%02x"))
		data = data[perLine:]
	}
	t.line(indent, "%s", colons(data, "%02x"))
}

func colons(data []byte, format string) string {
	pairs := make([]string, len(data))
	for i, b := range data {
		pairs[i] = fmt.Sprintf(format, b)
	}
	return strings.Join(pairs, ":")
}

func (t *text) serial(cert *x509.Certificate) {
	if n := cert.SerialNumber; n.IsInt64() {
		t.line(8, "Serial Number: %d (%#x)", n, n)
		return
	}
	t.line(8, "Serial Number:")
	t.line(12, "%s", colons(cert.SerialNumber.Bytes(), "%02x"))
}

func opensslTime(at time.Time) string { return at.UTC().Format("Jan _2 15:04:05 2006 GMT") }

// nameText is a name as OpenSSL writes it on one line.
func nameText(name pkix.Name) string {
	var parts []string
	for _, attribute := range name.Names {
		value := printable(fmt.Sprint(attribute.Value))
		if strings.ContainsAny(value, `,+<>;`) {
			value = `"` + value + `"`
		}
		parts = append(parts, attributeName(attribute.Type)+" = "+value)
	}
	return strings.Join(parts, ", ")
}

// printable escapes what is not, as in a Go string, since a certificate may come from anybody and
// its text goes to terminals.
func printable(s string) string {
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

func attributeName(id asn1.ObjectIdentifier) string {
	if name, ok := attributeNames[id.String()]; ok {
		return name
	}
	return id.String()
}

// From RFC 4519, and RFC 2985 for the last.
var attributeNames = map[string]string{
	"2.5.4.3":              "CN",
	"2.5.4.5":              "serialNumber",
	"2.5.4.6":              "C",
	"2.5.4.7":              "L",
	"2.5.4.8":              "ST",
	"2.5.4.9":              "street",
	"2.5.4.10":             "O",
	"2.5.4.11":             "OU",
	"2.5.4.17":             "postalCode",
	"1.2.840.113549.1.9.1": "emailAddress",
}

func signatureName(cert *x509.Certificate) string {
	if name, ok := signatureNames[cert.SignatureAlgorithm]; ok {
		return name
	}
	return cert.SignatureAlgorithm.String()
}

var signatureNames = map[x509.SignatureAlgorithm]string{
	x509.SHA1WithRSA:      "sha1WithRSAEncryption",
	x509.SHA256WithRSA:    "sha256WithRSAEncryption",
	x509.SHA384WithRSA:    "sha384WithRSAEncryption",
	x509.SHA512WithRSA:    "sha512WithRSAEncryption",
	x509.SHA256WithRSAPSS: "rsassaPss",
	x509.SHA384WithRSAPSS: "rsassaPss",
	x509.SHA512WithRSAPSS: "rsassaPss",
	x509.ECDSAWithSHA1:    "ecdsa-with-SHA1",
	x509.ECDSAWithSHA256:  "ecdsa-with-SHA256",
	x509.ECDSAWithSHA384:  "ecdsa-with-SHA384",
	x509.ECDSAWithSHA512:  "ecdsa-with-SHA512",
	x509.PureEd25519:      "ED25519",
}

func (t *text) publicKey(cert *x509.Certificate) {
	t.line(8, "Subject Public Key Info:")
	switch pub := cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		t.line(12, "Public Key Algorithm: id-ecPublicKey")
		t.line(16, "Public-Key: (%d bit)", pub.Params().BitSize)
		t.line(16, "pub:")
		if point, err := pub.Bytes(); err == nil {
			t.hex(20, 15, point)
		}
		t.line(16, "ASN1 OID: %s", curveNames[pub.Params().Name])
		t.line(16, "NIST CURVE: %s", pub.Params().Name)
	case *rsa.PublicKey:
		t.line(12, "Public Key Algorithm: rsaEncryption")
		t.line(16, "Public-Key: (%d bit)", pub.N.BitLen())
		t.line(16, "Modulus:")
		t.hex(20, 15, append([]byte{0}, pub.N.Bytes()...))
		t.line(16, "Exponent: %d (%#x)", pub.E, pub.E)
	case ed25519.PublicKey:
		t.line(12, "Public Key Algorithm: ED25519")
		t.line(16, "ED25519 Public-Key:")
		t.line(16, "pub:")
		t.hex(20, 15, pub)
	default:
		t.line(12, "Public Key Algorithm: %v", cert.PublicKeyAlgorithm)
	}
}

// The curves' names in SEC 2, and in ANSI X9.62 for P-256.
var curveNames = map[string]string{"P-224": "secp224r1", "P-256": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1"}

// extension writes one extension: its name and criticality, then its value.
func (t *text) extension(cert *x509.Certificate, ext pkix.Extension) {
	name, write := ext.Id.String(), (*text).unknown
	if known, ok := knownExtensions[name]; ok {
		name, write = "X509v3 "+known.name, known.write
	}
	critical := ""
	if ext.Critical {
		critical = "critical"
	}
	t.line(12, "%s: %s", name, critical)
	write(t, cert, ext)
}

var knownExtensions = map[string]struct {
	name  string
	write func(*text, *x509.Certificate, pkix.Extension)
}{
	oidSubjectKeyID.String():     {"Subject Key Identifier", (*text).subjectKeyID},
	oidKeyUsage.String():         {"Key Usage", (*text).keyUsage},
	oidBasicConstraints.String(): {"Basic Constraints", (*text).basicConstraints},
	oidAuthorityKeyID.String():   {"Authority Key Identifier", (*text).authorityKeyID},
	"2.5.29.17":                  {"Subject Alternative Name", (*text).subjectAltName},
	"2.5.29.30":                  {"Name Constraints", (*text).nameConstraints},
	"2.5.29.37":                  {"Extended Key Usage", (*text).extKeyUsage},
}

func (t *text) unknown(_ *x509.Certificate, ext pkix.Extension) {
	t.line(16, "%s", hex.EncodeToString(ext.Value))
}

func (t *text) subjectKeyID(cert *x509.Certificate, _ pkix.Extension) {
	t.line(16, "%s", colons(cert.SubjectKeyId, "%02X"))
}

func (t *text) authorityKeyID(cert *x509.Certificate, _ pkix.Extension) {
	t.line(16, "%s", colons(cert.AuthorityKeyId, "%02X"))
}

func (t *text) basicConstraints(cert *x509.Certificate, _ pkix.Extension) {
	value := "CA:" + strings.ToUpper(fmt.Sprint(cert.IsCA))
	if limit, ok := pathLen(cert); ok {
		value += fmt.Sprintf(", pathlen:%d", limit)
	}
	t.line(16, "%s", value)
}

// In the order of their bits.
var keyUsageNames = []string{"Digital Signature", "Non Repudiation", "Key Encipherment", "Data Encipherment",
	"Key Agreement", "Certificate Sign", "CRL Sign", "Encipher Only", "Decipher Only"}

func (t *text) keyUsage(cert *x509.Certificate, _ pkix.Extension) {
	var uses []string
	for bit, name := range keyUsageNames {
		if cert.KeyUsage&(1<<bit) != 0 {
			uses = append(uses, name)
		}
	}
	t.line(16, "%s", strings.Join(uses, ", "))
}

var usageNames = map[x509.ExtKeyUsage]string{
	x509.ExtKeyUsageAny:             "Any Extended Key Usage",
	x509.ExtKeyUsageServerAuth:      "TLS Web Server Authentication",
	x509.ExtKeyUsageClientAuth:      "TLS Web Client Authentication",
	x509.ExtKeyUsageCodeSigning:     "Code Signing",
	x509.ExtKeyUsageEmailProtection: "E-mail Protection",
	x509.ExtKeyUsageTimeStamping:    "Time Stamping",
	x509.ExtKeyUsageOCSPSigning:     "OCSP Signing",
}

func (t *text) extKeyUsage(cert *x509.Certificate, _ pkix.Extension) {
	var uses []string
	for _, usage := range cert.ExtKeyUsage {
		if name, ok := usageNames[usage]; ok {
			uses = append(uses, name)
		} else {
			uses = append(uses, fmt.Sprintf("Usage %d", usage))
		}
	}
	for _, id := range cert.UnknownExtKeyUsage {
		uses = append(uses, id.String())
	}
	t.line(16, "%s", strings.Join(uses, ", "))
}

func (t *text) subjectAltName(cert *x509.Certificate, _ pkix.Extension) {
	var list []string
	for _, name := range sanList(cert) {
		list = append(list, name.form+":"+printable(name.value))
	}
	t.line(16, "%s", strings.Join(list, ", "))
}

func (t *text) nameConstraints(cert *x509.Certificate, _ pkix.Extension) {
	t.subtrees("Permitted", cert.PermittedDNSDomains, cert.PermittedIPRanges, cert.PermittedEmailAddresses, cert.PermittedURIDomains)
	t.subtrees("Excluded", cert.ExcludedDNSDomains, cert.ExcludedIPRanges, cert.ExcludedEmailAddresses, cert.ExcludedURIDomains)
}

func (t *text) subtrees(title string, dns []string, ips []*net.IPNet, emails, uris []string) {
	if len(dns)+len(ips)+len(emails)+len(uris) == 0 {
		return
	}
	t.line(16, "%s:", title)
	for _, s := range dns {
		t.line(18, "DNS:%s", printable(s))
	}
	for _, network := range ips {
		t.line(18, "IP:%v/%v", network.IP, net.IP(network.Mask))
	}
	for _, s := range emails {
		t.line(18, "email:%s", printable(s))
	}
	for _, s := range uris {
		t.line(18, "URI:%s", printable(s))
	}
}
