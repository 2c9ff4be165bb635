// Package tlsclient decides which TLS servers the clients of our services trust, and tells why one is not.
package tlsclient

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"

	"keyward/fault"
)

// Verifying gives a copy of config, which may be nil, that verifies the server at host. Without RootCAs it is the system's
// roots and the host's name, and a ServerName takes the name's place. With RootCAs and a ServerName it is these. With RootCAs
// alone the chain is always verified, and then the leaf's name as named says; where named is nil no name is verified, and none
// is sent. TLS 1.2 is the least. Nothing in config switches any of this off; its own VerifyConnection comes after it.
func Verifying(config *tls.Config, host string, named func(leaf *x509.Certificate, host string) error) *tls.Config {
	if config = config.Clone(); config == nil {
		config = new(tls.Config)
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.InsecureSkipVerify = false
	demanded := config.ServerName != ""
	config.ServerName = cmp.Or(config.ServerName, host)
	if config.RootCAs == nil || demanded {
		return config
	}
	if named == nil {
		config.ServerName = ""
	}
	further := config.VerifyConnection
	config.InsecureSkipVerify = true // VerifyConnection verifies, on resumed sessions too
	config.VerifyConnection = func(state tls.ConnectionState) error {
		err := verify(config, state.PeerCertificates)
		if err == nil && named != nil {
			err = named(state.PeerCertificates[0], host)
		}
		if err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		if further == nil {
			return nil
		}
		return further(state)
	}
	return config
}

// verify checks a chain, leaf first, and no name.
func verify(config *tls.Config, chain []*x509.Certificate) error {
	opts := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
	if config.Time != nil {
		opts.CurrentTime = config.Time()
	}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(opts)
	return err
}

// Server is how a server is told of, and what to do where it and we do not trust each other.
type Server struct {
	Name                         string // with its address: "the relay at relay.example.org:5050"
	HintRoot, HintHost, HintOurs string // its root is not among ours, it has another name, it does not take our certificate
	HintNone                     string // it wants a certificate; "" where we showed one
}

// Fault is err where it is of trust: fault.NotTrusted for a server that is not who it should be, fault.NotPermitted where it
// does not take our certificate, and any *fault.Error, of the caller's VerifyConnection, as it is. Else it is nil.
func (s Server) Fault(err error) error {
	if further, ok := errors.AsType[*fault.Error](err); ok {
		return further
	}
	if refusesUs(err) {
		return s.Refuses(err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fault.New(fault.NotTrusted, s.hint(err), "%s is not trusted: %w", s.Name, err)
	}
	return nil
}

// Refuses is the fault.NotPermitted of a server that does not take our certificate, for who knows that it is so by another sign than
// the alert.
func (s Server) Refuses(err error) error {
	if s.HintNone != "" {
		return fault.New(fault.NotPermitted, s.HintNone, "%s wants a client certificate, and we showed none: %w", s.Name, err)
	}
	return fault.New(fault.NotPermitted, s.HintOurs, "%s does not take our certificate: %w", s.Name, err)
}

func (s Server) hint(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return s.HintHost
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "check this machine's clock, or ask who runs the server to renew its certificate"
	}
	return s.HintRoot
}

// certificateAlerts are those by which the other end says that it does not take our certificate (RFC 8446, section 6.2).
var certificateAlerts = []tls.AlertError{
	40,  // handshake_failure: what TLS 1.2 says to who has none
	42,  // bad_certificate
	43,  // unsupported_certificate
	44,  // certificate_revoked
	45,  // certificate_expired
	46,  // certificate_unknown
	48,  // unknown_ca
	49,  // access_denied
	116, // certificate_required
}

// refusesUs says whether an error is such an alert. Package tls gives alerts no type of their own.
func refusesUs(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" &&
		slices.ContainsFunc(certificateAlerts, func(a tls.AlertError) bool { return op.Err.Error() == a.Error() })
}
