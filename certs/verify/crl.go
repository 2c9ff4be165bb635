package verify

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"keyward/fault"
	"keyward/internal/secretfile"
)

// maxCRL is how many bytes of a file of CRLs are read: some 400,000 revoked certificates.
const maxCRL = 16 << 20

// CRL is a certificate revocation list (RFC 5280 section 5), ready to be asked.
type CRL struct {
	list    *x509.RevocationList
	entries map[string]*x509.RevocationListEntry // by serial number
	unfit   string                               // why it cannot be used; "" where it can
	twice   bool                                 // a serial number is listed twice
}

// List is the CRL as crypto/x509 has it.
func (crl *CRL) List() *x509.RevocationList { return crl.list }

// ReadCRLs reads a file of at most 16 MiB with CRLs: any number in PEM, or one in DER. What does not parse
// is fault.InvalidFile; nothing of such a file is used.
func ReadCRLs(file string) ([]*CRL, error) {
	data, _, err := secretfile.Read(file, maxCRL)
	if err != nil {
		return nil, err
	}
	list, err := ParseCRLs(data)
	if err != nil {
		return nil, fault.New(fault.KindOf(err), fault.HintOf(err), "%s: %w", file, err)
	}
	return list, nil
}

// ParseCRLs is ReadCRLs of data.
func ParseCRLs(data []byte) ([]*CRL, error) {
	const hint = "name a file with CRLs in PEM, or one in DER"
	if !bytes.Contains(data, []byte("-----BEGIN ")) {
		crl, err := parseCRL(data)
		if err != nil {
			return nil, fault.New(fault.InvalidFile, hint, "not a CRL: %w", err)
		}
		return []*CRL{crl}, nil
	}
	var list []*CRL
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			continue
		}
		crl, err := parseCRL(block.Bytes)
		if err != nil {
			return nil, fault.New(fault.InvalidFile, hint, "a CRL does not parse: %w", err)
		}
		list = append(list, crl)
	}
	if begun := bytes.Count(data, []byte("-----BEGIN X509 CRL-----")); begun != len(list) {
		return nil, fault.New(fault.InvalidFile, "copy the file again: a block is cut off or damaged", "%d of %d CRLs are not sound PEM", begun-len(list), begun)
	}
	if len(list) == 0 {
		return nil, fault.New(fault.InvalidFile, hint, "no CRL")
	}
	return list, nil
}

func parseCRL(der []byte) (*CRL, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	if len(list.Raw) != len(der) {
		return nil, fmt.Errorf("%d bytes follow it", len(der)-len(list.Raw))
	}
	crl := &CRL{list: list, entries: map[string]*x509.RevocationListEntry{}, unfit: unfit(list)}
	for i := range list.RevokedCertificateEntries {
		entry := &list.RevokedCertificateEntries[i]
		crl.twice = crl.twice || crl.entries[key(entry.SerialNumber)] != nil
		crl.entries[key(entry.SerialNumber)] = entry
	}
	return crl, nil
}

func key(serial *big.Int) string { return serial.Text(62) }

var (
	idReasonCode       = asn1.ObjectIdentifier{2, 5, 29, 21}
	idDeltaCRL         = asn1.ObjectIdentifier{2, 5, 29, 27}
	idDistributionPart = asn1.ObjectIdentifier{2, 5, 29, 28}
	idCRLNumber        = asn1.ObjectIdentifier{2, 5, 29, 20}
)

// unfit says why a CRL is not one for all certificates of its issuer; "" where it is.
func unfit(list *x509.RevocationList) string {
	seen := map[string]bool{}
	for _, ext := range list.Extensions {
		switch id := ext.Id.String(); {
		case seen[id]:
			return "it has the extension " + id + " twice"
		case ext.Id.Equal(idDeltaCRL):
			return "it is a delta CRL, which has the changes alone"
		case ext.Id.Equal(idDistributionPart):
			return "it has an issuing distribution point: it is for some of its issuer's certificates alone, or for those of others"
		case ext.Critical && !ext.Id.Equal(idCRLNumber):
			return "its critical extension " + id + " is not known"
		default:
			seen[id] = true
		}
	}
	for _, entry := range list.RevokedCertificateEntries {
		for _, ext := range entry.Extensions {
			if ext.Critical && !ext.Id.Equal(idReasonCode) {
				return "an entry of it has the critical extension " + ext.Id.String() + ", which is not known"
			}
		}
	}
	if list.NextUpdate.IsZero() {
		return "it does not say when the next one comes" // RFC 5280 section 5.1.2.5: it must
	}
	return ""
}

