package certs

import (
	"crypto/x509/pkix"
	"encoding/asn1"

	"keyward/fault"
)

// Extensions of RFC 5280 section 4.2.1.
var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
)

// The bits of RFC 5280 section 4.2.1.3 that the scripts set.
var (
	micronetsCAUsage   = asn1.BitString{Bytes: []byte{0b1000_0110}, BitLength: 7} // digitalSignature, keyCertSign, cRLSign
	micronetsLeafUsage = asn1.BitString{Bytes: []byte{0b1010_1000}, BitLength: 5} // digitalSignature, keyEncipherment, keyAgreement
)

// micronetsExtensions are what the scripts tell OpenSSL to write, in the same order, and what the
// certificates they published have. A root names itself as its issuer, a leaf does not name its own
// key; OpenSSL 3 by itself drops the one and adds the other.
func micronetsExtensions(role Role, own, issuer []byte) ([]pkix.Extension, error) {
	var list extensionList
	list.add(oidBasicConstraints, true, struct {
		CA bool `asn1:"optional"`
	}{role != Leaf})
	usage := micronetsCAUsage
	switch role {
	case Root:
		list.add(oidSubjectKeyID, false, own)
		list.add(oidAuthorityKeyID, false, authorityKeyID{issuer})
	case Intermediate:
		list.add(oidAuthorityKeyID, false, authorityKeyID{issuer})
		list.add(oidSubjectKeyID, false, own)
	case Leaf:
		list.add(oidAuthorityKeyID, false, authorityKeyID{issuer})
		usage = micronetsLeafUsage
	}
	list.add(oidKeyUsage, true, usage)
	return list.extensions, list.err
}

type authorityKeyID struct {
	KeyID []byte `asn1:"tag:0"`
}

// extensionList remembers the first error, so that its callers ask once.
type extensionList struct {
	extensions []pkix.Extension
	err        error
}

func (l *extensionList) add(id asn1.ObjectIdentifier, critical bool, value any) {
	der, err := asn1.Marshal(value)
	if err != nil && l.err == nil {
		l.err = fault.New(fault.Failed, "", "encode extension %v: %w", id, err)
	}
	l.extensions = append(l.extensions, pkix.Extension{Id: id, Critical: critical, Value: der})
}
