package certs

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"keyward/fault"
)

// limits are the permitted subtrees of a CA's name constraints (RFC 5280 section 4.2.1.10).
type limits struct {
	dns []string // lower case, without a leading dot: the domain and all below it
	ips []*net.IPNet
}

func (l limits) none() bool { return len(l.dns)+len(l.ips) == 0 }

// parseLimits reads domains ("corp.test" or ".corp.test") and networks ("10.0.0.0/8", or one
// address). What is neither is fault.Policy.
func parseLimits(dns, ips []string) (limits, error) {
	var l limits
	for _, s := range dns {
		domain := strings.ToLower(strings.TrimPrefix(s, "."))
		if why := notDNS(domain); why != "" {
			return limits{}, fault.New(fault.Policy, "write --permit-dns example.com, which covers all names below it too", "%q is not a domain to permit: %s", s, why)
		}
		l.dns = appendNew(l.dns, domain)
	}
	for _, s := range ips {
		network, err := parseNetwork(s)
		if err != nil {
			return limits{}, err
		}
		l.ips = append(l.ips, network)
	}
	return l, nil
}

func parseNetwork(s string) (*net.IPNet, error) {
	prefix, err := netip.ParsePrefix(s)
	if address, e := netip.ParseAddr(s); e == nil && address.Zone() == "" {
		prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
	}
	if err != nil || prefix.Addr().Is4In6() {
		return nil, fault.New(fault.Policy, "write --permit-ip 10.0.0.0/8 or 2001:db8::/32", "%q is not a network to permit", s)
	}
	if prefix != prefix.Masked() {
		return nil, fault.New(fault.Policy, "write --permit-ip "+prefix.Masked().String(), "%q is not a network to permit: it has bits beyond its length", s)
	}
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}, nil
}

// checkNames refuses, as fault.Policy, a name that ca's constraints do not allow.
func checkNames(n names, ca *x509.Certificate) error {
	if !constrained(ca) {
		return nil
	}
	for _, s := range n.dns {
		if err := check(ca, "DNS name", s, ca.PermittedDNSDomains, ca.ExcludedDNSDomains, permitsDNS, excludesDNS); err != nil {
			return err
		}
	}
	for _, ip := range n.ips {
		if err := check(ca, "IP address", ip, ca.PermittedIPRanges, ca.ExcludedIPRanges, (*net.IPNet).Contains, (*net.IPNet).Contains); err != nil {
			return err
		}
	}
	for _, s := range n.emails {
		if err := check(ca, "e-mail address", s, ca.PermittedEmailAddresses, ca.ExcludedEmailAddresses, permitsEmail, excludesEmail); err != nil {
			return err
		}
	}
	for _, uri := range n.uris {
		if uri.Hostname() == "" || net.ParseIP(uri.Hostname()) != nil {
			return fault.New(fault.Policy, "name a URI whose host is a domain", "URI %q cannot be held against the name constraints of %s", uri, label(ca))
		}
		if err := check(ca, "URI", uri, ca.PermittedURIDomains, ca.ExcludedURIDomains, permitsURI, excludesURI); err != nil {
			return err
		}
	}
	return nil
}

// checkLimits refuses, as fault.Policy, limits beyond ca's own: no name would pass both.
func checkLimits(l limits, ca *x509.Certificate) error {
	for _, domain := range l.dns {
		if err := check(ca, "domain", domain, ca.PermittedDNSDomains, ca.ExcludedDNSDomains, permitsDNS, permitsDNS); err != nil {
			return err
		}
	}
	for _, network := range l.ips {
		if err := check(ca, "network", network, ca.PermittedIPRanges, ca.ExcludedIPRanges, containsNetwork, containsNetwork); err != nil {
			return err
		}
	}
	return nil
}

func constrained(ca *x509.Certificate) bool {
	return len(ca.PermittedDNSDomains)+len(ca.ExcludedDNSDomains)+len(ca.PermittedIPRanges)+len(ca.ExcludedIPRanges)+
		len(ca.PermittedEmailAddresses)+len(ca.ExcludedEmailAddresses)+len(ca.PermittedURIDomains)+len(ca.ExcludedURIDomains) > 0
}

