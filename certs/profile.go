package certs

import (
	"crypto/x509"
	"strings"
	"time"

	"keyward/fault"
)

// Role says where in a chain a certificate stands.
type Role int

// The roles.
const (
	Root         Role = iota + 1 // signs itself
	Intermediate                 // a CA that another CA signed
	Leaf                         // ends a chain: a server's, a client's or a peer's
)

func (r Role) String() string {
	switch r {
	case Root:
		return "root"
	case Intermediate:
		return "intermediate"
	case Leaf:
		return "leaf"
	}
	return "unknown role"
}

// Profile says what a certificate is for, and so its extensions.
type Profile string

// The profiles.
const (
	Peer      Profile = "peer"      // TLS server and client; the default
	Server    Profile = "server"    // TLS server, with a name at least
	Client    Profile = "client"    // TLS client
	Micronets Profile = "micronets" // what the Micronets scripts make, extension for extension
)

// Profiles lists the profiles, the default first.
func Profiles() []Profile { return []Profile{Peer, Server, Client, Micronets} }

// ParseProfile reads a profile's name. Another name is fault.Usage.
func ParseProfile(s string) (Profile, error) { return parseOneOf(s, "profile", Profiles()) }

func parseOneOf[T ~string](s, what string, known []T) (T, error) {
	var words []string
	for _, k := range known {
		if s == string(k) {
			return k, nil
		}
		words = append(words, string(k))
	}
	return "", fault.New(fault.Usage, "use one of "+strings.Join(words, ", "), "unknown %s %q", what, s)
}

// micronetsDays is how long the scripts' certificates live, whatever their role.
const micronetsDays = 500

// defaultNotAfter is the end of a certificate whose request names none.
func (r Request) defaultNotAfter(now time.Time) time.Time {
	switch {
	case r.like != nil:
		return successorEnd(now.Add(-backdate), r.like)
	case r.Profile == Micronets:
		return now.AddDate(0, 0, micronetsDays)
	case r.Role == Root:
		return now.AddDate(10, 0, 0)
	case r.Role == Intermediate:
		return now.AddDate(5, 0, 0)
	}
	return now.AddDate(0, 0, 90)
}

// extKeyUsage is what a leaf of the profile is for; nothing where it may be for anything.
func (p Profile) extKeyUsage() []x509.ExtKeyUsage {
	switch p {
	case Peer:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	case Server:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	case Client:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	return nil
}
