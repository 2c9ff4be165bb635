package certs

import (
	"encoding/asn1"
	"fmt"
	"net"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"keyward/fault"
)

// Asked is something that a request asks for and does not get.
type Asked struct {
	Kind     string `json:"kind"`               // "subject", "extension", "attribute" or "name"
	Name     string `json:"name,omitempty"`     // as RFCs have it; absent where keyward knows none
	OID      string `json:"oid,omitempty"`      // absent for a name
	Critical bool   `json:"critical,omitempty"` // of an extension
	Value    string `json:"value,omitempty"`    // of a subject's part or a name, what cannot be printed escaped
}

// String is what was asked in words: basicConstraints (2.5.29.19, critical), or CN=web.
func (a Asked) String() string {
	switch a.Kind {
	case "name":
		return fmt.Sprintf("the name %s", a.Value)
	case "subject":
		return a.Name + "=" + a.Value
	}
	oid := a.OID
	if a.Critical {
		oid += ", critical"
	}
	if a.Name == "" {
		return fmt.Sprintf("%s (%s)", a.Kind, oid)
	}
	return fmt.Sprintf("%s (%s)", a.Name, oid)
}

var (
	oidOrganization     = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidExtensionRequest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 14} // RFC 2985 section 5.4.2
)

// From RFC 5280 section 4.2, RFC 7633, RFC 2985 section 5.4 and Microsoft's [MS-WCCE] section 2.2.2.7.
var askedNames = map[string]string{
	"1.2.840.113549.1.9.2":       "unstructuredName",
	"1.2.840.113549.1.9.7":       "challengePassword",
	"1.3.6.1.4.1.311.2.1.14":     "szOID_CERT_EXTENSIONS",
	"1.3.6.1.4.1.311.13.2.2":     "szOID_ENROLLMENT_CSP_PROVIDER",
	"1.3.6.1.4.1.311.13.2.3":     "szOID_OS_VERSION",
	"1.3.6.1.4.1.311.20.2":       "szOID_ENROLL_CERTTYPE_EXTENSION",
	"1.3.6.1.4.1.311.21.20":      "szOID_REQUEST_CLIENT_INFO",
	"1.3.6.1.5.5.7.1.1":          "authorityInfoAccess",
	"1.3.6.1.5.5.7.1.24":         "tlsfeature",
	"2.5.29.31":                  "cRLDistributionPoints",
	"2.5.29.32":                  "certificatePolicies",
	"2.5.29.30":                  "nameConstraints",
	"2.5.29.36":                  "policyConstraints",
	"2.5.29.37":                  "extKeyUsage",
	oidSubjectAltName.String():   "subjectAltName",
	oidSubjectKeyID.String():     "subjectKeyIdentifier",
	oidKeyUsage.String():         "keyUsage",
	oidBasicConstraints.String(): "basicConstraints",
	oidAuthorityKeyID.String():   "authorityKeyIdentifier",
}

// readAsked goes through the request once more, bound by bound, since crypto/x509 passes over what it
// does not understand: behind a structure's last field, in attributes, among the kinds of names.
func (c *CSR) readAsked() error {
	for _, part := range c.parsed.Subject.Names {
		if !part.Type.Equal(oidOrganization) {
			c.Asked = append(c.Asked, Asked{Kind: "subject", Name: attributeName(part.Type), OID: part.Type.String(), Value: printable(fmt.Sprint(part.Value))})
		}
	}
	input := cryptobyte.String(c.Raw)
	var request, body, attributes cryptobyte.String
	var version int
	if !input.ReadASN1(&request, der.SEQUENCE) || !input.Empty() ||
		!request.ReadASN1(&body, der.SEQUENCE) || !request.SkipASN1(der.SEQUENCE) || !request.SkipASN1(der.BIT_STRING) || !request.Empty() ||
		!body.ReadASN1Integer(&version) || version != 0 || !body.SkipASN1(der.SEQUENCE) || !body.SkipASN1(der.SEQUENCE) ||
		!body.ReadASN1(&attributes, der.Tag(0).ContextSpecific().Constructed()) || !body.Empty() {
		return malformed("its structure")
	}
	if err := c.readAttributes(attributes); err != nil {
		return err
	}
	if len(c.names) > maxAsked || len(c.Asked) > maxAsked {
		return fault.New(fault.Policy, "ask for less", "the request asks for %d names and %d other things, and %d of each is the limit", len(c.names), len(c.Asked), maxAsked)
	}
	return nil
}