// inherit gives a CA below this issuer the limits of those above that it does not set itself, so that
// each certificate says what it may sign, also where those above are not at hand.
func (ca *Issuer) inherit(below *x509.Certificate) {
	for depth, cert := range ca.Chain {
		if left := maxPathLen(cert) - depth - 1; maxPathLen(cert) >= 0 && (below.MaxPathLen < 0 || left < below.MaxPathLen) {
			below.MaxPathLen, below.MaxPathLenZero = left, left == 0
		}
		if len(below.PermittedDNSDomains) == 0 {
			below.PermittedDNSDomains = cert.PermittedDNSDomains
		}
		if len(below.PermittedIPRanges) == 0 {
			below.PermittedIPRanges = cert.PermittedIPRanges
		}
		if len(below.PermittedEmailAddresses) == 0 {
			below.PermittedEmailAddresses = cert.PermittedEmailAddresses
		}
		if len(below.PermittedURIDomains) == 0 {
			below.PermittedURIDomains = cert.PermittedURIDomains
		}
		if len(below.ExtKeyUsage)+len(below.UnknownExtKeyUsage) == 0 {
			below.ExtKeyUsage, below.UnknownExtKeyUsage = cert.ExtKeyUsage, cert.UnknownExtKeyUsage
		}
		below.ExcludedDNSDomains = union(below.ExcludedDNSDomains, cert.ExcludedDNSDomains)
		below.ExcludedIPRanges = union(below.ExcludedIPRanges, cert.ExcludedIPRanges)
		below.ExcludedEmailAddresses = union(below.ExcludedEmailAddresses, cert.ExcludedEmailAddresses)
		below.ExcludedURIDomains = union(below.ExcludedURIDomains, cert.ExcludedURIDomains)
	}
	below.PermittedDNSDomainsCritical = constrained(below)
}

// union appends to a what of b is not in it.
func union[C any](a, b []C) []C {
	for _, c := range b {
		if !slices.ContainsFunc(a, func(have C) bool { return fmt.Sprint(have) == fmt.Sprint(c) }) {
			a = append(a, c)
		}
	}
	return a
}

// check holds one name against one form's constraints. Where verifiers differ, permits
// is the strictest reading and excludes the widest, so that no verifier refuses what passes.
func check[C, N any](ca *x509.Certificate, form string, name N, permitted, excluded []C, permits, excludes func(C, N) bool) error {
	for _, c := range excluded {
		if excludes(c, name) {
			return fault.New(fault.Policy, "leave the name out, or use a CA that allows it", "%s %v is excluded by the name constraints of %s: %v", form, name, label(ca), c)
		}
	}
	if len(permitted) > 0 && !slices.ContainsFunc(permitted, func(c C) bool { return permits(c, name) }) {
		return fault.New(fault.Policy, "use a name within "+words(permitted)+", or a CA that allows this one", "%s %v is outside the name constraints of %s, which permit %s", form, name, label(ca), words(permitted))
	}
	return nil
}

func words[C any](list []C) string {
	var all []string
	for _, c := range list {
		all = append(all, fmt.Sprint(c))
	}
	return strings.Join(all, ", ")
}

// permitsDNS tells whether all that name stands for is the domain or below it. A domain with a
// leading dot is only what is below, as for URIs; an empty one is everything.
func permitsDNS(domain, name string) bool {
	domain, name = strings.ToLower(domain), strings.ToLower(name)
	if domain == "" || name == domain {
		return true
	}
	return strings.HasSuffix(name, "."+strings.TrimPrefix(domain, "."))
}

// excludesDNS tells whether something that name stands for is the domain or below it.
func excludesDNS(domain, name string) bool {
	if permitsDNS(domain, name) {
		return true
	}
	parent, wildcard := strings.CutPrefix(name, "*.")
	_, rest, _ := strings.Cut(strings.ToLower(domain), ".")
	return wildcard && parent == rest
}

// permitsHost reads a constraint on hosts: one host, or with a leading dot all hosts below it.
func permitsHost(constraint, host string) bool {
	if strings.HasPrefix(constraint, ".") || constraint == "" {
		return permitsDNS(constraint, host)
	}
	return strings.EqualFold(constraint, host)
}

func permitsEmail(constraint, address string) bool {
	if strings.Contains(constraint, "@") {
		return sameMailbox(constraint, address)
	}
	return permitsHost(constraint, domainOf(address))
}

// excludesEmail reads a host without a dot as everything below it too, as Go does.
func excludesEmail(constraint, address string) bool {
	if strings.Contains(constraint, "@") {
		return sameMailbox(constraint, address)
	}
	return permitsDNS(constraint, domainOf(address))
}

func sameMailbox(a, b string) bool {
	localA, domainA, _ := strings.Cut(a, "@")
	localB, domainB, _ := strings.Cut(b, "@")
	return localA == localB && strings.EqualFold(domainA, domainB)
}

func domainOf(address string) string {
	_, domain, _ := strings.Cut(address, "@")
	return domain
}

func permitsURI(constraint string, uri *url.URL) bool { return permitsHost(constraint, uri.Hostname()) }

func excludesURI(constraint string, uri *url.URL) bool {
	return permitsDNS(constraint, uri.Hostname())
}

func containsNetwork(outer, inner *net.IPNet) bool {
	outerBits, _ := outer.Mask.Size()
	innerBits, _ := inner.Mask.Size()
	return outerBits <= innerBits && outer.Contains(inner.IP)
}
