package verify

import (
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// fields are parts of a certificate (RFC 5280 section 4.1) that x509.Certificate does not keep.
type fields struct {
	signatureParameters []byte // in DER; empty where absent
	notBefore, notAfter rawTime
	uniqueID            bool // the issuer's or the subject's is there
}

// rawTime is a time as it is written.
type rawTime struct {
	generalized bool // GeneralizedTime, else UTCTime
	text        string
}

// readFields takes the signed part of a certificate apart; false where it is not what crypto/x509 has parsed.
func readFields(cert *x509.Certificate) (f fields, ok bool) {
	input := cryptobyte.String(cert.RawTBSCertificate)
	var tbs, algorithm, times, id cryptobyte.String
	ok = input.ReadASN1(&tbs, asn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) && // version
		tbs.SkipASN1(asn1.INTEGER) && // serialNumber
		tbs.ReadASN1(&algorithm, asn1.SEQUENCE) &&
		algorithm.SkipASN1(asn1.OBJECT_IDENTIFIER) &&
		tbs.SkipASN1(asn1.SEQUENCE) && // issuer
		tbs.ReadASN1(&times, asn1.SEQUENCE) &&
		readTime(&times, &f.notBefore) && readTime(&times, &f.notAfter) &&
		tbs.SkipASN1(asn1.SEQUENCE) && // subject
		tbs.SkipASN1(asn1.SEQUENCE) // subjectPublicKeyInfo
	if !ok {
		return f, false
	}
	f.signatureParameters = algorithm
	var issuers, subjects bool
	ok = tbs.ReadOptionalASN1(&id, &issuers, asn1.Tag(1).ContextSpecific()) && tbs.ReadOptionalASN1(&id, &subjects, asn1.Tag(2).ContextSpecific())
	f.uniqueID = issuers || subjects
	return f, ok
}

func readTime(times *cryptobyte.String, t *rawTime) bool {
	var text cryptobyte.String
	var tag asn1.Tag
	if !times.ReadAnyASN1(&text, &tag) {
		return false
	}
	t.generalized, t.text = tag == asn1.GeneralizedTime, string(text)
	return true
}

// onlyKeyIdentifier tells whether an AuthorityKeyIdentifier has no authorityCertIssuer and no
// authorityCertSerialNumber.
func onlyKeyIdentifier(value []byte) bool {
	input := cryptobyte.String(value)
	var id cryptobyte.String
	return input.ReadASN1(&id, asn1.SEQUENCE) && id.SkipOptionalASN1(asn1.Tag(0).ContextSpecific()) && id.Empty()
}

// plainSubtrees tells whether the subtrees of NameConstraints are names alone, without minimum and maximum.
func plainSubtrees(value []byte) bool {
	input := cryptobyte.String(value)
	var both, subtrees, subtree cryptobyte.String
	var tag asn1.Tag
	if !input.ReadASN1(&both, asn1.SEQUENCE) {
		return false
	}
	for !both.Empty() {
		if !both.ReadAnyASN1(&subtrees, &tag) {
			return false
		}
		for !subtrees.Empty() {
			if !subtrees.ReadASN1(&subtree, asn1.SEQUENCE) || !subtree.ReadAnyASN1(new(cryptobyte.String), &tag) || !subtree.Empty() {
				return false
			}
		}
	}
	return true
}
