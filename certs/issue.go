package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"time"

	"github.com/cloudflare/cfssl/helpers"

	"keyward/fault"
)

// Issued is a new certificate and its key.
type Issued struct {
	Cert  *x509.Certificate
	Chain []*x509.Certificate // its issuers, the nearest first, as far as they are known
	Key   crypto.Signer       // nil where the request had only its public half
	Notes []string            // what the caller should tell people: sentences without a full stop

	sec1 bool
}

// Issuer makes the new certificate the issuer of others.
func (i *Issued) Issuer() *Issuer {
	return &Issuer{Chain: append([]*x509.Certificate{i.Cert}, i.Chain...), Key: i.Key}
}

// backdate is how far back a certificate starts, for verifiers whose clock is slow.
const backdate = 5 * time.Minute

func (r Request) start(now time.Time) time.Time {
	if r.StartNow {
		return now
	}
	return now.Add(-backdate)
}

// Issue makes a key and a certificate for it, signed by issuer, or by itself where issuer is nil,
// as it has to be for a root. It starts 5 minutes back, or now, but not before its issuers; its serial
// number is 159 random bits. What a verifier would refuse is not made: that is fault.Policy, and
// the error says which limit it is. A request that lacks something or contradicts itself is
// fault.Usage.
func Issue(req Request, issuer *Issuer, now time.Time) (*Issued, error) {
	if (req.Role == Root) != (issuer == nil) {
		return nil, fault.New(fault.Usage, "give a CA for an intermediate or a leaf, and none for a root", "a %v with the wrong kind of issuer", req.Role)
	}
	w, err := req.check(now)
	if err != nil {
		return nil, err
	}
	life := lifetime{start: req.start(now), end: w.NotAfter}
	if issuer != nil {
		if err := issuer.check(w, now); err != nil {
			return nil, err
		}
		if life, err = issuer.fit(life, w); err != nil {
			return nil, err
		}
	}
	key, pub, err := w.key()
	if err != nil {
		return nil, err
	}
	if err := issuer.checkKey(pub); err != nil {
		return nil, err
	}
	template, err := w.template(pub, issuer)
	if err != nil {
		return nil, err
	}
	template.NotBefore, template.NotAfter = life.start, life.end
	issued, err := sign(template, pub, key, issuer)
	if err != nil {
		return nil, err
	}
	issued.Notes = slices.Concat(w.notes(issued.Cert), w.renewalNotes(issuer), life.notes)
	issued.sec1 = w.Profile == Micronets
	return issued, nil
}

// key is the certificate's key, or no more than its public half.
func (w wanted) key() (crypto.Signer, crypto.PublicKey, error) {
	switch {
	case w.PublicKey != nil:
		return nil, w.PublicKey, nil
	case w.Key != nil:
		return w.Key, w.Key.Public(), nil
	}
	key, err := w.KeyType.generate()
	if err != nil {
		return nil, nil, err
	}
	return key, key.Public(), nil
}

// checkKey refuses a CA's own key below it: whoever has the new certificate would be the CA. No
// issuer has nothing against any.
func (ca *Issuer) checkKey(pub crypto.PublicKey) error {
	if ca == nil {
		return nil
	}
	for _, cert := range ca.Chain {
		if equalKeys(cert.PublicKey, pub) {
			return fault.New(fault.Policy, "use a key of its own for each certificate", "the key is that of the CA %s", label(cert))
		}
	}
	return nil
}

func (w wanted) notes(cert *x509.Certificate) []string {
	switch {
	case w.like != nil:
		return nil // it was as it is
	case w.Role == Leaf && w.Profile == Peer && w.names.count() == 0:
		return []string{"it has no name, so nobody can check it by name: give it one with --san"}
	case len(w.limits.dns) > 0 && len(cert.PermittedIPRanges) == 0:
		return []string{"IP addresses below it are not limited: --permit-ip limits them"}
	case len(w.limits.ips) > 0 && len(cert.PermittedDNSDomains) == 0:
		return []string{"DNS names below it are not limited: --permit-dns limits them"}
	}
	return nil
}

func (w wanted) template(pub crypto.PublicKey, issuer *Issuer) (*x509.Certificate, error) {
	own, err := w.keyID(pub)
	if err != nil {
		return nil, err
	}
	issuerID := own
	if issuer != nil {
		if issuerID, err = issuer.keyID(); err != nil {
			return nil, err
		}
	}
	template := &x509.Certificate{Subject: pkix.Name{Organization: []string{w.Organization}}, RawSubject: w.rawSubject()}
	if w.Profile == Micronets {
		template.ExtraExtensions, err = micronetsExtensions(w.Role, own, issuerID)
		return template, err
	}
	template.SubjectKeyId = own
	template.BasicConstraintsValid = true
	template.MaxPathLen = -1
	if issuer != nil {
		template.AuthorityKeyId = issuerID
	}
	if w.Role == Leaf {
		w.fillLeaf(template)
	} else {
		w.fillCA(template)
	}
	if w.like != nil {
		w.resemble(template, pub, issuer)
	}
	if w.Role == Intermediate {
		issuer.inherit(template)
	}
	return template, nil
}

// fillLeaf leaves keyEncipherment out: RFC 8813 forbids it for EC keys, and RSA keys need it only
// for the key exchange without forward secrecy that TLS 1.3 dropped.
func (w wanted) fillLeaf(template *x509.Certificate) {
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = w.Profile.extKeyUsage()
	template.DNSNames = w.names.dns
	template.IPAddresses = w.names.ips
	template.EmailAddresses = w.names.emails
	template.URIs = w.names.uris
}

func (w wanted) fillCA(template *x509.Certificate) {
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	if w.PathLen != nil {
		template.MaxPathLen, template.MaxPathLenZero = *w.PathLen, *w.PathLen == 0
	}
	template.PermittedDNSDomains = w.limits.dns
	template.PermittedIPRanges = w.limits.ips
	template.PermittedDNSDomainsCritical = !w.limits.none()
}

// keyID is what the CA's certificates call its key, or what they would if they named it.
func (ca *Issuer) keyID() ([]byte, error) {
	if id := ca.Chain[0].SubjectKeyId; len(id) > 0 {
		return id, nil
	}
	return keyID(ca.Key.Public())
}

// sign leaves the serial number to crypto/x509: 159 random bits. It also checks each signature it makes.
func sign(template *x509.Certificate, pub crypto.PublicKey, key crypto.Signer, issuer *Issuer) (*Issued, error) {
	parent, signer, chain := template, key, []*x509.Certificate(nil)
	if issuer != nil {
		parent, signer, chain = issuer.Chain[0], issuer.Key, issuer.Chain
	}
	template.SignatureAlgorithm = helpers.SignerAlgo(signer)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, signer)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "sign the certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fault.New(fault.Failed, "", "read the new certificate: %w", err)
	}
	return &Issued{Cert: cert, Chain: chain, Key: key}, nil
}
