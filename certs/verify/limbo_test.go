package verify_test

import (
	"cmp"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"keyward/certs/verify"
)

// graph is what a case verifies.
type graph struct {
	leaf         *made
	inter, roots []*made
}

// limbo is a case of x509-limbo (C2SP), made again: its certificates are ours, sound but for the one fault that it
// is about. limbo's own are verified for TLS servers and the name example.com, and so are these where they say nothing else.
type limbo struct {
	id    string
	make  func(t *testing.T) graph
	why   string // what the error must say; "" for a valid chain
	name  string // "-" for none
	use   verify.Purpose
	at    time.Time
	ours  string // why our answer is another than limbo's; "" where it is not
	basic bool   // without --strict
}

// pair is root -> leaf.
func pair(rootChanges, leafChanges []change) func(*testing.T) graph {
	return func(t *testing.T) graph {
		r := root(t, rootChanges...)
		return graph{leaf: leaf(t, r, leafChanges...), roots: []*made{r}}
	}
}

// trio is root -> ca -> leaf.
func trio(rootChanges, caChanges, leafChanges []change) func(*testing.T) graph {
	return func(t *testing.T) graph {
		r := root(t, rootChanges...)
		c := ca(t, r, caChanges...)
		return graph{leaf: leaf(t, c, leafChanges...), inter: []*made{c}, roots: []*made{r}}
	}
}

// row is root -> ca, ca, ... -> leaf.
func row(leafChanges []change, cas ...[]change) func(*testing.T) graph {
	return func(t *testing.T) graph {
		r := root(t)
		g := graph{roots: []*made{r}}
		above := r
		for _, changes := range cas {
			above = ca(t, above, changes...)
			g.inter = append(g.inter, above)
		}
		g.leaf = leaf(t, above, leafChanges...)
		return g
	}
}

// list is short for the changes of one certificate.
func list(changes ...change) []change { return changes }

func pathLen(n int) []change { return list(with(basic(true, n))) }

func san(names ...string) []change {
	first := names[0]
	return list(with(alternative(names...)), func(s *spec) {
		if !strings.Contains(first, ":") {
			s.subject = name(first)
		} else {
			s.subject = marshal(pkix.Name{Organization: []string{"Forged"}}.ToRDNSequence())
		}
	})
}

func cn(commonName string) change { return subject(name(commonName)) }

func permit(names ...string) []change  { return list(with(constraints(names, nil))) }
func exclude(names ...string) []change { return list(with(constraints(nil, names))) }

var (
	private       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 55738, 666, 1}
	unknown       = list(with(pkix.Extension{Id: private, Critical: true, Value: []byte{5, 0}}))
	aia           = pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}, Value: sequence(sequence(marshal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}), general("example.com")))}
	precert       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 4}
	eku           = func(arc int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, arc} }
	noUsage       = extension(15, true, marshal(asn1.BitString{Bytes: []byte{0}, BitLength: 1}))
	selfIssuedGo  = "crypto/x509 does not make an exception for self-issued certificates: stricter"
	directoryGo   = "crypto/x509 does not process directoryName constraints and refuses what has critical ones: stricter"
	otherNameGo   = "crypto/x509 refuses critical constraints of a kind it does not know, even where no name is of that kind: stricter"
	longAgo       = lives("160101000000Z", "200101000000Z")
	tooLongSerial = func(s *spec) { s.serial = new(big.Int).Lsh(big.NewInt(3), 170) }
	april         = lives("240301000000Z", "240401000000Z")
)

func day(s string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return at
}

