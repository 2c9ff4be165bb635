// Package certs makes X.509 certificates (RFC 5280) for a team's services: roots, intermediates
// and leaves, in four profiles, with keys of six types.
//
// Issue is the heart: a Request, the Issuer that signs it and the time go in, an Issued comes out,
// or an error that says which rule forbids it. What a verifier would refuse is not signed: a
// certificate that outlives its issuer, a name outside a CA's name constraints, an intermediate past
// a path length, an extended key usage that a CA above does not have, a name that is not a name.
// Where verifiers differ, the strictest counts.
//
// Write and LoadIssuer keep certificates in files, as a set that is written whole or not at all:
//
//	B.key.pem       the private key, PKCS#8, or SEC1 in the micronets profile; 0600
//	B.cert.pem      the certificate; 0644
//	B.cert.der      the same in DER; 0644
//	B.pkeycert.pem  certificate, intermediates and key, for a peer to load; 0600, made when asked for
//
// # Profiles
//
// A certificate of the peer, server and client profiles has, where it is a CA, critical basicConstraints (with a path
// length if asked for), critical keyUsage keyCertSign and cRLSign, critical nameConstraints if asked for, and key identifiers; where it is a leaf,
// critical basicConstraints CA:false, critical keyUsage digitalSignature, extKeyUsage serverAuth and clientAuth as the profile says, key identifiers, and
// its names. The micronets profile is what the Micronets scripts make: a P-256 key, a subject of O alone, and exactly their extensions, so it takes
// no names, path lengths, constraints or other keys. In every profile the signature algorithm follows from the issuer's key.
package certs
