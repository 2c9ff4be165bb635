// Package keyexchange is the key exchange of napalm-logs and its sealed messages, both ends: who publishes seals each message
// with a SealKeys, who reads has an OpenKeys, and gets it from a Server over TLS. A Client is the other end of that.
//
// # A message
//
//	Ed25519 signature (64 bytes) || nonce (24) || Poly1305 tag (16) || ciphertext
//
// The signature (RFC 8032) covers all that follows it, and the rest is a NaCl SecretBox (XSalsa20 and Poly1305). The plaintext
// is a MessagePack map: see package msgpack. Nothing in a message says when it was sealed or what came before it, so who
// records one and sends it again is not noticed: the format has no place for that.
//
// # The exchange
//
// It runs over TLS on TCP, port 49018, without frames or lengths:
//
//	client                      server
//	INIT                   ->
//	                       <-   the SecretBox key, 32 bytes
//	ACK                    ->
//	                       <-   the Ed25519 public key, 64 lower-case hexadecimal digits
//	ACK                    ->
//	KEEPALIVE              ->                                   at once, then every 10 seconds
//	                       <-   KEEPALIVEACK
//
// The original reads each key with one recv, so the server sends each with one write, and not before the client's word for it.
// Anything else closes the connection. When the server closes it, a client starts over: so it hears of new keys.
//
// # Keys over time
//
// A Ring holds the keys of an exchange: those that seal now, those that did until lately, and those that will from a moment
// that the ring says. All who read its file (Load) change over at that moment.
package keyexchange
