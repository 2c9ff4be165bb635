package bus

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"

	"keyward/fault"
)

const (
	scheme      = "spiffe://"
	accountPath = "/bus/account/"

	maxTrustDomain = 255 // bytes: the SPIFFE ID specification, section 2.1
	trustBytes     = "abcdefghijklmnopqrstuvwxyz0123456789.-_"
)

// Identity is the URI by which a certificate names an account: spiffe://TRUST-DOMAIN/bus/account/NAME, a SPIFFE ID
// without any other spelling. Its error is fault.Policy, for a name or a trust domain (lower-case letters, digits, . - _)
// that cannot be in one.
func Identity(trustDomain string, account Name) (string, error) {
	if !validTrustDomain(trustDomain) {
		return "", fault.New(fault.Policy, "write it as example.org: lower-case letters, digits, dots, - and _, without a port", "%.80q is no trust domain", trustDomain)
	}
	if _, err := ParseName(string(account)); err != nil {
		return "", err
	}
	return scheme + trustDomain + accountPath + string(account), nil
}

// ParseIdentity takes apart what Identity makes, and nothing else: no other case, no escape, port, query or fragment.
// Its error is fault.Policy.
func ParseIdentity(text string) (trustDomain string, account Name, err error) {
	rest, ok := strings.CutPrefix(text, scheme)
	domain, name, found := strings.Cut(rest, accountPath)
	if !ok || !found || !validTrustDomain(domain) || !Name(name).valid() {
		return "", "", fault.New(fault.Policy, "write spiffe://TRUST-DOMAIN/bus/account/NAME, as gen-leaf-cert --account NAME --trust-domain TRUST-DOMAIN does",
			"%.200q is no identity of an account", text)
	}
	return domain, Name(name), nil
}

func validTrustDomain(text string) bool {
	strange := func(r rune) bool { return !strings.ContainsRune(trustBytes, r) }
	return 0 < len(text) && len(text) <= maxTrustDomain && !strings.ContainsFunc(text, strange)
}

// AccountOf is the account that a certificate names in a trust domain: by its one URI among the alternative names,
// which has to be an Identity to the letter. A CA is none, since its URI may be for what it signs. AccountOf looks at no other
// name, and at nothing else of the certificate: chain, time and usage are the caller's part. Its error is fault.NotTrusted.
func AccountOf(cert *x509.Certificate, trustDomain string) (Name, error) {
	if cert.IsCA {
		return "", fault.New(fault.NotTrusted, "show a certificate that it signed, as `keyward gen-leaf-cert --account NAME` makes it", "the certificate is a CA's, and no account's")
	}
	uri, err := onlyURI(cert)
	if err != nil {
		return "", err
	}
	domain, account, err := ParseIdentity(uri)
	if err != nil {
		return "", fault.New(fault.NotTrusted, fault.HintOf(err), "the certificate names no account: %w", err)
	}
	if domain != trustDomain {
		return "", fault.New(fault.NotTrusted, "use a certificate for this bus, or ask which trust domain it takes",
			"the certificate is of the trust domain %s, not %.255q", domain, trustDomain)
	}
	return account, nil
}

// onlyURI is the certificate's one URI, as its bytes are: crypto/x509 has it parsed, and some spellings are then one.
func onlyURI(cert *x509.Certificate) (string, error) {
	uris, err := rawURIs(cert)
	if err != nil {
		return "", fault.New(fault.NotTrusted, "make the certificate again", "alternative names of the certificate: %w", err)
	}
	switch len(uris) {
	case 1:
		return uris[0], nil
	case 0:
		return "", fault.New(fault.NotTrusted, "make one with `keyward gen-leaf-cert --account NAME --trust-domain TRUST-DOMAIN`",
			"the certificate has no URI among its alternative names")
	}
	return "", fault.New(fault.NotTrusted, "make one certificate for each account",
		"the certificate has %d URIs among its alternative names, and may have one", len(uris))
}

// rawURIs are the uniformResourceIdentifiers of RFC 5280, section 4.2.1.6.
func rawURIs(cert *x509.Certificate) ([]string, error) {
	const tagURI = 6
	alternativeNames := asn1.ObjectIdentifier{2, 5, 29, 17}
	var uris []string
	for _, extension := range cert.Extensions {
		if !extension.Id.Equal(alternativeNames) {
			continue
		}
		var names []asn1.RawValue
		rest, err := asn1.Unmarshal(extension.Value, &names)
		if err != nil {
			return nil, err
		}
		if len(rest) != 0 {
			return nil, asn1.SyntaxError{Msg: "trailing data"}
		}
		for _, name := range names {
			if name.Class == asn1.ClassContextSpecific && name.Tag == tagURI {
				uris = append(uris, string(name.Bytes))
			}
		}
	}
	return uris, nil
}

// Opens returns nil where a certificate opens the account: it names one of its Identities, is not from before
// NotBefore, and the account is active. Otherwise fault.NotTrusted, or fault.NotPermitted for a revoked account.
func (a Account) Opens(cert *x509.Certificate) error {
	uri, err := onlyURI(cert)
	switch {
	case err != nil:
		return err
	case !slices.Contains(a.Identities, uri):
		return fault.New(fault.NotTrusted, "`keyward bus account show` prints the identities that do", "%.200q does not open the account %s", uri, a.Name)
	case cert.NotBefore.Before(a.NotBefore):
		return fault.New(fault.NotTrusted, "make a new certificate: this one may have been for an earlier account of that name",
			"the certificate is from before the account %s", a.Name)
	case a.State != Active:
		return fault.New(fault.NotPermitted, "ask the administrator of the bus", "the account %s is %s", a.Name, a.State)
	}
	return nil
}
