package verify

import (
	"crypto/x509"
	"net"
	"net/url"
	"slices"
	"strings"
)

// forbiddenName finds the name and the CA whose constraints do not allow it. crypto/x509 has refused
// the chain already; this only says why, and falls back on its words.
func forbiddenName(chain []*x509.Certificate, detail string) *Error {
	for above := 1; above < len(chain); above++ {
		for depth := range above {
			if name, words := outside(chain[above], chain[depth]); name != "" {
				return failure(NameConstraints, chain, depth, "the name constraints of %s %s, and it has %s", NameOf(chain[above]), words, name)
			}
		}
	}
	return failure(NameConstraints, chain, 0, "the name constraints above do not allow it: %s", strings.TrimPrefix(detail, "x509: "))
}

// outside is a name of cert that ca's constraints do not allow, with the constraints in words; "" where there is none.
func outside(ca, cert *x509.Certificate) (name, words string) {
	if name, words = breach(ca.PermittedDNSDomains, ca.ExcludedDNSDomains, cert.DNSNames, text, text, below); name != "" {
		return name, words
	}
	if name, words = breach(ca.PermittedIPRanges, ca.ExcludedIPRanges, cert.IPAddresses, (*net.IPNet).String, net.IP.String, (*net.IPNet).Contains); name != "" {
		return name, words
	}
	return outsideHosts(ca, cert)
}

// outsideHosts is outside for e-mail addresses and URIs. crypto/x509 takes a host for all below it too, and so permits more.
func outsideHosts(ca, cert *x509.Certificate) (name, words string) {
	if name, words = breach(ca.PermittedEmailAddresses, ca.ExcludedEmailAddresses, cert.EmailAddresses, text, text, mailbox); name != "" {
		return name, words
	}
	return breach(ca.PermittedURIDomains, ca.ExcludedURIDomains, cert.URIs, text, (*url.URL).String,
		func(constraint string, uri *url.URL) bool { return host(constraint, uri.Hostname()) })
}

// maxComparisons bounds what whoever made both sides can cost.
const maxComparisons = 1 << 20

// breach looks at one form of names (RFC 5280 section 4.2.1.10).
func breach[C, N any](permitted, excluded []C, names []N, ofC func(C) string, ofN func(N) string, covers func(C, N) bool) (name, words string) {
	if len(names)*(len(permitted)+len(excluded)) > maxComparisons {
		return ofN(names[0]), "are too many for its names"
	}
	for _, n := range names {
		covered := func(c C) bool { return covers(c, n) }
		if i := slices.IndexFunc(excluded, covered); i >= 0 {
			return ofN(n), "exclude " + ofC(excluded[i])
		}
		if len(permitted) > 0 && !slices.ContainsFunc(permitted, covered) {
			var all []string
			for _, c := range permitted {
				all = append(all, ofC(c))
			}
			return ofN(n), "permit only " + listed(all)
		}
	}
	return "", ""
}

func text(s string) string { return s }

// below tells whether a DNS name is the domain or below it. With a leading dot it must be below.
func below(domain, name string) bool {
	domain, name = strings.ToLower(domain), strings.ToLower(name)
	return domain == "" || name == domain || strings.HasSuffix(name, "."+strings.TrimPrefix(domain, "."))
}

// host reads a constraint on hosts: one host, with a leading dot all hosts below it, or where it is empty all.
func host(constraint, name string) bool {
	if strings.HasPrefix(constraint, ".") {
		return below(constraint, name)
	}
	return constraint == "" || strings.EqualFold(constraint, name)
}

func mailbox(constraint, address string) bool {
	at := strings.LastIndexByte(address, '@') + 1
	if local := strings.LastIndexByte(constraint, '@') + 1; local > 0 {
		return constraint[:local] == address[:at] && strings.EqualFold(constraint[local:], address[at:])
	}
	return host(constraint, address[at:])
}
