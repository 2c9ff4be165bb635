package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
)

const cryptoSHA1 = crypto.SHA1

var (
	p192    = sequence(sequence(marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}), marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 1})), marshal(asn1.BitString{Bytes: append([]byte{4}, make([]byte, 48)...), BitLength: 392}))
	dsaSPKI = sequence(sequence(marshal(asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}), sequence(marshal(7), marshal(3), marshal(2))), marshal(asn1.BitString{Bytes: marshal(big.NewInt(4)), BitLength: 24}))
)

func p224(t *testing.T) *ecdsa.PublicKey {
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func cnRDN(commonName string) pkix.RelativeDistinguishedNameSET {
	return pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: commonName}}
}

// akiWith is an authority key identifier with more than it may have.
func akiWith(issuer, serial bool) change {
	return func(s *spec) {
		value := append([]byte{0x80, 20}, keyID(s.spki)...)
		if issuer {
			value = append(value, marshal(asn1.RawValue{Class: 2, Tag: 1, IsCompound: true, Bytes: general("dn:myCN")})...)
		}
		if serial {
			value = append(value, 0x82, 2, 4, 0xd2)
		}
		with(extension(35, false, sequence(value)))(s)
	}
}

// again is another certificate for the same name and key, from another issuer.
func again(t *testing.T, m, parent *made, changes ...change) *made {
	other := ca(t, parent, append([]change{subject(m.subject), holds(m.spki)}, changes...)...)
	other.key = m.key
	return other
}

// cycle is two CAs that sign each other, and no root above them.
func cycle(first, second string) func(*testing.T) graph {
	return func(t *testing.T) graph {
		one, two := root(t, named(name(first))), root(t, named(name(second)))
		a, b := again(t, one, two), again(t, two, one)
		return graph{leaf: leaf(t, a), inter: []*made{a, b}, roots: []*made{root(t)}}
	}
}

func forbidsAlternate(t *testing.T) graph {
	discarded, trusted := root(t, named(name("Discarded"))), root(t)
	a := ca(t, trusted, with(constraints([]string{"permitted.example.com"}, []string{"forbidden.example.com"})))
	b1 := ca(t, discarded, cn("an-intermediate"), with(alternative("forbidden.example.com")))
	b2 := again(t, b1, a)
	return graph{leaf: leaf(t, b1, san("permitted.example.com")...), inter: []*made{a, b1, b2}, roots: []*made{trusted}}
}

func forbidsSame(t *testing.T) graph {
	one, two := root(t), root(t, named(name("Other Root")))
	a := ca(t, one, exclude("forbidden.example.com")...)
	b1 := ca(t, a, cn("an-intermediate"), with(alternative("forbidden.example.com")))
	b2 := again(t, b1, two, with(alternative("unconstrained-ica.example.com")))
	return graph{leaf: leaf(t, b1, san("unconstrained.example.com")...), inter: []*made{a, b1, b2}, roots: []*made{one, two}}
}

// crossSigned is three CAs that sign one another, of which one is a root too.
func crossSigned(t *testing.T) graph {
	a, b, c := root(t, named(name("Root A"))), root(t, named(name("Root B"))), root(t, named(name("Root C")))
	g := graph{roots: []*made{a}}
	a1 := ca(t, a)
	g.inter = append(g.inter, a1)
	all := []*made{a, b, c}
	for _, of := range all {
		for _, by := range all {
			if of != by {
				g.inter = append(g.inter, again(t, of, by))
			}
		}
	}
	g.leaf = leaf(t, a1, subject(emptyDER), with(critical(alternative("cve.example.com"), true)))
	return g
}
