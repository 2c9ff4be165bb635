// Package identity is what a certificate is known by: words such as dns:gateway.example.org, by which rules name who may do what.
package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"keyward/fault"
	"keyward/internal/nearest"
)

// The kinds of identities.
const (
	kindHash    = "sha256"  // of the certificate or of its SubjectPublicKeyInfo, in hex: both are printed so, and no two have one
	kindKey     = "key"     // of its SubjectPublicKeyInfo alone, in hex, as it is or behind sha256:
	kindDNS     = "dns"     // a DNS name among the alternative names, in any case
	kindURI     = "uri"     // a URI there, to the letter
	kindEmail   = "email"   // an e-mail address there, to the letter but for the case of its domain
	kindIP      = "ip"      // an address there
	kindOrg     = "o"       // an organization of the subject, to the letter
	kindSubject = "subject" // the whole subject as RFC 2253 writes it, to the letter
)

// Of are all that a certificate is known by. A common name is none of them: whoever signs certificates
// holds names against its policy where they are alternative names.
func Of(cert *x509.Certificate) []string {
	all := []string{Fingerprint(cert), Pin(cert), hashOf(kindKey, cert.RawSubjectPublicKeyInfo), kindSubject + ":" + cert.Subject.String()}
	for _, name := range cert.DNSNames {
		all = append(all, kindDNS+":"+strings.ToLower(name))
	}
	for _, uri := range cert.URIs {
		all = append(all, kindURI+":"+uri.String())
	}
	for _, address := range cert.EmailAddresses {
		all = append(all, kindEmail+":"+lowerDomain(address))
	}
	for _, ip := range cert.IPAddresses {
		if address, ok := netip.AddrFromSlice(ip); ok {
			all = append(all, kindIP+":"+address.Unmap().String())
		}
	}
	for _, name := range cert.Subject.Organization {
		all = append(all, kindOrg+":"+name)
	}
	return all
}

// Pin is the SHA-256 of a certificate's SubjectPublicKeyInfo, as keyward prints it.
func Pin(cert *x509.Certificate) string { return hashOf(kindHash, cert.RawSubjectPublicKeyInfo) }

// Fingerprint is the SHA-256 of a certificate.
func Fingerprint(cert *x509.Certificate) string { return hashOf(kindHash, cert.Raw) }

// LogAttrs is what a log tells of a certificate: all that a rule may name, as rules write it.
func LogAttrs(cert *x509.Certificate) []any {
	return []any{"subject", cert.Subject.String(), "names", Names(cert), "pin", Pin(cert), "fingerprint", Fingerprint(cert)}
}

// Names are its alternative names as rules write them, but for the case of their letters.
func Names(cert *x509.Certificate) []string {
	names := []string{}
	for _, name := range cert.DNSNames {
		names = append(names, "dns:"+name)
	}
	for _, address := range cert.IPAddresses {
		names = append(names, "ip:"+address.String())
	}
	for _, address := range cert.EmailAddresses {
		names = append(names, "email:"+address)
	}
	for _, name := range cert.URIs {
		names = append(names, "uri:"+name.String())
	}
	return names
}

func hashOf(kind string, data []byte) string {
	sum := sha256.Sum256(data)
	return kind + ":" + hex.EncodeToString(sum[:])
}

// lowerDomain is an e-mail address as two are compared: RFC 5280, section 7.5.
func lowerDomain(address string) string {
	at := strings.LastIndexByte(address, '@') + 1
	return address[:at] + strings.ToLower(address[at:])
}

// Parse reads KIND:VALUE, and gives it as Of does. Its error is fault.InvalidFile.
func Parse(text string) (string, error) {
	kinds := []string{kindHash, kindKey, kindDNS, kindURI, kindEmail, kindIP, kindOrg, kindSubject}
	bad := func(hint, what string) (string, error) {
		return "", fault.New(fault.InvalidFile, hint, "%q is %s", text, what)
	}
	kind, value, found := strings.Cut(text, ":")
	switch {
	case !found || !slices.Contains(kinds, kind):
		hint := "write a star for all, or " + strings.Join(kinds, ":, ") + ":, and what it has to be"
		if near := nearest.Word(kind, kinds); found && near != "" {
			hint = "did you mean " + near + ":?"
		}
		return bad(hint, "no identity")
	case value == "":
		return bad("write what it has to be behind the colon, without a blank", "nobody")
	}
	switch kind {
	case kindHash, kindKey:
		value = strings.ToLower(value)
		if kind == kindKey {
			value = strings.TrimPrefix(value, kindHash+":")
		}
		value = strings.ReplaceAll(value, ":", "") // as others print it
		if hash, err := hex.DecodeString(value); err != nil || len(hash) != sha256.Size {
			return bad("write 64 hex digits, as `keyward show-cert` prints them: sha256: takes a certificate's fingerprint and its pin, key: the pin alone", "no SHA-256")
		}
	case kindDNS:
		if strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }) {
			return bad("write it as it stands in the certificate, in ASCII: xn--...", "no name of DNS")
		}
		value = strings.ToLower(value)
	case kindURI:
		if uri, err := url.Parse(value); err != nil || !uri.IsAbs() || uri.String() != value {
			return bad("write it as `keyward show-cert` prints it", "no whole URI")
		}
	case kindEmail:
		if !strings.Contains(value, "@") {
			return bad("write it as user@example.org", "no e-mail address")
		}
		value = lowerDomain(value)
	case kindIP:
		address, err := netip.ParseAddr(value)
		if err != nil || address.Zone() != "" {
			return bad("write one address, without a length or a zone", "no IP address")
		}
		value = address.Unmap().String()
	}
	return kind + ":" + value, nil
}
