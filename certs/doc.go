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
//	B.key.pem       the private key, PKCS#8, or SEC1 in the micronets profile, or encrypted PKCS#8; 0600
//	B.cert.pem      the certificate; 0644
//	B.cert.der      the same in DER; 0644
//	B.pkeycert.pem  certificate, intermediates and key, for a peer to load; 0600, made when asked for
//	B.csr.pem       a signing request (PKCS #10) for B.key.pem; 0644, made by WriteCSR
//
// # Encrypted keys
//
// A password encrypts a key as PKCS#8 with PBES2 (RFC 8018): AES-256-CBC, and PBKDF2-HMAC-SHA256 of 600,000 rounds.
// Wherever a key is read, an Unlock gives the password of one that is encrypted: PBES2 with AES or 3DES, PBKDF2 or
// scrypt, and the PEM encryption of OpenSSL 1, which is never written. The certificates of PKCS#12 are read in the same
// way. A file whose password would take more than 10 million rounds, 256 MiB of scrypt's memory, or a GiB of its mixing is
// fault.Policy before anybody is asked; a wrong password is fault.LoginRefused.
//
// # Requests of others
//
// ParseCSR reads a signing request that anybody may have made: it refuses weak keys, wrong signatures
// and what is not DER to its last byte. Its names are signed if an Allow covers each of them; its key and
// its organization are all else that a Request takes of it. Extensions that it asks for are in
// CSR.Asked, for people to see, and never get into a certificate.
//
// # Profiles
//
// In the peer, server and client profiles a CA has critical basicConstraints (with a path length if
// asked for), critical keyUsage keyCertSign and cRLSign, key identifiers, and critical
// nameConstraints if asked for. An intermediate carries the limits of those above it too, so that
// they hold where only its own certificate is at hand. A leaf has critical basicConstraints
// CA:false, critical keyUsage digitalSignature, extKeyUsage serverAuth and clientAuth as the profile
// says, key identifiers, and its names. The subject is an organization alone.
//
// The micronets profile is what the Micronets scripts make: a P-256 key and exactly their
// extensions, so it takes no names, path length, constraints or other keys.
//
// In every profile the signature algorithm follows from the issuer's key.
package certs