func limboCases() []limbo {
	key := func(ext pkix.Extension) []change { return list(with(ext)) }
	return []limbo{
		// rfc5280
		{id: "rfc5280::ee-empty-issuer", make: func(t *testing.T) graph {
			r := root(t)
			return graph{leaf: leaf(t, r, func(s *spec) { s.issuer = emptyDER }), roots: []*made{r}}
		}, why: "its issuer without a name is not here"},
		{id: "rfc5280::ca-empty-subject", make: pair(list(named(emptyDER)), nil), why: "RFC 5280 4.1.2.4"},
		{id: "rfc5280::unknown-critical-extension-ee", make: pair(nil, unknown), why: "critical extension 1.3.6.1.4.1.55738.666.1 is not known"},
		{id: "rfc5280::unknown-critical-extension-root", make: pair(unknown, nil), why: "Forged Root: its critical extension"},
		{id: "rfc5280::unknown-critical-extension-intermediate", make: trio(nil, unknown, nil), why: "its critical extension"},
		{id: "rfc5280::chain-untrusted-root", make: func(t *testing.T) graph {
			g := trio(nil, nil, nil)(t)
			g.inter, g.roots = append(g.inter, g.roots...), []*made{root(t, named(name("Unrelated")))}
			return g
		}, why: "Forged Root: it signed itself and is not among the roots"},
		{id: "rfc5280::intermediate-ca-without-ca-bit", make: trio(nil, key(basic(false, -1)), nil), why: "it is not a CA"},
		{id: "rfc5280::intermediate-ca-missing-basic-constraints", make: trio(nil, list(without(19)), nil), why: "it is not a CA"},
		{id: "rfc5280::root-missing-basic-constraints", make: pair(list(without(19)), nil), why: "Forged Root: it is not a CA"},
		{id: "rfc5280::root-non-critical-basic-constraints", make: pair(key(critical(basic(true, -1), false)), nil), why: "RFC 5280 4.2.1.9"},
		{id: "rfc5280::root-inconsistent-ca-extensions", make: pair(key(usage(x509.KeyUsageDigitalSignature)), nil), why: "its key usage does not let it sign certificates"},
		{id: "rfc5280::root-inconsistent-ca-extensions (no bit at all)", make: pair(key(noUsage), nil), why: "RFC 5280 4.2.1.3"},
		{id: "rfc5280::ica-ku-keycertsign", make: trio(nil, list(with(basic(true, 0)), with(noUsage)), nil), why: "RFC 5280 4.2.1.3"},
		{id: "rfc5280::leaf-ku-keycertsign", make: pair(nil, list(with(basic(false, -1)), with(usage(x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign)))), why: "RFC 5280 4.2.1.3"},
		{id: "rfc5280::ee-aia", make: pair(nil, key(aia))},
		{id: "rfc5280::ee-critical-aia-invalid", make: pair(nil, key(critical(aia, true))), why: "parse: "},
		{id: "rfc5280::duplicate-extensions", make: pair(nil, list(also(alternative("example.com")))), why: "parse: "},
		{id: "rfc5280::no-keyusage", make: pair(nil, list(without(15)))},
		{id: "rfc5280::no-basicconstraints", make: pair(nil, list(without(19)))},
		{id: "rfc5280::mismatching-signature-algorithm", make: pair(nil, list(func(s *spec) { s.outer = ecdsaSHA1 })), why: "parse: "},
		{id: "rfc5280::ca-as-leaf", basic: true, name: "ca.example.com", make: func(t *testing.T) graph {
			r := root(t)
			return graph{leaf: ca(t, r, with(alternative("ca.example.com"))), roots: []*made{r}}
		}},
		{id: "webpki::ca-as-leaf", name: "ca.example.com", make: func(t *testing.T) graph {
			r := root(t)
			return graph{leaf: ca(t, r, with(alternative("ca.example.com"))), roots: []*made{r}}
		}, why: "BR 7.1.2.7.8"},
		{id: "rfc5280::ca-as-leaf-wrong-san", basic: true, name: "some-other-ca.example.com", make: func(t *testing.T) graph {
			r := root(t)
			return graph{leaf: ca(t, r, with(alternative("ca.example.com"))), roots: []*made{r}}
		}, why: "it has ca.example.com"},
		{id: "rfc5280::root-and-intermediate-swapped", make: func(t *testing.T) graph {
			g := trio(nil, nil, nil)(t)
			g.inter, g.roots = g.roots, g.inter
			return g
		}},

		// rfc5280::aki, ski, serial, san, pc, eku
		{id: "rfc5280::aki::critical-aki", make: func(t *testing.T) graph {
			r := root(t, func(s *spec) { with(critical(authority(keyID(s.spki)), true))(s) })
			return graph{leaf: leaf(t, r), roots: []*made{r}}
		}, why: "parse: "},
		{id: "rfc5280::aki::leaf-missing-aki", make: pair(nil, list(without(35))), why: "RFC 5280 4.2.1.1"},
		{id: "rfc5280::aki::intermediate-missing-aki", make: trio(nil, list(without(35)), nil), why: "RFC 5280 4.2.1.1"},
		{id: "rfc5280::aki::self-signed-root-missing-aki", make: pair(list(without(35)), nil)},
		{id: "rfc5280::aki::cross-signed-root-missing-aki", make: func(t *testing.T) graph {
			r := ca(t, root(t), without(35))
			return graph{leaf: leaf(t, r), roots: []*made{r}}
		}, why: "RFC 5280 4.2.1.1"},
		{id: "rfc5280::ski::critical-ski", make: pair(key(critical(subjectID([]byte{1}), true)), nil), why: "parse: "},
		{id: "rfc5280::ski::root-missing-ski", make: pair(list(without(14)), nil), why: "RFC 5280 4.2.1.2"},
		{id: "rfc5280::ski::intermediate-missing-ski", make: trio(nil, list(without(14)), nil), why: "RFC 5280 4.2.1.2"},
		{id: "rfc5280::serial::number-too-long", make: pair(nil, list(tooLongSerial)), why: "RFC 5280 4.1.2.2"},
		{id: "rfc5280::serial::number-zero", make: pair(nil, list(func(s *spec) { s.serial = new(big.Int) })), why: "RFC 5280 4.1.2.2"},
		{id: "rfc5280::serial::number-negative", make: pair(nil, list(func(s *spec) { s.serial = big.NewInt(-5) })), why: "parse: "},
		{id: "rfc5280::san::malformed", make: pair(nil, key(extension(17, false, []byte("example.com")))), why: "parse: "},
		{id: "rfc5280::san::noncritical-with-empty-subject", make: pair(nil, list(subject(emptyDER))), why: "RFC 5280 4.2.1.6"},
		{id: "rfc5280::pc::ica-noncritical-pc", make: trio(nil, key(extension(36, false, sequence([]byte{0x80, 1, 3}))), nil), why: "RFC 5280 4.2.1.11"},
		{id: "rfc5280::eku::ee-wrong-eku", make: pair(nil, key(extended(clientAuth))), why: "its usage is TLS client, not TLS server"},
		{id: "rfc5280::eku::ee-without-eku", basic: true, make: pair(nil, list(without(37)))},

		// rfc5280::validity
		{id: "rfc5280::validity::expired-root", at: day("2022-01-01T00:00:00Z"), make: trio(list(longAgo), list(lives("160101000000Z", "260101000000Z")), list(lives("180101000000Z", "230101000000Z"))), why: "Forged Root: it expired on 2020-01-01"},
		{id: "rfc5280::validity::expired-intermediate", at: day("2022-01-01T00:00:00Z"), make: trio(list(lives("160101000000Z", "260101000000Z")), list(longAgo), list(lives("180101000000Z", "230101000000Z"))), why: ": it expired on 2020-01-01"},
		{id: "rfc5280::validity::expired-leaf", at: day("2022-01-01T00:00:00Z"), make: trio(list(lives("160101000000Z", "260101000000Z")), list(lives("160101000000Z", "260101000000Z")), list(lives("180101000000Z", "210101000000Z"))), why: "it expired on 2021-01-01"},
		{id: "rfc5280::validity::notbefore-exact", at: day("2024-03-01T00:00:00Z"), make: trio(list(april), list(april), list(april))},
		{id: "rfc5280::validity::notbefore-fractional", at: day("2024-02-29T23:59:59.999Z"), make: trio(list(april), list(april), list(april)), why: "it is not valid before 2024-03-01"},
		{id: "rfc5280::validity::notafter-exact", at: day("2024-04-01T00:00:00Z"), make: trio(list(april), list(april), list(april))},
		{id: "rfc5280::validity::notafter-fractional", at: day("2024-04-01T00:00:00.005Z"), make: trio(list(april), list(april), list(april))},

		// rfc5280::nc
		{id: "rfc5280::nc::permitted-dns-mismatch", name: "not-example.com", make: pair(permit("example.com"), san("not-example.com")), why: "the name constraints of Forged Root permit only example.com, and it has not-example.com"},
		{id: "rfc5280::nc::excluded-dns-match", make: trio(nil, exclude("example.com"), nil), why: "exclude example.com, and it has example.com"},
		{id: "rfc5280::nc::permitted-dns-match", make: pair(permit("example.com"), nil)},
		{id: "rfc5280::nc::permitted-dns-match-noncritical", make: pair(key(critical(constraints([]string{"example.com"}, nil), false)), nil), why: "RFC 5280 4.2.1.10"},
		{id: "webpki::nc::permitted-dns-match-noncritical", basic: true, make: pair(key(critical(constraints([]string{"example.com"}, nil), false)), nil)},
		{id: "rfc5280::nc::permitted-dns-match-more", name: "foo.bar.example.com", make: pair(permit("example.com"), san("foo.bar.example.com"))},
		{id: "rfc5280::nc::excluded-dns-match-second", make: pair(exclude("not-allowed.example.com"), san("example.com", "not-allowed.example.com")), why: "exclude not-allowed.example.com"},
		{id: "rfc5280::nc::permitted-ip-mismatch", name: "192.0.3.1", make: pair(permit("192.0.2.0/24"), san("192.0.3.1")), why: "permit only 192.0.2.0/24, and it has 192.0.3.1"},
		{id: "rfc5280::nc::excluded-ipv4-match", name: "192.0.2.1", make: pair(exclude("192.0.2.0/24"), san("192.0.2.1")), why: "exclude 192.0.2.0/24"},
		{id: "rfc5280::nc::excluded-ipv6-match", name: "::1", make: pair(exclude("::1/128"), san("::1")), why: "exclude ::1/128"},
		{id: "rfc5280::nc::permitted-ipv4-match", name: "192.0.2.1", make: pair(permit("192.0.2.0/24"), san("192.0.2.1"))},
		{id: "rfc5280::nc::permitted-ipv6-match", name: "::1", make: pair(permit("::1/128"), san("::1"))},
		{id: "rfc5280::nc::permitted-dn-mismatch", name: "-", make: pair(permit("dn:foo"), list(cn("not-foo"), with(alternative("dn:not-foo")))), why: "critical extension 2.5.29.30"},
		{id: "rfc5280::nc::excluded-dn-match", name: "-", make: pair(exclude("dn:foo"), list(cn("foo"), with(alternative("dn:foo")))), why: "critical extension 2.5.29.30"},
		{id: "rfc5280::nc::permitted-dn-match", name: "-", make: pair(permit("dn:foo"), list(cn("foo"), with(alternative("dn:foo")))), why: "critical extension 2.5.29.30", ours: directoryGo},
		{id: "rfc5280::nc::permitted-dn-match-subject-san-mismatch", name: "-", make: pair(permit("dn:foo"), list(cn("not-foo"), with(alternative("dn:foo")))), why: "critical extension 2.5.29.30"},
		{id: "rfc5280::nc::excluded-dn-match-sub-mismatch", name: "-", make: pair(exclude("dn:foo"), list(cn("foo"), with(alternative("dn:not-foo")))), why: "critical extension 2.5.29.30"},
		{id: "rfc5280::nc::permitted-self-issued", make: trio(list(named(name("not-example.com")), with(alternative("not-example.com")), with(constraints([]string{"example.com"}, nil))), list(cn("not-example.com"), with(alternative("not-example.com"))), nil), why: "permit only example.com", ours: selfIssuedGo},
		{id: "rfc5280::nc::excluded-self-issued-leaf", name: "not-example.com", make: trio(permit("example.com"), list(cn("not-example.com"), with(alternative("example.com"))), san("not-example.com")), why: "permit only example.com"},
		{id: "rfc5280::nc::excluded-match-permitted-and-excluded", make: pair(key(constraints([]string{"example.com"}, []string{"example.com"})), nil), why: "exclude example.com"},
		{id: "rfc5280::nc::permitted-different-constraint-type", make: pair(permit("192.0.2.0/24"), nil)},
		{id: "rfc5280::nc::excluded-different-constraint-type", make: pair(exclude("192.0.2.0/24"), nil)},
		{id: "rfc5280::nc::invalid-dnsname-wildcard", name: "foo.example.com", make: pair(permit("*.example.com"), san("foo.example.com")), why: "*.example.com"},
		{id: "rfc5280::nc::invalid-dnsname-leading-period", name: "foo.example.com", make: pair(permit(".example.com"), san("foo.example.com")), why: "RFC 5280 4.2.1.10"},
		{id: "rfc5280::nc::invalid-ipv4-address", name: "127.0.0.1", make: pair(permit("127.0.0.1"), san("127.0.0.1")), why: "parse: "},
		{id: "rfc5280::nc::invalid-ipv6-address", name: "::1", make: pair(permit("::1"), san("::1")), why: "parse: "},
		{id: "rfc5280::nc::invalid-email-address", name: "example@example.com", use: verify.Client, make: pair(permit("mail:invalid@invalid@example.com"), list(with(alternative("mail:example@example.com")), with(extended(clientAuth)))), why: "name constraints"},
		{id: "rfc5280::nc::not-allowed-in-ee-noncritical", make: pair(nil, key(critical(constraints([]string{"example.com"}, nil), false))), why: "RFC 5280 4.2.1.10"},
		{id: "rfc5280::nc::not-allowed-in-ee-critical", make: pair(nil, permit("example.com")), why: "RFC 5280 4.2.1.10"},
		{id: "rfc5280::nc::intermediate-with-san-rejected-by-intermediate-nc", name: "permitted.example.com", make: row(san("permitted.example.com"), key(constraints([]string{"permitted.example.com"}, []string{"forbidden.example.com"})), key(alternative("forbidden.example.com"))), why: "exclude forbidden.example.com"},
		{id: "rfc5280::nc::intermediate-with-san-rejected-by-root-nc", name: "permitted.example.com", make: func(t *testing.T) graph {
			r := root(t, with(constraints([]string{"permitted.example.com"}, []string{"forbidden.example.com"})))
			a := ca(t, r)
			b := ca(t, a, with(alternative("forbidden.example.com")))
			return graph{leaf: leaf(t, b, san("permitted.example.com")...), inter: []*made{a, b}, roots: []*made{r}}
		}, why: "exclude forbidden.example.com"},
		{id: "rfc5280::nc::restrictive-permits-in-intermediates-narrows", name: "foo.example.com", make: row(san("foo.example.com"), permit("foo.example.com", "bar.example.com"), permit("bar.example.com")), why: "permit only bar.example.com"},
		{id: "rfc5280::nc::restrictive-permits-in-intermediates-widens", name: "foo.example.com", make: row(san("foo.example.com"), permit("bar.example.com"), permit("foo.example.com", "bar.example.com")), why: "permit only bar.example.com"},
		{id: "rfc5280::nc::nc-permits-invalid-dns-san", name: "foo.example.com", make: trio(nil, permit("example.com"), list(cn("foo.example.com"), with(alternative("text:.example.com", "foo.example.com")))), why: ".example.com"},
		{id: "rfc5280::nc::nc-permits-invalid-ip-san", name: "192.0.2.1", make: trio(nil, permit("192.0.2.0/24"), san("192.0.2.0/24", "192.0.2.1")), why: "parse: "},
		{id: "rfc5280::nc::nc-permits-invalid-email-san", name: "good@example.com", use: verify.Client, make: trio(nil, permit("mail:example.com"), list(with(alternative("mail:good@example.com", "mail:invalid@address@example.com")), with(extended(clientAuth)))), why: "name constraints"},
		{id: "rfc5280::nc::nc-forbids-alternate-chain-ica", name: "permitted.example.com", make: forbidsAlternate},
		{id: "rfc5280::nc::nc-forbids-same-chain-ica", name: "unconstrained.example.com", make: forbidsSame},
		{id: "rfc5280::nc::nc-permits-email-exact", name: "foo@example.com", use: verify.Client, make: trio(nil, permit("mail:foo@example.com"), list(with(alternative("mail:foo@example.com")), with(extended(clientAuth))))},
		{id: "rfc5280::nc::nc-permits-email-domain", name: "foo@example.com", use: verify.Client, make: trio(nil, permit("mail:example.com"), list(with(alternative("mail:foo@example.com")), with(extended(clientAuth))))},
		{id: "rfc5280::nc::nc-forbids-othername", make: trio(nil, key(constraints([]string{"example.com"}, []string{"other:"})), list(with(alternative("example.com", "other:")))), why: "critical extension 2.5.29.30"},
		{id: "rfc5280::nc::nc-forbids-othername-noop", make: trio(nil, key(constraints([]string{"example.com"}, []string{"other:"})), nil), why: "critical extension 2.5.29.30", ours: otherNameGo},

		// webpki
		{id: "webpki::san::exact-dns-san", make: pair(nil, nil)},
		{id: "webpki::san::exact-localhost-ip-san", name: "127.0.0.1", make: pair(nil, san("127.0.0.1"))},
		{id: "webpki::san::mismatch-domain-san", name: "example2.com", make: pair(nil, nil), why: "not for example2.com"},
		{id: "webpki::san::mismatch-subdomain-san", name: "def.example.com", make: pair(nil, san("abc.example.com")), why: "not for def.example.com: it has abc.example.com"},
		{id: "webpki::san::mismatch-subdomain-apex-san", name: "abc.example.com", make: pair(nil, nil), why: "not for abc"},
		{id: "webpki::san::mismatch-apex-subdomain-san", make: pair(nil, san("abc.example.com")), why: "not for example.com"},
		{id: "webpki::san::public-suffix-wildcard-san", make: pair(nil, san("*.com")), why: "BR 3.2.2.6"},
		{id: "webpki::san::leftmost-wildcard-san", name: "foo.example.com", make: pair(nil, san("*.example.com"))},
		{id: "webpki::san::wildcard-embedded-leftmost-san", name: "baz.example.com", make: pair(nil, san("ba*.example.com")), why: "not for baz"},
		{id: "webpki::san::wildcard-not-in-leftmost-san", name: "foo.bar.example.com", make: pair(nil, san("foo.*.example.com")), why: "not for foo.bar"},
		{id: "webpki::san::wildcard-match-across-labels-san", name: "foo.bar.example.com", make: pair(nil, san("*.example.com")), why: "not for foo.bar"},
		{id: "webpki::san::wildcard-embedded-ulabel-san", name: "xn--bliss-1b3c148a.example.com", make: pair(nil, san("xn--*-1b3c148a.example.com")), why: "not for xn--bliss"},
		{id: "webpki::san::unicode-emoji-san", name: "xn--628h.example.com", make: pair(nil, san("\U0001f61c.example.com")), why: "parse: "},
		{id: "webpki::san::no-san", make: pair(nil, list(without(17))), why: "not for example.com: it has none"},
		{id: "webpki::san::no-san (no name asked for)", name: "-", make: pair(nil, list(without(17))), why: "BR 7.1.2.7.12"},
		{id: "webpki::san::san-critical-with-nonempty-subject", make: pair(nil, key(critical(alternative("example.com"), true))), why: "BR 7.1.2.7.12"},
		{id: "webpki::san::underscore-dns", name: "-", make: pair(nil, san("foo_bar.example.com")), why: "RFC 5280 4.2.1.6", ours: "no case of limbo's"},
		{id: "webpki::san::ip-as-dns", name: "-", make: pair(nil, list(subject(marshal(pkix.Name{Organization: []string{"x"}}.ToRDNSequence())), with(alternative("text:192.0.2.1")))), why: "it is an IP address", ours: "no case of limbo's"},
		{id: "webpki::malformed-aia", make: pair(nil, list(with(pkix.Extension{Id: aia.Id, Value: []byte("malformed")}))), why: "parse: "},
		{id: "webpki::forbidden-p192-spki-leaf", make: pair(nil, list(holds(p192))), why: "parse: "},
		{id: "webpki::forbidden-p192-spki-leaf (P-224, which crypto/x509 knows)", make: func(t *testing.T) graph {
			return pair(nil, list(holds(spkiOf(t, p224(t)))))(t)
		}, why: "BR 6.1.5"},
		{id: "webpki::forbidden-dsa-spki-leaf", make: pair(nil, list(holds(dsaSPKI))), why: "BR 6.1.5"},
		{id: "webpki::forbidden-weak-rsa-key-in-leaf", make: func(t *testing.T) graph {
			return pair(nil, list(holds(spkiOf(t, &rsaKey(t, 1024).PublicKey))))(t)
		}, why: "1024 bits"},
		{id: "webpki::forbidden-rsa-not-divisible-by-8-in-leaf", make: func(t *testing.T) graph {
			return pair(nil, list(holds(spkiOf(t, &rsaKey(t, 2052).PublicKey))))(t)
		}, why: "not whole bytes"},
		{id: "webpki::forbidden-signature-algorithm-in-leaf (SHA-1)", make: func(t *testing.T) graph {
			r := root(t)
			return graph{leaf: leaf(t, r, func(s *spec) { s.algorithm, s.sign = ecdsaSHA1, signWith(t, r.key, cryptoSHA1) }), roots: []*made{r}}
		}, why: "is not accepted: ECDSA-SHA1"},
		{id: "webpki::v1-cert", name: "-", make: pair(nil, list(func(s *spec) { s.version, s.extensions = 1, nil })), why: "RFC 5280 4.1.2.1"},
		{id: "webpki::ee-basicconstraints-ca", make: pair(nil, key(basic(true, -1))), why: "RFC 5280 4.2.1.3"},
		{id: "webpki::aki::root-with-aki-missing-keyidentifier", make: pair(key(extension(35, false, emptyDER)), nil), why: "RFC 5280 4.2.1.1"},
		{id: "webpki::aki::root-with-aki-authoritycertissuer", make: pair(list(akiWith(true, false)), nil), why: "BR 7.1.2.11.1"},
		{id: "webpki::aki::root-with-aki-authoritycertserialnumber", make: pair(list(akiWith(false, true)), nil), why: "BR 7.1.2.11.1"},
		{id: "webpki::aki::root-with-aki-all-fields", make: pair(list(akiWith(true, true)), nil), why: "BR 7.1.2.11.1"},
		{id: "webpki::aki::root-with-aki-ski-mismatch", make: pair(key(authority([]byte("another"))), nil), why: "RFC 5280 4.2.1.1"},
		{id: "webpki::eku::ee-anyeku", make: pair(nil, key(extended(serverAuth, anyUsage))), why: "BR 7.1.2.7.10"},
		{id: "webpki::eku::ee-critical-eku", make: pair(nil, key(critical(extended(serverAuth), true))), why: "BR 7.1.2.7.6"},
		{id: "webpki::eku::ee-without-eku", make: pair(nil, list(without(37))), why: "BR 7.1.2.7.10"},
		{id: "webpki::eku::root-has-eku", make: pair(key(extended(serverAuth)), nil), why: "BR 7.1.2.1.2"},
		{id: "webpki::eku::ee-clientauth-only", make: pair(nil, key(extended(clientAuth))), why: "TLS client, not TLS server"},
		{id: "webpki::eku::ee-precertificate-only", make: pair(nil, key(extended(precert))), why: "not TLS server"},
		{id: "webpki::eku::ee-precertificate-with-serverauth", make: pair(nil, key(extended(serverAuth, precert))), why: "BR 7.1.2.7.10"},
		{id: "webpki::eku::ee-serverauth-with-additional", make: pair(nil, key(extended(serverAuth, clientAuth)))},
		{id: "webpki::eku::ee-codesigning-with-serverauth", make: pair(nil, key(extended(serverAuth, eku(3)))), why: "BR 7.1.2.7.10"},
		{id: "webpki::eku::ee-emailprotection-with-serverauth", make: pair(nil, key(extended(serverAuth, eku(4)))), why: "BR 7.1.2.7.10"},
		{id: "webpki::eku::ee-timestamping-with-serverauth", make: pair(nil, key(extended(serverAuth, eku(8)))), why: "BR 7.1.2.7.10"},
		{id: "webpki::eku::ee-ocspsigning-with-serverauth", make: pair(nil, key(extended(serverAuth, eku(9)))), why: "BR 7.1.2.7.10"},
		{id: "webpki::ku::ee-rsa-without-any-usages", make: func(t *testing.T) graph {
			return pair(nil, list(holds(spkiOf(t, &rsaKey(t, 2048).PublicKey)), with(noUsage)))(t)
		}, why: "RFC 5280 4.2.1.3"},
		{id: "webpki::cn::ipv4-hex-mismatch", name: "192.168.1.1", make: pair(nil, list(with(alternative("192.168.1.1")), cn("0xC0A80101"))), why: "BR 7.1.4.3"},
		{id: "webpki::cn::ipv4-leading-zeros-mismatch", name: "192.168.1.1", make: pair(nil, list(with(alternative("192.168.1.1")), cn("192.168.001.001"))), why: "BR 7.1.4.3"},
		{id: "webpki::cn::ipv6-uppercase-mismatch", name: "2001:db8::8a2e:370:7334", make: pair(nil, list(with(alternative("2001:db8::8a2e:370:7334")), cn("2001:DB8::8A2E:370:7334"))), why: "BR 7.1.4.3"},
		{id: "webpki::cn::ipv6-uncompressed-mismatch", name: "2001:db8::1", make: pair(nil, list(with(alternative("2001:db8::1")), cn("2001:0db8:0000:0000:0000:0000:0000:0001"))), why: "BR 7.1.4.3"},
		{id: "webpki::cn::ipv6-non-rfc5952-mismatch", name: "2001:db8::1:0:0:1", make: pair(nil, list(with(alternative("2001:db8::1:0:0:1")), cn("2001:db8:0:0:1:0:0:1"))), why: "BR 7.1.4.3"},
		{id: "webpki::cn::punycode-not-in-san", name: "xn--n3h.com", make: pair(nil, list(with(alternative("xn--n3h.com")), cn("xn--nxasmq6b.com"))), why: "BR 7.1.4.3"},
		{id: "webpki::cn::utf8-vs-punycode-mismatch", name: "xn--test--wg5h0h.com", make: pair(nil, list(with(alternative("xn--test--wg5h0h.com")), cn("test-\u6e2c\u8a66.com"))), why: "BR 7.1.4.3"},
		{id: "webpki::cn::not-in-san", name: "valid.example.com", make: pair(nil, list(with(alternative("valid.example.com", "another.example.com")), cn("notinsan.example.com"))), why: "BR 7.1.4.3"},
		{id: "webpki::cn::case-mismatch", make: pair(nil, list(cn("Example.COM"))), why: "BR 7.1.4.3"},
		{id: "webpki::nc::intermediate-permitted-excluded-subtrees-both-null", make: trio(nil, key(extension(30, true, emptyDER)), nil), why: "parse: "},
		{id: "webpki::nc::intermediate-permitted-excluded-subtrees-both-empty-sequences", make: trio(nil, key(extension(30, true, sequence([]byte{0xa0, 0}, []byte{0xa1, 0}))), nil), why: "parse: "},

		// pathlen
		{id: "pathlen::ee-with-intermediate-pathlen-0", make: row(nil, pathLen(0))},
		{id: "pathlen::ee-with-intermediate-pathlen-1", make: row(nil, pathLen(1))},
		{id: "pathlen::ee-with-intermediate-pathlen-2", make: row(nil, pathLen(2))},
		{id: "pathlen::validation-ignores-pathlen-in-leaf", name: "-", use: verify.Any, make: func(t *testing.T) graph {
			r := root(t)
			a := ca(t, r, pathLen(0)...)
			return graph{leaf: ca(t, a, pathLen(0)...), inter: []*made{a}, roots: []*made{r}}
		}},
		{id: "pathlen::intermediate-violates-pathlen-0", make: row(nil, pathLen(0), pathLen(0)), why: "its path length is 0, and the number of CAs below it is 1"},
		{id: "pathlen::intermediate-pathlen-may-increase", make: row(nil, pathLen(1), pathLen(2))},
		{id: "pathlen::intermediate-pathlen-too-long", make: row(nil, pathLen(1), pathLen(0), pathLen(0)), why: "its path length"},
		{id: "pathlen::self-issued-certs-pathlen", make: func(t *testing.T) graph {
			r := root(t)
			a := ca(t, r, pathLen(1)...)
			b := ca(t, a, append(pathLen(1), subject(a.subject))...)
			c := ca(t, b, pathLen(0)...)
			return graph{leaf: leaf(t, c), inter: []*made{a, b, c}, roots: []*made{r}}
		}, why: "its path length", ours: selfIssuedGo},

		// pathological, invalid, cve
		{id: "pathological::multiple-chains-expired-intermediate", make: func(t *testing.T) graph {
			r, second := root(t), root(t, named(name("Second Root")))
			cross := ca(t, second, append(pathLen(1), subject(r.subject), holds(r.spki), lives("870101000000Z", "881125000000Z"))...)
			return graph{leaf: leaf(t, r), inter: []*made{cross}, roots: []*made{r, second}}
		}},
		{id: "pathological::intermediate-cycle-distinct-cas", make: cycle("One", "Two"), why: "is not here"},
		{id: "pathological::intermediate-cycle-same-logical-ca", make: cycle("One", "One"), why: "is not here"},
		{id: "invalid::invalid-issuer-key", make: trio(nil, list(holds(unhex("301230"+"0d06092a864886f70d0101010500"+"030100"))), nil), why: "parse: "},
		{id: "cve::cve-2024-0567", name: "cve.example.com", make: crossSigned},
		{id: "cve::cve-2025-61727", name: "bar.example.com", make: trio(nil, key(constraints([]string{"example.com"}, []string{"bar.example.com"})), san("*.example.com")), why: "name constraints"},
		{id: "cve::cve-2025-61727-nc-permits-variant", name: "foo.example.com", make: trio(nil, permit("foo.example.com"), san("*.example.com")), why: "permit only foo.example.com"},

		// Rules that limbo has no case for.
		{id: "signature parameters", make: pair(nil, list(func(s *spec) { s.algorithm = ecdsaNull })), why: "RFC 5280 4.1.1.2", ours: "no case of limbo's"},
		{id: "GeneralizedTime before 2050", make: pair(nil, list(func(s *spec) { s.end = generalized("20270101000000Z") })), why: "RFC 5280 4.1.2.5", ours: "no case of limbo's"},
		{id: "UTCTime without seconds", make: pair(nil, list(func(s *spec) { s.end = utc("2701010000Z") })), why: "RFC 5280 4.1.2.5", ours: "no case of limbo's"},
		{id: "UTCTime of another zone", make: pair(nil, list(func(s *spec) { s.end = utc("270101000000+0100") })), why: "RFC 5280 4.1.2.5", ours: "no case of limbo's"},
		{id: "GeneralizedTime from 2050", make: pair(nil, list(func(s *spec) { s.end = generalized("20500101000000Z") })), ours: "no case of limbo's"},
		{id: "unique identifier", make: pair(nil, list(func(s *spec) { s.uniqueID = true })), why: "RFC 5280 4.1.2.8", ours: "no case of limbo's"},
		{id: "key usage of a CA not critical", make: pair(key(critical(usage(signsAll), false)), nil), why: "must be critical (BR 7.1.2.1.2)", ours: "limbo's own CAs have it so, as RFC 5280 allows"},
		{id: "key usage of an intermediate not critical", make: trio(nil, key(critical(usage(signsAll), false)), nil), why: "must be critical (BR 7.1.2.6.1)", ours: "limbo's own CAs have it so, as RFC 5280 allows"},
		{id: "critical alternative names of a client", name: "-", use: verify.Client, make: pair(nil, list(with(extended(clientAuth)), with(critical(alternative("example.com"), true)))), ours: "RFC 5280 says should not"},
		{id: "any extended key usage, critical", name: "-", make: pair(nil, key(critical(extended(anyUsage), true))), why: "RFC 5280 4.2.1.12", ours: "no case of limbo's"},
		{id: "even RSA exponent", make: func(t *testing.T) graph {
			key := rsaKey(t, 2048).PublicKey
			key.E = 65538
			return pair(nil, list(holds(spkiOf(t, &key))))(t)
		}, why: "BR 6.1.6", ours: "no case of limbo's"},
		{id: "path length without cA", make: pair(nil, key(basic(false, 0))), why: "RFC 5280 4.2.1.9", ours: "no case of limbo's"},
		{id: "two common names", make: pair(nil, list(subject(marshal(pkix.RDNSequence{cnRDN("example.com"), cnRDN("example.com")})))), why: "more than one common name", ours: "no case of limbo's"},
		{id: "inhibitAnyPolicy not critical", make: trio(nil, key(extension(54, false, []byte{2, 1, 0})), nil), why: "RFC 5280 4.2.1.14", ours: "no case of limbo's"},
		{id: "policy mappings in a leaf", make: pair(nil, key(extension(33, false, sequence(sequence(marshal(private), marshal(private)))))), why: "RFC 5280 4.2.1.5", ours: "no case of limbo's"},
		{id: "minimum in name constraints", make: pair(key(extension(30, true, sequence(marshal(asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: sequence(general("example.com"), []byte{0x80, 1, 1})})))), nil), why: "minimum or maximum", ours: "no case of limbo's"},
		{id: "authority key identifier of another", make: pair(nil, key(authority([]byte("another")))), why: "its authority key identifier is not its issuer's", ours: "no case of limbo's"},
	}
}

