package certs

import (
	"slices"
	"testing"
	"time"
)

// A draft is held to what Issue holds a certificate to, and says what it will say.
func TestDraftIsWhatIssueMakes(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	zero := 0
	root, err := Issue(Request{Role: Root, Organization: "Root", PermitDNS: []string{"example.org"}}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	inter, err := Issue(Request{Role: Intermediate, Organization: "Inter", PathLen: &zero}, root.Issuer(), now)
	if err != nil {
		t.Fatal(err)
	}
	for name, req := range map[string]Request{
		"leaf":         {Role: Leaf, Organization: "L", SANs: []string{"a.example.org", "192.0.2.1"}},
		"server":       {Role: Leaf, Organization: "L", Profile: Server, SANs: []string{"a.example.org"}, NotAfter: now.AddDate(0, 0, 7)},
		"micronets":    {Role: Leaf, Organization: "L", Profile: Micronets},
		"no name":      {Role: Leaf, Organization: "L", Profile: Server},
		"outside":      {Role: Leaf, Organization: "L", SANs: []string{"a.example.com"}},
		"too deep":     {Role: Intermediate, Organization: "I"},
		"too long":     {Role: Leaf, Organization: "L", NotAfter: now.AddDate(20, 0, 0)},
		"clamped":      {Role: Leaf, Organization: "L", NotAfter: now.AddDate(20, 0, 0), Clamp: true},
		"over already": {Role: Leaf, Organization: "L", NotAfter: now.AddDate(0, 0, -1)},
	} {
		t.Run(name, func(t *testing.T) {
			draft, asked, err := Draft(req, inter.Issuer().Chain, now)
			issued, want := Issue(req, inter.Issuer(), now)
			if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
				t.Fatalf("Draft: %v, Issue: %v", err, want)
			}
			if err != nil {
				return
			}
			cert := issued.Cert
			if !draft.NotAfter.Equal(cert.NotAfter) || asked.Before(cert.NotAfter) || draft.IsCA != cert.IsCA || draft.Subject.String() != cert.Subject.String() {
				t.Errorf("draft %v %v, cert %v %v", draft.Subject, draft.NotAfter, cert.Subject, cert.NotAfter)
			}
			if req.Profile != Micronets && (draft.KeyUsage != cert.KeyUsage || !slices.Equal(draft.ExtKeyUsage, cert.ExtKeyUsage) || !slices.Equal(draft.DNSNames, cert.DNSNames)) {
				t.Errorf("draft %+v, cert %+v", draft, cert)
			}
		})
	}
	draft, _, err := Draft(Request{Role: Intermediate, Organization: "I"}, root.Issuer().Chain, now)
	if err != nil || !slices.Equal(draft.PermittedDNSDomains, []string{"example.org"}) {
		t.Errorf("an intermediate inherits %v, %v", draft, err)
	}
}
