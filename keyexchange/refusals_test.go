package keyexchange

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"
)

func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	var r refusals
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	from := func(address string) Visitor { return Visitor{Address: netip.MustParseAddrPort(address)} }
	withCertificate := from("192.0.2.1:5")
	withCertificate.Certificate = &x509.Certificate{Raw: []byte("x")}
	for _, tt := range []struct {
		who   Visitor
		after time.Duration
		want  bool
	}{
		{from("192.0.2.1:1"), 0, true},
		{from("192.0.2.1:2"), time.Second, false},
		{withCertificate, time.Second, true},
		{withCertificate, time.Second, false},
		{from("[2001:db8::1]:1"), time.Second, true},
		{from("[2001:db8::2]:1"), time.Second, false},
		{from("192.0.2.1:3"), refusalTime, true},
		{from("192.0.2.1:4"), refusalTime + time.Second, false},
	} {
		if got := r.due(tt.who, start.Add(tt.after)); got != tt.want {
			t.Errorf("%v after %v: %v", tt.who.Address, tt.after, got)
		}
	}
	logged := 0
	for i := range 3 * maxRefusals {
		if r.due(from(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1).String()), start.Add(refusalTime)) {
			logged++
		}
	}
	if logged != maxRefusals-1 {
		t.Errorf("%d are logged", logged)
	}
}