// TestLimbo answers limbo's cases as limbo does, or says why not.
func TestLimbo(t *testing.T) {
	var valid, invalid, differ int
	for _, c := range limboCases() {
		t.Run(c.id, func(t *testing.T) {
			g := c.make(t)
			opts := c.options()
			err := g.verify(opts)
			switch {
			case c.why == "" && err != nil:
				t.Errorf("want a valid chain: %v", err)
			case c.why != "" && err == nil:
				t.Errorf("valid, want %q", c.why)
			case c.why != "" && !strings.Contains(err.Error(), c.why):
				t.Errorf("invalid because %q, want %q", err, c.why)
			}
		})
		switch {
		case c.ours != "":
			differ++
		case c.why == "":
			valid++
		default:
			invalid++
		}
	}
	t.Logf("%d valid and %d invalid as limbo has them, %d of our own or answered otherwise", valid, invalid, differ)
	if valid < 30 || invalid < 100 {
		t.Errorf("%d valid and %d invalid cases: some are lost", valid, invalid)
	}
}

func (c limbo) options() verify.Options {
	opts := verify.Options{Name: cmp.Or(c.name, "example.com"), Purpose: verify.Server, At: noon, Strict: !c.basic}
	if c.name == "-" {
		opts.Name, opts.Purpose = "", c.use
	}
	if c.use != verify.Any {
		opts.Purpose = c.use
	}
	if !c.at.IsZero() {
		opts.At = c.at
	}
	return opts
}

// verify is verify.Chain; a certificate that crypto/x509 does not parse fails as "parse: ...".
func (g graph) verify(opts verify.Options) error {
	for _, m := range append(append([]*made{g.leaf}, g.inter...), g.roots...) {
		if m.parse != nil {
			return errors.New("parse: " + m.parse.Error())
		}
	}
	opts.Roots, opts.Intermediates = certsOf(g.roots), certsOf(g.inter)
	chain, err := verify.Chain(g.leaf.cert, opts)
	if err == nil && (len(chain) == 0 || chain[0] != g.leaf.cert) {
		return errors.New("a chain without the certificate")
	}
	return err
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
