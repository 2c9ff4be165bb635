// Package keys makes, keeps and uses the Curve25519 (NaCl) key pairs of VOV security:
// the key string, the userkey file, the sealed login message and the handover to a server's next key.
//
// # Key string
//
// A key is written as its length in bytes, a colon and padded standard base64 (RFC 4648):
//
//	32:wlefJq4QjTm2QgtWTUtD7kG11nCyUtrKfobW/HPfoD0=
//
// Private, public and server keys look the same, and all are 32 bytes. Altair's decoder
// cuts what it decoded to the stated length; this one refuses a length that does not match
// and every other spelling of the same bytes.
//
// # Userkey file
//
// Altair's documentation does not show the layout of $HOME/.vov/userkey. This package
// writes one of its own: comments, then a name and a value a line.
//
//	# VOV user key. Whoever reads the private key is you: keep this file to yourself.
//	created 2026-11-21T21:37:08Z
//	private 32:dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=
//	public 32:hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=
//
// and reads more than it writes: see [ParseUserkey]. A file is at most 4 KiB, mode 0600.
//
// # Sealed login
//
// A client proves that it has a private key by sealing the time to the server's public
// key in a NaCl box. The apikey is a key string of the 24-byte nonce and the box:
//
//	apikey  = LENGTH ":" base64(nonce || crypto_box(message, nonce, server public, user private))
//	message = "VOV API Key Client Auth " unix-seconds, a decimal fraction
//
// [SealLogin] makes one. A server parses it with [ParseLogin] and opens it with the
// [SharedKey] that it has with each of the user's keys, which [Server.SharedKey] computes
// once for all logins of that key.
//
// # Handover
//
// A server that replaces its key vouches for the next one with the old one, to each user who logs in for
// the old one, in a box between the same two keys:
//
//	handover = LENGTH ":" base64(nonce || crypto_box(message, nonce, user public, old server private))
//	message  = "keyward server key handover v1\n" || the 32 bytes of the next public key
//
// [SealHandover] makes one and [OpenHandover] reads it. The lines keep it apart from a login, and from a
// sealed file's key.
package keys
