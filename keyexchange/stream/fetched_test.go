package stream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"keyward/keyexchange"
)

// The latest keys come first. Older ones are known for ten minutes, and four at most.
func TestFetchedForgets(t *testing.T) {
	var all []keyexchange.OpenKeys
	for range 6 {
		all = append(all, keyexchange.GenerateSealKeys().OpenKeys)
	}
	var f *fetched
	now := time.Now()
	learn := func(i int, after time.Duration, want ...int) {
		t.Helper()
		now = now.Add(after)
		f = newFetched(all[i], f, now)
		var got []int
		for _, k := range f.keys {
			got = append(got, slices.Index(all, k))
		}
		if !slices.Equal(got, want) || len(f.ends) != len(f.keys) {
			t.Errorf("after %v of %d: %v, want %v", after, i, got, want)
		}
	}
	learn(0, 0, 0)
	learn(0, time.Hour, 0)
	learn(1, time.Hour, 1, 0)
	learn(1, keepTime-1, 1, 0)
	learn(1, 1, 1)
	learn(2, time.Minute, 2, 1)
	learn(3, time.Minute, 3, 2, 1)
	learn(4, time.Minute, 4, 3, 2, 1)
	learn(5, time.Minute, 5, 4, 3, 2)
	learn(3, time.Minute, 3, 5, 4, 2)
	learn(3, time.Hour, 3)
}

// authority is a server's certificate that signs itself.
func authority(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// A server gives keys and changes them: who watches it hears of that, who renews does so at once, and both know the old ones.
func TestFetched(t *testing.T) {
	cert, roots := authority(t)
	var ring atomic.Pointer[keyexchange.Ring]
	ring.Store(keyexchange.NewRing(time.Now()))
	server := keyexchange.NewServer(keyexchange.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Ring: ring.Load})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()

	f := &Fetched{Client: &keyexchange.Client{Address: l.Addr().String(), TLS: &tls.Config{RootCAs: roots}}}
	if known := f.Known(); known != nil {
		t.Error(known)
	}
	changes, watched := make(chan keyexchange.OpenKeys), make(chan error, 1)
	go func() { watched <- f.Watch(ctx, func(k keyexchange.OpenKeys) { changes <- k }) }()
	first := <-changes
	if known := f.Known(); !slices.Equal(known, []keyexchange.OpenKeys{first}) || first != ring.Load().At(time.Now()).OpenKeys {
		t.Error(known)
	}
	now := time.Now()
	next, err := ring.Load().Rotate(now, now.Add(time.Second), time.Minute)
	check(t, err)
	ring.Store(next)
	server.Review()
	at, _ := next.Switch(now)
	time.Sleep(time.Until(at))
	check(t, f.Renew(ctx))
	second := next.At(at).OpenKeys
	if known := f.Known(); !slices.Equal(known, []keyexchange.OpenKeys{second, first}) {
		t.Error(known)
	}
	if got := <-changes; got != second {
		t.Errorf("%v, want %v", got, second)
	}
	cancel()
	check(t, <-served)
	check(t, <-watched)
	if err := f.Renew(t.Context()); err == nil {
		t.Error("there is nobody to ask")
	}
}
