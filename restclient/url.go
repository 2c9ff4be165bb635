package restclient

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"keyward/fault"
)

const hintURL = "give the registry as https://host:port with --url, KEYWARD_URL or NC_URL"

// ParseURL reduces a registry's URL to scheme://host:port, lower case, with the
// port always there. A path, query or fragment is dropped, as NC_URL may carry one;
// without a scheme it is https. A URL with an "@" is refused and not repeated: a
// password may be in it.
func ParseURL(raw string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	if raw == "" {
		return nil, fault.New(fault.Usage, hintURL, "no registry URL is given")
	}
	if strings.Contains(raw, "@") {
		return nil, fault.New(fault.Usage, hintURL, "the registry URL holds a user name or password")
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, badURL(raw, "does not parse")
	}
	port, known := map[string]string{"https": "443", "http": "80"}[u.Scheme]
	if !known {
		return nil, badURL(raw, "is neither https nor http")
	}
	if u.Hostname() == "" {
		return nil, badURL(raw, "has no host")
	}
	if u.Port() != "" {
		port = u.Port()
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, badURL(raw, "has a port that is not 1 to 65535")
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(canonicalHost(u.Hostname()), port)}, nil
}

// badURL repeats the URL up to its query, where a token could be.
func badURL(raw, wrong string) error {
	raw, _, _ = strings.Cut(raw, "?")
	return fault.New(fault.Usage, hintURL, "the registry URL %q %s", raw, wrong)
}

// canonicalHost writes an address in its one short form and a name in lower case.
func canonicalHost(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String()
	}
	return strings.ToLower(host)
}

// isLoopback tells the hosts to which plain http cannot leave this machine.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost"
	}
	return addr.IsLoopback()
}
