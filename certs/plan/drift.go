package plan

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"keyward/certs"
)

// drift says in what cert is not what draft would be; nothing where it is.
func drift(e *Entry, cert, draft *x509.Certificate, asked time.Time) []string {
	var reasons []string
	add := func(differs bool, format string, args ...any) {
		if differs {
			reasons = append(reasons, fmt.Sprintf(format, args...))
		}
	}
	add(!sameSubject(e, cert), "its organization is %q, not %q", organization(cert), e.Organization)
	add(cert.IsCA != draft.IsCA, "it is %s", map[bool]string{true: "a CA", false: "no CA"}[cert.IsCA])
	add(keyDrifts(e, cert), "its key is %s, not %s", certs.KeyTypeOf(cert.PublicKey), keyType(e))
	if e.Profile == certs.Micronets {
		add(!sameExtensions(cert, draft), "its extensions are not those of the micronets profile")
	} else {
		if !sameNames(cert, draft) && !certs.HasNames(cert, e.SANs) {
			add(true, "its names are %s, not %s", list(certs.Describe(cert).SANs), list(e.SANs))
		}
		add(cert.KeyUsage != draft.KeyUsage || !slices.Equal(cert.ExtKeyUsage, draft.ExtKeyUsage), "its usages are not those of the profile")
		add(pathLen(cert) != pathLen(draft), "its path length is %s, not %s", pathLen(cert), pathLen(draft))
		add(!sameLimits(cert, draft), "its name constraints are not those asked for")
	}
	add(cert.NotAfter.After(asked.Add(time.Hour)), "it ends on %s, later than asked for", day(cert.NotAfter))
	return reasons
}

func sameSubject(e *Entry, cert *x509.Certificate) bool {
	return len(cert.Subject.Names) == 1 && organization(cert) == e.Organization
}

func organization(cert *x509.Certificate) string {
	return strings.Join(cert.Subject.Organization, ", ")
}

func keyType(e *Entry) certs.KeyType {
	if e.KeyType == "" {
		return certs.P256
	}
	return e.KeyType
}

func keyDrifts(e *Entry, cert *x509.Certificate) bool {
	return certs.KeyTypeOf(cert.PublicKey) != keyType(e)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// list is names as people read them, cut where they are many.
func list(names []string) string {
	const most = 5
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func pathLen(cert *x509.Certificate) string {
	if cert.MaxPathLen < 0 || cert.MaxPathLen == 0 && !cert.MaxPathLenZero {
		return "unlimited"
	}
	return fmt.Sprint(cert.MaxPathLen)
}

func sameExtensions(cert, draft *x509.Certificate) bool {
	if len(cert.Extensions) != len(draft.ExtraExtensions) {
		return false
	}
	for i, want := range draft.ExtraExtensions {
		if !cert.Extensions[i].Id.Equal(want.Id) {
			return false
		}
	}
	return true
}

// sameNames tells whether the names are the same in the same order, which costs little to see.
func sameNames(a, b *x509.Certificate) bool {
	return slices.Equal(a.DNSNames, b.DNSNames) && slices.Equal(a.EmailAddresses, b.EmailAddresses) &&
		slices.EqualFunc(a.IPAddresses, b.IPAddresses, net.IP.Equal) && len(a.URIs)+len(b.URIs) == 0
}

func sameLimits(a, b *x509.Certificate) bool {
	return slices.Equal(a.PermittedDNSDomains, b.PermittedDNSDomains) && slices.Equal(a.ExcludedDNSDomains, b.ExcludedDNSDomains) &&
		sameNetworks(a.PermittedIPRanges, b.PermittedIPRanges) && sameNetworks(a.ExcludedIPRanges, b.ExcludedIPRanges)
}

func sameNetworks(a, b []*net.IPNet) bool {
	return slices.EqualFunc(a, b, func(x, y *net.IPNet) bool { return x.String() == y.String() })
}
