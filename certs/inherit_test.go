package certs_test

import (
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"keyward/certs"
)

// An intermediate says the limits of those above it, so that they hold where it is all that is at hand.
func TestIntermediatesInherit(t *testing.T) {
	two := 2
	root := issue(t, certs.Request{
		Role: certs.Root, Organization: "Root", PathLen: &two, PermitDNS: []string{"corp.test"}, PermitIP: []string{"10.0.0.0/8"},
	}, nil)
	upper := issue(t, certs.Request{Role: certs.Intermediate, Organization: "Upper", PermitDNS: []string{"a.corp.test"}}, root.Issuer())
	lower := issue(t, certs.Request{Role: certs.Intermediate, Organization: "Lower"}, &certs.Issuer{Chain: upper.Issuer().Chain[:1], Key: upper.Key})

	type limits struct {
		PathLen  int
		DNS      []string
		IP       []*net.IPNet
		Critical bool
	}
	ten := []*net.IPNet{{IP: net.IP{10, 0, 0, 0}, Mask: net.CIDRMask(8, 32)}}
	for _, tt := range []struct {
		issued *certs.Issued
		want   limits
	}{
		{upper, limits{1, []string{"a.corp.test"}, ten, true}},
		{lower, limits{0, []string{"a.corp.test"}, ten, true}},
	} {
		cert := tt.issued.Cert
		got := limits{cert.MaxPathLen, cert.PermittedDNSDomains, cert.PermittedIPRanges, cert.PermittedDNSDomainsCritical}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v: %s", cert.Subject, diff)
		}
	}
	if _, err := certs.Issue(certs.Request{Role: certs.Intermediate, Organization: "Third"}, lower.Issuer(), now); err == nil {
		t.Error("a third intermediate below a path length of two")
	}
}