// unlawful is a rule that --strict holds and the CRL breaks.
func (crl *CRL) unlawful() string {
	number := slices.IndexFunc(crl.list.Extensions, func(ext pkix.Extension) bool { return ext.Id.Equal(idCRLNumber) })
	switch {
	case number < 0:
		return "it has no number (RFC 5280 5.2.3)"
	case crl.list.Extensions[number].Critical:
		return "its number is critical (RFC 5280 5.2.3)"
	case len(crl.list.AuthorityKeyId) == 0:
		return "it has no authority key identifier (RFC 5280 5.2.1)"
	case crl.twice:
		// No section forbids it yet, x509-limbo does: github.com/cabforum/servercert/issues/589.
		return "it lists a serial number twice, and verifiers differ on which entry counts"
	}
	return ""
}

// crls are the CRLs of a Verifier. Whether an issuer signed one is found out once.
type crls struct {
	byIssuer map[string][]*CRL // by the issuer's name in DER
	strict   bool

	mu     sync.Mutex
	signed map[signing]error
}

type signing struct {
	crl    *CRL
	issuer string // the issuer's certificate in DER
}

func newCRLs(list []*CRL, strict bool) *crls {
	c := &crls{strict: strict, byIssuer: map[string][]*CRL{}, signed: map[signing]error{}}
	for _, crl := range list {
		c.byIssuer[string(crl.list.RawIssuer)] = append(c.byIssuer[string(crl.list.RawIssuer)], crl)
	}
	return c
}

// check asks for each certificate of a chain whether its issuer revoked it. The first must be covered by
// a CRL, with all each but the root, which nobody can revoke.
func (c *crls) check(chain []*x509.Certificate, at time.Time, all bool) *Error {
	for depth := range len(chain) - 1 {
		list := c.byIssuer[string(chain[depth].RawIssuer)]
		if len(list) == 0 && (all || depth == 0) {
			return failure(CRLMissing, chain, depth, "there is no CRL of its issuer %s", NameOf(chain[depth+1]))
		}
		if e := c.ask(list, chain, depth, at); e != nil {
			return e
		}
	}
	return nil
}

// ask looks for the certificate in its issuer's CRLs. One that lists it counts, however old or partial; else one
// must be usable now.
func (c *crls) ask(list []*CRL, chain []*x509.Certificate, depth int, at time.Time) *Error {
	var first *Error
	usable := len(list) == 0
	for _, crl := range list {
		e := c.unsigned(crl, chain, depth)
		if e == nil {
			e = c.unusable(crl, chain, depth, at)
			entry := crl.entries[key(chain[depth].SerialNumber)]
			switch {
			case entry == nil:
			case e != nil && e.Reason == CRLInvalid:
				return e // what it says of the certificate is not known, and is not good
			default:
				return failure(Revoked, chain, depth, "%s revoked it on %s: %s", NameOf(chain[depth+1]), stamp(entry.RevocationTime), because(entry.ReasonCode))
			}
		}
		usable = usable || e == nil
		if first == nil {
			first = e
		}
	}
	if usable {
		return nil
	}
	return first
}

func (c *crls) unsigned(crl *CRL, chain []*x509.Certificate, depth int) *Error {
	issuer := chain[depth+1]
	err := c.signedBy(crl, issuer)
	if err == nil {
		return nil
	}
	why := "its key did not make the signature"
	if issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		why = "its key usage does not let it"
	}
	e := failure(CRLInvalid, chain, depth, "the CRL is not signed by its issuer %s: %s", NameOf(issuer), why)
	e.Err = err
	return e
}

func (c *crls) unusable(crl *CRL, chain []*x509.Certificate, depth int, at time.Time) *Error {
	issuer := NameOf(chain[depth+1])
	unfit := crl.unfit
	if unfit == "" && c.strict {
		unfit = crl.unlawful()
	}
	switch {
	case unfit != "":
		return failure(CRLInvalid, chain, depth, "the CRL of %s cannot be used: %s", issuer, unfit)
	case at.Before(crl.list.ThisUpdate):
		return failure(CRLStale, chain, depth, "the CRL of %s is not valid before %s", issuer, stamp(crl.list.ThisUpdate))
	case at.After(crl.list.NextUpdate):
		return failure(CRLStale, chain, depth, "the CRL of %s is too old: the next one was due on %s", issuer, stamp(crl.list.NextUpdate))
	}
	return nil
}

func (c *crls) signedBy(crl *CRL, issuer *x509.Certificate) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	which := signing{crl, string(issuer.Raw)}
	err, known := c.signed[which]
	if !known {
		err = crl.list.CheckSignatureFrom(issuer)
		c.signed[which] = err
	}
	return err
}

// because is a CRLReason (RFC 5280 section 5.3.1) in words.
func because(reason int) string {
	words := [...]string{
		"no reason given", "key compromised", "CA compromised", "affiliation changed", "superseded", "cessation of operation", "on hold", "",
		"removed from the CRL, which only a delta CRL may say", "privilege withdrawn", "attribute authority compromised",
	}
	if reason >= 0 && reason < len(words) && words[reason] != "" {
		return words[reason]
	}
	return fmt.Sprintf("reason %d", reason)
}
