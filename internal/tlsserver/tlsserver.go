// Package tlsserver holds what our TLS servers demand of a configuration, whoever made it.
package tlsserver

import "crypto/tls"

// aeadSuites is what TLS 1.2 takes where the caller does not say: forward secrecy with AEAD
// only, without the CBC suites that crypto/tls still offers. TLS 1.3 has no others.
var aeadSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Floor has config take TLS 1.2 at least, and where it names no cipher suites, none but those
// with forward secrecy and AEAD.
func Floor(config *tls.Config) {
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if config.CipherSuites == nil {
		config.CipherSuites = aeadSuites
	}
}

// Harden gives a copy of config with the Floor, and with what also sets. Sessions are not
// resumed: so each connection's certificate is held against the roots and lists of today. The
// same holds for each config that its GetConfigForClient chooses.
func Harden(config *tls.Config, also ...func(*tls.Config)) *tls.Config {
	config = config.Clone()
	Floor(config)
	config.SessionTicketsDisabled = true
	for _, set := range also {
		set(config)
	}
	if choose := config.GetConfigForClient; choose != nil {
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if err != nil || chosen == nil {
				return nil, err
			}
			return Harden(chosen, also...), nil
		}
	}
	return config
}
