package certs

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"keyward/fault"
)

// Extensions of RFC 5280, RFC 6962 sections 3.1 and 3.3, that a renewal treats on their own.
var (
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidCRLPoints       = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidFreshestCRL     = asn1.ObjectIdentifier{2, 5, 29, 46}
	oidAuthorityInfo   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidSCTs            = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}
	oidPoison          = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}
)

// Renewal is the request that makes old's successor, from old alone: the same subject byte for byte,
// the same names, usages, limits and other extensions, a lifetime as long as old's, and a new key of
// the same type unless the caller sets Key or PublicKey. A successor with old's key keeps its key
// identifier too, so what a CA signed before still verifies below it. NotAfter, Clamp and KeyType may be
// set as well; the rest is old's.
//
// Issue holds the request against its rules as any other. From old are left out: the logs' time stamps
// (SCTs), which are of old alone, and under another issuer what names the places of old's issuer. What keyward cannot
// judge, and so does not sign again, is fault.Policy: critical extensions that it does not know, names
// of other kinds than Request.SANs has, a leaf with the usages of a CA, a precertificate.
func Renewal(old *x509.Certificate) (Request, error) {
	if err := renewable(old); err != nil {
		return Request{}, err
	}
	req := Request{
		Role: RoleOf(old), Profile: profileOf(old), Organization: strings.Join(old.Subject.Organization, ", "),
		KeyType: KeyType(keyTypeOf(old.PublicKey)), like: old,
	}
	for _, name := range sanList(old) {
		req.SANs = append(req.SANs, name.value)
	}
	if limit, limited := pathLen(old); limited {
		req.PathLen = &limit
	}
	req.PermitDNS = old.PermittedDNSDomains
	for _, network := range old.PermittedIPRanges {
		req.PermitIP = append(req.PermitIP, network.String())
	}
	return req, nil
}

// renewable refuses what cannot be signed again without knowing what it means.
func renewable(old *x509.Certificate) error {
	const hint = "make a new one with gen-leaf-cert or the like"
	isCA := old.BasicConstraintsValid && old.IsCA
	switch {
	case hasExtension(old, oidPoison):
		return fault.New(fault.Policy, "renew the certificate that followed it", "%s is a precertificate", label(old))
	case len(old.UnhandledCriticalExtensions) > 0:
		return fault.New(fault.Policy, hint, "%s has a critical extension that keyward does not know: %v", label(old), old.UnhandledCriticalExtensions)
	case !isCA && old.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0:
		return fault.New(fault.Policy, hint, "%s has the key usage of a CA and is none", label(old))
	case isCA && old.KeyUsage != 0 && old.KeyUsage&x509.KeyUsageCertSign == 0:
		return fault.New(fault.Policy, hint, "%s is a CA whose key usage lacks keyCertSign", label(old))
	case isCA && len(sanList(old)) > 0:
		return fault.New(fault.Policy, hint, "%s is a CA with names of its own, which keyward does not make", label(old))
	case !knownForms(extension(old, oidSubjectAltName), false), !knownForms(extension(old, oidNameConstraints), true):
		return fault.New(fault.Policy, hint, "%s has names of a kind that keyward cannot check", label(old))
	}
	return nil
}

// profileOf is the profile that comes nearest to a certificate: exactly so for Micronets.
func profileOf(cert *x509.Certificate) Profile {
	switch {
	case isMicronets(cert):
		return Micronets
	case slices.Equal(cert.ExtKeyUsage, Server.extKeyUsage()) && len(sanList(cert)) > 0:
		return Server
	case slices.Equal(cert.ExtKeyUsage, Client.extKeyUsage()):
		return Client
	}
	return Peer
}

