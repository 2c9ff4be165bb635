package restclient_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keyward/fault"
	"keyward/restclient"
)

func TestPinForms(t *testing.T) {
	digits := strings.Repeat("0aF9", 16)
	var colons []string
	for i := 0; i < len(digits); i += 2 {
		colons = append(colons, digits[i:i+2])
	}
	for _, pin := range []string{"sha256:" + digits, "SHA256:" + strings.ToUpper(digits), "sha256:" + strings.Join(colons, ":"), " sha256:" + digits + "\n"} {
		if _, err := restclient.Pinned(pin); err != nil {
			t.Errorf("Pinned(%q): %v", pin, err)
		}
	}
	for _, pin := range []string{"", "sha256:", digits, "sha1:" + digits, "sha256:" + digits[2:], "sha256:" + digits + "00", "sha256:" + digits[1:] + "g", "sha256//" + digits} {
		_, err := restclient.Pinned(pin)
		checkFault(t, err, fault.Usage, "is not a pin", "sha256:")
	}
}

// TestPinnedTrustsTheKey takes any chain and name, and checks resumed sessions as well.
func TestPinnedTrustsTheKey(t *testing.T) {
	cert := newAuthority(t).leaf(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, nil })
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var resumed atomic.Int32
		config := tlsConfig(cert)
		config.MaxVersion = version
		server := serveTLS(t, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.TLS.DidResume {
				resumed.Add(1)
			}
			answer(200, "application/json", `{"users":[]}`).ServeHTTP(w, r)
		}))
		trust, err := restclient.Pinned(restclient.Pin(cert.Leaf))
		if err != nil {
			t.Fatal(err)
		}
		at := clock
		trust.Time = func() time.Time { return at }
		trust.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		client := newClient(t, server.URL, restclient.Options{TLS: trust})
		for range 2 {
			if _, err := client.Users(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			client.Close()
		}
		if resumed.Load() != 1 {
			t.Errorf("TLS %x: %d sessions were resumed, want 1", version, resumed.Load())
		}
		at = clock.Add(2 * time.Hour)
		_, err = client.Users(t.Context(), token)
		checkFault(t, err, fault.NotTrusted, "expired on", "renew")
	}
}

func TestStranger(t *testing.T) {
	cert := newAuthority(t).leaf(t, nil)
	var requests atomic.Int32
	server := serveTLS(t, tlsConfig(cert), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	client, err := restclient.New(server.URL, restclient.Options{Now: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.LoginPassword(t.Context(), "user1", "secret")
	got, ok := restclient.Stranger(err)
	if !ok || !got.Equal(cert.Leaf) {
		t.Errorf("Stranger gives %v, %v for %v", got, ok, err)
	}
	if requests.Load() != 0 {
		t.Error("a request was sent")
	}
	for _, err := range []error{nil, errors.New("another"), &restclient.PinError{}, x509.HostnameError{Certificate: cert.Leaf}} {
		if _, ok := restclient.Stranger(err); ok {
			t.Errorf("%v is a stranger's", err)
		}
	}
}
