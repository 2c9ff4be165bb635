package certs

import (
	"crypto"
	"crypto/x509"
	"time"
	"unicode"
	"unicode/utf8"

	"keyward/fault"
)

// Request says what certificate to make. Its zero fields mean the defaults.
type Request struct {
	Role         Role
	Profile      Profile // Peer
	Organization string  // the subject's O, 64 characters at most; needed
	SANs         []string
	Key          crypto.Signer    // one that is there already; its type counts then
	KeyType      KeyType          // P256
	PublicKey    crypto.PublicKey // instead of both: somebody else's, who alone has the private half
	NotAfter     time.Time        // 90 days for a leaf, 5 years for an intermediate, 10 for a root; 500 days in the micronets profile
	Clamp        bool             // shorten what would outlive its issuer
	StartNow     bool             // not 5 minutes back: for verifiers who refuse what is older than something

	// For CAs only.
	PathLen   *int     // how many CAs may follow below
	PermitDNS []string // domains that names below must be in
	PermitIP  []string // networks, as 10.0.0.0/8, that addresses below must be in

	like *x509.Certificate // what Renewal renews: its subject and extensions go before the profile's
}

// wanted is a request with its defaults filled in and its parts read.
type wanted struct {
	Request
	names  names
	limits limits
	keeps  bool // the lifetime of the certificate that it renews
}

// check reads the request alone, whoever its issuer is.
func (r Request) check(now time.Time) (wanted, error) {
	if r.Profile == "" {
		r.Profile = Peer
	}
	switch {
	case r.PublicKey != nil:
		r.KeyType = KeyType(keyTypeOf(r.PublicKey))
	case r.Key != nil:
		r.KeyType = KeyType(keyTypeOf(r.Key.Public()))
	}
	if r.KeyType == "" {
		r.KeyType = P256
	}
	keeps := r.like != nil && r.NotAfter.IsZero()
	if r.NotAfter.IsZero() {
		r.NotAfter = r.defaultNotAfter(now)
	}
	r.NotAfter = r.NotAfter.Truncate(time.Second) // all that a certificate can say
	for _, check := range []func(Request) error{checkWords, checkOrganization, checkRole, checkProfile} {
		if err := check(r); err != nil {
			return wanted{}, err
		}
	}
	if err := checkEnd(r.NotAfter, now); err != nil {
		return wanted{}, err
	}
	if len(r.SANs) > maxNames {
		return wanted{}, fault.New(fault.Policy, "make several certificates of them", "%d names, and a certificate takes %d at most", len(r.SANs), maxNames)
	}
	names, err := parseNames(r.SANs)
	if err != nil {
		return wanted{}, err
	}
	limits, err := parseLimits(r.PermitDNS, r.PermitIP)
	if err != nil {
		return wanted{}, err
	}
	return wanted{Request: r, names: names, limits: limits, keeps: keeps}, nil
}

func checkWords(r Request) error {
	if _, err := ParseProfile(string(r.Profile)); err != nil {
		return err
	}
	if r.PublicKey != nil {
		return checkPublicKey(r.PublicKey)
	}
	if r.like != nil && r.Key != nil { // sizes that keyward does not make may stay
		return checkPublicKey(r.Key.Public())
	}
	_, err := ParseKeyType(string(r.KeyType))
	return err
}

// maxOrganization is ub-organization-name of RFC 5280 appendix A.1, in characters.
const maxOrganization = 64

func checkOrganization(r Request) error {
	const hint = "set another --subject-org-name"
	name := r.Organization
	if r.like != nil {
		return nil
	}
	if name == "" {
		return fault.New(fault.Usage, "set --subject-org-name", "the subject has no organization")
	}
	if n := utf8.RuneCountInString(name); n > maxOrganization {
		return fault.New(fault.Policy, hint, "the organization is %d characters long, and a certificate holds %d at most", n, maxOrganization)
	}
	for _, r := range name {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return fault.New(fault.Policy, hint, "the organization %q has a character that cannot be printed", name)
		}
	}
	return nil
}

func checkRole(r Request) error {
	switch {
	case r.Role != Root && r.Role != Intermediate && r.Role != Leaf:
		return fault.New(fault.Usage, "ask for a root, an intermediate or a leaf", "%v", r.Role)
	case r.Role == Root && r.PublicKey != nil:
		return fault.New(fault.Usage, "give the root its private key", "a root signs itself, which a public key cannot")
	case r.Role == Leaf && r.PathLen != nil:
		return fault.New(fault.Usage, "leave out --path-len", "a leaf has no path length: it signs nothing")
	case r.Role == Leaf && len(r.PermitDNS)+len(r.PermitIP) > 0:
		return fault.New(fault.Usage, "leave out --permit-dns and --permit-ip", "a leaf has no name constraints: it signs nothing")
	case r.Role != Leaf && len(r.SANs) > 0:
		return fault.New(fault.Usage, "leave out --san, or limit the names below with --permit-dns and --permit-ip", "a CA has no names of its own")
	case r.PathLen != nil && *r.PathLen < 0:
		return fault.New(fault.Usage, "set --path-len to 0 or more", "a path length of %d", *r.PathLen)
	}
	return nil
}

func checkProfile(r Request) error {
	const hint = "use --profile peer, which takes it"
	switch {
	case r.Profile == Server && r.Role == Leaf && len(r.SANs) == 0:
		return fault.New(fault.Usage, "set --san to the name that clients connect to", "a server certificate needs a name")
	case r.Profile != Micronets:
		return nil
	case r.KeyType != P256:
		return fault.New(fault.Policy, hint, "the micronets profile has %s keys, not %s", P256, r.KeyType)
	case len(r.SANs) > 0:
		return fault.New(fault.Policy, hint, "the micronets profile has no subject alternative names")
	case r.PathLen != nil:
		return fault.New(fault.Policy, hint, "the micronets profile has no path length")
	case len(r.PermitDNS)+len(r.PermitIP) > 0:
		return fault.New(fault.Policy, hint, "the micronets profile has no name constraints")
	}
	return nil
}

// checkEnd keeps the end within what a certificate can say (RFC 5280 section 4.1.2.5).
func checkEnd(notAfter, now time.Time) error {
	if !notAfter.After(now) {
		return fault.New(fault.Policy, "set a later end with --days", "the certificate would end on %s, which is over", stamp(notAfter))
	}
	if notAfter.UTC().Year() > 9999 {
		return fault.New(fault.Policy, "set an earlier end with --days", "the certificate would end after the year 9999")
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
