package restclient

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"keyward/fault"
)

// Pin names a certificate's key: "sha256:" and the hex of the SHA-256 of its
// SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7; the pin of RFC 7469, in hex). It
// outlives a renewal of the certificate with the same key.
func Pin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// parsePin reads a pin in either case, with or without colons between the bytes, and
// gives it as Pin does.
func parsePin(pin string) (string, error) {
	algorithm, digits, _ := strings.Cut(strings.ToLower(strings.TrimSpace(pin)), ":")
	digits = strings.ReplaceAll(digits, ":", "")
	sum, err := hex.DecodeString(digits)
	if algorithm != "sha256" || err != nil || len(sum) != sha256.Size {
		return "", fault.New(fault.Usage, "a pin is sha256: and 64 hex digits", "%q is not a pin", pin)
	}
	return "sha256:" + digits, nil
}

// Pinned trusts the one key that the pin names (see Pin), whoever signed its certificate
// and whatever names are in it: the pin is the identity. The certificate's time is still
// checked, by the Time of the returned config, if the caller sets one, or else by time.Now.
func Pinned(pin string) (*tls.Config, error) {
	want, err := parsePin(pin)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies, on resumed sessions too
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		now := time.Now
		if config.Time != nil {
			now = config.Time
		}
		return checkPin(state.PeerCertificates[0], want, now())
	}
	return config, nil
}

func checkPin(leaf *x509.Certificate, want string, now time.Time) error {
	if got := Pin(leaf); got != want {
		return &PinError{Want: want, Got: got}
	}
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired}
	}
	return nil
}

// PinError is a server whose key is not the pinned one.
type PinError struct{ Want, Got string }

func (e *PinError) Error() string {
	return fmt.Sprintf("the server's key is not the pinned one, it has CHANGED: pinned is %s, shown was %s", e.Want, e.Got)
}

// Stranger gives the certificate of a server that a call refused because nobody trusted
// vouches for it, for a person to compare its [Pin]. ok is false for an err of another sort.
func Stranger(err error) (cert *x509.Certificate, ok bool) {
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown {
		return nil, false
	}
	refused, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(refused.UnverifiedCertificates) == 0 {
		return nil, false
	}
	return refused.UnverifiedCertificates[0], true
}

const (
	hintTrust   = "give its root with --ca-file, or, once you have compared it, its key with --pin sha256:..."
	hintChanged = "if nobody announced a new key, stop: somebody may sit in between; otherwise ask the administrator for the new pin and give it with --pin"
	hintExpired = "renew the server's certificate, and check this machine's clock"
	hintEarly   = "check this machine's clock, and the server's"
	hintName    = "use a name that the certificate has, have it issued for this one (a registry: `serve --name`), or give its key with --pin"
)

// distrust says why a server is not trusted and what to do about it; ok is false for an
// err of another sort.
func distrust(err error, now time.Time) (message, hint string, ok bool) {
	if e, ok := errors.AsType[*PinError](err); ok {
		return e.Error(), hintChanged, true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the server's certificate is signed by an unknown authority", hintTrust, true
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the server's certificate is for another name: " + e.Error(), hintName, true
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		if now.Before(e.Cert.NotBefore) {
			return "the server's certificate is not valid before " + e.Cert.NotBefore.UTC().Format(time.RFC3339), hintEarly, true
		}
		return "the server's certificate expired on " + e.Cert.NotAfter.UTC().Format(time.RFC3339), hintExpired, true
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the server's certificate does not verify: " + e.Err.Error(), hintTrust, true
	}
	return "", "", false
}

// isNotTLS tells a server that answers the handshake with something else.
func isNotTLS(err error) bool {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}
