package certs

import (
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"keyward/fault"
)

// names are a certificate's subject alternative names (RFC 5280 section 4.2.1.6), each once.
type names struct {
	dns    []string // lower case
	ips    []net.IP // 4 or 16 bytes
	emails []string // the domain in lower case
	uris   []*url.URL
}

// maxNames is how many names a certificate is given: with more of them TLS stacks refuse it, and the files
// grow past what is read.
const maxNames = 1000

func (n names) count() int { return len(n.dns) + len(n.ips) + len(n.emails) + len(n.uris) }

// parseNames tells names apart by their form: a URI has "://" or starts with "urn:", an e-mail
// address has "@" (and may start with "mailto:"), an IP address reads as one, all else is a DNS
// name. A name that no verifier would match is fault.Policy.
func parseNames(sans []string) (names, error) {
	var n names
	for _, s := range sans {
		if err := n.add(s); err != nil {
			return names{}, err
		}
	}
	return n, nil
}

// CheckName tells whether s is a name for a certificate; fault.Policy says why it is none.
func CheckName(s string) error {
	_, err := parseNames([]string{s})
	return err
}

// HasNames tells whether cert has these names and no other.
func HasNames(cert *x509.Certificate, sans []string) bool {
	want, err := parseNames(sans)
	if err != nil {
		return false
	}
	have, err := parseNames(Describe(cert).SANs)
	return err == nil && have.sorted() == want.sorted()
}

// sorted is the same text for the same names in any order.
func (n names) sorted() string {
	all := slices.Concat(n.dns, n.emails)
	for _, ip := range n.ips {
		all = append(all, ip.String())
	}
	for _, uri := range n.uris {
		all = append(all, uri.String())
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (n *names) add(s string) error {
	if strings.IndexFunc(s, func(r rune) bool { return r > '~' }) >= 0 {
		return notAName(s, "write it in ASCII: a domain as its xn-- form, a URI percent-encoded", "it is not ASCII")
	}
	if strings.IndexFunc(s, func(r rune) bool { return r <= ' ' }) >= 0 {
		return notAName(s, "give each name a --san of its own", "it has a space or control character")
	}
	if IsURI(s) {
		return n.addURI(s)
	}
	if strings.Contains(s, "@") {
		return n.addEmail(strings.TrimPrefix(s, "mailto:"))
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return n.addIP(s, ip)
	}
	return n.addDNS(s)
}

// IsURI tells whether s is meant as a URI.
func IsURI(s string) bool { return strings.Contains(s, "://") || strings.HasPrefix(s, "urn:") }

func notAName(s, hint, why string) error {
	return fault.New(fault.Policy, hint, "%q is not a name for a certificate: %s", s, why)
}

func (n *names) addURI(s string) error {
	uri, err := url.Parse(s)
	if err != nil {
		return fault.New(fault.Policy, "write it as scheme://host/path", "%q is not a name for a certificate: %w", s, err)
	}
	if uri.Opaque == "" && uri.Hostname() == "" {
		return notAName(s, "write it as scheme://host/path", "the URI has no host")
	}
	if uri.Scheme == "spiffe" && (uri.User != nil || uri.Port() != "" || uri.RawQuery != "" || uri.ForceQuery || strings.Contains(s, "#")) {
		return notAName(s, "write it as spiffe://trust-domain/path", "a SPIFFE ID has no user, port, query or fragment")
	}
	if host := uri.Hostname(); host != "" && net.ParseIP(host) == nil {
		if why := notDNS(host); why != "" {
			return notAName(s, "write it as scheme://host/path", "in its host, "+why)
		}
	}
	if !slices.ContainsFunc(n.uris, func(u *url.URL) bool { return u.String() == uri.String() }) {
		n.uris = append(n.uris, uri)
	}
	return nil
}

func (n *names) addEmail(s string) error {
	const hint = "write it as user@example.com"
	local, domain, _ := strings.Cut(s, "@")
	if why := notLocalPart(local); why != "" {
		return notAName(s, hint, why)
	}
	domain = strings.ToLower(domain)
	if why := notDNS(domain); why != "" {
		return notAName(s, hint, "in its domain, "+why)
	}
	n.emails = appendNew(n.emails, local+"@"+domain)
	return nil
}

// notLocalPart says why s is not the part of an e-mail address before the @, as RFC 5321 section 4.1.2
// has it without quotes; nothing where it is.
func notLocalPart(s string) string {
	const special = "!#$%&'*+-/=?^_`{|}~."
	other := func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune(special, r) }
	switch {
	case s == "":
		return "nothing stands before the @"
	case len(s) > 64:
		return "more than 64 bytes stand before the @"
	case strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, ".."):
		return "a dot before the @ has nothing beside it"
	case strings.IndexFunc(s, other) >= 0:
		return "a character before the @ is not allowed there"
	}
	return ""
}

func (n *names) addIP(s string, ip netip.Addr) error {
	if ip.Zone() != "" {
		return notAName(s, "leave out the zone: "+ip.WithZone("").String(), "an address in a certificate has no zone")
	}
	address := net.IP(ip.Unmap().AsSlice())
	if !slices.ContainsFunc(n.ips, address.Equal) {
		n.ips = append(n.ips, address)
	}
	return nil
}

func (n *names) addDNS(s string) error {
	if host, _, err := net.SplitHostPort(s); err == nil {
		return notAName(s, "leave out the port: "+host, "it has a port")
	}
	if _, err := netip.ParsePrefix(s); err == nil {
		return notAName(s, "name each address, or limit a CA to the network with --permit-ip", "it is a network")
	}
	if bare := strings.Trim(s, "[]"); bare != s && net.ParseIP(bare) != nil {
		return notAName(s, "leave out the brackets: "+bare, "it has brackets")
	}
	name := strings.ToLower(s)
	rest, wildcard := strings.CutPrefix(name, "*.")
	if why := notDNS(rest); why != "" {
		return notAName(s, "write it as host.example.com or *.example.com", why)
	}
	if wildcard && !strings.Contains(rest, ".") {
		return notAName(s, "put two labels at least behind the *, as in *.example.com", "verifiers refuse a wildcard over a whole top-level domain")
	}
	n.dns = appendNew(n.dns, name)
	return nil
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// notDNS says why s is not a host name of RFC 1123 section 2.1; nothing where it is.
func notDNS(s string) string {
	switch {
	case s == "":
		return "the domain is empty"
	case len(s) > 253:
		return "it is longer than 253 bytes"
	case strings.HasSuffix(s, "."):
		return "it ends with a dot"
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if why := notLabel(label); why != "" {
			return why
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "its last label is a number, as in an IP address"
	}
	return ""
}

func notLabel(s string) string {
	switch {
	case s == "":
		return "a label is empty"
	case len(s) > 63:
		return "a label is longer than 63 bytes"
	case strings.HasPrefix(s, "-") || strings.HasSuffix(s, "-"):
		return "a label starts or ends with a hyphen"
	case strings.Contains(s, "*"):
		return "a * stands only for the whole first label"
	case strings.IndexFunc(s, func(r rune) bool { return !isAlphanumeric(r) && r != '-' }) >= 0:
		return "a label has other characters than letters, digits and hyphens"
	}
	return ""
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
