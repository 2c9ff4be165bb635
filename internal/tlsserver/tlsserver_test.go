package tlsserver

import (
	"crypto/tls"
	"errors"
	"slices"
	"testing"
)

func TestFloor(t *testing.T) {
	old := &tls.Config{MinVersion: tls.VersionTLS10}
	if Floor(old); old.MinVersion != tls.VersionTLS12 || !slices.Equal(old.CipherSuites, aeadSuites) {
		t.Errorf("of an old one it makes %x with %x", old.MinVersion, old.CipherSuites)
	}
	own := []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	strict := &tls.Config{MinVersion: tls.VersionTLS13, CipherSuites: own}
	if Floor(strict); strict.MinVersion != tls.VersionTLS13 || !slices.Equal(strict.CipherSuites, own) {
		t.Errorf("of the caller's own it makes %x with %x", strict.MinVersion, strict.CipherSuites)
	}
	secure := tls.CipherSuites()
	for _, id := range aeadSuites {
		if !slices.ContainsFunc(secure, func(s *tls.CipherSuite) bool { return s.ID == id }) {
			t.Errorf("crypto/tls does not call %s secure", tls.CipherSuiteName(id))
		}
	}
}

// TestHarden has a config choose another one, none, and fail.
func TestHarden(t *testing.T) {
	var chosen *tls.Config
	var failed error
	given := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return chosen, failed }}
	hardened := Harden(given, func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert })
	check := func(what string, c *tls.Config) {
		t.Helper()
		if c.MinVersion != tls.VersionTLS12 || c.CipherSuites == nil || !c.SessionTicketsDisabled || c.ClientAuth != tls.RequireAndVerifyClientCert {
			t.Errorf("%s: it has version %x, suites %x, no tickets is %t, client authentication %s", what, c.MinVersion, c.CipherSuites, c.SessionTicketsDisabled, c.ClientAuth)
		}
	}
	check("given", hardened)

	if c, err := hardened.GetConfigForClient(nil); c != nil || err != nil {
		t.Errorf("where none is chosen: %v, %v", c, err)
	}
	chosen = given
	c, err := hardened.GetConfigForClient(nil)
	if err != nil {
		t.Fatal(err)
	}
	check("chosen", c)
	if given.MinVersion != 0 || given.SessionTicketsDisabled {
		t.Error("the caller's own config has changed")
	}
	failed = errors.New("no config")
	if c, err := hardened.GetConfigForClient(nil); c != nil || !errors.Is(err, failed) {
		t.Errorf("where choosing fails: %v, %v", c, err)
	}
}