func isMicronets(cert *x509.Certificate) bool {
	if keyTypeOf(cert.PublicKey) != string(P256) || len(cert.Subject.Names) != 1 || len(cert.Subject.Organization) != 1 {
		return false
	}
	want, err := micronetsExtensions(RoleOf(cert), cert.SubjectKeyId, cert.AuthorityKeyId)
	return err == nil && slices.EqualFunc(want, cert.Extensions, func(a, b pkix.Extension) bool {
		return a.Id.Equal(b.Id) && a.Critical == b.Critical && bytes.Equal(a.Value, b.Value)
	})
}

func extension(cert *x509.Certificate, id asn1.ObjectIdentifier) []byte {
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(id) {
			return ext.Value
		}
	}
	return nil
}

func hasExtension(cert *x509.Certificate, id asn1.ObjectIdentifier) bool {
	return extension(cert, id) != nil
}

// knownForms tells whether a list of names, or with subtrees the two lists of name constraints, has
// only the forms that crypto/x509 reads. It passes over the others, so they would get lost.
func knownForms(value cryptobyte.String, subtrees bool) bool {
	if value == nil {
		return true
	}
	var list cryptobyte.String
	if !value.ReadASN1(&list, der.SEQUENCE) {
		return false
	}
	if !subtrees {
		return knownNames(list)
	}
	for !list.Empty() {
		var trees, tree cryptobyte.String
		var tag der.Tag
		if !list.ReadAnyASN1(&trees, &tag) {
			return false
		}
		for !trees.Empty() {
			if !trees.ReadASN1(&tree, der.SEQUENCE) || !knownNames(tree) {
				return false
			}
		}
	}
	return true
}

func knownNames(list cryptobyte.String) bool {
	for !list.Empty() {
		var name cryptobyte.String
		var tag der.Tag
		if !list.ReadAnyASN1(&name, &tag) || nameForms[tag&^der.Tag(0).ContextSpecific()] == "" {
			return false
		}
	}
	return true
}

// Signed tells whether cert is signed by this CA's key under its name.
func (ca *Issuer) Signed(cert *x509.Certificate) bool { return signed(ca.Chain[0], cert) }

// lifetimeOf is how long a certificate is valid in all, 292 years at most.
func lifetimeOf(cert *x509.Certificate) time.Duration { return cert.NotAfter.Sub(cert.NotBefore) }

// successorEnd is when a successor that starts then has lived as long as old, or old's end where that is later: an old
// one that was not backdated ends later than its like would.
func successorEnd(start time.Time, old *x509.Certificate) time.Time {
	end := start.Add(lifetimeOf(old)).Truncate(time.Second)
	if end.Before(old.NotAfter) {
		return old.NotAfter
	}
	return end
}

// extKeyUsage is what the certificate is for: those that crypto/x509 knows by name, and the others.
func (w wanted) extKeyUsage() ([]x509.ExtKeyUsage, []asn1.ObjectIdentifier) {
	if w.like == nil {
		return w.Profile.extKeyUsage(), nil
	}
	return w.like.ExtKeyUsage, w.like.UnknownExtKeyUsage
}

// rawSubject is nil where the subject is the organization.
func (w wanted) rawSubject() []byte {
	if w.like == nil {
		return nil
	}
	return w.like.RawSubject
}

// keyID names the certificate's key, as the old one did if the key is the same.
func (w wanted) keyID(pub crypto.PublicKey) ([]byte, error) {
	if w.like != nil && len(w.like.SubjectKeyId) > 0 && equalKeys(w.like.PublicKey, pub) {
		return w.like.SubjectKeyId, nil
	}
	return keyID(pub)
}

