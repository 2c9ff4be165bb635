package certs

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"keyward/fault"
)

// Allow says which names may be signed for somebody else. The zero Allow permits none.
type Allow struct {
	dns      []string // a name; "*.d" for what is one label below d; ".d" for all below d
	networks []netip.Prefix
	emails   []string   // an address; "@d" for all of the domain d
	uris     []*url.URL // it and what is below its path
}

// ParseAllow reads patterns of names:
//
//	www.example.org      this DNS name
//	*.example.org        what is one label below, *.example.org itself included
//	.example.org         what is any number of labels below, not example.org
//	192.0.2.7            this IP address
//	10.0.0.0/8           the addresses of a network
//	user@example.org     this e-mail address
//	@example.org         the addresses of this domain, not of those below
//	https://host/path    this URI, and where the path ends or a / follows all below; without a path
//	                     or with / alone all of this host and port
//	urn:example:a:       the URNs that start so; without the last colon this one
//
// A pattern that is none of these is fault.Usage.
func ParseAllow(patterns []string) (Allow, error) {
	var a Allow
	for _, pattern := range patterns {
		if err := a.add(pattern); err != nil {
			return Allow{}, fault.New(fault.Usage, "write --allow www.example.org, *.example.org, .example.org, 192.0.2.7, 10.0.0.0/8, @example.org or a URI",
				"%q is not a pattern of names: %w", pattern, err)
		}
	}
	return a, nil
}

func (a *Allow) add(pattern string) error {
	if network, err := netip.ParsePrefix(pattern); err == nil {
		if _, err := parseNetwork(pattern); err != nil {
			return err
		}
		a.networks = append(a.networks, network)
		return nil
	}
	for _, prefix := range []string{"@", "*.", "."} {
		domain, ok := strings.CutPrefix(strings.ToLower(pattern), prefix)
		if !ok {
			continue
		}
		if why := notDNS(domain); why != "" {
			return notAName(pattern, "", why)
		}
		if prefix == "@" {
			a.emails = append(a.emails, prefix+domain)
		} else {
			a.dns = append(a.dns, prefix+domain)
		}
		return nil
	}
	n, err := parseNames([]string{pattern})
	if err != nil {
		return err
	}
	if len(n.emails) > 0 && strings.Contains(pattern, "*") {
		return notAName(pattern, "", "a * before the @ is that character and no other; @"+domainOf(n.emails[0])+" is all addresses of the domain")
	}
	a.dns = append(a.dns, n.dns...)
	a.emails = append(a.emails, n.emails...)
	a.uris = append(a.uris, n.uris...)
	for _, ip := range n.ips {
		address, _ := netip.AddrFromSlice(ip)
		a.networks = append(a.networks, netip.PrefixFrom(address, address.BitLen()))
	}
	return nil
}

// Check refuses, as fault.Policy, names that no pattern allows; the error lists them.
func (a Allow) Check(sans []string) error {
	n, err := parseNames(sans)
	if err != nil {
		return err
	}
	outside := slices.Concat(
		refused(n.dns, a.allowsDNS), refused(n.ips, a.allowsIP),
		refused(n.emails, a.allowsEmail), refused(n.uris, a.allowsURI))
	if len(outside) == 0 {
		return nil
	}
	return fault.New(fault.Policy, "allow them with --allow, or set the names to sign with --san", "no --allow covers %s", strings.Join(outside, ", "))
}

func refused[N any](list []N, allows func(N) bool) []string {
	var outside []string
	for _, name := range list {
		if !allows(name) {
			outside = append(outside, words([]N{name}))
		}
	}
	return outside
}

func (a Allow) allowsDNS(name string) bool {
	_, parent, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(a.dns, func(pattern string) bool {
		if below, ok := strings.CutPrefix(pattern, "*."); ok {
			return parent == below
		}
		return name == pattern || strings.HasPrefix(pattern, ".") && strings.HasSuffix(name, pattern)
	})
}

func (a Allow) allowsIP(ip net.IP) bool {
	address, _ := netip.AddrFromSlice(ip)
	return slices.ContainsFunc(a.networks, func(n netip.Prefix) bool { return n.Contains(address) })
}

func (a Allow) allowsEmail(address string) bool {
	return slices.Contains(a.emails, address) || slices.Contains(a.emails, "@"+domainOf(address))
}

func (a Allow) allowsURI(uri *url.URL) bool {
	return slices.ContainsFunc(a.uris, func(pattern *url.URL) bool { return belowURI(pattern, uri) })
}

// belowURI compares URIs part for part: https://a.test does not cover https://a.test.evil.org, and
// /ns not /nsx. A path that a reader could fold, with . or .., is below nothing.
func belowURI(pattern, uri *url.URL) bool {
	if uri.String() == pattern.String() {
		return true
	}
	if besidePath(uri) != besidePath(pattern) {
		return false
	}
	if pattern.Opaque != "" {
		return strings.HasSuffix(pattern.Opaque, ":") && strings.HasPrefix(uri.Opaque, pattern.Opaque)
	}
	for _, segment := range strings.FieldsFunc(uri.Path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return uri.Opaque == "" && strings.HasPrefix(uri.EscapedPath()+"/", strings.TrimSuffix(pattern.EscapedPath(), "/")+"/")
}

// besidePath is all of a URI but its path.
func besidePath(uri *url.URL) string {
	rest := *uri
	rest.Path, rest.RawPath, rest.Opaque, rest.Host = "", "", "", strings.ToLower(uri.Host)
	return rest.String()
}
