package keyexchange_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http/httptest"
	"time"

	"keyward/keyexchange"
	"keyward/keyexchange/msgpack"
)

// A message from one end to the other: a line of JSON is packed, sealed, opened and a line again.
func Example() {
	keys := keyexchange.GenerateSealKeys()

	packed, err := msgpack.FromJSON(nil, []byte(`{"error":"INTERFACE_DOWN","host":"vmx01","severity":4}`), 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	message := keyexchange.Seal(nil, packed, keys)

	opened, err := keyexchange.Open(nil, message, &keys.OpenKeys, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	line, err := msgpack.ToJSON(nil, opened, 0)
	fmt.Println(string(line), err)

	message[100] ^= 1
	_, err = keyexchange.Open(nil, message, &keys.OpenKeys, 0)
	fmt.Println(err)
	// Output:
	// {"error":"INTERFACE_DOWN","host":"vmx01","severity":4} <nil>
	// the message is not signed by this key
}

// A server gives its keys to a client that trusts its certificate.
func ExampleServer() {
	web := httptest.NewTLSServer(nil) // has a certificate for tests
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())

	ring := keyexchange.NewRing(time.Now())
	server := keyexchange.NewServer(keyexchange.Config{
		TLS:  &tls.Config{Certificates: web.TLS.Certificates},
		Ring: func() *keyexchange.Ring { return ring },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx, l) }()

	client := keyexchange.Client{Address: l.Addr().String(), TLS: &tls.Config{RootCAs: roots}}
	keys, err := client.Fetch(ctx)
	fmt.Println(keys == ring.At(time.Now()).OpenKeys, err)

	stop()
	fmt.Println(<-done)
	// Output:
	// true <nil>
	// <nil>
}

// The keys change at a moment that everybody who has the ring knows. Until the overlap is over, what the old ones sealed opens.
func ExampleRing_Rotate() {
	now := time.Date(2026, 11, 21, 21, 37, 8, 0, time.UTC)
	ring := keyexchange.NewRing(now)
	old := ring.At(now)

	ring, err := ring.Rotate(now, now.Add(10*time.Second), time.Minute)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ring.Switch(now))
	for _, after := range []time.Duration{0, 10 * time.Second, 70 * time.Second} {
		at := now.Add(after)
		fmt.Println(ring.At(at).Verify == old.Verify, len(ring.Known(at)))
	}
	// Output:
	// 2026-11-21 21:37:18 +0000 UTC true
	// true 2
	// false 2
	// false 1
}