// resemble fills a template with what the certificate to be renewed has.
func (w wanted) resemble(template *x509.Certificate, pub crypto.PublicKey, issuer *Issuer) {
	old := w.like
	template.BasicConstraintsValid = old.BasicConstraintsValid
	template.KeyUsage = keyUsageFor(pub, old)
	template.ExtKeyUsage, template.UnknownExtKeyUsage = old.ExtKeyUsage, old.UnknownExtKeyUsage
	if w.Role == Leaf && !hasExtension(old, oidSubjectKeyID) {
		template.SubjectKeyId = nil
	}
	if w.Role == Root && hasExtension(old, oidAuthorityKeyID) {
		template.AuthorityKeyId = template.SubjectKeyId
	}
	template.PermittedDNSDomains, template.PermittedIPRanges = old.PermittedDNSDomains, old.PermittedIPRanges // ".a.test" is not "a.test"
	template.PermittedEmailAddresses, template.ExcludedEmailAddresses = old.PermittedEmailAddresses, old.ExcludedEmailAddresses
	template.PermittedURIDomains, template.ExcludedURIDomains = old.PermittedURIDomains, old.ExcludedURIDomains
	template.ExcludedDNSDomains, template.ExcludedIPRanges = old.ExcludedDNSDomains, old.ExcludedIPRanges
	template.PermittedDNSDomainsCritical = constrained(template)
	for _, ext := range old.Extensions {
		if !w.setsItself(ext.Id) && !(isPlace(ext.Id) && movesAway(old, issuer)) {
			template.ExtraExtensions = append(template.ExtraExtensions, ext)
		}
	}
}

// setsItself tells whether an extension follows from the key, the issuer or the request, or goes out of date.
func (w wanted) setsItself(id asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc([]asn1.ObjectIdentifier{
		oidSubjectKeyID, oidAuthorityKeyID, oidBasicConstraints, oidKeyUsage, oidSubjectAltName, oidNameConstraints, oidSCTs,
	}, id.Equal)
}

// isPlace tells whether an extension says where its issuer keeps its certificate, its CRLs and its OCSP server.
func isPlace(id asn1.ObjectIdentifier) bool {
	return id.Equal(oidAuthorityInfo) || id.Equal(oidCRLPoints) || id.Equal(oidFreshestCRL)
}

func movesAway(old *x509.Certificate, issuer *Issuer) bool {
	return issuer != nil && !issuer.Signed(old)
}

// keyUsageFor is the old key usage. Only RSA keys encipher keys and data (RFC 8813 section 3), so a new
// key of another algorithm signs instead.
func keyUsageFor(pub crypto.PublicKey, old *x509.Certificate) x509.KeyUsage {
	usage := old.KeyUsage
	_, was := old.PublicKey.(*rsa.PublicKey)
	if _, is := pub.(*rsa.PublicKey); is || !was || usage == 0 {
		return usage
	}
	usage &^= x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment
	return usage | x509.KeyUsageDigitalSignature
}

// renewalNotes tell what the successor does not have of the old one, or breaks.
func (w wanted) renewalNotes(issuer *Issuer) []string {
	if w.like == nil {
		return nil
	}
	var notes []string
	if hasExtension(w.like, oidSCTs) {
		notes = append(notes, "the time stamps of certificate transparency logs (SCTs) are left out: they were of the old certificate")
	}
	if movesAway(w.like, issuer) && slices.ContainsFunc(w.like.Extensions, func(ext pkix.Extension) bool { return isPlace(ext.Id) }) {
		notes = append(notes, "where to find the old issuer's certificate and CRLs is left out: the issuer is another one")
	}
	if w.Role != Leaf && namesIssuerSerial(w.like) {
		notes = append(notes, fmt.Sprintf("certificates below it that name its serial number %s, as easy-rsa makes them, have to be renewed too: OpenSSL refuses them below the new one", serialHex(w.like)))
	}
	return notes
}

// namesIssuerSerial tells whether the authority key identifier has its issuer's serial number (RFC 5280 section 4.2.1.1).
func namesIssuerSerial(cert *x509.Certificate) bool {
	value := cryptobyte.String(extension(cert, oidAuthorityKeyID))
	var list cryptobyte.String
	if !value.ReadASN1(&list, der.SEQUENCE) {
		return false
	}
	const serial = der.Tag(2)
	for !list.Empty() {
		var part cryptobyte.String
		var tag der.Tag
		if !list.ReadAnyASN1(&part, &tag) {
			return false
		}
		if tag == serial.ContextSpecific() {
			return true
		}
	}
	return false
}