func malformed(what string) error {
	return fault.New(fault.InvalidFile, "see what OpenSSL says: openssl req -noout -text -in FILE", "the request does not parse: %s is not as RFC 2986 has it", what)
}

func (c *CSR) readAttributes(attributes cryptobyte.String) error {
	var seen []string
	for !attributes.Empty() {
		var attribute, values, extensions cryptobyte.String
		var id asn1.ObjectIdentifier
		if !attributes.ReadASN1(&attribute, der.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&id) ||
			!attribute.ReadASN1(&values, der.SET) || !attribute.Empty() || values.Empty() || slices.Contains(seen, id.String()) {
			return malformed("an attribute")
		}
		seen = append(seen, id.String())
		if !id.Equal(oidExtensionRequest) {
			c.Asked = append(c.Asked, Asked{Kind: "attribute", Name: askedNames[id.String()], OID: id.String()})
			continue
		}
		if !values.ReadASN1(&extensions, der.SEQUENCE) || !values.Empty() {
			return malformed("its request for extensions")
		}
		if err := c.readExtensions(extensions); err != nil {
			return err
		}
	}
	return nil
}

func (c *CSR) readExtensions(extensions cryptobyte.String) error {
	for !extensions.Empty() {
		var extension, value cryptobyte.String
		var id asn1.ObjectIdentifier
		var critical bool
		if !extensions.ReadASN1(&extension, der.SEQUENCE) || !extension.ReadASN1ObjectIdentifier(&id) ||
			extension.PeekASN1Tag(der.BOOLEAN) && !extension.ReadASN1Boolean(&critical) ||
			!extension.ReadASN1(&value, der.OCTET_STRING) || !extension.Empty() {
			return malformed("an extension")
		}
		if !id.Equal(oidSubjectAltName) {
			c.Asked = append(c.Asked, Asked{Kind: "extension", Name: askedNames[id.String()], OID: id.String(), Critical: critical})
		} else if !c.readNames(value) {
			return malformed("its subjectAltName")
		}
	}
	return nil
}

// The forms of names by their tags (RFC 5280 section 4.2.1.6): those that are signed in san's words, and
// the others in the RFC's, which no san has.
var (
	nameForms  = map[der.Tag]string{1: "email", 2: "DNS", 6: "URI", 7: "IP Address"}
	otherForms = map[der.Tag]string{0: "otherName", 3: "x400Address", 4: "directoryName", 5: "ediPartyName", 8: "registeredID"}
)

func (c *CSR) readNames(value cryptobyte.String) bool {
	var list cryptobyte.String
	if !value.ReadASN1(&list, der.SEQUENCE) || !value.Empty() {
		return false
	}
	for !list.Empty() {
		var name cryptobyte.String
		var tag der.Tag
		if !list.ReadAnyASN1(&name, &tag) {
			return false
		}
		number := tag &^ der.Tag(0).ContextSpecific().Constructed()
		form, known := nameForms[number]
		switch {
		case !known && otherForms[number] == "":
			return false
		case !known:
			c.names = append(c.names, san{otherForms[number], otherForms[number]})
		case tag != number.ContextSpecific():
			return false
		case form == "IP Address":
			c.names = append(c.names, san{form, net.IP(name).String()})
		default:
			c.names = append(c.names, san{form, string(name)})
		}
	}
	return true
}
